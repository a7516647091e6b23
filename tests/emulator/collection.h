/* SPDX-License-Identifier: Apache-2.0 */
/* Pages of a collection that is not of keys: limit, offset, totalCount, the envelope. */
#ifndef EMULATOR_COLLECTION_H
#define EMULATOR_COLLECTION_H

#include "tests/emulator/request.h"

struct collection {
	const char *type;
	size_t limit_default, limit_max;
};

/* Judges limit, offset and totalCount. */
enum refusal collection_check(struct request *request, const struct collection *collection);
/* Answers with the page that was asked for; takes the array over. */
enum refusal collection_answer(
	struct request *request, const struct collection *collection, cJSON *all);

#endif
