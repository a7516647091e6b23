/* SPDX-License-Identifier: Apache-2.0 */
#include "replication/wire.h"

static enum err put_position(struct buf *out, const struct wire_position *position)
{
	enum err err;

	TRY(buf_append(out, slice_of(position->incarnation, sizeof(position->incarnation))));
	TRY(buf_append_be64(out, position->seq));
	TRY(buf_append(out, slice_of(position->hash, sizeof(position->hash))));
out:
	return err;
}

static void get_bytes(struct cursor *cursor, uint8_t *out, size_t len)
{
	if (!slice_copy_exact(out, len, cursor_bytes(cursor, len)))
		cursor->bad = true;
}

static void get_position(struct cursor *cursor, struct wire_position *out)
{
	get_bytes(cursor, out->incarnation, sizeof(out->incarnation));
	out->seq = cursor_be64(cursor);
	get_bytes(cursor, out->hash, sizeof(out->hash));
}

static enum err put_hello(struct buf *out, const struct wire_hello *hello)
{
	enum err err;

	TRY(buf_append_u8(out, hello->version_min));
	TRY(buf_append_u8(out, hello->version_max));
	TRY(buf_append_be16(out, hello->node));
	TRY(buf_append_bytes16(out, hello->cluster));
	TRY(buf_append_bytes16(out, hello->software));
	TRY(put_position(out, &hello->own));
	TRY(put_position(out, &hello->applied.position));
	TRY(buf_append(out, slice_of(hello->applied.scope, sizeof(hello->applied.scope))));
	TRY(buf_append_be16(out, (uint16_t) (hello->instances.len / WIRE_INSTANCE_LEN)));
	TRY(buf_append(out, hello->instances));
	if (hello->version_max >= WIRE_VERSION_AS_OF)
		TRY(put_position(out, &hello->seen));
	TRY(buf_append(out, hello->settings));
out:
	return err;
}

/* What follows the known fields is of a newer version: it is let pass, so that versions can be
 * compared at all. */
static void get_hello(struct cursor *cursor, struct wire_hello *out)
{
	size_t count;

	out->version_min = cursor_u8(cursor);
	out->version_max = cursor_u8(cursor);
	out->node = cursor_be16(cursor);
	out->cluster = cursor_bytes16(cursor, WIRE_CLUSTER_LEN_MAX);
	out->software = cursor_bytes16(cursor, WIRE_SOFTWARE_LEN_MAX);
	get_position(cursor, &out->own);
	get_position(cursor, &out->applied.position);
	get_bytes(cursor, out->applied.scope, sizeof(out->applied.scope));
	count = cursor_be16(cursor);
	if (count > WIRE_INSTANCES_MAX)
		cursor->bad = true;
	out->instances = cursor_bytes(cursor, count * WIRE_INSTANCE_LEN);
	if (out->version_max >= WIRE_VERSION_AS_OF)
		get_position(cursor, &out->seen);
	if (cursor->rest.len >= count * WIRE_SETTINGS_LEN)
		out->settings = cursor_bytes(cursor, count * WIRE_SETTINGS_LEN);
	if (!cursor->bad)
		cursor->rest.len = 0;
}

static enum err put_data(struct buf *out, const struct wire_data *data)
{
	enum err err;

	TRY(buf_append_be64(out, data->seq));
	TRY(buf_append(out, slice_of(data->hash, sizeof(data->hash))));
	TRY(buf_append_bytes32(out, data->record));
out:
	return err;
}

static void get_data(struct cursor *cursor, struct wire_data *out)
{
	out->seq = cursor_be64(cursor);
	get_bytes(cursor, out->hash, sizeof(out->hash));
	out->record = cursor_bytes32(cursor, WIRE_RECORD_LEN_MAX);
}

static enum err put_grant(struct buf *out, const struct wire_grant *grant)
{
	enum err err;

	TRY(buf_append_be64(out, grant->asked_ms));
	TRY(buf_append_be32(out, grant->length_ms));
out:
	return err;
}

static enum err put_snap(struct buf *out, const struct wire_snap *snap)
{
	enum err err;

	ASSERT(snap->record_count <= WIRE_RECORDS_MAX);
	TRY(buf_append_be16(out, (uint16_t) snap->record_count));
	for (size_t i = 0; i < snap->record_count; i++)
		TRY(buf_append_bytes32(out, snap->records[i]));
out:
	return err;
}

static void get_snap(struct cursor *cursor, struct wire_snap *out, struct slice *records)
{
	size_t count = cursor_be16(cursor);

	if (count > WIRE_RECORDS_MAX) {
		cursor->bad = true;
		return;
	}
	for (size_t i = 0; i < count; i++)
		records[i] = cursor_bytes32(cursor, WIRE_RECORD_LEN_MAX);
	*out = (struct wire_snap){ records, count };
}

static enum err put_bye(struct buf *out, const struct wire_bye *bye)
{
	enum err err;

	TRY(buf_append_u8(out, bye->code));
	TRY(buf_append_bytes16(out, slice_cut(bye->why, 0, WIRE_WHY_LEN_MAX)));
out:
	return err;
}

static enum err put_digest(struct buf *out, const struct wire_digest *digest)
{
	enum err err;

	TRY(buf_append_be16(out, digest->first));
	TRY(buf_append_u8(out, digest->last));
	TRY(put_position(out, &digest->own));
	TRY(put_position(out, &digest->applied));
	TRY(buf_append_be64(out, (uint64_t) digest->cut));
	TRY(buf_append_be16(out, (uint16_t) (digest->digests.len / WIRE_DIGEST_LEN)));
	TRY(buf_append(out, digest->digests));
out:
	return err;
}

static bool get_flag(struct cursor *cursor)
{
	uint8_t flag = cursor_u8(cursor);

	if (flag > 1)
		cursor->bad = true;
	return flag == 1;
}

static bool are_buckets(uint16_t first, size_t count)
{
	return count > 0 && count <= WIRE_DIGESTS_MAX && first + count <= WIRE_BUCKETS;
}

static void get_digest(struct cursor *cursor, struct wire_digest *out)
{
	size_t count;

	out->first = cursor_be16(cursor);
	out->last = get_flag(cursor);
	get_position(cursor, &out->own);
	get_position(cursor, &out->applied);
	out->cut = (int64_t) cursor_be64(cursor);
	count = cursor_be16(cursor);
	if (!are_buckets(out->first, count))
		cursor->bad = true;
	out->digests = cursor_bytes(cursor, count * WIRE_DIGEST_LEN);
}

static enum err put_differ(struct buf *out, const struct wire_differ *differ)
{
	enum err err;

	ASSERT(differ->bits.len == (differ->count + 7u) / 8);
	TRY(buf_append_be16(out, differ->first));
	TRY(buf_append_be16(out, differ->count));
	TRY(buf_append_u8(out, differ->sure));
	TRY(buf_append_be64(out, (uint64_t) differ->cut));
	TRY(buf_append(out, differ->bits));
out:
	return err;
}

static void get_differ(struct cursor *cursor, struct wire_differ *out)
{
	out->first = cursor_be16(cursor);
	out->count = cursor_be16(cursor);
	if (!are_buckets(out->first, out->count))
		cursor->bad = true;
	out->sure = get_flag(cursor);
	out->cut = (int64_t) cursor_be64(cursor);
	out->bits = cursor_bytes(cursor, (out->count + 7u) / 8);
}

static enum err put_body(struct buf *out, const struct wire_frame *frame)
{
	switch (frame->type) {
	case WIRE_HELLO:
		return put_hello(out, &frame->hello);
	case WIRE_DATA:
		return put_data(out, &frame->data);
	case WIRE_ACK:
	case WIRE_SNAP_BEGIN:
	case WIRE_SNAP_END:
	case WIRE_AS_OF:
		return put_position(out, &frame->position);
	case WIRE_PING:
		return buf_append_be64(out, frame->ping_ms);
	case WIRE_GRANT:
		return put_grant(out, &frame->grant);
	case WIRE_SNAP:
	case WIRE_REPAIR:
		return put_snap(out, &frame->snap);
	case WIRE_BYE:
		return put_bye(out, &frame->bye);
	case WIRE_DIGEST:
		return put_digest(out, &frame->digest);
	case WIRE_DIFFER:
		return put_differ(out, &frame->differ);
	case WIRE_TYPE_END:
		break;
	}
	return ERR_INTERNAL;
}

uint8_t wire_since(enum wire_type type)
{
	if (type <= WIRE_BYE)
		return WIRE_VERSION_MIN;
	return type <= WIRE_REPAIR ? WIRE_VERSION_DIGESTS : WIRE_VERSION_AS_OF;
}

enum err wire_encode(struct buf *out, const struct wire_frame *frame)
{
	struct buf body;
	enum err err;

	buf_init(&body, WIRE_BODY_MAX);
	TRY(put_body(&body, frame));
	if (buf_slice(&body).len + WIRE_HEAD_LEN > out->max - out->len)
		err = ERR_LIMIT;
	TRY(err);
	TRY(buf_append_be32(out, (uint32_t) buf_slice(&body).len));
	TRY(buf_append_u8(out, (uint8_t) frame->type));
	TRY(buf_append(out, buf_slice(&body)));
out:
	buf_free(&body);
	return err;
}

enum err wire_split(struct slice bytes, uint8_t *type, struct slice *body, size_t *frame_len)
{
	size_t len;

	if (bytes.len < WIRE_HEAD_LEN)
		return ERR_TRUNCATED;
	len = be32_get(bytes.data);
	*type = bytes.data[4];
	if (len > WIRE_BODY_MAX || *type == 0 || *type >= WIRE_TYPE_END)
		return ERR_INVALID;
	if (bytes.len - WIRE_HEAD_LEN < len)
		return ERR_TRUNCATED;
	*body = slice_cut(bytes, WIRE_HEAD_LEN, len);
	*frame_len = WIRE_HEAD_LEN + len;
	return ERR_OK;
}

enum err wire_decode(struct wire_frame *out, struct slice records[WIRE_RECORDS_MAX], uint8_t type,
	struct slice body)
{
	struct cursor cursor = cursor_of(body);

	*out = (struct wire_frame){ .type = (enum wire_type) type };
	switch (out->type) {
	case WIRE_HELLO:
		get_hello(&cursor, &out->hello);
		break;
	case WIRE_DATA:
		get_data(&cursor, &out->data);
		break;
	case WIRE_ACK:
	case WIRE_SNAP_BEGIN:
	case WIRE_SNAP_END:
	case WIRE_AS_OF:
		get_position(&cursor, &out->position);
		break;
	case WIRE_PING:
		out->ping_ms = cursor_be64(&cursor);
		break;
	case WIRE_GRANT:
		out->grant.asked_ms = cursor_be64(&cursor);
		out->grant.length_ms = cursor_be32(&cursor);
		break;
	case WIRE_SNAP:
	case WIRE_REPAIR:
		get_snap(&cursor, &out->snap, records);
		break;
	case WIRE_BYE:
		out->bye.code = cursor_u8(&cursor);
		out->bye.why = cursor_bytes16(&cursor, WIRE_WHY_LEN_MAX);
		break;
	case WIRE_DIGEST:
		get_digest(&cursor, &out->digest);
		break;
	case WIRE_DIFFER:
		get_differ(&cursor, &out->differ);
		break;
	default:
		return ERR_INVALID;
	}
	return cursor_end(&cursor);
}

void wire_position_put(uint8_t out[WIRE_POSITION_LEN], const struct wire_position *position)
{
	bytes_copy(out, position->incarnation, 16);
	be64_put(out + 16, position->seq);
	bytes_copy(out + 24, position->hash, 32);
}

enum err wire_position_get(struct wire_position *out, struct slice bytes)
{
	struct cursor cursor = cursor_of(bytes);

	get_position(&cursor, out);
	if (cursor_end(&cursor) == ERR_OK)
		return ERR_OK;
	*out = (struct wire_position){ 0 };
	return ERR_INVALID;
}

void wire_applied_put(uint8_t out[WIRE_APPLIED_LEN], const struct wire_applied *applied)
{
	wire_position_put(out, &applied->position);
	bytes_copy(out + WIRE_POSITION_LEN, applied->scope, 32);
}

enum err wire_applied_get(struct wire_applied *out, struct slice bytes)
{
	struct cursor cursor = cursor_of(bytes);

	get_position(&cursor, &out->position);
	get_bytes(&cursor, out->scope, sizeof(out->scope));
	if (cursor_end(&cursor) == ERR_OK)
		return ERR_OK;
	*out = (struct wire_applied){ 0 };
	return ERR_INVALID;
}

bool wire_incarnation_equal(const struct wire_position *a, const struct wire_position *b)
{
	return slice_equal(slice_of(a->incarnation, 16), slice_of(b->incarnation, 16));
}
