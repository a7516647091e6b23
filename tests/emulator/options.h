/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of key-protect-emulator. */
#ifndef EMULATOR_OPTIONS_H
#define EMULATOR_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "tests/emulator/access.h"
#include "tests/emulator/world.h"

enum { OPTIONS_HOST_MAX = 64, OPTIONS_WHY_MAX = 200, OPTIONS_HOSTS_MAX = 8 };

/* Texts are borrowed from argv. */
struct options {
	char host[OPTIONS_HOST_MAX];
	uint16_t port;
	const char *data;
	const char *cert, *key; /* NULL: a certificate of our own */
	bool http;
	const char *instance; /* NULL: the folder's, or a new one */
	const char *api_keys[ACCESS_API_KEYS_MAX];
	size_t api_key_count;
	const char *profiles[ACCESS_API_KEYS_MAX];
	size_t profile_count;
	int64_t token_life_s;
	const char *log; /* NULL: standard error */
	bool allow_remote;
	enum world_service service;
	const char *region;
	const char *hosts[OPTIONS_HOSTS_MAX]; /* names that we answer to */
	size_t host_count;
	bool help, version;
};

/* ERR_CONFIG with a sentence in why. */
MUST_USE enum err options_parse(
	struct options *out, int argc, char **argv, char why[OPTIONS_WHY_MAX]);
extern const char options_help[];

#endif
