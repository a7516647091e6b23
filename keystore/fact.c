/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/fact.h"
#include <stdio.h>
#include "base/log.h"
#include "base/text.h"

struct fact {
	struct keystore_pending flow;
	char name[FACT_NAME_LEN];
	bool gone;
	char value[FACT_VALUE_LEN];
};

static enum err fact_write(void *ctx, struct cache_write *write, struct arena *arena)
{
	struct fact *fact = ctx;

	(void) arena;
	if (fact->gone)
		return cache_delete_fact(write, fact->name);
	return cache_put_fact(write, fact->name, slice_text(fact->value));
}

static void fact_on_committed(void *ctx, enum err err)
{
	struct fact *fact = ctx;

	if (err != ERR_OK)
		log_warning("fact-not-written", "fact=%s error=%s", fact->name, err_name(err));
	flow_end(&fact->flow);
}

static void fact_begin(
	struct keystore *keystore, struct instance *instance, const struct fact *what)
{
	struct keystore_pending *flow = NULL;
	struct fact *fact;
	enum err err;

	TRY(flow_new(&flow, sizeof(*fact), keystore, instance));
	fact = (struct fact *) flow;
	bytes_copy(fact->name, what->name, sizeof(fact->name));
	bytes_copy(fact->value, what->value, sizeof(fact->value));
	fact->gone = what->gone;
	TRY(flow_commit(flow, fact_write, fact_on_committed));
out:
	if (err == ERR_OK)
		return;
	log_warning("fact-not-written", "fact=%s error=%s", what->name, err_name(err));
	if (flow != NULL)
		flow_end(flow);
}

static void fact_put_of(
	struct keystore *keystore, struct instance *instance, const char *name, const char *value)
{
	struct fact fact = { .gone = false };

	snprintf(fact.name, sizeof(fact.name), "%s", name);
	snprintf(fact.value, sizeof(fact.value), "%s", value);
	fact_begin(keystore, instance, &fact);
}

void fact_put(struct instance *instance, const char *name, const char *value)
{
	fact_put_of(instance->keystore, instance, name, value);
}

void fact_put_alone(struct keystore *keystore, const char *name, const char *value)
{
	fact_put_of(keystore, NULL, name, value);
}

void fact_delete(struct instance *instance, const char *name)
{
	struct fact fact = { .gone = true };

	snprintf(fact.name, sizeof(fact.name), "%s", name);
	fact_begin(instance->keystore, instance, &fact);
}

enum err fact_get(const struct keystore *keystore, const char *name, char out[FACT_VALUE_LEN])
{
	struct cache_read *read = NULL;
	struct slice value;
	enum err err;

	TRY(cache_read_begin(&read, keystore->cache));
	TRY(cache_get_fact(read, name, &value));
	err = text_copy(out, FACT_VALUE_LEN, slice_cut(value, 0, FACT_VALUE_LEN - 1));
out:
	cache_read_end(read);
	return err;
}
