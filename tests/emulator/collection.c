/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/emulator/collection.h"

#include <stdio.h>

#include "tests/emulator/list.h"

struct page {
	uint64_t limit, offset;
};

static bool parse(uint64_t *out, const char *text, uint64_t min, uint64_t max)
{
	return text_u64(out, slice_text(text), max) == ERR_OK && *out >= min;
}

static enum refusal page_of(
	struct page *out, struct request *request, const struct collection *collection)
{
	const char *limit = request_param(request, "limit");
	const char *offset = request_param(request, "offset");
	char must[80];

	*out = (struct page){ .limit = collection->limit_default };
	if (limit != NULL && !parse(&out->limit, limit, 1, collection->limit_max)) {
		snprintf(must, sizeof(must), "an integer between 1 and %zu (inclusive)",
			collection->limit_max);
		return request_bad_param(request, "limit", must);
	}
	if (offset != NULL && !parse(&out->offset, offset, 0, INT32_MAX))
		return request_bad_param(
			request, "offset", "an integer greater than or equal to 0");
	return REFUSE_NOTHING;
}

enum refusal collection_check(struct request *request, const struct collection *collection)
{
	const char *total = request_param(request, "totalCount");
	struct page page;
	bool value = false;

	if (total != NULL && !list_parse_bool(&value, total))
		return request_bad_param(request, "totalCount", "a boolean");
	return page_of(&page, request, collection);
}

enum refusal collection_answer(
	struct request *request, const struct collection *collection, cJSON *all)
{
	struct page page;
	enum refusal refusal = page_of(&page, request, collection);
	int total = cJSON_GetArraySize(all);

	if (refusal != REFUSE_NOTHING) {
		cJSON_Delete(all);
		return refusal;
	}
	for (uint64_t i = 0; i < page.offset && all->child != NULL; i++)
		cJSON_DeleteItemFromArray(all, 0);
	while ((uint64_t) cJSON_GetArraySize(all) > page.limit)
		cJSON_DeleteItemFromArray(all, cJSON_GetArraySize(all) - 1);
	cJSON *envelope = key_envelope(collection->type, all);
	if (request_param_is_true(request, "totalCount"))
		cJSON_AddNumberToObject(
			cJSON_GetObjectItem(envelope, "metadata"), "totalCount", total);
	return request_answer(request, 200, envelope);
}
