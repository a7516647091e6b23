/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/secret.h"

enum { BUF_CAP_FIRST = 256 };

void buf_init(struct buf *buf, size_t max)
{
	*buf = (struct buf){ .max = max };
}

void buf_free(struct buf *buf)
{
	if (buf->data != NULL)
		secret_wipe(buf->data, buf->cap + 1);
	free(buf->data);
	buf_init(buf, buf->max);
}

void buf_clear(struct buf *buf)
{
	buf_consume(buf, buf->len);
}

struct slice buf_slice(const struct buf *buf)
{
	return buf->len == 0 ? SLICE_EMPTY : slice_of(buf->data + buf->start, buf->len);
}

size_t buf_room(const struct buf *buf)
{
	return buf->max - buf->len;
}

/* Moves the content to fresh memory: realloc would leave an unwiped copy behind. */
static enum err buf_grow(struct buf *buf, size_t needed)
{
	size_t cap = buf->cap < BUF_CAP_FIRST ? BUF_CAP_FIRST : buf->cap;
	uint8_t *data;

	while (cap < needed)
		cap = cap > SIZE_MAX / 4 ? needed : cap * 2;
	if (cap > buf->max)
		cap = buf->max;
	/* One byte more than the capacity, for the zero that vsnprintf insists on. */
	data = malloc(cap + 1);
	if (data == NULL)
		return ERR_NOMEM;
	bytes_copy(data, buf_slice(buf).data, buf->len);
	if (buf->data != NULL)
		secret_wipe(buf->data, buf->cap + 1);
	free(buf->data);
	buf->data = data;
	buf->cap = cap;
	buf->start = 0;
	return ERR_OK;
}

enum err buf_reserve(struct buf *buf, size_t len, uint8_t **out)
{
	enum err err = ERR_OK;

	*out = NULL;
	if (len > buf->max - buf->len)
		return ERR_LIMIT;
	if (buf->data == NULL || len > buf->cap - buf->len) {
		TRY(buf_grow(buf, buf->len + len));
	} else if (len > buf->cap - buf->len - buf->start) {
		bytes_move(buf->data, buf->data + buf->start, buf->len);
		secret_wipe(buf->data + buf->len, buf->start);
		buf->start = 0;
	}
	*out = buf->data + buf->start + buf->len;
out:
	return err;
}

void buf_commit(struct buf *buf, size_t len)
{
	ASSERT(len <= buf->cap - buf->start - buf->len);
	buf->len += len;
}

enum err buf_append(struct buf *buf, struct slice bytes)
{
	uint8_t *room;
	enum err err;

	TRY(buf_reserve(buf, bytes.len, &room));
	bytes_copy(room, bytes.data, bytes.len);
	buf_commit(buf, bytes.len);
out:
	return err;
}

enum err buf_append_u8(struct buf *buf, uint8_t value)
{
	return buf_append(buf, slice_of(&value, 1));
}

enum err buf_append_be16(struct buf *buf, uint16_t value)
{
	uint8_t bytes[2];

	be16_put(bytes, value);
	return buf_append(buf, slice_of(bytes, sizeof(bytes)));
}

enum err buf_append_be32(struct buf *buf, uint32_t value)
{
	uint8_t bytes[4];

	be32_put(bytes, value);
	return buf_append(buf, slice_of(bytes, sizeof(bytes)));
}

enum err buf_append_be64(struct buf *buf, uint64_t value)
{
	uint8_t bytes[8];

	be64_put(bytes, value);
	return buf_append(buf, slice_of(bytes, sizeof(bytes)));
}

enum err buf_append_zeros(struct buf *buf, size_t count)
{
	uint8_t *room;
	enum err err;

	TRY(buf_reserve(buf, count, &room));
	bytes_zero(room, count);
	buf_commit(buf, count);
out:
	return err;
}

enum err buf_printf(struct buf *buf, const char *format, ...)
{
	uint8_t *room;
	va_list list;
	enum err err;
	int len;

	va_start(list, format);
	len = vsnprintf(NULL, 0, format, list);
	va_end(list);
	if (len < 0)
		return ERR_INVALID;
	TRY(buf_reserve(buf, (size_t) len, &room));
	va_start(list, format);
	(void) vsnprintf((char *) room, (size_t) len + 1, format, list);
	va_end(list);
	buf_commit(buf, (size_t) len);
out:
	return err;
}

void buf_consume(struct buf *buf, size_t len)
{
	ASSERT(len <= buf->len);
	if (len == 0)
		return;
	secret_wipe(buf->data + buf->start, len);
	buf->len -= len;
	buf->start = buf->len == 0 ? 0 : buf->start + len;
}

void buf_patch_be32(struct buf *buf, size_t offset, uint32_t value)
{
	ASSERT(offset <= buf->len && buf->len - offset >= 4);
	be32_put(buf->data + buf->start + offset, value);
}

enum err buf_append_bytes16(struct buf *buf, struct slice bytes)
{
	enum err err;

	if (bytes.len > UINT16_MAX || bytes.len + 2 > buf->max - buf->len)
		return ERR_LIMIT;
	TRY(buf_append_be16(buf, (uint16_t) bytes.len));
	/* A failure here would leave a length without its bytes. */
	err = buf_append(buf, bytes);
	if (err != ERR_OK)
		buf->len -= 2;
out:
	return err;
}

enum err buf_append_bytes32(struct buf *buf, struct slice bytes)
{
	enum err err;

	if (bytes.len > UINT32_MAX || bytes.len > buf->max || bytes.len + 4 > buf->max - buf->len)
		return ERR_LIMIT;
	TRY(buf_append_be32(buf, (uint32_t) bytes.len));
	err = buf_append(buf, bytes);
	if (err != ERR_OK)
		buf->len -= 4;
out:
	return err;
}

struct cursor cursor_of(struct slice slice)
{
	return (struct cursor){ .rest = slice };
}

struct slice cursor_bytes(struct cursor *cursor, size_t len)
{
	struct slice bytes;

	if (cursor->bad || len > cursor->rest.len) {
		cursor->bad = true;
		return SLICE_EMPTY;
	}
	bytes = slice_cut(cursor->rest, 0, len);
	cursor->rest = slice_cut(cursor->rest, len, SIZE_MAX);
	return bytes;
}

uint8_t cursor_u8(struct cursor *cursor)
{
	struct slice bytes = cursor_bytes(cursor, 1);

	return bytes.len == 1 ? bytes.data[0] : 0;
}

uint16_t cursor_be16(struct cursor *cursor)
{
	struct slice bytes = cursor_bytes(cursor, 2);

	return bytes.len == 2 ? be16_get(bytes.data) : 0;
}

uint32_t cursor_be32(struct cursor *cursor)
{
	struct slice bytes = cursor_bytes(cursor, 4);

	return bytes.len == 4 ? be32_get(bytes.data) : 0;
}

uint64_t cursor_be64(struct cursor *cursor)
{
	struct slice bytes = cursor_bytes(cursor, 8);

	return bytes.len == 8 ? be64_get(bytes.data) : 0;
}

static struct slice cursor_bytes_limited(struct cursor *cursor, size_t len, size_t max)
{
	if (len > max)
		cursor->bad = true;
	return cursor_bytes(cursor, len);
}

struct slice cursor_bytes16(struct cursor *cursor, size_t max)
{
	return cursor_bytes_limited(cursor, cursor_be16(cursor), max);
}

struct slice cursor_bytes32(struct cursor *cursor, size_t max)
{
	return cursor_bytes_limited(cursor, cursor_be32(cursor), max);
}

enum err cursor_end(const struct cursor *cursor)
{
	return cursor->bad || cursor->rest.len > 0 ? ERR_INVALID : ERR_OK;
}
