/* SPDX-License-Identifier: Apache-2.0 */
#include "node/admin.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/chan.h"
#include "base/listen.h"
#include "base/log.h"
#include "node/admin_call.h"

enum { ADMIN_ERROR_MAX = 600 };

struct admin_connection {
	struct admin *admin;
	struct chan *chan;
	struct admin_call *calls;
	struct admin_connection *next, *previous;
};

struct admin {
	struct keeper *keeper;
	struct loop *loop;
	struct listener *listener;
	struct admin_connection *connections;
	size_t connection_count;
	char *path;
	int fd;
};

/* ---- one call ---- */

static void call_end(struct admin_call *call)
{
	struct admin_connection *connection = call->connection;
	if (connection != NULL) {
		if (call->previous != NULL)
			call->previous->next = call->next;
		else
			connection->calls = call->next;
		if (call->next != NULL)
			call->next->previous = call->previous;
	}
	free(call);
}

static void call_send(struct admin_call *call, cJSON *answer)
{
	char *text = answer == NULL ? NULL : cJSON_PrintUnformatted(answer);
	if (text == NULL)
		log_warning("admin-answer-lost", "err=%s", err_name(ERR_NOMEM));
	else if (call->connection != NULL) {
		struct chan_message message = {
			.type = ADMIN_ANSWER, .id = call->id, .body = slice_text(text)
		};
		if (chan_send(call->connection->chan, &message) != ERR_OK)
			log_warning("admin-answer-lost", "bytes=%zu", strlen(text));
	}
	cJSON_free(text);
	cJSON_Delete(answer);
	call_end(call);
}

void admin_answer(struct admin_call *call, cJSON *answer)
{
	if (answer == NULL)
		answer = cJSON_CreateObject();
	if (answer != NULL && cJSON_AddTrueToObject(answer, "ok") == NULL) {
		cJSON_Delete(answer);
		answer = NULL;
	}
	call_send(call, answer);
}

void admin_add_number(cJSON *object, const char *name, uint64_t value)
{
	cJSON_AddNumberToObject(object, name, (double) value);
}

void admin_add_ms_ago(cJSON *object, const char *name, uint64_t now_ms, uint64_t then_ms)
{
	if (then_ms == 0)
		cJSON_AddNullToObject(object, name);
	else
		admin_add_number(object, name, now_ms - then_ms);
}

void admin_refuse(struct admin_call *call, const char *format, ...)
{
	char text[ADMIN_ERROR_MAX];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	cJSON *answer = cJSON_CreateObject();
	if (answer != NULL) {
		cJSON_AddFalseToObject(answer, "ok");
		cJSON_AddStringToObject(answer, "error", text);
	}
	call_send(call, answer);
}

const struct instance_id *admin_find_instance(struct admin_call *call, const char *name)
{
	const struct instance_id *instance =
		keystore_instance_find(keeper_keystore(call->keeper), name);
	if (instance == NULL)
		admin_refuse(call,
			"no instance is called \"%s\" (kmipctl instance list shows them)", name);
	return instance;
}

const char *admin_text(const struct admin_call *call, const char *name)
{
	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(call->question, name));
}

/* ---- connections ---- */

static void connection_on_message(void *ctx, struct chan *chan, const struct chan_message *message)
{
	struct admin_connection *connection = ctx;
	struct admin_call *call = calloc(1, sizeof(*call));
	(void) chan;
	if (call == NULL)
		return;
	call->keeper = connection->admin->keeper;
	call->connection = connection;
	call->id = message->id;
	call->next = connection->calls;
	if (connection->calls != NULL)
		connection->calls->previous = call;
	connection->calls = call;
	cJSON *question =
		cJSON_ParseWithLength((const char *) message->body.data, message->body.len);
	call->question = question;
	if (message->type != ADMIN_ASK || !cJSON_IsObject(question))
		admin_refuse(call, "the question is not a JSON object");
	else
		admin_run(call);
	cJSON_Delete(question);
}

/* Work begun for an operator who has gone runs to its end; only the answer has nobody to go to. */
static void connection_free(struct admin_connection *connection)
{
	struct admin *admin = connection->admin;
	for (struct admin_call *call = connection->calls; call != NULL; call = call->next)
		call->connection = NULL;
	chan_free(connection->chan);
	if (connection->previous != NULL)
		connection->previous->next = connection->next;
	else
		admin->connections = connection->next;
	if (connection->next != NULL)
		connection->next->previous = connection->previous;
	if (admin->connection_count-- == ADMIN_CONNECTIONS_MAX && admin->listener != NULL)
		listener_pause(admin->listener, false);
	free(connection);
}

static void connection_on_closed(void *ctx, struct chan *chan, enum err why)
{
	(void) chan;
	(void) why;
	connection_free(ctx);
}

static void admin_on_accept(void *ctx, int fd, const char *remote)
{
	struct admin *admin = ctx;
	struct admin_connection *connection = calloc(1, sizeof(*connection));
	struct chan_options options = { .loop = admin->loop,
		.body_max = ADMIN_BODY_MAX,
		.out_max = 2 * ADMIN_BODY_MAX,
		.on_message = connection_on_message,
		.on_closed = connection_on_closed,
		.ctx = connection };
	(void) remote;
	if (connection == NULL || chan_new(&connection->chan, &options, fd) != ERR_OK) {
		free(connection);
		close(fd);
		return;
	}
	connection->admin = admin;
	connection->next = admin->connections;
	if (admin->connections != NULL)
		admin->connections->previous = connection;
	admin->connections = connection;
	if (++admin->connection_count == ADMIN_CONNECTIONS_MAX)
		listener_pause(admin->listener, true);
}

enum err admin_new(struct admin **out, struct keeper *keeper, struct loop *loop, const char *path,
	char why[CONFIG_WHY_MAX])
{
	enum err err = ERR_NOMEM;
	struct admin *admin = calloc(1, sizeof(*admin));
	if (admin == NULL)
		goto out;
	*admin = (struct admin){ .keeper = keeper, .loop = loop, .fd = -1 };
	TRY(listen_unix(&admin->fd, path, why));
	admin->path = strdup(path);
	TRY(admin->path == NULL ? ERR_NOMEM : ERR_OK);
	TRY(listener_new(&admin->listener, loop, admin->fd, admin_on_accept, admin));
	listener_pause(admin->listener, true);
	*out = admin;
	admin = NULL;
out:
	admin_free(admin);
	return err;
}

void admin_start(struct admin *admin)
{
	listener_pause(admin->listener, false);
}

void admin_free(struct admin *admin)
{
	if (admin == NULL)
		return;
	listener_free(admin->listener);
	admin->listener = NULL;
	while (admin->connections != NULL)
		connection_free(admin->connections);
	if (admin->fd >= 0)
		close(admin->fd);
	if (admin->path != NULL)
		unlink(admin->path);
	free(admin->path);
	free(admin);
}
