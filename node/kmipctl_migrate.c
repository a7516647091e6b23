/* SPDX-License-Identifier: Apache-2.0 */
#include "node/kmipctl_migrate.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static cJSON *question_for(
	const struct arguments *arguments, const char *command, const char *instance)
{
	cJSON *question = question_of(arguments, command);
	cJSON_DeleteItemFromObjectCaseSensitive(question, "instance");
	cJSON_AddStringToObject(question, "instance", instance);
	return question;
}

/* ---- for people ---- */

static void print_counts(FILE *out, const cJSON *answer)
{
	fprintf(out, "%s: %.0f keys looked at, %.0f moved, %.0f old ones deleted, %.0f failed",
		answer_text(answer, "stage"), answer_number(answer, "looked"),
		answer_number(answer, "moved"), answer_number(answer, "deleted"),
		answer_number(answer, "failed"));
}

static void print_migration(const cJSON *answer)
{
	const cJSON *key;
	print_counts(stdout, answer);
	if (answer_is_running(answer))
		printf("; %.1f %%", answer_number(answer, "percent"));
	if (answer_is_running(answer) && answer_text(answer, "waiting")[0] != '\0')
		printf("; WAITS: %s", answer_text(answer, "waiting"));
	printf("\n");
	cJSON_ArrayForEach(key, cJSON_GetObjectItemCaseSensitive(answer, "failed_keys"))
		printf("  failed: %s\n", cJSON_GetStringValue(key));
}

static void print_old_keys(const cJSON *answer)
{
	const cJSON *keys = cJSON_GetObjectItemCaseSensitive(answer, "keys"), *key;
	double count = answer_number(answer, "count");
	printf("%.0f old standard keys would be deleted%s\n", count, count > 0 ? ":" : "");
	cJSON_ArrayForEach(key, keys) printf("  %s\n", cJSON_GetStringValue(key));
	if (count > cJSON_GetArraySize(keys))
		printf("  and %.0f more\n", count - cJSON_GetArraySize(keys));
}

/* ---- following ---- */

static cJSON *follow(const struct arguments *arguments, const char *instance, cJSON *answer)
{
	bool is_terminal = isatty(STDERR_FILENO) != 0, told = false;
	while (answer != NULL && answer_is_running(answer)) {
		cJSON_Delete(answer);
		pause_between_looks();
		answer = ask(arguments, question_for(arguments, "migration-status", instance));
		if (answer == NULL || arguments->json || !is_terminal || !answer_is_running(answer))
			continue;
		fprintf(stderr, "\r\033[K%.1f %%  ", answer_number(answer, "percent"));
		print_counts(stderr, answer);
		if (answer_text(answer, "waiting")[0] != '\0')
			fprintf(stderr, "; waits: %s", answer_text(answer, "waiting"));
		told = true;
	}
	fputs(told ? "\r\033[K" : "", stderr);
	return answer;
}

static int end_migration(const struct arguments *arguments, cJSON *answer)
{
	if (answer == NULL) {
		fprintf(stderr, "kmipctl: what was begun goes on in the node: kmipctl instance "
				"migration shows it\n");
		return 1;
	}
	bool failed =
		answer_text(answer, "error")[0] != '\0' || answer_number(answer, "failed") > 0;
	if (failed)
		fprintf(stderr,
			"kmipctl: not everything was done: %s; no key is lost by that, and the "
			"same "
			"command goes on where it was\n",
			answer_text(answer, "error"));
	return show(arguments, answer, print_migration) != 0 || failed ? 1 : 0;
}

/* ---- the commands ---- */

static int preview(const struct arguments *arguments, const char *instance)
{
	int status = show(arguments, ask(arguments, question_for(arguments, "old-keys", instance)),
		print_old_keys);
	if (status == 0)
		fprintf(stderr,
			"kmipctl: a deleted key can be restored for 30 days only. Say --yes "
			"if you mean it\n");
	return status == 0 ? EXIT_USAGE : status;
}

int run_instance_migrate(const struct arguments *arguments, const char *instance)
{
	uint64_t rate = 0;
	if (arguments->stop)
		return show(arguments,
			ask(arguments, question_for(arguments, "migration-stop", instance)),
			print_migration);
	if (arguments->delete_old && !arguments->yes)
		return preview(arguments, instance);
	if (!rate_of(&rate, arguments))
		return EXIT_USAGE;
	cJSON *question = question_for(arguments, "migrate", instance);
	cJSON_AddNumberToObject(question, "rate", (double) rate);
	cJSON_AddBoolToObject(question, "delete_old", arguments->delete_old);
	cJSON_AddBoolToObject(question, "alone", arguments->alone);
	cJSON *answer = ask(arguments, question);
	if (answer == NULL)
		return 1;
	return end_migration(arguments, follow(arguments, instance, answer));
}

int run_instance_migration(const struct arguments *arguments, const char *instance)
{
	return show(arguments,
		ask(arguments, question_for(arguments, "migration-status", instance)),
		print_migration);
}
