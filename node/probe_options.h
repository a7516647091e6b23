/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of kmip-probe: what it says, whether it can be, and what --help shows. */
#ifndef NODE_PROBE_OPTIONS_H
#define NODE_PROBE_OPTIONS_H

#include <stdio.h>
#include "node/probe.h"

enum { PROBE_WHY_SIZE = 400 };

struct probe_command {
	const char *name;
	int (*run)(struct probe *probe);
	const char *needs; /* the option that only this command must have; NULL: none */
	const char *help;
};

struct probe_command_line {
	struct probe_options options;
	const struct probe_command *command;
	bool wants_help, wants_version; /* then nothing else is judged */
};

/* Borrows from argv. ERR_CONFIG: why is a sentence for people. */
MUST_USE enum err probe_options_parse(
	struct probe_command_line *out, int argc, char **argv, char why[PROBE_WHY_SIZE]);
void probe_options_print_help(FILE *out);

#endif
