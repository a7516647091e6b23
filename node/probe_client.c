/* SPDX-License-Identifier: Apache-2.0 */
#include "node/probe_client.h"

#include <stdio.h>
#include <stdlib.h>

#include "kmip/message.h"

enum { CLIENT_TEXT_SIZE = 300, CLIENT_OUT_MAX = 64 * 1024 };

struct probe_client {
	struct probe_client_options options;
	struct stream *stream; /* NULL: dead; failed_err and failed_text say of what */
	struct loop_timer *timer;
	struct loop_task failing; /* tells an ask on a dead connection */
	uint32_t timeout_ms;
	bool is_ready; /* the handshake is done */
	bool is_asking;
	enum err failed_err;
	char failed_text[CLIENT_TEXT_SIZE];
};

/* ---- the end of an ask ---- */

static void reply(struct probe_client *client, const struct probe_reply *what)
{
	if (!client->is_asking)
		return;
	client->is_asking = false;
	loop_timer_stop(client->timer);
	loop_task_cancel(&client->failing);
	client->options.on_reply(client->options.ctx, what);
}

static void reply_failure(void *ctx)
{
	struct probe_client *client = ctx;
	/* The callback may free the client, and the text with it. */
	char text[CLIENT_TEXT_SIZE];

	(void) snprintf(text, sizeof(text), "%s", client->failed_text);
	reply(client, &(struct probe_reply){ .err = client->failed_err, .text = text });
}

/* Nothing more comes from this connection. */
static void fail(struct probe_client *client, enum err why, const char *text)
{
	stream_free(client->stream);
	client->stream = NULL;
	client->failed_err = why;
	(void) snprintf(client->failed_text, sizeof(client->failed_text), "%s", text);
	reply_failure(client);
}

/* ---- what happens ---- */

static void on_ready(void *ctx, struct stream *stream)
{
	struct probe_client *client = ctx;

	(void) stream;
	client->is_ready = true;
}

static void on_data(void *ctx, struct stream *stream)
{
	struct probe_client *client = ctx;
	struct buf *input = stream_input(stream);
	struct slice bytes = buf_slice(input), frame;
	size_t len;
	enum err err = kmip_frame_len(&len, bytes, KMIP_FRAME_LEN_MAX);

	if (err == ERR_TRUNCATED || (err == ERR_OK && bytes.len < len))
		return;
	if (err != ERR_OK) {
		fail(client, ERR_MESSAGE, "what the server sends is not KMIP");
		return;
	}
	if (!client->is_asking || bytes.len > len) {
		fail(client, ERR_MESSAGE, "the server sends more than it was asked for");
		return;
	}
	frame = arena_copy(client->options.arena, bytes);
	buf_consume(input, len);
	if (frame.data == NULL) {
		fail(client, ERR_NOMEM, "there is no memory for the answer");
		return;
	}
	reply(client, &(struct probe_reply){ .err = ERR_OK, .text = "", .frame = frame });
}

static void on_closed(void *ctx, struct stream *stream, enum err why, const char *text)
{
	struct probe_client *client = ctx;
	char sentence[CLIENT_TEXT_SIZE];

	(void) stream;
	(void) snprintf(sentence, sizeof(sentence), "%s%.200s",
		client->is_ready ? "the connection broke: " : "", text);
	fail(client, why, sentence);
}

static void on_timeout(void *ctx)
{
	struct probe_client *client = ctx;
	char sentence[CLIENT_TEXT_SIZE];

	(void) snprintf(sentence, sizeof(sentence), "no %s within %u ms",
		client->is_ready ? "answer" : "connection", client->timeout_ms);
	fail(client, ERR_TIMEOUT, sentence);
}

/* ---- asking ---- */

enum err probe_client_new(struct probe_client **out, const struct probe_client_options *options)
{
	enum err err;
	struct probe_client *client = calloc(1, sizeof(*client));
	struct stream_options stream_options = { .loop = options->loop,
		.tls = options->tls,
		.in_max = KMIP_FRAME_LEN_MAX,
		.out_max = CLIENT_OUT_MAX,
		.server_name = options->server_name };
	struct stream_handler handler = {
		.on_ready = on_ready, .on_data = on_data, .on_closed = on_closed, .ctx = client
	};

	*out = NULL;
	if (client == NULL)
		return ERR_NOMEM;
	client->options = *options;
	loop_task_init(&client->failing, reply_failure, client);
	TRY(loop_timer_new(&client->timer, options->loop, on_timeout, client));
	TRY(stream_connect(&client->stream, &stream_options, &handler, options->address));
	*out = client;
	client = NULL;
out:
	probe_client_free(client);
	return err;
}

void probe_client_free(struct probe_client *client)
{
	if (client == NULL)
		return;
	stream_free(client->stream);
	loop_timer_free(client->timer);
	loop_task_cancel(&client->failing);
	free(client);
}

enum err probe_client_ask(struct probe_client *client, struct slice request, uint32_t timeout_ms)
{
	ASSERT(!client->is_asking);
	if (client->stream == NULL) {
		client->is_asking = true;
		loop_defer(client->options.loop, &client->failing);
		return ERR_OK;
	}
	enum err err = stream_send(client->stream, request);
	/* A connection that broke this very turn is told by on_closed. */
	if (err != ERR_OK && err != ERR_CLOSED)
		return err;
	client->is_asking = true;
	client->timeout_ms = timeout_ms;
	loop_timer_set(client->timer, timeout_ms);
	return ERR_OK;
}

const struct stream *probe_client_stream(const struct probe_client *client)
{
	return client->is_ready ? client->stream : NULL;
}
