/* SPDX-License-Identifier: Apache-2.0 */
#include "node/instances.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypt.h"

enum err instances_for_keystore(struct keystore_instance_options **out, const struct config *config)
{
	struct keystore_instance_options *list = calloc(config->instance_count, sizeof(*list));
	if (list == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < config->instance_count; i++) {
		const struct config_instance *from = &config->instances[i];
		enum err err = instance_id_parse(&list[i].id, slice_text(from->id));
		ASSERT(err == ERR_OK); /* judged when it was loaded */
		list[i].name = from->name;
		list[i].keymanager = (struct keymanager_options){ .kind = from->kind,
			.url = from->url,
			.iam_url = from->iam_url,
			.ca_file = from->ca_file,
			.proxy = from->proxy,
			.service_instance = from->service_instance,
			.api_key_file = from->api_key_file,
			.key_ring = from->key_ring,
			.root_key = from->root_key,
			.other_root_key = from->other_root_key };
	}
	*out = list;
	return ERR_OK;
}

static struct keystore_roots instance_roots(const struct keystore_instance_options *options)
{
	return (struct keystore_roots){ .instance = options->id,
		.root_key = options->keymanager.root_key,
		.other_root_key = options->keymanager.other_root_key };
}

enum err instances_judge(
	const struct keystore *keystore, const struct config *config, char why[CONFIG_WHY_MAX])
{
	enum err err;
	struct keystore_instance_options *instances = NULL;
	TRY(instances_for_keystore(&instances, config));
	for (size_t i = 0; i < config->instance_count; i++) {
		struct keystore_roots roots = instance_roots(&instances[i]);
		TRY(keystore_judge_roots(keystore, &roots, why));
	}
out:
	free(instances);
	return err;
}

enum err instances_apply(struct keystore *keystore, const struct config *config, bool *changed,
	char why[CONFIG_WHY_MAX])
{
	enum err err;
	struct keystore_instance_options *instances = NULL;
	*changed = false;
	TRY(instances_for_keystore(&instances, config));
	for (size_t i = 0; i < config->instance_count; i++) {
		struct keystore_roots roots = instance_roots(&instances[i]);
		bool is_new = keystore_instance_find(keystore, config->instances[i].id) == NULL;
		bool other_roots = false;
		if (is_new)
			TRY(keystore_add_instance(keystore, &instances[i], why));
		else
			TRY(keystore_set_roots(keystore, &roots, &other_roots, why));
		*changed |= is_new || other_roots;
	}
out:
	free(instances);
	return err;
}

/* ERR_CONFIG: the file was judged otherwise. Free with free(). */
static enum err read_policies(struct instance_policy **out, const struct config *config)
{
	enum err err = ERR_OK;
	char why[POLICY_WHY_MAX];
	struct instance_policy *list = calloc(config->instance_count, sizeof(*list));
	if (list == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < config->instance_count; i++) {
		const struct config_instance *from = &config->instances[i];
		TRY(instance_id_parse(&list[i].instance, slice_text(from->id)));
		TRY(policy_parse(&list[i].policy, from->algorithm_policy, why));
	}
	*out = list;
	list = NULL;
out:
	free(list);
	return err;
}

static bool are_same(const struct instances_policies *a, const struct instances_policies *b)
{
	bool same = a->count == b->count;
	for (size_t i = 0; i < a->count && same; i++)
		same = instance_id_equal(&a->list[i].instance, &b->list[i].instance) &&
		       strcmp(a->list[i].policy.text, b->list[i].policy.text) == 0;
	return same;
}

enum err instances_set_policies(struct instances_policies *policies, struct kmip_server *server,
	const struct config *config, bool *changed)
{
	enum err err;
	struct instances_policies new = { .count = config->instance_count };
	TRY(read_policies(&new.list, config));
	*changed = !are_same(policies, &new);
	kmip_server_set_policies(server, new.list, new.count);
	free(policies->list);
	*policies = new;
out:
	return err;
}

void instances_free_policies(struct instances_policies *policies)
{
	free(policies->list);
}

enum err instances_for_peer(struct replication_instance **out, const struct config *config)
{
	enum err err = ERR_OK;
	struct replication_instance *list = calloc(config->instance_count, sizeof(*list));
	struct instance_policy *policies = NULL;
	TRY(list == NULL ? ERR_NOMEM : ERR_OK);
	TRY(read_policies(&policies, config));
	for (size_t i = 0; i < config->instance_count; i++) {
		const struct config_instance *from = &config->instances[i];
		struct slice zero = slice_of("", 1);
		struct slice root = slice_text(from->root_key);
		struct slice other = slice_text(from->other_root_key);
		bool swap = slice_compare(root, other) > 0;
		struct slice parts[] = { slice_text(from->id), zero, swap ? other : root, zero,
			swap ? root : other, zero, slice_text(from->key_ring) };
		TRY(instance_id_parse(&list[i].id, slice_text(from->id)));
		TRY(crypt_sha256_parts(list[i].digest, parts, sizeof(parts) / sizeof(parts[0])));
		TRY(policy_digest(list[i].settings, &policies[i].policy));
	}
	*out = list;
	list = NULL;
out:
	free(policies);
	free(list);
	return err;
}

enum err instances_tell_peer(struct replication *replication, const struct config *config)
{
	enum err err;
	struct replication_instance *for_peer = NULL;
	TRY(instances_for_peer(&for_peer, config));
	TRY(replication_set_instances(replication, for_peer, config->instance_count));
out:
	free(for_peer);
	return err;
}

_Static_assert(CONFIG_WARM_ALL == KEYSTORE_WARM_ALL, "all");

struct keystore_settings instances_settings(const struct config *config)
{
	return (struct keystore_settings){ .plaintext_ttl_s = config->top.plaintext_ttl_s,
		.outage_grace_s = config->top.outage_grace_s,
		.root_poll_s = config->top.root_poll_s,
		.reconcile_s = config->top.reconcile_s,
		.max_stale_s = config->top.max_stale_s,
		.keep_warm = config->top.keep_warm,
		.keep_warm_rate = config->top.keep_warm_rate,
		.checkpoint_s = config->top.checkpoint_s };
}
