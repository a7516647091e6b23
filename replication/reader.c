/* SPDX-License-Identifier: Apache-2.0 */
#include "replication/reader.h"
#include <stdio.h>
#include "base/clock.h"
#include "base/log.h"

void reader_facts_init(struct reader_facts *facts, uint16_t peer_node)
{
	(void) snprintf(facts->applied, READER_FACT_MAX, "peer-%u", (unsigned) peer_node);
	(void) snprintf(facts->seen, READER_FACT_MAX, "peer-%u-seen", (unsigned) peer_node);
}

static enum err read_own(struct cache_read *read, struct wire_position *out)
{
	struct cache_position position;
	enum err err = cache_log_position(read, &position);

	if (err != ERR_OK)
		return err;
	bytes_copy(out->incarnation, position.incarnation, sizeof(out->incarnation));
	out->seq = position.seq;
	bytes_copy(out->hash, position.hash, sizeof(out->hash));
	return ERR_OK;
}

enum err reader_position(struct cache *cache, struct wire_position *out)
{
	struct cache_read *read = NULL;
	enum err err;

	TRY(cache_read_begin(&read, cache));
	TRY(read_own(read, out));
out:
	cache_read_end(read);
	return err;
}

/* All zero when there is no such fact, or none that can be read. */
static enum err read_applied(struct cache_read *read, const char *fact, struct wire_applied *out)
{
	struct slice value;
	enum err err = cache_get_fact(read, fact, &value);

	*out = (struct wire_applied){ 0 };
	if (err == ERR_MISS || err == ERR_NOT_FOUND)
		return ERR_OK;
	if (err == ERR_OK && wire_applied_get(out, value) != ERR_OK)
		log_warning("peer-position-unreadable", "fact=%s", fact);
	return err;
}

static enum err read_seen(struct cache_read *read, const char *fact, struct wire_position *out)
{
	struct slice value;
	enum err err = cache_get_fact(read, fact, &value);

	*out = (struct wire_position){ 0 };
	if (err == ERR_MISS || err == ERR_NOT_FOUND)
		return ERR_OK;
	if (err == ERR_OK && wire_position_get(out, value) != ERR_OK)
		log_warning("peer-position-unreadable", "fact=%s", fact);
	return err;
}

enum err reader_up(struct cache *cache, const struct reader_facts *facts, struct core_event *event)
{
	struct cache_read *read = NULL;
	enum err err;

	TRY(cache_read_begin(&read, cache));
	TRY(read_own(read, &event->up.own));
	TRY(read_applied(read, facts->applied, &event->up.applied));
	TRY(read_seen(read, facts->seen, &event->up.seen));
out:
	cache_read_end(read);
	return err;
}

/* *out stays NULL when the log does not hold the place. */
static enum err read_hash(struct cache_read *read, struct arena *arena,
	const struct wire_position *at, const uint8_t **out)
{
	uint8_t *hash = arena_alloc(arena, sizeof(at->hash));
	enum err err;

	if (hash == NULL)
		return ERR_NOMEM;
	err = cache_log_hash(read, at->seq, hash);
	if (err == ERR_OK)
		*out = hash;
	return err == ERR_MISS ? ERR_OK : err;
}

enum err reader_hello(struct cache *cache, struct arena *arena, struct core_event *event)
{
	const struct wire_hello *hello = &event->frame.frame->hello;
	const struct wire_position *own = &event->frame.own, *applied = &hello->applied.position;
	struct cache_read *read = NULL;
	enum err err;

	TRY(cache_read_begin(&read, cache));
	TRY(read_own(read, &event->frame.own));
	if (applied->seq > 0 && wire_incarnation_equal(applied, own))
		TRY(read_hash(read, arena, applied, &event->frame.hash_at));
	if (hello->seen.seq > 0 && wire_incarnation_equal(&hello->seen, own))
		TRY(read_hash(read, arena, &hello->seen, &event->frame.seen_hash_at));
out:
	cache_read_end(read);
	return err;
}

static void note_record(struct core_record *out, const struct record *record, struct slice bytes)
{
	out->bytes = bytes;
	out->instance =
		record->kind == RECORD_OBJECT ? record->object.instance : record->client.instance;
}

enum err reader_record(struct core_record *out, struct slice bytes)
{
	struct record record;
	enum err err = record_glance(&record, bytes);

	if (err == ERR_OK)
		note_record(out, &record, bytes);
	return err;
}

/* Copied out of the transaction; ERR_CORRUPT and ERR_VERSION are logged and leave *out empty. What
 * the peer could not decode is not sent. */
static enum err copy_record(struct core_record *out, struct arena *arena, struct slice bytes)
{
	struct slice copy = arena_copy(arena, bytes);
	struct record *record = ARENA_NEW(arena, struct record);
	enum err err = copy.data == NULL || record == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	TRY(record_decode(record, arena, copy));
	note_record(out, record, copy);
out:
	if (err != ERR_CORRUPT && err != ERR_VERSION)
		return err;
	log_error("record-not-sent", "error=%s", err_name(err));
	*out = (struct core_record){ .bytes = SLICE_EMPTY };
	return ERR_OK;
}

/* ---- log ---- */

struct log_walk {
	struct arena *arena;
	struct core_log_entry *entries;
	struct slice *keys;
	size_t count;
};

static enum err log_visit(void *ctx, const struct cache_log_entry *entry)
{
	struct log_walk *walk = ctx;

	if (walk->count == CORE_LOG_ENTRIES_MAX)
		return ERR_OK;
	walk->entries[walk->count].seq = entry->seq;
	bytes_copy(walk->entries[walk->count].hash, entry->hash, sizeof(entry->hash));
	walk->keys[walk->count] = arena_copy(walk->arena, entry->record_key);
	if (walk->keys[walk->count].data == NULL)
		return ERR_NOMEM;
	walk->count++;
	return ERR_OK;
}

/* The record as it is now, which is never behind what was logged. */
static enum err log_records(struct cache_read *read, struct log_walk *walk, size_t *out_count)
{
	size_t total = 0;

	for (*out_count = 0; *out_count < walk->count && total < CORE_CHUNK_BYTES_MAX;
		(*out_count)++) {
		struct slice bytes;
		enum err err = cache_get_bytes(read, walk->keys[*out_count], &bytes);

		if (err == ERR_OK)
			err = copy_record(&walk->entries[*out_count].record, walk->arena, bytes);
		else if (err == ERR_MISS)
			err = ERR_OK;
		if (err != ERR_OK)
			return err;
		total += walk->entries[*out_count].record.bytes.len;
	}
	return ERR_OK;
}

enum err reader_log(
	struct cache *cache, struct arena *arena, uint64_t first, struct core_event *event)
{
	struct log_walk walk = { .arena = arena };
	struct cache_read *read = NULL;
	enum err err;

	walk.entries = arena_array(arena, CORE_LOG_ENTRIES_MAX, sizeof(*walk.entries));
	walk.keys = arena_array(arena, CORE_LOG_ENTRIES_MAX, sizeof(*walk.keys));
	if (walk.entries == NULL || walk.keys == NULL)
		return ERR_NOMEM;
	event->log.entries = walk.entries;
	TRY(cache_read_begin(&read, cache));
	TRY(read_own(read, &event->log.own));
	if (first > event->log.own.seq)
		goto out;
	err = cache_log_read(read, first, CORE_LOG_ENTRIES_MAX, log_visit, &walk);
	if (err == ERR_OK && walk.count == 0)
		err = ERR_MISS;
	event->log.trimmed = err == ERR_MISS;
	if (err == ERR_MISS) {
		err = ERR_OK;
		goto out;
	}
	TRY(err);
	TRY(log_records(read, &walk, &event->log.entry_count));
	event->log.more = first + event->log.entry_count <= event->log.own.seq;
out:
	cache_read_end(read);
	return err;
}

/* ---- snapshot ---- */

struct snapshot_walk {
	struct arena *arena;
	struct core_record *records;
	size_t count, bytes;
	struct core_cursor at;
	bool full;
};

static enum err snapshot_visit(void *ctx, struct slice record_key, struct slice bytes)
{
	struct snapshot_walk *walk = ctx;
	enum err err = copy_record(&walk->records[walk->count], walk->arena, bytes);

	if (err != ERR_OK)
		return err;
	if (record_key.len > sizeof(walk->at.after))
		return ERR_CORRUPT;
	walk->at.after_len = (uint8_t) record_key.len;
	bytes_copy(walk->at.after, record_key.data, record_key.len);
	if (walk->records[walk->count].bytes.len > 0)
		walk->count++;
	walk->bytes += bytes.len;
	walk->full = walk->count == WIRE_RECORDS_MAX || walk->bytes >= CORE_CHUNK_BYTES_MAX;
	/* Ends the walk early; told from a true error by `full`. */
	return walk->full ? ERR_LIMIT : ERR_OK;
}

/* Of a kind, or of a kind within one bucket; *more says whether there are further ones. */
static enum err snapshot_read(struct snapshot_walk *walk, struct cache_read *read,
	const struct core_cursor *cursor, const uint16_t *bucket, bool *more)
{
	struct cache_walk ask = {
		.kind = cursor->kind,
		.after = slice_of(cursor->after, cursor->after_len),
		.records_max = WIRE_RECORDS_MAX,
		.visit = snapshot_visit,
		.ctx = walk,
	};
	enum err err = bucket == NULL ? cache_walk(read, &ask, more)
				      : cache_digest_walk(read, *bucket, &ask, more);

	if (err == ERR_LIMIT && walk->full) {
		*more = true;
		return ERR_OK;
	}
	return err;
}

static enum err snapshot_fill(struct cache *cache, struct arena *arena,
	const struct core_cursor *cursor, const uint16_t *bucket, struct core_event *event)
{
	struct snapshot_walk walk = { .arena = arena, .at = *cursor };
	struct cache_read *read = NULL;
	bool more = false;
	enum err err;

	walk.records = arena_array(arena, WIRE_RECORDS_MAX, sizeof(*walk.records));
	if (walk.records == NULL)
		return ERR_NOMEM;
	TRY(cache_read_begin(&read, cache));
	TRY(read_own(read, &event->snapshot.own));
	TRY(snapshot_read(&walk, read, cursor, bucket, &more));
	if (!more && cursor->kind == RECORD_CLIENT)
		walk.at = (struct core_cursor){ .kind = RECORD_OBJECT };
	else
		event->snapshot.end = !more;
	event->snapshot.records = walk.records;
	event->snapshot.record_count = walk.count;
	event->snapshot.at = walk.at;
out:
	cache_read_end(read);
	return err;
}

enum err reader_snapshot(struct cache *cache, struct arena *arena, const struct core_cursor *cursor,
	struct core_event *event)
{
	return snapshot_fill(cache, arena, cursor, NULL, event);
}

enum err reader_bucket(struct cache *cache, struct arena *arena, uint16_t bucket,
	const struct core_cursor *cursor, struct core_event *event)
{
	return snapshot_fill(cache, arena, cursor, &bucket, event);
}

/* ---- digests ---- */

static bool digest_wants(void *ctx, const struct instance_id *instance)
{
	return core_is_common(ctx, instance);
}

enum err reader_digest(struct cache *cache, struct arena *arena, const struct reader_digest *ask,
	struct core_event *event)
{
	struct cache_digest *digest = ARENA_NEW(arena, struct cache_digest);
	struct cache_read *read = NULL;
	struct wire_applied applied;
	enum err err = digest == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	digest->first = ask->first;
	digest->count = ask->count;
	digest->wants = digest_wants;
	digest->ctx = (void *) ask->core;
	digest->cut = clock_wall_seconds() - CACHE_GRAVE_AGE_S;
	TRY(cache_read_begin(&read, cache));
	TRY(read_own(read, &event->digest.own));
	TRY(read_applied(read, ask->fact, &applied));
	TRY(cache_digest_read(read, digest));
	if (digest->damaged > 0)
		log_error("records-damaged",
			"count=%zu bucket=%u effect=\"not served, sent or compared\"",
			digest->damaged, (unsigned) digest->first);
	event->digest.digest = digest;
	event->digest.applied = applied.position;
out:
	cache_read_end(read);
	return err;
}
