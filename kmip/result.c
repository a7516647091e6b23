/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/result.h"

struct result_row {
	uint32_t reason;
	uint32_t older_reason; /* for versions without that one */
	uint32_t newer_reason; /* from 2.0 on */
	const char *message; /* NULL: no row */
	bool is_alias;
};

static const struct result_row results[ERR_COUNT] = {
#define ROW(name, usual, older, newer, text, alias) \
	[ERR_##name] = { KMIP_RESULT_REASON_##usual, KMIP_RESULT_REASON_##older, \
		KMIP_RESULT_REASON_##newer, text, alias },
#define RESULT(name, usual, older, newer, text) ROW(name, usual, older, newer, text, false)
#define ALIAS(name, usual, older, newer, text) ROW(name, usual, older, newer, text, true)
#include "kmip/spec/result.def"
#undef RESULT
#undef ALIAS
#undef ROW
};

static uint32_t reason_of(const struct result_row *row, enum kmip_version version)
{
	if (version >= KMIP_2_0)
		return row->newer_reason;
	if (kmip_enum_is_known(KMIP_SET_RESULT_REASON, row->reason, version))
		return row->reason;
	return row->older_reason;
}

struct kmip_result kmip_result_of(enum err err, enum kmip_version version)
{
	struct kmip_result result = { .status = KMIP_RESULT_STATUS_OPERATION_FAILED,
		.reason = KMIP_RESULT_REASON_GENERAL_FAILURE,
		.message = "The server cannot do this now" };

	ASSERT(err < ERR_COUNT);
	if (err == ERR_OK)
		return (struct kmip_result){ KMIP_RESULT_STATUS_SUCCESS, 0, "" };
	if (err == ERR_UNDONE)
		return (struct kmip_result){ KMIP_RESULT_STATUS_OPERATION_UNDONE, 0, "" };
	if (results[err].message == NULL)
		return result;
	result.reason = reason_of(&results[err], version);
	result.message = results[err].message;
	return result;
}

void kmip_result_fill(struct kmip_response_item *item, enum err err, enum kmip_version version)
{
	struct kmip_result result = kmip_result_of(err, version);

	item->status = KMIP_UINT(result.status);
	if (result.reason == 0)
		return;
	item->reason = KMIP_UINT(result.reason);
	item->message = slice_text(result.message);
}

enum err kmip_result_err(uint32_t status, uint32_t reason)
{
	if (status == KMIP_RESULT_STATUS_SUCCESS)
		return ERR_OK;
	if (status == KMIP_RESULT_STATUS_OPERATION_PENDING)
		return ERR_AGAIN;
	if (status == KMIP_RESULT_STATUS_OPERATION_UNDONE)
		return ERR_UNDONE;
	for (size_t i = 0; i < ERR_COUNT; i++) {
		const struct result_row *row = &results[i];

		if (row->message == NULL)
			continue;
		if (row->newer_reason == reason && row->newer_reason != row->reason)
			return (enum err) i;
		if (row->reason == reason && !row->is_alias)
			return (enum err) i;
	}
	return ERR_UNAVAILABLE;
}
