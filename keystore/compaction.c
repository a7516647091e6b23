/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In the order of time: survey what is known -> write what still counts -> read it back -> see it
 * in a listing -> delete the old ones, each with its note. A crash in between leaves some things
 * twice in the ledger, and nothing missing.
 */
#include "keystore/compaction.h"
#include "base/clock.h"
#include "base/log.h"
#include "keystore/ledger_fill.h"
#include "keystore/ledger_note.h"
#include "keystore/ledger_read.h"
#include "keystore/lookup.h"

struct move {
	uint8_t key[RECORD_KEY_LEN_MAX];
	size_t key_len;
	struct uid by; /* the new ledger record; zero: not written as a whole */
};

/* A ledger record that the deletion of another one will rely on: read back first. */
struct proof {
	struct uid id;
	bool fresh; /* made by this compaction: to be seen in a listing, too */
};

struct compaction {
	struct keystore_pending flow;
	struct keystore_pending *work; /* filling or reading back */
	struct uid surveyed; /* the last one */
	size_t judged; /* in this turn */
	bool rewrite; /* what another root key wraps, and nothing else */
	size_t poor_count; /* of all */
	struct uid poor[COMPACTION_RECORDS_MAX];
	size_t taken;
	struct move moves[COMPACTION_MOVES_MAX];
	size_t move_count, move_next;
	struct proof proofs[COMPACTION_PROOFS_MAX];
	size_t proof_count, proof_next, fresh_count;
	size_t delete_next, deleted;
	int64_t begun;
	void (*on_done)(void *ctx, enum err err, size_t deleted);
	void *ctx;
};

static void compaction_on_end(struct keystore_pending *flow)
{
	struct compaction *compaction = (struct compaction *) flow;

	if (compaction->work != NULL)
		flow_end(compaction->work);
}

static void compaction_finish(struct compaction *compaction, enum err err)
{
	void (*on_done)(void *, enum err, size_t) = compaction->on_done;
	size_t deleted = compaction->deleted;
	void *ctx = compaction->ctx;

	if (compaction->fresh_count > 0)
		log_event(err == ERR_OK ? LOG_INFO : LOG_WARNING, "ledger-compacted",
			"instance=%s written=%zu deleted=%zu result=%s",
			compaction->flow.instance->id.text, compaction->fresh_count, deleted,
			err_name(err));
	flow_end(&compaction->flow);
	on_done(ctx, err, deleted);
}

/* ---- survey ---- */

static bool is_taken(const struct compaction *compaction, const struct uid *id)
{
	for (size_t i = 0; i < compaction->taken; i++)
		if (uid_equal(&compaction->poor[i], id))
			return true;
	return false;
}

/* What a ledger record's entry is worth, as far as this node knows. What was once merged and is no
 * more was a tombstone until the key manager forgot the key, too (design D20): it counts no more.
 */
static enum err entry_cover(struct ledger_cover *out, struct cache_read *read, struct arena *arena,
	const struct ledger_note_entry *entry)
{
	enum err err;

	arena_reset(arena);
	err = ledger_cover_get(out, read, arena, entry->record_key);
	return err == ERR_MISS ? ERR_OK : err;
}

/* Does the entry still count? */
static bool entry_counts(const struct ledger_cover *cover, const struct uid *id)
{
	return cover->needed && !(cover->covered && !uid_equal(&cover->by, id));
}

struct survey {
	struct compaction *compaction;
	struct cache_read *read;
	struct arena *arena;
};

static enum err survey_judge(struct survey *survey, struct ledger_note note, bool *poor)
{
	size_t total = 0, live = 0;
	struct ledger_note_entry entry;
	struct ledger_cover cover;
	enum err err;

	*poor = false;
	while (ledger_note_next(&note, &entry)) {
		/* What cannot be read here cannot be rewritten here. */
		err = entry_cover(&cover, survey->read, survey->arena, &entry);
		if (err != ERR_OK)
			return ERR_OK;
		total++;
		live += entry_counts(&cover, &note.id);
	}
	if (survey->compaction->rewrite)
		*poor = !uid_equal(
			&note.crk, &survey->compaction->flow.instance->crks[KEYMANAGER_CRK].id);
	else
		*poor = 2 * note.plain_len < LEDGER_PLAIN_LEN_MAX || 2 * live < total;
	return ERR_OK;
}

static const struct proof *proof_find(const struct compaction *compaction, const struct uid *id)
{
	for (size_t i = 0; i < compaction->proof_count; i++)
		if (uid_equal(&compaction->proofs[i].id, id))
			return &compaction->proofs[i];
	return NULL;
}

/* Without room for its proof nothing that relies on it is deleted. */
static void proof_add(struct compaction *compaction, const struct uid *id, bool fresh)
{
	if (proof_find(compaction, id) != NULL || compaction->proof_count == COMPACTION_PROOFS_MAX)
		return;
	compaction->proofs[compaction->proof_count++] = (struct proof){ .id = *id, .fresh = fresh };
	compaction->fresh_count += fresh;
}

static void move_add(struct compaction *compaction, struct slice key)
{
	struct move *move = &compaction->moves[compaction->move_count];

	for (size_t i = 0; i < compaction->move_count; i++)
		if (slice_equal(
			    slice_of(compaction->moves[i].key, compaction->moves[i].key_len), key))
			return;
	if (compaction->move_count == COMPACTION_MOVES_MAX)
		return; /* its ledger record stays then */
	bytes_copy(move->key, key.data, key.len);
	move->key_len = key.len;
	compaction->move_count++;
}

static enum err survey_take(struct survey *survey, struct ledger_note note)
{
	struct compaction *compaction = survey->compaction;
	struct ledger_note_entry entry;
	struct ledger_cover cover;
	enum err err = ERR_OK;

	compaction->poor_count++;
	if (compaction->taken == COMPACTION_RECORDS_MAX)
		return ERR_OK;
	compaction->poor[compaction->taken++] = note.id;
	while (ledger_note_next(&note, &entry)) {
		TRY(entry_cover(&cover, survey->read, survey->arena, &entry));
		if (entry_counts(&cover, &note.id))
			move_add(compaction, entry.record_key);
		else if (cover.covered)
			proof_add(compaction, &cover.by, false);
	}
out:
	return err;
}

static enum err survey_visit(void *ctx, struct ledger_note *note)
{
	struct survey *survey = ctx;
	struct compaction *compaction = survey->compaction;
	bool poor;
	enum err err;

	if (compaction->judged == COMPACTION_TURN)
		return ERR_LIMIT;
	compaction->judged++;
	compaction->surveyed = note->id;
	if (note->newer || !instance_id_equal(&note->instance, &compaction->flow.instance->id))
		return ERR_OK;
	TRY(survey_judge(survey, *note, &poor));
	if (poor)
		TRY(survey_take(survey, *note));
out:
	return err;
}

static void compaction_write(struct compaction *compaction);

static void compaction_survey(void *ctx)
{
	struct compaction *compaction = ctx;
	struct survey survey = { .compaction = compaction };
	static const struct uid none;
	bool first = uid_equal(&compaction->surveyed, &none);
	size_t least = compaction->rewrite ? 0 : COMPACTION_RECORDS_MIN;
	enum err err;

	compaction->judged = 0;
	TRY(arena_new(&survey.arena, FLOW_ARENA_LEN_MAX));
	TRY(cache_read_begin(&survey.read, compaction->flow.keystore->cache));
	err = ledger_note_walk(
		survey.read, first ? NULL : &compaction->surveyed, survey_visit, &survey);
out:
	cache_read_end(survey.read);
	arena_free(survey.arena);
	if (err == ERR_LIMIT)
		flow_defer(&compaction->flow, compaction_survey);
	else if (err != ERR_OK || compaction->poor_count <= least)
		compaction_finish(compaction, err);
	else
		compaction_write(compaction);
}

/* ---- write ---- */

static enum err write_next(void *ctx, struct buf *record_key)
{
	struct compaction *compaction = ctx;
	const struct move *move = &compaction->moves[compaction->move_next];

	if (compaction->move_next == compaction->move_count)
		return ERR_MISS;
	compaction->move_next++;
	return buf_append(record_key, slice_of(move->key, move->key_len));
}

static struct move *move_find(struct compaction *compaction, struct slice key)
{
	for (size_t i = 0; i < compaction->move_count; i++) {
		struct move *move = &compaction->moves[i];

		if (slice_equal(slice_of(move->key, move->key_len), key))
			return move;
	}
	return NULL;
}

static void write_on_one(void *ctx, struct slice record_key, const struct uid *by)
{
	struct compaction *compaction = ctx;
	struct move *move = move_find(compaction, record_key);

	ASSERT(move != NULL);
	move->by = *by;
	proof_add(compaction, by, true);
}

static void compaction_read_back(struct compaction *compaction);

static void write_on_done(void *ctx, enum err err, const struct ledger_fill_counts *counts)
{
	struct compaction *compaction = ctx;

	(void) counts;
	compaction->work = NULL;
	if (err != ERR_OK) {
		compaction_finish(compaction, err);
		return;
	}
	KILL_POINT(compaction->flow.keystore, compaction_written);
	compaction_read_back(compaction);
}

static void compaction_write(struct compaction *compaction)
{
	struct ledger_fill_options options = { .next = write_next,
		.again = true,
		.on_written = write_on_one,
		.on_done = write_on_done,
		.ctx = compaction };
	enum err err = ledger_fill_start(&compaction->work, compaction->flow.instance, &options);

	if (err != ERR_OK)
		compaction_finish(compaction, err);
}

/* ---- read back, and see in a listing ---- */

static void compaction_list(struct compaction *compaction);

static void read_back_on_read(void *ctx, enum err err)
{
	struct compaction *compaction = ctx;

	compaction->work = NULL;
	if (err != ERR_OK) {
		compaction_finish(compaction, err);
		return;
	}
	compaction->proof_next++;
	compaction_read_back(compaction);
}

static void compaction_read_back(struct compaction *compaction)
{
	enum err err;

	if (compaction->proof_next == compaction->proof_count) {
		KILL_POINT(compaction->flow.keystore, compaction_proved);
		compaction_list(compaction);
		return;
	}
	err = ledger_read_start(&compaction->work, compaction->flow.instance,
		&compaction->proofs[compaction->proof_next].id, read_back_on_read, compaction);
	if (err != ERR_OK)
		compaction_finish(compaction, err);
}

static void compaction_delete(struct compaction *compaction);

static bool is_listed(const struct keymanager_listed *result, const struct uid *id)
{
	for (size_t i = 0; i < result->count; i++)
		if (uid_equal(&result->keys[i].id, id))
			return !flow_key_is_dead(&result->keys[i]);
	return false;
}

/* What others do not see in their listing is not yet a replacement: another day. */
static void list_on_listed(void *ctx, const struct keymanager_listed *result)
{
	struct compaction *compaction = ctx;
	enum err err = result->err;

	compaction->flow.call = NULL;
	for (size_t i = 0; err == ERR_OK && i < compaction->proof_count; i++)
		if (compaction->proofs[i].fresh && !is_listed(result, &compaction->proofs[i].id))
			err = ERR_AGAIN;
	if (err != ERR_OK) {
		compaction_finish(compaction, err);
		return;
	}
	KILL_POINT(compaction->flow.keystore, compaction_listed);
	compaction_delete(compaction);
}

static void compaction_list(struct compaction *compaction)
{
	struct keymanager_list_query query = { .created_since = compaction->begun - LOOKUP_MARGIN_S,
		.newest_first = true,
		.limit = KEYMANAGER_LIST_MAX };
	struct keymanager_call call;
	enum err err;

	compaction->flow.deadline_ms = clock_boot_ms() + FLOW_BACKGROUND_MS;
	call = flow_call(&compaction->flow, 100);
	err = keymanager_list_start(&compaction->flow.call, compaction->flow.instance->keymanager,
		&query, list_on_listed, &call);
	if (err != ERR_OK)
		compaction_finish(compaction, err);
}

/* ---- delete ---- */

/* Stays, and was read back. */
static bool is_relied_on(const struct compaction *compaction, const struct uid *id)
{
	return !is_taken(compaction, id) && proof_find(compaction, id) != NULL;
}

/* Is all that it says, or something later, in a ledger record that stays? */
static enum err delete_judge(struct compaction *compaction, const struct uid *id, bool *may_go)
{
	struct cache_read *read = NULL;
	struct ledger_note_entry entry;
	struct ledger_cover cover;
	struct ledger_note note;
	enum err err;

	*may_go = false;
	TRY(cache_read_begin(&read, compaction->flow.keystore->cache));
	err = ledger_note_get(&note, read, id);
	/* Gone already, by the peer's hand. */
	if (err == ERR_MISS) {
		err = ERR_OK;
		goto out;
	}
	TRY(err);
	*may_go = true;
	while (*may_go && ledger_note_next(&note, &entry)) {
		const struct move *move = move_find(compaction, entry.record_key);

		TRY(entry_cover(&cover, read, compaction->flow.arena, &entry));
		*may_go = !cover.needed || (move != NULL && is_relied_on(compaction, &move->by)) ||
			  (cover.covered && is_relied_on(compaction, &cover.by));
	}
out:
	cache_read_end(read);
	return err;
}

static enum err delete_write(void *ctx, struct cache_write *write, struct arena *arena)
{
	struct compaction *compaction = ctx;
	size_t lost;

	return ledger_note_lose(write, arena, &compaction->poor[compaction->delete_next], &lost);
}

static void delete_on_committed(void *ctx, enum err err)
{
	struct compaction *compaction = ctx;

	if (err != ERR_OK && err != ERR_MISS) {
		compaction_finish(compaction, err);
		return;
	}
	KILL_POINT(compaction->flow.keystore, compaction_noted);
	compaction->deleted++;
	compaction->flow.instance->ledger_records -= compaction->flow.instance->ledger_records > 0;
	compaction->delete_next++;
	compaction_delete(compaction);
}

static void delete_on_deleted(void *ctx, const struct keymanager_done *result)
{
	struct compaction *compaction = ctx;
	enum err err = result->err == ERR_NOT_FOUND ? ERR_OK : result->err;

	compaction->flow.call = NULL;
	if (err == ERR_OK)
		KILL_POINT(compaction->flow.keystore, compaction_deleted);
	if (err == ERR_OK)
		err = flow_commit(&compaction->flow, delete_write, delete_on_committed);
	if (err != ERR_OK)
		compaction_finish(compaction, err);
}

static enum err delete_one(struct compaction *compaction)
{
	struct keymanager_call call;

	compaction->flow.deadline_ms = clock_boot_ms() + FLOW_BACKGROUND_MS;
	call = flow_call(&compaction->flow, 100);
	return keymanager_delete_start(&compaction->flow.call,
		compaction->flow.instance->keymanager, &compaction->poor[compaction->delete_next],
		delete_on_deleted, &call);
}

static void compaction_delete(struct compaction *compaction)
{
	enum err err = ERR_OK;

	for (; compaction->delete_next < compaction->taken; compaction->delete_next++) {
		bool may_go;

		TRY(delete_judge(compaction, &compaction->poor[compaction->delete_next], &may_go));
		if (!may_go)
			continue;
		TRY(delete_one(compaction));
		return;
	}
out:
	compaction_finish(compaction, err);
}

/* ---- start ---- */

enum err compaction_start(struct keystore_pending **out, struct instance *instance, bool rewrite,
	void (*on_done)(void *ctx, enum err err, size_t deleted), void *ctx)
{
	struct keystore_pending *flow;
	struct compaction *compaction;
	enum err err;

	TRY(flow_new(&flow, sizeof(*compaction), instance->keystore, instance));
	compaction = (struct compaction *) flow;
	flow->background = true;
	flow->on_end = compaction_on_end;
	compaction->rewrite = rewrite;
	compaction->begun = keymanager_seconds(instance->keymanager);
	compaction->on_done = on_done;
	compaction->ctx = ctx;
	flow_defer(flow, compaction_survey);
	*out = flow;
out:
	return err;
}
