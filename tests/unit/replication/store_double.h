/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keystore as replication uses it, over a real cache in a temporary folder: merges and facts in
 * one transaction, own changes logged, the gate handed over. No key manager, no flows.
 */
#ifndef TESTS_UNIT_REPLICATION_STORE_DOUBLE_H
#define TESTS_UNIT_REPLICATION_STORE_DOUBLE_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "keystore/keystore.h"

struct keystore {
	struct loop *loop;
	struct cache *cache;
	struct arena *arena;
	char folder[64];
	struct keystore_gate gate;
	void (*on_logged)(void *ctx, uint64_t last_seq);
	void *logged_ctx;
	enum keystore_peer peer;
};

struct keystore_pending {
	struct keystore *keystore;
	struct loop_task task;
	void (*on_done)(void *ctx, enum err err);
	void *ctx;
	enum err err;
};

static void pending_run(void *ctx)
{
	struct keystore_pending *pending = ctx;
	struct keystore_pending copy = *pending;

	free(pending);
	copy.on_done(copy.ctx, copy.err);
}

static struct keystore_pending *pending_new(struct keystore *keystore, enum err err,
	void (*on_done)(void *ctx, enum err err), void *ctx)
{
	struct keystore_pending *pending = calloc(1, sizeof(*pending));

	cr_assert_not_null(pending);
	*pending = (struct keystore_pending){
		.keystore = keystore, .on_done = on_done, .ctx = ctx, .err = err
	};
	loop_task_init(&pending->task, pending_run, pending);
	loop_defer(keystore->loop, &pending->task);
	return pending;
}

void keystore_cancel(struct keystore_pending *pending)
{
	loop_task_cancel(&pending->task);
	free(pending);
}

static enum err put_all(struct keystore *keystore, const struct keystore_merge *merge)
{
	struct cache_write *write;
	enum err err = cache_write_begin(&write, keystore->cache);

	if (err != ERR_OK)
		return err;
	for (size_t i = 0; i < merge->record_count; i++) {
		struct record record;
		struct cache_put put = { .record = &record };

		TRY(record_decode(&record, keystore->arena, merge->records[i]));
		TRY(cache_merge(write, keystore->arena, &put));
	}
	if (merge->fact_name != NULL)
		TRY(cache_put_fact(write, merge->fact_name, merge->fact_value));
	err = cache_commit(write);
	write = NULL;
out:
	if (write != NULL)
		cache_abort(write);
	arena_reset(keystore->arena);
	return err;
}

enum err keystore_merge_start(struct keystore_pending **out, struct keystore *keystore,
	const struct keystore_merge *merge, void (*on_merged)(void *ctx, enum err err), void *ctx)
{
	*out = pending_new(keystore, put_all(keystore, merge), on_merged, ctx);
	return ERR_OK;
}

enum err keystore_new_incarnation_start(struct keystore_pending **out, struct keystore *keystore,
	void (*on_done)(void *ctx, enum err err), void *ctx)
{
	struct cache_write *write;

	cr_assert_eq(cache_write_begin(&write, keystore->cache), ERR_OK);
	cr_assert_eq(cache_new_incarnation(write), ERR_OK);
	*out = pending_new(keystore, cache_commit(write), on_done, ctx);
	return ERR_OK;
}

enum err keystore_trim_start(struct keystore_pending **out, struct keystore *keystore,
	const struct cache_grave *graves, size_t grave_count,
	void (*on_trimmed)(void *ctx, enum err err, size_t trimmed), void *ctx)
{
	(void) out;
	(void) keystore;
	(void) graves;
	(void) grave_count;
	(void) on_trimmed;
	(void) ctx;
	return ERR_LIMIT;
}

struct cache *keystore_cache(struct keystore *keystore)
{
	return keystore->cache;
}

void keystore_set_gate(struct keystore *keystore, const struct keystore_gate *gate)
{
	keystore->gate = gate != NULL ? *gate : (struct keystore_gate){ 0 };
}

void keystore_set_on_logged(
	struct keystore *keystore, void (*on_logged)(void *ctx, uint64_t last_seq), void *ctx)
{
	keystore->on_logged = on_logged;
	keystore->logged_ctx = ctx;
}

void keystore_set_peer(struct keystore *keystore, enum keystore_peer peer)
{
	keystore->peer = peer;
}

static void store_open(struct keystore *keystore, struct loop *loop)
{
	struct cache_options options = { .folder = keystore->folder, .map_bytes = 64u << 20 };
	char why[CACHE_WHY_MAX];

	*keystore = (struct keystore){ .loop = loop, .folder = "/tmp/pair-test-XXXXXX" };
	cr_assert_not_null(mkdtemp(keystore->folder));
	cr_assert_eq(cache_open(&keystore->cache, &options, why), ERR_OK, "%s", why);
	cr_assert_eq(arena_new(&keystore->arena, 16u << 20), ERR_OK);
}

static void store_close(struct keystore *keystore)
{
	char command[128];

	cache_close(keystore->cache);
	arena_free(keystore->arena);
	(void) snprintf(command, sizeof(command), "rm -r %s", keystore->folder);
	cr_assert_eq(system(command), 0);
}

static struct cache_put store_put(struct keystore *keystore, uint16_t node, unsigned n, bool logged)
{
	struct record record = { .kind = RECORD_CLIENT };
	struct cache_put put = { .record = &record, .logged = logged };
	struct cache_write *write;

	be32_put(record.client.fingerprint.bytes, n * 0x9e3779b1u);
	be32_put(record.client.fingerprint.bytes + 4, n);
	record.client.instance = (struct instance_id){ "tenant-one" };
	(void) snprintf(record.client.name, sizeof(record.client.name), "host %u", n);
	record.client.written = (struct stamp){ .time = 77, .node = node };
	cr_assert_eq(cache_write_begin(&write, keystore->cache), ERR_OK);
	cr_assert_eq(cache_merge(write, keystore->arena, &put), ERR_OK);
	cr_assert_eq(cache_commit(write), ERR_OK);
	arena_reset(keystore->arena);
	return put;
}

/* An own change: client number n installed. Gives its sequence number. */
static uint64_t store_install(struct keystore *keystore, uint16_t node, unsigned n)
{
	struct cache_put put = store_put(keystore, node, n, true);

	if (keystore->on_logged != NULL)
		keystore->on_logged(keystore->logged_ctx, put.seq);
	return put.seq;
}

/* Client number n is there, and nobody is told. */
static void store_change_silently(struct keystore *keystore, unsigned n)
{
	(void) store_put(keystore, 9, n, false);
}

static bool store_has(struct keystore *keystore, unsigned n)
{
	struct fingerprint fingerprint = { 0 };
	struct cache_read *read;
	struct client client;
	bool found;

	be32_put(fingerprint.bytes, n * 0x9e3779b1u);
	be32_put(fingerprint.bytes + 4, n);
	cr_assert_eq(cache_read_begin(&read, keystore->cache), ERR_OK);
	found = cache_get_client(read, &fingerprint, &client) == ERR_OK;
	cache_read_end(read);
	return found;
}

#endif
