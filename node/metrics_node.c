/* SPDX-License-Identifier: Apache-2.0 */
#include "node/metrics_private.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/text.h"
#include "keystore/record.h"
#include "kmip/message.h"
#include "node/ready.h"

enum { METRICS_CLIENTS_MAX = 1000, FINGERPRINT_DIGITS = 16 };

struct telling {
	struct metrics_out *out;
	struct arena *arena;
	size_t clients;
};

/* ---- the node ---- */

static void tell_red(void *ctx, const struct ready_reason *reason)
{
	char labels[METRIC_LABELS_LEN_MAX];
	snprintf(labels, sizeof(labels), "condition=\"%s\",instance=\"%s\"", reason->condition,
		reason->instance);
	metric_put(ctx, METRIC_not_ready, labels, 1);
}

static void tell_ready(struct metrics_out *out, const struct ready *ready)
{
	metric_tell(out, METRIC_ready, ready_look(ready, NULL, NULL) == 0);
	metric_begin(out, METRIC_not_ready);
	ready_look(ready, tell_red, out);
}

static void tell_certificates(struct metrics_out *out, const struct keeper_status *status)
{
	metric_begin(out, METRIC_certificate_expiry_seconds);
	metric_put(out, METRIC_certificate_expiry_seconds, "certificate=\"kmip\"",
		(double) status->certificate_not_after);
	if (!status->has_peer)
		return;
	metric_put(out, METRIC_certificate_expiry_seconds, "certificate=\"link\"",
		(double) status->link_not_after);
	metric_put(out, METRIC_certificate_expiry_seconds, "certificate=\"peer\"",
		(double) status->peer_not_after);
}

static enum err tell_client(void *ctx, struct slice record_key, struct slice bytes)
{
	struct telling *telling = ctx;
	struct record record;
	char name[METRIC_LABELS_LEN_MAX / 2], labels[METRIC_LABELS_LEN_MAX];
	char hex[2 * sizeof(record.client.fingerprint.bytes) + 1];
	(void) record_key;
	arena_reset(telling->arena);
	if (record_decode(&record, telling->arena, bytes) != ERR_OK || record.client.removed)
		return ERR_OK;
	if (telling->clients++ == METRICS_CLIENTS_MAX)
		return ERR_LIMIT;
	const struct client *client = &record.client;
	metric_escape(name, sizeof(name), client->name);
	text_hex(hex, slice_of(client->fingerprint.bytes, sizeof(client->fingerprint.bytes)));
	snprintf(labels, sizeof(labels), "client=\"%s\",instance=\"%s\",fingerprint=\"%.*s\"", name,
		client->instance.text, FINGERPRINT_DIGITS, hex);
	metric_put(telling->out, METRIC_client_certificate_expiry_seconds, labels,
		(double) client->not_after);
	return ERR_OK;
}

/* Those beyond the maximum are left out; a cache that cannot be read has been told of elsewhere. */
static void tell_client_certificates(struct metrics_out *out, struct cache *cache)
{
	enum err err;
	bool more = false;
	struct cache_read *read = NULL;
	struct telling telling = { .out = out };
	struct cache_walk walk = { .kind = RECORD_CLIENT,
		.records_max = SIZE_MAX,
		.visit = tell_client,
		.ctx = &telling };
	metric_begin(out, METRIC_client_certificate_expiry_seconds);
	TRY(arena_new(&telling.arena, RECORD_LEN_MAX * 4));
	TRY(cache_read_begin(&read, cache));
	TRY(cache_walk(read, &walk, &more));
out:
	if (read != NULL)
		cache_read_end(read);
	arena_free(telling.arena);
	if (out->err == ERR_OK && err == ERR_NOMEM)
		out->err = err;
}

void metrics_node(struct metrics_out *out, const struct keeper_status *status,
	const struct ready *ready, struct cache *cache)
{
	metric_begin(out, METRIC_build_info);
	metric_put(out, METRIC_build_info, "version=\"" PAIR_VERSION "\"", 1);
	metric_tell(out, METRIC_up_seconds, (double) status->up_ms / 1e3);
	tell_ready(out, ready);
	metric_tell(out, METRIC_workers, status->workers.running);
	metric_tell(out, METRIC_worker_restarts_total, (double) status->workers.restarts);
	metric_tell(out, METRIC_loop_gaps_total, (double) status->loop_gaps);
	metric_tell(out, METRIC_loop_gap_seconds_total, (double) status->loop_gaps_ms / 1e3);
	tell_certificates(out, status);
	tell_client_certificates(out, cache);
}

/* ---- clients ---- */

static void tell_handshakes(struct metrics_out *out, const struct counters_sum *sum)
{
	static const struct {
		enum counter counter;
		const char *labels;
	} ends[] = {
		{ COUNTER_HANDSHAKES_GOOD, "result=\"good\"" },
		{ COUNTER_HANDSHAKES_NOT_REGISTERED, "result=\"not-registered\"" },
		{ COUNTER_HANDSHAKES_EXPIRED, "result=\"expired\"" },
		{ COUNTER_HANDSHAKES_STORE_FAILED, "result=\"store-failed\"" },
		{ COUNTER_HANDSHAKES_NO_CERTIFICATE, "result=\"no-certificate\"" },
		{ COUNTER_HANDSHAKES_CLOSED, "result=\"closed\"" },
		{ COUNTER_HANDSHAKES_TIMEOUT, "result=\"timeout\"" },
		{ COUNTER_HANDSHAKES_TLS, "result=\"tls\"" },
	};
	metric_begin(out, METRIC_handshakes_total);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		metric_put(out, METRIC_handshakes_total, ends[i].labels,
			(double) sum->plain[ends[i].counter]);
}

static void tell_frames(struct metrics_out *out, const struct counters_sum *sum)
{
	static const char *const by[COUNTERS_FRAMES] = { [COUNTERS_BY_WORKER] =
								 "answered_by=\"worker\"",
		[COUNTERS_BY_KEEPER] = "answered_by=\"keeper\"" };
	metric_begin(out, METRIC_frames_total);
	metric_put(out, METRIC_frames_total, by[COUNTERS_BY_WORKER],
		(double) sum->plain[COUNTER_SERVED]);
	metric_put(out, METRIC_frames_total, by[COUNTERS_BY_KEEPER],
		(double) sum->plain[COUNTER_FORWARDED]);
	metric_begin(out, METRIC_frame_seconds);
	for (size_t i = 0; i < COUNTERS_FRAMES; i++)
		metric_put_histogram(out, METRIC_frame_seconds, by[i], &sum->frame_took[i]);
}

static bool is_used(const struct histogram_sum *histogram)
{
	for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++)
		if (histogram->counts[i] > 0)
			return true;
	return false;
}

/* Only what has happened: most of the pairs never do. */
static void tell_items(struct metrics_out *out, const struct counters_sum *sum)
{
	char labels[METRIC_LABELS_LEN_MAX];
	metric_begin(out, METRIC_requests_total);
	for (uint32_t code = 0; code < COUNTERS_OPERATIONS; code++)
		for (size_t err = 0; err < ERR_COUNT; err++) {
			if (sum->items[code][err] == 0)
				continue;
			snprintf(labels, sizeof(labels), "operation=\"%s\",result=\"%s\"",
				kmip_operation_name(code),
				err == ERR_OK ? "ok" : err_name((enum err) err));
			metric_put(
				out, METRIC_requests_total, labels, (double) sum->items[code][err]);
		}
	metric_begin(out, METRIC_request_seconds);
	for (uint32_t code = 0; code < COUNTERS_OPERATIONS; code++) {
		if (!is_used(&sum->item_took[code]))
			continue;
		snprintf(labels, sizeof(labels), "operation=\"%s\"", kmip_operation_name(code));
		metric_put_histogram(out, METRIC_request_seconds, labels, &sum->item_took[code]);
	}
}

void metrics_clients(struct metrics_out *out, const struct counters_sum *sum)
{
	metric_tell(out, METRIC_connections, (double) sum->plain[COUNTER_CONNECTIONS]);
	metric_tell(out, METRIC_connections_total, (double) sum->plain[COUNTER_ACCEPTED]);
	tell_handshakes(out, sum);
	metric_tell(out, METRIC_expired_client_uses_total,
		(double) sum->plain[COUNTER_EXPIRED_CLIENTS]);
	tell_frames(out, sum);
	tell_items(out, sum);
}

/* ---- keys ---- */

static void tell_histogram(
	struct metrics_out *out, enum metric metric, const struct histogram *histogram)
{
	struct histogram_sum sum = { 0 };
	histogram_add(&sum, histogram);
	metric_begin(out, metric);
	metric_put_histogram(out, metric, "", &sum);
}

static void tell_lookups(struct metrics_out *out, const struct counters_sum *sum)
{
	static const char *const labels[KEYSTORE_LOOKUPS] = { [KEYSTORE_LOOKUP_HIT] =
								      "result=\"hit\"",
		[KEYSTORE_LOOKUP_ABSENT] = "result=\"absent\"",
		[KEYSTORE_LOOKUP_STALE] = "result=\"stale\"",
		[KEYSTORE_LOOKUP_UNVOUCHED] = "result=\"unvouched\"" };
	metric_begin(out, METRIC_unwrapped_key_lookups_total);
	for (size_t i = 0; i < KEYSTORE_LOOKUPS; i++)
		metric_put(out, METRIC_unwrapped_key_lookups_total, labels[i],
			(double) sum->lookups[i]);
}

void metrics_keys(struct metrics_out *out, const struct keeper_status *status,
	const struct keystore_meter *meter, const struct counters_sum *sum)
{
	const struct cache_counts *cache = &status->cache;
	metric_tell(out, METRIC_unwrapped_keys, (double) status->keys_in_memory);
	metric_tell(out, METRIC_unwrapped_keys_max, (double) status->keys_in_memory_max);
	tell_lookups(out, sum);
	metric_begin(out, METRIC_fetches_total);
	metric_put(out, METRIC_fetches_total, "for=\"client\"", (double) meter->fetches);
	metric_put(out, METRIC_fetches_total, "for=\"background\"",
		(double) meter->fetches_background);
	metric_tell(out, METRIC_fetches_shared_total, (double) meter->fetches_shared);
	metric_tell(out, METRIC_cache_objects, (double) cache->objects);
	metric_tell(out, METRIC_cache_clients, (double) cache->clients);
	metric_tell(out, METRIC_cache_intents, (double) cache->intents);
	metric_tell(out, METRIC_cache_log_entries, (double) cache->log_entries);
	metric_tell(out, METRIC_cache_bytes, (double) cache->bytes_used);
	metric_tell(out, METRIC_cache_bytes_max, (double) cache->map_bytes);
	metric_tell(out, METRIC_commits_total, (double) meter->commits);
	metric_tell(out, METRIC_commit_changes_total, (double) meter->committed);
	tell_histogram(out, METRIC_commit_seconds, &meter->commit_took);
}

/* ---- the peer ---- */

static double seconds_since(uint64_t then_ms)
{
	return then_ms == 0 ? 0 : (double) (clock_boot_ms() - then_ms) / 1e3;
}

static double snapshot_value(const struct replication_snapshot *snapshot, enum metric metric)
{
	if (metric == METRIC_peer_snapshot_age_seconds)
		return seconds_since(snapshot->began_ms);
	if (metric == METRIC_peer_snapshot_running)
		return snapshot->ended_ms == 0;
	return (double) snapshot->record_count;
}

/* Nothing of a direction in which there was none. */
static void tell_snapshots(struct metrics_out *out, const struct replication_status *peer)
{
	for (int i = METRIC_peer_snapshot_age_seconds; i <= METRIC_peer_snapshot_records; i++) {
		enum metric metric = (enum metric) i;
		metric_begin(out, metric);
		if (peer->snapshot_sent.began_ms != 0)
			metric_put(out, metric, "direction=\"sent\"",
				snapshot_value(&peer->snapshot_sent, metric));
		if (peer->snapshot_received.began_ms != 0)
			metric_put(out, metric, "direction=\"received\"",
				snapshot_value(&peer->snapshot_received, metric));
	}
}

static void tell_link(struct metrics_out *out, const struct replication_status *peer)
{
	char labels[METRIC_LABELS_LEN_MAX];
	uint64_t now_ms = clock_boot_ms();
	uint64_t lease_ms =
		peer->lease_held_until_ms > now_ms ? peer->lease_held_until_ms - now_ms : 0;
	snprintf(labels, sizeof(labels), "state=\"%s\"", peer->state);
	metric_begin(out, METRIC_peer_state);
	metric_put(out, METRIC_peer_state, labels, 1);
	metric_tell(out, METRIC_peer_state_seconds, seconds_since(peer->since_ms));
	metric_tell(out, METRIC_peer_lag_entries, (double) (peer->own_seq - peer->peer_acked_seq));
	metric_tell(out, METRIC_peer_lag_seconds, (double) peer->lag_ms / 1e3);
	metric_tell(out, METRIC_peer_behind_entries,
		peer->peer_seq > peer->merged_seq ? (double) (peer->peer_seq - peer->merged_seq)
						  : 0);
	metric_tell(out, METRIC_peer_lease_seconds, (double) lease_ms / 1e3);
	metric_tell(out, METRIC_peer_snapshots_total, (double) peer->snapshots);
	tell_snapshots(out, peer);
	metric_tell(out, METRIC_peer_differing_instances, (double) peer->differing_instances);
	metric_tell(out, METRIC_peer_differing_settings, (double) peer->differing_settings);
	metric_tell(out, METRIC_peer_cut, peer->cut);
	metric_tell(out, METRIC_peer_fenced, peer->fenced_ms != 0);
	metric_tell(out, METRIC_answers_held, (double) peer->holds);
	metric_tell(out, METRIC_answers_unacknowledged_total, (double) peer->waits.unacknowledged);
}

void metrics_peer(struct metrics_out *out, const struct keeper_status *status,
	const struct keystore_meter *meter)
{
	if (status->has_peer)
		tell_link(out, &status->peer);
	tell_histogram(out, METRIC_gate_seconds, &meter->gate_took);
}
