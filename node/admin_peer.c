/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "node/admin_call.h"

static void add_waits(cJSON *object, const struct replication_status *peer)
{
	cJSON *waits = cJSON_AddObjectToObject(object, "waits");
	admin_add_number(waits, "count", peer->waits.count);
	admin_add_number(waits, "unacknowledged", peer->waits.unacknowledged);
	admin_add_number(waits, "last_ms", peer->waits.last_ms);
	admin_add_number(waits, "max_ms", peer->waits.max_ms);
}

/* What is left of them; null: none. */
static void add_lease(cJSON *object, const struct replication_status *peer, uint64_t now_ms)
{
	const uint64_t until_ms[] = { peer->lease_held_until_ms, peer->lease_granted_until_ms };
	static const char *const names[] = { "held_for_ms", "granted_for_ms" };
	cJSON *lease = cJSON_AddObjectToObject(object, "lease");
	for (size_t i = 0; i < 2; i++)
		if (until_ms[i] > now_ms)
			admin_add_number(lease, names[i], until_ms[i] - now_ms);
		else
			cJSON_AddNullToObject(lease, names[i]);
}

static void add_snapshot(cJSON *object, const char *name,
	const struct replication_snapshot *snapshot, uint64_t now_ms)
{
	if (snapshot->began_ms == 0) {
		cJSON_AddNullToObject(object, name);
		return;
	}
	cJSON *member = cJSON_AddObjectToObject(object, name);
	admin_add_ms_ago(member, "began_ms_ago", now_ms, snapshot->began_ms);
	admin_add_number(member, "records", snapshot->record_count);
	if (snapshot->ended_ms == 0)
		cJSON_AddNullToObject(member, "took_ms");
	else
		admin_add_number(member, "took_ms", snapshot->ended_ms - snapshot->began_ms);
}

void admin_add_peer(cJSON *answer, const struct keeper_status *status)
{
	const struct replication_status *peer = &status->peer;
	uint64_t now_ms = clock_boot_ms();
	cJSON *object = cJSON_AddObjectToObject(answer, "peer");
	cJSON_AddBoolToObject(object, "configured", status->has_peer);
	if (!status->has_peer)
		return;
	cJSON_AddStringToObject(object, "state", peer->state);
	cJSON_AddStringToObject(object, "why", peer->why);
	admin_add_ms_ago(object, "state_for_ms", now_ms, peer->since_ms);
	admin_add_ms_ago(object, "heard_ms_ago", now_ms, peer->last_heard_ms);
	admin_add_number(object, "own_seq", peer->own_seq);
	admin_add_number(object, "peer_acked_seq", peer->peer_acked_seq);
	admin_add_number(object, "lag", peer->own_seq - peer->peer_acked_seq);
	admin_add_number(object, "lag_ms", peer->lag_ms);
	admin_add_number(object, "peer_seq", peer->peer_seq);
	admin_add_number(object, "merged_seq", peer->merged_seq);
	admin_add_number(object, "answers_held", peer->holds);
	add_waits(object, peer);
	add_lease(object, peer, now_ms);
	admin_add_number(object, "snapshots", peer->snapshots);
	add_snapshot(object, "snapshot_sent", &peer->snapshot_sent, now_ms);
	add_snapshot(object, "snapshot_received", &peer->snapshot_received, now_ms);
	admin_add_ms_ago(object, "fenced_for_ms", now_ms, peer->fenced_ms);
	cJSON_AddBoolToObject(object, "cut", peer->cut);
	admin_add_number(object, "differing_instances", peer->differing_instances);
	admin_add_number(object, "differing_settings", peer->differing_settings);
	admin_add_number(object, "comparisons", peer->comparisons);
	admin_add_number(object, "differing_buckets", peer->differing_buckets);
	admin_add_ms_ago(object, "compared_ms_ago", now_ms, peer->compared_ms);
	cJSON_AddStringToObject(object, "version", peer->peer_version);
	admin_add_number(object, "protocol", peer->protocol_version);
}

/* ---- commands ---- */

static void end(struct admin_call *call, enum err err, const char *why)
{
	if (err == ERR_OK)
		admin_answer(call, NULL);
	else
		admin_refuse(call, "%s", why);
}

static void peer_cut(struct admin_call *call, bool cut)
{
	end(call, keeper_cut_peer(call->keeper, cut),
		"this node has no peer in its configuration, or is drained");
}

void admin_peer_cut(struct admin_call *call)
{
	peer_cut(call, true);
}

void admin_peer_heal(struct admin_call *call)
{
	peer_cut(call, false);
}

void admin_peer_fence(struct admin_call *call)
{
	char why[CONFIG_WHY_MAX] = "";
	enum err err = keeper_fence_peer(call->keeper, why);
	end(call, err, why);
}

void admin_drain(struct admin_call *call)
{
	char why[CONFIG_WHY_MAX] = "";
	bool sure = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(call->question, "yes"));
	enum err err = keeper_drain(call->keeper, sure, why);
	end(call, err, why);
}

void admin_undrain(struct admin_call *call)
{
	char why[CONFIG_WHY_MAX] = "";
	enum err err = keeper_undrain(call->keeper, why);
	end(call, err, why);
}
