/* SPDX-License-Identifier: Apache-2.0 */
/* Create Split Key and Join Split Key (KMIP 1.4, sections 4.38 and 4.39): to and fro by every
 * method, the links, and every set of parts that gives no key. */
#include "served.h"

enum { PARTS = 4, THRESHOLD = 3 };

/* 2^521 - 1: above a key of 512 bits. */
static const uint8_t prime[72] = { [6] = 1, [7 ... 71] = 255 };

struct split {
	int32_t parts, threshold;
	uint32_t method;
	struct slice prime;
};

static const struct split usual = { PARTS, THRESHOLD,
	KMIP_SPLIT_KEY_METHOD_POLYNOMIAL_SHARING_GF_2_8, { NULL, 0 } };

static const struct split every[] = {
	{ PARTS, PARTS, KMIP_SPLIT_KEY_METHOD_XOR, { NULL, 0 } },
	{ PARTS, THRESHOLD, KMIP_SPLIT_KEY_METHOD_POLYNOMIAL_SHARING_GF_2_16, { NULL, 0 } },
	{ PARTS, THRESHOLD, KMIP_SPLIT_KEY_METHOD_POLYNOMIAL_SHARING_PRIME_FIELD,
		{ prime, sizeof(prime) } },
	{ PARTS, THRESHOLD, KMIP_SPLIT_KEY_METHOD_POLYNOMIAL_SHARING_GF_2_8, { NULL, 0 } },
};

static void start(struct served *served)
{
	served_start(served, false);
	served->version = KMIP_1_4;
}

static const struct kmip_response_item *split_with(struct served *served, struct slice base,
	const struct split *split, const struct kmip_attribute *attributes, size_t count)
{
	struct kmip_template_attribute template = {
		.attributes = { (struct kmip_attribute *) attributes, count }
	};

	return ONE(served, CREATE_SPLIT_KEY, create_split_key,
		.object_type = KMIP_UINT(KMIP_OBJECT_TYPE_SPLIT_KEY), .unique_identifier = base,
		.parts = KMIP_INT(split->parts), .threshold = KMIP_INT(split->threshold),
		.method = KMIP_UINT(split->method), .prime_field_size = split->prime,
		.template_attribute = &template);
}

static const struct kmip_response_item *split(
	struct served *served, struct slice base, const struct split *how)
{
	return split_with(served, base, how, NULL, 0);
}

static struct slice *parts_of(struct served *served, const struct kmip_response_item *item)
{
	const struct kmip_create_split_key_response *response =
		PAYLOAD(served, item, create_split_key);

	cr_assert_eq(response->unique_identifiers.count, PARTS);
	return response->unique_identifiers.items;
}

static const struct kmip_response_item *join(
	struct served *served, uint32_t type, struct slice *uids, size_t count)
{
	struct kmip_uint data_type = { .has = type == KMIP_OBJECT_TYPE_SECRET_DATA,
		.value = KMIP_SECRET_DATA_TYPE_PASSWORD };

	return ONE(served, JOIN_SPLIT_KEY, join_split_key, .object_type = KMIP_UINT(type),
		.unique_identifiers = { uids, count }, .secret_data_type = data_type);
}

static const struct kmip_response_item *join_key(
	struct served *served, struct slice *uids, size_t count)
{
	return join(served, KMIP_OBJECT_TYPE_SYMMETRIC_KEY, uids, count);
}

static struct slice joined_uid(struct served *served, const struct kmip_response_item *item)
{
	return PAYLOAD(served, item, join_split_key)->unique_identifier;
}

static const struct kmip_object *object_of(struct served *served, struct slice uid)
{
	return &PAYLOAD(served, served_get(served, uid), get)->object;
}

static struct slice material_of(struct served *served, struct slice uid)
{
	return object_of(served, uid)->symmetric_key->key_block->value->material;
}

/* A secret or private key with that material. */
static struct slice registered(struct served *served, uint32_t type, uint32_t format,
	struct slice material, const struct kmip_attribute *more)
{
	struct kmip_attribute attributes[2] = {
		attribute_of("Cryptographic Usage Mask", kmip_value_integer(1)),
	};
	struct kmip_template_attribute template = { .attributes = { attributes, 1 } };
	struct kmip_key_value value = { .material = material };
	struct kmip_key_block block = { .value = &value, .format = KMIP_UINT(format) };
	struct kmip_private_key key = { .key_block = &block };
	struct kmip_secret_data data = { .type = KMIP_UINT(KMIP_SECRET_DATA_TYPE_PASSWORD),
		.key_block = &block };
	struct kmip_object object = { 0 };

	if (more != NULL)
		attributes[template.attributes.count++] = *more;
	if (type == KMIP_OBJECT_TYPE_PRIVATE_KEY) {
		block.cryptographic_algorithm = KMIP_UINT(KMIP_CRYPTOGRAPHIC_ALGORITHM_ECDSA);
		block.cryptographic_length_bits = KMIP_INT(256);
		object.private_key = &key;
	} else {
		object.secret_data = &data;
	}
	return PAYLOAD(served,
		ONE(served, REGISTER, register, .object_type = KMIP_UINT(type),
			.template_attribute = &template, .object = object),
		register)
		->unique_identifier;
}

static bool has_link(struct served *served, struct slice uid, uint32_t type, struct slice to)
{
	struct codec codec = { .arena = served->arena, .version = KMIP_1_4 };
	struct slice names[] = { SLICE_LITERAL("Link") };
	const struct kmip_get_attributes_response *response = PAYLOAD(served,
		ONE(served, GET_ATTRIBUTES, get_attributes, .unique_identifier = uid,
			.attribute_names = { names, 1 }),
		get_attributes);

	for (size_t i = 0; i < response->attributes.count; i++) {
		struct kmip_link link;

		cr_assert_eq(kmip_value_read(&link, &codec, &kmip_link_table,
				     &response->attributes.items[i].value),
			ERR_OK);
		if (link.type.value == type && slice_equal(link.identifier, to))
			return true;
	}
	return false;
}

/* Every method, every start among the parts, backwards; with one more part, too. */
Test(op_split_key, to_and_fro)
{
	struct served served = { 0 };
	struct slice key, *parts, some[PARTS];

	start(&served);
	key = served_key(&served);
	for (size_t i = 0; i < sizeof(every) / sizeof(every[0]); i++) {
		size_t threshold = (size_t) every[i].threshold;

		served.record_count = 0;
		parts = parts_of(&served, split(&served, key, &every[i]));
		for (size_t from = 0; from < PARTS; from++) {
			for (size_t j = 0; j < PARTS; j++)
				some[j] = parts[(from + PARTS - j) % PARTS];
			assert_bytes(
				material_of(&served,
					joined_uid(&served, join_key(&served, some, threshold))),
				material_of(&served, key));
		}
		assert_bytes(
			material_of(&served, joined_uid(&served, join_key(&served, some, PARTS))),
			material_of(&served, key));
		assert_reason(join_key(&served, some, threshold - 1), CRYPTOGRAPHIC_FAILURE);
	}
	served_stop(&served);
}

/* Each part: its numbers, its neighbours, the key's algorithm and mask, no Digest. */
Test(op_split_key, parts)
{
	struct served served = { 0 };
	const struct kmip_split_key *form;
	struct slice key, *parts;

	start(&served);
	key = served_key(&served);
	parts = parts_of(&served, split(&served, key, &usual));
	for (size_t i = 0; i < PARTS; i++) {
		form = object_of(&served, parts[i])->split_key;
		cr_assert_eq(form->part_identifier.value, (int32_t) i + 1);
		cr_assert_eq(form->parts.value, PARTS);
		cr_assert_eq(form->threshold.value, THRESHOLD);
		cr_assert_eq(form->method.value, usual.method);
		cr_assert_eq(form->key_block->value->material.len, 32);
		cr_assert(has_link(&served, parts[i], KMIP_LINK_TYPE_PARENT_LINK, key));
		if (i > 0) {
			cr_assert(has_link(
				&served, parts[i], KMIP_LINK_TYPE_PREVIOUS_LINK, parts[i - 1]));
			cr_assert(has_link(
				&served, parts[i - 1], KMIP_LINK_TYPE_NEXT_LINK, parts[i]));
		}
		cr_assert_eq(served_value(&served, parts[i], "Digest").type, KMIP_TYPE_ANY);
		cr_assert_eq(served_value(&served, parts[i], "Cryptographic Length").integer, 256);
		cr_assert_eq(
			served_value(&served, parts[i], "Cryptographic Usage Mask").integer, 12);
		cr_assert_eq(served_state(&served, parts[i]), KMIP_STATE_PRE_ACTIVE);
	}
	served_stop(&served);
}

/* A key that is nowhere but in its parts. */
Test(op_split_key, new_key)
{
	struct served served = { 0 };
	struct kmip_attribute attributes[] = {
		attribute_of("Cryptographic Algorithm",
			kmip_value_enum(KMIP_CRYPTOGRAPHIC_ALGORITHM_AES)),
		attribute_of("Cryptographic Length", kmip_value_integer(128)),
		attribute_of("Cryptographic Usage Mask", kmip_value_integer(12)),
	};
	struct slice one, other, *parts;

	start(&served);
	parts = parts_of(&served, split_with(&served, SLICE_EMPTY, &usual, attributes, 3));
	one = material_of(&served, joined_uid(&served, join_key(&served, parts, THRESHOLD)));
	other = material_of(&served, joined_uid(&served, join_key(&served, parts + 1, THRESHOLD)));
	cr_assert_eq(one.len, 16);
	assert_bytes(one, other);
	assert_reason(split(&served, SLICE_EMPTY, &usual), INVALID_FIELD); /* which key? */
	served_stop(&served);
}

/* Odd lengths, leading zeros, a private key in its own form; into what it was, or into data. */
Test(op_split_key, other_secrets)
{
	static const char sec1[] =
		"30770201010420c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721a00a"
		"06082a8648ce3d030107a1440342000460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce6"
		"69622e60f29fb67903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";
	struct served served = { 0 };
	struct slice secret, key, *parts, der;
	const struct kmip_object *object;

	start(&served);
	secret = registered(&served, KMIP_OBJECT_TYPE_SECRET_DATA, KMIP_KEY_FORMAT_TYPE_RAW,
		SLICE_LITERAL("\0\0secret1"), NULL);
	for (size_t i = 2; i < sizeof(every) / sizeof(every[0]); i++) {
		parts = parts_of(&served, split(&served, secret, &every[i]));
		object = object_of(&served,
			joined_uid(&served,
				join(&served, KMIP_OBJECT_TYPE_SECRET_DATA, parts, THRESHOLD)));
		assert_bytes(object->secret_data->key_block->value->material,
			SLICE_LITERAL("\0\0secret1"));
	}
	assert_reason(split(&served, secret, &every[1]), INVALID_FIELD); /* pieces of two bytes */
	der = hex(served.arena, sec1);
	key = registered(&served, KMIP_OBJECT_TYPE_PRIVATE_KEY, KMIP_KEY_FORMAT_TYPE_ECPRIVATEKEY,
		der, NULL);
	parts = parts_of(&served, split(&served, key, &usual));
	object = object_of(&served,
		joined_uid(&served, join(&served, KMIP_OBJECT_TYPE_PRIVATE_KEY, parts, THRESHOLD)));
	assert_bytes(object->private_key->key_block->value->material, der);
	cr_assert_eq(
		object->private_key->key_block->format.value, KMIP_KEY_FORMAT_TYPE_ECPRIVATEKEY);
	/* What is no private key does not become one. */
	parts = parts_of(&served, split(&served, secret, &usual));
	assert_reason(join(&served, KMIP_OBJECT_TYPE_PRIVATE_KEY, parts, THRESHOLD),
		CRYPTOGRAPHIC_FAILURE);
	served_stop(&served);
}

/* Too few, one twice, of two splittings, something else, nothing. */
Test(op_split_key, sets_that_give_nothing)
{
	struct served served = { 0 };
	struct slice key, *parts, *others, some[SERVED_RECORDS_MAX];

	start(&served);
	key = served_key(&served);
	parts = parts_of(&served, split(&served, key, &usual));
	others = parts_of(&served, split(&served, key, &usual));
	some[0] = parts[0];
	some[1] = some[2] = parts[1];
	assert_reason(join_key(&served, some, 3), CRYPTOGRAPHIC_FAILURE);
	some[2] = others[2];
	assert_reason(join_key(&served, some, 3), CRYPTOGRAPHIC_FAILURE);
	some[2] = key;
	assert_reason(join_key(&served, some, 3), INVALID_FIELD);
	some[2] = slice_text("00000000-0000-4000-8000-000000000000");
	assert_reason(join_key(&served, some, 3), ITEM_NOT_FOUND);
	for (size_t i = 0; i < 33; i++)
		some[i] = parts[0];
	assert_reason(join_key(&served, some, 33), INVALID_FIELD);
	assert_reason(join(&served, KMIP_OBJECT_TYPE_PUBLIC_KEY, parts, THRESHOLD), INVALID_FIELD);
	served_stop(&served);
}

/* Imported parts with the server's own notes, of a type that these never have. */
Test(op_split_key, forged_notes)
{
	static const char *const names[] = { "y-Split Key", "y-Split Key Bytes" };
	struct served served = { 0 };
	struct kmip_attribute notes[] = {
		attribute_of(names[0], kmip_value_integer(7)),
		attribute_of(names[1], kmip_value_text(SLICE_LITERAL("long"))),
	};
	struct kmip_key_value value = { .material = SLICE_LITERAL("0123456789abcdef") };
	struct kmip_key_block block = { .format = KMIP_UINT(KMIP_KEY_FORMAT_TYPE_RAW),
		.value = &value,
		.cryptographic_algorithm = KMIP_UINT(KMIP_CRYPTOGRAPHIC_ALGORITHM_AES),
		.cryptographic_length_bits = KMIP_INT(128) };
	struct kmip_split_key part = { .parts = KMIP_INT(2),
		.threshold = KMIP_INT(2),
		.method = KMIP_UINT(KMIP_SPLIT_KEY_METHOD_XOR),
		.key_block = &block };
	struct kmip_object object = { .split_key = &part };
	struct slice parts[2], named[] = { SLICE_LITERAL("one"), SLICE_LITERAL("two") };

	start(&served);
	for (size_t i = 0; i < 2; i++) {
		part.part_identifier = KMIP_INT((int32_t) i + 1);
		parts[i] = PAYLOAD(&served,
			ONE(&served, IMPORT, import, .unique_identifier = named[i],
				.attributes = { notes, 2 }, .object = object),
			import)
				   ->unique_identifier;
	}
	assert_success(join_key(&served, parts, 2));
	served_stop(&served);
}

/* Parts that are not to be had: archived, destroyed, another instance's. */
Test(op_split_key, parts_that_are_away)
{
	struct served served = { 0 };
	struct slice key, *parts;

	start(&served);
	key = served_key(&served);
	parts = parts_of(&served, split(&served, key, &usual));
	assert_success(ONE(&served, ARCHIVE, archive, .unique_identifier = parts[0]));
	assert_reason(join_key(&served, parts, THRESHOLD), OBJECT_ARCHIVED);
	assert_success(join_key(&served, parts + 1, THRESHOLD));
	assert_success(served_destroy(&served, parts[1]));
	assert_reason(join_key(&served, parts + 1, THRESHOLD), ITEM_NOT_FOUND);
	served.identity.instance.text[0] = 'z';
	assert_reason(join_key(&served, parts + 1, THRESHOLD), ITEM_NOT_FOUND);
	assert_reason(split(&served, key, &usual), ITEM_NOT_FOUND);
	served_stop(&served);
}

/* A key that is sensitive or not to be extracted stays so in its parts and in what they give. */
Test(op_split_key, stays_secret)
{
	struct served served = { 0 };
	struct kmip_attribute yes = attribute_of("Sensitive", kmip_value_boolean(true));
	struct kmip_attribute no = attribute_of("Sensitive", kmip_value_boolean(false));
	struct kmip_attribute kept = attribute_of("Extractable", kmip_value_boolean(false));
	struct slice key, *parts, joined;

	start(&served);
	key = served_key_with(&served, &yes, 1);
	assert_reason(split_with(&served, key, &usual, &no, 1), INVALID_FIELD);
	parts = parts_of(&served, split(&served, key, &usual));
	assert_reason(served_get(&served, parts[0]), SENSITIVE);
	joined = joined_uid(&served, join_key(&served, parts, THRESHOLD));
	assert_reason(served_get(&served, joined), SENSITIVE);
	key = served_key_with(&served, &kept, 1);
	served.version = KMIP_1_2; /* which does not know the attribute */
	parts = parts_of(&served, split(&served, key, &usual));
	joined = joined_uid(&served, join_key(&served, parts, THRESHOLD));
	served.version = KMIP_1_4;
	assert_reason(served_get(&served, parts[0]), NOT_EXTRACTABLE);
	assert_reason(served_get(&served, joined), NOT_EXTRACTABLE);
	served_stop(&served);
}

static void assert_unsplit(struct served *served, struct slice key, struct split how)
{
	assert_reason(split(served, key, &how), INVALID_FIELD);
}

/* Numbers that are none, a name for several, a base that has nothing to split. */
Test(op_split_key, refusals)
{
	struct served served = { 0 };
	struct split how = usual;
	struct kmip_attribute name;
	struct slice key, *parts;

	start(&served);
	key = served_key(&served);
	name = name_of(&served, "one for all");
	assert_reason(split_with(&served, key, &usual, &name, 1), INVALID_FIELD);
	how.threshold = PARTS + 1;
	assert_unsplit(&served, key, how);
	how.threshold = 1;
	assert_unsplit(&served, key, how);
	how = (struct split){ 33, 2, usual.method, { NULL, 0 } };
	assert_unsplit(&served, key, how);
	how.parts = -1;
	assert_unsplit(&served, key, how);
	how = usual;
	how.method = KMIP_SPLIT_KEY_METHOD_XOR;
	assert_unsplit(&served, key, how); /* needs all parts */
	how.method = KMIP_SPLIT_KEY_METHOD_POLYNOMIAL_SHARING_PRIME_FIELD;
	assert_unsplit(&served, key, how); /* which field? */
	parts = parts_of(&served, split(&served, key, &usual));
	assert_reason(split(&served, parts[0], &usual), INVALID_FIELD);
	assert_success(served_destroy(&served, key));
	assert_reason(split(&served, key, &usual), ITEM_NOT_FOUND);
	assert_reason(split(&served, slice_text("x"), &usual), ITEM_NOT_FOUND);
	served_stop(&served);
}

/* The key manager refuses the third part: none is left, and the repetition succeeds. */
Test(op_split_key, all_or_none)
{
	struct served served = { 0 };
	struct slice key;

	start(&served);
	key = served_key(&served);
	fake_service_fault(&served.store->service,
		(struct fake_fault){
			.call = FAKE_CREATE, .countdown = 2, .repeat = 1, .err = ERR_UNAVAILABLE });
	assert_reason(split(&served, key, &usual), GENERAL_FAILURE);
	cr_assert_eq(
		PAYLOAD(&served, ONE(&served, LOCATE, locate), locate)->unique_identifiers.count,
		1);
	assert_success(split(&served, key, &usual));
	served_stop(&served);
}
