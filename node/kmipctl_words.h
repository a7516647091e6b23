/* SPDX-License-Identifier: Apache-2.0 */
/* What the operator typed: which command it means, or what is wrong with it. Private to kmipctl. */
#ifndef NODE_KMIPCTL_WORDS_H
#define NODE_KMIPCTL_WORDS_H

#include <stdio.h>

#include "base/err.h"
#include "node/kmipctl_ask.h"

enum { WORDS_WHY_MAX = 300 };

/* A command takes the options that its help names, beside --socket and --json. */
struct command {
	const char *words[2];
	const char *argument; /* what the third word is; NULL: none */
	const char *help;
	int (*run)(const struct arguments *arguments, const char *argument);
};

struct command_list {
	const struct command *items;
	size_t count;
};

/* Options and words of a command line; they stay argv's. ERR_CONFIG with a sentence. */
MUST_USE enum err words_read(
	struct arguments *arguments, int argc, char **argv, char why[WORDS_WHY_MAX]);
/* The command that the words name. ERR_CONFIG with a sentence. */
MUST_USE enum err words_find(const struct command **out, const struct command_list *list,
	const struct arguments *arguments, char why[WORDS_WHY_MAX]);
/* The word behind those of a command that was found; NULL where it takes none. */
const char *words_argument(const struct arguments *arguments, const struct command *command);
void words_print_help(FILE *out, const struct command_list *list);

#endif
