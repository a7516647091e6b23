/* SPDX-License-Identifier: Apache-2.0 */
/* kmipctl's conversation with the node: a question, its answer, how it is shown. Private to
 * kmipctl.
 */
#ifndef NODE_KMIPCTL_ASK_H
#define NODE_KMIPCTL_ASK_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

enum { EXIT_USAGE = 2 };

struct arguments {
	const char *socket, *instance, *name, *rate;
	bool json, unclaimed, missing, older, yes, help, version;
	bool delete_old, alone, stop; /* of a migration */
	unsigned given; /* bits of kmipctl_words.c's options */
	char **words;
	int word_count;
};

/* A question with the command and what the arguments say of the instance. */
cJSON *question_of(const struct arguments *arguments, const char *command);
/* The answer (the caller deletes it), or NULL after a sentence on standard error. Takes the
 * question. */
cJSON *ask(const struct arguments *arguments, cJSON *question);
void print_json(const cJSON *json);
/* Shows an answer and gives it back; the exit status. A NULL answer has had its sentence. print may
 * be NULL. */
int show(const struct arguments *arguments, cJSON *answer, void (*print)(const cJSON *answer));
/* Asks a command without members. */
int run_simple(
	const struct arguments *arguments, const char *command, void (*print)(const cJSON *answer));

/* ---- long work: how it goes, asked again and again ---- */

/* Members of an answer; "" and 0 where there is none. */
const char *answer_text(const cJSON *object, const char *name);
double answer_number(const cJSON *object, const char *name);
bool answer_is_running(const cJSON *object);
void pause_between_looks(void);
/* What --rate says, 0 without it; false after a sentence. */
bool rate_of(uint64_t *out, const struct arguments *arguments);

#endif
