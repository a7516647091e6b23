/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One event, one line: time, level, event, key=value pairs. Levels by audience: error (act now),
 * warning (look), info (state changes), debug (developers). No call takes a secret.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/err.h"
#include "base/slice.h"

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

/* Where lines go: a file descriptor (borrowed; 2 by default); `process` names the process
 * ("keeper", "worker-1"). */
void log_start(int fd, const char *process);
void log_set_level(enum log_level level);
enum log_level log_get_level(void);
MUST_USE enum err log_level_parse(enum log_level *out, struct slice text);
const char *log_level_name(enum log_level level);

/*
 * event: a fixed short phrase with dashes ("peer-connected"). format: "key=%s other=%u" pairs;
 * values that hold blanks or quotes are given through LOG_QUOTED(text), which fits a %s. A newline
 * or control byte in the line is escaped.
 */
void log_event(enum log_level level, const char *event, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
#define log_error(...) log_event(LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_event(LOG_WARNING, __VA_ARGS__)
#define log_info(...) log_event(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_event(LOG_DEBUG, __VA_ARGS__)

/* Quotes and escapes text of any origin for a log value, cut at 200 bytes. Four may be alive at a
 * time. */
const char *log_quoted(struct slice text);

#endif
