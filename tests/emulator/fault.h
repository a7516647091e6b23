/* SPDX-License-Identifier: Apache-2.0 */
/* Faults that tests arm: which requests they meet, when, how often, and what they do. */
#ifndef EMULATOR_FAULT_H
#define EMULATOR_FAULT_H

#include <cjson/cJSON.h>
#include <regex.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum fault_kind {
	FAULT_NONE,
	FAULT_STATUS, /* answer with a status and a body of the test's choice; nothing is done */
	FAULT_RESET, /* cut the connection; nothing is done */
	FAULT_DELAY, /* wait, then serve as usual */
	FAULT_SLOW_BODY, /* serve, and send the body in small pieces over delay_ms */
	FAULT_DROP_AFTER_COMMIT, /* serve and commit, then cut the connection */
	FAULT_WRONG_BYTES, /* serve, with key material or text altered */
	FAULT_TRUNCATED, /* serve, and cut the connection after half of the body */
	FAULT_HUGE, /* answer with an endless-looking body */
	FAULT_KIND_COUNT
};

enum { FAULTS_MAX = 32, FAULT_TEXT_MAX = 512 };

struct fault {
	enum fault_kind kind;
	char path[FAULT_TEXT_MAX];
	regex_t regex;
	char method[16]; /* empty: any */
	int status;
	int retry_after_s; /* negative: no header */
	char body[FAULT_TEXT_MAX];
	int delay_ms;
	long skip; /* so many requests pass before it begins */
	long count; /* times left; negative: until it is removed */
};

struct faults {
	struct fault list[FAULTS_MAX];
	size_t count;
};

const char *fault_kind_name(enum fault_kind kind);
/* From a control request; ERR_INVALID when it makes no sense, ERR_LIMIT when there are too many. */
MUST_USE enum err fault_arm(struct faults *faults, const cJSON *description);
void fault_clear(struct faults *faults);
/* The first armed fault that meets this request, counted down and copied to out (without regex);
 * kind FAULT_NONE when there is none. */
void fault_take(struct faults *faults, struct fault *out, const char *method, const char *path);

#endif
