/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stored and replicated form of objects and clients: version, kind, fields, CRC-32C. The byte
 * layout is in README.md. The trailing extension of a newer minor version is kept and written back.
 */
#ifndef KEYSTORE_RECORD_H
#define KEYSTORE_RECORD_H

#include "base/arena.h"
#include "base/buf.h"
#include "keystore/client.h"
#include "keystore/object.h"

enum record_kind { RECORD_OBJECT = 1, RECORD_CLIENT = 2 };
enum { RECORD_LEN_MAX = 65536, RECORD_KEY_LEN_MAX = 33 };
enum { RECORD_MAJOR = 1, RECORD_MINOR = 0 };

struct record {
	enum record_kind kind;
	uint8_t minor; /* RECORD_MINOR, or that of the newer release that wrote it */
	union {
		struct object object;
		struct client client;
	};
	struct slice extension; /* fields of a newer minor version: kept, never understood */
};

/*
 * Canonical: equal content gives equal bytes; the wrapped form of an object that is dead or has no
 * material is left out. ERR_INVALID: fields that contradict one another or the order of attributes;
 * ERR_LIMIT: more than RECORD_LEN_MAX. Appends; on an error the buf may hold a part.
 */
MUST_USE enum err record_encode(struct buf *out, const struct record *record);
/* ERR_CORRUPT (checksum, bounds, not canonical), ERR_VERSION (a newer major), ERR_NOMEM. Slices
 * point into `bytes`, arrays into the arena. Without an arena (NULL) only a client can be decoded:
 * ERR_CORRUPT for an object. */
MUST_USE enum err record_decode(struct record *out, struct arena *arena, struct slice bytes);
/* What stands at fixed places, after the checksum: a client, or an object without wrapped form and
 * attributes. Needs no memory. ERR_CORRUPT, ERR_VERSION. */
MUST_USE enum err record_glance(struct record *out, struct slice bytes);
/* Kind byte, then uid or fingerprint: the key in the log, on the link and in digests. */
MUST_USE enum err record_key(struct buf *out, const struct record *record);

/*
 * The only way in which two records of one key come together (design D6, D7): commutative,
 * associative, idempotent. `out` may share memory with a and b, and may be one of them. Objects
 * that disagree on envelope_hash, instance, type or format come out quarantined, with the smaller.
 * ERR_INVALID: two different keys. ERR_LIMIT: more attribute registers than a record can hold.
 */
MUST_USE enum err record_merge(
	struct record *out, struct arena *arena, const struct record *a, const struct record *b);

#endif
