/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/stamps.h"
#include "base/clock.h"
#include "base/rand.h"

static const char fact_name[] = "stamp";

static enum err stored_get(uint64_t *last, struct cache_read *read)
{
	struct slice value;
	enum err err = cache_get_fact(read, fact_name, &value);

	*last = err == ERR_OK && value.len == sizeof(*last) ? be64_get(value.data) : 0;
	return err == ERR_MISS ? ERR_OK : err;
}

static enum err stored_put(struct cache_write *write, uint64_t last)
{
	uint8_t value[sizeof(last)];

	be64_put(value, last);
	return cache_put_fact(write, fact_name, slice_of(value, sizeof(value)));
}

enum err stamps_load(struct keystore *keystore, uint16_t node)
{
	struct cache_read *read = NULL;
	uint64_t last;
	enum err err;

	TRY(cache_read_begin(&read, keystore->cache));
	TRY(stored_get(&last, read));
	stamp_clock_init(&keystore->clock, node, last, rand_u64());
out:
	cache_read_end(read);
	return err;
}

enum err stamps_save(struct keystore *keystore, struct cache_write *write)
{
	return stored_put(write, keystore->clock.last);
}

enum err stamps_save_seen(struct cache_write *write, uint64_t last)
{
	uint64_t stored;
	enum err err;

	TRY(stored_get(&stored, cache_write_read(write)));
	if (last > stored)
		TRY(stored_put(write, last));
out:
	return err;
}

void stamps_see(struct keystore *keystore, const struct record *record)
{
	const struct object *object = &record->object;
	uint64_t wall_ms = clock_wall_ms();

	if (record->kind == RECORD_CLIENT) {
		stamp_see(&keystore->clock, record->client.written, wall_ms);
		return;
	}
	stamp_see(&keystore->clock, object->wrapped.written, wall_ms);
	for (size_t i = 0; i < object->attribute_count; i++)
		stamp_see(&keystore->clock, object->attributes[i].written, wall_ms);
}
