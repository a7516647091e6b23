/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes TTLV into a buf. Errors are those of buf (ERR_LIMIT beyond its maximum, ERR_NOMEM); after
 * one the buf holds an unfinished message and is to be cleared.
 */
#ifndef KMIP_TTLV_WRITE_H
#define KMIP_TTLV_WRITE_H

#include "base/buf.h"
#include "kmip/spec.h"

/* Starts a structure; *start is what ttlv_write_end needs to fill in the length. */
MUST_USE enum err ttlv_write_begin(struct buf *out, uint32_t tag, size_t *start);
void ttlv_write_end(struct buf *out, size_t start);
MUST_USE enum err ttlv_write_integer(struct buf *out, uint32_t tag, int32_t value);
/* Enumeration or Interval. */
MUST_USE enum err ttlv_write_u32(
	struct buf *out, uint32_t tag, enum kmip_type type, uint32_t value);
/* Long Integer, Date-Time or Date-Time Extended. */
MUST_USE enum err ttlv_write_i64(struct buf *out, uint32_t tag, enum kmip_type type, int64_t value);
MUST_USE enum err ttlv_write_boolean(struct buf *out, uint32_t tag, bool value);
/* Text String, Byte String or Big Integer (whose length is a multiple of 8), zero-padded; or a
 * Structure whose children are encoded already. */
MUST_USE enum err ttlv_write_bytes(
	struct buf *out, uint32_t tag, enum kmip_type type, struct slice value);

#endif
