/* SPDX-License-Identifier: Apache-2.0 */
/* Workers and the port: opened, closed for a while (design D27), closed for good. */
#include "node/keeper_private.h"

#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/listen.h"
#include "base/log.h"

enum { WORKER_OWN_DESCRIPTORS = 64 }; /* beside its connections */

/* At once, so that clients are refused and walk on instead of waiting in its queue. */
static void keeper_close_port(struct keeper *keeper)
{
	if (keeper->listen_fd >= 0)
		close(keeper->listen_fd);
	keeper->listen_fd = -1;
}

static void keeper_drop_workers(struct keeper *keeper)
{
	workers_free(keeper->workers);
	keeper->workers = NULL;
	keeper_close_port(keeper);
}

/* The workers have the limits of the keeper. */
static void keeper_lift_limit(const struct keeper *keeper)
{
	uint64_t limit = listen_lift_limit();
	uint64_t wanted = (uint64_t) keeper->config->kmip.connections_max + WORKER_OWN_DESCRIPTORS;

	if (limit < wanted)
		log_warning("descriptor-limit",
			"limit=%llu wanted=%llu effect=\"fewer than max-connections\" "
			"remedy=\"raise "
			"the hard limit (LimitNOFILE, ulimit -n)\"",
			(unsigned long long) limit, (unsigned long long) wanted);
}

enum err keeper_start_workers(struct keeper *keeper, char why[CONFIG_WHY_MAX])
{
	enum err err;
	why[0] = '\0';
	keeper_lift_limit(keeper);
	TRY(listen_tcp(&keeper->listen_fd, keeper->config->kmip.listen, why));
	struct workers_options options = { .loop = keeper->loop,
		.keystore = keeper->keystore,
		.kmip = keeper->kmip,
		.table = keeper->table,
		.cache = keeper->cache,
		.config_path = keeper->config_path,
		.started = keeper->config,
		.reloaded = keeper->reloaded,
		.listen_fd = keeper->listen_fd,
		.counters = keeper->counters,
		.count = workers_count(keeper->config->top.workers),
		.on_stopped = keeper->on_workers_stopped,
		.ctx = keeper };
	TRY(workers_new(&keeper->workers, &options));
	TRY(workers_start(keeper->workers));
out:
	if (err == ERR_OK)
		return ERR_OK;
	if (why[0] == '\0')
		snprintf(why, CONFIG_WHY_MAX, "%s", err_text(err));
	log_error("open-failed", "err=%s why=%s", err_name(err), log_quoted(slice_text(why)));
	keeper_drop_workers(keeper);
	return err;
}

void keeper_stop_workers(struct keeper *keeper)
{
	loop_task_cancel(&keeper->drained);
	keeper_close_port(keeper);
	if (keeper->workers != NULL)
		workers_stop(keeper->workers);
	else
		keeper->on_workers_stopped(keeper);
}

/* ---- draining ---- */

static void keeper_on_peer_told(void *ctx)
{
	struct keeper *keeper = ctx;
	if (keeper->sm.state != KEEPER_DRAINING)
		return;
	sm_move(&keeper->sm, KEEPER_DRAINED, "no client is served, and the peer knows it");
	sd_notify(0, "STATUS=drained: kmipctl undrain opens the port again");
}

/* No answer is owed to anybody: the lease is given back. What a clean stop would write is begun
 * now, so that one that follows has less to do. */
static void keeper_finish_drain(void *ctx)
{
	struct keeper *keeper = ctx;
	keeper_drop_workers(keeper);
	enum err err = keystore_checkpoint(keeper->keystore);
	if (err != ERR_OK)
		log_info("checkpoint-later", "err=%s", err_name(err));
	if (keeper->replication != NULL)
		replication_stop(keeper->replication, keeper_on_peer_told, keeper);
	else
		keeper_on_peer_told(keeper);
}

void keeper_drain_init(struct keeper *keeper, void (*on_workers_stopped)(void *ctx))
{
	keeper->on_workers_stopped = on_workers_stopped;
	loop_task_init(&keeper->drained, keeper_finish_drain, keeper);
}

void keeper_on_drained(struct keeper *keeper)
{
	loop_defer(keeper->loop, &keeper->drained);
}

/* NULL: the clients have somewhere to go. */
static const char *keeper_alone(struct keeper *keeper)
{
	struct replication_status peer;
	if (keeper->replication == NULL)
		return "this node has no peer: nobody would serve its clients";
	replication_status(keeper->replication, &peer);
	if (strcmp(peer.state, "streaming") != 0)
		return "the peer is not there or not up to date (kmipctl status): nobody would "
		       "serve its clients";
	return NULL;
}

enum err keeper_drain(struct keeper *keeper, bool sure, char why[CONFIG_WHY_MAX])
{
	const char *alone = sure ? NULL : keeper_alone(keeper);
	if (keeper->sm.state == KEEPER_DRAINING || keeper->sm.state == KEEPER_DRAINED)
		return ERR_OK;
	if (keeper->sm.state != KEEPER_OPEN) {
		snprintf(why, CONFIG_WHY_MAX, "the node is %s, not open",
			sm_state_name(&keeper->sm));
		return ERR_STATE;
	}
	if (alone != NULL) {
		snprintf(why, CONFIG_WHY_MAX, "%s. Say --yes if you mean it", alone);
		return ERR_STATE;
	}
	sm_move(&keeper->sm, KEEPER_DRAINING, "operator");
	keeper_stop_workers(keeper);
	return ERR_OK;
}

enum err keeper_undrain(struct keeper *keeper, char why[CONFIG_WHY_MAX])
{
	if (keeper->sm.state == KEEPER_OPEN)
		return ERR_OK;
	if (keeper->sm.state != KEEPER_DRAINED) {
		snprintf(why, CONFIG_WHY_MAX, "the node is %s, not drained",
			sm_state_name(&keeper->sm));
		return ERR_STATE;
	}
	enum err err = keeper_start_workers(keeper, why);
	if (err != ERR_OK)
		return err;
	if (keeper->replication != NULL)
		replication_resume(keeper->replication);
	sm_move(&keeper->sm, KEEPER_OPEN, "operator");
	sd_notify(0, "STATUS=");
	return ERR_OK;
}

/* ---- the peer ---- */

enum err keeper_cut_peer(struct keeper *keeper, bool cut)
{
	bool is_drained = keeper->sm.state == KEEPER_DRAINING || keeper->sm.state == KEEPER_DRAINED;
	if (keeper->replication == NULL || is_drained)
		return ERR_STATE;
	log_warning(cut ? "peer-cut" : "peer-healed", "by=operator");
	replication_cut(keeper->replication, cut);
	return ERR_OK;
}

enum err keeper_fence_peer(struct keeper *keeper, char why[CONFIG_WHY_MAX])
{
	if (keeper->replication == NULL) {
		snprintf(why, CONFIG_WHY_MAX, "this node has no peer in its configuration");
		return ERR_STATE;
	}
	enum err err = replication_fence(keeper->replication);
	if (err != ERR_OK)
		snprintf(why, CONFIG_WHY_MAX,
			"the link to the peer is up, so the peer is not off; to stop it, use "
			"kmipctl drain there");
	return err;
}
