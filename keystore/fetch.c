/* SPDX-License-Identifier: Apache-2.0 */
/* Who asks for a key: each caller waits for the one work that fetches it. */
#include "keystore/fetch.h"
#include "base/clock.h"
#include "keystore/fetch_work.h"
#include "keystore/view.h"

struct fetch {
	struct keystore_pending flow;
	struct fetch_work *work; /* NULL once it is done */
	struct fetch *next; /* among the work's waiters */
	struct keystore_view *view; /* NULL: the store's own */
	struct uid uid;
	enum err err;
	void (*on_fetched)(void *ctx, enum err err);
	void *ctx;
};

/* ---- works ---- */

static void work_list_remove(struct fetch_work *work)
{
	struct keystore *keystore = work->flow.keystore;

	if (work->next != NULL)
		work->next->previous = work->previous;
	if (work->previous != NULL)
		work->previous->next = work->next;
	else if (keystore->fetches == work)
		keystore->fetches = work->next;
	work->next = work->previous = NULL;
}

/* The store is closing, or nobody waits any more. */
static void work_on_end(struct keystore_pending *flow)
{
	struct fetch_work *work = (struct fetch_work *) flow;

	work_list_remove(work);
	if (work->catch_up != NULL)
		flow_end(work->catch_up);
	for (struct fetch *fetch = work->waiters; fetch != NULL; fetch = fetch->next)
		fetch->work = NULL;
}

static enum err work_new(struct fetch_work **out, const struct fetch_work *wanted)
{
	struct keystore *keystore = wanted->flow.keystore;
	struct keystore_pending *flow;
	struct fetch_work *work;
	enum err err;

	TRY(flow_new(&flow, sizeof(*work), keystore, wanted->flow.instance));
	work = (struct fetch_work *) flow;
	flow->on_end = work_on_end;
	flow->background = wanted->kind != FETCH_CLIENT;
	if (flow->background)
		flow->deadline_ms = clock_boot_ms() + FLOW_BACKGROUND_MS;
	work->uid = wanted->uid;
	work->key_id = wanted->key_id;
	work->exact = wanted->exact;
	work->kind = wanted->kind;
	work->material = wanted->material;
	work->unclaimed = wanted->unclaimed;
	work->next = keystore->fetches;
	if (work->next != NULL)
		work->next->previous = work;
	keystore->fetches = work;
	*(flow->background ? &keystore->meter.fetches_background : &keystore->meter.fetches) += 1;
	fetch_work_start(work);
	*out = work;
out:
	return err;
}

static bool is_same_key(const struct fetch_work *work, const struct fetch_work *other)
{
	return (other->exact ? uid_equal(&work->key_id, &other->key_id)
			     : uid_equal(&work->uid, &other->uid)) &&
	       work->exact == other->exact && work->flow.instance == other->flow.instance;
}

/* What keeps keys warm is content with what a client's work brings. */
static bool work_fits(const struct fetch_work *work, const struct fetch_work *wanted)
{
	return is_same_key(work, wanted) && work->material == wanted->material &&
	       (work->kind == wanted->kind ||
		       (wanted->kind == FETCH_WARM && work->kind == FETCH_CLIENT));
}

/* A client does not wait behind background work: it does itself what keeps the key warm. */
static void work_take_over(const struct fetch_work *wanted)
{
	struct fetch_work *work = wanted->flow.keystore->fetches;

	while (work != NULL && !(is_same_key(work, wanted) && work->kind == FETCH_WARM))
		work = work->next;
	if (work != NULL)
		fetch_work_done(work, ERR_OK);
}

static enum err work_find(struct fetch_work **out, const struct fetch_work *wanted)
{
	struct fetch_work *work = wanted->flow.keystore->fetches;

	while (work != NULL && !work_fits(work, wanted))
		work = work->next;
	if (work == NULL && wanted->kind == FETCH_CLIENT && wanted->material)
		work_take_over(wanted);
	if (work == NULL)
		return work_new(out, wanted);
	work->flow.keystore->meter.fetches_shared += !work->flow.background;
	*out = work;
	return ERR_OK;
}

/* ---- callers ---- */

/* The last caller to leave takes the work along. */
static void fetch_on_end(struct keystore_pending *flow)
{
	struct fetch *fetch = (struct fetch *) flow;
	struct fetch_work *work = fetch->work;
	struct fetch **place;

	if (work == NULL)
		return;
	for (place = &work->waiters; *place != fetch; place = &(*place)->next)
		;
	*place = fetch->next;
	if (work->waiters == NULL)
		flow_end(&work->flow);
}

static void fetch_deliver(void *ctx)
{
	struct fetch *fetch = ctx;
	void (*on_fetched)(void *, enum err) = fetch->on_fetched;
	void *on_fetched_ctx = fetch->ctx;
	enum err err = fetch->err;

	flow_end(&fetch->flow);
	on_fetched(on_fetched_ctx, err);
}

void fetch_work_done(struct fetch_work *work, enum err err)
{
	struct fetch *next;

	for (struct fetch *fetch = work->waiters; fetch != NULL; fetch = next) {
		next = fetch->next;
		fetch->work = NULL;
		fetch->err = err;
		if (err == ERR_OK && fetch->view != NULL)
			fetch->err = view_remember(fetch->view, &fetch->uid, work->found);
		flow_defer(&fetch->flow, fetch_deliver);
	}
	work->waiters = NULL;
	flow_end(&work->flow);
}

bool fetch_work_joins(struct fetch_work *work)
{
	struct fetch_work *other = work->flow.keystore->fetches;
	struct fetch **last;

	while (other != NULL && !(other != work && other->unwraps && is_same_key(other, work) &&
					other->kind == work->kind))
		other = other->next;
	if (other == NULL)
		return false;
	other->material |= work->material;
	for (last = &work->waiters; *last != NULL; last = &(*last)->next)
		(*last)->work = other;
	*last = other->waiters;
	other->waiters = work->waiters;
	work->waiters = NULL;
	flow_end(&work->flow);
	return true;
}

static enum err fetch_new(
	struct fetch **out, const struct fetch_work *wanted, struct keystore_view *view)
{
	struct keystore_pending *flow = NULL;
	struct fetch *fetch;
	enum err err;

	TRY(flow_new(&flow, sizeof(*fetch), wanted->flow.keystore, wanted->flow.instance));
	fetch = (struct fetch *) flow;
	TRY(work_find(&fetch->work, wanted));
	flow->on_end = fetch_on_end;
	fetch->view = view;
	fetch->uid = wanted->uid;
	fetch->next = fetch->work->waiters;
	fetch->work->waiters = fetch;
	*out = fetch;
	return ERR_OK;
out:
	if (flow != NULL)
		flow_end(flow);
	return err;
}

enum err keystore_fetch_start(struct keystore_pending **out, struct keystore_view *view,
	const struct uid *uid, bool material, void (*on_fetched)(void *ctx, enum err err),
	void *ctx)
{
	struct keystore *keystore = view_keystore(view);
	struct fetch_work wanted = {
		.flow = { .keystore = keystore,
			.instance = keystore_instance_of(keystore, view_instance(view)) },
		.uid = *uid,
		.material = material,
	};
	struct fetch *fetch;
	enum err err;

	if (wanted.flow.instance == NULL)
		return ERR_NOT_FOUND;
	TRY(fetch_new(&fetch, &wanted, view));
	fetch->on_fetched = on_fetched;
	fetch->ctx = ctx;
	*out = &fetch->flow;
out:
	return err;
}

static enum err fetch_start(struct keystore_pending **out, const struct fetch_work *wanted,
	void (*on_fetched)(void *ctx, enum err err), void *ctx)
{
	struct fetch *fetch;
	enum err err;

	TRY(fetch_new(&fetch, wanted, NULL));
	fetch->on_fetched = on_fetched;
	fetch->ctx = ctx;
	*out = &fetch->flow;
out:
	return err;
}

enum err fetch_again_start(struct keystore_pending **out, struct instance *instance,
	const struct uid *uid, void (*on_fetched)(void *ctx, enum err err), void *ctx)
{
	struct fetch_work wanted = {
		.flow = { .keystore = instance->keystore, .instance = instance },
		.uid = *uid,
		.kind = FETCH_LISTED,
	};

	return fetch_start(out, &wanted, on_fetched, ctx);
}

enum err fetch_adopt_start(struct keystore_pending **out, struct instance *instance,
	const struct uid *key_id, bool unclaimed, void (*on_fetched)(void *ctx, enum err err),
	void *ctx)
{
	struct fetch_work wanted = {
		.flow = { .keystore = instance->keystore, .instance = instance },
		.uid = *key_id,
		.key_id = *key_id,
		.exact = true,
		.kind = FETCH_LISTED,
		.unclaimed = unclaimed,
	};

	return fetch_start(out, &wanted, on_fetched, ctx);
}

enum err fetch_warm_start(struct keystore_pending **out, struct instance *instance,
	const struct uid *uid, void (*on_fetched)(void *ctx, enum err err), void *ctx)
{
	struct fetch_work wanted = {
		.flow = { .keystore = instance->keystore, .instance = instance },
		.uid = *uid,
		.kind = FETCH_WARM,
		.material = true,
	};

	return fetch_start(out, &wanted, on_fetched, ctx);
}
