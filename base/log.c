/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/text.h"

enum { LOG_LINE_MAX = 4096, LOG_QUOTED_MAX = 200, LOG_QUOTED_ALIVE = 4, LOG_PROCESS_MAX = 32 };

/* The log is the one thing that every function of a process shares, like standard error. */
static struct {
	int fd;
	enum log_level level;
	char process[LOG_PROCESS_MAX];
} log_state = { 2, LOG_INFO, "-" };

static const char *const level_names[] = { "error", "warning", "info", "debug" };

void log_start(int fd, const char *process)
{
	log_state.fd = fd;
	(void) snprintf(log_state.process, sizeof(log_state.process), "%s", process);
}

void log_set_level(enum log_level level)
{
	log_state.level = level;
}

enum log_level log_get_level(void)
{
	return log_state.level;
}

enum err log_level_parse(enum log_level *out, struct slice text)
{
	for (unsigned i = 0; i <= LOG_DEBUG; i++) {
		if (slice_equal_text(text, level_names[i])) {
			*out = (enum log_level) i;
			return ERR_OK;
		}
	}
	return ERR_INVALID;
}

const char *log_level_name(enum log_level level)
{
	ASSERT((unsigned) level <= LOG_DEBUG);
	return level_names[level];
}

static bool is_control(uint8_t c)
{
	return c < 0x20 || c == 0x7f;
}

/* "\x1f"; returns what was written (4). */
static size_t escape_byte(char *out, uint8_t c)
{
	out[0] = '\\';
	out[1] = 'x';
	text_hex(out + 2, slice_of(&c, 1));
	return 4;
}

/* Time, level, process, event; at most half of the line. */
static size_t line_head(char *line, size_t size, enum log_level level, const char *event)
{
	uint64_t now_ms = clock_wall_ms();
	char date[RFC3339_TEXT_LEN + 1];
	int len;

	text_rfc3339_from(date, (int64_t) (now_ms / 1000));
	len = snprintf(line, size, "%.19s.%03uZ %s %s %s", date, (unsigned) (now_ms % 1000),
		log_level_name(level), log_state.process, event);
	return len < 0 ? 0 : (size_t) len < size ? (size_t) len : size - 1;
}

/* One write, so that lines of several processes do not mix. */
static void line_write(const char *line, size_t len)
{
	ssize_t written;

	do
		written = write(log_state.fd, line, len);
	while (written < 0 && errno == EINTR);
}

void log_event(enum log_level level, const char *event, const char *format, ...)
{
	char line[LOG_LINE_MAX], values[LOG_LINE_MAX];
	size_t at;
	va_list list;
	int len;

	if (level > log_state.level)
		return;
	at = line_head(line, LOG_LINE_MAX / 2, level, event);
	va_start(list, format);
	len = vsnprintf(values, sizeof(values), format, list);
	va_end(list);
	if (len > 0)
		line[at++] = ' ';
	for (const char *p = values; len > 0 && *p != '\0' && at + 6 < sizeof(line); p++) {
		if (is_control((uint8_t) *p))
			at += escape_byte(line + at, (uint8_t) *p);
		else
			line[at++] = *p;
	}
	line[at++] = '\n';
	line_write(line, at);
}

const char *log_quoted(struct slice text)
{
	static _Thread_local char ring[LOG_QUOTED_ALIVE][LOG_QUOTED_MAX * 4 + 8];
	static _Thread_local unsigned turn;
	char *out = ring[turn++ % LOG_QUOTED_ALIVE];
	struct slice shown = slice_cut(text, 0, LOG_QUOTED_MAX);
	size_t at = 0;

	out[at++] = '"';
	for (size_t i = 0; i < shown.len; i++) {
		uint8_t c = shown.data[i];
		/* Beyond ASCII too: terminals obey some of those bytes. */
		if (is_control(c) || c > 0x7f) {
			at += escape_byte(out + at, c);
			continue;
		}
		if (c == '"' || c == '\\')
			out[at++] = '\\';
		out[at++] = (char) c;
	}
	for (int i = 0; i < 3 && shown.len < text.len; i++)
		out[at++] = '.';
	out[at++] = '"';
	out[at] = '\0';
	return out;
}
