/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goes through the cached objects of one instance, in the order of their uids, and lets its owner
 * do something to those that he wants: some at once, so many a second at most. Trouble with the key
 * manager makes it wait and begin the same keys again; trouble with one key is counted and named.
 * Its place is a fact of the cache, so that a later life goes on there. What is done to a key is
 * the owner's business, and must be harmless when done twice: after a crash a few are.
 */
#ifndef KEYSTORE_WALK_H
#define KEYSTORE_WALK_H

#include "keystore/flow.h"

enum {
	WALK_AT_ONCE_MAX = 16,
	WALK_PART = 250, /* objects looked at in one turn of the loop (design D3) */
	WALK_FAILED_MAX = 16, /* named; more are counted and in the log */
	WALK_RATE_MAX = 10000,
	WALK_SAVE_MS = 1000, /* between writings of the place */
	WALK_TRIES_MAX = 8, /* of a key that gets no answer while others do: then it has failed */
	WALK_PAUSE_MS_MIN = 500, /* doubling while the key manager does not answer */
	WALK_PAUSE_MS_MAX = 30000,
};

struct walk_counts {
	uint64_t looked; /* objects passed: done, failed, and those that needed nothing */
	uint64_t done, failed;
};
/* How far it came, and what it counted up to there. */
struct walk_place {
	bool begun; /* else the uid says nothing */
	struct uid uid;
	struct walk_counts counts;
};
struct walk_failed {
	struct uid uid;
	enum err err; /* ERR_OK: of an earlier life, whose log tells */
};
struct walk_progress {
	struct walk_counts counts;
	unsigned per_mille; /* of the uids: they are random, so this is the part of the way */
	enum err waiting; /* for the key manager, and why; ERR_OK: it goes on */
	struct walk_failed failed[WALK_FAILED_MAX];
	size_t failed_count;
	uint32_t rate;
};

struct walk;
/* One key under way. The owner's begin starts what is done to it as a flow, puts that into `work`,
 * and tells the end with walk_item_done. */
struct walk_item {
	struct walk *walk; /* NULL: this place is free */
	void *ctx; /* of the walk's owner */
	struct uid uid;
	struct keystore_pending *work;
	/* The walk's own. */
	bool running; /* else it waits to be begun, perhaps again */
	unsigned tries; /* that got no answer, and others did since: */
	uint64_t answers;
	struct walk_place before; /* all up to here was over when it was chosen */
};

struct walk_options {
	const char *name; /* the fact is "<name>-<instance>"; of up to 40 characters */
	bool is_forgotten; /* no fact: each life begins anew */
	uint32_t rate; /* keys begun in a second; of a walk that is resumed: 0 keeps its own */
	size_t at_once; /* 1 to WALK_AT_ONCE_MAX */
	/* Is there anything to do to the object? Borrowed, as `read` is, until it returns. Never
	 * asked of a dead one, nor of one without material. */
	bool (*wants)(void *ctx, struct cache_read *read, const struct object *object);
	/* An error is the item's end; walk_item_done does not come then. */
	enum err (*begin)(struct walk_item *item);
	/* ERR_OK: everything was passed. Otherwise the cache could not be read or written. */
	void (*on_done)(void *ctx, enum err err, const struct walk_progress *progress);
	void *ctx;
};

/* Goes on where an earlier life was, if the fact is there, else from the start. flow_end leaves the
 * fact, so that a later start resumes. */
MUST_USE enum err walk_start(struct keystore_pending **out, struct instance *instance,
	const struct walk_options *options);
/* ERR_UNAVAILABLE, ERR_THROTTLED, ERR_REFUSED, ERR_ROOT_DISABLED, ERR_LIMIT, ERR_NOMEM: the walk
 * pauses and begins the item again; any other error is this key's own. Once for each item begun;
 * from a later turn than begin. */
void walk_item_done(struct walk_item *item, enum err err);
void walk_set_rate(struct keystore_pending *walk, uint32_t rate);
void walk_progress(const struct keystore_pending *walk, struct walk_progress *out);
/* Ends it for good: what is under way is let go, and the fact deleted. on_done comes, later, with
 * ERR_CANCELLED. */
void walk_stop(struct keystore_pending *walk);
/* Did an earlier life leave a walk of this name? */
bool walk_was_left(struct cache_read *read, const char *name, const struct instance_id *instance);
/* It is not to be gone on with. Not while it is under way: walk_stop does it then. */
void walk_forget(struct instance *instance, const char *name);

#endif
