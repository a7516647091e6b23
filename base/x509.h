/* SPDX-License-Identifier: Apache-2.0 */
/* What a client's X.509 certificate says of itself. Nothing is verified here. */
#ifndef BASE_X509_H
#define BASE_X509_H

#include "base/buf.h"

enum { X509_ALT_NAMES_MAX = 64, X509_PARTS_MAX = 64 };

/* The parts of a name that are told one by one; a name may have several of one kind. */
enum x509_part_kind {
	X509_PART_CN,
	X509_PART_O,
	X509_PART_OU,
	X509_PART_EMAIL,
	X509_PART_C,
	X509_PART_ST,
	X509_PART_L,
	X509_PART_UID,
	X509_PART_SERIAL_NUMBER,
	X509_PART_TITLE,
	X509_PART_DC,
	X509_PART_DN_QUALIFIER,
	X509_PART_KINDS
};
struct x509_part {
	enum x509_part_kind kind;
	bool is_issuer; /* the issuer's name, not the subject's */
	struct slice text; /* UTF-8, not empty */
};

/* Bits of the extension Key Usage. */
enum x509_usage {
	X509_USAGE_SIGN = 1, /* digitalSignature */
	X509_USAGE_COMMIT = 2, /* contentCommitment */
	X509_USAGE_WRAP = 4, /* keyEncipherment */
	X509_USAGE_ENCRYPT = 8, /* dataEncipherment */
	X509_USAGE_AGREE = 16, /* keyAgreement */
	X509_USAGE_CERTIFY = 32, /* keyCertSign */
	X509_USAGE_SIGN_LISTS = 64, /* cRLSign */
	X509_USAGE_ENCRYPT_ONLY = 128, /* encipherOnly */
	X509_USAGE_DECRYPT_ONLY = 256, /* decipherOnly */
};

/* Slices live in the memory that was given. */
struct x509_facts {
	struct slice serial; /* big-endian, without sign; one zero byte for zero */
	struct slice serial_der; /* as the certificate has it: an INTEGER */
	struct slice issuer, subject; /* DER of the names */
	struct slice issuer_text, subject_text; /* RFC 2253 */
	struct slice alt_names[X509_ALT_NAMES_MAX]; /* DER of the subject's alternative names */
	size_t alt_name_count;
	struct x509_part parts[X509_PARTS_MAX];
	size_t part_count;
	const char *signature; /* OpenSSL's name: "RSA-SHA256"; NULL: unknown */
	const char *key_algorithm; /* "rsaEncryption", "id-ecPublicKey", "DSA"; NULL: unknown */
	uint32_t key_bits;
	unsigned usage; /* of enum x509_usage; 0: it does not say */
};

/* ERR_INVALID: no certificate, or bytes behind it. Appends to memory, which has room for six times
 * the certificate. */
MUST_USE enum err x509_facts(struct x509_facts *out, struct slice der, struct buf *memory);

#endif
