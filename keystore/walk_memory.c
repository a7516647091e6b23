/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/walk_memory.h"
#include <stdio.h>
#include "keystore/fact.h"

enum { MEMORY_VERSION = 1, UID_LEN = sizeof(((struct uid *) NULL)->bytes) };

void walk_memory_fact(char out[WALK_FACT_LEN], const char *name, const struct instance_id *instance)
{
	snprintf(out, WALK_FACT_LEN, "%s-%s", name, instance->text);
}

void walk_memory_fail(struct walk_memory *memory, const struct uid *uid, enum err err)
{
	size_t i = 0;

	while (i < memory->failed_count && !uid_equal(&memory->failed[i].uid, uid))
		i++;
	if (i == WALK_FAILED_MAX)
		return;
	memory->failed[i] = (struct walk_failed){ .uid = *uid, .err = err };
	if (i == memory->failed_count)
		memory->failed_count++;
}

static enum err memory_encode(struct buf *out, const struct walk_memory *memory)
{
	const struct walk_place *place = &memory->place;
	enum err err;

	TRY(buf_append_u8(out, MEMORY_VERSION));
	TRY(buf_append_u8(out, place->begun));
	TRY(buf_append(out, slice_of(place->uid.bytes, UID_LEN)));
	TRY(buf_append_be64(out, place->counts.looked));
	TRY(buf_append_be64(out, place->counts.done));
	TRY(buf_append_be64(out, place->counts.failed));
	TRY(buf_append_be32(out, memory->rate));
	TRY(buf_append_u8(out, (uint8_t) memory->failed_count));
	for (size_t i = 0; i < memory->failed_count; i++)
		TRY(buf_append(out, slice_of(memory->failed[i].uid.bytes, UID_LEN)));
out:
	return err;
}

static enum err memory_decode(struct walk_memory *out, struct slice bytes)
{
	struct cursor cursor = cursor_of(bytes);
	struct walk_memory memory = { 0 };
	uint8_t version = cursor_u8(&cursor);
	struct uid *uid;

	memory.place.begun = cursor_u8(&cursor) != 0;
	(void) slice_copy_exact(memory.place.uid.bytes, UID_LEN, cursor_bytes(&cursor, UID_LEN));
	memory.place.counts.looked = cursor_be64(&cursor);
	memory.place.counts.done = cursor_be64(&cursor);
	memory.place.counts.failed = cursor_be64(&cursor);
	memory.rate = cursor_be32(&cursor);
	memory.failed_count = cursor_u8(&cursor);
	if (version != MEMORY_VERSION || memory.failed_count > WALK_FAILED_MAX)
		return ERR_INVALID;
	for (size_t i = 0; i < memory.failed_count; i++) {
		uid = &memory.failed[i].uid;
		(void) slice_copy_exact(uid->bytes, UID_LEN, cursor_bytes(&cursor, UID_LEN));
	}
	*out = memory;
	return cursor_end(&cursor);
}

enum err walk_memory_save(
	struct cache_write *write, const char *fact, const struct walk_memory *memory)
{
	struct buf value;
	enum err err;

	buf_init(&value, CACHE_FACT_LEN_MAX);
	TRY(memory_encode(&value, memory));
	TRY(cache_put_fact(write, fact, buf_slice(&value)));
out:
	buf_free(&value);
	return err;
}

enum err walk_memory_load(struct walk_memory *out, struct cache_read *read, const char *fact)
{
	struct slice value;
	enum err err;

	TRY(cache_get_fact(read, fact, &value));
	TRY(memory_decode(out, value));
out:
	return err;
}

enum err walk_memory_forget(
	struct cache_write *write, const char *name, const struct instance_id *instance)
{
	char fact[WALK_FACT_LEN];
	enum err err;

	walk_memory_fact(fact, name, instance);
	err = cache_delete_fact(write, fact);
	return err == ERR_MISS ? ERR_OK : err;
}

bool walk_was_left(struct cache_read *read, const char *name, const struct instance_id *instance)
{
	char fact[WALK_FACT_LEN];
	struct slice value;

	walk_memory_fact(fact, name, instance);
	return cache_get_fact(read, fact, &value) == ERR_OK;
}

void walk_forget(struct instance *instance, const char *name)
{
	char fact[WALK_FACT_LEN];

	walk_memory_fact(fact, name, &instance->id);
	fact_delete(instance, fact);
}
