/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/ledger_note.h"
#include <stdio.h>
#include "base/clock.h"
#include "base/crypt.h"
#include "base/text.h"

enum {
	NOTE_VERSION = 2,
	COVER_NAME_BYTES = 24, /* of SHA-256(record key): a fact's name is short */
	COVER_NAME_LEN = CACHE_FACT_NAME_LEN_MAX + 1,
	UID_LEN = 16
};

/* ---- covers: value = hash of the trace, id of the ledger record ---- */

static enum err cover_name(char out[COVER_NAME_LEN], struct slice record_key)
{
	char hex[2 * COVER_NAME_BYTES + 1];
	uint8_t hash[CRYPT_SHA256_LEN];
	enum err err;

	TRY(crypt_sha256(hash, record_key));
	text_hex(hex, slice_of(hash, COVER_NAME_BYTES));
	snprintf(out, COVER_NAME_LEN, "ledger-at-%s", hex);
out:
	return err;
}

struct cover {
	uint8_t hash[TRACE_HASH_LEN];
	struct uid by;
};

static enum err cover_load(struct cover *out, struct cache_read *read, struct slice record_key)
{
	char name[COVER_NAME_LEN];
	struct slice value;
	enum err err;

	TRY(cover_name(name, record_key));
	TRY(cache_get_fact(read, name, &value));
	if (!slice_copy_exact(out->hash, TRACE_HASH_LEN, slice_cut(value, 0, TRACE_HASH_LEN)) ||
		!slice_copy_exact(
			out->by.bytes, UID_LEN, slice_cut(value, TRACE_HASH_LEN, SIZE_MAX)))
		return ERR_CORRUPT;
out:
	return err;
}

static enum err cover_save(
	struct cache_write *write, struct slice record_key, const struct cover *cover)
{
	uint8_t value[TRACE_HASH_LEN + UID_LEN];
	char name[COVER_NAME_LEN];
	enum err err;

	bytes_copy(value, cover->hash, TRACE_HASH_LEN);
	bytes_copy(value + TRACE_HASH_LEN, cover->by.bytes, UID_LEN);
	TRY(cover_name(name, record_key));
	TRY(cache_put_fact(write, name, slice_of(value, sizeof(value))));
out:
	return err;
}

static bool same_hash(const uint8_t a[TRACE_HASH_LEN], const uint8_t b[TRACE_HASH_LEN])
{
	return slice_equal(slice_of(a, TRACE_HASH_LEN), slice_of(b, TRACE_HASH_LEN));
}

static enum err cached_record(
	struct record *out, struct cache_read *read, struct arena *arena, struct slice record_key)
{
	struct slice bytes;
	enum err err;

	TRY(cache_get_bytes(read, record_key, &bytes));
	bytes = arena_copy(arena, bytes);
	TRY(bytes.data == NULL ? ERR_NOMEM : ERR_OK);
	TRY(record_decode(out, arena, bytes));
out:
	return err;
}

enum err ledger_cover_get(struct ledger_cover *out, struct cache_read *read, struct arena *arena,
	struct slice record_key)
{
	uint8_t hash[TRACE_HASH_LEN];
	struct cover cover;
	enum err err;

	*out = (struct ledger_cover){ 0 };
	TRY(cached_record(&out->record, read, arena, record_key));
	out->needed = trace_is_needed(&out->record, clock_wall_seconds());
	TRY(trace_hash(hash, &out->record));
	out->hash = be64_get(hash);
	if (cover_load(&cover, read, record_key) != ERR_OK)
		return ERR_OK;
	out->covered = same_hash(cover.hash, hash);
	out->by = cover.by;
out:
	return err;
}

/*
 * Of several ledger records that hold the same trace the one with the smallest id counts, so that
 * two nodes that compact never rely on one another's leavings.
 */
static enum err cover_learn(struct cache_write *write, struct arena *arena,
	const struct cover *learned, struct slice record_key)
{
	struct cache_read *read = cache_write_read(write);
	uint8_t now[TRACE_HASH_LEN];
	struct record record;
	struct cover there;
	enum err err;

	if (cover_load(&there, read, record_key) == ERR_OK &&
		same_hash(there.hash, learned->hash)) {
		if (slice_compare(slice_of(there.by.bytes, UID_LEN),
			    slice_of(learned->by.bytes, UID_LEN)) <= 0)
			return ERR_OK;
		return cover_save(write, record_key, learned);
	}
	err = cached_record(&record, read, arena, record_key);
	if (err == ERR_MISS)
		return ERR_OK;
	TRY(err);
	TRY(trace_hash(now, &record));
	if (same_hash(now, learned->hash))
		err = cover_save(write, record_key, learned);
out:
	return err;
}

/* ---- notes: version, newer, root key (16), instance, plain length (4), then each record key
 * (16-bit length) and the beginning of its trace's hash (8) ---- */

static enum err note_entry(struct cache_write *write, struct arena *arena, struct ledger_note *note,
	struct slice bytes, struct buf *value)
{
	struct cover learned = { .by = note->id };
	struct record record;
	struct buf key;
	enum err err;

	buf_init(&key, RECORD_KEY_LEN_MAX);
	TRY(record_decode(&record, arena, bytes));
	TRY(trace_hash(learned.hash, &record));
	note->newer |= record.minor > RECORD_MINOR;
	TRY(record_key(&key, &record));
	TRY(buf_append_bytes16(value, buf_slice(&key)));
	TRY(buf_append_be64(value, be64_get(learned.hash)));
	TRY(cover_learn(write, arena, &learned, buf_slice(&key)));
out:
	buf_free(&key);
	return err;
}

enum err ledger_note_put(struct cache_write *write, struct arena *arena,
	const struct ledger_note *options, struct slice plain)
{
	struct ledger_note note = *options;
	struct cursor cursor = cursor_of(plain);
	char name[INSTANCE_FACT_LEN];
	struct buf keys, value;
	enum err err;

	buf_init(&keys, CACHE_FACT_LEN_MAX);
	buf_init(&value, CACHE_FACT_LEN_MAX);
	while (cursor.rest.len > 0) {
		struct slice bytes = cursor_bytes32(&cursor, RECORD_LEN_MAX);

		TRY(cursor.bad ? ERR_CORRUPT : ERR_OK);
		TRY(note_entry(write, arena, &note, bytes, &keys));
	}
	TRY(buf_append_u8(&value, NOTE_VERSION));
	TRY(buf_append_u8(&value, note.newer));
	TRY(buf_append(&value, slice_of(note.crk.bytes, UID_LEN)));
	TRY(buf_append_bytes16(&value, instance_id_slice(&note.instance)));
	TRY(buf_append_be32(&value, (uint32_t) plain.len));
	TRY(buf_append(&value, buf_slice(&keys)));
	instance_fact_record(name, &note.id);
	TRY(cache_put_fact(write, name, buf_slice(&value)));
out:
	buf_free(&value);
	buf_free(&keys);
	return err;
}

enum err ledger_note_parse(struct ledger_note *out, const struct uid *id, struct slice value)
{
	struct slice instance;
	enum err err;

	*out = (struct ledger_note){ .id = *id, .keys = cursor_of(value) };
	TRY(cursor_u8(&out->keys) == NOTE_VERSION ? ERR_OK : ERR_CORRUPT);
	out->newer = cursor_u8(&out->keys) != 0;
	(void) slice_copy_exact(out->crk.bytes, UID_LEN, cursor_bytes(&out->keys, UID_LEN));
	instance = cursor_bytes16(&out->keys, INSTANCE_ID_LEN_MAX);
	out->plain_len = cursor_be32(&out->keys);
	TRY(out->keys.bad ? ERR_CORRUPT : ERR_OK);
	TRY(instance_id_parse(&out->instance, instance));
out:
	return err;
}

enum err ledger_note_get(struct ledger_note *out, struct cache_read *read, const struct uid *id)
{
	char name[INSTANCE_FACT_LEN];
	struct slice value;
	enum err err;

	instance_fact_record(name, id);
	TRY(cache_get_fact(read, name, &value));
	TRY(ledger_note_parse(out, id, value));
out:
	return err;
}

bool ledger_note_next(struct ledger_note *note, struct ledger_note_entry *out)
{
	if (note->keys.bad || note->keys.rest.len == 0)
		return false;
	out->record_key = cursor_bytes16(&note->keys, RECORD_KEY_LEN_MAX);
	out->hash = cursor_be64(&note->keys);
	return !note->keys.bad;
}

struct note_walk {
	enum err (*visit)(void *ctx, struct ledger_note *note);
	void *ctx;
};

/* A note that cannot be read says nothing. */
static enum err walk_on_fact(void *ctx, struct slice name, struct slice value)
{
	struct note_walk *walk = ctx;
	struct ledger_note note;
	struct uid id;

	if (uid_parse(&id, slice_cut(name, name.len - UUID_TEXT_LEN, UUID_TEXT_LEN)) != ERR_OK ||
		ledger_note_parse(&note, &id, value) != ERR_OK)
		return ERR_OK;
	return walk->visit(walk->ctx, &note);
}

enum err ledger_note_walk(struct cache_read *read, const struct uid *after,
	enum err (*visit)(void *ctx, struct ledger_note *note), void *ctx)
{
	struct note_walk walk = { .visit = visit, .ctx = ctx };
	char name[INSTANCE_FACT_LEN] = "";

	if (after != NULL)
		instance_fact_record(name, after);
	return cache_walk_facts(read, "ledger-key-", slice_text(name), walk_on_fact, &walk);
}

/* ---- a ledger record that is gone ---- */

struct holder_search {
	struct slice record_key;
	uint64_t hash;
	struct uid id;
	bool found;
};

static enum err holder_visit(void *ctx, struct ledger_note *note)
{
	struct holder_search *search = ctx;
	struct ledger_note_entry entry;

	while (!search->found && ledger_note_next(note, &entry)) {
		search->found = entry.hash == search->hash &&
				slice_equal(entry.record_key, search->record_key);
		search->id = note->id;
	}
	return ERR_OK;
}

static enum err lose_entry(struct cache_write *write, struct slice record_key,
	const struct ledger_cover *cover, size_t *lost)
{
	struct cache_read *read = cache_write_read(write);
	struct holder_search search = { .record_key = record_key, .hash = cover->hash };
	struct cover fresh;
	char name[COVER_NAME_LEN];
	enum err err;

	TRY(ledger_note_walk(read, NULL, holder_visit, &search));
	if (search.found) {
		fresh.by = search.id;
		TRY(trace_hash(fresh.hash, &cover->record));
		return cover_save(write, record_key, &fresh);
	}
	TRY(cover_name(name, record_key));
	TRY(cache_delete_fact(write, name));
	*lost += cover->needed;
out:
	return err;
}

enum err ledger_note_lose(
	struct cache_write *write, struct arena *arena, const struct uid *id, size_t *lost)
{
	struct cache_read *read = cache_write_read(write);
	char name[INSTANCE_FACT_LEN];
	struct ledger_note_entry entry;
	struct ledger_cover cover;
	struct ledger_note note;
	struct slice value;
	enum err err;

	*lost = 0;
	instance_fact_record(name, id);
	TRY(cache_get_fact(read, name, &value));
	/* Copied: writing moves the pages. */
	value = arena_copy(arena, value);
	TRY(value.data == NULL ? ERR_NOMEM : ERR_OK);
	TRY(cache_delete_fact(write, name));
	if (ledger_note_parse(&note, id, value) != ERR_OK)
		return ERR_OK;
	while (ledger_note_next(&note, &entry)) {
		err = ledger_cover_get(&cover, read, arena, entry.record_key);
		if (err == ERR_MISS ||
			(err == ERR_OK && cover.covered && !uid_equal(&cover.by, id)))
			continue;
		TRY(err);
		TRY(lose_entry(write, entry.record_key, &cover, lost));
	}
out:
	return err;
}

struct others {
	const struct instance_id *instance;
	const struct uid *crk;
	uint64_t count;
};

static enum err others_visit(void *ctx, struct ledger_note *note)
{
	struct others *others = ctx;

	others->count += !note->newer && instance_id_equal(&note->instance, others->instance) &&
			 !uid_equal(&note->crk, others->crk);
	return ERR_OK;
}

enum err ledger_note_count_others(uint64_t *out, struct cache_read *read,
	const struct instance_id *instance, const struct uid *crk)
{
	struct others others = { .instance = instance, .crk = crk };
	enum err err = ledger_note_walk(read, NULL, others_visit, &others);

	*out = others.count;
	return err;
}
