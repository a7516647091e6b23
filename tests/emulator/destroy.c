/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a key, and the way back while there is one. */
#include <stdio.h>
#include <string.h>

#include "tests/emulator/handlers.h"

static enum refusal destroy_answer(struct request *request)
{
	if (request_wants_representation(request))
		return request_answer_key(request, 200, KEY_VIEW_FULL);
	return request_answer_empty(request, 204);
}

/* The first authorisation must stand, and come from somebody else. */
static bool dual_auth_met(const struct request *request)
{
	const struct key *key = request->key;

	if (!key->dual_auth)
		return true;
	if (!key->dual_auth_set || key->dual_auth_until <= world_now(request->world))
		return false;
	return strcmp(key->dual_auth_by, request->user->id) != 0;
}

enum refusal destroy_key(struct request *request)
{
	struct key *key = request->key;

	if (!dual_auth_met(request))
		return request_refuse(request, REFUSE_AUTHORIZATIONS_NOT_MET,
			"Number of authorizations required to delete is not met: 1 prior "
			"authorization(s) are required for deletion");
	enum refusal refusal = registration_guard_delete(request);
	if (refusal != REFUSE_NOTHING)
		return refusal;
	key->state = KEY_DESTROYED;
	key->deleted = key->updated = key->acted = world_now(request->world);
	key_set_text(&key->deleted_by, request->user->id);
	world_save_key(request->world, key);
	return destroy_answer(request);
}

enum refusal destroy_restore(struct request *request)
{
	struct key *key = request->key;
	const struct knobs *knobs = &request->world->knobs;
	int64_t now = world_now(request->world);

	if (key->state != KEY_DESTROYED)
		return REFUSE_KEY_ACTION_INVALID_STATE_ERR;
	if (now < key->deleted + knobs->guard_s)
		return REFUSE_REQ_TOO_EARLY_ERR;
	if (key->expires != 0 && key->expires <= now)
		return REFUSE_KEY_EXPIRED_ERR;
	if (now > key->deleted + knobs->restore_s)
		return REFUSE_KEY_RESTORE_EXPIRED;
	/* deletionDate and deletedBy stay, as the service leaves them */
	key->state = KEY_ACTIVE;
	key->dual_auth_set = false;
	key->updated = key->acted = now;
	world_save_key(request->world, key);
	return request_answer_key(request, 201, KEY_VIEW_FULL);
}

enum refusal destroy_purge(struct request *request)
{
	struct key *key = request->key;
	long long wait_s = request->world->knobs.purge_from_s;
	char why[160];

	if (key->state != KEY_DESTROYED)
		return REFUSE_KEY_ACTION_INVALID_STATE_ERR;
	if (world_now(request->world) < key->deleted + wait_s) {
		snprintf(why, sizeof(why),
			"The key was updated recently: Please wait and try again: Purge operation "
			"is allowed %lldh%lldm%llds after key is deleted",
			wait_s / 3600, wait_s / 60 % 60, wait_s % 60);
		return request_refuse(request, REFUSE_REQ_TOO_EARLY_ERR, why);
	}
	enum refusal refusal = destroy_answer(request);
	world_drop_key(request->world, key);
	request->key = NULL;
	return refusal;
}
