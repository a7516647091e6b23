/* SPDX-License-Identifier: Apache-2.0 */
#include "hex.h"
#include "kmip/attribute.h"
#include "kmip/message.h"
#include "kmip/print.h"
#include "kmip/result.h"

#define UID "42009407 00000001 3100000000000000"
#define KEY_FORMAT "42004205 00000004 0000000100000000"
/* Key Wrap Type: since 1.4 */
#define KEY_WRAP "4200F805 00000004 0000000100000000"
#define STRANGER "54ABCD02 00000004 0000000100000000"

static enum err get_decode(
	struct arena *arena, enum kmip_version version, unsigned flags, const char *payload)
{
	struct codec codec = { .arena = arena, .version = version, .flags = flags };
	struct kmip_get_request get;

	return codec_decode(&codec, &get, &kmip_get_request_table, hex(arena, payload));
}

/* Order, number and type of fields are those of the table. */
Test(codec, refuses_wrong_structures)
{
	struct arena *arena = test_arena();
	struct codec codec = { .arena = arena, .version = KMIP_1_1 };
	struct kmip_name name;

	cr_assert_eq(get_decode(arena, KMIP_1_1, 0, ""), ERR_OK);
	cr_assert_eq(get_decode(arena, KMIP_1_1, 0, UID KEY_FORMAT), ERR_OK);
	cr_assert_eq(get_decode(arena, KMIP_1_1, 0, KEY_FORMAT UID), ERR_MESSAGE);
	cr_assert_eq(get_decode(arena, KMIP_1_1, 0, UID UID), ERR_MESSAGE);
	cr_assert_eq(
		get_decode(arena, KMIP_1_1, 0, "42009402 00000004 0000000100000000"), ERR_MESSAGE);
	cr_assert_eq(codec_decode(&codec, &name, &kmip_name_table,
			     hex(arena, "42005405 00000004 0000000100000000")),
		ERR_MESSAGE);
	cr_assert_eq(codec.bad_tag, KMIP_TAG_NAME_VALUE);
	codec.flags = CODEC_PARTIAL;
	cr_assert_eq(codec_decode(&codec, &name, &kmip_name_table,
			     hex(arena, "42005405 00000004 0000000100000000")),
		ERR_OK);
	cr_assert_eq(name.value.data, NULL);
	arena_free(arena);
}

/* Unknown and too new fields: skipped in older versions, Invalid Field in the newest. */
Test(codec, unknown_fields_depend_on_the_version)
{
	struct arena *arena = test_arena();

	cr_assert_eq(get_decode(arena, KMIP_1_4, 0, UID KEY_FORMAT KEY_WRAP), ERR_OK);
	cr_assert_eq(get_decode(arena, KMIP_1_3, 0, UID KEY_FORMAT KEY_WRAP), ERR_OK);
	cr_assert_eq(get_decode(arena, KMIP_1_3, 0, UID STRANGER KEY_FORMAT), ERR_OK);
	cr_assert_eq(get_decode(arena, KMIP_1_4, 0, UID STRANGER KEY_FORMAT), ERR_FIELD);
	cr_assert_eq(get_decode(arena, KMIP_1_4, CODEC_SKIP_UNKNOWN, UID STRANGER), ERR_OK);
	arena_free(arena);
}

static enum err known_decode(struct arena *arena, enum kmip_version version,
	const struct kmip_struct *table, const char *payload)
{
	struct codec codec = { .arena = arena, .version = version, .flags = CODEC_KNOWN_VALUES };

	return codec_decode(&codec, arena_alloc(arena, table->size), table, hex(arena, payload));
}

/* Enumeration values that the version does not have are refused in what a client sends, and read in
 * what is stored, which may be of any version. */
Test(codec, unknown_values_depend_on_the_version)
{
	static const char pkcs_12[] = "42004205 00000004 0000001600000000";
	static const char stranger[] = "42004205 00000004 0000777700000000";
	static const char vendor[] = "42004205 00000004 8000000100000000";
	static const char compression[] = "42004105 00000004 0000777700000000";
	static const char link[] =
		"42004B05 00000004 0000010C00000000 42004C07 00000001 3100000000000000";
	static const char functions[] = "42007405 00000004 0000000100000000"
					"42007405 00000004 0000000C00000000";
	const struct kmip_struct *get = &kmip_get_request_table;
	struct arena *arena = test_arena();
	struct codec stored = { .arena = arena, .version = KMIP_1_0 };
	struct kmip_link read;

	cr_assert_eq(known_decode(arena, KMIP_1_4, get, pkcs_12), ERR_OK);
	cr_assert_eq(known_decode(arena, KMIP_1_3, get, pkcs_12), ERR_KEY_FORMAT);
	cr_assert_eq(known_decode(arena, KMIP_1_4, get, stranger), ERR_KEY_FORMAT);
	cr_assert_eq(known_decode(arena, KMIP_1_0, get, vendor), ERR_OK);
	cr_assert_eq(known_decode(arena, KMIP_1_4, get, compression), ERR_KEY_COMPRESSION);
	cr_assert_eq(known_decode(arena, KMIP_1_3, &kmip_link_table, link), ERR_FIELD);
	cr_assert_eq(known_decode(arena, KMIP_1_4, &kmip_link_table, link), ERR_OK);
	cr_assert_eq(codec_decode(&stored, &read, &kmip_link_table, hex(arena, link)), ERR_OK);
	cr_assert_eq(read.type.value, KMIP_LINK_TYPE_PKCS_12_CERTIFICATE_LINK);
	/* Query judges functions by itself. */
	cr_assert_eq(known_decode(arena, KMIP_1_0, &kmip_query_request_table, functions), ERR_OK);
	arena_free(arena);
}

/* A payload too deep or with too large a text is refused. */
Test(codec, limits)
{
	struct arena *arena = test_arena();
	struct codec codec = { .arena = arena, .version = KMIP_1_4 };
	struct kmip_get_request get;
	struct buf buf;
	char *text = arena_alloc(arena, 5000);

	for (size_t i = 0; i < 5000; i++)
		text[i] = 'a';
	buf_init(&buf, 65536);
	get = (struct kmip_get_request){ .unique_identifier = slice_of(text, 4096) };
	cr_assert_eq(codec_encode(&buf, KMIP_1_4, &kmip_get_request_table, &get), ERR_OK);
	cr_assert_eq(codec_decode(&codec, &get, &kmip_get_request_table, buf_slice(&buf)), ERR_OK);
	buf_clear(&buf);
	get = (struct kmip_get_request){ .unique_identifier = slice_of(text, 4097) };
	cr_assert_eq(codec_encode(&buf, KMIP_1_4, &kmip_get_request_table, &get), ERR_OK);
	cr_assert_eq(
		codec_decode(&codec, &get, &kmip_get_request_table, buf_slice(&buf)), ERR_FIELD);
	buf_free(&buf);
	arena_free(arena);
}

/* Repeated values and elements that a version does not have are not sent to it. */
Test(codec, encoding_gates_versions)
{
	struct arena *arena = test_arena();
	uint32_t operations[] = { KMIP_OPERATION_GET, KMIP_OPERATION_DISCOVER_VERSIONS,
		KMIP_OPERATION_IMPORT };
	struct kmip_rng_parameters rng = { .rng_algorithm = KMIP_UINT(1) };
	struct kmip_query_response query = { .operations = { operations, 3 }, .rngs = { &rng, 1 } };
	static const size_t counts[] = { 1, 2, 2, 2, 3 };

	for (int minor = 0; minor <= 4; minor++) {
		struct codec codec = { .arena = arena,
			.version = (enum kmip_version) KMIP_VERSION(1, minor) };
		struct slice payload;
		struct kmip_query_response back;

		cr_assert_eq(
			kmip_payload_encode(&payload, &codec, &kmip_query_response_table, &query),
			ERR_OK);
		cr_assert_eq(
			codec_decode(&codec, &back, &kmip_query_response_table, payload), ERR_OK);
		cr_assert_eq(back.operations.count, counts[minor]);
		cr_assert_eq(back.rngs.count, minor >= 3 ? 1 : 0);
	}
	arena_free(arena);
}

/* Get Attributes to a 1.0 client: no Fresh, no EC, and no Key Format Type inside the Digest. */
Test(codec, attributes_are_gated_inside)
{
	struct arena *arena = test_arena();
	struct kmip_digest digest = { .hashing_algorithm = KMIP_UINT(6),
		.value = SLICE_LITERAL("12345678"),
		.key_format = KMIP_UINT(KMIP_KEY_FORMAT_TYPE_RAW) };
	struct kmip_attribute attributes[] = {
		{ .name = SLICE_LITERAL("Fresh"), .value = kmip_value_boolean(true) },
		{ .name = SLICE_LITERAL("Cryptographic Algorithm"),
			.value = kmip_value_enum(KMIP_CRYPTOGRAPHIC_ALGORITHM_EC) },
		{ .name = SLICE_LITERAL("Digest") },
		{ .name = SLICE_LITERAL("x-mine"), .value = kmip_value_integer(7) },
	};
	struct kmip_get_attributes_response response = { .unique_identifier = SLICE_LITERAL("1"),
		.attributes = { attributes, 4 } };

	cr_assert_eq(
		kmip_value_write(&attributes[2].value, arena, &kmip_digest_table, &digest), ERR_OK);
	for (int minor = 0; minor <= 4; minor += 2) {
		struct codec codec = { .arena = arena,
			.version = (enum kmip_version) KMIP_VERSION(1, minor) };
		struct kmip_get_attributes_response back;
		struct slice payload;

		cr_assert_eq(kmip_payload_encode(&payload, &codec,
				     &kmip_get_attributes_response_table, &response),
			ERR_OK);
		cr_assert_eq(
			codec_decode(&codec, &back, &kmip_get_attributes_response_table, payload),
			ERR_OK);
		cr_assert_eq(back.attributes.count, minor == 0 ? 2 : 4);
		struct codec newest = { .arena = arena, .version = KMIP_NEWEST };
		cr_assert_eq(kmip_value_read(&digest, &newest, &kmip_digest_table,
				     &back.attributes.items[minor == 0 ? 0 : 2].value),
			ERR_OK);
		cr_assert_eq(digest.key_format.has, minor != 0);
		digest.key_format.has = true;
	}
	arena_free(arena);
}

/* An attribute that would be malformed without a value that the version does not have is left out;
 * one that only loses a part of itself is not. */
Test(codec, attributes_of_later_values_are_left_out)
{
	struct arena *arena = test_arena();
	struct kmip_link links[] = { { .type = KMIP_UINT(KMIP_LINK_TYPE_PKCS_12_PASSWORD_LINK),
					     .identifier = SLICE_LITERAL("1") },
		{ .type = KMIP_UINT(KMIP_LINK_TYPE_PARENT_LINK), .identifier = SLICE_LITERAL("1") },
		{ .type = KMIP_UINT(KMIP_VENDOR_VALUE), .identifier = SLICE_LITERAL("1") } };
	struct kmip_cryptographic_parameters parameters = { .block_cipher_mode = KMIP_UINT(
								    KMIP_BLOCK_CIPHER_MODE_AEAD),
		.padding_method = KMIP_UINT(KMIP_PADDING_METHOD_NONE) };
	struct kmip_attribute link = { .name = SLICE_LITERAL("Link") };
	struct kmip_attribute cipher = { .name = SLICE_LITERAL("Cryptographic Parameters") };
	static const enum kmip_version since[] = { KMIP_1_4, KMIP_1_2, KMIP_1_0 };

	for (size_t i = 0; i < 3; i++) {
		cr_assert_eq(
			kmip_value_write(&link.value, arena, &kmip_link_table, &links[i]), ERR_OK);
		for (int minor = 0; minor <= 4; minor++) {
			enum kmip_version version = (enum kmip_version) KMIP_VERSION(1, minor);

			cr_expect_eq(kmip_attribute_is_visible(&link, version), version >= since[i],
				"%zu in 1.%d", i, minor);
		}
	}
	cr_assert_eq(kmip_value_write(&cipher.value, arena, &kmip_cryptographic_parameters_table,
			     &parameters),
		ERR_OK);
	cr_assert(kmip_attribute_is_visible(&cipher, KMIP_1_0));
	arena_free(arena);
}

/* The value of a known attribute has its type, its structure, and only values of its version. */
Test(codec, attribute_check)
{
	struct arena *arena = test_arena();
	struct kmip_name name = { .value = SLICE_LITERAL("vm"), .type = KMIP_UINT(1) };
	struct kmip_link link = { .type = KMIP_UINT(KMIP_LINK_TYPE_PARENT_LINK),
		.identifier = SLICE_LITERAL("1") };
	struct kmip_value name_value, link_value, parameters_value, digest_value;
	const struct kmip_attribute_row *row;

	cr_assert_eq(kmip_value_write(&name_value, arena, &kmip_name_table, &name), ERR_OK);
	cr_assert_eq(kmip_value_write(&link_value, arena, &kmip_link_table, &link), ERR_OK);
	parameters_value = (struct kmip_value){ .type = KMIP_TYPE_STRUCTURE,
		.children = hex(arena, "42001105 00000004 0000001200000000") };
	digest_value = (struct kmip_value){ .type = KMIP_TYPE_STRUCTURE,
		.children = hex(arena, "42003805 00000004 0000000600000000"
				       "42003508 00000008 3132333435363738"
				       "42004205 00000004 0000777700000000") };
	const struct {
		const char *name;
		struct kmip_value value;
		enum kmip_version version;
		enum err err;
	} cases[] = {
		{ "Name", name_value, KMIP_1_0, ERR_OK },
		{ "Name", kmip_value_text(SLICE_LITERAL("vm")), KMIP_1_0, ERR_FIELD },
		{ "Link", name_value, KMIP_1_4, ERR_FIELD },
		{ "Link", link_value, KMIP_1_1, ERR_FIELD },
		{ "Link", link_value, KMIP_1_2, ERR_OK },
		{ "Cryptographic Parameters", parameters_value, KMIP_1_3, ERR_FIELD },
		{ "Cryptographic Parameters", parameters_value, KMIP_1_4, ERR_OK },
		{ "Digest", digest_value, KMIP_1_0, ERR_OK },
		{ "Digest", digest_value, KMIP_1_1, ERR_FIELD },
		{ "name", name_value, KMIP_1_4, ERR_FIELD },
		{ "Custom Attribute", name_value, KMIP_1_4, ERR_FIELD },
		{ "Cryptographic Algorithm", kmip_value_enum(3), KMIP_1_0, ERR_OK },
		{ "Cryptographic Algorithm", kmip_value_enum(0x1A), KMIP_1_1, ERR_FIELD },
		{ "Cryptographic Algorithm", kmip_value_enum(0x1A), KMIP_1_2, ERR_OK },
		{ "Cryptographic Algorithm", kmip_value_enum(0x80000001), KMIP_1_0, ERR_OK },
		{ "Sensitive", kmip_value_boolean(true), KMIP_1_3, ERR_FIELD },
		{ "Sensitive", kmip_value_boolean(true), KMIP_1_4, ERR_OK },
		{ "Protection Level", kmip_value_enum(1), KMIP_1_4, ERR_FIELD },
		{ "x-anything", kmip_value_date(1), KMIP_1_0, ERR_OK },
		{ "x-", kmip_value_date(1), KMIP_1_0, ERR_FIELD },
		{ "State", { .type = KMIP_TYPE_ANY }, KMIP_1_0, ERR_MESSAGE },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct codec codec = { .arena = arena, .version = cases[i].version };
		struct kmip_attribute attribute = { .name = slice_text(cases[i].name),
			.value = cases[i].value };

		cr_expect_eq(kmip_attribute_check(&row, &codec, &attribute), cases[i].err, "%zu %s",
			i, cases[i].name);
	}
	arena_free(arena);
}

/* Stored values are canonical: other padding gives the same bytes; and they come back. */
Test(codec, stored_values)
{
	struct arena *arena = test_arena();
	struct slice first, second;
	struct kmip_value one = { .type = KMIP_TYPE_STRUCTURE,
		.children = hex(arena, "42005507 00000002 766D000000000000"
				       "42005405 00000004 0000000100000000") };
	struct kmip_value other = { .type = KMIP_TYPE_STRUCTURE,
		.children = hex(arena, "42005507 00000002 766DFFFFFFFFFFFF"
				       "42005405 00000004 00000001AABBCCDD") };
	struct kmip_value back;

	cr_assert_eq(kmip_value_encode(&first, arena, &one), ERR_OK);
	cr_assert_eq(kmip_value_encode(&second, arena, &other), ERR_OK);
	assert_bytes(first, second);
	cr_assert_eq(kmip_value_decode(&back, first), ERR_OK);
	assert_bytes(back.children, one.children);
	struct kmip_value text = kmip_value_text(SLICE_LITERAL("a"));
	cr_assert_eq(kmip_value_encode(&first, arena, &text), ERR_OK);
	assert_bytes(first, hex(arena, "42000B07 00000001 6100000000000000"));
	cr_assert_eq(kmip_value_decode(&back, slice_cut(first, 0, 8)), ERR_CORRUPT);
	cr_assert_eq(kmip_value_decode(&back, hex(arena, UID)), ERR_CORRUPT);
	arena_free(arena);
}

/* Plain, wrapped and transparent keys go through, and an object is one object. */
Test(codec, objects)
{
	struct arena *arena = test_arena();
	struct kmip_transparent_key transparent = { .key = SLICE_LITERAL("0123456789abcdef") };
	struct kmip_key_value values[] = { { .material = SLICE_LITERAL("0123456789abcdef") },
		{ .transparent = &transparent } };
	struct kmip_key_block blocks[] = {
		{ .format = KMIP_UINT(KMIP_KEY_FORMAT_TYPE_RAW), .value = &values[0] },
		{ .format = KMIP_UINT(KMIP_KEY_FORMAT_TYPE_TRANSPARENT_SYMMETRIC_KEY),
			.value = &values[1] },
		{ .format = KMIP_UINT(KMIP_KEY_FORMAT_TYPE_RAW),
			.wrapped_value = SLICE_LITERAL("wrapped") },
	};
	struct codec codec = { .arena = arena, .version = KMIP_1_1 };

	for (size_t i = 0; i < 3; i++) {
		struct kmip_symmetric_key key = { .key_block = &blocks[i] };
		struct kmip_get_response get = { .object_type = KMIP_UINT(2),
			.unique_identifier = SLICE_LITERAL("1"),
			.object.symmetric_key = &key };
		struct slice payload;

		cr_assert_eq(kmip_payload_encode(&payload, &codec, &kmip_get_response_table, &get),
			ERR_OK);
		bytes_zero(&get, sizeof(get));
		cr_assert_eq(codec_decode(&codec, &get, &kmip_get_response_table, payload), ERR_OK);
		cr_assert_eq(kmip_object_type(&get.object), KMIP_OBJECT_TYPE_SYMMETRIC_KEY);
		const struct kmip_key_block *block = kmip_object_key_block(&get.object);
		cr_assert_eq(block->value != NULL && block->value->material.data != NULL, i == 0);
		cr_assert_eq(block->value != NULL && block->value->transparent != NULL, i == 1);
		cr_assert_eq(block->wrapped_value.data != NULL, i == 2);
		struct kmip_secret_data secret = { .type = KMIP_UINT(1) };
		get.object.secret_data = &secret;
		cr_assert_eq(kmip_object_type(&get.object), 0);
	}
	arena_free(arena);
}

/* Secrets, strangers and custom values print as lengths; the rest is readable. */
Test(codec, printing_hides_secrets)
{
	struct arena *arena = test_arena();
	struct kmip_key_value value = { .material = SLICE_LITERAL("TOPSECRETTOPSECR") };
	struct kmip_key_block block = { .format = KMIP_UINT(1), .value = &value };
	struct kmip_secret_data secret = { .type = KMIP_UINT(1), .key_block = &block };
	struct kmip_attribute attributes[] = {
		{ .name = SLICE_LITERAL("State"), .value = kmip_value_integer(7) },
		{ .name = SLICE_LITERAL("x-own"),
			.value = kmip_value_text(SLICE_LITERAL("TOPSECRET")) },
	};
	struct kmip_template_attribute template = { .attributes = { attributes, 2 } };
	struct kmip_register_request request = { .object_type = KMIP_UINT(7),
		.template_attribute = &template,
		.object.secret_data = &secret };
	struct buf payload, out;

	buf_init(&payload, 4096);
	buf_init(&out, 4096);
	cr_assert_eq(
		codec_encode(&payload, KMIP_1_4, &kmip_register_request_table, &request), ERR_OK);
	kmip_print(&out, buf_slice(&payload));
	cr_assert_eq(buf_append_u8(&out, 0), ERR_OK);
	const char *line = (const char *) buf_slice(&out).data;
	cr_assert_eq(strstr(line, "TOPSECRET"), NULL, "%s", line);
	cr_assert_neq(strstr(line, "Object Type=Secret Data"), NULL, "%s", line);
	cr_assert_neq(strstr(line, "Key Value=<24 bytes>"), NULL, "%s", line);
	cr_assert_neq(strstr(line, "Attribute Value=<9 bytes>"), NULL, "%s", line);
	cr_assert_neq(strstr(line, "Attribute Value=7"), NULL, "%s", line);
	buf_clear(&out);
	kmip_print(&out, hex(arena, "42009907 00000003 61220A0000000000 54ABCD02"));
	cr_assert(slice_equal_text(buf_slice(&out), "Username=\"a\\x22\\x0a\"<malformed>"));
	buf_free(&out);
	buf_free(&payload);
	arena_free(arena);
}

/* Every error has an answer; trouble of ours is never "not found"; older versions get older
 * reasons. */
Test(codec, results)
{
	static const struct {
		enum err err;
		enum kmip_version version;
		uint32_t reason;
	} cases[] = {
		{ ERR_NOT_FOUND, KMIP_1_0, KMIP_RESULT_REASON_ITEM_NOT_FOUND },
		{ ERR_FOREIGN, KMIP_1_1, KMIP_RESULT_REASON_ITEM_NOT_FOUND },
		{ ERR_DESTROYED, KMIP_1_1, KMIP_RESULT_REASON_ITEM_NOT_FOUND },
		{ ERR_DESTROYED, KMIP_2_1, KMIP_RESULT_REASON_OBJECT_DESTROYED },
		{ ERR_MISSING, KMIP_1_1, KMIP_RESULT_REASON_GENERAL_FAILURE },
		{ ERR_UNAVAILABLE, KMIP_1_1, KMIP_RESULT_REASON_GENERAL_FAILURE },
		{ ERR_NOMEM, KMIP_1_1, KMIP_RESULT_REASON_GENERAL_FAILURE },
		{ ERR_ROOT_DISABLED, KMIP_1_1, KMIP_RESULT_REASON_PERMISSION_DENIED },
		{ ERR_STATE, KMIP_1_4, KMIP_RESULT_REASON_PERMISSION_DENIED },
		{ ERR_STATE, KMIP_2_1, KMIP_RESULT_REASON_WRONG_KEY_LIFECYCLE_STATE },
		{ ERR_KEY_ABSENT, KMIP_1_1, KMIP_RESULT_REASON_ILLEGAL_OPERATION },
		{ ERR_KEY_ABSENT, KMIP_1_2, KMIP_RESULT_REASON_KEY_VALUE_NOT_PRESENT },
		{ ERR_EXISTS, KMIP_1_3, KMIP_RESULT_REASON_INVALID_FIELD },
		{ ERR_EXISTS, KMIP_1_4, KMIP_RESULT_REASON_OBJECT_ALREADY_EXISTS },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(kmip_result_of(cases[i].err, cases[i].version).reason, cases[i].reason,
			"%s", err_name(cases[i].err));
	for (int err = 1; err < ERR_COUNT; err++)
		for (int minor = 0; minor <= 4 && err != ERR_UNDONE; minor++) {
			enum kmip_version version = (enum kmip_version) KMIP_VERSION(1, minor);
			struct kmip_result result = kmip_result_of((enum err) err, version);

			cr_expect_eq(result.status, KMIP_RESULT_STATUS_OPERATION_FAILED);
			cr_expect(
				kmip_enum_is_known(KMIP_SET_RESULT_REASON, result.reason, version));
		}
	cr_assert_eq(kmip_result_of(ERR_OK, KMIP_1_0).status, KMIP_RESULT_STATUS_SUCCESS);
	cr_assert_eq(
		kmip_result_of(ERR_UNDONE, KMIP_1_0).status, KMIP_RESULT_STATUS_OPERATION_UNDONE);
	cr_assert_eq(kmip_result_err(KMIP_RESULT_STATUS_OPERATION_UNDONE, 0), ERR_UNDONE);
	cr_assert_eq(kmip_result_err(1, KMIP_RESULT_REASON_PERMISSION_DENIED), ERR_DENIED);
	cr_assert_eq(kmip_result_err(1, KMIP_RESULT_REASON_ITEM_NOT_FOUND), ERR_NOT_FOUND);
	cr_assert_eq(kmip_result_err(1, KMIP_RESULT_REASON_GENERAL_FAILURE), ERR_UNAVAILABLE);
	cr_assert_eq(kmip_result_err(1, KMIP_RESULT_REASON_INVALID_MESSAGE), ERR_MESSAGE);
	cr_assert_eq(kmip_result_err(0, 0), ERR_OK);
}

/* The tables themselves: names, order, columns. */
Test(codec, tables)
{
	cr_assert_str_eq(kmip_tag_name(KMIP_TAG_KEY_BLOCK), "Key Block");
	cr_assert_eq(kmip_tag_name(0x420137), NULL);
	cr_assert(kmip_tag_is_sensitive(KMIP_TAG_KEY_MATERIAL));
	cr_assert(kmip_tag_is_sensitive(0x54ABCD));
	cr_assert_not(kmip_tag_is_sensitive(KMIP_TAG_UNIQUE_IDENTIFIER));
	cr_assert_str_eq(kmip_version_name(KMIP_1_4), "1.4");
	const struct kmip_attribute_row *row = kmip_attribute_find(SLICE_LITERAL("State"));
	cr_assert_eq(kmip_attribute_id(row), KMIP_ATTRIBUTE_STATE);
	cr_assert_eq(row->set, KMIP_SET_STATE);
	cr_assert(row->is_always_set);
	cr_assert_eq(row->client_modifies, KMIP_CHANGE_NO);
	for (size_t i = 0; i < KMIP_ATTRIBUTE_COUNT; i++) {
		row = kmip_attribute_row((enum kmip_attribute_id) i);
		cr_expect_str_eq(row->name, kmip_tag_name(row->tag));
		cr_expect(row->applies_to != 0);
		cr_expect(row->type != KMIP_TYPE_STRUCTURE || row->structure != NULL ||
				  row->since > KMIP_NEWEST,
			"%s", row->name);
		cr_expect(row->type != KMIP_TYPE_ENUMERATION || row->set != KMIP_SET_NONE ||
				  row->since > KMIP_NEWEST,
			"%s", row->name);
	}
}
