/* SPDX-License-Identifier: Apache-2.0 */
/* Create (KMIP 1.4, section 4.1). */
#include "served.h"

static const struct kmip_response_item *create(struct served *served, uint32_t algorithm,
	int32_t length, const struct kmip_attribute *more)
{
	struct kmip_attribute attributes[3] = { attribute_of(
		"Cryptographic Algorithm", kmip_value_enum(algorithm)) };
	struct kmip_template_attribute template = { .attributes = { attributes, 1 } };

	if (length != 0)
		attributes[template.attributes.count++] =
			attribute_of("Cryptographic Length", kmip_value_integer(length));
	if (more != NULL)
		attributes[template.attributes.count++] = *more;
	return ONE(served, CREATE, create, .object_type = KMIP_UINT(KMIP_OBJECT_TYPE_SYMMETRIC_KEY),
		.template_attribute = &template);
}

static struct slice material_of(struct served *served, struct slice uid)
{
	return PAYLOAD(served, served_get(served, uid), get)
		->object.symmetric_key->key_block->value->material;
}

/* Lengths that there are, with the bytes of material, and lengths that there are not. */
Test(op_create, lengths)
{
	static const struct {
		uint32_t algorithm;
		int32_t length_bits;
		size_t material_len; /* 0: refused */
	} rows[] = {
		{ KMIP_CRYPTOGRAPHIC_ALGORITHM_AES, 128, 16 },
		{ KMIP_CRYPTOGRAPHIC_ALGORITHM_AES, 192, 24 },
		{ KMIP_CRYPTOGRAPHIC_ALGORITHM_AES, 0, 32 },
		{ KMIP_CRYPTOGRAPHIC_ALGORITHM_AES, 255, 0 },
		{ KMIP_CRYPTOGRAPHIC_ALGORITHM_AES, 512, 0 },
		{ KMIP_CRYPTOGRAPHIC_ALGORITHM_AES, -1, 0 },
		{ KMIP_CRYPTOGRAPHIC_ALGORITHM_3DES, 112, 16 },
		{ KMIP_CRYPTOGRAPHIC_ALGORITHM_3DES, 168, 24 },
		{ KMIP_CRYPTOGRAPHIC_ALGORITHM_3DES, 192, 0 },
		{ KMIP_CRYPTOGRAPHIC_ALGORITHM_HMAC_SHA256, 0, 32 },
		{ KMIP_CRYPTOGRAPHIC_ALGORITHM_HMAC_SHA1, 160, 20 },
		{ KMIP_CRYPTOGRAPHIC_ALGORITHM_HMAC_SHA1, 161, 0 },
		{ KMIP_CRYPTOGRAPHIC_ALGORITHM_HMAC_MD5, 0, 16 },
		{ KMIP_CRYPTOGRAPHIC_ALGORITHM_HMAC_SHA3_256, 0, 32 },
		{ KMIP_CRYPTOGRAPHIC_ALGORITHM_ONE_TIME_PAD, 80, 10 },
		{ KMIP_CRYPTOGRAPHIC_ALGORITHM_ONE_TIME_PAD, 0, 0 },
		{ KMIP_CRYPTOGRAPHIC_ALGORITHM_ONE_TIME_PAD, 7, 0 },
		{ KMIP_CRYPTOGRAPHIC_ALGORITHM_CHACHA20, 256, 32 },
		{ KMIP_CRYPTOGRAPHIC_ALGORITHM_CAMELLIA, 128, 16 },
		{ KMIP_CRYPTOGRAPHIC_ALGORITHM_RSA, 2048, 0 },
		{ 0x77, 256, 0 },
	};
	struct served served = { 0 };

	served_start(&served, false);
	served.version = KMIP_1_4;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct kmip_response_item *item =
			create(&served, rows[i].algorithm, rows[i].length_bits, NULL);

		if (rows[i].material_len == 0) {
			assert_reason(item, INVALID_FIELD);
			continue;
		}
		struct slice uid = PAYLOAD(&served, item, create)->unique_identifier;
		cr_assert_eq(material_of(&served, uid).len, rows[i].material_len, "row %zu", i);
	}
	served_stop(&served);
}

/* Every byte of a 3DES key has odd parity; two keys differ. */
Test(op_create, triple_des_parity)
{
	struct served served = { 0 };
	struct slice keys[2];

	served_start(&served, false);
	for (size_t i = 0; i < 2; i++) {
		keys[i] = material_of(&served,
			PAYLOAD(&served,
				create(&served, KMIP_CRYPTOGRAPHIC_ALGORITHM_3DES, 168, NULL),
				create)
				->unique_identifier);
		for (size_t j = 0; j < keys[i].len; j++)
			cr_assert_eq(__builtin_parity(keys[i].data[j]), 1);
	}
	cr_assert_not(slice_equal(keys[0], keys[1]));
	served_stop(&served);
}

/* vSphere C11: what else may be said at Create; an activation date that is over activates. */
Test(op_create, attributes)
{
	struct served served = { 0 };
	int64_t now = clock_wall_seconds();
	struct kmip_attribute more[] = {
		text_of("Object Group", "group"),
		text_of("Contact Information", "someone"),
		text_of("Operation Policy Name", "default"),
		attribute_of("Activation Date", kmip_value_date(now - 10)),
		attribute_of("Deactivation Date", kmip_value_date(now + 1000)),
		text_of("x-first", "1"),
		text_of("x-first", "2"),
		text_of("x-second", "1"),
	};
	struct slice uid;

	served_start(&served, false);
	uid = served_key_with(&served, more, sizeof(more) / sizeof(more[0]));
	cr_assert_eq(served_state(&served, uid), KMIP_STATE_ACTIVE);
	cr_assert_eq(served_value(&served, uid, "Activation Date").i64, now - 10);
	cr_assert_eq(served_value(&served, uid, "Deactivation Date").i64, now + 1000);
	cr_assert(slice_equal_text(served_value(&served, uid, "Object Group").bytes, "group"));
	cr_assert(slice_equal_text(served_value(&served, uid, "x-second").bytes, "1"));
	cr_assert_eq(served_value(&served, uid, "Digest").type, KMIP_TYPE_STRUCTURE);
	cr_assert(served_value(&served, uid, "Initial Date").i64 >= now);
	served_stop(&served);
}

/* What is refused, and with which reason. */
Test(op_create, refusals)
{
	struct served served = { 0 };
	int64_t now = clock_wall_seconds();
	struct kmip_attribute both[] = {
		attribute_of("Activation Date", kmip_value_date(now + 10)),
		attribute_of("Deactivation Date", kmip_value_date(now + 5)),
	};
	struct kmip_attribute twice[] = { text_of("Contact Information", "a"),
		text_of("Contact Information", "b") };

	served_start(&served, false);
#define REFUSED(attribute, name) \
	do { \
		struct kmip_attribute one = attribute; \
		assert_reason(served_create(&served, &one, 1), name); \
	} while (0)
	REFUSED(text_of("Object Group", ""), INVALID_FIELD);
	REFUSED(attribute_of("Object Group", kmip_value_integer(1)), INVALID_FIELD);
	REFUSED(attribute_of("State", kmip_value_enum(2)), INVALID_FIELD);
	REFUSED(attribute_of("Initial Date", kmip_value_date(1)), INVALID_FIELD);
	REFUSED(text_of("y-server", "a"), INVALID_FIELD);
	REFUSED(text_of("Certificate Subject", "a"), INVALID_FIELD);
	REFUSED(attribute_of("Cryptographic Length", kmip_value_integer(256)), INDEX_OUT_OF_BOUNDS);
	assert_reason(served_create(&served, both, 2), INVALID_FIELD);
	assert_reason(served_create(&served, twice, 2), INDEX_OUT_OF_BOUNDS);

	struct kmip_template_attribute empty = { 0 };
	assert_reason(ONE(&served, CREATE, create,
			      .object_type = KMIP_UINT(KMIP_OBJECT_TYPE_SYMMETRIC_KEY),
			      .template_attribute = &empty),
		INVALID_FIELD);
	assert_reason(
		ONE(&served, CREATE, create, .object_type = KMIP_UINT(KMIP_OBJECT_TYPE_PRIVATE_KEY),
			.template_attribute = &empty),
		INVALID_FIELD);
	struct kmip_name name = { .value = slice_text("template"), .type = KMIP_UINT(1) };
	empty.names.items = &name;
	empty.names.count = 1;
	assert_reason(ONE(&served, CREATE, create,
			      .object_type = KMIP_UINT(KMIP_OBJECT_TYPE_SYMMETRIC_KEY),
			      .template_attribute = &empty),
		ITEM_NOT_FOUND);
	served_stop(&served);
}

/* A Name can be held by one live key; a destroyed one gives it back. */
Test(op_create, names_are_unique)
{
	struct served served = { 0 };
	struct kmip_attribute name;
	struct slice uid;

	served_start(&served, false);
	name = name_of(&served, "key 1");
	uid = served_key_with(&served, &name, 1);
	assert_reason(served_create(&served, &name, 1), INVALID_FIELD);
	assert_reason(served_create(&served,
			      (struct kmip_attribute[]){
				      name_of(&served, "key 2"), name_of(&served, "key 2") },
			      2),
		INVALID_FIELD);
	assert_success(served_destroy(&served, uid));
	assert_success(served_create(&served, &name, 1));
	served_stop(&served);
}

/* Design D10: attributes that would not fit a record are refused. */
Test(op_create, too_much)
{
	struct served served = { 0 };
	char text[3001] = { 0 };
	struct kmip_attribute more[2];

	served_start(&served, false);
	for (size_t i = 0; i < 3000; i++)
		text[i] = 'a';
	more[0] = text_of("x-one", text);
	more[1] = text_of("x-two", text);
	assert_success(served_create(&served, more, 1));
	assert_reason(served_create(&served, more, 2), INVALID_FIELD);
	served_stop(&served);
}

/* Each template is looked up: so many of them are nobody's wish. */
Test(op_create, too_many_templates)
{
	struct served served = { 0 };
	struct kmip_attribute named, group = text_of("Object Group", "of the template");
	struct kmip_template content = { .attributes = { &group, 1 } };
	struct kmip_name names[17];
	struct kmip_attribute attributes[] = {
		attribute_of("Cryptographic Algorithm",
			kmip_value_enum(KMIP_CRYPTOGRAPHIC_ALGORITHM_AES)),
		group,
	};
	struct kmip_template_attribute beside = { .attributes = { &named, 1 } };
	struct kmip_template_attribute given = { .attributes = { attributes, 2 } };

	served_start(&served, false);
	named = name_of(&served, "template");
	assert_success(ONE(&served, REGISTER, register,
		.object_type = KMIP_UINT(KMIP_OBJECT_TYPE_TEMPLATE), .template_attribute = &beside,
		.object = { .template = &content }));
	for (size_t i = 0; i < 17; i++)
		names[i] = (struct kmip_name){ .value = slice_text("template"),
			.type = KMIP_UINT(KMIP_NAME_TYPE_UNINTERPRETED_TEXT_STRING) };
	given.names.items = names;
	given.names.count = 16;
	assert_success(ONE(&served, CREATE, create,
		.object_type = KMIP_UINT(KMIP_OBJECT_TYPE_SYMMETRIC_KEY),
		.template_attribute = &given));
	given.names.count = 17;
	assert_reason(ONE(&served, CREATE, create,
			      .object_type = KMIP_UINT(KMIP_OBJECT_TYPE_SYMMETRIC_KEY),
			      .template_attribute = &given),
		INVALID_FIELD);
	served_stop(&served);
}

static const struct kmip_response_item *create_secret(
	struct served *served, const struct kmip_attribute *attributes, size_t count)
{
	struct kmip_template_attribute template = {
		.attributes = { (struct kmip_attribute *) attributes, count }
	};

	return ONE(served, CREATE, create, .object_type = KMIP_UINT(KMIP_OBJECT_TYPE_SECRET_DATA),
		.template_attribute = &template);
}

/* Secrets of 1.4: as many random bytes as were asked for, each time others; nothing of older
 * versions, of no length, of part of a byte, or of an algorithm. */
Test(op_create, secrets)
{
	static const int32_t wrong[] = { 0, -8, 7, 1 << 24 };
	struct served served = { 0 };
	struct kmip_attribute attributes[] = {
		attribute_of("Cryptographic Length", kmip_value_integer(80)),
		attribute_of("Cryptographic Algorithm",
			kmip_value_enum(KMIP_CRYPTOGRAPHIC_ALGORITHM_AES)),
	};
	struct slice materials[2];

	served_start(&served, false);
	served.version = KMIP_1_4;
	for (size_t i = 0; i < 2; i++) {
		struct slice uid = PAYLOAD(&served, create_secret(&served, attributes, 1), create)
					   ->unique_identifier;
		const struct kmip_secret_data *secret =
			PAYLOAD(&served, served_get(&served, uid), get)->object.secret_data;

		cr_assert_eq(secret->type.value, KMIP_SECRET_DATA_TYPE_PASSWORD);
		materials[i] = secret->key_block->value->material;
		cr_assert_eq(materials[i].len, 10);
		assert_digest(&served, uid, materials[i]);
	}
	cr_assert_not(slice_equal(materials[0], materials[1]));
	assert_reason(create_secret(&served, attributes, 0), INVALID_FIELD);
	assert_reason(create_secret(&served, attributes, 2), INVALID_FIELD);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		attributes[0].value.integer = wrong[i];
		assert_reason(create_secret(&served, attributes, 1), INVALID_FIELD);
	}
	attributes[0].value.integer = 80;
	/* A number that no object type has, nor any set of them room for. */
	assert_reason(
		ONE(&served, CREATE, create, .object_type = KMIP_UINT(173),
			.template_attribute = &(
				struct kmip_template_attribute){ .attributes = { attributes, 1 } }),
		INVALID_FIELD);
	served.version = KMIP_1_3;
	assert_reason(create_secret(&served, attributes, 1), INVALID_FIELD);
	served_stop(&served);
}
