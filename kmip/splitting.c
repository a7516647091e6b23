/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/splitting.h"

enum { SIGN_BIT = 0x80 };

static enum err method_of(enum sharing_method *out, uint32_t method)
{
	switch (method) {
	case KMIP_SPLIT_KEY_METHOD_XOR:
		*out = SHARING_XOR;
		return ERR_OK;
	case KMIP_SPLIT_KEY_METHOD_POLYNOMIAL_SHARING_GF_2_16:
		*out = SHARING_GF_2_16;
		return ERR_OK;
	case KMIP_SPLIT_KEY_METHOD_POLYNOMIAL_SHARING_PRIME_FIELD:
		*out = SHARING_PRIME;
		return ERR_OK;
	case KMIP_SPLIT_KEY_METHOD_POLYNOMIAL_SHARING_GF_2_8:
		*out = SHARING_GF_2_8;
		return ERR_OK;
	default:
		return ERR_FIELD;
	}
}

enum err splitting_method(struct sharing *out, const struct kmip_split_key *form)
{
	struct slice prime = form->prime_field_size;
	enum err err;

	*out = (struct sharing){ 0 };
	TRY(method_of(&out->method, form->method.value));
	if (form->parts.value <= 0 || form->threshold.value <= 0)
		TRY(ERR_FIELD);
	out->parts = (uint32_t) form->parts.value;
	out->threshold = (uint32_t) form->threshold.value;
	if (out->method != SHARING_PRIME)
		return ERR_OK;
	if (prime.len == 0 || (prime.data[0] & SIGN_BIT) != 0)
		TRY(ERR_FIELD);
	while (prime.len > 0 && prime.data[0] == 0)
		prime = slice_cut(prime, 1, SIZE_MAX);
	out->prime = prime;
out:
	return err;
}

enum err splitting_note(
	struct attribute_edits *edits, const char *name, const struct kmip_value *value)
{
	return attribute_rules_keep(edits, kmip_attribute_row(KMIP_ATTRIBUTE_CUSTOM_ATTRIBUTE),
		slice_text(name), value);
}

/* What was imported may have such a name, and any type. */
static bool noted(
	const struct object *object, const char *name, enum kmip_type type, struct kmip_value *out)
{
	const struct object_attribute *found = object_attribute_find(object, slice_text(name), 0);

	return found != NULL && kmip_value_decode(out, found->value) == ERR_OK && out->type == type;
}

bool splitting_noted_name(const struct object *object, struct slice *out)
{
	struct kmip_value value;
	bool is_noted = noted(object, SPLITTING_NAME, KMIP_TYPE_TEXT_STRING, &value);

	*out = is_noted ? value.bytes : SLICE_EMPTY;
	return is_noted;
}

size_t splitting_noted_length(const struct object *object)
{
	struct kmip_value value;

	if (!noted(object, SPLITTING_LENGTH, KMIP_TYPE_INTEGER, &value) || value.integer < 0)
		return 0;
	return (size_t) value.integer;
}

/* Sensitive and Extractable exist since 1.4, but hold for every client. */
static enum err keep_secret(struct attribute_edits *edits, const struct object *from,
	enum kmip_attribute_id id, bool secret)
{
	struct kmip_attribute attribute = { .name = slice_text(kmip_attribute_row(id)->name),
		.value = kmip_value_boolean(secret) };
	enum kmip_version version = edits->version;
	struct kmip_value value;
	enum err err = ERR_OK;

	if (!object_attributes_stored(from, id, &value) || value.boolean != secret)
		return ERR_OK;
	if (attribute_rules_get(edits, id, &value))
		return value.boolean == secret ? ERR_OK : ERR_FIELD;
	edits->version = KMIP_1_4;
	err = attribute_rules_make(edits, &attribute, 1);
	edits->version = version;
	return err;
}

enum err splitting_hand_on(struct attribute_edits *edits, const struct object *from)
{
	enum kmip_attribute_id mask = KMIP_ATTRIBUTE_CRYPTOGRAPHIC_USAGE_MASK;
	struct kmip_value value;
	enum err err;

	TRY(keep_secret(edits, from, KMIP_ATTRIBUTE_SENSITIVE, true));
	TRY(keep_secret(edits, from, KMIP_ATTRIBUTE_EXTRACTABLE, false));
	if (edits->key.algorithm == 0 &&
		object_attributes_stored(from, KMIP_ATTRIBUTE_CRYPTOGRAPHIC_ALGORITHM, &value))
		edits->key.algorithm = value.u32;
	if (edits->key.length_bits == 0 &&
		object_attributes_stored(from, KMIP_ATTRIBUTE_CRYPTOGRAPHIC_LENGTH, &value))
		edits->key.length_bits = value.integer;
	if (!attribute_rules_has(edits, slice_text(kmip_attribute_row(mask)->name)) &&
		object_attributes_stored(from, mask, &value))
		TRY(attribute_rules_set(edits, mask, &value));
out:
	return err;
}
