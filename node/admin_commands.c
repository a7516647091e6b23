/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/clock.h"
#include "node/admin_call.h"

static void add_counter(
	cJSON *object, const char *name, const struct keeper_status *status, enum counter counter)
{
	admin_add_number(object, name, counters_page_total(status->counters, counter));
}

static void add_workers(cJSON *answer, const struct keeper_status *status)
{
	const struct workers_status *workers = &status->workers;
	cJSON *object = cJSON_AddObjectToObject(answer, "workers");
	admin_add_number(object, "running", workers->running);
	admin_add_number(object, "restarts", workers->restarts);
	add_counter(object, "connections", status, COUNTER_CONNECTIONS);
	add_counter(object, "accepted", status, COUNTER_ACCEPTED);
	admin_add_number(object, "handshakes_refused", counters_page_refused(status->counters));
	add_counter(object, "served_by_workers", status, COUNTER_SERVED);
	admin_add_number(object, "served_by_keeper", workers->requests);
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
	if (status->other_root_key != NULL) {
		cJSON_AddStringToObject(object, "other_root_key", status->other_root_key);
		cJSON_AddStringToObject(
			object, "other_root_key_state", root_state_name(status->other_root));
	}
	cJSON_AddBoolToObject(object, "lacks_root_key", status->lacks_root);
	cJSON_AddStringToObject(object, "key_ring", status->key_ring);
	cJSON_AddBoolToObject(object, "reachable", status->health.reachable);
	admin_add_ms_ago(object, "last_good_ms_ago", clock_boot_ms(), status->health.last_good_ms);
	admin_add_number(object, "calls", status->health.calls);
	admin_add_number(object, "failures", status->health.failures);
	cJSON_AddStringToObject(object, "last_error", status->health.last_error);
	cJSON_AddStringToObject(object, "circuit", status->health.circuit);
	admin_add_number(object, "circuit_refused", status->health.circuit_refused);
	admin_add_number(object, "calls_at_once", status->health.slots);
	admin_add_number(object, "throttled", status->health.throttled);
	cJSON_AddStringToObject(object, "credential", status->health.credential);
	admin_add_ms_ago(object, "last_poll_ms_ago", clock_boot_ms(), status->poll_good_ms);
	admin_add_ms_ago(object, "outage_for_ms", clock_boot_ms(), status->outage_since_ms);
	cJSON_AddBoolToObject(object, "refused", status->refused);
	cJSON_AddStringToObject(object, "gets", keeper_gets_name(status));
	cJSON_AddBoolToObject(object, "listed", status->listed);
	cJSON_AddBoolToObject(object, "rebuilt", status->rebuilt);
	admin_add_number(object, "listing_listed", status->listing_listed);
	admin_add_number(object, "listing_read", status->listing_read);
	admin_add_number(object, "objects_seen", status->objects_seen);
	admin_add_number(object, "unclaimed", status->unclaimed);
	admin_add_number(object, "missing", status->missing);
	admin_add_number(object, "ledger_records", status->ledger_records);
	admin_add_number(object, "ledger_waiting", status->ledger_waiting);
	return object;
}

static void add_instances(cJSON *answer, struct keeper *keeper)
{
	struct keystore *keystore = keeper_keystore(keeper);
	cJSON *list = cJSON_AddArrayToObject(answer, "instances");
	for (size_t i = 0; i < keystore_instance_count(keystore); i++) {
		struct keystore_instance_status status;
		keystore_instance_status(keystore, i, &status);
		cJSON *instance = instance_json(&status);
		cJSON_AddStringToObject(
			instance, "algorithm_policy", keeper_policy_text(keeper, &status.id));
		cJSON_AddItemToObject(instance, "migration", admin_migration_json(keystore, i));
		cJSON_AddItemToArray(list, instance);
	}
}

static void command_status(struct admin_call *call)
{
	struct keeper_status status;
	cJSON *answer = cJSON_CreateObject();
	keeper_status(call->keeper, &status);
	cJSON_AddStringToObject(answer, "name", status.name);
	admin_add_number(answer, "node", status.node);
	cJSON_AddStringToObject(answer, "version", PAIR_VERSION);
	cJSON_AddStringToObject(answer, "state", status.state);
	admin_add_number(answer, "up_ms", status.up_ms);
	admin_add_peer(answer, &status);
	add_workers(answer, &status);
	cJSON *cache = cJSON_AddObjectToObject(answer, "cache");
	admin_add_number(cache, "objects", status.cache.objects);
	admin_add_number(cache, "clients", status.cache.clients);
	admin_add_number(cache, "intents", status.cache.intents);
	admin_add_number(cache, "log_entries", status.cache.log_entries);
	admin_add_number(cache, "bytes_used", status.cache.bytes_used);
	admin_add_number(cache, "bytes_max", status.cache.map_bytes);
	admin_add_number(answer, "keys_in_memory", status.keys_in_memory);
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
	admin_add_number(answer, "looked", status.looked);
	admin_add_number(answer, "written", status.written);
	admin_add_number(answer, "instances_failed", status.instances_failed);
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
	if (err == ERR_OK) {
		cJSON *answer = cJSON_CreateObject();
		cJSON_AddStringToObject(answer, "needs_restart", why);
		admin_answer(call, answer);
	} else
		admin_refuse(call, "%s: %s",
			err == ERR_CONFIG ? "nothing was changed" : "only a part was applied",
			why[0] == '\0' ? err_text(err) : why);
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
	{ "migrate", admin_migrate },
	{ "migration-status", admin_migration_status },
	{ "migration-stop", admin_migration_stop },
	{ "old-keys", admin_old_keys },
	{ "reload", command_reload },
	{ "peer-cut", admin_peer_cut },
	{ "peer-heal", admin_peer_heal },
	{ "peer-fence", admin_peer_fence },
	{ "drain", admin_drain },
	{ "undrain", admin_undrain },
#ifdef PAIR_KILL_POINTS
	{ "kill-list", admin_kill_list },
	{ "kill-arm", admin_kill_arm },
	{ "kill-compact", admin_kill_compact },
#endif
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
