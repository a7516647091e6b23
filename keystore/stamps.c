/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/stamps.h"
#include "base/clock.h"
#include "base/rand.h"

static const char fact_name[] = "stamp";

enum err stamps_load(struct keystore *keystore, uint16_t node)
{
	struct cache_read *read = NULL;
	struct slice value;
	uint64_t last = 0;
	enum err err;

	TRY(cache_read_begin(&read, keystore->cache));
	err = cache_get_fact(read, fact_name, &value);
	if (err == ERR_OK && value.len == sizeof(last))
		last = be64_get(value.data);
	err = err == ERR_MISS ? ERR_OK : err;
	TRY(err);
	stamp_clock_init(&keystore->clock, node, last, rand_u64());
out:
	cache_read_end(read);
	return err;
}

enum err stamps_save(struct keystore *keystore, struct cache_write *write)
{
	uint8_t value[sizeof(uint64_t)];

	be64_put(value, keystore->clock.last);
	return cache_put_fact(write, fact_name, slice_of(value, sizeof(value)));
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
