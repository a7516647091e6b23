/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/certificates.h"
#include <ctype.h>
#include "base/text.h"
#include "base/x509.h"

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
	edits->key.algorithm = key_number(facts.key_algorithm);
	edits->key.length_bits = (int32_t) facts.key_bits;
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
