/* SPDX-License-Identifier: Apache-2.0 */
/* Owned, growing bytes with a maximum. Memory is wiped whenever it is given back (growing,
 * clearing, freeing). */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/err.h"
#include "base/slice.h"

/* Embeddable; members are private to buf.c. */
struct buf {
	uint8_t *data;
	size_t start; /* consumed bytes in front */
	size_t len; /* valid bytes after start */
	size_t cap;
	size_t max;
};

/* Nothing is allocated until bytes come. `max` is the most valid bytes that it will ever hold. */
void buf_init(struct buf *buf, size_t max);
/* Wipes and frees; the buf can be used again with the same maximum. */
void buf_free(struct buf *buf);
/* Forgets the content (wiped), keeps the memory. */
void buf_clear(struct buf *buf);
struct slice buf_slice(const struct buf *buf);
/* How many bytes can still be added before the maximum. */
size_t buf_room(const struct buf *buf);
/* ERR_LIMIT beyond the maximum, ERR_NOMEM; the content is unchanged on error. */
MUST_USE enum err buf_append(struct buf *buf, struct slice bytes);
MUST_USE enum err buf_append_u8(struct buf *buf, uint8_t value);
MUST_USE enum err buf_append_be16(struct buf *buf, uint16_t value);
MUST_USE enum err buf_append_be32(struct buf *buf, uint32_t value);
MUST_USE enum err buf_append_be64(struct buf *buf, uint64_t value);
MUST_USE enum err buf_append_zeros(struct buf *buf, size_t count);
MUST_USE enum err buf_printf(struct buf *buf, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Room for `len` more bytes at *out, to be followed by buf_commit of what was really written (<=
 * len). */
MUST_USE enum err buf_reserve(struct buf *buf, size_t len, uint8_t **out);
void buf_commit(struct buf *buf, size_t len);
/* Drops bytes from the front (wiped). */
void buf_consume(struct buf *buf, size_t len);
/* Overwrites four bytes at `offset` of the valid bytes: for lengths known only later. */
void buf_patch_be32(struct buf *buf, size_t offset, uint32_t value);

/*
 * A reader over a slice for our own binary formats (records, pair protocol). The first failing read
 * sets `bad` and every later read gives zero or an empty slice, so that a parser checks once, with
 * cursor_end.
 */
struct cursor {
	struct slice rest;
	bool bad;
};
struct cursor cursor_of(struct slice slice);
uint8_t cursor_u8(struct cursor *cursor);
uint16_t cursor_be16(struct cursor *cursor);
uint32_t cursor_be32(struct cursor *cursor);
uint64_t cursor_be64(struct cursor *cursor);
struct slice cursor_bytes(struct cursor *cursor, size_t len);
/* Bytes preceded by their length in 16 or 32 bits; longer than max is bad. */
struct slice cursor_bytes16(struct cursor *cursor, size_t max);
struct slice cursor_bytes32(struct cursor *cursor, size_t max);
/* ERR_OK when nothing went wrong and nothing is left; else ERR_INVALID. */
MUST_USE enum err cursor_end(const struct cursor *cursor);
/* Writers to match. ERR_LIMIT when the bytes do not fit the length field. */
MUST_USE enum err buf_append_bytes16(struct buf *buf, struct slice bytes);
MUST_USE enum err buf_append_bytes32(struct buf *buf, struct slice bytes);

#endif
