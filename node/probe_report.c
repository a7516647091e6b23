/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "node/probe.h"

static void print_json_text(const char *text)
{
	struct slice bytes = slice_text(text);

	putchar('"');
	for (size_t i = 0; i < bytes.len; i++) {
		uint8_t byte = bytes.data[i];

		if (byte < ' ' || byte == '"' || byte == '\\')
			printf("\\u%04x", byte);
		else
			putchar(byte);
	}
	putchar('"');
}

static void print_json(const struct probe_field *fields)
{
	for (const struct probe_field *field = fields; field->name != NULL; field++) {
		putchar(field == fields ? '{' : ',');
		print_json_text(field->name);
		putchar(':');
		if (field->kind == PROBE_FIELD_TEXT)
			/* What a server sends may be anything, JSON is UTF-8. */
			print_json_text(slice_is_utf8(slice_text(field->text)) ? field->text : "?");
		else if (field->kind == PROBE_FIELD_NUMBER)
			printf("%.15g", field->number);
		else
			printf(field->truth ? "true" : "false");
	}
	putchar('}');
}

void probe_say(const struct probe *probe, const struct probe_field *fields, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	if (probe->options->json)
		print_json(fields);
	else
		vprintf(format, list);
	va_end(list);
	putchar('\n');
	/* Who follows a failover wants each line when it happens, also through a pipe. */
	(void) fflush(stdout);
}

void probe_complain(const char *format, ...)
{
	va_list list;

	fputs("kmip-probe: ", stderr);
	va_start(list, format);
	vfprintf(stderr, format, list);
	va_end(list);
	fputc('\n', stderr);
}

uint32_t probe_draw(struct probe *probe, uint32_t bound)
{
	/* SplitMix64: draws need to be repeatable, not unpredictable. */
	uint64_t mixed = probe->random += 0x9E3779B97F4A7C15u;

	mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9u;
	mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBu;
	mixed ^= mixed >> 31;
	return (uint32_t) (mixed % bound);
}

uint64_t probe_now_us(void)
{
	struct timespec now;

	ASSERT(clock_gettime(CLOCK_BOOTTIME, &now) == 0);
	return (uint64_t) now.tv_sec * 1000000u + (uint64_t) now.tv_nsec / 1000u;
}
