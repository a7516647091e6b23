/* SPDX-License-Identifier: Apache-2.0 */
#include "node/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "node/authorities.h"
#include "node/instances.h"
#include "node/keeper.h"
#include "node/server_tls.h"

enum { CHECK_TABLE_SLOTS = 64, CHECK_MAP_BYTES = 16 << 20, CHECK_TIMEOUT_MS = 30000 };

struct check {
	struct config *config;
	struct loop *loop;
	struct loop_timer *timer;
	struct cache *cache;
	struct kek_table *table;
	struct keystore *keystore;
	struct check_instance *instances;
	size_t waiting;
	bool failed;
	char folder[64]; /* of an empty cache: the node's own may be in use */
};

struct check_instance {
	struct check *check;
	size_t number;
	struct keystore_pending *pending;
};

static void check_on_checked(void *ctx, enum err err, const char *why)
{
	struct check_instance *instance = ctx;
	struct check *check = instance->check;
	instance->pending = NULL;
	printf("instance %s: %s%s%s\n", check->config->instances[instance->number].name,
		err == ERR_OK ? "ok" : err_text(err), why == NULL || why[0] == '\0' ? "" : ": ",
		why == NULL ? "" : why);
	check->failed |= err != ERR_OK;
	if (--check->waiting == 0)
		loop_stop(check->loop);
}

static void check_on_timer(void *ctx)
{
	struct check *check = ctx;
	printf("key manager: no answer within %d s\n", CHECK_TIMEOUT_MS / 1000);
	check->failed = true;
	loop_stop(check->loop);
}

static enum err check_files(struct check *check, const char *config_path, char why[CONFIG_WHY_MAX])
{
	enum err err;
	struct tls_context *tls = NULL;
	struct kmip_authorities authorities = { 0 };
	TRY(config_load(&check->config, config_path, why));
	TRY(server_tls_new(&tls, check->config, NULL, NULL, why));
	TRY(keeper_judge_peer(check->config, why));
	TRY(authorities_load(&authorities, check->config, why));
	check->failed = !authorities_check(check->config, &authorities);
out:
	kmip_authorities_free(&authorities);
	tls_context_free(tls);
	return err;
}

static enum err check_open(struct check *check, char why[CONFIG_WHY_MAX])
{
	enum err err;
	struct keystore_instance_options *instances = NULL;
	struct cache_options cache = { .folder = check->folder, .map_bytes = CHECK_MAP_BYTES };
	snprintf(check->folder, sizeof(check->folder), "/tmp/kmipd-check-XXXXXX");
	TRY(mkdtemp(check->folder) == NULL ? ERR_IO : ERR_OK);
	TRY(loop_new(&check->loop));
	TRY(loop_timer_new(&check->timer, check->loop, check_on_timer, check));
	TRY(cache_open(&check->cache, &cache, why));
	TRY(kek_table_new(&check->table, CHECK_TABLE_SLOTS));
	TRY(instances_for_keystore(&instances, check->config));
	struct keystore_options options = { .loop = check->loop,
		.cache = check->cache,
		.table = check->table,
		.instances = instances,
		.instance_count = check->config->instance_count,
		.settings = instances_settings(check->config),
		.node = (uint16_t) check->config->top.node };
	TRY(keystore_new(&check->keystore, &options, why));
out:
	free(instances);
	return err;
}

static enum err check_start(struct check *check)
{
	enum err err = ERR_OK;
	check->instances = calloc(check->config->instance_count, sizeof(*check->instances));
	TRY(check->instances == NULL ? ERR_NOMEM : ERR_OK);
	loop_timer_set(check->timer, CHECK_TIMEOUT_MS);
	for (size_t i = 0; i < check->config->instance_count; i++) {
		struct check_instance *instance = &check->instances[i];
		*instance = (struct check_instance){ .check = check, .number = i };
		TRY(keystore_check_start(
			&instance->pending, check->keystore, i, check_on_checked, instance));
		check->waiting++;
	}
out:
	return err;
}

static void check_close(struct check *check)
{
	char path[128];
	keystore_free(check->keystore);
	kek_table_free(check->table);
	cache_close(check->cache);
	loop_timer_free(check->timer);
	loop_free(check->loop);
	config_free(check->config);
	free(check->instances);
	if (check->folder[0] == '\0')
		return;
	for (const char *const *name = (const char *const[]){ "data.mdb", "lock.mdb", NULL };
		*name != NULL; name++) {
		snprintf(path, sizeof(path), "%s/%s", check->folder, *name);
		unlink(path);
	}
	rmdir(check->folder);
}

int check_run(const char *config_path)
{
	enum err err;
	char why[CONFIG_WHY_MAX] = "";
	struct check check = { 0 };
	log_start(STDERR_FILENO, "check");
	log_set_level(LOG_WARNING);
	TRY(check_files(&check, config_path, why));
	printf("configuration %s: ok\n", config_path);
	TRY(check_open(&check, why));
	TRY(check_start(&check));
	TRY(loop_run(check.loop));
out:
	if (err != ERR_OK)
		fprintf(stderr, "kmipd: %s\n", why[0] == '\0' ? err_text(err) : why);
	bool good = err == ERR_OK && !check.failed;
	check_close(&check);
	return good ? 0 : 1;
}
