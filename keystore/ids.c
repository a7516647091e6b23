/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/ids.h"

enum err uid_parse(struct uid *out, struct slice text)
{
	if (!text_is_uuid(text))
		return ERR_INVALID;
	return text_uuid_bytes(out->bytes, text);
}

void uid_text(char out[UUID_TEXT_LEN + 1], const struct uid *uid)
{
	text_uuid_from_bytes(out, uid->bytes);
}

bool uid_equal(const struct uid *a, const struct uid *b)
{
	return slice_equal(
		slice_of(a->bytes, sizeof(a->bytes)), slice_of(b->bytes, sizeof(b->bytes)));
}

static bool is_id_character(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

enum err instance_id_parse(struct instance_id *out, struct slice text)
{
	if (text.len < INSTANCE_ID_LEN_MIN || text.len > INSTANCE_ID_LEN_MAX)
		return ERR_INVALID;
	for (size_t i = 0; i < text.len; i++)
		if (!is_id_character(text.data[i]))
			return ERR_INVALID;
	bytes_zero(out->text, sizeof(out->text));
	bytes_copy(out->text, text.data, text.len);
	return ERR_OK;
}

bool instance_id_equal(const struct instance_id *a, const struct instance_id *b)
{
	return slice_equal(slice_of(a->text, sizeof(a->text)), slice_of(b->text, sizeof(b->text)));
}

struct slice instance_id_slice(const struct instance_id *id)
{
	return slice_text(id->text);
}

bool fingerprint_equal(const struct fingerprint *a, const struct fingerprint *b)
{
	return slice_equal(
		slice_of(a->bytes, sizeof(a->bytes)), slice_of(b->bytes, sizeof(b->bytes)));
}
