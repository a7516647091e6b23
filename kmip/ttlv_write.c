/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/ttlv_write.h"

#include "kmip/ttlv_read.h"

static enum err write_head(struct buf *out, uint32_t tag, enum kmip_type type, size_t len)
{
	enum err err;

	if (len > UINT32_MAX)
		return ERR_LIMIT;
	TRY(buf_append_be32(out, tag << 8 | (uint32_t) type));
	TRY(buf_append_be32(out, (uint32_t) len));
out:
	return err;
}

enum err ttlv_write_begin(struct buf *out, uint32_t tag, size_t *start)
{
	*start = buf_slice(out).len;
	return write_head(out, tag, KMIP_TYPE_STRUCTURE, 0);
}

void ttlv_write_end(struct buf *out, size_t start)
{
	size_t len = buf_slice(out).len - start - TTLV_HEAD_LEN;

	ASSERT(len <= UINT32_MAX);
	buf_patch_be32(out, start + 4, (uint32_t) len);
}

static enum err write_be32(struct buf *out, uint32_t tag, enum kmip_type type, uint32_t value)
{
	enum err err;

	TRY(write_head(out, tag, type, sizeof(value)));
	TRY(buf_append_be32(out, value));
	TRY(buf_append_zeros(out, TTLV_ALIGN - sizeof(value)));
out:
	return err;
}

static enum err write_be64(struct buf *out, uint32_t tag, enum kmip_type type, uint64_t value)
{
	enum err err;

	TRY(write_head(out, tag, type, sizeof(value)));
	TRY(buf_append_be64(out, value));
out:
	return err;
}

enum err ttlv_write_integer(struct buf *out, uint32_t tag, int32_t value)
{
	return write_be32(out, tag, KMIP_TYPE_INTEGER, (uint32_t) value);
}

enum err ttlv_write_u32(struct buf *out, uint32_t tag, enum kmip_type type, uint32_t value)
{
	ASSERT(type == KMIP_TYPE_ENUMERATION || type == KMIP_TYPE_INTERVAL);
	return write_be32(out, tag, type, value);
}

enum err ttlv_write_i64(struct buf *out, uint32_t tag, enum kmip_type type, int64_t value)
{
	ASSERT(type == KMIP_TYPE_LONG_INTEGER || type == KMIP_TYPE_DATE_TIME ||
		type == KMIP_TYPE_DATE_TIME_EXTENDED);
	return write_be64(out, tag, type, (uint64_t) value);
}

enum err ttlv_write_boolean(struct buf *out, uint32_t tag, bool value)
{
	return write_be64(out, tag, KMIP_TYPE_BOOLEAN, value ? 1 : 0);
}

enum err ttlv_write_bytes(struct buf *out, uint32_t tag, enum kmip_type type, struct slice value)
{
	enum err err;
	size_t over = value.len % TTLV_ALIGN;

	ASSERT(type == KMIP_TYPE_TEXT_STRING || type == KMIP_TYPE_BYTE_STRING || over == 0);
	TRY(write_head(out, tag, type, value.len));
	TRY(buf_append(out, value));
	if (over != 0)
		TRY(buf_append_zeros(out, TTLV_ALIGN - over));
out:
	return err;
}
