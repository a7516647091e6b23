/* SPDX-License-Identifier: Apache-2.0 */
/* The store itself: its instances, its settings, its beginning and end. The flows have files of
 * their own. */
#include <stdio.h>
#include <stdlib.h>
#include "base/clock.h"
#include "base/log.h"
#include "keystore/background.h"
#include "keystore/contact.h"
#include "keystore/flow.h"
#include "keystore/keep_warm.h"
#include "keystore/ledger.h"
#include "keystore/ledger_care.h"
#include "keystore/stamps.h"
#include "keystore/survey.h"

/* ---- instances ---- */

struct instance *keystore_instance_of(const struct keystore *keystore, const struct instance_id *id)
{
	for (size_t i = 0; i < keystore->instance_count; i++) {
		if (instance_id_equal(&keystore->instances[i]->id, id))
			return keystore->instances[i];
	}
	return NULL;
}

enum err keystore_add_instance(
	struct keystore *keystore, const struct keystore_instance_options *options, char why[300])
{
	struct instance *instance = NULL;
	enum err err = ERR_OK;

	if (keystore->instance_count == KEYSTORE_INSTANCES_MAX) {
		snprintf(why, 300, "more than %d instances", KEYSTORE_INSTANCES_MAX);
		return ERR_LIMIT;
	}
	if (keystore_instance_of(keystore, &options->id) != NULL) {
		snprintf(why, 300, "instance %s is there twice", options->id.text);
		return ERR_EXISTS;
	}
	TRY(instance_new(&instance, keystore, options, why));
	if (keystore->started)
		TRY(background_new(&instance->background, instance));
	keystore->instances[keystore->instance_count++] = instance;
	instance = NULL;
out:
	instance_free(instance);
	return err;
}

size_t keystore_instance_count(const struct keystore *keystore)
{
	return keystore->instance_count;
}

void keystore_instance_status(
	const struct keystore *keystore, size_t i, struct keystore_instance_status *out)
{
	const struct instance *instance = keystore->instances[i];
	const struct keymanager_options *options = &instance->options;

	*out = (struct keystore_instance_status){ .id = instance->id,
		.name = instance->name,
		.kind = options->kind,
		.url = options->url,
		.root_key = options->root_key,
		.key_ring = options->key_ring,
		.root = instance->crks[KEYMANAGER_CRK].state,
		.root_version = root_versions_date(
			root_versions_newest(&instance->crks[KEYMANAGER_CRK].versions)),
		.other_root_key = options->other_root_key,
		.other_root = instance->crks[KEYMANAGER_OTHER_CRK].state,
		.listed = instance->listed,
		.objects_seen = instance->objects_seen,
		.rebuilt = instance->rebuilt,
		.listing_listed = instance->listing_listed,
		.listing_read = instance->listing_read,
		.unclaimed = instance->unclaimed,
		.ledger_records = instance->ledger_records };
	out->poll_good_ms = instance->poll_good_ms;
	out->outage_since_ms = instance->outage_since_ms;
	out->outages_ms = instance->outages_ms;
	out->outages = instance->outages;
	out->refused = instance->refused;
	out->lacks_root = instance->lacks_root;
	out->vouched = kek_table_vouch_of(keystore->table, &instance->id) > clock_boot_ms();
	out->missing = instance_missing(instance);
	if (instance->survey != NULL)
		out->counted_older = survey_older(instance->survey, &out->older);
	if (instance->ledger != NULL)
		out->ledger_waiting = ledger_waiting(instance->ledger);
	if (instance->keymanager != NULL) {
		keymanager_health(instance->keymanager, &out->health);
		out->meter = keymanager_meter(instance->keymanager);
	}
}

const struct instance_id *keystore_instance_find(
	const struct keystore *keystore, const char *name_or_id)
{
	struct slice wanted = slice_text(name_or_id);

	for (size_t i = 0; i < keystore->instance_count; i++) {
		const struct instance *instance = keystore->instances[i];

		if (slice_equal_text(wanted, instance->id.text) ||
			(instance->name != NULL && slice_equal_text(wanted, instance->name)))
			return &instance->id;
	}
	return NULL;
}

/* ---- when the port may open ---- */

static void keystore_tell_open(void *ctx)
{
	struct keystore *keystore = ctx;

	if (keystore->on_open != NULL)
		keystore->on_open(keystore->on_open_ctx);
}

void keystore_poke_open(struct keystore *keystore)
{
	if (keystore->open || !keystore->started)
		return;
	for (size_t i = 0; i < keystore->instance_count; i++) {
		const struct instance *instance = keystore->instances[i];

		if (!instance->listed && !(instance->ledger_known && instance->ledger_waited))
			return;
	}
	keystore->open = true;
	loop_task_init(&keystore->open_task, keystore_tell_open, keystore);
	loop_defer(keystore->loop, &keystore->open_task);
}

static void keystore_on_open_timer(void *ctx)
{
	struct keystore *keystore = ctx;

	for (size_t i = 0; i < keystore->instance_count; i++)
		keystore->instances[i]->ledger_waited = true;
	keystore_poke_open(keystore);
}

/* ---- birth and end ---- */

static void keystore_on_logged(void *ctx, uint64_t last_seq)
{
	struct keystore *keystore = ctx;

	keystore->last_seq = last_seq;
	if (keystore->on_logged != NULL)
		keystore->on_logged(keystore->on_logged_ctx, last_seq);
}

static enum err keystore_open_keeper(struct keystore *keystore, uint16_t node)
{
	struct commit_options options = { .loop = keystore->loop,
		.cache = keystore->cache,
		.meter = &keystore->meter,
		.on_logged = keystore_on_logged,
		.ctx = keystore };
	struct cache_position position;
	struct cache_read *read = NULL;
	enum err err;

	TRY(commit_new(&keystore->commit, &options));
	TRY(loop_timer_new(
		&keystore->open_timer, keystore->loop, keystore_on_open_timer, keystore));
	TRY(stamps_load(keystore, node));
	keystore->life = stamp_next(&keystore->clock, clock_wall_ms());
	TRY(cache_read_begin(&read, keystore->cache));
	TRY(cache_log_position(read, &position));
	keystore->last_seq = position.seq;
out:
	cache_read_end(read);
	return err;
}

enum err keystore_new(struct keystore **out, const struct keystore_options *options, char why[300])
{
	struct keystore *keystore = calloc(1, sizeof(*keystore));
	enum err err = keystore == NULL ? ERR_NOMEM : ERR_OK;

	ASSERT(options->reader == (options->loop == NULL));
	TRY(err);
	keystore->loop = options->loop;
	keystore->cache = options->cache;
	keystore->table = options->table;
	keystore->settings = options->settings;
	keystore->lookups = options->lookups;
	if (!options->reader)
		TRY(keystore_open_keeper(keystore, options->node));
	for (size_t i = 0; i < options->instance_count; i++)
		TRY(keystore_add_instance(keystore, &options->instances[i], why));
	*out = keystore;
	keystore = NULL;
out:
	keystore_free(keystore);
	return err;
}

/* The oldest first: a flow that waits for another one is older than that, and ends it itself. */
static void keystore_end_flows(struct keystore *keystore)
{
	while (keystore->flows != NULL) {
		struct keystore_pending *flow = keystore->flows;

		while (flow->next != NULL)
			flow = flow->next;
		flow_end(flow);
	}
}

void keystore_free(struct keystore *keystore)
{
	if (keystore == NULL)
		return;
	keystore_end_flows(keystore);
	loop_task_cancel(&keystore->open_task);
	loop_timer_free(keystore->open_timer);
	for (size_t i = 0; i < keystore->instance_count; i++)
		instance_free(keystore->instances[i]);
	commit_free(keystore->commit);
	free(keystore);
}

void keystore_set_gate(struct keystore *keystore, const struct keystore_gate *gate)
{
	keystore->gate = gate == NULL ? (struct keystore_gate){ 0 } : *gate;
}

void keystore_set_peer(struct keystore *keystore, enum keystore_peer peer)
{
	keystore->peer = peer;
}

void keystore_set_on_logged(
	struct keystore *keystore, void (*on_logged)(void *ctx, uint64_t last_seq), void *ctx)
{
	keystore->on_logged = on_logged;
	keystore->on_logged_ctx = ctx;
}

void keystore_reload(struct keystore *keystore, const struct keystore_settings *settings)
{
	char why[KEYMANAGER_WHY_MAX] = "";

	keystore->settings = *settings;
	for (size_t i = 0; i < keystore->instance_count; i++) {
		struct instance *instance = keystore->instances[i];

		if (instance->keymanager != NULL &&
			keymanager_reload(instance->keymanager, why) != ERR_OK)
			log_error("credentials-not-reloaded", "instance=%s why=%s",
				instance->id.text, log_quoted(slice_text(why)));
		if (instance->care != NULL)
			ledger_care_reload(instance->care);
		if (instance->keep_warm != NULL)
			keep_warm_reload(instance->keep_warm);
	}
}

const struct keystore_meter *keystore_meter(const struct keystore *keystore)
{
	return &keystore->meter;
}

struct cache *keystore_cache(struct keystore *keystore)
{
	return keystore->cache;
}

void keystore_cancel(struct keystore_pending *pending)
{
	flow_end(pending);
}

/* ---- start ---- */

void keystore_start(struct keystore *keystore, void (*on_open)(void *ctx), void *ctx)
{
	ASSERT(keystore->loop != NULL && !keystore->started);
	keystore->started = true;
	keystore->on_open = on_open;
	keystore->on_open_ctx = ctx;
	contact_start(keystore);
	for (size_t i = 0; i < keystore->instance_count; i++) {
		struct instance *instance = keystore->instances[i];
		enum err err = background_new(&instance->background, instance);

		/* Fatal: without it the node would never learn of anything (style: out of memory
		 * at start). */
		if (err != ERR_OK)
			log_error("background-not-started", "instance=%s error=%s",
				instance->id.text, err_name(err));
		ASSERT(err == ERR_OK);
	}
	loop_timer_set(keystore->open_timer, KEYSTORE_OPEN_WAIT_MS);
	keystore_poke_open(keystore);
}

/* ---- clients ---- */

enum err keystore_client_find(
	struct keystore *keystore, const struct fingerprint *fingerprint, struct client *out)
{
	struct cache_read *read = NULL;
	enum err err;

	TRY(cache_read_begin(&read, keystore->cache));
	err = cache_get_client(read, fingerprint, out);
	TRY(err == ERR_MISS ? ERR_NOT_FOUND : err);
	if (out->removed || keystore_instance_of(keystore, &out->instance) == NULL)
		err = ERR_NOT_FOUND;
out:
	cache_read_end(read);
	return err;
}
