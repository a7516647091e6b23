/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "node/probe.h"

void probe_say(const struct probe *probe, cJSON *object, const char *format, ...)
{
	va_list list;

	if (probe->options->json) {
		char *text = cJSON_PrintUnformatted(object);
		printf("%s\n", text == NULL ? "null" : text);
		cJSON_free(text);
	} else {
		va_start(list, format);
		vprintf(format, list);
		va_end(list);
		putchar('\n');
	}
	cJSON_Delete(object);
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
