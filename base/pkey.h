/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asymmetric keys for clients that let the server make, convert and use them: RSA, elliptic curves,
 * DSA and Diffie-Hellman, as far as OpenSSL's default provider has them.
 */
#ifndef BASE_PKEY_H
#define BASE_PKEY_H

#include "base/buf.h"

struct pkey;

enum {
	PKEY_RSA_BITS_MIN = 1024, /* published cases use it; clients say what they want */
	PKEY_RSA_BITS_MAX = 8192,
	/* Of what is raised to a power as long: some 30 ms. RSA takes that long in all, by its
	 * factors; without them, and of other kinds, keys are no longer than this. */
	PKEY_POWER_BITS_MAX = 4096,
	PKEY_DOMAIN_BITS_MAX = 3072, /* of domain parameters that are made: minutes, beyond */
	PKEY_LEN_MAX = 16384, /* encoded */
	PKEY_CURVE_LEN_MAX = 32,
};

/* DER structures. TYPE_SPECIFIC is PKCS #1 for RSA and ECPrivateKey (SEC 1) for curves. */
enum pkey_form { PKEY_TYPE_SPECIFIC, PKEY_PKCS8, PKEY_PUBLIC_KEY_INFO };

/*
 * Makes a key: "RSA" with bits; "EC", "X25519" and their like with a curve's name; "DSA" and "DH"
 * with bits, DH also with a group's name ("ffdhe2048"), which is much faster. Takes from
 * milliseconds to many seconds: not for a loop (offload.h). ERR_FEATURE: no such algorithm or
 * curve; ERR_FIELD: not one of its lengths.
 */
struct pkey_wish {
	const char *algorithm, *curve;
	uint32_t bits;
};
MUST_USE enum err pkey_generate(struct pkey **out, const struct pkey_wish *wish);
/* ERR_INVALID: not such a key; ERR_FEATURE: longer than is used here. */
MUST_USE enum err pkey_parse(
	struct pkey **out, enum pkey_form form, bool is_private, struct slice der);
/* The public key of an X.509 certificate; errors as pkey_parse. */
MUST_USE enum err pkey_of_certificate(struct pkey **out, struct slice der);
/* ERR_FEATURE: this key has no such form. */
MUST_USE enum err pkey_encode(
	struct buf *out, const struct pkey *key, enum pkey_form form, bool is_private);
void pkey_free(struct pkey *key);

/* A key's numbers, big-endian, without sign; empty: not there, or not of this kind of key. */
struct pkey_numbers {
	const char *algorithm; /* "RSA", "EC", "DSA", "DH" */
	char curve[PKEY_CURVE_LEN_MAX]; /* OpenSSL's group name */
	struct slice n, e, d, p, q, dp, dq, qi; /* RSA; p and q also DSA's and DH's */
	struct slice g, x, y; /* DSA, DH: generator, private, public; EC: x private, y the point */
};
/* From numbers; ERR_INVALID: they are no key; ERR_FEATURE as above, or not of such kinds. */
MUST_USE enum err pkey_from_numbers(struct pkey **out, const struct pkey_numbers *numbers);
/* The numbers live in `memory`, which is empty before, has room for PKEY_LEN_MAX and must not
 * change afterwards. ERR_LIMIT: they are longer. */
MUST_USE enum err pkey_numbers(
	struct pkey_numbers *out, const struct pkey *key, bool is_private, struct buf *memory);

const char *pkey_algorithm(const struct pkey *key);
uint32_t pkey_bits(const struct pkey *key);
/* ERR_FEATURE: it has none that has a name. */
MUST_USE enum err pkey_curve(char out[PKEY_CURVE_LEN_MAX], const struct pkey *key);

/* How the point of a curve's key is written from now on; as it was read, until this is called.
 * ERR_FEATURE: no key of a curve. */
enum pkey_point_form { PKEY_POINT_UNCOMPRESSED, PKEY_POINT_COMPRESSED, PKEY_POINT_HYBRID };
MUST_USE enum err pkey_set_point_form(struct pkey *key, enum pkey_point_form form);
/* A curve over a field of characteristic two, not over a prime one. */
bool pkey_is_binary_curve(const struct pkey *key);

/* How a key is to be used. */
enum pkey_padding { PKEY_PADDING_NONE, PKEY_PADDING_PKCS1, PKEY_PADDING_PSS, PKEY_PADDING_OAEP };
struct pkey_use {
	const char *hash; /* NULL: the algorithm has its own, or none is needed */
	enum pkey_padding padding; /* RSA only */
	int32_t salt_len; /* PSS; negative: as long as the hash, and any that verifies */
	const char *mask_hash; /* of MGF1; NULL: `hash` for PSS, SHA1 for OAEP */
	struct slice label; /* OAEP's P source */
};

/* Signing and verifying, whole or in pieces. */
struct pkey_signing;
MUST_USE enum err pkey_signing_new(struct pkey_signing **out, const struct pkey *key,
	const struct pkey_use *use, bool verifies);
MUST_USE enum err pkey_signing_update(struct pkey_signing *signing, struct slice piece);
MUST_USE enum err pkey_signing_finish(struct pkey_signing *signing, struct buf *out);
/* ERR_OK also when the signature is wrong. */
MUST_USE enum err pkey_signing_verify(
	struct pkey_signing *signing, struct slice signature, bool *is_valid);
void pkey_signing_free(struct pkey_signing *signing);
/* The same of a digest that the client made. */
MUST_USE enum err pkey_sign_digest(
	struct buf *out, const struct pkey *key, const struct pkey_use *use, struct slice digest);
struct pkey_signed_digest {
	struct slice digest, signature;
};
MUST_USE enum err pkey_verify_digest(bool *is_valid, const struct pkey *key,
	const struct pkey_use *use, const struct pkey_signed_digest *what);

/* ERR_CRYPTO: too long, or it does not open. */
MUST_USE enum err pkey_encrypt(
	struct buf *out, const struct pkey *key, const struct pkey_use *use, struct slice plain);
MUST_USE enum err pkey_decrypt(
	struct buf *out, const struct pkey *key, const struct pkey_use *use, struct slice sealed);
/* The shared secret of our private and their public key. */
MUST_USE enum err pkey_agree(
	struct buf *out, const struct pkey *private_key, const struct pkey *public_key);

#endif
