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
	char *name; /* API key, or name of a trusted profile */
	bool is_profile;
	unsigned roles;
	/* "iam-ServiceId-<uuid>" or "iam-Profile-<uuid>", a function of the name */
	char id[ACCESS_ID_MAX];
	char roles_text[ACCESS_ROLES_TEXT_MAX];
};

struct access {
	struct access_user users[ACCESS_API_KEYS_MAX];
	size_t user_count;
	uint8_t token_key[32];
};

/* "KEY=ROLE[,ROLE]"; ERR_CONFIG when a role is unknown, ERR_LIMIT when there are too many. */
MUST_USE enum err access_add(struct access *access, const char *definition, bool is_profile);
void access_free(struct access *access);
const struct access_user *access_by_api_key(const struct access *access, struct slice api_key);
/* By name or id. */
const struct access_user *access_by_profile(const struct access *access, struct slice profile);
/* A refresh token opens nothing but IAM. */
enum access_token_use { TOKEN_ACCESS, TOKEN_REFRESH };
struct access_term {
	int64_t now, life_s;
	enum access_token_use use;
};
/* Where a token is shown, and what is found about it. */
struct access_look {
	int64_t now;
	enum access_token_use use;
	bool expired; /* found: the end of its life is all that is wrong */
};
/* A signed token; appended to out. */
MUST_USE enum err access_token(const struct access *access, struct buf *out,
	const struct access_user *user, const struct access_term *term);
/* Whose token this is; NULL when it is forged, expired, for another use, or the API key is no
 * longer known. */
const struct access_user *access_by_token(
	const struct access *access, struct slice token, struct access_look *look);
bool access_allows(const struct access_user *user, enum access_action action);

#endif
