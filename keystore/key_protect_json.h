/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies of Key Protect's API, both ways. What is read is copied into the arena; the parser's own
 * copies are wiped. Answers that do not have the promised form give ERR_UNAVAILABLE: they say
 * nothing about a key.
 */
#ifndef KEYSTORE_KEY_PROTECT_JSON_H
#define KEYSTORE_KEY_PROTECT_JSON_H

#include "base/arena.h"
#include "base/buf.h"
#include "keystore/keymanager.h"

enum { KEY_PROTECT_CODE_MAX = 64 };

/* Requests. */
MUST_USE enum err key_protect_write_wrap(
	struct buf *out, struct slice plaintext, const struct keymanager_aad *aad);
/* And rewrap. */
MUST_USE enum err key_protect_write_unwrap(
	struct buf *out, struct slice ciphertext, const struct keymanager_aad *aad);
MUST_USE enum err key_protect_write_create(struct buf *out, const char *name, struct slice payload);

/* Answers. */
MUST_USE enum err key_protect_read_wrapped(
	struct keymanager_wrapped *out, struct arena *arena, struct slice body);
MUST_USE enum err key_protect_read_unwrapped(
	struct keymanager_unwrapped *out, struct arena *arena, struct slice body);
/* ERR_UNAVAILABLE also when it does not say which version it is of. */
MUST_USE enum err key_protect_read_rewrapped(
	struct keymanager_wrapped *out, struct arena *arena, struct slice body);
/* Exactly one key. */
MUST_USE enum err key_protect_read_key(
	struct keymanager_key *out, struct arena *arena, struct slice body);
MUST_USE enum err key_protect_read_list(
	struct keymanager_listed *out, struct arena *arena, struct slice body);
MUST_USE enum err key_protect_read_root(
	struct keymanager_root *out, struct arena *arena, struct slice body);
MUST_USE enum err key_protect_read_rings(bool *found, struct slice body, const char *ring);
/* ERR_FIELD with the sentence in why when a policy stands in our way. */
MUST_USE enum err key_protect_read_policies(char why[KEYMANAGER_WHY_MAX], struct slice body);
/* reasons[0].code of an error, trimmed; empty when there is none. */
void key_protect_read_code(char code[KEY_PROTECT_CODE_MAX], struct slice body);

#endif
