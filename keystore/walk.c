/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/walk.h"
#include "base/clock.h"
#include "base/log.h"
#include "keystore/pace.h"
#include "keystore/walk_memory.h"

enum {
	WALK_ARENA_MAX = 1 << 20,
	UID_LEN = sizeof(((struct uid *) NULL)->bytes),
};

struct walk {
	struct keystore_pending flow;
	struct walk_options options;
	char fact[WALK_FACT_LEN];
	struct walk_item items[WALK_AT_ONCE_MAX];
	struct walk_memory memory; /* its place: looked at up to here */
	bool at_end, stopping, queued;
	enum err waiting; /* for the key manager, and why */
	struct pace pace;
	uint64_t pause_ms, pause_until_ms;
	uint64_t answers; /* of the key manager, by what became of keys */
	bool unsaved;
	uint64_t save_due_ms;

	/* Of the part under way. */
	struct cache_read *read;
	struct arena *arena;
	size_t looked;
};

static void walk_poke(struct walk *walk);

static void walk_let_go(struct walk *walk)
{
	for (size_t i = 0; i < WALK_AT_ONCE_MAX; i++) {
		struct keystore_pending *work = walk->items[i].work;

		walk->items[i] = (struct walk_item){ 0 };
		if (work != NULL)
			flow_end(work);
	}
}

static void walk_on_end(struct keystore_pending *flow)
{
	walk_let_go((struct walk *) flow);
}

static void walk_finish(struct walk *walk, enum err err)
{
	struct walk_progress progress;
	struct walk_options options = walk->options;

	walk_progress(&walk->flow, &progress);
	flow_end(&walk->flow);
	options.on_done(options.ctx, err, &progress);
}

static size_t walk_running(const struct walk *walk)
{
	size_t count = 0;

	for (size_t i = 0; i < WALK_AT_ONCE_MAX; i++)
		count += walk->items[i].walk != NULL;
	return count;
}

static int compare_uids(const struct uid *a, const struct uid *b)
{
	return slice_compare(slice_of(a->bytes, UID_LEN), slice_of(b->bytes, UID_LEN));
}

/* ---- the place ---- */

static enum err walk_load(struct walk *walk)
{
	struct cache_read *read = NULL;
	enum err err;

	TRY(cache_read_begin(&read, walk->flow.keystore->cache));
	err = walk_memory_load(&walk->memory, read, walk->fact);
	if (err == ERR_INVALID)
		log_warning("walk-begins-anew", "what=%s instance=%s", walk->options.name,
			walk->flow.instance->id.text);
	err = err == ERR_MISS || err == ERR_INVALID ? ERR_OK : err;
out:
	cache_read_end(read);
	return err;
}

/* What came behind the oldest key that is still under way is looked at again by a later life. */
static const struct walk_item *walk_oldest(const struct walk *walk)
{
	const struct walk_item *oldest = NULL;

	for (size_t i = 0; i < WALK_AT_ONCE_MAX; i++) {
		const struct walk_item *item = &walk->items[i];

		if (item->walk != NULL &&
			(oldest == NULL || compare_uids(&item->uid, &oldest->uid) < 0))
			oldest = item;
	}
	return oldest;
}

static enum err walk_write_place(void *ctx, struct cache_write *write, struct arena *arena)
{
	struct walk *walk = ctx;
	struct walk_memory memory = walk->memory;
	const struct walk_item *oldest = walk_oldest(walk);

	(void) arena;
	if (oldest != NULL)
		memory.place = oldest->before;
	return walk_memory_save(write, walk->fact, &memory);
}

static void walk_on_saved(void *ctx, enum err err)
{
	struct walk *walk = ctx;

	if (err != ERR_OK) {
		walk_finish(walk, err);
		return;
	}
	KILL_POINT(walk->flow.keystore, walk_saved);
	walk_poke(walk);
}

static enum err walk_save(struct walk *walk)
{
	uint64_t now_ms = clock_boot_ms();

	if (walk->options.is_forgotten || !walk->unsaved || walk->flow.committing ||
		now_ms < walk->save_due_ms)
		return ERR_OK;
	walk->unsaved = false;
	walk->save_due_ms = now_ms + WALK_SAVE_MS;
	return flow_commit(&walk->flow, walk_write_place, walk_on_saved);
}

/* ---- the end ---- */

static enum err walk_write_end(void *ctx, struct cache_write *write, struct arena *arena)
{
	struct walk *walk = ctx;
	enum err err = cache_delete_fact(write, walk->fact);

	(void) arena;
	return err == ERR_MISS ? ERR_OK : err;
}

static void walk_on_ended(void *ctx, enum err err)
{
	struct walk *walk = ctx;

	if (err == ERR_OK)
		KILL_POINT(walk->flow.keystore, walk_ended);
	walk_finish(walk, err == ERR_OK && walk->stopping ? ERR_CANCELLED : err);
}

static bool walk_is_over(const struct walk *walk)
{
	return walk->stopping || (walk->at_end && walk_running(walk) == 0);
}

static void walk_end(struct walk *walk)
{
	enum err err;

	/* A place that is being written comes first. */
	if (walk->flow.committing)
		return;
	if (walk->options.is_forgotten) {
		walk_finish(walk, walk->stopping ? ERR_CANCELLED : ERR_OK);
		return;
	}
	err = flow_commit(&walk->flow, walk_write_end, walk_on_ended);
	if (err != ERR_OK)
		walk_finish(walk, err);
}

/* ---- one key ---- */

static void walk_fail(struct walk *walk, const struct uid *uid, enum err err)
{
	char id[UUID_TEXT_LEN + 1];

	uid_text(id, uid);
	log_warning("key-failed", "what=%s instance=%s key=%s error=%s", walk->options.name,
		walk->flow.instance->id.text, id, err_name(err));
	walk->memory.place.counts.failed++;
	walk_memory_fail(&walk->memory, uid, err);
}

static void walk_pause(struct walk *walk, enum err err)
{
	uint64_t now_ms = clock_boot_ms();

	if (walk->waiting == ERR_OK)
		log_warning("walk-waits", "what=%s instance=%s error=%s", walk->options.name,
			walk->flow.instance->id.text, err_name(err));
	walk->waiting = err;
	if (now_ms < walk->pause_until_ms)
		return; /* those that were under way together */
	walk->pause_ms *= 2;
	if (walk->pause_ms < WALK_PAUSE_MS_MIN)
		walk->pause_ms = WALK_PAUSE_MS_MIN;
	if (walk->pause_ms > WALK_PAUSE_MS_MAX)
		walk->pause_ms = WALK_PAUSE_MS_MAX;
	walk->pause_until_ms = now_ms + walk->pause_ms;
}

static void walk_go_on(struct walk *walk)
{
	if (walk->waiting != ERR_OK)
		log_info("walk-goes-on", "what=%s instance=%s", walk->options.name,
			walk->flow.instance->id.text);
	walk->waiting = ERR_OK;
	walk->pause_ms = 0;
	walk->answers++;
}

/* The key manager, or we ourselves, are the reason; not the key. */
static bool is_pausing(enum err err)
{
	switch (err) {
	case ERR_UNAVAILABLE:
	case ERR_THROTTLED:
	case ERR_REFUSED:
	case ERR_ROOT_DISABLED:
	case ERR_LIMIT:
	case ERR_NOMEM:
		return true;
	default:
		return false;
	}
}

/* The key manager answers for others, and not for this one: an answer that is broken each time. */
static bool item_is_hopeless(struct walk_item *item, enum err err)
{
	if (err != ERR_UNAVAILABLE)
		return false;
	if (item->tries == 0)
		item->answers = item->walk->answers;
	item->tries++;
	return item->tries >= WALK_TRIES_MAX && item->walk->answers > item->answers;
}

static void item_end(struct walk_item *item, enum err err)
{
	struct walk *walk = item->walk;

	item->work = NULL;
	item->running = false;
	if (is_pausing(err) && !item_is_hopeless(item, err)) {
		walk_pause(walk, err);
		return;
	}
	if (!is_pausing(err))
		walk_go_on(walk);
	if (err == ERR_OK)
		walk->memory.place.counts.done++;
	else
		walk_fail(walk, &item->uid, err);
	walk->unsaved = true;
	*item = (struct walk_item){ 0 };
}

void walk_item_done(struct walk_item *item, enum err err)
{
	struct walk *walk = item->walk;

	ASSERT(item->running);
	item_end(item, err);
	walk_poke(walk);
}

static void walk_begin_items(struct walk *walk)
{
	for (size_t i = 0; i < walk->options.at_once; i++) {
		struct walk_item *item = &walk->items[i];
		enum err err;

		if (item->walk == NULL || item->running || !pace_allows(&walk->pace))
			continue;
		pace_take(&walk->pace, walk->memory.rate);
		item->running = true;
		err = walk->options.begin(item);
		if (err != ERR_OK)
			item_end(item, err);
		if (is_pausing(err))
			return;
	}
}

/* ---- looking for the next ones ---- */

static struct walk_item *walk_free_item(struct walk *walk)
{
	for (size_t i = 0; i < walk->options.at_once; i++) {
		if (walk->items[i].walk == NULL)
			return &walk->items[i];
	}
	return NULL;
}

static bool walk_wants(struct walk *walk, const struct object *object)
{
	return !object->dead && object->has_material &&
	       walk->options.wants(walk->options.ctx, walk->read, object);
}

static enum err walk_visit(void *ctx, const struct uid *uid)
{
	struct walk *walk = ctx;
	struct walk_item *item = walk_free_item(walk);
	struct object *object;
	enum err err;

	if (walk->looked == WALK_PART || item == NULL)
		return ERR_LIMIT;
	walk->looked++;
	arena_reset(walk->arena);
	err = cache_get_object(walk->read, walk->arena, uid, &object);
	if (err == ERR_NOMEM)
		return err;
	if (err != ERR_OK)
		walk_fail(walk, uid, err);
	else if (walk_wants(walk, object))
		*item = (struct walk_item){ .walk = walk,
			.ctx = walk->options.ctx,
			.uid = *uid,
			.before = walk->memory.place };
	walk->memory.place.begun = true;
	walk->memory.place.uid = *uid;
	walk->memory.place.counts.looked++;
	walk->unsaved = true;
	return ERR_OK;
}

static enum err walk_look(struct walk *walk)
{
	struct uid after = walk->memory.place.uid;
	struct cache_list list = { .instance = walk->flow.instance->id,
		.after = walk->memory.place.begun ? &after : NULL,
		.visit = walk_visit,
		.ctx = walk };
	enum err err;

	walk->looked = 0;
	TRY(arena_new(&walk->arena, WALK_ARENA_MAX));
	TRY(cache_read_begin(&walk->read, walk->flow.keystore->cache));
	err = cache_list(walk->read, &list);
	walk->at_end = err == ERR_OK;
	err = err == ERR_LIMIT ? ERR_OK : err;
out:
	cache_read_end(walk->read);
	walk->read = NULL;
	arena_free(walk->arena);
	walk->arena = NULL;
	return err;
}

/* ---- one turn ---- */

static void walk_turn(void *ctx);

static void walk_on_timer(void *ctx)
{
	walk_poke(ctx);
}

static void walk_poke(struct walk *walk)
{
	if (walk->queued)
		return;
	walk->queued = true;
	flow_defer(&walk->flow, walk_turn);
}

/* A timer, or the next turn, where nothing else will wake us. */
static enum err walk_wait(struct walk *walk)
{
	uint64_t now_ms = clock_boot_ms(), due_ms = now_ms;
	bool chosen = false;

	for (size_t i = 0; i < walk->options.at_once; i++)
		chosen |= walk->items[i].walk != NULL && !walk->items[i].running;
	if (!chosen && (walk->at_end || walk_free_item(walk) == NULL))
		return ERR_OK;
	if (chosen)
		due_ms += pace_wait_ms(&walk->pace);
	if (chosen && walk->pause_until_ms > due_ms)
		due_ms = walk->pause_until_ms;
	return flow_wait(&walk->flow, due_ms - now_ms, walk_on_timer, walk);
}

static void walk_turn(void *ctx)
{
	struct walk *walk = ctx;
	enum err err = ERR_OK;

	walk->queued = false;
	if (walk_is_over(walk)) {
		walk_end(walk);
		return;
	}
	if (!walk->at_end && walk_free_item(walk) != NULL)
		TRY(walk_look(walk));
	if (clock_boot_ms() >= walk->pause_until_ms)
		walk_begin_items(walk);
	TRY(walk_save(walk));
	if (walk_is_over(walk))
		walk_poke(walk);
	else
		TRY(walk_wait(walk));
out:
	if (err != ERR_OK)
		walk_finish(walk, err);
}

/* ---- the contract ---- */

void walk_set_rate(struct keystore_pending *flow, uint32_t rate)
{
	struct walk *walk = (struct walk *) flow;

	ASSERT(rate > 0 && rate <= WALK_RATE_MAX);
	walk->memory.rate = rate;
	walk->pace = (struct pace){ 0 };
	walk->unsaved = true;
	walk_poke(walk);
}

void walk_progress(const struct keystore_pending *flow, struct walk_progress *out)
{
	const struct walk *walk = (const struct walk *) flow;

	*out = (struct walk_progress){ .counts = walk->memory.place.counts,
		.waiting = walk->waiting,
		.failed_count = walk->memory.failed_count,
		.rate = walk->memory.rate };
	for (size_t i = 0; i < out->failed_count; i++)
		out->failed[i] = walk->memory.failed[i];
	if (walk->at_end && walk_running(walk) == 0)
		out->per_mille = 1000;
	else if (walk->memory.place.begun)
		out->per_mille = be16_get(walk->memory.place.uid.bytes) * 1000u / 65536;
}

void walk_stop(struct keystore_pending *flow)
{
	struct walk *walk = (struct walk *) flow;

	walk->stopping = true;
	walk_let_go(walk);
	walk_poke(walk);
}

enum err walk_start(struct keystore_pending **out, struct instance *instance,
	const struct walk_options *options)
{
	struct keystore_pending *flow = NULL;
	struct walk *walk;
	enum err err;

	ASSERT(options->at_once > 0 && options->at_once <= WALK_AT_ONCE_MAX);
	ASSERT(options->rate <= WALK_RATE_MAX);
	TRY(flow_new(&flow, sizeof(*walk), instance->keystore, instance));
	walk = (struct walk *) flow;
	flow->background = true;
	flow->on_end = walk_on_end;
	walk->options = *options;
	walk_memory_fact(walk->fact, options->name, &instance->id);
	if (!options->is_forgotten)
		TRY(walk_load(walk));
	if (options->rate > 0)
		walk->memory.rate = options->rate;
	TRY(walk->memory.rate > 0 && walk->memory.rate <= WALK_RATE_MAX ? ERR_OK : ERR_INVALID);
	walk->unsaved = true;
	walk_poke(walk);
	*out = flow;
	return ERR_OK;
out:
	if (flow != NULL)
		flow_end(flow);
	return err;
}
