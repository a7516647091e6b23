/* SPDX-License-Identifier: Apache-2.0 */
/* Poll (KMIP 1.4, section 4.28): the answer is that of the item that it asks for. */
#include "kmip/later.h"
#include "kmip/operations.h"

enum err op_poll_plan(struct kmip_item *item)
{
	const struct kmip_poll_request *request = item->request;
	struct later_answer *answer = ARENA_NEW(item->arena, struct later_answer);
	enum err err;

	TRY(answer == NULL ? ERR_NOMEM : ERR_OK);
	TRY(item->laters == NULL ? ERR_AGAIN : ERR_OK); /* the keeper's */
	TRY(laters_poll(answer, item->laters, item->identity, request->correlation_value));
	item->polled = answer;
out:
	return err;
}
