/* SPDX-License-Identifier: Apache-2.0 */
#include "base/x509.h"
#include <time.h>
#include "base/x509_private.h"

enum err x509_seconds(int64_t *out, const ASN1_TIME *date)
{
	struct tm broken_down;

	if (date == NULL || ASN1_TIME_to_tm(date, &broken_down) != 1)
		return ERR_INVALID;
	*out = (int64_t) timegm(&broken_down);
	return ERR_OK;
}

int x509_no_passphrase(char *out, int size, int writing, void *ctx)
{
	(void) out;
	(void) size;
	(void) writing;
	(void) ctx;
	return -1;
}

static enum err keep(struct slice *out, struct buf *memory, struct slice bytes)
{
	uint8_t *to;
	enum err err;

	TRY(buf_reserve(memory, bytes.len, &to));
	if (bytes.len > 0)
		bytes_copy(to, bytes.data, bytes.len);
	buf_commit(memory, bytes.len);
	*out = slice_of(to, bytes.len);
out:
	return err;
}

static enum err keep_name(
	struct slice *der, struct slice *text, struct buf *memory, const X509_NAME *name)
{
	unsigned char *bytes = NULL;
	BIO *bio = BIO_new(BIO_s_mem());
	char *chars = NULL;
	long chars_len;
	int len = i2d_X509_NAME(name, &bytes);
	enum err err = bio == NULL || len < 0 ? ERR_NOMEM : ERR_OK;

	TRY(err);
	TRY(keep(der, memory, slice_of(bytes, (size_t) len)));
	if (X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) < 0)
		TRY(ERR_INVALID);
	chars_len = BIO_get_mem_data(bio, &chars);
	TRY(keep(text, memory, slice_of(chars, chars_len > 0 ? (size_t) chars_len : 0)));
out:
	OPENSSL_free(bytes);
	BIO_free(bio);
	return err;
}

static enum err keep_serial(struct x509_facts *out, struct buf *memory, const X509 *certificate)
{
	static const uint8_t zero = 0;
	BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), NULL);
	unsigned char *der = NULL;
	uint8_t *to;
	size_t len;
	int der_len;
	enum err err = number == NULL ? ERR_INVALID : ERR_OK;

	TRY(err);
	der_len = i2d_ASN1_INTEGER(X509_get0_serialNumber(certificate), &der);
	TRY(der_len < 0 ? ERR_NOMEM : ERR_OK);
	TRY(keep(&out->serial_der, memory, slice_of(der, (size_t) der_len)));
	len = (size_t) BN_num_bytes(number);
	if (len == 0)
		TRY(keep(&out->serial, memory, slice_of(&zero, 1)));
	TRY(buf_reserve(memory, len, &to));
	BN_bn2bin(number, to);
	buf_commit(memory, len);
	if (len > 0)
		out->serial = slice_of(to, len);
out:
	OPENSSL_free(der);
	BN_free(number);
	return err;
}

static enum err keep_alt_names(struct x509_facts *out, struct buf *memory, const X509 *certificate)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	enum err err = ERR_OK;

	for (int i = 0; i < sk_GENERAL_NAME_num(names) && i < X509_ALT_NAMES_MAX; i++) {
		unsigned char *bytes = NULL;
		int len = i2d_GENERAL_NAME(sk_GENERAL_NAME_value(names, i), &bytes);

		err = len < 0 ? ERR_NOMEM
			      : keep(&out->alt_names[out->alt_name_count++], memory,
					slice_of(bytes, (size_t) len));
		OPENSSL_free(bytes);
		TRY(err);
	}
out:
	GENERAL_NAMES_free(names);
	return err;
}

static bool kind_of(enum x509_part_kind *out, const X509_NAME_ENTRY *entry)
{
	static const int nids[X509_PART_KINDS] = {
		[X509_PART_CN] = NID_commonName,
		[X509_PART_O] = NID_organizationName,
		[X509_PART_OU] = NID_organizationalUnitName,
		[X509_PART_EMAIL] = NID_pkcs9_emailAddress,
		[X509_PART_C] = NID_countryName,
		[X509_PART_ST] = NID_stateOrProvinceName,
		[X509_PART_L] = NID_localityName,
		[X509_PART_UID] = NID_userId,
		[X509_PART_SERIAL_NUMBER] = NID_serialNumber,
		[X509_PART_TITLE] = NID_title,
		[X509_PART_DC] = NID_domainComponent,
		[X509_PART_DN_QUALIFIER] = NID_dnQualifier,
	};
	int nid = OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry));

	for (int i = 0; i < X509_PART_KINDS; i++) {
		*out = (enum x509_part_kind) i;
		if (nids[i] == nid)
			return true;
	}
	return false;
}

static enum err keep_parts(
	struct x509_facts *out, struct buf *memory, const X509_NAME *name, bool is_issuer)
{
	enum err err = ERR_OK;

	for (int i = 0; i < X509_NAME_entry_count(name); i++) {
		const X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, i);
		struct x509_part part = { .is_issuer = is_issuer };
		unsigned char *text = NULL;
		int len;

		if (!kind_of(&part.kind, entry) || out->part_count == X509_PARTS_MAX)
			continue;
		len = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(entry));
		if (len <= 0)
			continue;
		err = keep(&part.text, memory, slice_of(text, (size_t) len));
		OPENSSL_free(text);
		TRY(err);
		out->parts[out->part_count++] = part;
	}
out:
	return err;
}

static void tell_key(struct x509_facts *out, const X509 *certificate)
{
	EVP_PKEY *key = X509_get0_pubkey(certificate); /* the certificate's */
	int nid = X509_get_signature_nid(certificate);

	out->signature = nid == NID_undef ? NULL : OBJ_nid2sn(nid);
	if (key == NULL)
		return;
	out->key_algorithm = OBJ_nid2sn(EVP_PKEY_get_base_id(key));
	out->key_bits = (uint32_t) EVP_PKEY_get_bits(key);
}

/* The bits of the extension, the first of which is the lowest of ours. */
static void tell_usage(struct x509_facts *out, const X509 *certificate)
{
	enum { BITS = 9 };
	ASN1_BIT_STRING *bits = X509_get_ext_d2i(certificate, NID_key_usage, NULL, NULL);

	for (int i = 0; bits != NULL && i < BITS; i++)
		out->usage |= (unsigned) ASN1_BIT_STRING_get_bit(bits, i) << i;
	ASN1_BIT_STRING_free(bits);
}

enum err x509_facts(struct x509_facts *out, struct slice der, struct buf *memory)
{
	const unsigned char *data = der.data;
	X509 *certificate = NULL;
	uint8_t *room;
	enum err err;

	*out = (struct x509_facts){ 0 };
	/* All at once, so that nothing moves while the parts are kept. */
	TRY(buf_reserve(memory, buf_room(memory), &room));
	certificate = d2i_X509(NULL, &data, (long) der.len);
	TRY(certificate == NULL || data != der.data + der.len ? ERR_INVALID : ERR_OK);
	TRY(keep_serial(out, memory, certificate));
	TRY(keep_name(&out->issuer, &out->issuer_text, memory, X509_get_issuer_name(certificate)));
	TRY(keep_name(
		&out->subject, &out->subject_text, memory, X509_get_subject_name(certificate)));
	TRY(keep_alt_names(out, memory, certificate));
	TRY(keep_parts(out, memory, X509_get_subject_name(certificate), false));
	TRY(keep_parts(out, memory, X509_get_issuer_name(certificate), true));
	tell_key(out, certificate);
	tell_usage(out, certificate);
out:
	X509_free(certificate);
	ERR_clear_error();
	return err;
}
