/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which algorithms the clients of an instance may protect data with: the option algorithm-policy, a
 * line of words. Begins with a preset or with an algorithm; what is not named is not allowed.
 *
 *	all                     everything that is served
 *	fips                    what SP 800-131A allows (spec/policies.def)
 *	all -3DES -MD5          a preset without some
 *	fips ChaCha20Poly1305   a preset and more
 *	AES:256 RSA:3072 SHA-256 SHA-384
 *
 * Names are KMIP's of Cryptographic Algorithm and Hashing Algorithm, whatever their case, dashes
 * and underscores; a number is the least length in bits. AES with 256 bits is always allowed: it is
 * what vSphere makes. What is protected already can be read and verified under every policy.
 */
#ifndef KMIP_POLICY_H
#define KMIP_POLICY_H

#include "base/crypt.h"
#include "base/err.h"
#include "base/slice.h"
#include "keystore/ids.h"
#include "kmip/spec.h"

enum {
	POLICY_TEXT_LEN_MAX = 400,
	POLICY_WHY_MAX = 200,
	POLICY_NUMBERS = 64 /* more than a set of 2.1 has */
};

enum policy_extra {
#define FIPS_KEY(name, bits)
#define FIPS_HASH(name)
#define EXTRA(name, text, help) POLICY_##name,
#include "kmip/spec/policies.def"
#undef EXTRA
#undef FIPS_HASH
#undef FIPS_KEY
	POLICY_EXTRAS
};

struct policy {
	char text[POLICY_TEXT_LEN_MAX + 1]; /* as the operator wrote it */
	bool is_open; /* `all` and nothing taken away */
	int32_t key_bits_min[POLICY_NUMBERS]; /* by Cryptographic Algorithm; INT32_MAX: none */
	bool hashes[POLICY_NUMBERS]; /* by Hashing Algorithm */
	bool extras[POLICY_EXTRAS];
};

/* why: what is wrong with which word, and what is expected. */
MUST_USE enum err policy_parse(struct policy *out, const char *text, char why[POLICY_WHY_MAX]);

/* The same for policies that allow the same, however they are written. */
MUST_USE enum err policy_digest(uint8_t out[CRYPT_SHA256_LEN], const struct policy *policy);
/* The least length in bits; INT32_MAX: that algorithm is not allowed. */
int32_t policy_key_bits_min(const struct policy *policy, uint32_t cryptographic_algorithm);
/* By the cryptographic library's name ("SHA512-256"), which says the same as KMIP's. */
bool policy_allows_hash(const struct policy *policy, const char *hash);
bool policy_allows(const struct policy *policy, enum policy_extra extra);

/* What an instance's clients may do; no entry: everything. */
struct instance_policy {
	struct instance_id instance;
	struct policy policy;
};

#endif
