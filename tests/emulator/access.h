/* SPDX-License-Identifier: Apache-2.0 */
/* Who calls: API keys, their roles, the tokens made for them, and what a role may do. */
#ifndef EMULATOR_ACCESS_H
#define EMULATOR_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/text.h"

enum access_role {
	READER = 1,
	READERPLUS = 2,
	WRITER = 4,
	MANAGER = 8,
	KEYPURGE = 16,
	KMIPADAPTERMANAGER = 32
};

enum access_action {
#define ACTION(name, iam_action, roles) ACTION_##name,
#include "tests/emulator/access.def"
#undef ACTION
	ACTION_COUNT
};

enum { ACCESS_API_KEYS_MAX = 32, ACCESS_ID_MAX = 64, ACCESS_ROLES_TEXT_MAX = 96 };

struct access_user {
	char *api_key;
	unsigned roles;
	char id[ACCESS_ID_MAX]; /* "iam-ServiceId-<uuid>", a function of the API key */
	char roles_text[ACCESS_ROLES_TEXT_MAX];
};

struct access {
	struct access_user users[ACCESS_API_KEYS_MAX];
	size_t user_count;
	uint8_t token_key[32];
};

/* "KEY=ROLE[,ROLE]"; ERR_CONFIG when a role is unknown, ERR_LIMIT when there are too many. */
MUST_USE enum err access_add(struct access *access, const char *definition);
void access_free(struct access *access);
const struct access_user *access_by_api_key(const struct access *access, struct slice api_key);
struct access_term {
	int64_t now, life_s;
};
/* A signed token; appended to out. */
MUST_USE enum err access_token(const struct access *access, struct buf *out,
	const struct access_user *user, const struct access_term *term);
/* Whose token this is; NULL when it is forged, expired, or the API key is no longer known. *expired
 * tells whether the end of its life is all that is wrong. */
const struct access_user *access_by_token(
	const struct access *access, struct slice token, int64_t now, bool *expired);
bool access_allows(const struct access_user *user, enum access_action action);

#endif
