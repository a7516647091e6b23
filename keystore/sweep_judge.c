/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/sweep_private.h"
#include "base/clock.h"
#include "keystore/absent.h"
#include "keystore/alias.h"
#include "keystore/envelope.h"
#include "keystore/ledger_note.h"
#include "keystore/missing.h"

struct page {
	struct sweep *sweep;
	struct cache_read *read;
	struct arena *arena;
	int64_t now;
	struct uid uid; /* of the object that the key judged last holds */
};

bool sweep_is_whole(const struct sweep_options *options)
{
	return options->objects && !options->deletions && options->updated_since == 0;
}

struct intent_search {
	const uint8_t *nonce;
	bool found;
};

static enum err intent_compare(void *ctx, const uint8_t nonce[16], struct slice body)
{
	struct intent_search *search = ctx;

	(void) body;
	if (slice_equal(slice_of(nonce, ENVELOPE_NONCE_LEN),
		    slice_of(search->nonce, ENVELOPE_NONCE_LEN)))
		search->found = true;
	return ERR_OK;
}

/* Keys with an intent are the create flow's, or resolve.c's. */
static bool page_may_adopt(
	struct page *page, const struct keymanager_key *key, const uint8_t *nonce)
{
	const struct sweep_options *options = &page->sweep->options;
	struct intent_search search = { .nonce = nonce };

	if (!options->objects || flow_key_is_dead(key))
		return false;
	if (!options->rebuild && !options->young && key->created > page->now - SWEEP_ADOPT_AGE_S)
		return false;
	return cache_walk_intents(page->read, intent_compare, &search) == ERR_OK && !search.found;
}

/* A key that does not hold the object, or not any more: made by a migration, or before it. */
static enum sweep_action page_judge_other(
	const struct page *page, const struct keymanager_key *key, const struct object *object)
{
	bool ends_it =
		uid_equal(&key->id, &object->uid) && object_ends_with_old(object, key->deletion);

	if (flow_key_is_dead(key))
		return !object->dead && ends_it ? SWEEP_LOOK_AGAIN : SWEEP_NOTHING;
	/* Left over of a destroyed one: it is to be deleted, once it was proved to be ours. */
	return object->dead && page->sweep->options.objects ? SWEEP_ADOPT : SWEEP_NOTHING;
}

/* Of which only the ledger told so far: it is served to nobody before the peer, or the listing of
 * everything, has told the rest. */
static bool page_leaves_to_rebuild(const struct page *page, const struct object *object)
{
	const struct sweep *sweep = page->sweep;

	return !object->has_material && !object->dead && !sweep->flow.instance->rebuilt &&
	       !sweep_is_whole(&sweep->options);
}

static enum sweep_action page_judge_object(
	struct page *page, const struct keymanager_key *key, const uint8_t *nonce)
{
	struct object *object;
	enum err err = alias_get_object(page->read, page->arena, &key->id, &object);

	if (err == ERR_OK && page_leaves_to_rebuild(page, object))
		return SWEEP_NOTHING;
	if (err == ERR_OK)
		page->uid = object->uid;
	if (err == ERR_OK && !uid_equal(&object->key_id, &key->id))
		return page_judge_other(page, key, object);
	page->sweep->counts.objects++;
	if (err != ERR_OK)
		return page_may_adopt(page, key, nonce) ? SWEEP_ADOPT : SWEEP_NOTHING;
	if (object->unclaimed && !object->dead)
		page->sweep->counts.unclaimed++;
	if (flow_key_is_dead(key) != object->dead ||
		(!object->dead && missing_is(page->read, &object->uid)))
		return SWEEP_LOOK_AGAIN;
	/* So far only the ledger told of it. */
	if (!object->has_material && !object->dead && page_may_adopt(page, key, nonce))
		return SWEEP_ADOPT;
	return SWEEP_NOTHING;
}

/* Judged when a listing of everything is over: what was in it may have been written elsewhere
 * before. */
static void page_note_gone(struct page *page, const struct keymanager_key *key)
{
	struct sweep *sweep = page->sweep;
	struct ledger_note note;

	if (!sweep->options.deletions && sweep->options.updated_since == 0 &&
		sweep->gone_count < SWEEP_GONE_MAX &&
		ledger_note_get(&note, page->read, &key->id) == ERR_OK)
		sweep->gone[sweep->gone_count++] = key->id;
}

static enum sweep_action page_judge_ledger(struct page *page, const struct keymanager_key *key)
{
	char fact[INSTANCE_FACT_LEN];
	struct slice value;

	if (flow_key_is_dead(key)) {
		page_note_gone(page, key);
		return SWEEP_NOTHING;
	}
	page->sweep->counts.ledger_records++;
	instance_fact_record(fact, &key->id);
	return cache_get_fact(page->read, fact, &value) == ERR_OK ? SWEEP_NOTHING
								  : SWEEP_READ_LEDGER;
}

static enum sweep_action page_judge(struct page *page, const struct keymanager_key *key)
{
	uint8_t nonce[ENVELOPE_NONCE_LEN];
	enum envelope_kind kind;

	if (!key->standard || envelope_parse_name(&kind, nonce, &page->sweep->flow.instance->id,
				      key->name) != ERR_OK)
		return SWEEP_NOTHING;
	if (kind == ENVELOPE_LEDGER)
		return page_judge_ledger(page, key);
	if (page->sweep->options.only_ledger)
		return SWEEP_NOTHING;
	return page_judge_object(page, key, nonce);
}

enum err sweep_judge(struct sweep *sweep, const struct keymanager_listed *result)
{
	struct page page = { .sweep = sweep,
		.now = keymanager_seconds(sweep->flow.instance->keymanager) };
	enum err err;

	sweep->entry_count = sweep->entry_next = 0;
	sweep->counts.listed += result->count;
	TRY(arena_new(&page.arena, FLOW_ARENA_LEN_MAX));
	TRY(cache_read_begin(&page.read, sweep->flow.keystore->cache));
	for (size_t i = 0; i < result->count && i < KEYMANAGER_LIST_MAX; i++) {
		struct sweep_entry entry = { .id = result->keys[i].id };

		page.uid = entry.id;
		entry.action = page_judge(&page, &result->keys[i]);
		absent_see(sweep->absent, &entry.id);
		if (entry.action == SWEEP_LOOK_AGAIN)
			entry.id = page.uid;
		arena_reset(page.arena);
		if (entry.action != SWEEP_NOTHING)
			sweep->entries[sweep->entry_count++] = entry;
	}
out:
	cache_read_end(page.read);
	arena_free(page.arena);
	return err;
}
