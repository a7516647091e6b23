/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole messages between our own processes over a stream socket (socket pair or UNIX socket):
 * 16-byte head (be32 body length, be16 type, be16 zero, be64 id), then the body. Bounded both ways;
 * unread secrets are wiped.
 */
#ifndef BASE_CHAN_H
#define BASE_CHAN_H

#include "base/loop.h"
#include "base/slice.h"

struct chan;

struct chan_message {
	uint16_t type;
	uint64_t id; /* pairs an answer with its question; chosen by the asker */
	struct slice body; /* borrowed until the callback returns */
};

struct chan_options {
	struct loop *loop;
	size_t body_max; /* a longer message closes the channel */
	size_t out_max; /* queued bytes before chan_send says ERR_LIMIT */
	void (*on_message)(void *ctx, struct chan *chan, const struct chan_message *message);
	/* The last call; free the channel. */
	void (*on_closed)(void *ctx, struct chan *chan, enum err why);
	void *ctx;
};

/* Owns fd on success only. */
MUST_USE enum err chan_new(struct chan **out, const struct chan_options *options, int fd);
void chan_free(struct chan *chan);
/* Copies. */
MUST_USE enum err chan_send(struct chan *chan, const struct chan_message *message);
size_t chan_unsent(const struct chan *chan);
void chan_pause(struct chan *chan, bool paused);

#endif
