/* SPDX-License-Identifier: Apache-2.0 */
/* Asymmetric keys: every form there and back, numbers there and back, and what each kind can do;
 * bytes that are no key. */
#include <criterion/criterion.h>
#include "base/pkey.h"

enum { OUT_MAX = 4 * PKEY_LEN_MAX };

static const struct slice text = { (const uint8_t *) "what is signed", 14 };

static struct pkey *made(const char *algorithm, uint32_t bits, const char *curve)
{
	struct pkey_wish wish = { .algorithm = algorithm, .bits = bits, .curve = curve };
	struct pkey *key;

	cr_assert_eq(pkey_generate(&key, &wish), ERR_OK, "%s", algorithm);
	return key;
}

/* The same bytes again after parsing what was encoded. */
static void assert_round(const struct pkey *key, enum pkey_form form, bool is_private)
{
	struct buf first, second;
	struct pkey *again;

	buf_init(&first, OUT_MAX);
	buf_init(&second, OUT_MAX);
	cr_assert_eq(pkey_encode(&first, key, form, is_private), ERR_OK);
	cr_assert_eq(pkey_parse(&again, form, is_private, buf_slice(&first)), ERR_OK);
	cr_assert_eq(pkey_encode(&second, again, form, is_private), ERR_OK);
	cr_assert(slice_equal(buf_slice(&first), buf_slice(&second)));
	pkey_free(again);

	/* A byte more, a byte less. */
	cr_assert_eq(pkey_parse(&again, form, is_private,
			     slice_cut(buf_slice(&first), 0, buf_slice(&first).len - 1)),
		ERR_INVALID);
	cr_assert_eq(buf_append_u8(&first, 0), ERR_OK);
	cr_assert_eq(pkey_parse(&again, form, is_private, buf_slice(&first)), ERR_INVALID);
	buf_free(&first);
	buf_free(&second);
}

static void assert_numbers(const struct pkey *key, bool is_private)
{
	enum pkey_form form = is_private ? PKEY_PKCS8 : PKEY_PUBLIC_KEY_INFO;
	struct pkey_numbers numbers;
	struct pkey *again;
	struct buf memory, first, second;

	buf_init(&memory, OUT_MAX);
	buf_init(&first, OUT_MAX);
	buf_init(&second, OUT_MAX);
	cr_assert_eq(pkey_numbers(&numbers, key, is_private, &memory), ERR_OK);
	cr_assert_eq(pkey_from_numbers(&again, &numbers), ERR_OK);
	cr_assert_eq(pkey_encode(&first, key, form, is_private), ERR_OK);
	cr_assert_eq(pkey_encode(&second, again, form, is_private), ERR_OK);
	cr_assert(slice_equal(buf_slice(&first), buf_slice(&second)));
	pkey_free(again);
	buf_free(&memory);
	buf_free(&first);
	buf_free(&second);
}

static void assert_signs(const struct pkey *key, const struct pkey_use *use)
{
	struct pkey_signing *signing;
	struct buf signature;
	bool is_valid;

	buf_init(&signature, OUT_MAX);
	cr_assert_eq(pkey_signing_new(&signing, key, use, false), ERR_OK);
	cr_assert_eq(pkey_signing_update(signing, slice_cut(text, 0, 5)), ERR_OK);
	cr_assert_eq(pkey_signing_update(signing, slice_cut(text, 5, 20)), ERR_OK);
	cr_assert_eq(pkey_signing_finish(signing, &signature), ERR_OK);
	pkey_signing_free(signing);
	for (size_t cut = 0; cut < 2; cut++) {
		cr_assert_eq(pkey_signing_new(&signing, key, use, true), ERR_OK);
		cr_assert_eq(
			pkey_signing_update(signing, slice_cut(text, 0, text.len - cut)), ERR_OK);
		cr_assert_eq(
			pkey_signing_verify(signing, buf_slice(&signature), &is_valid), ERR_OK);
		cr_assert_eq(is_valid, cut == 0);
		pkey_signing_free(signing);
	}
	buf_free(&signature);
}

Test(pkey, rsa)
{
	struct pkey *key = made("RSA", 2048, NULL);
	struct pkey_use pkcs1 = { .hash = "SHA256", .padding = PKEY_PADDING_PKCS1 };
	struct pkey_use pss = { .hash = "SHA256", .padding = PKEY_PADDING_PSS, .salt_len = -1 };
	struct pkey_use oaep = { .hash = "SHA384",
		.padding = PKEY_PADDING_OAEP,
		.mask_hash = "SHA256",
		.label = SLICE_LITERAL("Kilroy") };
	static const uint8_t digest[32] = { 1, 2, 3 };
	struct pkey_signed_digest signed_digest = { .digest = slice_of(digest, sizeof(digest)) };
	struct buf sealed, opened;
	bool is_valid;

	cr_assert_eq(pkey_bits(key), 2048);
	assert_round(key, PKEY_TYPE_SPECIFIC, true);
	assert_round(key, PKEY_TYPE_SPECIFIC, false);
	assert_round(key, PKEY_PKCS8, true);
	assert_round(key, PKEY_PUBLIC_KEY_INFO, false);
	assert_numbers(key, true);
	assert_numbers(key, false);
	assert_signs(key, &pkcs1);
	assert_signs(key, &pss);

	buf_init(&sealed, OUT_MAX);
	buf_init(&opened, OUT_MAX);
	cr_assert_eq(pkey_encrypt(&sealed, key, &oaep, text), ERR_OK);
	cr_assert_eq(pkey_decrypt(&opened, key, &oaep, buf_slice(&sealed)), ERR_OK);
	cr_assert(slice_equal(buf_slice(&opened), text));
	oaep.label = SLICE_LITERAL("Kilroz");
	cr_assert_eq(pkey_decrypt(&opened, key, &oaep, buf_slice(&sealed)), ERR_CRYPTO);

	buf_clear(&sealed);
	cr_assert_eq(pkey_sign_digest(&sealed, key, &pkcs1, signed_digest.digest), ERR_OK);
	signed_digest.signature = buf_slice(&sealed);
	cr_assert_eq(pkey_verify_digest(&is_valid, key, &pkcs1, &signed_digest), ERR_OK);
	cr_assert(is_valid);
	cr_assert_eq(pkey_verify_digest(&is_valid, key, &pss, &signed_digest), ERR_OK);
	cr_assert_not(is_valid);
	buf_free(&sealed);
	buf_free(&opened);
	pkey_free(key);
}

Test(pkey, curves)
{
	struct pkey *key = made("EC", 0, "P-256"), *other = made("EC", 0, "P-256");
	struct pkey_use use = { .hash = "SHA256" };
	struct buf ours, theirs;

	assert_round(key, PKEY_TYPE_SPECIFIC, true);
	assert_round(key, PKEY_PKCS8, true);
	assert_round(key, PKEY_PUBLIC_KEY_INFO, false);
	assert_numbers(key, true);
	assert_numbers(key, false);
	assert_signs(key, &use);
	buf_init(&ours, OUT_MAX);
	buf_init(&theirs, OUT_MAX);
	cr_assert_eq(pkey_agree(&ours, key, other), ERR_OK);
	cr_assert_eq(pkey_agree(&theirs, other, key), ERR_OK);
	cr_assert(slice_equal(buf_slice(&ours), buf_slice(&theirs)));
	cr_assert_eq(pkey_encrypt(&ours, key, &use, text), ERR_ILLEGAL);
	buf_free(&ours);
	buf_free(&theirs);
	pkey_free(key);
	pkey_free(other);
}

Test(pkey, refusals)
{
	struct pkey_wish wish = { .algorithm = "RSA", .bits = 512 };
	struct pkey_numbers numbers = { .algorithm = "RSA", .n = text };
	struct pkey *key;

	cr_assert_eq(pkey_generate(&key, &wish), ERR_FIELD);
	wish.bits = 2049;
	cr_assert_eq(pkey_generate(&key, &wish), ERR_FIELD);
	wish = (struct pkey_wish){ .algorithm = "EC", .curve = "no-such-curve" };
	cr_assert_eq(pkey_generate(&key, &wish), ERR_FIELD);
	wish.algorithm = "nonsense";
	cr_assert_eq(pkey_generate(&key, &wish), ERR_FEATURE);
	cr_assert_eq(pkey_parse(&key, PKEY_PKCS8, true, text), ERR_INVALID);
	cr_assert_eq(pkey_parse(&key, PKEY_PKCS8, true, SLICE_EMPTY), ERR_INVALID);
	cr_assert_eq(pkey_from_numbers(&key, &numbers), ERR_INVALID);
	numbers.algorithm = "nonsense";
	cr_assert_eq(pkey_from_numbers(&key, &numbers), ERR_FEATURE);
}
