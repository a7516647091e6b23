/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Intents (design D9): work begun at the key manager whose end is not yet recorded. Its key in the
 * cache is the record nonce; its body says what was begun.
 */
#ifndef KEYSTORE_INTENT_H
#define KEYSTORE_INTENT_H

#include "base/buf.h"
#include "keystore/cache.h"

enum intent_kind {
	INTENT_CREATE = 1, /* a standard key of that nonce may exist */
	INTENT_DESTROY = 2, /* a standard key may be deleted */
	INTENT_LEDGER = 3, /* a record that the ledger does not have yet */
};
enum { INTENT_VERSION = 1, INTENT_NONCE_LEN = 16, INTENT_LEN_MAX = 1024 };

struct intent {
	enum intent_kind kind;
	uint8_t nonce[INTENT_NONCE_LEN];
	struct instance_id instance;
	int64_t time; /* seconds */
	struct uid uid; /* INTENT_DESTROY; INTENT_CREATE of a key for an object that is moved */
	struct uid key_id; /* INTENT_DESTROY */
	bool compromise; /* INTENT_DESTROY */
	int64_t dates[OBJECT_DATE_COUNT]; /* INTENT_DESTROY */
	struct slice record; /* INTENT_LEDGER: encoded */
};

MUST_USE enum err intent_encode(struct buf *out, const struct intent *intent);
/* Slices point into the body. */
MUST_USE enum err intent_decode(
	struct intent *out, const uint8_t nonce[INTENT_NONCE_LEN], struct slice body);

/* In a write: another standard key of the object is to be deleted, by resolve.c. */
MUST_USE enum err intent_leave_destroy(
	struct cache_write *write, const struct object *object, const struct uid *key_id);
/* The standard keys that may still hold a moved object, but for the one that is gone. */
MUST_USE enum err intent_leave_others(
	struct cache_write *write, const struct object *object, const struct uid *gone);

#endif
