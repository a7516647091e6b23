/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads TTLV in place: nothing is copied or allocated, every slice given out points into the
 * caller's bytes. All limits are checked here, before anybody allocates because of what was read.
 * Knows nothing about the meaning of tags.
 */
#ifndef KMIP_TTLV_READ_H
#define KMIP_TTLV_READ_H

#include "base/err.h"
#include "kmip/spec.h"

enum {
	TTLV_HEAD_LEN = 8, /* tag, type, length */
	TTLV_ALIGN = 8,
	/* Ours, the specification has none: deeper than any published message by a factor of three.
	 */
	TTLV_DEPTH_MAX = 32,
	/* Items in one checked part; a batch of 256 creations with 20 attributes each fits. */
	TTLV_ITEMS_MAX = 32768,
	TTLV_TEXT_LEN_MAX = 65536,
	/* Of one byte string or big integer; the largest secret that the store takes is the same.
	 */
	TTLV_BYTES_LEN_MAX = 262144
};

struct ttlv_item {
	uint32_t tag;
	enum kmip_type type;
	struct slice value; /* without padding; of a structure: its encoded children */
	struct slice raw; /* head, value and padding */
};

/* Items one after the other: the children of a structure, or a whole message. */
struct ttlv_reader {
	struct slice rest;
};

struct ttlv_reader ttlv_reader_of(struct slice items);
bool ttlv_is_end(const struct ttlv_reader *reader);
/*
 * Cuts off the next item. Checked: first tag byte 42 or 54, known type, length right for the type
 * (structures: multiple of 8), padding present (its content may be anything), Boolean 0 or 1,
 * well-formed UTF-8 without zero bytes, length limits. The inside of a structure is not looked at.
 * ERR_INVALID malformed, ERR_TRUNCATED the bytes end within the item, ERR_LIMIT too long, ERR_FIELD
 * a text that is none, or too long: the value is wrong, the item around it is whole.
 */
MUST_USE enum err ttlv_next(struct ttlv_item *out, struct ttlv_reader *reader);
/* The next item's tag without moving; 0 when fewer than three bytes are left. */
uint32_t ttlv_peek_tag(const struct ttlv_reader *reader);
/* Exactly one item and nothing behind it. */
MUST_USE enum err ttlv_single(struct ttlv_item *out, struct slice raw);
/*
 * Checks all items at every depth as ttlv_next does, plus depth and number, so that a decoder need
 * not expect surprises. `depth` is how many structures already surround these items.
 */
MUST_USE enum err ttlv_check(struct slice items, unsigned depth);

/* Values of a scalar item of that type; the type is asserted. */
int32_t ttlv_integer(const struct ttlv_item *item);
int64_t ttlv_long(const struct ttlv_item *item); /* Long Integer, Date-Time, Date-Time Extended */
uint32_t ttlv_u32(const struct ttlv_item *item); /* Enumeration, Interval */
bool ttlv_boolean(const struct ttlv_item *item);

#endif
