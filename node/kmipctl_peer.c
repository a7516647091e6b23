/* SPDX-License-Identifier: Apache-2.0 */
#include "node/kmipctl_peer.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "node/kmipctl_print.h"

enum {
	DRAIN_ASK_MS = 200,
	DRAIN_ASKS_MAX = 150, /* 30 s: several times what a node gives its workers */
};

int peer_run_cut(const struct arguments *arguments, const char *argument)
{
	(void) argument;
	return run_simple(arguments, "peer-cut", NULL);
}

int peer_run_heal(const struct arguments *arguments, const char *argument)
{
	(void) argument;
	return run_simple(arguments, "peer-heal", NULL);
}

static void print_fenced(const cJSON *answer)
{
	(void) answer;
	printf("the peer is fenced: nothing waits for it until it is heard again\n");
}

int peer_run_fence(const struct arguments *arguments, const char *argument)
{
	(void) argument;
	if (!arguments->yes) {
		fprintf(stderr,
			"kmipctl: this states that the peer is switched off, not only out of "
			"reach: if it still serves clients, they may see for up to 2 seconds what "
			"was destroyed or revoked here. Say --yes if you know that it is off\n");
		return EXIT_USAGE;
	}
	return run_simple(arguments, "peer-fence", print_fenced);
}

/* ---- draining ---- */

static void print_undrained(const cJSON *answer)
{
	(void) answer;
	printf("the port is open again\n");
}

int peer_run_undrain(const struct arguments *arguments, const char *argument)
{
	(void) argument;
	return run_simple(arguments, "undrain", print_undrained);
}

static bool is_drained(const cJSON *status)
{
	const char *state = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(status, "state"));
	return state != NULL && strcmp(state, "drained") == 0;
}

static void print_drained(const cJSON *status)
{
	(void) status;
	printf("drained: no client is served here, and the peer does not wait for this node\n");
}

/* Asks until it is so; NULL after a sentence on standard error. */
static cJSON *wait_drained(const struct arguments *arguments)
{
	struct timespec pause = { .tv_nsec = DRAIN_ASK_MS * 1000000l };
	bool tells = !arguments->json && isatty(STDERR_FILENO) != 0;
	cJSON *status = ask(arguments, question_of(arguments, "status"));
	for (int i = 0; status != NULL && !is_drained(status) && i < DRAIN_ASKS_MAX; i++) {
		if (tells)
			print_draining(stderr, "\r", status);
		cJSON_Delete(status);
		nanosleep(&pause, NULL);
		status = ask(arguments, question_of(arguments, "status"));
		fputs(tells && status != NULL && is_drained(status) ? "\n" : "", stderr);
	}
	if (status == NULL || is_drained(status))
		return status;
	fprintf(stderr, "kmipctl: the node is still not drained (kmipctl status, and its log)\n");
	cJSON_Delete(status);
	return NULL;
}

int peer_run_drain(const struct arguments *arguments, const char *argument)
{
	cJSON *question = question_of(arguments, "drain");
	(void) argument;
	cJSON_AddBoolToObject(question, "yes", arguments->yes);
	cJSON *begun = ask(arguments, question);
	if (begun == NULL)
		return 1;
	cJSON_Delete(begun);
	return show(arguments, wait_drained(arguments), print_drained);
}
