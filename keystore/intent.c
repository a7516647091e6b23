/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/intent.h"
#include "base/clock.h"
#include "base/rand.h"

enum err intent_encode(struct buf *out, const struct intent *intent)
{
	enum err err;

	TRY(buf_append_u8(out, INTENT_VERSION));
	TRY(buf_append_u8(out, (uint8_t) intent->kind));
	TRY(buf_append_bytes16(out, instance_id_slice(&intent->instance)));
	TRY(buf_append_be64(out, (uint64_t) intent->time));
	TRY(buf_append(out, slice_of(intent->uid.bytes, sizeof(intent->uid.bytes))));
	TRY(buf_append(out, slice_of(intent->key_id.bytes, sizeof(intent->key_id.bytes))));
	TRY(buf_append_u8(out, intent->compromise));
	for (size_t i = 0; i < OBJECT_DATE_COUNT; i++)
		TRY(buf_append_be64(out, (uint64_t) intent->dates[i]));
	TRY(buf_append_bytes16(out, intent->record));
out:
	return err;
}

enum err intent_decode(struct intent *out, const uint8_t nonce[INTENT_NONCE_LEN], struct slice body)
{
	struct intent intent = { 0 };
	struct cursor cursor = cursor_of(body);
	struct slice uid, key_id, instance;
	enum err err;

	if (cursor_u8(&cursor) != INTENT_VERSION)
		return ERR_VERSION;
	bytes_copy(intent.nonce, nonce, INTENT_NONCE_LEN);
	intent.kind = cursor_u8(&cursor);
	instance = cursor_bytes16(&cursor, INSTANCE_ID_LEN_MAX);
	intent.time = (int64_t) cursor_be64(&cursor);
	uid = cursor_bytes(&cursor, sizeof(intent.uid.bytes));
	key_id = cursor_bytes(&cursor, sizeof(intent.key_id.bytes));
	intent.compromise = cursor_u8(&cursor) != 0;
	for (size_t i = 0; i < OBJECT_DATE_COUNT; i++)
		intent.dates[i] = (int64_t) cursor_be64(&cursor);
	intent.record = cursor_bytes16(&cursor, INTENT_LEN_MAX);
	TRY(cursor_end(&cursor) == ERR_OK ? ERR_OK : ERR_CORRUPT);
	TRY(instance_id_parse(&intent.instance, instance));
	if (!slice_copy_exact(intent.uid.bytes, sizeof(intent.uid.bytes), uid) ||
		!slice_copy_exact(intent.key_id.bytes, sizeof(intent.key_id.bytes), key_id))
		return ERR_CORRUPT;
	*out = intent;
out:
	return err;
}

enum err intent_leave_destroy(
	struct cache_write *write, const struct object *object, const struct uid *key_id)
{
	struct intent intent = { .kind = INTENT_DESTROY,
		.instance = object->instance,
		.uid = object->uid,
		.key_id = *key_id,
		.time = clock_wall_seconds() };
	struct buf body;
	enum err err;

	buf_init(&body, INTENT_LEN_MAX);
	rand_bytes(intent.nonce, sizeof(intent.nonce));
	TRY(intent_encode(&body, &intent));
	TRY(cache_put_intent(write, intent.nonce, buf_slice(&body)));
out:
	buf_free(&body);
	return err;
}

enum err intent_leave_others(
	struct cache_write *write, const struct object *object, const struct uid *gone)
{
	const struct uid *ids[] = { &object->uid, &object->key_id };
	enum err err = ERR_OK;

	if (!object_is_moved(object))
		return ERR_OK;
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		if (!uid_equal(ids[i], gone))
			TRY(intent_leave_destroy(write, object, ids[i]));
out:
	return err;
}
