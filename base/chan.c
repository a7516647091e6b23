/* SPDX-License-Identifier: Apache-2.0 */
#include "base/chan.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/buf.h"

enum { CHAN_HEAD_LEN = 16, CHAN_READ_LEN = 65536 };

struct chan {
	struct chan_options options;
	int fd;
	struct loop_io *io;
	struct loop_task work; /* sends, goes on after a pause, tells of the end */
	struct buf in, out;
	enum err why; /* not ERR_OK: dead, on_closed was or will be called */
	bool paused;
	bool told; /* on_closed was called */
	bool busy; /* in a callback: the memory must live */
	bool freed;
};

/* Ends everything but the memory, which a callback may still stand on. */
static void chan_shut(struct chan *chan)
{
	loop_task_cancel(&chan->work);
	loop_io_free(chan->io);
	chan->io = NULL;
	if (chan->fd >= 0)
		(void) close(chan->fd);
	chan->fd = -1;
}

static void chan_release(struct chan *chan)
{
	buf_free(&chan->in);
	buf_free(&chan->out);
	free(chan);
}

void chan_free(struct chan *chan)
{
	if (chan == NULL)
		return;
	chan_shut(chan);
	chan->freed = true;
	if (!chan->busy)
		chan_release(chan);
}

static void chan_fail(struct chan *chan, enum err why)
{
	if (chan->why != ERR_OK || chan->freed)
		return;
	chan->why = why;
	chan_shut(chan);
	buf_clear(&chan->out);
	loop_defer(chan->options.loop, &chan->work);
}

/* The next whole message of the input. ERR_TRUNCATED: not there yet. */
static enum err next_message(struct chan *chan, struct chan_message *out)
{
	struct cursor head = cursor_of(slice_cut(buf_slice(&chan->in), 0, CHAN_HEAD_LEN));
	size_t body_len;

	if (head.rest.len < CHAN_HEAD_LEN)
		return ERR_TRUNCATED;
	body_len = cursor_be32(&head);
	out->type = cursor_be16(&head);
	if (cursor_be16(&head) != 0)
		return ERR_INVALID;
	out->id = cursor_be64(&head);
	if (body_len > chan->options.body_max)
		return ERR_LIMIT;
	out->body = slice_cut(buf_slice(&chan->in), CHAN_HEAD_LEN, body_len);
	return out->body.len < body_len ? ERR_TRUNCATED : ERR_OK;
}

static void deliver(struct chan *chan)
{
	struct chan_message message;
	enum err err = ERR_OK;

	while (err == ERR_OK && !chan->paused && chan->why == ERR_OK && !chan->freed) {
		size_t whole_len;

		err = next_message(chan, &message);
		if (err != ERR_OK)
			continue;
		whole_len = CHAN_HEAD_LEN + message.body.len;
		chan->options.on_message(chan->options.ctx, chan, &message);
		buf_consume(&chan->in, whole_len);
	}
	if (err != ERR_OK && err != ERR_TRUNCATED)
		chan_fail(chan, err);
}

/* One read for each readiness, so that a busy channel does not keep the loop. */
static void receive(struct chan *chan)
{
	size_t room = buf_room(&chan->in);
	uint8_t *to;
	ssize_t got;
	enum err err;

	/* Full of whole messages that wait for their delivery. */
	if (room == 0)
		return;
	if (room > CHAN_READ_LEN)
		room = CHAN_READ_LEN;
	err = buf_reserve(&chan->in, room, &to);
	if (err != ERR_OK) {
		chan_fail(chan, err);
		return;
	}
	got = recv(chan->fd, to, room, MSG_DONTWAIT);
	if (got > 0)
		buf_commit(&chan->in, (size_t) got);
	else if (got == 0 || errno == ECONNRESET)
		chan_fail(chan, ERR_CLOSED);
	else if (errno != EAGAIN && errno != EINTR)
		chan_fail(chan, ERR_IO);
}

static void flush(struct chan *chan)
{
	while (buf_slice(&chan->out).len > 0 && chan->why == ERR_OK) {
		struct slice bytes = buf_slice(&chan->out);
		ssize_t sent = send(chan->fd, bytes.data, bytes.len, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent > 0) {
			buf_consume(&chan->out, (size_t) sent);
			continue;
		}
		if (errno == EAGAIN)
			return;
		if (errno != EINTR)
			chan_fail(
				chan, errno == EPIPE || errno == ECONNRESET ? ERR_CLOSED : ERR_IO);
	}
}

static void chan_watch(struct chan *chan)
{
	if (chan->io != NULL)
		loop_io_want(chan->io,
			(chan->paused ? 0u : (unsigned) LOOP_READ) |
				(buf_slice(&chan->out).len > 0 ? (unsigned) LOOP_WRITE : 0u));
}

/* After the callbacks: release what was freed in one of them. */
static void chan_settle(struct chan *chan)
{
	chan->busy = false;
	if (chan->freed)
		chan_release(chan);
	else
		chan_watch(chan);
}

static void on_ready(void *ctx, unsigned events)
{
	struct chan *chan = ctx;

	chan->busy = true;
	if ((events & LOOP_READ) != 0) {
		receive(chan);
		deliver(chan);
	}
	if (!chan->freed)
		flush(chan);
	chan_settle(chan);
}

static void on_work(void *ctx)
{
	struct chan *chan = ctx;

	chan->busy = true;
	if (chan->why == ERR_OK) {
		deliver(chan);
		if (!chan->freed)
			flush(chan);
	} else if (!chan->told) {
		chan->told = true;
		chan->options.on_closed(chan->options.ctx, chan, chan->why);
	}
	chan_settle(chan);
}

enum err chan_new(struct chan **out, const struct chan_options *options, int fd)
{
	struct chan *chan = calloc(1, sizeof(*chan));
	enum err err;

	*out = NULL;
	if (chan == NULL)
		return ERR_NOMEM;
	ASSERT(options->body_max <= UINT32_MAX && options->out_max >= CHAN_HEAD_LEN);
	ASSERT(options->on_message != NULL && options->on_closed != NULL);
	chan->options = *options;
	chan->fd = -1;
	buf_init(&chan->in, CHAN_HEAD_LEN + options->body_max);
	buf_init(&chan->out, options->out_max);
	loop_task_init(&chan->work, on_work, chan);
	TRY(loop_io_new(&chan->io, options->loop, fd, on_ready, chan));
	chan->fd = fd;
	chan_watch(chan);
	*out = chan;
	return ERR_OK;
out:
	chan_free(chan);
	return err;
}

enum err chan_send(struct chan *chan, const struct chan_message *message)
{
	uint8_t head[CHAN_HEAD_LEN] = { 0 };
	uint8_t *room;
	size_t body_len = message->body.len;
	enum err err;

	ASSERT(body_len <= UINT32_MAX);
	if (chan->why != ERR_OK || chan->freed)
		return ERR_CLOSED;
	be32_put(head, (uint32_t) body_len);
	be16_put(head + 4, message->type);
	be64_put(head + 8, message->id);
	TRY(buf_reserve(&chan->out, CHAN_HEAD_LEN + body_len, &room));
	bytes_copy(room, head, CHAN_HEAD_LEN);
	bytes_copy(room + CHAN_HEAD_LEN, message->body.data, body_len);
	buf_commit(&chan->out, CHAN_HEAD_LEN + body_len);
	/* Later, so that the messages of a turn leave in one write. */
	loop_defer(chan->options.loop, &chan->work);
out:
	return err;
}

size_t chan_unsent(const struct chan *chan)
{
	return buf_slice(&chan->out).len;
}

void chan_pause(struct chan *chan, bool paused)
{
	chan->paused = paused;
	if (chan->why != ERR_OK || chan->freed)
		return;
	chan_watch(chan);
	/* Whole messages may already be here, and no readiness would tell. */
	if (!paused)
		loop_defer(chan->options.loop, &chan->work);
}
