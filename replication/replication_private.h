/* SPDX-License-Identifier: Apache-2.0 */
/* What replication.c and replication_store.c share; nobody else includes this. */
#ifndef REPLICATION_REPLICATION_PRIVATE_H
#define REPLICATION_REPLICATION_PRIVATE_H

#include "replication/replication.h"
#include "replication/link.h"
#include "replication/reader.h"
#include "base/sm.h"

enum { REPLICATION_MERGES_MAX = CORE_MERGES_MAX + 1 };

/* A merge under way in the keystore. */
struct merge_job {
	struct replication *replication;
	struct keystore_pending *pending;
	bool in_use;
	uint32_t link;
	bool has_position;
	struct wire_position position;
};

struct replication {
	struct replication_options options;
	char cluster[REPLICATION_CLUSTER_LEN_MAX + 1];
	char name[24]; /* "node-2" */
	struct reader_facts facts;
	bool started;
	bool stopped; /* by replication_stop */
	struct buf instances, settings;
	uint64_t differing_settings; /* at the last HELLO */
	struct core *core;
	struct link *link;
	struct sm sm;
	struct arena *arena; /* of one event */
	struct buf frame;
	struct loop_timer *timer, *stop_timer;
	struct loop_task read_task, release_task, failed_task, stopped_task;
	struct core_action read; /* what read_task reads */
	struct merge_job merges[REPLICATION_MERGES_MAX];
	struct keystore_pending *incarnation, *trim;
	void (*on_stopped)(void *ctx);
	void *stopped_ctx;
	struct core_actions actions;
	struct slice wire_records[WIRE_RECORDS_MAX];
	struct core_record records[WIRE_RECORDS_MAX];
};

/* Feeds the core and performs what it says. */
void replication_step(struct replication *replication, struct core_event *event);
/* Gives up the link for a reason that the core cannot see. */
void replication_drop_link(struct replication *replication, const char *why);

/* Tells of every own instance whether it is among these. */
void replication_tell_leased(
	struct replication *replication, const struct slice *ids, size_t count);
void replication_step_kind(struct replication *replication, enum core_event_kind kind);
extern const struct link_handler replication_link_handler;
/* Calls the holds that the core let go; a loop task. */
void replication_release(void *ctx);
void replication_on_timer(void *ctx);
void replication_on_logged(void *ctx, uint64_t last_seq);
void replication_on_hold(void *ctx, struct keystore_hold *hold);
void replication_on_cancel(void *ctx, struct keystore_hold *hold);

/* The store's side of the actions: replication_store.c. */
void replication_store_merge(struct replication *replication, const struct core_merge *action);
void replication_store_renew(struct replication *replication, bool rolled_back);
void replication_store_trim(
	struct replication *replication, const struct cache_grave *graves, size_t grave_count);
/* Runs replication->read; a loop task. */
void replication_store_read(void *ctx);
/* Ends merges that could not be started; a loop task. */
void replication_store_end_failed(void *ctx);
/* After this nothing is called back. */
void replication_store_cancel(struct replication *replication);

#endif
