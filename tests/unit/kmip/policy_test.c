/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shows how an operator's line becomes a policy: presets, more and less than a preset, lists, least
 * lengths; that every word which means nothing is refused with a sentence that names it; and that
 * AES with 256 bits cannot be forbidden.
 */
#include <criterion/criterion.h>
#include <string.h>
#include "kmip/policy.h"

static struct policy parsed(const char *text)
{
	char why[POLICY_WHY_MAX] = "";
	struct policy policy;

	cr_assert_eq(policy_parse(&policy, text, why), ERR_OK, "%s: %s", text, why);
	cr_assert_str_eq(policy.text, text);
	return policy;
}

#define bits(policy, name) policy_key_bits_min(policy, KMIP_CRYPTOGRAPHIC_ALGORITHM_##name)

Test(policy, presets)
{
	struct policy all = parsed("all"), fips = parsed("FIPS");

	cr_assert(all.is_open);
	cr_assert_eq(bits(&all, RC4), 0);
	cr_assert_eq(policy_key_bits_min(&all, 0x80000001), 0);
	cr_assert(policy_allows_hash(&all, "MD5"));
	cr_assert(policy_allows(&all, POLICY_SHA1_SIGNATURES));

	cr_assert_not(fips.is_open);
	cr_assert_eq(bits(&fips, AES), 128);
	cr_assert_eq(bits(&fips, RSA), 2048);
	cr_assert_eq(bits(&fips, ECDSA), 224);
	cr_assert_eq(bits(&fips, HMAC_SHA1), 112);
	cr_assert_eq(bits(&fips, 3DES), INT32_MAX);
	cr_assert_eq(bits(&fips, DSA), INT32_MAX);
	cr_assert_eq(bits(&fips, CHACHA20), INT32_MAX);
	cr_assert_eq(policy_key_bits_min(&fips, 0x80000001), INT32_MAX);
	cr_assert(policy_allows_hash(&fips, "SHA1"));
	cr_assert(policy_allows_hash(&fips, "SHA512-256"));
	cr_assert(policy_allows_hash(&fips, "SHA3-384"));
	cr_assert_not(policy_allows_hash(&fips, "MD5"));
	cr_assert_not(policy_allows_hash(&fips, "RIPEMD160"));
	for (size_t i = 0; i < POLICY_EXTRAS; i++)
		cr_assert_not(policy_allows(&fips, (enum policy_extra) i));
}

Test(policy, more_and_less_than_a_preset)
{
	struct policy less = parsed("all -3DES, -md5 -sha-1-signatures");
	struct policy more = parsed("fips  ChaCha20Poly1305 3des:168\tMD5 other-curves -DH");

	cr_assert_not(less.is_open);
	cr_assert_eq(bits(&less, 3DES), INT32_MAX);
	cr_assert_eq(bits(&less, RC4), 0);
	cr_assert_not(policy_allows_hash(&less, "MD5"));
	cr_assert(policy_allows_hash(&less, "SHA1"));
	cr_assert_not(policy_allows(&less, POLICY_SHA1_SIGNATURES));
	cr_assert(policy_allows(&less, POLICY_RAW_RSA));

	cr_assert_eq(bits(&more, CHACHA20POLY1305), 0);
	cr_assert_eq(bits(&more, 3DES), 168);
	cr_assert_eq(bits(&more, RSA), 2048);
	cr_assert_eq(bits(&more, DH), INT32_MAX);
	cr_assert(policy_allows_hash(&more, "MD5"));
	cr_assert(policy_allows(&more, POLICY_OTHER_CURVES));
}

/* What is not named is not allowed; AES with 256 bits is, named or not. */
Test(policy, lists)
{
	struct policy list = parsed("RSA:3072 hmac_sha256 SHA256");
	struct policy aes = parsed("AES:192");

	cr_assert_eq(bits(&list, RSA), 3072);
	cr_assert_eq(bits(&list, HMAC_SHA256), 0);
	cr_assert_eq(bits(&list, AES), 256);
	cr_assert_eq(bits(&list, EC), INT32_MAX);
	cr_assert(policy_allows_hash(&list, "SHA256"));
	cr_assert_not(policy_allows_hash(&list, "SHA512"));
	cr_assert_eq(bits(&aes, AES), 192);
}

/* Both kinds of SHA-3 are one word. */
Test(policy, one_word_for_key_and_hash)
{
	struct policy list = parsed("SHA3-256");

	cr_assert_eq(bits(&list, SHA3_256), 0);
	cr_assert(policy_allows_hash(&list, "SHA3-256"));
	cr_assert_not(policy_allows_hash(&list, "SHA3-512"));
}

Test(policy, refusals)
{
	static const struct {
		const char *text, *said;
	} rows[] = {
		{ " , ", "names nothing" },
		{ "AES 3DS", "\"3DS\" is no algorithm" },
		{ "fibs", "\"fibs\" is no algorithm" },
		{ "RSA fips", "\"fips\" has to be the first" },
		{ "fips all", "\"all\" has to be the first" },
		{ "-3DES", "\"-3DES\" takes away" },
		{ "AES -3DES", "\"-3DES\" takes away" },
		{ "all -AES", "\"AES\" with 256 bits is always allowed" },
		{ "AES:512", "\"AES\" with 256 bits is always allowed" },
		{ "RSA:", "\"RSA:\" is not" },
		{ "RSA:big", "\"RSA:big\" is not" },
		{ "RSA:99999999", "\"RSA:99999999\" is not" },
		{ "all -RSA:2048", "\"-RSA:2048\" is not" },
		{ "SHA-256:256", "\"SHA-256\" has no length" },
		{ "all --", "\"-\" is no algorithm" },
		{ ":", "\":\" is not NAME" },
	};
	char why[POLICY_WHY_MAX], long_text[POLICY_TEXT_LEN_MAX + 2];
	struct policy policy;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		why[0] = '\0';
		cr_assert_eq(
			policy_parse(&policy, rows[i].text, why), ERR_CONFIG, "%s", rows[i].text);
		cr_assert_not_null(strstr(why, rows[i].said), "%s: %s", rows[i].text, why);
	}
	for (size_t i = 0; i < sizeof(long_text); i++)
		long_text[i] = 'A';
	long_text[sizeof(long_text) - 1] = '\0';
	cr_assert_eq(policy_parse(&policy, long_text, why), ERR_CONFIG);
	cr_assert_not_null(strstr(why, "400"));
}

/* What is compared between the nodes is what is allowed, not how it is written. */
Test(policy, digests)
{
	static const struct {
		const char *left, *right;
		bool same;
	} rows[] = {
		{ "fips", "FIPS", true },
		{ "AES RSA:3072", "rsa:3072, aes", true },
		{ "all", "all 3DES", true },
		{ "all", "fips", false },
		{ "RSA:2048", "RSA:3072", false },
		{ "fips", "fips MD5", false },
		{ "fips", "fips raw-RSA", false },
	};
	uint8_t left[CRYPT_SHA256_LEN], right[CRYPT_SHA256_LEN];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct policy first = parsed(rows[i].left), second = parsed(rows[i].right);

		cr_assert_eq(policy_digest(left, &first), ERR_OK);
		cr_assert_eq(policy_digest(right, &second), ERR_OK);
		cr_assert_eq(
			slice_equal(slice_of(left, sizeof(left)), slice_of(right, sizeof(right))),
			rows[i].same, "%s, %s", rows[i].left, rows[i].right);
	}
}
