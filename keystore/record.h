/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stored and replicated form of objects and clients: version, kind, fields, CRC-32C. The byte
 * layout is in README.md. Unknown trailing extensions of a newer minor version are kept and written
 * back.
 */
#ifndef KEYSTORE_RECORD_H
#define KEYSTORE_RECORD_H

#include "base/arena.h"
#include "base/buf.h"
#include "keystore/client.h"
#include "keystore/object.h"

enum record_kind { RECORD_OBJECT = 1, RECORD_CLIENT = 2 };
enum { RECORD_LEN_MAX = 65536, RECORD_KEY_LEN_MAX = 33 };

struct record {
	enum record_kind kind;
	union {
		struct object object;
		struct client client;
	};
};

/* Canonical: equal content gives equal bytes. */
MUST_USE enum err record_encode(struct buf *out, const struct record *record);
/* ERR_CORRUPT (checksum, bounds), ERR_VERSION. Slices point into `bytes`, arrays into the arena. */
MUST_USE enum err record_decode(struct record *out, struct arena *arena, struct slice bytes);
/* Kind byte, then uid or fingerprint: the key in the log, on the link and in digests. */
MUST_USE enum err record_key(struct buf *out, const struct record *record);

/*
 * The only way in which two records of one key come together (design D6, D7): commutative,
 * associative, idempotent. `out` may share memory with a and b. Objects that disagree on
 * envelope_hash come out quarantined, with the smaller hash.
 */
MUST_USE enum err record_merge(
	struct record *out, struct arena *arena, const struct record *a, const struct record *b);

#endif
