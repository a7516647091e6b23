/* SPDX-License-Identifier: Apache-2.0 */
#include "node/workers.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/chan.h"
#include "base/log.h"
#include "node/cache_guard.h"

extern char **environ;

enum {
	WORKER_RESTART_FIRST_MS = 50,
	WORKER_RESTART_MAX_MS = 10000,
	WORKER_STABLE_MS = 10000, /* a worker that lived this long was not failing at its start */
	WORKER_FD_SAFE = 16, /* above the numbers that the worker's descriptors get */
	WORKER_GREETING_MAX = 128 + 2 * CONFIG_FILE_LEN_MAX,
};
_Static_assert((int) WORKER_GREETING_MAX < (int) IPC_RESPONSE_LEN_MAX, "a worker reads it whole");

struct worker_process {
	struct workers *workers;
	struct chan *chan;
	struct loop_timer *restart;
	pid_t pid; /* 0: not running */
	uint16_t number;
	struct counters *counters; /* its part; outlives the process */
	bool ready;
	uint32_t restart_delay_ms;
	uint64_t started_ms;
	struct request *requests;
};

/* A frame that the keeper serves for a worker. */
struct request {
	struct worker_process *worker;
	struct keystore_pending *current; /* waits for what the key manager says */
	struct kmip_pending *pending; /* is served */
	struct fingerprint client;
	struct buf frame; /* while it waits */
	uint64_t ticket;
	struct request *next, *previous;
};

struct workers {
	struct workers_options options;
	struct worker_process *list;
	uint32_t running;
	uint32_t request_count;
	uint64_t restarts, served;
	bool stopping;
};

/* ---- requests ---- */

/* At the maximum, no worker is listened to. */
static void workers_pause(struct workers *workers, bool pause)
{
	for (uint32_t i = 0; i < workers->options.count; i++)
		if (workers->list[i].chan != NULL)
			chan_pause(workers->list[i].chan, pause);
}

static void request_free(struct request *request)
{
	struct worker_process *worker = request->worker;
	if (request->previous != NULL)
		request->previous->next = request->next;
	else
		worker->requests = request->next;
	if (request->next != NULL)
		request->next->previous = request->previous;
	if (worker->workers->request_count-- == WORKERS_REQUESTS_MAX)
		workers_pause(worker->workers, false);
	buf_free(&request->frame);
	free(request);
}

static void request_answer(
	struct worker_process *worker, uint64_t ticket, const struct kmip_served *served)
{
	enum err err;
	struct buf body;
	buf_init(&body, served->response.len + 1);
	TRY(buf_append_u8(&body, served->close ? 1 : 0));
	TRY(buf_append(&body, served->response));
	struct chan_message message = {
		.type = IPC_ANSWER, .id = ticket, .body = buf_slice(&body)
	};
	TRY(chan_send(worker->chan, &message));
out:
	/* The worker's session runs into its own deadline and closes: the client walks on. */
	if (err != ERR_OK)
		log_warning("answer-lost", "worker=%u err=%s", worker->number, err_name(err));
	buf_free(&body);
}

static void request_on_served(void *ctx, const struct kmip_served *served)
{
	struct request *request = ctx;
	struct worker_process *worker = request->worker;
	worker->workers->served++;
	request_answer(worker, request->ticket, served);
	request_free(request);
}

/* Every request ends so; one that cannot be served closes its session: the client walks on. */
static void request_refuse(struct request *request, enum err err)
{
	log_warning("request-refused", "worker=%u err=%s", request->worker->number, err_name(err));
	request_answer(
		request->worker, request->ticket, &(struct kmip_served){ SLICE_EMPTY, true });
	request_free(request);
}

static enum err request_serve(struct request *request, struct slice frame)
{
	enum err err;
	const struct workers_options *options = &request->worker->workers->options;
	struct kmip_identity identity = { .client = request->client };
	struct client client;
	TRY(keystore_client_find(options->keystore, &request->client, &client));
	identity.instance = client.instance;
	TRY(kmip_serve_start(
		&request->pending, options->kmip, &identity, frame, request_on_served, request));
out:
	return err;
}

/* In an outage the rules for one hold; that the answer does not come in time is none yet. */
static void request_on_current(void *ctx, enum err err)
{
	struct request *request = ctx;
	request->current = NULL;
	if (err != ERR_TIMEOUT)
		err = request_serve(request, buf_slice(&request->frame));
	if (err != ERR_OK)
		request_refuse(request, err);
}

static enum err request_wait(
	struct request *request, const struct instance_id *instance, struct slice frame)
{
	enum err err;
	TRY(buf_append(&request->frame, frame));
	TRY(keystore_current_start(&request->current, request->worker->workers->options.keystore,
		instance, request_on_current, request));
out:
	return err;
}

/* Linked into the worker's list, so that it ends with the worker. */
static struct request *request_new(struct worker_process *worker, uint64_t ticket)
{
	struct workers *workers = worker->workers;
	struct request *request = calloc(1, sizeof(*request));
	if (request == NULL)
		return NULL;
	request->worker = worker;
	request->ticket = ticket;
	buf_init(&request->frame, IPC_REQUEST_LEN_MAX);
	request->next = worker->requests;
	if (worker->requests != NULL)
		worker->requests->previous = request;
	worker->requests = request;
	if (++workers->request_count == WORKERS_REQUESTS_MAX)
		workers_pause(workers, true);
	return request;
}

static void request_start(struct worker_process *worker, const struct chan_message *message)
{
	enum err err = ERR_OK;
	struct keystore *keystore = worker->workers->options.keystore;
	struct cursor cursor = cursor_of(message->body);
	struct client client;
	struct request *request = request_new(worker, message->id);
	if (request == NULL) {
		request_answer(worker, message->id, &(struct kmip_served){ SLICE_EMPTY, true });
		return;
	}
	struct slice fingerprint = cursor_bytes(&cursor, sizeof(request->client.bytes));
	if (!slice_copy_exact(request->client.bytes, sizeof(request->client.bytes), fingerprint))
		err = ERR_INVALID;
	TRY(err);
	TRY(keystore_client_find(keystore, &request->client, &client));
	if (keystore_is_vouched(keystore, &client.instance))
		TRY(request_serve(request, cursor.rest));
	else
		TRY(request_wait(request, &client.instance, cursor.rest));
out:
	if (err != ERR_OK)
		request_refuse(request, err);
}

/* ---- processes ---- */

static void worker_on_message(void *ctx, struct chan *chan, const struct chan_message *message)
{
	struct worker_process *worker = ctx;
	(void) chan;
	switch (message->type) {
	case IPC_READY:
		worker->ready = true;
		log_info("worker-ready", "worker=%u pid=%d", worker->number, (int) worker->pid);
		break;
	case IPC_FRAME:
		request_start(worker, message);
		break;
	default:
		log_error("worker-message-bad", "worker=%u type=%u", worker->number, message->type);
		kill(worker->pid, SIGKILL);
	}
}

static void worker_drop_channel(struct worker_process *worker)
{
	for (struct request *request = worker->requests, *next; request != NULL; request = next) {
		next = request->next;
		if (request->current != NULL)
			keystore_cancel(request->current);
		if (request->pending != NULL)
			kmip_cancel(request->pending);
		request_free(request);
	}
	chan_free(worker->chan);
	worker->chan = NULL;
	worker->ready = false;
}

static void worker_on_channel_closed(void *ctx, struct chan *chan, enum err why)
{
	struct worker_process *worker = ctx;
	(void) chan;
	(void) why;
	worker_drop_channel(worker);
	if (worker->pid > 0 && !worker->workers->stopping)
		kill(worker->pid, SIGKILL);
}

static enum err worker_make_channel(struct worker_process *worker, int *worker_end)
{
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
		return ERR_SYS;
	struct chan_options options = { .loop = worker->workers->options.loop,
		.body_max = IPC_REQUEST_LEN_MAX + IPC_BODY_EXTRA,
		.out_max = IPC_OUT_MAX,
		.on_message = worker_on_message,
		.on_closed = worker_on_channel_closed,
		.ctx = worker };
	enum err err = chan_new(&worker->chan, &options, ends[0]);
	if (err != ERR_OK) {
		close(ends[0]);
		close(ends[1]);
		return err;
	}
	*worker_end = ends[1];
	return ERR_OK;
}

static enum err worker_exec(struct worker_process *worker, int chan_fd)
{
	const struct workers_options *options = &worker->workers->options;
	posix_spawn_file_actions_t actions;
	char *arguments[] = { (char *) "kmipd", (char *) "--role", (char *) "worker",
		(char *) "--config", (char *) options->config_path, NULL };
	int from[IPC_FD_COUNT] = { options->listen_fd, chan_fd, kek_table_fd(options->table),
		counters_page_fd(options->counters) };
	int to[IPC_FD_COUNT] = { IPC_FD_LISTEN, IPC_FD_CHAN, IPC_FD_TABLE, IPC_FD_COUNTERS };
	int result = posix_spawn_file_actions_init(&actions);
	for (size_t i = 0; i < IPC_FD_COUNT; i++) {
		/* Out of the way of 3 to 6 first, so that no dup2 overwrites a later source. */
		from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, WORKER_FD_SAFE);
		result = result != 0 || from[i] < 0
				 ? -1
				 : posix_spawn_file_actions_adddup2(&actions, from[i], to[i]);
	}
	/* Not every library marks its descriptors: the key manager's connections stay here. */
	if (result == 0)
		result = posix_spawn_file_actions_addclosefrom_np(&actions, IPC_FD_COUNTERS + 1);
	if (result == 0)
		result = posix_spawn(
			&worker->pid, "/proc/self/exe", &actions, NULL, arguments, environ);
	for (size_t i = 0; i < IPC_FD_COUNT; i++)
		if (from[i] >= 0)
			close(from[i]);
	posix_spawn_file_actions_destroy(&actions);
	if (result != 0)
		worker->pid = 0;
	return result == 0 ? ERR_OK : ERR_SYS;
}

static enum err worker_greet(struct worker_process *worker)
{
	enum err err;
	struct buf body;
	const struct workers_options *options = &worker->workers->options;
	struct slice started = buf_slice(&options->started->text);
	buf_init(&body, WORKER_GREETING_MAX);
	TRY(buf_append_be16(&body, worker->number));
	TRY(buf_append(&body, kek_table_key(options->table)));
	TRY(buf_append_be32(&body, (uint32_t) started.len));
	TRY(buf_append(&body, started));
	if (options->reloaded != NULL)
		TRY(buf_append(&body, buf_slice(&options->reloaded->text)));
	struct chan_message message = { .type = IPC_START, .body = buf_slice(&body) };
	TRY(chan_send(worker->chan, &message));
out:
	buf_free(&body);
	return err;
}

static enum err worker_spawn(struct worker_process *worker)
{
	enum err err;
	int chan_fd = -1;
	TRY(worker_make_channel(worker, &chan_fd));
	TRY(worker_exec(worker, chan_fd));
	worker->workers->running++;
	worker->started_ms = loop_now_ms(worker->workers->options.loop);
	TRY(worker_greet(worker));
out:
	if (chan_fd >= 0)
		close(chan_fd);
	if (err != ERR_OK)
		worker_drop_channel(worker);
	return err;
}

static void worker_on_restart(void *ctx)
{
	struct worker_process *worker = ctx;
	if (worker->workers->stopping || worker->pid != 0)
		return;
	worker->workers->restarts++;
	if (worker_spawn(worker) != ERR_OK)
		loop_timer_set(worker->restart, WORKER_RESTART_MAX_MS);
}

static void worker_buried(struct worker_process *worker, int status)
{
	struct workers *workers = worker->workers;
	int level = workers->stopping ? LOG_INFO : LOG_ERROR;
	log_event((enum log_level) level, "worker-gone", "worker=%u pid=%d signal=%d status=%d",
		worker->number, (int) worker->pid, WIFSIGNALED(status) ? WTERMSIG(status) : 0,
		WIFEXITED(status) ? WEXITSTATUS(status) : 0);
	/* A new one would meet the same page. */
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS)
		cache_guard_lost(worker->number);
	worker->pid = 0;
	workers->running--;
	counters_close_part(worker->counters);
	worker_drop_channel(worker);
	cache_check_readers(workers->options.cache);
	if (workers->stopping) {
		if (workers->running == 0)
			workers->options.on_stopped(workers->options.ctx);
		return;
	}
	bool stable = loop_now_ms(workers->options.loop) - worker->started_ms >= WORKER_STABLE_MS;
	uint32_t delay = stable ? WORKER_RESTART_FIRST_MS : worker->restart_delay_ms;
	worker->restart_delay_ms =
		delay * 2 > WORKER_RESTART_MAX_MS ? WORKER_RESTART_MAX_MS : delay * 2;
	loop_timer_set(worker->restart, delay);
}

void workers_reap(struct workers *workers)
{
	for (uint32_t i = 0; i < workers->options.count; i++) {
		int status;
		struct worker_process *worker = &workers->list[i];
		if (worker->pid > 0 && waitpid(worker->pid, &status, WNOHANG) == worker->pid)
			worker_buried(worker, status);
	}
}

uint32_t workers_count(uint32_t configured)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	uint32_t count = configured != 0 ? configured : (uint32_t) (cores < 1 ? 1 : cores);
	return count > WORKERS_MAX ? WORKERS_MAX : count;
}

enum err workers_new(struct workers **out, const struct workers_options *options)
{
	enum err err = ERR_NOMEM;
	struct workers *workers = calloc(1, sizeof(*workers));
	ASSERT(options->count >= 1 && options->count <= WORKERS_MAX);
	if (workers == NULL)
		goto out;
	workers->options = *options;
	workers->list = calloc(options->count, sizeof(*workers->list));
	TRY(workers->list == NULL ? ERR_NOMEM : ERR_OK);
	for (uint32_t i = 0; i < options->count; i++) {
		struct worker_process *worker = &workers->list[i];
		worker->workers = workers;
		worker->number = (uint16_t) (i + 1);
		worker->restart_delay_ms = WORKER_RESTART_FIRST_MS;
		TRY(counters_page_part(&worker->counters, options->counters, worker->number));
		TRY(loop_timer_new(&worker->restart, options->loop, worker_on_restart, worker));
	}
	*out = workers;
	workers = NULL;
out:
	workers_free(workers);
	return err;
}

enum err workers_start(struct workers *workers)
{
	enum err err = ERR_OK;
	for (uint32_t i = 0; i < workers->options.count; i++)
		TRY(worker_spawn(&workers->list[i]));
out:
	return err;
}

static void workers_tell_all(struct workers *workers, enum ipc_type type, struct slice body)
{
	struct chan_message message = { .type = (uint16_t) type, .body = body };
	for (uint32_t i = 0; i < workers->options.count; i++) {
		struct worker_process *worker = &workers->list[i];
		if (worker->chan != NULL && chan_send(worker->chan, &message) != ERR_OK)
			log_warning("worker-deaf", "worker=%u", worker->number);
	}
}

void workers_reload(struct workers *workers, const struct config *config)
{
	workers->options.reloaded = config;
	workers_tell_all(workers, IPC_RELOAD, buf_slice(&config->text));
}

void workers_stop(struct workers *workers)
{
	workers->stopping = true;
	for (uint32_t i = 0; i < workers->options.count; i++)
		loop_timer_stop(workers->list[i].restart);
	workers_tell_all(workers, IPC_STOP, SLICE_EMPTY);
	if (workers->running == 0)
		workers->options.on_stopped(workers->options.ctx);
}

void workers_status(const struct workers *workers, struct workers_status *out)
{
	*out = (struct workers_status){ .restarts = workers->restarts,
		.requests = workers->served };
	for (uint32_t i = 0; i < workers->options.count; i++) {
		const struct worker_process *worker = &workers->list[i];
		out->running += worker->ready ? 1 : 0;
	}
}

void workers_free(struct workers *workers)
{
	if (workers == NULL)
		return;
	for (uint32_t i = 0; workers->list != NULL && i < workers->options.count; i++) {
		struct worker_process *worker = &workers->list[i];
		worker_drop_channel(worker);
		loop_timer_free(worker->restart);
		if (worker->pid > 0) {
			kill(worker->pid, SIGKILL);
			waitpid(worker->pid, NULL, 0);
		}
	}
	free(workers->list);
	free(workers);
}
