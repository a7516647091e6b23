/* SPDX-License-Identifier: Apache-2.0 */
#include "node/kmipctl_rewrap.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"

enum { PAUSE_NS = 200000000, RATE_LIMIT = 1000000 };

static const char *text_of(const cJSON *object, const char *name)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
	return text == NULL ? "" : text;
}

static double number_of(const cJSON *object, const char *name)
{
	const cJSON *number = cJSON_GetObjectItemCaseSensitive(object, name);
	return cJSON_IsNumber(number) ? number->valuedouble : 0;
}

static bool is_running(const cJSON *answer)
{
	return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(answer, "running"));
}

static const cJSON *instances_of(const cJSON *answer)
{
	return cJSON_GetObjectItemCaseSensitive(answer, "instances");
}

/* ---- for people ---- */

static void print_counts(FILE *out, const cJSON *instance)
{
	fprintf(out, "%s: %.0f keys looked at, %.0f rewrapped, %.0f failed",
		text_of(instance, "name"), number_of(instance, "looked"),
		number_of(instance, "rewrapped"), number_of(instance, "failed"));
}

static void print_run(const cJSON *instance)
{
	const char *waiting = text_of(instance, "waiting"), *error = text_of(instance, "error");
	const cJSON *failure;
	print_counts(stdout, instance);
	if (is_running(instance))
		printf("; %.1f %% at %.0f keys a second", number_of(instance, "percent"),
			number_of(instance, "rate"));
	if (is_running(instance) && waiting[0] != '\0')
		printf("; WAITS: %s", waiting);
	if (error[0] != '\0')
		printf("; ended early: %s", error);
	printf("\n");
	cJSON_ArrayForEach(failure, cJSON_GetObjectItemCaseSensitive(instance, "failures"))
		printf("  %s  %s\n", text_of(failure, "uid"), text_of(failure, "error"));
}

static void print_runs(const cJSON *answer)
{
	const cJSON *instance;
	cJSON_ArrayForEach(instance, instances_of(answer)) print_run(instance);
}

/* One line that is told again and again; of the first instance that has not ended. */
static void print_progress(const cJSON *answer)
{
	const cJSON *instance;
	cJSON_ArrayForEach(instance, instances_of(answer))
	{
		if (!is_running(instance))
			continue;
		fprintf(stderr, "\r\033[K%.1f %%  ", number_of(instance, "percent"));
		print_counts(stderr, instance);
		return;
	}
}

/* That it waits, and that it goes on, is said once each. */
static void tell_waiting(const cJSON *answer, char told[200])
{
	const char *waiting = "";
	const cJSON *instance;
	cJSON_ArrayForEach(instance, instances_of(answer))
	{
		if (is_running(instance) && waiting[0] == '\0')
			waiting = text_of(instance, "waiting");
	}
	if (strcmp(told, waiting) == 0)
		return;
	snprintf(told, 200, "%s", waiting);
	if (waiting[0] == '\0')
		fprintf(stderr, "\nkmipctl: it goes on\n");
	else
		fprintf(stderr,
			"\nkmipctl: it waits: %s; it goes on by itself, also without kmipctl\n",
			waiting);
}

/* ---- the commands ---- */

static int end_status(const cJSON *answer)
{
	const cJSON *instance;
	int status = 0;
	cJSON_ArrayForEach(instance, instances_of(answer))
	{
		if (text_of(instance, "error")[0] != '\0' || number_of(instance, "failed") > 0)
			status = 1;
	}
	if (status != 0)
		fprintf(stderr,
			"kmipctl: not all keys are of the newest version; no key is lost by that, "
			"and kmipctl rewrap tries those again\n");
	return status;
}

static cJSON *follow(const struct arguments *arguments, cJSON *answer)
{
	struct timespec pause = { .tv_nsec = PAUSE_NS };
	bool is_terminal = isatty(STDERR_FILENO) != 0, told = false;
	char waiting[200] = "";
	while (answer != NULL && is_running(answer)) {
		cJSON_Delete(answer);
		nanosleep(&pause, NULL);
		answer = ask(arguments, question_of(arguments, "rewrap-status"));
		if (answer == NULL || arguments->json)
			continue;
		tell_waiting(answer, waiting);
		if (!is_terminal || !is_running(answer))
			continue;
		print_progress(answer);
		told = true;
	}
	fputs(told ? "\r\033[K" : "", stderr);
	return answer;
}

int run_rewrap(const struct arguments *arguments, const char *argument)
{
	cJSON *question = question_of(arguments, "rewrap");
	uint64_t rate = 0;
	(void) argument;
	if (arguments->rate != NULL) {
		if (text_u64(&rate, slice_text(arguments->rate), RATE_LIMIT) != ERR_OK) {
			fprintf(stderr, "kmipctl: --rate needs a number of keys a second\n");
			cJSON_Delete(question);
			return EXIT_USAGE;
		}
		cJSON_AddNumberToObject(question, "rate", (double) rate);
	}
	cJSON *answer = follow(arguments, ask(arguments, question));
	if (answer == NULL) {
		fprintf(stderr, "kmipctl: what was begun goes on in the node: kmipctl rewrap "
				"status shows it\n");
		return 1;
	}
	int status = end_status(answer);
	return show(arguments, answer, print_runs) != 0 ? 1 : status;
}

int run_rewrap_status(const struct arguments *arguments, const char *argument)
{
	(void) argument;
	return run_simple(arguments, "rewrap-status", print_runs);
}

int run_rewrap_stop(const struct arguments *arguments, const char *argument)
{
	(void) argument;
	return run_simple(arguments, "rewrap-stop", print_runs);
}
