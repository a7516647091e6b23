/* SPDX-License-Identifier: Apache-2.0 */
/* What survives a crash: records merged by the product's record_merge, the log of own changes,
 * intents. Mirrors keystore/cache_write.c and cache_log.c. */
#include "base/crypt.h"
#include "tests/simulation/world.h"

const struct instance_id world_tenants[WORLD_TENANTS] = { { .text = "tenant-one" },
	{ .text = "tenant-two" } };

enum { BUCKETS_USED = 30, BUCKET_STEP = 130 };

/* Two slots share one, an object and a client, too. */
uint16_t disk_bucket(size_t slot)
{
	return (uint16_t) (slot % BUCKETS_USED * BUCKET_STEP);
}

size_t disk_order(size_t at)
{
	return at % 2 * BUCKETS_USED + at / 2;
}

_Static_assert(MODEL_SLOTS == 2 * BUCKETS_USED, "each bucket that is used has two slots");

/* Clients are the first one's. */
size_t disk_tenant(size_t slot)
{
	return slot < MODEL_OBJECTS && slot % 4 == 3;
}

void disk_uid(struct uid *out, size_t slot)
{
	*out = (struct uid){ 0 };
	be16_put(out->bytes, (uint16_t) (disk_bucket(slot) << 4));
	out->bytes[15] = (uint8_t) (slot + 1);
}

void disk_fingerprint(struct fingerprint *out, size_t slot)
{
	*out = (struct fingerprint){ 0 };
	be16_put(out->bytes, (uint16_t) (disk_bucket(slot) << 4));
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
	bytes_zero(node->disk.changed, sizeof(node->disk.changed));
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
	disk->changed[slot] = disk->seq;
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
	view.quarantined = object_is_quarantined(object);
	view.unclaimed = object->unclaimed;
	view.life = object->life;
	view.epoch = object->dead_epoch;
	view.destroyed = (int64_t) (object->dead_epoch / 2);
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

bool disk_is_sound(const struct world_slot *stored)
{
	struct record record;

	return stored->len == 0 ||
	       record_glance(&record, slice_of(stored->bytes, stored->len)) == ERR_OK;
}

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

/* A damaged record gives way to the peer's. */
static enum err join(
	struct world_node *node, struct record *after, const struct record *record, bool heals)
{
	size_t slot = disk_slot_of(record);
	struct record before;
	enum err err = disk_get(node, slot, &before);

	*after = *record;
	if (err == ERR_MISS || (err == ERR_CORRUPT && heals))
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
	if (is_left_out(stored, record, logged) || (MUTANT(damage_kept) && stored->damaged))
		return ERR_OK;
	buf_init(&buf, WORLD_RECORD_LEN_MAX);
	TRY(join(node, &after, record, !logged));
	TRY(record_encode(&buf, &after));
	bytes = buf_slice(&buf);
	if (slice_equal(bytes, slice_of(stored->bytes, stored->len)))
		goto out;
	/* What was merged still points into the stored bytes. */
	stored->view = view_of(&after);
	bytes_copy(stored->bytes, bytes.data, bytes.len);
	stored->len = (uint16_t) bytes.len;
	if (!stored->damaged)
		check_move(node, &before, &stored->view);
	stored->damaged = false;
	node->unjudged |= model_bit(slot);
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
		if (!node->snapshot_has[i]) {
			node->disk.slots[i] = (struct world_slot){ 0 };
			node->unjudged |= model_bit(i);
		}
}

static void note_applied(struct world_disk *disk, const struct wire_applied *applied)
{
	disk->applied = *applied;
	if (applied->position.incarnation[0] == 0)
		return;
	if (!wire_incarnation_equal(&disk->reached, &applied->position) ||
		disk->reached.seq < applied->position.seq)
		disk->reached = applied->position;
}

static const uint8_t *next_record(struct world_node *node, struct record *out, const uint8_t *at)
{
	size_t len = be16_get(at);

	ASSERT(record_decode(out, node->arena, slice_of(at + 2, len)) == ERR_OK);
	return at + 2 + len;
}

enum err disk_merge(struct world_node *node, const struct world_job *job)
{
	struct record records[WIRE_RECORDS_MAX];
	const uint8_t *at = job->bytes;
	uint64_t unused;
	enum err err = ERR_OK;

	for (size_t i = 0; i < job->count; i++)
		at = next_record(node, &records[i], at);
	for (size_t i = 0; i < job->count; i++)
		TRY(disk_put(node, &records[i], false, &unused));
	if (MUTANT(absence_deletes))
		drop_absent(node, job);
	if (job->has_position)
		note_applied(&node->disk, &job->applied);
	if (job->has_seen)
		node->disk.seen = job->seen;
	if (job->stamp > node->disk.stamp)
		node->disk.stamp = job->stamp;
out:
	ASSERT(err == ERR_OK);
	return err;
}

void disk_merged(struct world_node *node, const struct world_job *job)
{
	const uint8_t *at = job->bytes;
	struct record record;

	for (size_t i = 0; i < job->count; i++) {
		at = next_record(node, &record, at);
		if (record.kind == RECORD_OBJECT && record.object.dead)
			node->resident[disk_slot_of(&record)] = false;
	}
}

/* ---- trimming ---- */

void disk_note_grave(struct cache_grave *out, const struct world_slot *stored, size_t slot)
{
	*out = (struct cache_grave){ .date = stored->view.destroyed, .bucket = disk_bucket(slot) };
	disk_uid(&out->uid, slot);
	ASSERT(crypt_sha256(out->hash, slice_of(stored->bytes, stored->len)) == ERR_OK);
}

/* No tombstone goes while the other node could still bring the key back (a key that its owner has
 * restored unseen may be read anew there, and one that fell back since starts with an older disk).
 */
static void check_trim(struct world_node *node, size_t slot)
{
	const struct world_view *other = &node_peer(node)->disk.slots[slot].view;
	const struct world_view *own = &node->disk.slots[slot].view;

	if (other->exists && !other->dead && other->epoch <= own->epoch &&
		node->world->keys[slot].dead && node_peer(node)->core != NULL)
		world_fail(node->world, "a tombstone was trimmed that the peer does not have");
	if (own->destroyed > manager_seconds(node->world) - WORLD_PURGE_S)
		world_fail(node->world, "a tombstone was trimmed too young");
}

void disk_trim(struct world_node *node, const struct world_job *job)
{
	const struct cache_grave *graves = (const struct cache_grave *) job->bytes;

	for (size_t i = 0; i < job->count; i++) {
		size_t slot = graves[i].uid.bytes[15] - 1u;
		struct world_slot *stored = &node->disk.slots[slot];
		struct cache_grave now;

		if (stored->len == 0)
			continue;
		disk_note_grave(&now, stored, slot);
		if (!slice_equal(slice_of(now.hash, 32), slice_of(graves[i].hash, 32)))
			continue;
		check_trim(node, slot);
		model_on_trim(node->world, slot);
		*stored = (struct world_slot){ 0 };
		node->unjudged |= model_bit(slot);
		node->world->counts.trimmed++;
		world_say(node->world, node, "trims slot %zu", slot);
	}
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
