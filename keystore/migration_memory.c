/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/migration_memory.h"
#include <stdio.h>
#include "base/buf.h"

enum {
	NAME_LEN = 64,
	MEMORY_VERSION = 1,
	UID_LEN = sizeof(((struct uid *) NULL)->bytes),
	MEMORY_LEN = 1 + 1 + 2 * UID_LEN + 8 + 4
};

static void memory_name(char out[NAME_LEN], const struct instance_id *instance)
{
	snprintf(out, NAME_LEN, "migration-%s", instance->text);
}

enum err migration_memory_load(
	struct migration_memory *out, struct cache_read *read, const struct instance_id *instance)
{
	char name[NAME_LEN];
	struct cursor cursor;
	struct slice value;
	enum err err;

	*out = (struct migration_memory){ 0 };
	memory_name(name, instance);
	err = cache_get_fact(read, name, &value);
	if (err == ERR_MISS)
		return ERR_OK;
	TRY(err);
	cursor = cursor_of(value);
	TRY(cursor_u8(&cursor) == MEMORY_VERSION ? ERR_OK : ERR_VERSION);
	out->stage = cursor_u8(&cursor);
	(void) slice_copy_exact(out->root.bytes, UID_LEN, cursor_bytes(&cursor, UID_LEN));
	(void) slice_copy_exact(out->from.bytes, UID_LEN, cursor_bytes(&cursor, UID_LEN));
	out->since = (int64_t) cursor_be64(&cursor);
	out->rate = cursor_be32(&cursor);
	TRY(cursor_end(&cursor) == ERR_OK && out->stage <= MIGRATION_STAGE_FINISHED ? ERR_OK
										    : ERR_CORRUPT);
out:
	return err;
}

enum err migration_memory_save(struct cache_write *write, const struct instance_id *instance,
	const struct migration_memory *memory)
{
	char name[NAME_LEN];
	struct buf value;
	enum err err;

	buf_init(&value, MEMORY_LEN);
	TRY(buf_append_u8(&value, MEMORY_VERSION));
	TRY(buf_append_u8(&value, (uint8_t) memory->stage));
	TRY(buf_append(&value, slice_of(memory->root.bytes, UID_LEN)));
	TRY(buf_append(&value, slice_of(memory->from.bytes, UID_LEN)));
	TRY(buf_append_be64(&value, (uint64_t) memory->since));
	TRY(buf_append_be32(&value, memory->rate));
	memory_name(name, instance);
	TRY(cache_put_fact(write, name, buf_slice(&value)));
out:
	buf_free(&value);
	return err;
}
