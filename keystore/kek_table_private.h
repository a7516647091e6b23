/* SPDX-License-Identifier: Apache-2.0 */
/* What kek_*.c share; nobody else includes this. */
#ifndef KEYSTORE_KEK_TABLE_PRIVATE_H
#define KEYSTORE_KEK_TABLE_PRIVATE_H

#include <stdatomic.h>
#include "base/crypt.h"
#include "keystore/kek_table.h"
#include "keystore/vouches.h"

enum {
	HEADER_LEN = 12288,
	TABLE_VERSION = 4,
	SLOTS_MAX = 1 << 22, /* 2.5 GB */
	SEALED_MAX = KEK_TABLE_MATERIAL_MAX + CRYPT_GCM_TAG_LEN,
	READ_TRIES_MAX = 64, /* a write takes about a microsecond */
};

struct header {
	uint64_t magic;
	uint32_t version;
	uint32_t slot_len;
	uint64_t slots;
	uint64_t unused[5]; /* the words that change have cache lines of their own */
	struct vouches vouches;
};

/* What a slot holds, as it is copied in and out. All zero: empty. */
struct content {
	uint8_t instance[INSTANCE_ID_LEN_MAX];
	uint8_t uid[16];
	uint64_t fresh_until_ms;
	uint64_t resident_until_ms;
	uint64_t counter; /* the nonce; also the order in which slots were written; never 0 */
	uint64_t sealed_len;
	uint8_t sealed[SEALED_MAX];
};

enum { CONTENT_WORDS = sizeof(struct content) / sizeof(uint64_t) };
_Static_assert(sizeof(struct content) % sizeof(uint64_t) == 0, "content is copied by words");
_Static_assert(sizeof(struct header) <= HEADER_LEN, "header fits its pages");

struct slot {
	_Atomic uint64_t generation;
	_Atomic uint64_t words[CONTENT_WORDS];
};

struct kek_table {
	struct header *header;
	struct slot *slots;
	size_t slot_count;
	size_t mapped_len;
	int fd; /* -1 in a worker */
	struct secret *key;
	uint64_t counter; /* keeper: last nonce used under this key */
	size_t count; /* keeper */
	uint64_t *used_ms; /* keeper: of each slot */
};

struct vouches *kek_table_vouches(const struct kek_table *table);
bool kek_table_is_keeper(const struct kek_table *table);

#endif
