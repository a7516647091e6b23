/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/message.h"

#include "kmip/ttlv_read.h"
#include "kmip/ttlv_write.h"

enum { VERSION_PART_MAX = 255 }; /* a version is packed as two bytes */

enum err kmip_frame_len(size_t *out, struct slice head, size_t max)
{
	if (head.len < KMIP_FRAME_HEAD_LEN)
		return ERR_TRUNCATED;
	uint32_t word = be32_get(head.data);
	size_t len = be32_get(head.data + 4);
	uint32_t tag = word >> 8;
	if (tag != KMIP_TAG_REQUEST_MESSAGE && tag != KMIP_TAG_RESPONSE_MESSAGE)
		return ERR_INVALID;
	if ((word & 0xFF) != KMIP_TYPE_STRUCTURE || len % TTLV_ALIGN != 0)
		return ERR_INVALID;
	size_t limit = max < KMIP_FRAME_LEN_MAX ? max : (size_t) KMIP_FRAME_LEN_MAX;
	if (len + KMIP_FRAME_HEAD_LEN > limit)
		return ERR_LIMIT;
	*out = len + KMIP_FRAME_HEAD_LEN;
	return ERR_OK;
}

enum kmip_version kmip_version_of(const struct kmip_protocol_version *protocol_version)
{
	int32_t major = protocol_version->major.value;
	int32_t minor = protocol_version->minor.value;

	if (major < 0 || major > VERSION_PART_MAX || minor < 0 || minor > VERSION_PART_MAX)
		return KMIP_END;
	return (enum kmip_version) KMIP_VERSION(major, minor);
}

struct kmip_protocol_version kmip_protocol_version(enum kmip_version version)
{
	return (struct kmip_protocol_version){
		.major = KMIP_INT((int32_t) version >> 8),
		.minor = KMIP_INT((int32_t) version & 0xFF),
	};
}

/* A message cut into its header and its items, with what decodes the rest. */
struct opened {
	struct codec codec;
	struct slice header; /* encoded children */
	struct ttlv_reader items;
	size_t count;
};

static enum err structure_next(
	struct slice *children, struct ttlv_reader *reader, enum kmip_tag tag)
{
	struct ttlv_item item;

	if (ttlv_next(&item, reader) != ERR_OK)
		return ERR_MESSAGE;
	if (item.tag != (uint32_t) tag || item.type != KMIP_TYPE_STRUCTURE)
		return ERR_MESSAGE;
	*children = item.value;
	return ERR_OK;
}

static enum err items_count(size_t *count, struct ttlv_reader reader)
{
	enum err err = ERR_OK;
	struct slice item;

	for (*count = 0; !ttlv_is_end(&reader); (*count)++)
		TRY(structure_next(&item, &reader, KMIP_TAG_BATCH_ITEM));
	if (*count > KMIP_BATCH_MAX)
		err = ERR_MESSAGE;
out:
	return err;
}

/* The version comes first in both headers and rules how the rest of them is read. */
static enum err version_read(struct codec *codec, struct slice header)
{
	enum err err;
	struct ttlv_reader reader = ttlv_reader_of(header);
	struct slice children;
	struct kmip_protocol_version protocol_version;
	unsigned flags = codec->flags;

	TRY(structure_next(&children, &reader, KMIP_TAG_PROTOCOL_VERSION));
	/* What it may hold beside major and minor is judged with the header, once it is known. */
	codec->flags |= CODEC_SKIP_UNKNOWN;
	err = codec_decode(codec, &protocol_version, &kmip_protocol_version_table, children);
	codec->flags = flags;
	TRY(err);
	if (protocol_version.major.value != KMIP_NEWEST >> 8 || protocol_version.minor.value < 0)
		TRY(ERR_VERSION);
	/* A minor version that has no number here, too. */
	enum kmip_version version = kmip_version_of(&protocol_version);
	if (version > KMIP_NEWEST)
		codec->flags |= CODEC_SKIP_UNKNOWN;
	else
		codec->version = version;
out:
	return err;
}

static enum err message_open(struct opened *opened, struct slice frame, enum kmip_tag message_tag,
	enum kmip_tag header_tag)
{
	enum err err;
	struct ttlv_reader reader = ttlv_reader_of(frame);
	struct slice body;

	opened->codec.version = KMIP_NEWEST;
	TRY(structure_next(&body, &reader, message_tag));
	if (!ttlv_is_end(&reader))
		TRY(ERR_MESSAGE);
	reader = ttlv_reader_of(body);
	TRY(structure_next(&opened->header, &reader, header_tag));
	TRY(version_read(&opened->codec, opened->header));
	opened->items = reader;
	TRY(items_count(&opened->count, reader));
out:
	return err;
}

/* Section 11.1: the count in the header is that of the items, and there is at least one. */
static enum err count_check(const struct opened *opened, struct kmip_int batch_count)
{
	if (batch_count.value < 1 || (size_t) batch_count.value != opened->count)
		return ERR_MESSAGE;
	return ERR_OK;
}

/* What an item says of itself behind what is wrong with it: its answer names it by that. */
static void item_name(struct kmip_request_item *item, struct slice children)
{
	struct ttlv_reader reader = ttlv_reader_of(children);
	struct ttlv_item field;

	while (!ttlv_is_end(&reader) && ttlv_next(&field, &reader) == ERR_OK) {
		if (field.tag == KMIP_TAG_OPERATION && field.type == KMIP_TYPE_ENUMERATION &&
			!item->operation.has)
			item->operation = KMIP_UINT(ttlv_u32(&field));
		if (field.tag == KMIP_TAG_UNIQUE_BATCH_ITEM_ID &&
			field.type == KMIP_TYPE_BYTE_STRING && item->id.data == NULL)
			item->id = field.value;
	}
}

static enum err request_item_decode(
	struct codec *codec, struct kmip_request_entry *entry, struct slice children)
{
	const struct kmip_message_extension *extension;

	codec->flags |= CODEC_SHALLOW;
	entry->err = codec_decode(codec, &entry->item, &kmip_request_item_table, children);
	codec->flags &= ~(unsigned) CODEC_SHALLOW;
	if (entry->err == ERR_NOMEM)
		return ERR_NOMEM;
	if (entry->err != ERR_OK)
		item_name(&entry->item, children);
	extension = entry->item.extension;
	if (entry->err == ERR_OK && extension != NULL && extension->critical.value)
		entry->err = ERR_FEATURE;
	return ERR_OK;
}

static enum err request_items_decode(struct kmip_request *out, struct opened *opened)
{
	enum err err = ERR_OK;

	out->entries = arena_array(opened->codec.arena, opened->count, sizeof(*out->entries));
	if (out->entries == NULL)
		return ERR_NOMEM;
	out->count = opened->count;
	for (size_t i = 0; i < out->count; i++) {
		struct kmip_request_entry *entry = &out->entries[i];
		struct slice children;

		TRY(structure_next(&children, &opened->items, KMIP_TAG_BATCH_ITEM));
		TRY(request_item_decode(&opened->codec, entry, children));
	}
out:
	return err;
}

/* Section 7: each of several items has an id. Section 6.4 of 1.0 and 1.1 leaves it to the client,
 * and answers come in order. */
static enum err ids_check(const struct kmip_request *request)
{
	if (request->count == 1 || request->version < KMIP_1_2)
		return ERR_OK;
	for (size_t i = 0; i < request->count; i++) {
		if (request->entries[i].item.id.data == NULL)
			return ERR_MESSAGE;
	}
	return ERR_OK;
}

enum err kmip_request_decode(struct kmip_request *out, struct arena *arena, struct slice frame)
{
	enum err err;
	struct opened opened = { .codec = { .arena = arena } };

	bytes_zero(out, sizeof(*out));
	err = message_open(&opened, frame, KMIP_TAG_REQUEST_MESSAGE, KMIP_TAG_REQUEST_HEADER);
	out->version = opened.codec.version;
	out->is_newer = (opened.codec.flags & CODEC_SKIP_UNKNOWN) != 0;
	TRY(err);
	TRY(codec_decode(&opened.codec, &out->header, &kmip_request_header_table, opened.header));
	TRY(count_check(&opened, out->header.batch_count));
	TRY(request_items_decode(out, &opened));
	TRY(ids_check(out));
out:
	return err;
}

static enum err response_items_decode(struct kmip_response *out, struct opened *opened)
{
	enum err err = ERR_OK;

	out->items = arena_array(opened->codec.arena, opened->count, sizeof(*out->items));
	if (out->items == NULL)
		return ERR_NOMEM;
	out->count = opened->count;
	for (size_t i = 0; i < out->count; i++) {
		struct slice children;

		TRY(structure_next(&children, &opened->items, KMIP_TAG_BATCH_ITEM));
		TRY(codec_decode(
			&opened->codec, &out->items[i], &kmip_response_item_table, children));
	}
out:
	return err;
}

enum err kmip_response_decode(struct kmip_response *out, struct arena *arena, struct slice frame)
{
	enum err err;
	struct opened opened = { .codec = { .arena = arena, .flags = CODEC_SKIP_UNKNOWN } };

	bytes_zero(out, sizeof(*out));
	err = message_open(&opened, frame, KMIP_TAG_RESPONSE_MESSAGE, KMIP_TAG_RESPONSE_HEADER);
	out->version = opened.codec.version;
	TRY(err);
	TRY(codec_decode(&opened.codec, &out->header, &kmip_response_header_table, opened.header));
	TRY(count_check(&opened, out->header.batch_count));
	TRY(response_items_decode(out, &opened));
out:
	return err;
}

/* The two directions of encoding differ only in these. */
struct direction {
	enum kmip_tag message_tag;
	enum kmip_tag header_tag;
	const struct kmip_struct *header_table;
	const struct kmip_struct *item_table;
};

struct parts {
	const struct kmip_protocol_version *version;
	const void *header;
	const void *items;
	struct kmip_int count;
};

static enum err message_encode(
	struct buf *out, const struct direction *direction, const struct parts *parts)
{
	enum err err;
	size_t start;
	enum kmip_version version = kmip_version_of(parts->version);
	const uint8_t *item = parts->items;

	TRY(ttlv_write_begin(out, (uint32_t) direction->message_tag, &start));
	TRY(codec_encode_structure(out, version, (uint32_t) direction->header_tag,
		direction->header_table, parts->header));
	for (int32_t i = 0; i < parts->count.value; i++, item += direction->item_table->size)
		TRY(codec_encode_structure(
			out, version, KMIP_TAG_BATCH_ITEM, direction->item_table, item));
	ttlv_write_end(out, start);
out:
	return err;
}

enum err kmip_request_encode(struct buf *out, const struct kmip_request_header *header,
	const struct kmip_request_item *items)
{
	static const struct direction direction = { KMIP_TAG_REQUEST_MESSAGE,
		KMIP_TAG_REQUEST_HEADER, &kmip_request_header_table, &kmip_request_item_table };

	return message_encode(out, &direction,
		&(struct parts){ header->version, header, items, header->batch_count });
}

enum err kmip_response_encode(struct buf *out, const struct kmip_response_header *header,
	const struct kmip_response_item *items)
{
	static const struct direction direction = { KMIP_TAG_RESPONSE_MESSAGE,
		KMIP_TAG_RESPONSE_HEADER, &kmip_response_header_table, &kmip_response_item_table };

	return message_encode(out, &direction,
		&(struct parts){ header->version, header, items, header->batch_count });
}

enum err kmip_payload_decode(
	void **out, struct codec *codec, const struct kmip_struct *table, struct slice payload)
{
	void *object = arena_alloc(codec->arena, table->size);

	if (object == NULL)
		return ERR_NOMEM;
	*out = object;
	return codec_decode(codec, object, table, payload);
}

enum err kmip_request_payload(void **out, const struct kmip_request *request, struct arena *arena,
	const struct kmip_struct *table, struct slice payload)
{
	struct codec codec = {
		.arena = arena, .version = request->version, .flags = CODEC_KNOWN_VALUES
	};

	if (request->is_newer)
		codec.flags |= CODEC_SKIP_UNKNOWN;
	return kmip_payload_decode(out, &codec, table, payload);
}

enum err kmip_payload_encode(struct slice *out, struct codec *codec,
	const struct kmip_struct *table, const void *payload)
{
	enum err err;
	struct buf buf;

	buf_init(&buf, KMIP_RESPONSE_LEN_MAX);
	TRY(codec_encode(&buf, codec->version, table, payload));
	struct slice copy = arena_copy(codec->arena, buf_slice(&buf));
	if (copy.data == NULL)
		TRY(ERR_NOMEM);
	*out = copy;
out:
	buf_free(&buf);
	return err;
}
