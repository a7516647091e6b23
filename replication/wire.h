/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frames of the pair's link, to bytes and back (design D22). The byte layout is the table in
 * README.md. Knows nothing of when a frame is right.
 */
#ifndef REPLICATION_WIRE_H
#define REPLICATION_WIRE_H

#include "base/buf.h"
#include "keystore/ids.h"

enum wire_type {
	WIRE_HELLO = 1,
	WIRE_DATA,
	WIRE_ACK,
	WIRE_PING,
	WIRE_GRANT,
	WIRE_SNAP_BEGIN,
	WIRE_SNAP,
	WIRE_SNAP_END,
	WIRE_BYE,
	/* Since version 2. */
	WIRE_DIGEST,
	WIRE_DIFFER,
	WIRE_REPAIR,
	/* Since version 3. */
	WIRE_AS_OF,
	WIRE_TYPE_END
};

enum {
	WIRE_VERSION_MIN = 1,
	WIRE_VERSION_MAX = 3,
	WIRE_VERSION_DIGESTS = 2, /* the first that compares */
	WIRE_VERSION_AS_OF = 3, /* the first that tells how far the records reach that it sends */
	WIRE_HEAD_LEN = 5, /* be32 body length, u8 type */
	WIRE_BODY_MAX = 1048576,
	WIRE_CLUSTER_LEN_MAX = 63,
	WIRE_SOFTWARE_LEN_MAX = 31,
	WIRE_WHY_LEN_MAX = 200,
	WIRE_INSTANCE_LEN = INSTANCE_ID_LEN_MAX + 32, /* id, zero-filled; digest */
	WIRE_INSTANCES_MAX = 256,
	WIRE_SETTINGS_LEN = 32, /* digest */
	WIRE_RECORDS_MAX = 128, /* in one SNAP */
	WIRE_RECORD_LEN_MAX = 65536,
	WIRE_BUCKETS = 4096,
	WIRE_DIGESTS_MAX = 256, /* in one DIGEST */
	WIRE_DIGEST_LEN = 32,
};

/* A place in a node's stream of own changes. All zero: none. */
struct wire_position {
	uint8_t incarnation[16];
	uint64_t seq;
	uint8_t hash[32];
};

/* What was applied of the peer's stream, and the digest of the instances that it then had in
 * common: a place reached with fewer instances is not a place to go on from with more. */
struct wire_applied {
	struct wire_position position;
	uint8_t scope[32];
};

struct wire_hello {
	uint8_t version_min, version_max;
	uint16_t node;
	struct slice cluster;
	struct slice software;
	struct wire_position own;
	struct wire_applied applied;
	struct slice instances; /* WIRE_INSTANCE_LEN bytes each, in the order of id */
	/* Since version_max 3: the last AS_OF of the peer's, whose records are here, or some. */
	struct wire_position seen;
	struct slice settings; /* WIRE_SETTINGS_LEN bytes each, in the same order; empty: of a
				  release that does not tell */
};

struct wire_data {
	uint64_t seq;
	uint8_t hash[32];
	struct slice record; /* empty: of an instance that is left out */
};

struct wire_grant {
	uint64_t asked_ms; /* the asking PING's */
	uint32_t length_ms;
};

struct wire_snap {
	const struct slice *records;
	size_t record_count;
};

/* Digests of the sender's buckets first..first+count-1, read in one transaction. */
struct wire_digest {
	uint16_t first;
	bool last; /* what differs is repaired, also where changes under way may be the cause */
	struct wire_position own, applied; /* in that transaction */
	int64_t cut; /* tombstones of a destruction before, in seconds, may go where all agrees */
	struct slice digests; /* WIRE_DIGEST_LEN bytes each */
};

/* The answer: of the buckets asked for, from the first on, as many as were compared. */
struct wire_differ {
	uint16_t first;
	uint16_t count;
	bool sure; /* no change was under way */
	int64_t cut; /* the earlier of both nodes' */
	struct slice bits; /* bit n, the lowest of a byte first: bucket first + n differs */
};

enum wire_bye_code { WIRE_BYE_STOP, WIRE_BYE_REFUSED };
struct wire_bye {
	uint8_t code;
	struct slice why;
};

struct wire_frame {
	enum wire_type type;
	union {
		struct wire_hello hello;
		struct wire_data data;
		struct wire_position position; /* ACK, SNAP_BEGIN, SNAP_END, AS_OF */
		uint64_t ping_ms; /* PING: boot time of the sender */
		struct wire_grant grant;
		struct wire_snap snap; /* SNAP, REPAIR */
		struct wire_digest digest;
		struct wire_differ differ;
		struct wire_bye bye;
	};
};

/* The first version that knows frames of the type. */
uint8_t wire_since(enum wire_type type);

/* Appends head and body. ERR_LIMIT when the frame or out would be too long; out is then unchanged.
 */
MUST_USE enum err wire_encode(struct buf *out, const struct wire_frame *frame);
/* Looks at the front of received bytes: ERR_OK with the body (in `bytes`) and the frame's whole
 * length; ERR_TRUNCATED: more must come; ERR_INVALID: not a frame of ours, or too long. */
MUST_USE enum err wire_split(
	struct slice bytes, uint8_t *type, struct slice *body, size_t *frame_len);
/* Slices point into body; a SNAP's or REPAIR's records into the given array. ERR_INVALID. */
MUST_USE enum err wire_decode(struct wire_frame *out, struct slice records[WIRE_RECORDS_MAX],
	uint8_t type, struct slice body);

/* The stored forms, as the cache keeps them beside what was merged. */
enum { WIRE_POSITION_LEN = 16 + 8 + 32, WIRE_APPLIED_LEN = WIRE_POSITION_LEN + 32 };
void wire_position_put(uint8_t out[WIRE_POSITION_LEN], const struct wire_position *position);
/* ERR_INVALID: not such bytes; *out is all zero then. */
MUST_USE enum err wire_position_get(struct wire_position *out, struct slice bytes);
void wire_applied_put(uint8_t out[WIRE_APPLIED_LEN], const struct wire_applied *applied);
/* ERR_INVALID: not such bytes; *out is all zero then. */
MUST_USE enum err wire_applied_get(struct wire_applied *out, struct slice bytes);

bool wire_incarnation_equal(const struct wire_position *a, const struct wire_position *b);

#endif
