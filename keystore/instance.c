/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/instance.h"
#include <stdio.h>
#include <stdlib.h>
#include "base/clock.h"
#include "base/log.h"
#include "keystore/background.h"
#include "keystore/fact.h"
#include "keystore/keep_warm.h"
#include "keystore/ledger.h"
#include "keystore/ledger_care.h"
#include "keystore/migration.h"
#include "keystore/missing.h"
#include "keystore/rewrap.h"
#include "keystore/survey.h"

enum { INSTANCE_TEXTS_MAX = 65536 };

/* The caller's texts may go with its configuration. */
static enum err instance_keep(struct instance *instance, const char **text)
{
	if (*text == NULL)
		return ERR_OK;
	*text = arena_text(instance->arena, slice_text(*text));
	return *text == NULL ? ERR_NOMEM : ERR_OK;
}

static enum err instance_keep_options(
	struct instance *instance, const struct keystore_instance_options *options)
{
	struct keymanager_options *kept = &instance->options;
	enum err err;

	*kept = options->keymanager;
	instance->name = options->name;
	TRY(instance_keep(instance, &instance->name));
	TRY(instance_keep(instance, &kept->kind));
	TRY(instance_keep(instance, &kept->url));
	TRY(instance_keep(instance, &kept->iam_url));
	TRY(instance_keep(instance, &kept->ca_file));
	TRY(instance_keep(instance, &kept->proxy));
	TRY(instance_keep(instance, &kept->service_instance));
	TRY(instance_keep(instance, &kept->api_key_file));
	TRY(instance_keep(instance, &kept->key_ring));
	TRY(instance_keep_roots(instance, kept->root_key, kept->other_root_key));
	kept->name = instance->name;
	kept->loop = instance->keystore->loop;
out:
	return err;
}

static enum err instance_load_facts(struct instance *instance)
{
	char name[INSTANCE_FACT_LEN], value[FACT_VALUE_LEN];
	enum err err;

	instance_fact_read(name, &instance->id);
	err = fact_get(instance->keystore, name, value);
	instance->ledger_known = err == ERR_OK;
	return err == ERR_MISS ? ERR_OK : err;
}

enum err instance_new(struct instance **out, struct keystore *keystore,
	const struct keystore_instance_options *options, char why[300])
{
	struct instance *instance = calloc(1, sizeof(*instance));
	enum err err = instance == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	instance->keystore = keystore;
	instance->id = options->id;
	TRY(arena_new(&instance->arena, INSTANCE_TEXTS_MAX));
	TRY(instance_keep_options(instance, options));
	if (keystore->loop != NULL) {
		TRY(keymanager_new(&instance->keymanager, &instance->options, why));
		TRY(ledger_new(&instance->ledger, instance));
		TRY(ledger_care_new(&instance->care, instance));
		TRY(survey_new(&instance->survey, instance));
		TRY(rewrap_new(&instance->rewrap, instance));
		TRY(migration_new(&instance->migration, instance));
		TRY(keep_warm_new(&instance->keep_warm, instance));
		TRY(instance_load_facts(instance));
	}
	*out = instance;
	instance = NULL;
out:
	instance_free(instance);
	return err;
}

void instance_free(struct instance *instance)
{
	if (instance == NULL)
		return;
	background_free(instance->background);
	keep_warm_free(instance->keep_warm);
	rewrap_free(instance->rewrap);
	survey_free(instance->survey);
	migration_free(instance->migration);
	ledger_care_free(instance->care);
	ledger_free(instance->ledger);
	keymanager_free(instance->keymanager);
	arena_free(instance->arena);
	free(instance);
}

/* ---- what the key manager's answers say ---- */

/* While the key manager cannot be reached, calls that wait for it fill the queue: one that finds no
 * place there fails for the same reason. */
static bool instance_is_reachable(const struct instance *instance)
{
	struct keymanager_health health;

	keymanager_health(instance->keymanager, &health);
	return health.reachable;
}

bool instance_is_outage(const struct instance *instance, enum err err, bool is_poll)
{
	switch (err) {
	case ERR_UNAVAILABLE:
		return true;
	case ERR_THROTTLED:
		return is_poll || instance->outage_since_ms != 0;
	case ERR_LIMIT:
		return !instance_is_reachable(instance);
	default:
		return false;
	}
}

void instance_note_good(struct instance *instance, bool is_poll)
{
	if (instance->outage_since_ms != 0) {
		uint64_t lasted_ms = clock_boot_ms() - instance->outage_since_ms;

		instance->outages_ms += lasted_ms;
		instance->outages++;
		log_info("outage-ends", "instance=%s lasted_ms=%llu", instance->id.text,
			(unsigned long long) lasted_ms);
	}
	instance->outage_since_ms = 0;
	if (!is_poll)
		return;
	if (instance->refused)
		log_info("key-manager-accepts-again", "instance=%s", instance->id.text);
	instance->refused = false;
}

void instance_note_failed(struct instance *instance, enum err err, bool is_poll)
{
	bool outage = instance_is_outage(instance, err, is_poll);

	if (outage && instance->outage_since_ms == 0) {
		instance->outage_since_ms = clock_boot_ms();
		log_warning("outage-begins", "instance=%s error=%s serving=resident-copies",
			instance->id.text, err_name(err));
	}
	if (err == ERR_REFUSED && !instance->refused) {
		instance->refused = true;
		log_error("key-manager-refuses",
			"instance=%s effect=\"unwrapped keys are served until plaintext-ttl\"",
			instance->id.text);
	}
}

bool instance_is_ours(const struct instance *instance, enum err err)
{
	switch (err) {
	case ERR_NOMEM:
	case ERR_IO:
	case ERR_FULL:
	case ERR_SYS:
	case ERR_CORRUPT:
	case ERR_INTERNAL:
		return true;
	case ERR_LIMIT:
		return instance_is_reachable(instance);
	default:
		return false;
	}
}

void instance_set_behind(struct instance *instance, enum err err)
{
	bool behind = err != ERR_OK;

	if (instance->behind == behind)
		return;
	instance->behind = behind;
	/* Without a word in the table that says so, nothing of it may be there. */
	if (kek_table_set_withheld(instance->keystore->table, &instance->id, behind) != ERR_OK)
		kek_table_drop_instance(instance->keystore->table, &instance->id);
	if (behind)
		log_error("cache-behind",
			"instance=%s error=%s effect=\"each Get asks the key manager\" "
			"hint=\"a greater cache-size-mib, or room on the disk or in memory\"",
			instance->id.text, err_name(err));
	else
		log_info("cache-current-again", "instance=%s", instance->id.text);
}

bool instance_in_grace(const struct instance *instance)
{
	uint64_t grace_ms = 1000ull * instance->keystore->settings.outage_grace_s;

	return !instance->behind &&
	       (instance->poll_good_ms == 0 || clock_boot_ms() < instance->poll_good_ms + grace_ms);
}

int64_t instance_ledger_since(const struct instance *instance)
{
	enum { OVERLAP_S = 120 }; /* our clock and the service's, and what is listed late */
	int64_t now = keymanager_seconds(instance->keymanager);
	int64_t since = instance->ledger_at < now ? instance->ledger_at : now;

	return since > OVERLAP_S ? since - OVERLAP_S : 0;
}

uint64_t instance_missing(const struct instance *instance)
{
	struct cache_read *read = NULL;
	uint64_t count = 0;
	enum err err;

	TRY(cache_read_begin(&read, instance->keystore->cache));
	TRY(missing_count(&count, read, &instance->id));
out:
	cache_read_end(read);
	return err == ERR_OK ? count : 0;
}

bool instance_root_is_usable(const struct instance *instance, enum keymanager_crk crk)
{
	return instance->crks[crk].state != KEYMANAGER_ROOT_DISABLED &&
	       instance->crks[crk].state != KEYMANAGER_ROOT_DELETED;
}

int64_t instance_version_label(
	struct instance *instance, enum keymanager_crk crk, struct slice key_version)
{
	int64_t label = root_versions_label(&instance->crks[crk].versions, key_version);

	if (label == 0 && key_version.len > 0 && instance->background != NULL)
		background_look_at_root(instance->background, crk);
	return label;
}

bool instance_knows_newest(const struct instance *instance)
{
	return root_versions_newest(&instance->crks[KEYMANAGER_CRK].versions) != 0;
}

/* Which of two root keys wrapped it is not known: it is of the newest version of one of them, or
 * later than what we know of. */
bool instance_wraps_newest(const struct instance *instance, int64_t version_label)
{
	int64_t latest = 0;

	for (enum keymanager_crk crk = 0; crk < KEYMANAGER_CRK_COUNT; crk++) {
		int64_t newest = root_versions_newest(&instance->crks[crk].versions);

		if (newest != 0 && version_label == newest)
			return true;
		latest = newest > latest ? newest : latest;
	}
	return version_label >= latest;
}

void instance_on_root(struct instance *instance, bool is_rotated)
{
	uint64_t older;

	/* While some are, they become fewer. */
	if (is_rotated || (survey_older(instance->survey, &older) && older > 0))
		survey_poke(instance->survey);
	rewrap_poke(instance->rewrap);
	migration_poke(instance->migration);
}

void instance_doubt_root(struct instance *instance, enum keymanager_crk crk)
{
	if (instance->background != NULL)
		background_look_at_root(instance->background, crk);
}

/* Entries that the usable root key opens come back later; what is kept then was not opened by this
 * one (instance_root_is_usable). */
void instance_close_root(
	struct instance *instance, enum keymanager_crk crk, enum keymanager_root_state state)
{
	/* Whose unwrap is refused does not know whether it is deleted; the root watch does. */
	if (instance->crks[crk].state == state ||
		(state == KEYMANAGER_ROOT_DISABLED && !instance_root_is_usable(instance, crk)))
		return;
	log_error("root-key-unusable", "instance=%s root_key=%s state=%s", instance->id.text,
		crk == KEYMANAGER_CRK ? instance->options.root_key
				      : instance->options.other_root_key,
		state == KEYMANAGER_ROOT_DELETED ? "deleted" : "disabled");
	instance->crks[crk].state = state;
	kek_table_drop_instance(instance->keystore->table, &instance->id);
}

void instance_fact_record(char out[INSTANCE_FACT_LEN], const struct uid *key_id)
{
	char id[UUID_TEXT_LEN + 1];

	uid_text(id, key_id);
	snprintf(out, INSTANCE_FACT_LEN, "ledger-key-%s", id);
}

void instance_fact_read(char out[INSTANCE_FACT_LEN], const struct instance_id *id)
{
	snprintf(out, INSTANCE_FACT_LEN, "ledger-read-%s", id->text);
}
