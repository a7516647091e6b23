/* SPDX-License-Identifier: Apache-2.0 */
/* Import and Export (KMIP 1.4, sections 4.41 and 4.42): to and fro with all attributes, what is
 * replaced and what is not, wrapped keys, and what is refused. */
#include "served.h"

enum { UNSPECIFIED = KMIP_REVOCATION_REASON_CODE_UNSPECIFIED, LONG_AGO = 1000000000 };

static void start(struct served *served)
{
	served_start(served, false);
	served->version = KMIP_1_4;
}

static const struct kmip_export_response *exported(struct served *served, struct slice uid)
{
	return PAYLOAD(served, ONE(served, EXPORT, export, .unique_identifier = uid), export);
}

struct import {
	struct slice uid;
	bool replaces;
	uint32_t key_wrap_type; /* 0: not said */
};

static const struct kmip_response_item *import_as(
	struct served *served, const struct import *import, const struct kmip_export_response *what)
{
	struct kmip_uint wrap = { .has = import->key_wrap_type != 0,
		.value = import->key_wrap_type };

	return ONE(served, IMPORT, import, .unique_identifier = import->uid,
		.replace_existing = { .has = true, .value = import->replaces },
		.key_wrap_type = wrap,
		.attributes = { what->attributes.items, what->attributes.count },
		.object = what->object);
}

static const struct kmip_response_item *import(struct served *served, const char *uid,
	bool replaces, const struct kmip_export_response *what)
{
	return import_as(
		served, &(struct import){ .uid = slice_text(uid), .replaces = replaces }, what);
}

static struct slice imported(struct served *served, const struct kmip_response_item *item)
{
	return PAYLOAD(served, item, import)->unique_identifier;
}

static size_t located(struct served *served)
{
	return PAYLOAD(served, ONE(served, LOCATE, locate), locate)->unique_identifiers.count;
}

static struct slice material_of(struct served *served, struct slice uid)
{
	const struct kmip_get_response *got = PAYLOAD(served, served_get(served, uid), get);

	return got->object.symmetric_key->key_block->value->material;
}

static bool is_own(const struct kmip_attribute *attribute)
{
	return slice_equal_text(attribute->name, "Unique Identifier") ||
	       slice_equal_text(attribute->name, "Last Change Date") ||
	       slice_equal_text(attribute->name, "y-Imported Identifier");
}

static bool value_equal(
	struct served *served, const struct kmip_value *a, const struct kmip_value *b)
{
	struct slice left, right;

	cr_assert_eq(kmip_value_encode(&left, served->arena, a), ERR_OK);
	cr_assert_eq(kmip_value_encode(&right, served->arena, b), ERR_OK);
	return slice_equal(left, right);
}

/* Every attribute of the one is the other's. */
static void assert_same(struct served *served, const struct kmip_export_response *a,
	const struct kmip_export_response *b)
{
	for (size_t i = 0; i < a->attributes.count; i++) {
		const struct kmip_attribute *one = &a->attributes.items[i];
		bool found = is_own(one);

		for (size_t j = 0; j < b->attributes.count; j++) {
			const struct kmip_attribute *other = &b->attributes.items[j];

			found |= slice_equal(one->name, other->name) &&
				 value_equal(served, &one->value, &other->value);
		}
		cr_assert(found, "%.*s", (int) one->name.len, (const char *) one->name.data);
	}
}

/* What was exported comes back after the original's end: bytes, state, dates, names, tags. */
Test(op_import, to_and_fro)
{
	struct served served = { 0 };
	struct kmip_attribute attributes[4] = {
		text_of("x-tag", "one"),
		text_of("x-tag", "two"),
		attribute_of("Activation Date", kmip_value_date(LONG_AGO)),
	};
	const struct kmip_export_response *before, *after;
	struct slice uid, again;

	start(&served);
	attributes[3] = name_of(&served, "a name");
	uid = served_key_with(&served, attributes, 4);
	assert_success(served_revoke(&served, uid, KMIP_REVOCATION_REASON_CODE_KEY_COMPROMISE));
	before = exported(&served, uid);
	cr_assert_eq(before->object_type.value, KMIP_OBJECT_TYPE_SYMMETRIC_KEY);
	assert_success(served_destroy(&served, uid));
	again = imported(&served, import_as(&served, &(struct import){ .uid = uid }, before));
	cr_assert_not(slice_equal(uid, again));
	after = exported(&served, again);
	assert_same(&served, before, after);
	assert_same(&served, after, before);
	assert_bytes(after->object.symmetric_key->key_block->value->material,
		before->object.symmetric_key->key_block->value->material);
	cr_assert_eq(served_state(&served, again), KMIP_STATE_COMPROMISED);
	assert_bytes(served_value(&served, again, "y-Imported Identifier").bytes, uid);
	served_stop(&served);
}

/* Of a destroyed object the attributes; of an archived or sensitive one nothing. */
Test(op_import, export_of_others)
{
	struct served served = { 0 };
	struct kmip_attribute sensitive = attribute_of("Sensitive", kmip_value_boolean(true));
	const struct kmip_export_response *told;
	struct slice uid;

	start(&served);
	uid = served_key(&served);
	assert_success(ONE(&served, ARCHIVE, archive, .unique_identifier = uid));
	assert_reason(ONE(&served, EXPORT, export, .unique_identifier = uid), OBJECT_ARCHIVED);
	assert_success(ONE(&served, RECOVER, recover, .unique_identifier = uid));
	assert_success(served_destroy(&served, uid));
	told = exported(&served, uid);
	cr_assert_eq(kmip_object_type(&told->object), 0);
	cr_assert(told->attributes.count > 5);
	uid = served_key_with(&served, &sensitive, 1);
	assert_reason(ONE(&served, EXPORT, export, .unique_identifier = uid), SENSITIVE);
	assert_reason(
		ONE(&served, EXPORT, export, .unique_identifier = slice_text("x")), ITEM_NOT_FOUND);
	served.version = KMIP_1_3;
	assert_reason(
		ONE(&served, EXPORT, export, .unique_identifier = uid), OPERATION_NOT_SUPPORTED);
	served_stop(&served);
}

/* The identifier of a live object, ours or the one that it was imported by. */
Test(op_import, exists)
{
	struct served served = { 0 };
	const struct kmip_export_response *what;
	struct slice uid, other;

	start(&served);
	uid = served_key(&served);
	what = exported(&served, uid);
	assert_reason(
		import_as(&served, &(struct import){ .uid = uid }, what), OBJECT_ALREADY_EXISTS);
	other = imported(&served, import(&served, "their key 1", false, what));
	assert_reason(import(&served, "their key 1", false, what), OBJECT_ALREADY_EXISTS);
	assert_success(import(&served, "their key 2", false, what));
	assert_success(served_destroy(&served, other));
	assert_success(import(&served, "their key 1", false, what));
	assert_success(served_get(&served, uid));
	served_stop(&served);
}

/* The old one ends, and its name is the new one's. */
Test(op_import, replaces)
{
	struct served served = { 0 };
	const struct kmip_export_response *what;
	struct kmip_attribute name;
	struct slice uid, new;

	start(&served);
	name = name_of(&served, "the name");
	uid = served_key_with(&served, &name, 1);
	what = exported(&served, uid);
	assert_reason(
		import(&served, "another", false, what), INVALID_FIELD); /* the name is taken */
	new = imported(&served,
		import_as(&served, &(struct import){ .uid = uid, .replaces = true }, what));
	cr_assert_eq(served_state(&served, uid), KMIP_STATE_DESTROYED);
	assert_bytes(
		material_of(&served, new), what->object.symmetric_key->key_block->value->material);
	cr_assert_eq(located(&served), 1);
	/* By the identifier that the client knows it by. */
	assert_success(import_as(&served, &(struct import){ .uid = uid, .replaces = true }, what));
	cr_assert_eq(served_state(&served, new), KMIP_STATE_DESTROYED);
	cr_assert_eq(located(&served), 1);
	/* Nothing is there to be replaced. */
	assert_reason(import(&served, "nobody's", true, what), INVALID_FIELD);
	served_stop(&served);
}

/* What could not be destroyed is not replaced: active, archived. */
Test(op_import, does_not_replace)
{
	struct served served = { 0 };
	const struct kmip_export_response *what;
	struct slice uid;
	struct import import = { .replaces = true };

	start(&served);
	uid = import.uid = served_key(&served);
	what = exported(&served, uid);
	assert_success(ONE(&served, ARCHIVE, archive, .unique_identifier = uid));
	assert_reason(import_as(&served, &import, what), OBJECT_ARCHIVED);
	assert_success(ONE(&served, RECOVER, recover, .unique_identifier = uid));
	assert_success(served_activate(&served, uid));
	assert_reason(import_as(&served, &import, what), PERMISSION_DENIED);
	assert_success(served_get(&served, uid));
	cr_assert_eq(located(&served), 1);
	served_stop(&served);
}

/* The key manager fails at any step, the ledger record among them: the old one is as it was, with
 * its name, and nothing new is left. */
Test(op_import, replaces_or_not)
{
	static const struct fake_fault faults[] = { { .call = FAKE_CREATE },
		{ .call = FAKE_CREATE, .countdown = 1 }, { .call = FAKE_DELETE } };
	struct served served = { 0 };
	const struct kmip_export_response *what;
	struct kmip_attribute name;
	struct slice uid;
	struct import import = { .replaces = true };

	start(&served);
	name = name_of(&served, "the name");
	uid = import.uid = served_key_with(&served, &name, 1);
	what = exported(&served, uid);
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct fake_fault fault = faults[i];

		fault.repeat = 1;
		fault.err = ERR_REFUSED;
		fake_service_fault(&served.store->service, fault);
		assert_reason(import_as(&served, &import, what), GENERAL_FAILURE);
		assert_success(served_get(&served, uid));
		cr_assert_neq(served_value(&served, uid, "Name").type, KMIP_TYPE_ANY);
		cr_assert_eq(located(&served), 1);
	}
	assert_success(import_as(&served, &import, what));
	cr_assert_eq(located(&served), 1);
	served_stop(&served);
}

/* ---- wrapped ---- */

enum { MODES_COUNT = 2 };

static const uint32_t modes[MODES_COUNT] = { KMIP_BLOCK_CIPHER_MODE_NISTKEYWRAP,
	KMIP_BLOCK_CIPHER_MODE_GCM };

/* It wraps in each of the modes. */
static struct slice wrapping_key(struct served *served)
{
	enum { WRAP_AND_UNWRAP = 0x30 };
	struct kmip_attribute attributes[4 + MODES_COUNT] = {
		attribute_of("Cryptographic Algorithm",
			kmip_value_enum(KMIP_CRYPTOGRAPHIC_ALGORITHM_AES)),
		attribute_of("Cryptographic Length", kmip_value_integer(256)),
		attribute_of("Cryptographic Usage Mask", kmip_value_integer(WRAP_AND_UNWRAP)),
		attribute_of("Activation Date", kmip_value_date(LONG_AGO)),
	};
	struct kmip_template_attribute template = { .attributes = { attributes, 4 + MODES_COUNT } };

	for (size_t i = 0; i < MODES_COUNT; i++) {
		struct kmip_cryptographic_parameters mode = { .block_cipher_mode =
								      KMIP_UINT(modes[i]) };
		struct kmip_value value;

		cr_assert_eq(kmip_value_write(&value, served->arena,
				     &kmip_cryptographic_parameters_table, &mode),
			ERR_OK);
		attributes[4 + i] = attribute_of("Cryptographic Parameters", value);
	}
	return PAYLOAD(served,
		ONE(served, CREATE, create,
			.object_type = KMIP_UINT(KMIP_OBJECT_TYPE_SYMMETRIC_KEY),
			.template_attribute = &template),
		create)
		->unique_identifier;
}

static const struct kmip_export_response *export_wrapped(
	struct served *served, struct slice uid, struct slice by, uint32_t mode, uint32_t encoding)
{
	struct kmip_cryptographic_parameters parameters = { .block_cipher_mode = KMIP_UINT(mode) };
	struct kmip_key_information information = { .unique_identifier = by,
		.cryptographic_parameters = &parameters };
	struct kmip_key_wrapping_specification wrapping = {
		.wrapping_method = KMIP_UINT(KMIP_WRAPPING_METHOD_ENCRYPT),
		.encryption_key = &information,
		.encoding_option = KMIP_UINT(encoding),
	};

	return PAYLOAD(served,
		ONE(served, EXPORT, export, .unique_identifier = uid, .wrapping = &wrapping),
		export);
}

Test(op_import, wrapped)
{
	struct served served = { 0 };
	const struct kmip_export_response *what;
	struct slice key, by, open, kept;
	struct import import = { .uid = SLICE_LITERAL("wrapped") };

	start(&served);
	key = served_key(&served);
	by = wrapping_key(&served);
	for (size_t i = 0; i < 4; i++) {
		what = export_wrapped(&served, key, by, modes[i % 2],
			i < 2 ? KMIP_ENCODING_OPTION_NO_ENCODING
			      : KMIP_ENCODING_OPTION_TTLV_ENCODING);
		import.key_wrap_type = KMIP_KEY_WRAP_TYPE_NOT_WRAPPED;
		open = imported(&served, import_as(&served, &import, what));
		assert_bytes(material_of(&served, open), material_of(&served, key));
		assert_success(served_destroy(&served, open));
		import.key_wrap_type = KMIP_KEY_WRAP_TYPE_AS_REGISTERED;
		kept = imported(&served, import_as(&served, &import, what));
		cr_assert_not_null(PAYLOAD(&served, served_get(&served, kept), get)
					   ->object.symmetric_key->key_block->wrapping_data);
		assert_success(served_destroy(&served, kept));
	}
	served_stop(&served);
}

/* No such key, one that may not, one that does not fit, altered bytes. */
Test(op_import, wrapped_wrongly)
{
	struct served served = { 0 };
	const struct kmip_export_response *what;
	struct kmip_key_wrapping_data *data;
	struct kmip_key_block *block;
	struct slice key, by;
	struct import import = { .uid = SLICE_LITERAL("wrapped"),
		.key_wrap_type = KMIP_KEY_WRAP_TYPE_NOT_WRAPPED };

	start(&served);
	key = served_key(&served);
	by = wrapping_key(&served);
	what = export_wrapped(&served, key, by, KMIP_BLOCK_CIPHER_MODE_NISTKEYWRAP,
		KMIP_ENCODING_OPTION_NO_ENCODING);
	block = what->object.symmetric_key->key_block;
	data = block->wrapping_data;
	data->encryption_key->unique_identifier = wrapping_key(&served);
	assert_reason(import_as(&served, &import, what), CRYPTOGRAPHIC_FAILURE);
	data->encryption_key->unique_identifier = key;
	assert_success(served_activate(&served, key));
	assert_reason(import_as(&served, &import, what), PERMISSION_DENIED);
	data->encryption_key->unique_identifier = slice_text("x");
	assert_reason(import_as(&served, &import, what), ITEM_NOT_FOUND);
	data->encryption_key->unique_identifier = by;
	((uint8_t *) block->wrapped_value.data)[9] ^= 1;
	assert_reason(import_as(&served, &import, what), CRYPTOGRAPHIC_FAILURE);
	((uint8_t *) block->wrapped_value.data)[9] ^= 1;
	/* Bytes that open, but are no Key Value. */
	data->encoding_option = KMIP_UINT(KMIP_ENCODING_OPTION_TTLV_ENCODING);
	assert_reason(import_as(&served, &import, what), CRYPTOGRAPHIC_FAILURE);
	data->encoding_option = KMIP_UINT(KMIP_ENCODING_OPTION_NO_ENCODING);
	assert_success(import_as(&served, &import, what));
	assert_success(served_revoke(&served, by, UNSPECIFIED));
	served_stop(&served);
}

/* ---- attributes that are not taken ---- */

static const struct kmip_response_item *import_with(struct served *served,
	const struct kmip_export_response *what, struct kmip_attribute attribute)
{
	struct kmip_export_response more = *what;
	struct kmip_attribute items[64];

	cr_assert(what->attributes.count < 64);
	for (size_t i = 0; i < what->attributes.count; i++)
		items[i] = what->attributes.items[i];
	items[what->attributes.count] = attribute;
	more.attributes.items = items;
	more.attributes.count++;
	return import(served, "theirs", false, &more);
}

Test(op_import, refusals)
{
	struct served served = { 0 };
	const struct kmip_export_response *what;
	struct kmip_export_response some;
	struct kmip_attribute one;

	start(&served);
	what = exported(&served, served_key(&served));
	assert_reason(import(&served, "", false, what), INVALID_FIELD);
	assert_reason(
		import_with(&served, what,
			attribute_of("Object Type", kmip_value_enum(KMIP_OBJECT_TYPE_SECRET_DATA))),
		INVALID_FIELD);
	assert_reason(import_with(&served, what,
			      attribute_of("Cryptographic Length", kmip_value_integer(256))),
		INDEX_OUT_OF_BOUNDS);
	assert_reason(import_with(&served, what,
			      attribute_of("Cryptographic Usage Mask", kmip_value_integer(4))),
		INDEX_OUT_OF_BOUNDS);
	assert_reason(import_with(&served, what, attribute_of("Destroy Date", kmip_value_date(1))),
		INVALID_FIELD);
	/* It is said to be Pre-Active. */
	assert_reason(import_with(&served, what,
			      attribute_of("Activation Date", kmip_value_date(LONG_AGO))),
		INVALID_FIELD);
	assert_reason(import_with(&served, what,
			      attribute_of("Compromise Date", kmip_value_date(LONG_AGO))),
		INVALID_FIELD);
	assert_success(import_with(&served, what, text_of("y-theirs", "kept")));
	/* Nothing but a state. */
	some = *what;
	some.attributes.items = &one;
	some.attributes.count = 1;
	one = attribute_of("State", kmip_value_enum(KMIP_STATE_DESTROYED));
	assert_reason(import(&served, "destroyed", false, &some), INVALID_FIELD);
	one = attribute_of("State", kmip_value_enum(KMIP_STATE_ACTIVE));
	cr_assert_eq(
		served_state(&served, imported(&served, import(&served, "active", false, &some))),
		KMIP_STATE_ACTIVE);
	one = attribute_of("State", kmip_value_enum(KMIP_STATE_DEACTIVATED));
	cr_assert_eq(
		served_state(&served, imported(&served, import(&served, "over", false, &some))),
		KMIP_STATE_DEACTIVATED);
	served_stop(&served);
}
