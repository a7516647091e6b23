/* SPDX-License-Identifier: Apache-2.0 */
/* What a core asks of its disk, a turn later. Mirrors replication/reader.c and
 * keystore/cache_digest.c. */
#include "base/crypt.h"
#include "tests/simulation/world.h"

enum { READ_MAX = 8, READ_SHORT_ONE_IN = 8 };

static void read_log(
	struct world_node *node, struct core_event *event, struct core_log_entry *entries)
{
	const struct world_disk *disk = &node->disk;
	uint64_t first = node->read.log_first;
	size_t max = 1 + world_random(node->world, READ_MAX);
	size_t count = 0;

	event->kind = CORE_EVENT_LOG_READ;
	event->log.own = disk_position(disk);
	event->log.trimmed = first <= disk->log_base && first <= disk->seq;
	for (uint64_t seq = first; !event->log.trimmed && seq <= disk->seq && count < max;
		seq++, count++) {
		const struct world_slot *slot = &disk->slots[disk->log_slot[seq]];

		entries[count].seq = seq;
		bytes_copy(entries[count].hash, disk->log_hash[seq], 32);
		if (!disk_is_sound(slot))
			entries[count].record = (struct core_record){ .bytes = SLICE_EMPTY };
		else
			entries[count].record =
				(struct core_record){ slice_of(slot->bytes, slot->len),
					world_tenants[disk_tenant(disk->log_slot[seq])] };
	}
	event->log.entries = entries;
	event->log.entry_count = count;
	event->log.more = !event->log.trimmed && first + count <= disk->seq;
}

static void read_snapshot(
	struct world_node *node, struct core_event *event, struct core_record *records)
{
	struct core_cursor at = node->read.cursor;
	size_t from = at.kind == RECORD_CLIENT ? MODEL_OBJECTS : 0;
	size_t end = at.kind == RECORD_CLIENT ? MODEL_SLOTS : MODEL_OBJECTS;
	size_t slot = at.after_len > 0 ? (size_t) at.after[0] + 1 : from;
	size_t count = 0;

	event->kind = CORE_EVENT_SNAPSHOT_READ;
	event->snapshot.own = disk_position(&node->disk);
	event->snapshot.records = records;
	for (; slot < end && count < READ_MAX; slot++) {
		const struct world_slot *stored = &node->disk.slots[slot];

		at.after[0] = (uint8_t) slot;
		at.after_len = 1;
		if (stored->len > 0 && disk_is_sound(stored))
			records[count++] =
				(struct core_record){ slice_of(stored->bytes, stored->len),
					world_tenants[disk_tenant(slot)] };
	}
	if (slot == end && at.kind == RECORD_CLIENT)
		at = (struct core_cursor){ .kind = RECORD_OBJECT };
	else
		event->snapshot.end = slot == end;
	event->snapshot.record_count = count;
	event->snapshot.at = at;
}

/* ---- digests ---- */

static bool is_compared(const struct world_node *node, size_t slot)
{
	return node->disk.slots[slot].len > 0 && disk_is_sound(&node->disk.slots[slot]) &&
	       core_is_common(node->core, &world_tenants[disk_tenant(slot)]);
}

/* Slots of one bucket are next to each other in disk_order. */
static void digest_bucket(struct world_node *node, struct cache_digest *digest, size_t *at)
{
	uint16_t bucket = disk_bucket(disk_order(*at));
	struct slice parts[MODEL_SLOTS];
	size_t count = 0;

	for (; *at < MODEL_SLOTS && disk_bucket(disk_order(*at)) == bucket; (*at)++) {
		size_t slot = disk_order(*at);
		const struct world_slot *stored = &node->disk.slots[slot];

		if (!is_compared(node, slot))
			continue;
		parts[count++] = slice_of(stored->bytes, stored->len);
		if (stored->view.dead && stored->view.destroyed < digest->cut &&
			digest->grave_count < CACHE_GRAVES_MAX)
			disk_note_grave(&digest->graves[digest->grave_count++], stored, slot);
	}
	if (count > 0)
		ASSERT(crypt_sha256_parts(digest->hashes[bucket - digest->first], parts, count) ==
			ERR_OK);
}

static void read_digest(struct world_node *node, struct core_event *event)
{
	struct cache_digest *digest = &node->digest;
	size_t count = node->read.buckets.count;

	*digest = (struct cache_digest){ .first = node->read.buckets.first, .count = count };
	if (world_random(node->world, READ_SHORT_ONE_IN) == 0)
		digest->count = 1 + world_random(node->world, count);
	if (MUTANT(trimmed_young))
		digest->cut = INT64_MAX;
	else if (node->world->kind == WORLD_OLD_DISKS)
		digest->cut = (int64_t) (node_wall_ms(node) / 1000) - WORLD_GRAVE_AGE_S;
	for (size_t at = 0; at < MODEL_SLOTS;) {
		uint16_t bucket = disk_bucket(disk_order(at));

		if (bucket >= digest->first && bucket < digest->first + digest->count)
			digest_bucket(node, digest, &at);
		else
			at++;
	}
	event->kind = CORE_EVENT_DIGEST_READ;
	event->digest.digest = digest;
	event->digest.own = disk_position(&node->disk);
	event->digest.applied = node->disk.applied.position;
}

/* All of a bucket at once: there are few. */
static void read_bucket(
	struct world_node *node, struct core_event *event, struct core_record *records)
{
	size_t count = 0;

	for (size_t slot = 0; slot < MODEL_SLOTS; slot++) {
		const struct world_slot *stored = &node->disk.slots[slot];

		if (disk_bucket(slot) != node->read.buckets.first || stored->len == 0 ||
			!disk_is_sound(stored))
			continue;
		ASSERT(count < READ_MAX);
		records[count++] = (struct core_record){ slice_of(stored->bytes, stored->len),
			world_tenants[disk_tenant(slot)] };
	}
	event->kind = CORE_EVENT_BUCKET_READ;
	event->snapshot.own = disk_position(&node->disk);
	event->snapshot.records = records;
	event->snapshot.record_count = count;
	event->snapshot.end = true;
}

void read_tick(struct world_node *node)
{
	struct core_event event = { 0 };
	struct core_log_entry entries[READ_MAX];
	struct core_record records[READ_MAX];

	if (!node->reading)
		return;
	node->reading = false;
	switch (node->read.kind) {
	case CORE_ACTION_READ_SNAPSHOT:
		read_snapshot(node, &event, records);
		break;
	case CORE_ACTION_READ_DIGEST:
		read_digest(node, &event);
		break;
	case CORE_ACTION_READ_BUCKET:
		read_bucket(node, &event, records);
		break;
	default:
		read_log(node, &event, entries);
		break;
	}
	node_step(node, &event);
}
