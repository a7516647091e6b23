/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/roots.h"
#include <stdio.h>
#include <string.h>
#include "base/log.h"
#include "keystore/background.h"
#include "keystore/flow.h"

enum { UID_LEN = sizeof(((struct uid *) NULL)->bytes) };

/* ---- what has wrapped keys ---- */

static void wrapped_by_name(char out[INSTANCE_FACT_LEN], const struct instance_id *id)
{
	snprintf(out, INSTANCE_FACT_LEN, "wrapped-by-%s", id->text);
}

static enum err wrapped_by_get(
	struct slice *out, struct cache_read *read, const struct instance *instance)
{
	char name[INSTANCE_FACT_LEN];
	enum err err;

	wrapped_by_name(name, &instance->id);
	*out = SLICE_EMPTY;
	err = cache_get_fact(read, name, out);
	return err == ERR_MISS ? ERR_OK : err;
}

static bool ids_have(struct slice ids, const struct uid *id)
{
	for (size_t at = 0; at + UID_LEN <= ids.len; at += UID_LEN)
		if (slice_equal(slice_cut(ids, at, UID_LEN), slice_of(id->bytes, UID_LEN)))
			return true;
	return false;
}

static bool crk_is_known(const struct instance_crk *crk)
{
	static const struct uid none;

	return !uid_equal(&crk->id, &none);
}

struct roots_flow {
	struct keystore_pending flow;
	struct uid id;
};

static enum err roots_write(void *ctx, struct cache_write *write, struct arena *arena)
{
	struct roots_flow *roots = ctx;
	char name[INSTANCE_FACT_LEN];
	struct slice ids;
	struct buf value;
	enum err err;

	(void) arena;
	buf_init(&value, (size_t) ROOTS_WRAPPED_BY_MAX * UID_LEN);
	TRY(wrapped_by_get(&ids, cache_write_read(write), roots->flow.instance));
	if (ids_have(ids, &roots->id))
		goto out;
	TRY(buf_append(&value, ids));
	TRY(buf_append(&value, slice_of(roots->id.bytes, UID_LEN)));
	wrapped_by_name(name, &roots->flow.instance->id);
	TRY(cache_put_fact(write, name, buf_slice(&value)));
out:
	buf_free(&value);
	return err;
}

static void roots_on_written(void *ctx, enum err err)
{
	struct roots_flow *roots = ctx;

	if (err != ERR_OK)
		log_warning("fact-not-written", "fact=wrapped-by error=%s", err_name(err));
	flow_end(&roots->flow);
}

static enum err roots_add(struct instance *instance)
{
	struct keystore_pending *flow = NULL;
	enum err err;

	TRY(flow_new(&flow, sizeof(struct roots_flow), instance->keystore, instance));
	((struct roots_flow *) flow)->id = instance->crks[KEYMANAGER_CRK].id;
	TRY(flow_commit(flow, roots_write, roots_on_written));
	return ERR_OK;
out:
	if (flow != NULL)
		flow_end(flow);
	return err;
}

enum err roots_forget_others(struct cache_write *write, const struct instance *instance)
{
	const struct instance_crk *crk = &instance->crks[KEYMANAGER_CRK];
	char name[INSTANCE_FACT_LEN];

	if (!crk_is_known(crk))
		return ERR_STATE;
	wrapped_by_name(name, &instance->id);
	return cache_put_fact(write, name, slice_of(crk->id.bytes, UID_LEN));
}

/* ---- a configuration that lacks one ---- */

static bool roots_are_all_known(const struct instance *instance)
{
	return crk_is_known(&instance->crks[KEYMANAGER_CRK]) &&
	       (instance->options.other_root_key == NULL ||
		       crk_is_known(&instance->crks[KEYMANAGER_OTHER_CRK]));
}

static void roots_judge(struct instance *instance, struct slice ids)
{
	const struct instance_crk *crks = instance->crks;
	char text[UUID_TEXT_LEN + 1];
	bool lacks = false;

	for (size_t at = 0; at + UID_LEN <= ids.len; at += UID_LEN) {
		struct uid id;

		(void) slice_copy_exact(id.bytes, UID_LEN, slice_cut(ids, at, UID_LEN));
		if (uid_equal(&id, &crks[KEYMANAGER_CRK].id) ||
			uid_equal(&id, &crks[KEYMANAGER_OTHER_CRK].id))
			continue;
		lacks = true;
		uid_text(text, &id);
		if (!instance->lacks_root)
			log_error("root-key-lacks",
				"instance=%s root_key=%s effect=\"keys that it wraps cannot be "
				"opened\" hint=\"name it as other-root-key, then kmipctl instance "
				"migrate\"",
				instance->id.text, text);
	}
	instance->lacks_root = lacks;
}

void roots_note(struct instance *instance, enum keymanager_crk crk)
{
	struct cache_read *read = NULL;
	struct slice ids;
	enum err err;

	if (!crk_is_known(&instance->crks[crk]) || !roots_are_all_known(instance))
		return;
	TRY(cache_read_begin(&read, instance->keystore->cache));
	TRY(wrapped_by_get(&ids, read, instance));
	roots_judge(instance, ids);
	if (!ids_have(ids, &instance->crks[KEYMANAGER_CRK].id))
		err = roots_add(instance);
out:
	cache_read_end(read);
	if (err != ERR_OK)
		log_warning("fact-not-written", "fact=wrapped-by error=%s", err_name(err));
}

/* ---- a reload ---- */

static bool text_same(const char *a, const char *b)
{
	return (a == NULL) == (b == NULL) && (a == NULL || strcmp(a, b) == 0);
}

static bool root_is_new(const struct instance *instance, const struct keystore_roots *roots)
{
	return !text_same(instance->options.root_key, roots->root_key);
}

/* The one that wraps from now on could be opened by every node before, and the one before stays. */
static bool roots_are_swapped(const struct instance *instance, const struct keystore_roots *roots)
{
	return text_same(instance->options.root_key, roots->other_root_key) &&
	       text_same(instance->options.other_root_key, roots->root_key);
}

/* Nothing may be wrapped with the other root key, as far as this node knows. */
static enum err other_is_idle(const struct instance *instance, bool *idle)
{
	const struct instance_crk *other = &instance->crks[KEYMANAGER_OTHER_CRK];
	struct cache_read *read = NULL;
	struct slice ids;
	enum err err;

	TRY(cache_read_begin(&read, instance->keystore->cache));
	TRY(wrapped_by_get(&ids, read, instance));
	*idle = crk_is_known(other) ? !ids_have(ids, &other->id) : ids.len <= UID_LEN;
out:
	cache_read_end(read);
	return err;
}

enum err keystore_judge_roots(
	const struct keystore *keystore, const struct keystore_roots *roots, char why[300])
{
	const struct instance *instance = keystore_instance_of(keystore, &roots->instance);
	bool idle = true;
	enum err err = ERR_OK;

	if (instance == NULL || roots_are_swapped(instance, roots))
		return ERR_OK;
	if (root_is_new(instance, roots)) {
		snprintf(why, 300,
			"instance %s: root-key may only be exchanged with other-root-key: name the "
			"new one as other-root-key on both nodes first, since keys that %s wraps "
			"could not be opened",
			instance->id.text, instance->options.root_key);
		return ERR_CONFIG;
	}
	if (instance->options.other_root_key != NULL &&
		!text_same(instance->options.other_root_key, roots->other_root_key))
		TRY(other_is_idle(instance, &idle));
	if (!idle) {
		snprintf(why, 300,
			"instance %s: keys may be wrapped with %s, so that it stays other-root-key "
			"until kmipctl instance migrate %s is done",
			instance->id.text, instance->options.other_root_key, instance->id.text);
		err = ERR_CONFIG;
	}
out:
	return err;
}

enum err instance_keep_roots(
	struct instance *instance, const char *root_key, const char *other_root_key)
{
	struct keymanager_options *options = &instance->options;
	enum err err = ERR_OK;

	options->root_key = options->other_root_key = NULL;
	if (root_key != NULL) {
		TRY(text_copy(instance->root_key, INSTANCE_ROOT_LEN, slice_text(root_key)));
		options->root_key = instance->root_key;
	}
	if (other_root_key != NULL) {
		TRY(text_copy(
			instance->other_root_key, INSTANCE_ROOT_LEN, slice_text(other_root_key)));
		options->other_root_key = instance->other_root_key;
	}
out:
	return err;
}

enum err keystore_set_roots(
	struct keystore *keystore, const struct keystore_roots *roots, bool *changed, char why[300])
{
	struct instance *instance = keystore_instance_of(keystore, &roots->instance);
	struct instance_crk *crks;
	struct instance_crk other = { 0 };
	enum err err;

	*changed = false;
	/* A reader uses none. */
	if (instance == NULL || instance->keymanager == NULL ||
		(!root_is_new(instance, roots) &&
			text_same(instance->options.other_root_key, roots->other_root_key)))
		return ERR_OK;
	TRY(keystore_judge_roots(keystore, roots, why));
	TRY(keymanager_set_roots(
		instance->keymanager, roots->root_key, roots->other_root_key, why));
	crks = instance->crks;
	if (roots_are_swapped(instance, roots)) {
		other = crks[KEYMANAGER_CRK];
		crks[KEYMANAGER_CRK] = crks[KEYMANAGER_OTHER_CRK];
	}
	crks[KEYMANAGER_OTHER_CRK] = other;
	TRY(instance_keep_roots(instance, roots->root_key, roots->other_root_key));
	if (instance->background != NULL)
		background_roots_changed(instance->background);
	log_info("root-keys-changed", "instance=%s root_key=%s other_root_key=%s",
		instance->id.text, roots->root_key,
		roots->other_root_key == NULL ? "none" : roots->other_root_key);
	*changed = true;
out:
	return err;
}
