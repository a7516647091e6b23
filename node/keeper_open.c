/* SPDX-License-Identifier: Apache-2.0 */
/* What the keeper is made of, opened bottom up. */
#include "node/keeper_private.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "node/instances.h"
#include "node/server_tls.h"

enum { CERTIFICATE_WARN_DAYS = 30 };

enum err keeper_open_keystore(struct keeper *keeper, char why[CONFIG_WHY_MAX])
{
	enum err err;
	struct keystore_instance_options *instances = NULL;
	struct counters *counters;
	bool changed;
	TRY(counters_page_new(&keeper->counters, workers_count(keeper->config->top.workers) + 1));
	TRY(counters_page_part(&counters, keeper->counters, 0));
	TRY(kek_table_new(&keeper->table, keeper->config->top.keys_in_memory));
	TRY(instances_for_keystore(&instances, keeper->config));
	struct keystore_options options = { .loop = keeper->loop,
		.cache = keeper->cache,
		.table = keeper->table,
		.instances = instances,
		.instance_count = keeper->config->instance_count,
		.settings = instances_settings(keeper->config),
		.node = (uint16_t) keeper->config->top.node,
		.lookups = &counters->lookups };
	TRY(keystore_new(&keeper->keystore, &options, why));
	TRY(authorities_load(&keeper->authorities, keeper->config, why));
	struct kmip_options kmip = { .keystore = keeper->keystore,
		.loop = keeper->loop,
		.vendor = "kmip-pair " PAIR_VERSION,
		.node_name = keeper->config->top.name,
		.authorities = &keeper->authorities,
		.on_item = counters_on_item,
		.ctx = counters,
		.strict_activate = keeper->config->kmip.strict_activate };
	TRY(kmip_server_new(&keeper->kmip, &kmip));
	TRY(instances_set_policies(&keeper->policies, keeper->kmip, keeper->config, &changed));
out:
	free(instances);
	return err;
}

static void keeper_on_vouch(void *ctx, uint64_t until_ms)
{
	struct keeper *keeper = ctx;
	kek_table_set_vouch(keeper->table, until_ms);
	if (until_ms != 0)
		keystore_note_contact(keeper->keystore);
}

/* A lease that is not known to speak for an instance must not speak for it. */
static void keeper_on_leased(void *ctx, const struct instance_id *instance, bool leased)
{
	struct keeper *keeper = ctx;
	enum err err = kek_table_set_leased(keeper->table, instance, leased);
	ASSERT(err == ERR_OK);
}

struct replication_files keeper_peer_files(const struct config *config)
{
	return (struct replication_files){ config->peer.certificate, config->peer.key,
		config->peer.peer_certificate };
}

enum err keeper_judge_peer(const struct config *config, char why[CONFIG_WHY_MAX])
{
	struct replication_files files = keeper_peer_files(config);
	return config->has_peer ? replication_judge(&files, why) : ERR_OK;
}

enum err keeper_open_peer(struct keeper *keeper, char why[CONFIG_WHY_MAX])
{
	enum err err = ERR_OK;
	struct replication_instance *instances = NULL;
	const struct config_peer *peer = &keeper->config->peer;
	if (!keeper->config->has_peer) {
		kek_table_set_vouch(keeper->table, UINT64_MAX);
		return ERR_OK;
	}
	kek_table_set_vouch(keeper->table, 0);
	TRY(instances_for_peer(&instances, keeper->config));
	struct replication_options options = { .loop = keeper->loop,
		.keystore = keeper->keystore,
		.cluster = peer->cluster,
		.node = (uint16_t) keeper->config->top.node,
		.peer_node = (uint16_t) peer->node,
		.listen = peer->listen,
		.peer_address = peer->address,
		.files = keeper_peer_files(keeper->config),
		.ack_wait_ms = peer->ack_wait_ms,
		.version_max = (uint8_t) peer->protocol_max,
		.instances = instances,
		.instance_count = keeper->config->instance_count,
		.on_vouch = keeper_on_vouch,
		.on_leased = keeper_on_leased,
		.ctx = keeper };
	TRY(replication_new(&keeper->replication, &options, why));
	TRY(replication_start(keeper->replication, why));
out:
	free(instances);
	return err;
}

static void keeper_tell_end(const char *file, const struct tls_peer *leaf)
{
	int64_t left = leaf->not_after - clock_wall_seconds();
	if (left < 0)
		log_error("certificate-expired", "file=%s", file);
	else if (left < CERTIFICATE_WARN_DAYS * 86400)
		log_warning(
			"certificate-expires-soon", "file=%s days=%d", file, (int) (left / 86400));
}

enum err keeper_judge_certificate(
	struct keeper *keeper, const struct config *config, char why[CONFIG_WHY_MAX])
{
	enum err err;
	struct tls_context *tls = NULL;
	TRY(server_tls_new(&tls, config, NULL, NULL, why));
	tls_context_leaf(tls, &keeper->leaf);
	/* Only for those who watch when they end: the link judges them itself. */
	if (config->has_peer &&
		(tls_leaf_of_file(&keeper->link_leaf, config->peer.certificate) != ERR_OK ||
			tls_leaf_of_file(&keeper->peer_leaf, config->peer.peer_certificate) !=
				ERR_OK))
		log_warning("link-certificate-unread", "file=%s", config->peer.certificate);
	keeper_tell_end(config->kmip.certificate, &keeper->leaf);
	if (config->has_peer)
		keeper_tell_end(config->peer.certificate, &keeper->link_leaf);
out:
	tls_context_free(tls);
	return err;
}
