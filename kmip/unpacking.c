/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/unpacking.h"
#include <stdlib.h>
#include "base/secret.h"
#include "kmip/asymmetric.h"
#include "kmip/certificates.h"
#include "kmip/linking.h"
#include "kmip/making.h"
#include "kmip/packing.h"
#include "kmip/settling.h"
#include "kmip/stored.h"

/* ---- on the other thread ---- */

struct memory {
	struct buf packed;
	struct secret *password;
	struct pkcs12_found found;
	enum err err;
};

static void compute(void *ctx)
{
	struct memory *memory = ctx;

	memory->err = pkcs12_read(
		&memory->found, buf_slice(&memory->packed), secret_slice(memory->password));
}

static void memory_free(void *ctx)
{
	struct memory *memory = ctx;

	pkcs12_found_free(&memory->found);
	secret_free(memory->password);
	buf_free(&memory->packed);
	free(memory);
}

static enum err begin(struct kmip_item *item, struct slice packed, struct slice password)
{
	struct memory *memory = calloc(1, sizeof(*memory));
	enum err err;

	if (memory == NULL)
		return ERR_NOMEM;
	buf_init(&memory->packed, PKCS12_LEN_MAX);
	TRY(buf_append(&memory->packed, packed));
	TRY(secret_new(&memory->password, password));
	item->plan_memory = memory;
	item->free_memory = memory_free;
	item->compute = compute;
	item->computes_long = true;
	return ERR_AGAIN;
out:
	memory_free(memory);
	return err == ERR_LIMIT ? ERR_FIELD : err;
}

/* ---- what is opened ---- */

/* The bytes; empty: it is no PKCS #12, or wrapped, or of a version that has none. */
static struct slice packed_in(const struct kmip_item *item, const struct kmip_object *object)
{
	const struct kmip_key_block *block = kmip_object_key_block(object);

	if (object->private_key == NULL || block->wrapping_data != NULL ||
		block->format.value != KMIP_KEY_FORMAT_TYPE_PKCS_12 ||
		!kmip_enum_is_known(
			KMIP_SET_KEY_FORMAT_TYPE, KMIP_KEY_FORMAT_TYPE_PKCS_12, item->version))
		return SLICE_EMPTY;
	return block->value != NULL ? block->value->material : block->wrapped_value;
}

static bool read_link(
	struct kmip_link *out, const struct attribute_edits *edits, const struct object_edit *edit)
{
	struct slice name = slice_text(kmip_attribute_row(KMIP_ATTRIBUTE_LINK)->name);
	struct codec codec = { .arena = edits->arena, .version = KMIP_NEWEST };
	struct kmip_value value;

	return slice_equal(edit->name, name) && kmip_value_decode(&value, edit->value) == ERR_OK &&
	       kmip_value_read(out, &codec, &kmip_link_table, &value) == ERR_OK;
}

/* How many links of that type there are; *uid: where the last one leads. */
static size_t find_link(
	struct slice *uid, const struct attribute_edits *edits, enum kmip_link_type type)
{
	struct kmip_link link;
	size_t count = 0;

	for (size_t i = 0; i < edits->count; i++) {
		if (!read_link(&link, edits, &edits->items[i]) || link.type.value != type)
			continue;
		*uid = link.identifier;
		count++;
	}
	return count;
}

static enum err find_password(
	struct kmip_item *item, const struct attribute_edits *edits, struct slice *out)
{
	struct slice text;
	struct uid uid;
	enum err err;

	if (find_link(&text, edits, KMIP_LINK_TYPE_PKCS_12_PASSWORD_LINK) != 1) {
		item->complaint = slice_text("PKCS #12 takes one PKCS#12 Password Link");
		return ERR_FIELD;
	}
	if (uid_parse(&uid, text) != ERR_OK)
		return ERR_DENIED;
	TRY(packing_password(item, &uid, out));
out:
	return err;
}

static enum err complain(struct kmip_item *item, enum err err)
{
	switch (err) {
	case ERR_DENIED:
		item->complaint = slice_text("The PKCS #12 does not open under its password");
		return err;
	case ERR_LIMIT:
		item->complaint =
			slice_text("The PKCS #12 has more certificates, longer names or keys, or "
				   "more iterations than are read");
		return ERR_FIELD;
	case ERR_FEATURE:
		item->complaint = slice_text("The PKCS #12 has a cipher, key derivation or content "
					     "that is not read");
		return ERR_FIELD;
	case ERR_INVALID:
		item->complaint = slice_text("No PKCS #12 with a MAC, one private key and "
					     "certificates of that key");
		return ERR_FIELD;
	default:
		return err;
	}
}

/* ---- the key ---- */

/* In place of the block as it came: the client's words about the key stay, to be compared. */
static enum err open_key(struct kmip_item *item, struct kmip_object *object, const struct pkey *key)
{
	struct parts {
		struct kmip_private_key private_key;
		struct kmip_key_block block;
	} *parts = ARENA_NEW(item->arena, struct parts);
	struct asymmetric_form form = { .object_type = KMIP_OBJECT_TYPE_PRIVATE_KEY,
		.format = KMIP_KEY_FORMAT_TYPE_PKCS_8 };
	const struct kmip_key_block *came = kmip_object_key_block(object);
	int32_t bits = (int32_t) pkey_bits(key);
	enum err err = parts == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	parts->block = *came;
	parts->block.wrapped_value = SLICE_EMPTY;
	TRY(asymmetric_write(item, &parts->block, key, &form));
	if (came->value != NULL)
		parts->block.value->attributes = came->value->attributes;
	if (came->cryptographic_length_bits.has && came->cryptographic_length_bits.value != bits)
		TRY(ERR_FIELD);
	parts->block.cryptographic_length_bits = KMIP_INT(bits);
	parts->private_key.key_block = &parts->block;
	*object = (struct kmip_object){ .private_key = &parts->private_key };
out:
	return err;
}

static enum err name_key(struct attribute_edits *edits, struct slice found)
{
	const char *name = kmip_attribute_row(KMIP_ATTRIBUTE_PKCS_12_FRIENDLY_NAME)->name;
	struct kmip_value value = kmip_value_text(found);

	if (found.len == 0 || attribute_rules_has(edits, slice_text(name)))
		return ERR_OK;
	return attribute_rules_set(edits, KMIP_ATTRIBUTE_PKCS_12_FRIENDLY_NAME, &value);
}

/* ---- the certificates ---- */

static struct kmip_certificate certificate_of(struct slice der)
{
	return (struct kmip_certificate){ .type = KMIP_UINT(KMIP_CERTIFICATE_TYPE_X_509),
		.value = der };
}

/* All are described before the first is made. The key's own has the name, too. */
static enum err describe(struct kmip_item *item, struct unpacking *unpacking,
	const struct pkcs12_found *found, const struct kmip_value *name)
{
	enum err err = ERR_OK;

	for (size_t i = 0; i < found->certificate_count; i++) {
		struct attribute_edits *edits = &unpacking->certificates[i];
		struct kmip_certificate certificate;

		*edits = making_edits(item, KMIP_OBJECT_TYPE_CERTIFICATE);
		unpacking->ders[i] = arena_copy(item->arena, buf_slice(&found->certificates[i]));
		TRY(unpacking->ders[i].data == NULL ? ERR_NOMEM : ERR_OK);
		certificate = certificate_of(unpacking->ders[i]);
		TRY(certificates_describe(edits, &certificate));
		if (i == 0 && name != NULL)
			TRY(attribute_rules_set(edits, KMIP_ATTRIBUTE_PKCS_12_FRIENDLY_NAME, name));
	}
	unpacking->count = found->certificate_count;
out:
	return err;
}

enum err unpacking_open(
	struct kmip_item *item, struct attribute_edits *edits, struct unpacking *unpacking)
{
	struct slice packed = packed_in(item, &unpacking->object), password, certificate;
	const struct memory *memory = item->plan_memory;
	struct kmip_value name;
	bool is_named;
	enum err err;

	if (packed.len == 0)
		return ERR_OK;
	TRY(find_password(item, edits, &password));
	if (memory == NULL)
		return begin(item, packed, password);
	TRY(complain(item, memory->err));
	TRY(name_key(edits, buf_slice(&memory->found.friendly_name)));
	TRY(open_key(item, &unpacking->object, memory->found.key));
	is_named = attribute_rules_get(edits, KMIP_ATTRIBUTE_PKCS_12_FRIENDLY_NAME, &name);
	if (find_link(&certificate, edits, KMIP_LINK_TYPE_PKCS_12_CERTIFICATE_LINK) == 0)
		TRY(describe(item, unpacking, &memory->found, is_named ? &name : NULL));
out:
	return err;
}

/* ---- the effects: from the end of the chain to the key ---- */

static enum err make_certificate(struct kmip_item *item, const struct unpacking *unpacking)
{
	size_t i = unpacking->count - 1 - item->steps;
	struct attribute_edits edits = unpacking->certificates[i];
	struct kmip_certificate certificate = certificate_of(unpacking->ders[i]);
	struct kmip_object object = { .certificate = &certificate };
	enum err err;

	item_no_effect(item);
	edits.cap = edits.count; /* what is added is added once */
	if (item->steps > 0)
		TRY(linking_set(&edits, KMIP_LINK_TYPE_PKCS_12_CERTIFICATE_LINK,
			&item->made[item->steps - 1]));
	TRY(stored_write(item, &object));
	TRY(making_further_effect(item, &edits, unpacking->ders[i]));
	TRY(settling_withhold(item));
out:
	return err;
}

enum err unpacking_first(struct kmip_item *item, struct unpacking *unpacking)
{
	if (unpacking->count == 0)
		return ERR_OK;
	unpacking->create = item->create;
	unpacking->change = item->change;
	return make_certificate(item, unpacking);
}

enum err unpacking_next(struct kmip_item *item, const struct unpacking *unpacking)
{
	enum err err;

	if (item->steps < unpacking->count)
		return make_certificate(item, unpacking);
	item_no_effect(item);
	item->create = unpacking->create;
	item->change = unpacking->change;
	item->effect = KMIP_EFFECT_CREATE;
	TRY(linking_further(
		item, KMIP_LINK_TYPE_PKCS_12_CERTIFICATE_LINK, &item->made[unpacking->count - 1]));
	TRY(settling_withhold(item));
out:
	return err;
}
