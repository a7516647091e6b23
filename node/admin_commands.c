/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/clock.h"
#include "node/admin_call.h"

static void add_ms_ago(cJSON *object, const char *name, uint64_t now_ms, uint64_t then_ms)
{
	if (then_ms == 0)
		cJSON_AddNullToObject(object, name);
	else
		cJSON_AddNumberToObject(object, name, (double) (now_ms - then_ms));
}

static void add_number(cJSON *object, const char *name, uint64_t value)
{
	cJSON_AddNumberToObject(object, name, (double) value);
}

static void add_peer(cJSON *answer, const struct keeper_status *status)
{
	const struct replication_status *peer = &status->peer;
	uint64_t now_ms = clock_boot_ms();
	cJSON *object = cJSON_AddObjectToObject(answer, "peer");
	cJSON_AddBoolToObject(object, "configured", status->has_peer);
	if (!status->has_peer)
		return;
	cJSON_AddStringToObject(object, "state", peer->state);
	cJSON_AddStringToObject(object, "why", peer->why);
	add_ms_ago(object, "state_for_ms", now_ms, peer->since_ms);
	add_ms_ago(object, "heard_ms_ago", now_ms, peer->last_heard_ms);
	add_number(object, "own_seq", peer->own_seq);
	add_number(object, "peer_acked_seq", peer->peer_acked_seq);
	add_number(object, "lag", peer->own_seq - peer->peer_acked_seq);
	add_number(object, "peer_seq", peer->peer_seq);
	add_number(object, "merged_seq", peer->merged_seq);
	add_number(object, "answers_held", peer->holds);
	add_number(object, "snapshots", peer->snapshots);
	add_number(object, "differing_instances", peer->differing_instances);
	add_number(object, "comparisons", peer->comparisons);
	add_number(object, "differing_buckets", peer->differing_buckets);
	add_ms_ago(object, "compared_ms_ago", now_ms, peer->compared_ms);
	cJSON_AddStringToObject(object, "version", peer->peer_version);
}

static void add_counter(
	cJSON *object, const char *name, const struct keeper_status *status, enum counter counter)
{
	add_number(object, name, counters_page_total(status->counters, counter));
}

static void add_workers(cJSON *answer, const struct keeper_status *status)
{
	const struct workers_status *workers = &status->workers;
	cJSON *object = cJSON_AddObjectToObject(answer, "workers");
	add_number(object, "running", workers->running);
	add_number(object, "restarts", workers->restarts);
	add_counter(object, "connections", status, COUNTER_CONNECTIONS);
	add_counter(object, "accepted", status, COUNTER_ACCEPTED);
	add_number(object, "handshakes_refused", counters_page_refused(status->counters));
	add_counter(object, "served_by_workers", status, COUNTER_SERVED);
	add_number(object, "served_by_keeper", workers->requests);
	add_counter(object, "expired_client_requests", status, COUNTER_EXPIRED_CLIENTS);
}

static const char *root_state_name(enum keymanager_root_state state)
{
	static const char *const names[] = { [KEYMANAGER_ROOT_UNKNOWN] = "unknown",
		[KEYMANAGER_ROOT_ENABLED] = "enabled",
		[KEYMANAGER_ROOT_DISABLED] = "disabled",
		[KEYMANAGER_ROOT_DELETED] = "deleted" };
	return names[state];
}

/* How far a rotation of the root key has come in this node's cache (design D14). */
static void add_root_version(cJSON *object, const struct keystore_instance_status *status)
{
	char date[RFC3339_TEXT_LEN + 1];
	text_rfc3339_from(date, status->root_version);
	cJSON_AddItemToObject(object, "root_key_version",
		status->root_version == 0 ? cJSON_CreateNull() : cJSON_CreateString(date));
	cJSON_AddItemToObject(object, "keys_of_older_version",
		status->counted_older ? cJSON_CreateNumber((double) status->older)
				      : cJSON_CreateNull());
}

static cJSON *instance_json(const struct keystore_instance_status *status)
{
	cJSON *object = cJSON_CreateObject();
	cJSON_AddStringToObject(object, "id", status->id.text);
	cJSON_AddStringToObject(object, "name", status->name);
	cJSON_AddStringToObject(object, "key_manager", status->kind);
	cJSON_AddStringToObject(object, "url", status->url);
	cJSON_AddStringToObject(object, "root_key", status->root_key);
	cJSON_AddStringToObject(object, "root_key_state", root_state_name(status->root));
	add_root_version(object, status);
	cJSON_AddStringToObject(object, "key_ring", status->key_ring);
	cJSON_AddBoolToObject(object, "reachable", status->health.reachable);
	add_ms_ago(object, "last_good_ms_ago", clock_boot_ms(), status->health.last_good_ms);
	add_number(object, "calls", status->health.calls);
	add_number(object, "failures", status->health.failures);
	cJSON_AddStringToObject(object, "last_error", status->health.last_error);
	add_ms_ago(object, "last_poll_ms_ago", clock_boot_ms(), status->poll_good_ms);
	add_ms_ago(object, "outage_for_ms", clock_boot_ms(), status->outage_since_ms);
	cJSON_AddBoolToObject(object, "refused", status->refused);
	cJSON_AddStringToObject(object, "gets", keeper_gets_name(status));
	cJSON_AddBoolToObject(object, "listed", status->listed);
	add_number(object, "objects_seen", status->objects_seen);
	add_number(object, "unclaimed", status->unclaimed);
	add_number(object, "missing", status->missing);
	add_number(object, "ledger_records", status->ledger_records);
	add_number(object, "ledger_waiting", status->ledger_waiting);
	return object;
}

static void add_instances(cJSON *answer, struct keeper *keeper)
{
	struct keystore *keystore = keeper_keystore(keeper);
	cJSON *list = cJSON_AddArrayToObject(answer, "instances");
	for (size_t i = 0; i < keystore_instance_count(keystore); i++) {
		struct keystore_instance_status status;
		keystore_instance_status(keystore, i, &status);
		cJSON_AddItemToArray(list, instance_json(&status));
	}
}

static void command_status(struct admin_call *call)
{
	struct keeper_status status;
	cJSON *answer = cJSON_CreateObject();
	keeper_status(call->keeper, &status);
	cJSON_AddStringToObject(answer, "name", status.name);
	add_number(answer, "node", status.node);
	cJSON_AddStringToObject(answer, "version", PAIR_VERSION);
	cJSON_AddStringToObject(answer, "state", status.state);
	add_number(answer, "up_ms", status.up_ms);
	add_peer(answer, &status);
	add_workers(answer, &status);
	cJSON *cache = cJSON_AddObjectToObject(answer, "cache");
	add_number(cache, "objects", status.cache.objects);
	add_number(cache, "clients", status.cache.clients);
	add_number(cache, "intents", status.cache.intents);
	add_number(cache, "log_entries", status.cache.log_entries);
	add_number(cache, "bytes_used", status.cache.bytes_used);
	add_number(cache, "bytes_max", status.cache.map_bytes);
	add_number(answer, "keys_in_memory", status.keys_in_memory);
	cJSON *certificate = cJSON_AddObjectToObject(answer, "certificate");
	cJSON_AddStringToObject(certificate, "sha256", status.certificate_fingerprint);
	cJSON_AddNumberToObject(certificate, "not_after", (double) status.certificate_not_after);
	add_instances(answer, call->keeper);
	admin_answer(call, answer);
}

static void command_instance_list(struct admin_call *call)
{
	cJSON *answer = cJSON_CreateObject();
	add_instances(answer, call->keeper);
	admin_answer(call, answer);
}

static void add_checkpoint(cJSON *answer, struct keeper *keeper)
{
	struct keystore_checkpoint_status status;
	keystore_checkpoint_status(keeper_keystore(keeper), &status);
	cJSON_AddBoolToObject(answer, "running", status.running);
	add_number(answer, "looked", status.looked);
	add_number(answer, "written", status.written);
	add_number(answer, "instances_failed", status.instances_failed);
	cJSON_AddStringToObject(
		answer, "error", status.instances_failed == 0 ? "" : err_text(status.err));
}

/* Begun, not done: kmipctl asks how it goes until it no longer runs. */
static void command_checkpoint(struct admin_call *call)
{
	enum err err = keystore_checkpoint(keeper_keystore(call->keeper));
	if (err != ERR_OK) {
		admin_refuse(call, "the ledger in the key manager was not read yet; "
				   "kmipctl status shows how the key manager answers");
		return;
	}
	cJSON *answer = cJSON_CreateObject();
	add_checkpoint(answer, call->keeper);
	admin_answer(call, answer);
}

static void command_checkpoint_status(struct admin_call *call)
{
	cJSON *answer = cJSON_CreateObject();
	add_checkpoint(answer, call->keeper);
	admin_answer(call, answer);
}

static void command_reload(struct admin_call *call)
{
	char why[CONFIG_WHY_MAX] = "";
	enum err err = keeper_reload(call->keeper, why);
	if (err == ERR_OK)
		admin_answer(call, NULL);
	else
		admin_refuse(call, "%s: %s",
			err == ERR_CONFIG ? "nothing was changed" : "only a part was applied",
			why[0] == '\0' ? err_text(err) : why);
}

static void peer_cut(struct admin_call *call, bool cut)
{
	if (keeper_cut_peer(call->keeper, cut) == ERR_OK)
		admin_answer(call, NULL);
	else
		admin_refuse(call, "this node has no peer in its configuration");
}

static void command_peer_cut(struct admin_call *call)
{
	peer_cut(call, true);
}

static void command_peer_heal(struct admin_call *call)
{
	peer_cut(call, false);
}

static const struct {
	const char *name;
	void (*run)(struct admin_call *call);
} commands[] = {
	{ "status", command_status },
	{ "instance-list", command_instance_list },
	{ "client-add", admin_client_add },
	{ "client-list", admin_client_list },
	{ "client-remove", admin_client_remove },
	{ "key-list", admin_key_list },
	{ "key-show", admin_key_show },
	{ "checkpoint", command_checkpoint },
	{ "checkpoint-status", command_checkpoint_status },
	{ "key-forget", admin_key_forget },
	{ "rewrap", admin_rewrap },
	{ "rewrap-status", admin_rewrap_status },
	{ "rewrap-stop", admin_rewrap_stop },
	{ "reload", command_reload },
	{ "peer-cut", command_peer_cut },
	{ "peer-heal", command_peer_heal },
};

void admin_run(struct admin_call *call)
{
	const char *name = admin_text(call, "command");
	for (size_t i = 0; name != NULL && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(commands[i].name, name) == 0) {
			commands[i].run(call);
			return;
		}
	admin_refuse(call, "unknown command \"%s\": kmipctl and kmipd may be of different versions",
		name == NULL ? "" : name);
}
