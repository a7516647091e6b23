/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/simulation/world.h"
#include <stdlib.h>
#include "base/crypt.h"

static const struct instance_id tenant = { .text = "tenant-one" };
static const uint8_t instances[WIRE_INSTANCE_LEN] = "tenant-one";

uint64_t node_now(const struct world_node *node)
{
	uint64_t now = node->world->now;

	return node->offset + now + (uint64_t) ((int64_t) now * node->drift_permille / 1000);
}

struct world_node *node_peer(struct world_node *node)
{
	return &node->world->nodes[node->number == 1 ? 1 : 0];
}

static void fail(struct world_node *node, const char *violation)
{
	if (node->world->violation == NULL)
		node->world->violation = violation;
}

/* ---- disk ---- */

static struct wire_position own_position(const struct world_node *node)
{
	struct wire_position position = { .seq = node->disk.seq };

	bytes_copy(position.incarnation, node->disk.incarnation, 16);
	if (position.seq > 0)
		bytes_copy(position.hash, node->disk.log_hash[position.seq], 32);
	return position;
}

static void new_incarnation(struct world_node *node)
{
	for (size_t i = 0; i < 16; i++)
		node->disk.incarnation[i] = (uint8_t) world_random(node->world, 256);
	node->disk.seq = 0;
	node->disk.log_base = 0;
}

static void disk_log(struct world_disk *disk, uint8_t key)
{
	struct slice parts[] = {
		slice_of(disk->log_hash[disk->seq], 32),
		slice_of(&key, 1),
		slice_of(&disk->keys[key], sizeof(disk->keys[key])),
	};

	ASSERT(disk->seq + 1 < WORLD_LOG_MAX);
	disk->seq++;
	disk->log_key[disk->seq] = key;
	ASSERT(crypt_sha256_parts(disk->log_hash[disk->seq], parts, 3) == ERR_OK);
}

static struct slice record_of(struct world_node *node, uint8_t key, uint8_t *out)
{
	out[0] = key;
	out[1] = node->disk.keys[key].exists;
	out[2] = node->disk.keys[key].dead;
	return slice_of(out, WORLD_RECORD_LEN);
}

void node_change(struct world_node *node, uint8_t key, bool destroy)
{
	struct core_event event = { .kind = CORE_EVENT_COMMITTED };
	struct world_hold *hold = NULL;

	for (size_t i = 0; i < WORLD_HOLDS && hold == NULL; i++)
		if (!node->holds[i].used)
			hold = &node->holds[i];
	if (node->core == NULL || hold == NULL || node->renewing)
		return;
	node->disk.keys[key].exists = true;
	node->disk.keys[key].dead |= destroy;
	disk_log(&node->disk, key);
	*hold = (struct world_hold){ .used = true, .destroy = destroy, .key = key };
	hold->world = node->world;
	hold->hold.seq = node->disk.seq;
	hold->hold.class = destroy ? KEYSTORE_GATE_CHANGE : KEYSTORE_GATE_CREATE;
	event.committed_seq = node->disk.seq;
	if (world_random(node->world, 2) == 0)
		node_step(node, &event);
	event = (struct core_event){ .kind = CORE_EVENT_HOLD, .hold = &hold->hold };
	node_step(node, &event);
}

/* ---- actions ---- */

static void frame_push(struct world_node *to, const struct wire_frame *frame)
{
	struct world *world = to->world;
	uint64_t due = world->now + 1 + world_random(world, 5);
	struct world_frame *entry;
	struct buf bytes;

	if (world->severed)
		return;
	ASSERT(to->in_count < WORLD_FRAMES);
	if (to->in_count > 0) {
		entry = &to->in[(to->in_first + to->in_count - 1) % WORLD_FRAMES];
		due = due > entry->due ? due : entry->due;
	}
	entry = &to->in[(to->in_first + to->in_count++) % WORLD_FRAMES];
	*entry = (struct world_frame){ .due = due };
	if (frame == NULL)
		return;
	buf_init(&bytes, WIRE_BODY_MAX + WIRE_HEAD_LEN);
	ASSERT(wire_encode(&bytes, frame) == ERR_OK);
	entry->len = buf_slice(&bytes).len;
	entry->bytes = malloc(entry->len);
	ASSERT(entry->bytes != NULL);
	bytes_copy(entry->bytes, buf_slice(&bytes).data, entry->len);
	buf_free(&bytes);
	to->in_bytes += entry->len;
}

void node_drop_frames(struct world_node *node)
{
	for (; node->in_count > 0; node->in_count--) {
		free(node->in[node->in_first].bytes);
		node->in_first = (node->in_first + 1) % WORLD_FRAMES;
	}
	node->in_bytes = 0;
}

static void perform_send(struct world_node *node, const struct wire_frame *frame)
{
	const struct wire_position *durable = &node->disk.applied.position;

	if (frame->type == WIRE_ACK && (!wire_incarnation_equal(&frame->position, durable) ||
					       frame->position.seq > durable->seq))
		fail(node, "acknowledged what is not durable");
	if (node->connected)
		frame_push(node_peer(node), frame);
}

static void perform_merge(struct world_node *node, const struct core_merge *action)
{
	struct world_merge *merge;

	ASSERT(node->merge_count < WORLD_MERGES);
	merge = &node->merges[(node->merge_first + node->merge_count++) % WORLD_MERGES];
	merge->due = node->world->now + 1 + world_random(node->world, 8);
	merge->link = action->link;
	merge->count = action->record_count;
	merge->has_position = action->has_position;
	merge->applied = action->applied;
	for (size_t i = 0; i < action->record_count; i++)
		bytes_copy(merge->records[i], action->records[i].data, WORLD_RECORD_LEN);
}

static void perform(struct world_node *node, const struct core_action *action)
{
	switch (action->kind) {
	case CORE_ACTION_STATE:
		node->state = action->move.state;
		break;
	case CORE_ACTION_SEND:
		perform_send(node, &action->frame);
		break;
	case CORE_ACTION_CLOSE:
		if (node->connected)
			frame_push(node_peer(node), NULL);
		node->connected = false;
		break;
	case CORE_ACTION_PAUSE:
		node->paused = action->pause;
		break;
	case CORE_ACTION_MERGE:
		perform_merge(node, &action->merge);
		break;
	case CORE_ACTION_READ_LOG:
	case CORE_ACTION_READ_SNAPSHOT:
		node->read = *action;
		node->reading = true;
		break;
	case CORE_ACTION_NEW_INCARNATION:
		node->renewing = true;
		break;
	case CORE_ACTION_RELEASE:
		node->releasing = true;
		break;
	case CORE_ACTION_VOUCH:
		node->vouch_until = action->until_ms;
		break;
	case CORE_ACTION_TIMER:
		node->timer_at = action->at_ms;
		break;
	}
}

void node_step(struct world_node *node, struct core_event *event)
{
	struct core_actions *actions = malloc(sizeof(*actions));

	ASSERT(actions != NULL);
	event->now_ms = node_now(node);
	event->unsent =
		node->world->stalled_until > node->world->now ? node_peer(node)->in_bytes : 0;
	core_step(node->core, event, actions);
	for (size_t i = 0; i < actions->count; i++)
		perform(node, &actions->items[i]);
	free(actions);
}

/* ---- events ---- */

static void read_log(struct world_node *node, struct core_event *event,
	struct core_log_entry *entries, uint8_t (*bytes)[WORLD_RECORD_LEN])
{
	uint64_t first = node->read.log_first;
	size_t max = 1 + world_random(node->world, 8);
	size_t count = 0;

	event->kind = CORE_EVENT_LOG_READ;
	event->log.own = own_position(node);
	event->log.trimmed = first <= node->disk.log_base;
	for (uint64_t seq = first; !event->log.trimmed && seq <= node->disk.seq && count < max;
		seq++, count++) {
		entries[count].seq = seq;
		bytes_copy(entries[count].hash, node->disk.log_hash[seq], 32);
		entries[count].record = (struct core_record){
			record_of(node, node->disk.log_key[seq], bytes[count]), tenant
		};
	}
	event->log.entries = entries;
	event->log.entry_count = count;
	event->log.more = !event->log.trimmed && first + count <= node->disk.seq;
}

static void read_snapshot(struct world_node *node, struct core_event *event,
	struct core_record *records, uint8_t (*bytes)[WORLD_RECORD_LEN])
{
	struct core_cursor at = node->read.cursor;
	size_t key = at.after_len > 0 ? (size_t) at.after[0] + 1 : 0;
	size_t count = 0;

	event->kind = CORE_EVENT_SNAPSHOT_READ;
	event->snapshot.own = own_position(node);
	event->snapshot.records = records;
	if (at.kind == RECORD_CLIENT) {
		event->snapshot.at = (struct core_cursor){ .kind = RECORD_OBJECT };
		return;
	}
	for (; key < WORLD_KEYS && count < 4; key++) {
		at.after[0] = (uint8_t) key;
		at.after_len = 1;
		if (node->disk.keys[key].exists || node->disk.keys[key].dead)
			records[count] =
				(struct core_record){ record_of(node, (uint8_t) key, bytes[count]),
					tenant },
			count++;
	}
	event->snapshot.record_count = count;
	event->snapshot.at = at;
	event->snapshot.end = key == WORLD_KEYS;
}

static void tick_read(struct world_node *node)
{
	struct core_event event = { 0 };
	struct core_log_entry entries[8] = { 0 };
	struct core_record records[8] = { 0 };
	uint8_t bytes[8][WORLD_RECORD_LEN];

	if (!node->reading)
		return;
	node->reading = false;
	if (node->read.kind == CORE_ACTION_READ_LOG)
		read_log(node, &event, entries, bytes);
	else
		read_snapshot(node, &event, records, bytes);
	node_step(node, &event);
}

static void tick_merges(struct world_node *node)
{
	while (node->merge_count > 0 && node->merges[node->merge_first].due <= node->world->now) {
		struct world_merge *merge = &node->merges[node->merge_first];
		struct core_event event = { .kind = CORE_EVENT_MERGED };

		for (size_t i = 0; i < merge->count; i++) {
			node->disk.keys[merge->records[i][0]].exists |= merge->records[i][1] != 0;
			node->disk.keys[merge->records[i][0]].dead |= merge->records[i][2] != 0;
		}
		if (merge->has_position)
			node->disk.applied = merge->applied;
		event.merged.link = merge->link;
		event.merged.ok = true;
		event.merged.has_position = merge->has_position;
		event.merged.position = merge->applied.position;
		node->merge_first = (node->merge_first + 1) % WORLD_MERGES;
		node->merge_count--;
		node_step(node, &event);
	}
}

static void take_frame(struct world_node *node, const struct world_frame *entry)
{
	struct core_event event = { .kind = CORE_EVENT_LINK_DOWN, .why = "closed" };
	struct slice parts[WIRE_RECORDS_MAX];
	struct core_record records[WIRE_RECORDS_MAX];
	struct wire_frame frame;
	struct slice body;
	size_t len;
	uint8_t type;

	if (entry->bytes == NULL) {
		node->connected = false;
		node_step(node, &event);
		return;
	}
	ASSERT(wire_split(slice_of(entry->bytes, entry->len), &type, &body, &len) == ERR_OK);
	ASSERT(wire_decode(&frame, parts, type, body) == ERR_OK);
	event = (struct core_event){ .kind = CORE_EVENT_FRAME };
	event.frame.frame = &frame;
	event.frame.records = records;
	if (type == WIRE_DATA && frame.data.record.len > 0) {
		parts[0] = frame.data.record;
		event.frame.record_count = 1;
	} else if (type == WIRE_SNAP) {
		event.frame.record_count = frame.snap.record_count;
	} else if (type == WIRE_HELLO) {
		uint64_t seq = frame.hello.applied.position.seq;

		event.frame.own = own_position(node);
		if (seq > node->disk.log_base && seq <= node->disk.seq)
			event.frame.hash_at = node->disk.log_hash[seq];
	}
	for (size_t i = 0; i < event.frame.record_count; i++)
		records[i] = (struct core_record){ parts[i], tenant };
	node_step(node, &event);
}

static void tick_frames(struct world_node *node)
{
	while (node->in_count > 0 && node->in[node->in_first].due <= node->world->now) {
		struct world_frame entry = node->in[node->in_first];

		if (node->paused || node->world->stalled_until > node->world->now)
			return;
		node->in_first = (node->in_first + 1) % WORLD_FRAMES;
		node->in_count--;
		node->in_bytes -= entry.len;
		if (node->core != NULL && node->connected)
			take_frame(node, &entry);
		free(entry.bytes);
	}
}

static void tick_releases(struct world_node *node)
{
	struct keystore_hold *hold;

	if (!node->releasing)
		return;
	node->releasing = false;
	while ((hold = core_take_released(node->core)) != NULL) {
		struct world_hold *one = (struct world_hold *) hold;

		one->used = false;
		if (one->destroy) {
			node->world->gone[one->key] = true;
			node->world->destroys++;
		}
	}
}

static void tick_renewal(struct world_node *node)
{
	struct core_event event = { .kind = CORE_EVENT_INCARNATION };

	if (!node->renewing || world_random(node->world, 4) != 0)
		return;
	node->renewing = false;
	new_incarnation(node);
	event.incarnation = own_position(node);
	node_step(node, &event);
}

void node_tick(struct world_node *node)
{
	struct core_event event = { .kind = CORE_EVENT_TIMER };

	if (node->core == NULL) {
		node_drop_frames(node);
		if (node->world->now >= node->restart_at)
			node_start(node);
		return;
	}
	tick_merges(node);
	tick_frames(node);
	tick_read(node);
	tick_releases(node);
	tick_renewal(node);
	if (node_now(node) >= node->timer_at) {
		node->timer_at = UINT64_MAX;
		node_step(node, &event);
	}
}

/* ---- life ---- */

void node_start(struct world_node *node)
{
	struct core_options options = {
		.cluster = "simulated",
		.software = "sim",
		.node = (uint16_t) node->number,
		.peer_node = (uint16_t) (3 - node->number),
		.ack_wait_ms = 50,
		.instances = slice_of(instances, sizeof(instances)),
		.now_ms = node_now(node),
	};

	if (node->disk.incarnation[0] == 0)
		new_incarnation(node);
	ASSERT(core_new(&node->core, &options) == ERR_OK);
	node->timer_at = UINT64_MAX;
	node->state = CORE_DOWN;
}

void node_crash(struct world_node *node)
{
	core_free(node->core);
	node->core = NULL;
	node->merge_count = 0;
	node->reading = node->releasing = node->renewing = node->paused = false;
	node->vouch_until = 0;
	if (node->connected && world_random(node->world, 2) == 0)
		frame_push(node_peer(node), NULL);
	node->connected = false;
	for (size_t i = 0; i < WORLD_HOLDS; i++)
		node->holds[i].used = false;
	node->restart_at = node->world->now + 50 + world_random(node->world, 4000);
}
