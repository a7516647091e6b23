/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frame that every flow of the keeper stands in: what it can wait for (one call to the key
 * manager, one commit, the gate, a timer, the next turn), its memory, and its end. A flow's own
 * struct begins with struct keystore_pending. flow_end forgets all that is under way, so that
 * ending and cancelling are the same.
 */
#ifndef KEYSTORE_FLOW_H
#define KEYSTORE_FLOW_H

#include "keystore/instance.h"
#include "keystore/keystore_private.h"

enum {
	FLOW_ARENA_LEN_MAX = 262144,
	FLOW_BACKGROUND_MS = 30000, /* one call of background work */
	FLOW_ONE_TIME_KEY_LEN = 32,
	FLOW_PEER_MAX = 128, /* beyond KEYSTORE_FLOWS_MAX */
};

struct keystore_pending {
	struct keystore *keystore;
	struct instance *instance; /* may be NULL */
	struct keystore_pending *next, *previous;
	struct arena *arena; /* lives as long as the flow */
	uint64_t deadline_ms; /* boot time: by then the work is over */
	bool background;
	const uint8_t *intent_nonce; /* of the intent that this flow will settle itself; or NULL */

	struct keymanager_pending *call;
	struct commit_job job;
	bool committing;
	void (*on_committed)(void *ctx, enum err err);
	struct keystore_hold hold;
	bool holding;
	uint64_t held_us; /* since */
	void (*on_released)(void *ctx);
	struct loop_task task;
	struct loop_timer *timer;
	void (*on_timer)(void *ctx);
	void *timer_ctx;
	uint64_t seq; /* the last own change of this flow's commits */
	void (*on_end)(struct keystore_pending *flow); /* lets go of what only the kind knows */
};

/* size: of the struct that begins with the frame. ERR_LIMIT at KEYSTORE_FLOWS_MAX. */
MUST_USE enum err flow_new(struct keystore_pending **out, size_t size, struct keystore *keystore,
	struct instance *instance);
void flow_end(struct keystore_pending *flow);

/* Each wait ends in one call, in a later turn, with the flow as ctx (a timer: with the one given),
 * unless the flow ends first. */
void flow_defer(struct keystore_pending *flow, void (*run)(void *ctx));
MUST_USE enum err flow_wait(
	struct keystore_pending *flow, uint64_t delay_ms, void (*run)(void *ctx), void *ctx);
MUST_USE enum err flow_commit(struct keystore_pending *flow,
	enum err (*write)(void *ctx, struct cache_write *write, struct arena *arena),
	void (*on_committed)(void *ctx, enum err err));
/* Until the peer has what this flow committed, or, when that changed nothing, all before it. */
void flow_hold(struct keystore_pending *flow, enum keystore_gate_class class,
	void (*on_released)(void *ctx));

/* Waits there no more. */
void flow_stop_holding(struct keystore_pending *flow);

/* Time to the deadline, 0 when it is over. */
uint32_t flow_left_ms(const struct keystore_pending *flow);
/* For a call to the key manager within `part` percent of the time left; at least 1 ms. */
struct keymanager_call flow_call(struct keystore_pending *flow, uint32_t part);

/* Inside a write: merges an own change and remembers its sequence and the clock. */
MUST_USE enum err flow_put(struct keystore_pending *flow, struct cache_write *write,
	struct arena *arena, const struct record *record);
MUST_USE enum err flow_put_object(struct keystore_pending *flow, struct cache_write *write,
	struct arena *arena, const struct object *object);
struct stamp flow_stamp(struct keystore_pending *flow);

/* The key manager's result in the words that keystore.h promises (design D15). */
enum err flow_error(enum err err);
/* Destroyed there (design D12: only that proves it). */
bool flow_key_is_dead(const struct keymanager_key *key);
/* What the key manager says of a key that was deleted: its date, by which a tombstone is ordered
 * (design D6); *out is left alone when it tells none. An error: it did not answer, or shows the key
 * alive. */
MUST_USE enum err flow_deletion_date(int64_t *out, const struct keymanager_got *result);

#endif
