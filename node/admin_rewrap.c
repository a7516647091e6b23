/* SPDX-License-Identifier: Apache-2.0 */
/* Wrapping keys anew after a rotation of the root key: the commands of `kmipctl rewrap`. */
#include "node/admin_call.h"

/* Empty: there is nothing to say. */
static void add_error(cJSON *object, const char *name, enum err err)
{
	const char *text = err == ERR_OK ? "" : err_text(err);
	if (err == ERR_OPERATION)
		text = "the key manager does not tell the version of the root key";
	cJSON_AddStringToObject(object, name, text);
}

static void add_failures(cJSON *object, const struct keystore_rewrap_status *status)
{
	cJSON *list = cJSON_AddArrayToObject(object, "failures");
	for (size_t i = 0; i < status->failed_count; i++) {
		char uid[UUID_TEXT_LEN + 1];
		enum err err = status->failures[i].err;
		cJSON *failure = cJSON_CreateObject();
		uid_text(uid, &status->failures[i].uid);
		cJSON_AddStringToObject(failure, "uid", uid);
		cJSON_AddStringToObject(
			failure, "error", err == ERR_OK ? "see the log" : err_text(err));
		cJSON_AddItemToArray(list, failure);
	}
}

static cJSON *run_json(struct keystore *keystore, size_t i, bool *running)
{
	struct keystore_instance_status instance;
	struct keystore_rewrap_status status;
	cJSON *object = cJSON_CreateObject();
	keystore_instance_status(keystore, i, &instance);
	keystore_rewrap_status(keystore, i, &status);
	cJSON_AddStringToObject(object, "id", instance.id.text);
	cJSON_AddStringToObject(object, "name", instance.name);
	cJSON_AddBoolToObject(object, "running", status.running);
	admin_add_number(object, "round", status.round);
	admin_add_number(object, "rate", status.rate);
	admin_add_number(object, "looked", status.looked);
	admin_add_number(object, "rewrapped", status.rewrapped);
	admin_add_number(object, "failed", status.failed);
	cJSON_AddNumberToObject(object, "percent", status.per_mille / 10.0);
	/* Not yet an answer is no trouble. */
	add_error(object, "waiting", status.waiting == ERR_AGAIN ? ERR_OK : status.waiting);
	add_error(object, "error", status.err);
	add_failures(object, &status);
	*running |= status.running;
	return object;
}

/* Of the instance that the question names, else of all. */
static void answer_status(struct admin_call *call, const struct instance_id *wanted)
{
	struct keystore *keystore = keeper_keystore(call->keeper);
	cJSON *answer = cJSON_CreateObject();
	cJSON *list = cJSON_AddArrayToObject(answer, "instances");
	bool running = false;
	for (size_t i = 0; i < keystore_instance_count(keystore); i++) {
		struct keystore_instance_status status;
		keystore_instance_status(keystore, i, &status);
		if (wanted == NULL || instance_id_equal(wanted, &status.id))
			cJSON_AddItemToArray(list, run_json(keystore, i, &running));
	}
	cJSON_AddBoolToObject(answer, "running", running);
	admin_answer(call, answer);
}

/* false: the question is refused. */
static bool find_instance(struct admin_call *call, const struct instance_id **out)
{
	const char *name = admin_text(call, "instance");
	*out = NULL;
	if (name == NULL)
		return true;
	*out = admin_find_instance(call, name);
	return *out != NULL;
}

/* Begun, not done: kmipctl asks how it goes until it no longer runs. */
void admin_rewrap(struct admin_call *call)
{
	const struct instance_id *instance;
	const cJSON *rate = cJSON_GetObjectItemCaseSensitive(call->question, "rate");
	double number = cJSON_IsNumber(rate) ? rate->valuedouble : 0;
	if (!find_instance(call, &instance))
		return;
	if ((rate != NULL && number < 1) || number > KEYSTORE_REWRAP_RATE_MAX) {
		admin_refuse(call, "a rate is 1 to %d keys a second", KEYSTORE_REWRAP_RATE_MAX);
		return;
	}
	enum err err = keystore_rewrap(keeper_keystore(call->keeper), instance, (uint32_t) number);
	if (err != ERR_OK)
		admin_refuse(call, "it cannot be begun: %s", err_text(err));
	else
		answer_status(call, instance);
}

void admin_rewrap_status(struct admin_call *call)
{
	const struct instance_id *instance;
	if (find_instance(call, &instance))
		answer_status(call, instance);
}

void admin_rewrap_stop(struct admin_call *call)
{
	const struct instance_id *instance;
	if (!find_instance(call, &instance))
		return;
	enum err err = keystore_rewrap_stop(keeper_keystore(call->keeper), instance);
	if (err != ERR_OK)
		admin_refuse(call, "it cannot be stopped: %s", err_text(err));
	else
		answer_status(call, instance);
}
