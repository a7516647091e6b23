/* SPDX-License-Identifier: Apache-2.0 */
#include "node/keeper_private.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/listen.h"
#include "base/log.h"
#include "base/text.h"
#include "node/instances.h"

/*
 *	starting -> open <-----------------+
 *	   |         +-> draining -> drained
 *	   +---------+------+-----------+--> stopping
 */
static const struct sm_state keeper_states[] = {
	[KEEPER_STARTING] = { "starting", SM_TO(KEEPER_OPEN) | SM_TO(KEEPER_STOPPING) },
	[KEEPER_OPEN] = { "open", SM_TO(KEEPER_DRAINING) | SM_TO(KEEPER_STOPPING) },
	[KEEPER_DRAINING] = { "draining", SM_TO(KEEPER_DRAINED) | SM_TO(KEEPER_STOPPING) },
	[KEEPER_DRAINED] = { "drained", SM_TO(KEEPER_OPEN) | SM_TO(KEEPER_STOPPING) },
	[KEEPER_STOPPING] = { "stopping", 0 },
};

enum {
	KEEPER_GAP_MS = 250, /* design D3 */
	KEEPER_READER_CHECK_MS = 10000, /* design D11 */
	KEEPER_STOP_MS = 8000,
};

/* The port is taken at the start, so that a conflict is told at once, and given back until clients
 * can be judged: a client that is refused walks on to the other node, one that hangs does not. */
static enum err keeper_try_port(const struct config *config, char why[CONFIG_WHY_MAX])
{
	int fd;
	enum err err = listen_tcp(&fd, config->kmip.listen, why);
	if (err == ERR_OK)
		close(fd);
	return err;
}

/* The registrations are known: clients can be judged, so the port opens (design D11). */
static void keeper_on_open(void *ctx)
{
	char why[CONFIG_WHY_MAX];
	struct keeper *keeper = ctx;
	if (keeper->sm.state != KEEPER_STARTING)
		return;
	if (keeper_start_workers(keeper, why) != ERR_OK) {
		loop_stop(keeper->loop);
		return;
	}
	sm_move(&keeper->sm, KEEPER_OPEN, "client registrations are known");
	log_info("listening", "address=%s", keeper->config->kmip.listen);
	sd_notify(0, "READY=1");
}

/* ---- stopping ---- */

static void keeper_stop_if_done(struct keeper *keeper)
{
	if (keeper->workers_gone && keeper->peer_gone)
		loop_stop(keeper->loop);
}

static void keeper_on_peer_stopped(void *ctx)
{
	struct keeper *keeper = ctx;
	keeper->peer_gone = true;
	keeper_stop_if_done(keeper);
}

/* The last checkpoint is over: what it merged goes to the peer as well. */
static void keeper_on_keystore_closed(void *ctx)
{
	struct keeper *keeper = ctx;
	keeper->workers_gone = true;
	if (keeper->replication != NULL)
		replication_stop(keeper->replication, keeper_on_peer_stopped, keeper);
	else
		keeper->peer_gone = true;
	keeper_stop_if_done(keeper);
}

/* Nothing changes any more, so that a checkpoint is complete (design D10). */
static void keeper_on_settled(void *ctx)
{
	struct keystore_pending *pending;
	struct keeper *keeper = ctx;
	if (keeper->sm.state == KEEPER_DRAINING) {
		keeper_on_drained(keeper);
		return;
	}
	if (keystore_close_start(&pending, keeper->keystore, keeper_on_keystore_closed, keeper) !=
		ERR_OK)
		keeper_on_keystore_closed(keeper);
}

/* What is under way may still need the peer's acknowledgement, so the link goes after the workers.
 */
static void keeper_on_workers_stopped(void *ctx)
{
	struct keeper *keeper = ctx;
	kmip_server_settle(keeper->kmip, keeper_on_settled, keeper);
}

static void keeper_on_terminate(void *ctx)
{
	struct keeper *keeper = ctx;
	if (keeper->sm.state == KEEPER_STOPPING) {
		loop_stop(keeper->loop);
		return;
	}
	sm_move(&keeper->sm, KEEPER_STOPPING, "signal");
	sd_notify(0, "STOPPING=1");
	loop_timer_set(keeper->stop_timer, KEEPER_STOP_MS);
	keeper_stop_workers(keeper);
}

static void keeper_on_stop_timer(void *ctx)
{
	struct keeper *keeper = ctx;
	log_warning("stop-forced", "after_ms=%d", KEEPER_STOP_MS);
	loop_stop(keeper->loop);
}

/* ---- while running ---- */

static void keeper_on_child(void *ctx)
{
	struct keeper *keeper = ctx;
	if (keeper->workers != NULL)
		workers_reap(keeper->workers);
}

static void keeper_on_reader_check(void *ctx)
{
	struct keeper *keeper = ctx;
	cache_check_readers(keeper->cache);
	cache_guard_tick(&keeper->cache_guard, keeper->cache);
	loop_timer_set(keeper->reader_check, KEEPER_READER_CHECK_MS);
}

/* After a stall nobody can say what the peer did meanwhile (design D3). */
static void keeper_on_gap(void *ctx, uint64_t gap_ms)
{
	struct keeper *keeper = ctx;
	keeper->gaps++;
	keeper->gaps_ms += gap_ms;
	log_warning("loop-gap", "ms=%llu", (unsigned long long) gap_ms);
	if (keeper->replication != NULL)
		replication_drop_lease(keeper->replication);
}

/* Instances are never taken away by a reload; the link compares the new list at once. */
static enum err keeper_apply_instances(
	struct keeper *keeper, const struct config *config, char why[CONFIG_WHY_MAX])
{
	enum err err;
	bool changed, other_policies;
	TRY(instances_apply(keeper->keystore, config, &changed, why));
	TRY(instances_set_policies(&keeper->policies, keeper->kmip, config, &other_policies));
	if (keeper->replication != NULL && (changed || other_policies))
		TRY(instances_tell_peer(keeper->replication, config));
out:
	return err;
}

static enum err keeper_apply(
	struct keeper *keeper, const struct config *config, char why[CONFIG_WHY_MAX])
{
	enum err err;
	struct keystore_settings settings = instances_settings(config);
	struct replication_files files = keeper_peer_files(config);
	if (keeper->replication != NULL && config->has_peer)
		TRY(replication_reload(keeper->replication, &files, why));
	TRY(keeper_apply_instances(keeper, config, why));
	keystore_reload(keeper->keystore, &settings);
	log_set_level(config->top.log_level);
out:
	return err;
}

/* Takes it over, for the workers that run and those to come. */
static void keeper_keep_reloaded(struct keeper *keeper, struct config *config)
{
	if (keeper->workers != NULL)
		workers_reload(keeper->workers, config);
	config_free(keeper->reloaded);
	keeper->reloaded = config;
}

/* What was written and is not in force must not look as if it were. */
static void keeper_tell_waiting(
	const struct keeper *keeper, const struct config *config, char waiting[CONFIG_WHY_MAX])
{
	struct buf names;
	buf_init(&names, CONFIG_WHY_MAX - 1);
	if (config_waiting(&names, keeper->config, config) == ERR_OK) {
		struct slice told = buf_slice(&names);
		snprintf(waiting, CONFIG_WHY_MAX, "%.*s", (int) told.len, (const char *) told.data);
	} else
		snprintf(waiting, CONFIG_WHY_MAX, "many options");
	buf_free(&names);
	if (waiting[0] != '\0')
		log_warning("reload-incomplete", "need=restart options=%s",
			log_quoted(slice_text(waiting)));
}

enum err keeper_reload(struct keeper *keeper, char why[CONFIG_WHY_MAX])
{
	enum err err;
	struct config *config = NULL;
	struct kmip_authorities authorities = { 0 };
	if (config_load(&config, keeper->config_path, why) != ERR_OK ||
		keeper_judge_peer(config, why) != ERR_OK ||
		authorities_load(&authorities, config, why) != ERR_OK ||
		keeper_judge_certificate(keeper, config, why) != ERR_OK ||
		instances_judge(keeper->keystore, config, why) != ERR_OK)
		err = ERR_CONFIG;
	else if (keeper_apply(keeper, config, why) != ERR_OK)
		err = ERR_INTERNAL;
	else
		err = ERR_OK;
	if (err == ERR_OK) {
		authorities_exchange(&keeper->authorities, &authorities);
		log_info("reloaded", "file=%s", keeper->config_path);
		keeper_tell_waiting(keeper, config, why);
		keeper_keep_reloaded(keeper, config);
		config = NULL;
	} else
		log_error("reload-refused", "applied=%s why=%s",
			err == ERR_CONFIG ? "nothing" : "a-part", log_quoted(slice_text(why)));
	kmip_authorities_free(&authorities);
	config_free(config);
	return err;
}

static void keeper_on_hang_up(void *ctx)
{
	char why[CONFIG_WHY_MAX] = "";
	(void) !keeper_reload(ctx, why);
}

void keeper_status(struct keeper *keeper, struct keeper_status *out)
{
	struct cache_read *read;
	*out = (struct keeper_status){ .name = keeper->config->top.name,
		.node = keeper->config->top.node,
		.state = sm_state_name(&keeper->sm),
		.up_ms = loop_now_ms(keeper->loop) - keeper->started_ms,
		.has_peer = keeper->config->has_peer,
		.peer_address = keeper->config->peer.address,
		.counters = keeper->counters,
		.keys_in_memory = kek_table_count(keeper->table),
		.keys_in_memory_max = keeper->config->top.keys_in_memory,
		.loop_gaps = keeper->gaps,
		.loop_gaps_ms = keeper->gaps_ms,
		.certificate_not_after = keeper->leaf.not_after,
		.link_not_after = keeper->link_leaf.not_after,
		.peer_not_after = keeper->peer_leaf.not_after };
	text_hex(out->certificate_fingerprint,
		slice_of(keeper->leaf.fingerprint, TLS_FINGERPRINT_LEN));
	if (keeper->replication != NULL)
		replication_status(keeper->replication, &out->peer);
	if (keeper->workers != NULL)
		workers_status(keeper->workers, &out->workers);
	if (cache_read_begin(&read, keeper->cache) != ERR_OK)
		return;
	if (cache_count(read, &out->cache) != ERR_OK)
		out->cache = (struct cache_counts){ 0 };
	cache_read_end(read);
}

const char *keeper_gets_name(const struct keystore_instance_status *instance)
{
	if (instance->vouched)
		return "cache";
	return instance->outage_since_ms != 0 ? "resident copies" : "key manager";
}

const char *keeper_policy_text(const struct keeper *keeper, const struct instance_id *instance)
{
	for (size_t i = 0; i < keeper->policies.count; i++)
		if (instance_id_equal(&keeper->policies.list[i].instance, instance))
			return keeper->policies.list[i].policy.text;
	return "";
}

struct keystore *keeper_keystore(struct keeper *keeper)
{
	return keeper->keystore;
}

struct loop *keeper_loop(struct keeper *keeper)
{
	return keeper->loop;
}

static enum err keeper_open_signals(struct keeper *keeper)
{
	enum err err;
	struct loop *loop = keeper->loop;
	TRY(loop_signal_new(&keeper->terminated, loop, SIGTERM, keeper_on_terminate, keeper));
	TRY(loop_signal_new(&keeper->interrupted, loop, SIGINT, keeper_on_terminate, keeper));
	TRY(loop_signal_new(&keeper->hung_up, loop, SIGHUP, keeper_on_hang_up, keeper));
	TRY(loop_signal_new(&keeper->child, loop, SIGCHLD, keeper_on_child, keeper));
	TRY(loop_timer_new(&keeper->reader_check, loop, keeper_on_reader_check, keeper));
	TRY(loop_timer_new(&keeper->stop_timer, loop, keeper_on_stop_timer, keeper));
	loop_timer_set(keeper->reader_check, KEEPER_READER_CHECK_MS);
	loop_watch_gap(loop, KEEPER_GAP_MS, keeper_on_gap, keeper);
out:
	return err;
}

static enum err keeper_open(struct keeper *keeper, char why[CONFIG_WHY_MAX])
{
	enum err err;
	TRY(config_load(&keeper->config, keeper->config_path, why));
	log_set_level(keeper->config->top.log_level);
	sm_init(&keeper->sm, keeper_states, KEEPER_STOPPING + 1, "node", keeper->config->top.name);
	TRY(loop_new(&keeper->loop));
	keeper->started_ms = loop_now_ms(keeper->loop);
	keeper_drain_init(keeper, keeper_on_workers_stopped);
	TRY(keeper_judge_certificate(keeper, keeper->config, why));
	TRY(keeper_try_port(keeper->config, why));
	TRY(admin_new(&keeper->admin, keeper, keeper->loop, keeper->config->top.admin_socket, why));
	TRY(cache_guard_open(&keeper->cache, keeper->config_path, keeper->config, why));
	TRY(keeper_open_keystore(keeper, why));
	TRY(keeper_open_signals(keeper));
	TRY(keeper_open_peer(keeper, why));
	TRY(monitor_new(&keeper->monitor, keeper, keeper->config->metrics.listen, why));
	admin_start(keeper->admin);
	keystore_start(keeper->keystore, keeper_on_open, keeper);
	log_info("started", "version=%s node=%u instances=%zu peer=%s", PAIR_VERSION,
		keeper->config->top.node, keeper->config->instance_count,
		keeper->config->has_peer ? "yes" : "no");
out:
	return err;
}

/* Top down: who uses something goes before it. */
static void keeper_close(struct keeper *keeper)
{
	monitor_free(keeper->monitor);
	admin_free(keeper->admin);
	loop_task_cancel(&keeper->drained);
	workers_free(keeper->workers);
	if (keeper->listen_fd >= 0)
		close(keeper->listen_fd);
	kmip_server_free(keeper->kmip);
	instances_free_policies(&keeper->policies);
	kmip_authorities_free(&keeper->authorities);
	replication_free(keeper->replication);
	keystore_free(keeper->keystore);
	kek_table_free(keeper->table);
	counters_page_free(keeper->counters);
	cache_close(keeper->cache);
	loop_signal_free(keeper->terminated);
	loop_signal_free(keeper->interrupted);
	loop_signal_free(keeper->hung_up);
	loop_signal_free(keeper->child);
	loop_timer_free(keeper->reader_check);
	loop_timer_free(keeper->stop_timer);
	loop_free(keeper->loop);
	config_free(keeper->reloaded);
	config_free(keeper->config);
}

int keeper_run(const char *config_path)
{
	char why[CONFIG_WHY_MAX] = "";
	struct keeper keeper = { .config_path = config_path, .listen_fd = -1 };
	log_start(STDERR_FILENO, "keeper");
	enum err err = keeper_open(&keeper, why);
	if (err != ERR_OK)
		fprintf(stderr, "kmipd: %s\n", why[0] == '\0' ? err_text(err) : why);
	else
		err = loop_run(keeper.loop);
	bool clean = err == ERR_OK && keeper.sm.state == KEEPER_STOPPING;
	if (err == ERR_OK)
		log_info("stopped", "clean=%s", clean ? "yes" : "no");
	keeper_close(&keeper);
	return clean ? 0 : 1;
}
