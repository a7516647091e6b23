/* SPDX-License-Identifier: Apache-2.0 */
#include "node/worker.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/chan.h"
#include "base/crypt.h"
#include "base/listen.h"
#include "base/log.h"
#include "node/authorities.h"
#include "node/instances.h"
#include "node/server_tls.h"
#include "node/session.h"

enum { WORKER_STOP_MS = 3000, WORKER_SLOTS_FIRST = 64 };

/* A session's ticket is its slot and the slot's generation, so that a late answer finds nobody. */
struct worker_slot {
	struct session *session; /* NULL: free */
	uint32_t generation;
	uint32_t next_free;
};

struct worker {
	const char *config_path;
	struct config *started; /* what the keeper was started with, for what no reload applies */
	struct config *config; /* what it reloaded last, or the same again */
	struct loop *loop;
	struct chan *chan;
	struct cache *cache;
	struct kek_table *table;
	struct listener *listener;
	struct loop_timer *stop_timer;
	struct session_host host;
	struct instances_policies policies;
	struct kmip_authorities authorities;
	struct counters_page *counters;
	struct worker_slot *slots;
	uint32_t slot_count, slot_free; /* slot_free == slot_count: none */
	int number;
	char name[24];
};

/* ---- slots ---- */

static enum err worker_grow_slots(struct worker *worker)
{
	uint32_t count = worker->slot_count == 0 ? WORKER_SLOTS_FIRST : worker->slot_count * 2;
	struct worker_slot *slots = realloc(worker->slots, count * sizeof(*slots));
	if (slots == NULL)
		return ERR_NOMEM;
	for (uint32_t i = worker->slot_count; i < count; i++)
		slots[i] = (struct worker_slot){ NULL, 0, i + 1 };
	worker->slots = slots;
	worker->slot_count = count;
	return ERR_OK;
}

static struct session *worker_find(struct worker *worker, uint64_t ticket)
{
	uint32_t slot = (uint32_t) (ticket >> 32);
	if (slot >= worker->slot_count || worker->slots[slot].generation != (uint32_t) ticket)
		return NULL;
	return worker->slots[slot].session;
}

static void worker_note_connections(struct worker *worker)
{
	atomic_store_explicit(&worker->host.counters->plain[COUNTER_CONNECTIONS],
		worker->host.connections, memory_order_relaxed);
}

static void worker_on_gone(void *ctx, struct session *session)
{
	struct worker *worker = ctx;
	uint32_t index = (uint32_t) (session_ticket(session) >> 32);
	struct worker_slot *slot = &worker->slots[index];
	slot->session = NULL;
	slot->generation++;
	slot->next_free = worker->slot_free;
	worker->slot_free = index;
	worker->host.connections--;
	worker_note_connections(worker);
	if (worker->listener != NULL)
		listener_pause(worker->listener, false);
	if (worker->host.stopping && worker->host.connections == 0)
		loop_stop(worker->loop);
}

static void worker_on_accept(void *ctx, int fd, const char *remote)
{
	struct worker *worker = ctx;
	(void) remote;
	if (worker->slot_free == worker->slot_count && worker_grow_slots(worker) != ERR_OK) {
		close(fd);
		return;
	}
	uint32_t index = worker->slot_free;
	struct worker_slot *slot = &worker->slots[index];
	uint64_t ticket = (uint64_t) index << 32 | slot->generation;
	enum err err = session_new(&slot->session, &worker->host, fd, ticket);
	if (err != ERR_OK) {
		log_warning("session-failed", "err=%s", err_name(err));
		slot->session = NULL;
		close(fd);
		return;
	}
	worker->slot_free = slot->next_free;
	counters_add(worker->host.counters, COUNTER_ACCEPTED);
	worker->host.connections++;
	worker_note_connections(worker);
	if (worker->host.connections >= worker->config->kmip.connections_max)
		listener_pause(worker->listener, true);
}

/* ---- the keeper ---- */

static enum err worker_tell(
	struct worker *worker, enum ipc_type type, uint64_t id, struct slice body)
{
	struct chan_message message = { .type = (uint16_t) type, .id = id, .body = body };
	return chan_send(worker->chan, &message);
}

static enum err worker_forward(
	void *ctx, uint64_t ticket, const struct fingerprint *client, struct slice frame)
{
	enum err err;
	struct worker *worker = ctx;
	struct buf body;
	buf_init(&body, sizeof(client->bytes) + frame.len);
	TRY(buf_append(&body, slice_of(client->bytes, sizeof(client->bytes))));
	TRY(buf_append(&body, frame));
	TRY(worker_tell(worker, IPC_FRAME, ticket, buf_slice(&body)));
out:
	buf_free(&body);
	return err;
}

static bool worker_accept_client(void *ctx, const struct tls_peer *peer)
{
	struct worker *worker = ctx;
	return session_accept_client(&worker->host, peer);
}

static void worker_take_config(struct worker *worker)
{
	const struct config_kmip *kmip = &worker->config->kmip;
	log_set_level(worker->config->top.log_level);
	worker->host.handshake_timeout_s = kmip->handshake_timeout_s;
	worker->host.message_timeout_s = kmip->message_timeout_s;
	worker->host.idle_timeout_s = kmip->idle_timeout_s;
	worker->host.refuse_expired = slice_equal_text(slice_text(kmip->expired_clients), "refuse");
}

static enum err worker_open_keystore(
	struct worker *worker, struct slice key, char why[CONFIG_WHY_MAX])
{
	enum err err;
	bool changed;
	const struct config *started = worker->started;
	struct keystore_instance_options *instances = NULL;
	struct cache_options cache = { .folder = started->top.data_dir,
		.map_bytes = (size_t) started->top.cache_size_mib << 20,
		.read_only = true };
	TRY(counters_page_attach(&worker->counters, IPC_FD_COUNTERS));
	TRY(counters_page_part(
		&worker->host.counters, worker->counters, (uint32_t) worker->number));
	TRY(cache_open(&worker->cache, &cache, why));
	TRY(kek_table_attach(&worker->table, IPC_FD_TABLE, key));
	TRY(instances_for_keystore(&instances, started));
	struct keystore_options options = { .cache = worker->cache,
		.table = worker->table,
		.instances = instances,
		.instance_count = started->instance_count,
		.settings = instances_settings(worker->config),
		.node = (uint16_t) started->top.node,
		.reader = true,
		.lookups = &worker->host.counters->lookups };
	TRY(keystore_new(&worker->host.keystore, &options, why));
	TRY(instances_apply(worker->host.keystore, worker->config, &changed, why));
out:
	free(instances);
	return err;
}

static enum err worker_open_kmip(struct worker *worker)
{
	enum err err;
	bool changed;
	TRY(authorities_names(&worker->authorities, worker->config));
	struct kmip_options kmip = { .keystore = worker->host.keystore,
		.vendor = "kmip-pair " PAIR_VERSION,
		.node_name = worker->started->top.name,
		.authorities = &worker->authorities,
		.on_item = counters_on_item,
		.ctx = worker->host.counters,
		.strict_activate = worker->started->kmip.strict_activate };
	TRY(kmip_server_new(&worker->host.kmip, &kmip));
	TRY(instances_set_policies(&worker->policies, worker->host.kmip, worker->config, &changed));
out:
	return err;
}

static enum err worker_begin(struct worker *worker, struct slice body, char why[CONFIG_WHY_MAX])
{
	enum err err;
	struct cursor cursor = cursor_of(body);
	worker->number = cursor_be16(&cursor);
	struct slice key = cursor_bytes(&cursor, CRYPT_GCM_KEY_LEN);
	struct slice started = cursor_bytes32(&cursor, CONFIG_FILE_LEN_MAX);
	struct slice reloaded = cursor_bytes(&cursor, cursor.rest.len);
	TRY(cursor_end(&cursor));
	snprintf(worker->name, sizeof(worker->name), "worker-%d", worker->number);
	log_start(STDERR_FILENO, worker->name);
	TRY(config_parse(&worker->started, started, worker->config_path, why));
	TRY(config_parse(
		&worker->config, reloaded.len == 0 ? started : reloaded, worker->config_path, why));
	worker_take_config(worker);
	/* Not reloadable: the channel to the keeper is measured for it. */
	worker->host.frame_len_max = worker->started->kmip.message_size_max;
	TRY(worker_open_keystore(worker, key, why));
	TRY(worker_open_kmip(worker));
	TRY(server_tls_new(&worker->host.tls, worker->config, worker_accept_client, worker, why));
	TRY(listener_new(&worker->listener, worker->loop, IPC_FD_LISTEN, worker_on_accept, worker));
	TRY(worker_tell(worker, IPC_READY, 0, SLICE_EMPTY));
out:
	return err;
}

/* The keeper judged it before it told us; if a file that it names changed since, we stay with what
 * we have. */
static void worker_reload(struct worker *worker, struct slice text)
{
	char why[CONFIG_WHY_MAX];
	bool changed;
	struct config *config = NULL;
	struct tls_context *tls = NULL;
	struct kmip_authorities authorities = { 0 };
	if (config_parse(&config, text, worker->config_path, why) != ERR_OK ||
		server_tls_new(&tls, config, worker_accept_client, worker, why) != ERR_OK ||
		authorities_names(&authorities, config) != ERR_OK ||
		instances_apply(worker->host.keystore, config, &changed, why) != ERR_OK ||
		instances_set_policies(&worker->policies, worker->host.kmip, config, &changed) !=
			ERR_OK) {
		tls_context_free(tls);
		kmip_authorities_free(&authorities);
		log_error("reload-failed", "why=%s", log_quoted(slice_text(why)));
		config_free(config);
		return;
	}
	config_free(worker->config);
	worker->config = config;
	tls_context_free(worker->host.tls);
	worker->host.tls = tls;
	authorities_exchange(&worker->authorities, &authorities);
	worker_take_config(worker);
	log_info("reloaded", "certificate=%s", worker->config->kmip.certificate);
}

static void worker_stop(struct worker *worker)
{
	worker->host.stopping = true;
	if (worker->listener != NULL) {
		listener_free(worker->listener);
		worker->listener = NULL;
		/* The port is closed when the last process has: clients then walk on. */
		close(IPC_FD_LISTEN);
	}
	loop_timer_set(worker->stop_timer, WORKER_STOP_MS);
	for (uint32_t i = 0; i < worker->slot_count; i++)
		if (worker->slots[i].session != NULL)
			session_stop(worker->slots[i].session);
	if (worker->host.connections == 0)
		loop_stop(worker->loop);
}

static void worker_take_answer(struct worker *worker, const struct chan_message *message)
{
	struct cursor cursor = cursor_of(message->body);
	bool close = cursor_u8(&cursor) == 1;
	struct session *session = worker_find(worker, message->id);
	if (session != NULL)
		session_answer(session, cursor.rest, close);
}

static void worker_on_message(void *ctx, struct chan *chan, const struct chan_message *message)
{
	struct worker *worker = ctx;
	char why[CONFIG_WHY_MAX] = "";
	(void) chan;
	switch (message->type) {
	case IPC_START:
		if (worker_begin(worker, message->body, why) != ERR_OK) {
			log_error("worker-failed", "why=%s", log_quoted(slice_text(why)));
			loop_stop(worker->loop);
		}
		break;
	case IPC_ANSWER:
		worker_take_answer(worker, message);
		break;
	case IPC_RELOAD:
		worker_reload(worker, message->body);
		break;
	case IPC_STOP:
		worker_stop(worker);
		break;
	default:
		ASSERT(false && "a message that the keeper sends");
	}
}

static void worker_on_keeper_gone(void *ctx, struct chan *chan, enum err why)
{
	struct worker *worker = ctx;
	(void) chan;
	log_info("keeper-gone", "err=%s", err_name(why));
	loop_stop(worker->loop);
}

static void worker_on_stop_timer(void *ctx)
{
	struct worker *worker = ctx;
	loop_stop(worker->loop);
}

static enum err worker_open(struct worker *worker)
{
	enum err err;
	TRY(loop_new(&worker->loop));
	TRY(loop_timer_new(&worker->stop_timer, worker->loop, worker_on_stop_timer, worker));
	worker->host.loop = worker->loop;
	worker->host.forward = worker_forward;
	worker->host.on_gone = worker_on_gone;
	worker->host.ctx = worker;
	buf_init(&worker->host.answer, IPC_RESPONSE_LEN_MAX);
	struct chan_options options = { .loop = worker->loop,
		.body_max = IPC_RESPONSE_LEN_MAX + IPC_BODY_EXTRA,
		.out_max = IPC_OUT_MAX,
		.on_message = worker_on_message,
		.on_closed = worker_on_keeper_gone,
		.ctx = worker };
	TRY(chan_new(&worker->chan, &options, IPC_FD_CHAN));
out:
	return err;
}

/* The cache is left open on purpose: with LMDB 0.9 the process that seems to be the last must not
 * close (its mutexes are shared), and the kernel frees the reader slot's owner with the process. */
static void worker_close(struct worker *worker)
{
	for (uint32_t i = 0; i < worker->slot_count; i++)
		session_free(worker->slots[i].session);
	free(worker->slots);
	listener_free(worker->listener);
	kmip_server_free(worker->host.kmip);
	instances_free_policies(&worker->policies);
	kmip_authorities_free(&worker->authorities);
	keystore_free(worker->host.keystore);
	kek_table_free(worker->table);
	counters_page_free(worker->counters);
	tls_context_free(worker->host.tls);
	buf_free(&worker->host.answer);
	chan_free(worker->chan);
	loop_timer_free(worker->stop_timer);
	loop_free(worker->loop);
	config_free(worker->config);
	config_free(worker->started);
}

_Noreturn void worker_run(const char *config_path)
{
	struct worker worker = { .config_path = config_path };
	log_start(STDERR_FILENO, "worker");
	/* A terminal and a service manager signal the whole group: the keeper ends us, when what is
	 * under way has been answered. */
	(void) signal(SIGTERM, SIG_IGN);
	(void) signal(SIGINT, SIG_IGN);
	enum err err = worker_open(&worker);
	if (err == ERR_OK)
		err = loop_run(worker.loop);
	if (err != ERR_OK)
		log_error("worker-failed", "err=%s", err_name(err));
	worker_close(&worker);
	/* Not returned: this frame still holds the open cache, for checkers of leaks to find. */
	exit(err == ERR_OK ? 0 : 1);
}
