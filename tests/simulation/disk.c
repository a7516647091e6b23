/* SPDX-License-Identifier: Apache-2.0 */
/* What survives a crash: records merged by the product's record_merge, the log of own changes,
 * intents. Mirrors keystore/cache_write.c and cache_log.c. */
#include "base/crypt.h"
#include "tests/simulation/world.h"

const struct instance_id world_tenant = { .text = "tenant-one" };

void disk_uid(struct uid *out, size_t slot)
{
	*out = (struct uid){ .bytes = { 0x5e, 0xed } };
	out->bytes[15] = (uint8_t) (slot + 1);
}

void disk_fingerprint(struct fingerprint *out, size_t slot)
{
	*out = (struct fingerprint){ .bytes = { 0xc1 } };
	out->bytes[31] = (uint8_t) (slot + 1);
}

size_t disk_slot_of(const struct record *record)
{
	size_t slot = (record->kind == RECORD_OBJECT ? record->object.uid.bytes[15]
						     : record->client.fingerprint.bytes[31]) -
		      1u;

	ASSERT(slot < MODEL_SLOTS);
	return slot;
}

struct wire_position disk_position(const struct world_disk *disk)
{
	struct wire_position position = { .seq = disk->seq };

	bytes_copy(position.incarnation, disk->incarnation, 16);
	bytes_copy(position.hash, disk->log_hash[disk->seq], 32);
	return position;
}

void disk_new_incarnation(struct world_node *node)
{
	for (size_t i = 0; i < 16; i++)
		node->disk.incarnation[i] = (uint8_t) (1 + world_random(node->world, 255));
	node->disk.seq = 0;
	node->disk.log_base = 0;
	bytes_zero(node->disk.log_hash[0], 32);
}

void disk_log(struct world_disk *disk, size_t slot)
{
	uint8_t key = (uint8_t) slot;
	struct slice parts[] = {
		slice_of(disk->log_hash[disk->seq], 32),
		slice_of(&key, 1),
		slice_of(disk->slots[slot].bytes, disk->slots[slot].len),
	};

	ASSERT(disk->seq + 1 < WORLD_LOG_MAX);
	disk->seq++;
	disk->log_slot[disk->seq] = key;
	ASSERT(crypt_sha256_parts(disk->log_hash[disk->seq], parts, 3) == ERR_OK);
}

/* ---- views ---- */

static void view_attribute(struct world_view *view, const struct object_attribute *attribute)
{
	uint32_t value = attribute->value.len == 4 ? be32_get(attribute->value.data) : 0;

	if (slice_equal_text(attribute->name, "x-note"))
		view->note = value;
	else
		view->adds |= 1u << value;
}

static struct world_view view_of(const struct record *record)
{
	const struct object *object = &record->object;
	struct world_view view = { .exists = true };

	if (record->kind == RECORD_CLIENT) {
		view.removed = record->client.removed;
		view.written = record->client.written;
		view.note = (uint32_t) record->client.added_at;
		return view;
	}
	view.dead = object->dead;
	view.compromised = object->compromised;
	view.quarantined = object->quarantined;
	view.unclaimed = object->unclaimed;
	view.life = object->life;
	view.epoch = object->dead_epoch;
	for (size_t i = 0; i < object->attribute_count; i++)
		view_attribute(&view, &object->attributes[i]);
	return view;
}

/* Nothing moves down within an epoch, and a tombstone is not replaced. */
static void check_move(
	struct world_node *node, const struct world_view *before, const struct world_view *after)
{
	if (!before->exists)
		return;
	if (after->epoch < before->epoch ||
		(after->epoch == before->epoch && before->dead && !after->dead))
		world_fail(node->world, "a tombstone was replaced");
	if (after->life < before->life || (before->compromised && !after->compromised) ||
		(before->adds & ~after->adds) != 0 || (!before->unclaimed && after->unclaimed))
		world_fail(node->world, "a state moved down");
	if (stamp_compare(after->written, before->written) < 0)
		world_fail(node->world, "a register went back");
	if (after->quarantined)
		world_fail(node->world, "equal keys were quarantined");
}

/* ---- records ---- */

enum err disk_get(struct world_node *node, size_t slot, struct record *out)
{
	const struct world_slot *stored = &node->disk.slots[slot];

	if (stored->len == 0)
		return ERR_MISS;
	return record_decode(out, node->arena, slice_of(stored->bytes, stored->len));
}

static bool is_left_out(const struct world_slot *stored, const struct record *record, bool logged)
{
	return MUTANT(tombstone_unknown) && !logged && stored->len == 0 &&
	       record->kind == RECORD_OBJECT && record->object.dead;
}

static enum err join(struct world_node *node, struct record *after, const struct record *record)
{
	size_t slot = disk_slot_of(record);
	struct record before;
	enum err err = disk_get(node, slot, &before);

	*after = *record;
	if (err == ERR_MISS)
		return ERR_OK;
	TRY(err);
	TRY(record_merge(after, node->arena, &before, record));
out:
	return err;
}

enum err disk_put(struct world_node *node, const struct record *record, bool logged, uint64_t *seq)
{
	size_t slot = disk_slot_of(record);
	struct world_slot *stored = &node->disk.slots[slot];
	struct world_view before = stored->view;
	struct record after;
	struct slice bytes;
	struct buf buf;
	enum err err = ERR_OK;

	*seq = 0;
	if (is_left_out(stored, record, logged))
		return ERR_OK;
	buf_init(&buf, WORLD_RECORD_LEN_MAX);
	TRY(join(node, &after, record));
	TRY(record_encode(&buf, &after));
	bytes = buf_slice(&buf);
	if (slice_equal(bytes, slice_of(stored->bytes, stored->len)))
		goto out;
	/* What was merged still points into the stored bytes. */
	stored->view = view_of(&after);
	bytes_copy(stored->bytes, bytes.data, bytes.len);
	stored->len = (uint16_t) bytes.len;
	check_move(node, &before, &stored->view);
	if (logged) {
		disk_log(&node->disk, slot);
		*seq = node->disk.seq;
	}
	world_say(node->world, node, "store slot %zu life %d dead %d epoch %llu seq %llu%s", slot,
		(int) stored->view.life, stored->view.dead, (unsigned long long) stored->view.epoch,
		(unsigned long long) *seq, stored->view.removed ? " removed" : "");
out:
	buf_free(&buf);
	return err;
}

/* ---- merges of the peer's records: all or nothing, with the position ---- */

/* A mutant's: what the snapshot did not name is dropped. */
static void drop_absent(struct world_node *node, const struct world_job *job)
{
	for (size_t i = 0; job->is_snapshot_end && i < MODEL_SLOTS; i++)
		if (!node->snapshot_has[i])
			node->disk.slots[i] = (struct world_slot){ 0 };
}

enum err disk_merge(struct world_node *node, const struct world_job *job)
{
	struct record records[WIRE_RECORDS_MAX];
	const uint8_t *at = job->bytes;
	uint64_t unused;
	enum err err = ERR_OK;

	for (size_t i = 0; i < job->count; i++) {
		size_t len = be16_get(at);

		TRY(record_decode(&records[i], node->arena, slice_of(at + 2, len)));
		flow_see(node, &records[i]);
		at += 2 + len;
	}
	for (size_t i = 0; i < job->count; i++) {
		TRY(disk_put(node, &records[i], false, &unused));
		if (records[i].kind == RECORD_OBJECT && records[i].object.dead)
			node->resident[disk_slot_of(&records[i])] = false;
	}
	if (MUTANT(absence_deletes))
		drop_absent(node, job);
	if (job->has_position)
		node->disk.applied = job->applied;
	node->disk.stamp = node->clock.last;
out:
	ASSERT(err == ERR_OK);
	return err;
}

/* ---- intents ---- */

struct world_intent *disk_intent(
	struct world_disk *disk, enum world_intent_kind kind, uint64_t nonce)
{
	for (size_t i = 0; i < WORLD_INTENTS; i++) {
		struct world_intent *intent = &disk->intents[i];

		if (intent->kind != INTENT_NONE)
			continue;
		*intent = (struct world_intent){ .kind = kind, .nonce = nonce };
		return intent;
	}
	return NULL;
}

void disk_drop_intent(struct world_disk *disk, uint64_t nonce)
{
	for (size_t i = 0; i < WORLD_INTENTS; i++)
		if (disk->intents[i].kind != INTENT_NONE && disk->intents[i].nonce == nonce)
			disk->intents[i] = (struct world_intent){ 0 };
}
