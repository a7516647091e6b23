/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/certificates.h"
#include <ctype.h>
#include "base/text.h"
#include "base/x509.h"
#include "kmip/asymmetric.h"

enum { FACTS_PER_BYTE = 6 };

struct row {
	const char *name;
	uint32_t number;
};

static uint32_t row_number(const struct row *rows, size_t count, const char *name)
{
	for (size_t i = 0; name != NULL && i < count; i++) {
		if (slice_equal_text(slice_text(name), rows[i].name))
			return rows[i].number;
	}
	return 0;
}

static uint32_t signature_number(const char *name)
{
	static const struct row rows[] = {
		{ "RSA-MD5", KMIP_DIGITAL_SIGNATURE_ALGORITHM_MD5_WITH_RSA_ENCRYPTION },
		{ "RSA-SHA1", KMIP_DIGITAL_SIGNATURE_ALGORITHM_SHA_1_WITH_RSA_ENCRYPTION },
		{ "RSA-SHA224", KMIP_DIGITAL_SIGNATURE_ALGORITHM_SHA_224_WITH_RSA_ENCRYPTION },
		{ "RSA-SHA256", KMIP_DIGITAL_SIGNATURE_ALGORITHM_SHA_256_WITH_RSA_ENCRYPTION },
		{ "RSA-SHA384", KMIP_DIGITAL_SIGNATURE_ALGORITHM_SHA_384_WITH_RSA_ENCRYPTION },
		{ "RSA-SHA512", KMIP_DIGITAL_SIGNATURE_ALGORITHM_SHA_512_WITH_RSA_ENCRYPTION },
		{ "RSASSA-PSS", KMIP_DIGITAL_SIGNATURE_ALGORITHM_RSASSA_PSS },
		{ "DSA-SHA1", KMIP_DIGITAL_SIGNATURE_ALGORITHM_DSA_WITH_SHA_1 },
		{ "dsa_with_SHA224", KMIP_DIGITAL_SIGNATURE_ALGORITHM_DSA_WITH_SHA224 },
		{ "dsa_with_SHA256", KMIP_DIGITAL_SIGNATURE_ALGORITHM_DSA_WITH_SHA256 },
		{ "ecdsa-with-SHA1", KMIP_DIGITAL_SIGNATURE_ALGORITHM_ECDSA_WITH_SHA_1 },
		{ "ecdsa-with-SHA224", KMIP_DIGITAL_SIGNATURE_ALGORITHM_ECDSA_WITH_SHA224 },
		{ "ecdsa-with-SHA256", KMIP_DIGITAL_SIGNATURE_ALGORITHM_ECDSA_WITH_SHA256 },
		{ "ecdsa-with-SHA384", KMIP_DIGITAL_SIGNATURE_ALGORITHM_ECDSA_WITH_SHA384 },
		{ "ecdsa-with-SHA512", KMIP_DIGITAL_SIGNATURE_ALGORITHM_ECDSA_WITH_SHA512 },
	};

	return row_number(rows, sizeof(rows) / sizeof(rows[0]), name);
}

static uint32_t key_number(const char *name)
{
	static const struct row rows[] = {
		{ "rsaEncryption", KMIP_CRYPTOGRAPHIC_ALGORITHM_RSA },
		{ "id-ecPublicKey", KMIP_CRYPTOGRAPHIC_ALGORITHM_EC },
		{ "DSA", KMIP_CRYPTOGRAPHIC_ALGORITHM_DSA },
	};

	return row_number(rows, sizeof(rows) / sizeof(rows[0]), name);
}

static enum err set_structure(struct attribute_edits *edits, enum kmip_attribute_id id,
	const struct kmip_struct *table, const void *object)
{
	struct kmip_value value;
	enum err err;

	TRY(kmip_value_write(&value, edits->arena, table, object));
	TRY(attribute_rules_set(edits, id, &value));
out:
	return err;
}

/* A client may say it, too, where it says the same. */
static enum err set_said(
	struct attribute_edits *edits, enum kmip_attribute_id id, const struct kmip_value *value)
{
	struct kmip_value said;

	if (!attribute_rules_get(edits, id, &said))
		return attribute_rules_set(edits, id, value);
	return said.u32 == value->u32 && said.integer == value->integer ? ERR_OK : ERR_FIELD;
}

/* Since 1.1: DER. */
static enum err set_names(struct attribute_edits *edits, struct x509_facts *facts)
{
	struct kmip_x_509_certificate_identifier identifier = { .issuer = facts->issuer,
		.serial_number = facts->serial_der };
	struct kmip_x_509_certificate_subject subject = { .name = facts->subject,
		.alternative_names = { facts->alt_names, facts->alt_name_count } };
	struct kmip_x_509_certificate_issuer issuer = { .name = facts->issuer };
	enum err err;

	TRY(set_structure(edits, KMIP_ATTRIBUTE_X_509_CERTIFICATE_IDENTIFIER,
		&kmip_x_509_certificate_identifier_table, &identifier));
	TRY(set_structure(edits, KMIP_ATTRIBUTE_X_509_CERTIFICATE_SUBJECT,
		&kmip_x_509_certificate_subject_table, &subject));
	TRY(set_structure(edits, KMIP_ATTRIBUTE_X_509_CERTIFICATE_ISSUER,
		&kmip_x_509_certificate_issuer_table, &issuer));
out:
	return err;
}

/* 1.0, deprecated since: text. */
static enum err set_old_names(struct attribute_edits *edits, const struct x509_facts *facts)
{
	char *serial = arena_alloc(edits->arena, 2 * facts->serial.len + 1);
	struct kmip_certificate_identifier identifier = { .issuer = facts->issuer_text };
	struct kmip_certificate_subject subject = { .name = facts->subject_text };
	struct kmip_certificate_issuer issuer = { .name = facts->issuer_text };
	enum err err = serial == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	text_hex(serial, facts->serial);
	for (size_t i = 0; serial[i] != '\0'; i++)
		serial[i] = (char) toupper((unsigned char) serial[i]);
	identifier.serial_number = slice_text(serial);
	TRY(set_structure(edits, KMIP_ATTRIBUTE_CERTIFICATE_IDENTIFIER,
		&kmip_certificate_identifier_table, &identifier));
	TRY(set_structure(edits, KMIP_ATTRIBUTE_CERTIFICATE_SUBJECT,
		&kmip_certificate_subject_table, &subject));
	TRY(set_structure(
		edits, KMIP_ATTRIBUTE_CERTIFICATE_ISSUER, &kmip_certificate_issuer_table, &issuer));
out:
	return err;
}

/* Since 1.4: each part of the names by itself. */
static enum err set_parts(struct attribute_edits *edits, const struct x509_facts *facts)
{
#define PART(name) \
	[X509_PART_##name] = { \
		KMIP_ATTRIBUTE_CERTIFICATE_SUBJECT_##name, \
		KMIP_ATTRIBUTE_CERTIFICATE_ISSUER_##name \
	}
	static const enum kmip_attribute_id ids[X509_PART_KINDS][2] = { PART(CN), PART(O), PART(OU),
		PART(EMAIL), PART(C), PART(ST), PART(L), PART(UID), PART(SERIAL_NUMBER),
		PART(TITLE), PART(DC), PART(DN_QUALIFIER) };
#undef PART
	enum err err = ERR_OK;

	for (size_t i = 0; i < facts->part_count; i++) {
		const struct x509_part *part = &facts->parts[i];
		const struct kmip_attribute_row *row =
			kmip_attribute_row(ids[part->kind][part->is_issuer ? 1 : 0]);
		struct kmip_value value = kmip_value_text(part->text);

		TRY(attribute_rules_keep(edits, row, slice_text(row->name), &value));
	}
out:
	return err;
}

/* ---- what its key may do ---- */

/* Section 3.19. What only one side may do is of the mask as of Key Usage, and not the other way. */
static const struct usage_row {
	int32_t mask;
	unsigned usage;
	bool one_way;
} usage_rows[] = {
	{ KMIP_CRYPTOGRAPHIC_USAGE_MASK_SIGN | KMIP_CRYPTOGRAPHIC_USAGE_MASK_VERIFY,
		X509_USAGE_SIGN, false },
	{ KMIP_CRYPTOGRAPHIC_USAGE_MASK_CONTENT_COMMITMENT, X509_USAGE_COMMIT, false },
	{ KMIP_CRYPTOGRAPHIC_USAGE_MASK_WRAP_KEY | KMIP_CRYPTOGRAPHIC_USAGE_MASK_UNWRAP_KEY,
		X509_USAGE_WRAP, false },
	{ KMIP_CRYPTOGRAPHIC_USAGE_MASK_ENCRYPT | KMIP_CRYPTOGRAPHIC_USAGE_MASK_DECRYPT,
		X509_USAGE_ENCRYPT, false },
	{ KMIP_CRYPTOGRAPHIC_USAGE_MASK_KEY_AGREEMENT, X509_USAGE_AGREE, false },
	{ KMIP_CRYPTOGRAPHIC_USAGE_MASK_CERTIFICATE_SIGN, X509_USAGE_CERTIFY, false },
	{ KMIP_CRYPTOGRAPHIC_USAGE_MASK_CRL_SIGN, X509_USAGE_SIGN_LISTS, false },
	{ KMIP_CRYPTOGRAPHIC_USAGE_MASK_ENCRYPT, X509_USAGE_ENCRYPT_ONLY, true },
	{ KMIP_CRYPTOGRAPHIC_USAGE_MASK_DECRYPT, X509_USAGE_DECRYPT_ONLY, true },
};
enum { USAGE_ROWS = sizeof(usage_rows) / sizeof(usage_rows[0]) };

unsigned certificates_usage(int32_t mask)
{
	unsigned usage = 0;

	for (size_t i = 0; i < USAGE_ROWS; i++) {
		if (!usage_rows[i].one_way && (mask & usage_rows[i].mask) != 0)
			usage |= usage_rows[i].usage;
	}
	return usage;
}

/* What the client says of the mask holds. */
static enum err set_mask(struct attribute_edits *edits, unsigned usage)
{
	struct kmip_value mask = kmip_value_integer(0);
	struct kmip_value said;

	if (usage == 0 ||
		attribute_rules_get(edits, KMIP_ATTRIBUTE_CRYPTOGRAPHIC_USAGE_MASK, &said))
		return ERR_OK;
	for (size_t i = 0; i < USAGE_ROWS; i++) {
		if ((usage & usage_rows[i].usage) != 0)
			mask.integer |= usage_rows[i].mask;
	}
	return attribute_rules_set(edits, KMIP_ATTRIBUTE_CRYPTOGRAPHIC_USAGE_MASK, &mask);
}

/* ---- its key ---- */

/* Of a key on a curve the client may know what it is for. */
static enum err join_key(struct attribute_edits *edits, const struct x509_facts *facts)
{
	uint32_t algorithm = key_number(facts->key_algorithm);
	struct algorithm_key *key = &edits->key;

	if (key->algorithm == 0)
		key->algorithm = asymmetric_algorithm_in(algorithm, edits->version);
	if (algorithm != 0 && !asymmetric_is_kind(key->algorithm, algorithm))
		return ERR_FIELD;
	if (key->length_bits != 0 && key->length_bits != (int32_t) facts->key_bits)
		return ERR_FIELD;
	key->length_bits = (int32_t) facts->key_bits;
	return ERR_OK;
}

static enum err describe_x509(struct attribute_edits *edits, struct slice der)
{
	struct x509_facts facts;
	struct kmip_value signature;
	struct buf memory;
	enum err err;

	buf_init(&memory, FACTS_PER_BYTE * der.len);
	err = x509_facts(&facts, der, &memory);
	TRY(err == ERR_INVALID || err == ERR_LIMIT ? ERR_FIELD : err);
	TRY(set_names(edits, &facts));
	TRY(set_old_names(edits, &facts));
	TRY(set_parts(edits, &facts));
	signature = kmip_value_enum(signature_number(facts.signature));
	if (signature.u32 != 0)
		TRY(set_said(edits, KMIP_ATTRIBUTE_DIGITAL_SIGNATURE_ALGORITHM, &signature));
	TRY(join_key(edits, &facts));
	TRY(set_mask(edits, facts.usage));
out:
	buf_free(&memory);
	return err;
}

enum err certificates_describe(
	struct attribute_edits *edits, const struct kmip_certificate *certificate)
{
	struct kmip_value type = kmip_value_enum(certificate->type.value);
	struct kmip_value length = kmip_value_integer((int32_t) certificate->value.len);
	enum err err;

	TRY(set_said(edits, KMIP_ATTRIBUTE_CERTIFICATE_TYPE, &type));
	TRY(set_said(edits, KMIP_ATTRIBUTE_CERTIFICATE_LENGTH, &length));
	if (certificate->type.value == KMIP_CERTIFICATE_TYPE_X_509)
		TRY(describe_x509(edits, certificate->value));
out:
	return err;
}
