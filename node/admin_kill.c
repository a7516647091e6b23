/* SPDX-License-Identifier: Apache-2.0 */
/* Commands of test builds only: where the keeper is to die, and work that is due once a day. */
#include "keystore/kill_point.h"
#include "node/admin_call.h"

void admin_kill_list(struct admin_call *call)
{
	cJSON *answer = cJSON_CreateObject();
	cJSON *list = cJSON_AddArrayToObject(answer, "points");
	for (enum kill_point point = KILL_NOWHERE + 1; point < KILL_POINT_COUNT; point++)
		cJSON_AddItemToArray(list, cJSON_CreateString(kill_point_name(point)));
	admin_answer(call, answer);
}

void admin_kill_arm(struct admin_call *call)
{
	const char *point = admin_text(call, "point");
	const cJSON *countdown = cJSON_GetObjectItem(call->question, "countdown");
	uint32_t passes = cJSON_IsNumber(countdown) ? (uint32_t) countdown->valueint : 0;
	if (point != NULL && kill_point_arm(keeper_keystore(call->keeper), point, passes) == ERR_OK)
		admin_answer(call, NULL);
	else
		admin_refuse(call, "there is no kill point of that name");
}

void admin_kill_compact(struct admin_call *call)
{
	if (keystore_compact(keeper_keystore(call->keeper)) == ERR_OK)
		admin_answer(call, NULL);
	else
		admin_refuse(call, "the ledger was not read yet");
}
