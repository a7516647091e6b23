/* SPDX-License-Identifier: Apache-2.0 */
/* What the flows share: the store itself. Not for other folders. */
#ifndef KEYSTORE_KEYSTORE_PRIVATE_H
#define KEYSTORE_KEYSTORE_PRIVATE_H

#include "keystore/commit.h"
#include "keystore/keystore.h"
#include "keystore/kill_point.h"

struct charge;
struct instance;
struct fetch_work;

struct keystore {
	struct loop *loop; /* NULL in a reader */
	struct cache *cache;
	struct kek_table *table;
	struct commit *commit;
	struct keystore_settings settings;
	struct stamp_clock clock;
	struct instance *instances[KEYSTORE_INSTANCES_MAX];
	size_t instance_count;

	struct keystore_gate gate; /* hold is NULL without one */
	void (*on_logged)(void *ctx, uint64_t last_seq);
	void *on_logged_ctx;
	struct keystore_meter meter;
	struct keystore_lookups *lookups; /* may be NULL */
	enum keystore_peer peer;
	uint64_t last_seq; /* of the log of own changes */
	uint64_t contact_ms; /* boot time when contact.c last noted one; 0: not in this life */
	/* Of the peer's merges: this one and all before; 0: none. Also the writing thread's. */
	_Atomic uint32_t broken_chain;

	struct stamp life; /* when this life began */
	bool was_in_step; /* with the peer, in this life */
	struct charge *charges; /* under way */

	struct keystore_pending *flows;
	size_t flow_count;
	struct fetch_work *fetches; /* that a further caller can join */
	struct keystore_pending *closing; /* keystore_close_start */

	bool started;
	bool open; /* on_open was or is about to be called */
	void (*on_open)(void *ctx);
	void *on_open_ctx;
	struct loop_task open_task;
	struct loop_timer *open_timer; /* NULL in a reader */
#ifdef PAIR_KILL_POINTS
	struct kill_arm kill;
#endif
};

/* NULL when there is no such instance. */
struct instance *keystore_instance_of(
	const struct keystore *keystore, const struct instance_id *id);
/* Calls on_open once every instance's registrations are known (design D11). */
void keystore_poke_open(struct keystore *keystore);

/* The work before a clean stop may be over. */
void keystore_poke_closed(struct keystore *keystore);

#endif
