/* SPDX-License-Identifier: Apache-2.0 */
/* How the emulated Key Protect says no: the codes of refusal.def and the error body made of one. */
#ifndef EMULATOR_REFUSAL_H
#define EMULATOR_REFUSAL_H

#include <cjson/cJSON.h>

#include "base/err.h"

enum refusal {
	REFUSE_NOTHING,
#define REFUSAL(name, status, style, message) REFUSE_##name,
#include "tests/emulator/refusal.def"
#undef REFUSAL
	REFUSAL_COUNT
};

/* What a handler can say beyond the code. All borrowed; each may be NULL or empty. */
struct refusal_detail {
	const char *phrase; /* "Key could not be created" */
	const char *message; /* instead of the code's own text */
	const char *target_type; /* "field" or "query_param" */
	const char *target_name;
};

int refusal_status(enum refusal refusal);
const char *refusal_code(enum refusal refusal);
/* The body of a refusal that is not JSON, else NULL. */
const char *refusal_plain_text(enum refusal refusal);
/* The whole error envelope; the caller owns it. */
cJSON *refusal_body(enum refusal refusal, const struct refusal_detail *detail);
/* "Not Found" and its kin; "Error" for a status that has no name here. */
const char *refusal_http_phrase(int status);

#endif
