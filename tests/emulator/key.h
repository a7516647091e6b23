/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One key as the emulated service keeps it, and its JSON forms. Key material of root keys is held
 * sealed (vault.h); the payload of a standard key is kept as it was received.
 */
#ifndef EMULATOR_KEY_H
#define EMULATOR_KEY_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "tests/emulator/knobs.h"

#define KEY_TYPE "application/vnd.ibm.kms.key+json"

enum { KEY_ALIASES_MAX = 5, KEY_TAGS_MAX = 30 };

enum key_state {
	KEY_PREACTIVE = 0,
	KEY_ACTIVE = 1,
	KEY_SUSPENDED = 2,
	KEY_DEACTIVATED = 3,
	KEY_DESTROYED = 5
};

/* Bits, so that a set of states fits a table's column. */
#define KEY_IN(state) (1u << (state))
#define KEY_IN_ANY 0xffu

struct key_version {
	char id[UUID_TEXT_LEN + 1];
	int64_t created;
	char *sealed; /* owned text of vault.h; NULL for a standard key */
};

struct key_alias {
	char *name;
	char *created_by;
	int64_t created;
	int64_t gone; /* deleted, but answering until then; 0: there */
};

/* What a list shows of a key; lags behind the key itself when tests ask for it. */
struct key_shown {
	bool there;
	int64_t state, updated, deleted;
};

/* Texts are owned, NULL when absent; dates are seconds since 1970, 0 when absent. */
struct key {
	char *id, *name, *description, *ring, *created_by, *deleted_by, *payload;
	int64_t state;
	bool extractable, imported;
	int64_t created, updated, rotated, deleted, expires;
	int64_t acted; /* last life-cycle change, for the 30 s guard */
	int64_t synced;
	struct key_alias aliases[KEY_ALIASES_MAX];
	size_t alias_count;
	cJSON *tags; /* array or NULL */
	struct key_version *versions; /* oldest first */
	size_t version_count;
	bool dual_auth, dual_auth_set;
	int64_t dual_auth_until;
	char *dual_auth_by;
	cJSON *policies; /* object: rotation and dualAuthDelete resources as served, or NULL */
	cJSON *registrations; /* array of registrations as served, or NULL */
	/* for lags; not durable */
	struct key_shown shown, shown_before;
	int64_t shown_changed;
	char *ring_before;
	int64_t ring_moved;
};

/* What a JSON form of a key is for; bits of a field's column. */
enum key_view {
	KEY_VIEW_MINIMAL = 1, /* a create's short answer */
	KEY_VIEW_FULL = 2, /* metadata and list entries */
	KEY_VIEW_PAYLOAD = 4, /* with the payload of a standard key that is not destroyed */
	KEY_VIEW_STORE = 8, /* the stored form */
};

struct key_context {
	const char *crn_prefix; /* up to and with ":key:" */
	const struct knobs *knobs; /* its timers */
	int64_t now;
};

struct key *key_new(void);
void key_free(struct key *key);
/* `views` is a set of enum key_view; the caller owns the result. */
cJSON *key_json(const struct key *key, unsigned views, const struct key_context *context);
/* From the stored form; NULL when it is not one. */
struct key *key_of_json(const cJSON *document);

const struct key_version *key_newest(const struct key *key);
/* Takes `sealed` over. */
void key_add_version(struct key *key, int64_t now, char *sealed);
void key_add_alias(struct key *key, const char *name, const char *by, int64_t now);
/* False when the key has no such alias. */
bool key_drop_alias(struct key *key, const char *name);
cJSON *key_alias_json(const struct key *key, const struct key_alias *alias);
/* Active keys past their expiry count as deactivated. */
int64_t key_state_at(const struct key *key, const struct key_context *context);
/* Destroyed so long ago that it is not there any more. */
bool key_is_purged(const struct key *key, const struct key_context *context);
bool key_is_in_ring(const struct key *key, const char *ring, const struct key_context *context);
void key_move(struct key *key, const char *ring, int64_t now);
/* After each change: what lists are going to show. */
void key_note_change(struct key *key, const struct key_context *context);
/* *key as lists show it at the moment; false when they do not. Borrows from key. */
bool key_as_shown(struct key *out, const struct key *key, const struct key_context *context);
/* Sets an owned text. */
void key_set_text(char **member, const char *text);

/* {"metadata":{collectionType, collectionTotal},"resources":[...]}; takes the array over, and
 * leaves an empty one out. */
cJSON *key_envelope(const char *type, cJSON *resources);

#endif
