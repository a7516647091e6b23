/* SPDX-License-Identifier: Apache-2.0 */
#include "node/kmipctl_rewrap.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const cJSON *instances_of(const cJSON *answer)
{
	return cJSON_GetObjectItemCaseSensitive(answer, "instances");
}

/* ---- for people ---- */

static void print_counts(FILE *out, const cJSON *instance)
{
	fprintf(out, "%s: %.0f keys looked at, %.0f rewrapped, %.0f failed",
		answer_text(instance, "name"), answer_number(instance, "looked"),
		answer_number(instance, "rewrapped"), answer_number(instance, "failed"));
}

static void print_run(const cJSON *instance)
{
	const char *waiting = answer_text(instance, "waiting"),
		   *error = answer_text(instance, "error");
	const cJSON *failure;
	print_counts(stdout, instance);
	if (answer_is_running(instance))
		printf("; %.1f %% at %.0f keys a second", answer_number(instance, "percent"),
			answer_number(instance, "rate"));
	if (answer_is_running(instance) && waiting[0] != '\0')
		printf("; WAITS: %s", waiting);
	if (error[0] != '\0')
		printf("; ended early: %s", error);
	printf("\n");
	cJSON_ArrayForEach(failure, cJSON_GetObjectItemCaseSensitive(instance, "failures"))
		printf("  %s  %s\n", answer_text(failure, "uid"), answer_text(failure, "error"));
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
		if (!answer_is_running(instance))
			continue;
		fprintf(stderr, "\r\033[K%.1f %%  ", answer_number(instance, "percent"));
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
		if (answer_is_running(instance) && waiting[0] == '\0')
			waiting = answer_text(instance, "waiting");
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
		if (answer_text(instance, "error")[0] != '\0' ||
			answer_number(instance, "failed") > 0)
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
	bool is_terminal = isatty(STDERR_FILENO) != 0, told = false;
	char waiting[200] = "";
	while (answer != NULL && answer_is_running(answer)) {
		cJSON_Delete(answer);
		pause_between_looks();
		answer = ask(arguments, question_of(arguments, "rewrap-status"));
		if (answer == NULL || arguments->json)
			continue;
		tell_waiting(answer, waiting);
		if (!is_terminal || !answer_is_running(answer))
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
	if (!rate_of(&rate, arguments)) {
		cJSON_Delete(question);
		return EXIT_USAGE;
	}
	if (rate > 0)
		cJSON_AddNumberToObject(question, "rate", (double) rate);
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
