/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/instance.h"
#include <stdio.h>
#include <stdlib.h>
#include "base/log.h"
#include "keystore/background.h"
#include "keystore/ledger.h"
#include "keystore/ledger_care.h"

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
	TRY(instance_keep(instance, &kept->service_instance));
	TRY(instance_keep(instance, &kept->api_key_file));
	TRY(instance_keep(instance, &kept->key_ring));
	TRY(instance_keep(instance, &kept->root_key));
	kept->name = instance->name;
	kept->loop = instance->keystore->loop;
out:
	return err;
}

static enum err instance_load_facts(struct instance *instance)
{
	struct cache_read *read = NULL;
	char name[INSTANCE_FACT_LEN];
	struct slice value;
	enum err err;

	instance_fact_read(name, &instance->id);
	TRY(cache_read_begin(&read, instance->keystore->cache));
	err = cache_get_fact(read, name, &value);
	instance->ledger_known = err == ERR_OK;
	err = err == ERR_MISS ? ERR_OK : err;
out:
	cache_read_end(read);
	return err;
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
	ledger_care_free(instance->care);
	ledger_free(instance->ledger);
	keymanager_free(instance->keymanager);
	arena_free(instance->arena);
	free(instance);
}

void instance_note_outage(struct instance *instance, bool outage)
{
	if (outage == instance->in_outage)
		return;
	instance->in_outage = outage;
	if (outage)
		log_warning(
			"outage-begins", "instance=%s serving=resident-copies", instance->id.text);
	else
		log_info("outage-ends", "instance=%s", instance->id.text);
}

bool instance_root_is_usable(const struct instance *instance)
{
	return instance->root != KEYMANAGER_ROOT_DISABLED &&
	       instance->root != KEYMANAGER_ROOT_DELETED;
}

void instance_close_root(struct instance *instance, enum keymanager_root_state state)
{
	if (instance->root != state)
		log_error("root-key-unusable", "instance=%s state=%s", instance->id.text,
			state == KEYMANAGER_ROOT_DELETED ? "deleted" : "disabled");
	instance->root = state;
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
