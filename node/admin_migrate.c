/* SPDX-License-Identifier: Apache-2.0 */
/* Migration of an instance to another root key: the commands of `kmipctl instance migrate`. */
#include <string.h>

#include "node/admin_call.h"

enum { OLD_KEYS_SHOWN_MAX = 20, RATE_MAX = 10000, WHY_MAX = 300 };

static void add_uid(cJSON *list, const struct uid *uid)
{
	char id[UUID_TEXT_LEN + 1];
	uid_text(id, uid);
	cJSON_AddItemToArray(list, cJSON_CreateString(id));
}

cJSON *admin_migration_json(struct keystore *keystore, size_t i)
{
	struct keystore_migration_status status;
	cJSON *object = cJSON_CreateObject();
	keystore_migration_status(keystore, i, &status);
	cJSON_AddStringToObject(object, "stage", status.stage);
	cJSON_AddBoolToObject(object, "running", status.running);
	admin_add_number(object, "looked", status.looked);
	admin_add_number(object, "moved", status.moved);
	admin_add_number(object, "deleted", status.deleted);
	admin_add_number(object, "failed", status.failed);
	cJSON_AddNumberToObject(object, "percent", status.per_mille / 10.0);
	cJSON_AddStringToObject(
		object, "waiting", status.waiting == ERR_OK ? "" : err_text(status.waiting));
	cJSON_AddStringToObject(object, "error", status.err == ERR_OK ? "" : err_text(status.err));
	cJSON *failed = cJSON_AddArrayToObject(object, "failed_keys");
	for (size_t k = 0; k < status.failed_count; k++)
		add_uid(failed, &status.failed_keys[k]);
	return object;
}

static const struct instance_id *find_instance(struct admin_call *call)
{
	const char *name = admin_text(call, "instance");
	return admin_find_instance(call, name == NULL ? "" : name);
}

static void answer_status(struct admin_call *call, const struct instance_id *instance)
{
	struct keystore *keystore = keeper_keystore(call->keeper);
	for (size_t i = 0; i < keystore_instance_count(keystore); i++) {
		struct keystore_instance_status status;
		keystore_instance_status(keystore, i, &status);
		if (instance_id_equal(&status.id, instance))
			admin_answer(call, admin_migration_json(keystore, i));
	}
}

/* While the peer cannot hear of it, or cannot open what the new root key wraps, its own work on the
 * same keys would have to be undone here, and the other way round. */
static bool peer_may_follow(struct admin_call *call)
{
	struct keeper_status status;
	keeper_status(call->keeper, &status);
	return !status.has_peer || (strcmp(status.peer.state, "streaming") == 0 &&
					   status.peer.differing_instances == 0);
}

static bool is_set(const struct admin_call *call, const char *name)
{
	return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(call->question, name));
}

void admin_migrate(struct admin_call *call)
{
	const cJSON *rate = cJSON_GetObjectItemCaseSensitive(call->question, "rate");
	double number = cJSON_IsNumber(rate) ? rate->valuedouble : 0;
	const struct instance_id *instance = find_instance(call);
	char why[WHY_MAX] = "";
	if (instance == NULL)
		return;
	if (number < 0 || number > RATE_MAX) {
		admin_refuse(call, "a rate is 1 to %d keys a second", RATE_MAX);
		return;
	}
	if (!is_set(call, "alone") && !peer_may_follow(call)) {
		admin_refuse(call,
			"the peer is not there, or its instances are configured otherwise: name "
			"both "
			"root keys on both nodes and wait for the link, or say --alone if the peer "
			"does not run");
		return;
	}
	enum err err = keystore_migrate(keeper_keystore(call->keeper), instance,
		is_set(call, "delete_old"), (uint32_t) number, why);
	if (err != ERR_OK)
		admin_refuse(call, "%s", why[0] == '\0' ? err_text(err) : why);
	else
		answer_status(call, instance);
}

void admin_migration_status(struct admin_call *call)
{
	const struct instance_id *instance = find_instance(call);
	if (instance != NULL)
		answer_status(call, instance);
}

void admin_migration_stop(struct admin_call *call)
{
	const struct instance_id *instance = find_instance(call);
	if (instance == NULL)
		return;
	keystore_migration_stop(keeper_keystore(call->keeper), instance);
	answer_status(call, instance);
}

void admin_old_keys(struct admin_call *call)
{
	struct keystore_old_key keys[OLD_KEYS_SHOWN_MAX];
	const struct instance_id *instance = find_instance(call);
	uint64_t count;
	if (instance == NULL)
		return;
	enum err err = keystore_old_keys(
		keeper_keystore(call->keeper), instance, keys, OLD_KEYS_SHOWN_MAX, &count);
	if (err != ERR_OK) {
		admin_refuse(call, "%s", err_text(err));
		return;
	}
	cJSON *answer = cJSON_CreateObject();
	cJSON *list = cJSON_AddArrayToObject(answer, "keys");
	admin_add_number(answer, "count", count);
	for (size_t i = 0; i < count && i < OLD_KEYS_SHOWN_MAX; i++)
		add_uid(list, &keys[i].key_id);
	admin_answer(call, answer);
}
