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

/* The numbers of a key that nobody has to have made: what counts is how long they are. */
static struct slice long_number(size_t bits)
{
	static uint8_t ones[PKEY_LEN_MAX];

	for (size_t i = 0; i < sizeof(ones); i++)
		ones[i] = 0xff;
	return slice_of(ones, bits / 8);
}

static void put_der(struct buf *to, uint8_t tag, struct slice content)
{
	cr_assert_eq(buf_append_u8(to, tag), ERR_OK);
	cr_assert_eq(buf_append_u8(to, 0x82), ERR_OK);
	cr_assert_eq(buf_append_be16(to, (uint16_t) content.len), ERR_OK);
	cr_assert_eq(buf_append(to, content), ERR_OK);
}

static void put_number(struct buf *to, size_t bits)
{
	struct buf number;

	buf_init(&number, OUT_MAX);
	cr_assert_eq(buf_append_u8(&number, 0), ERR_OK);
	cr_assert_eq(buf_append(&number, long_number(bits)), ERR_OK);
	put_der(to, 0x02, buf_slice(&number));
	buf_free(&number);
}

/* A DSA key as PKCS #8, whose public part OpenSSL computes when it reads it. */
static void put_dsa(struct buf *to, size_t modulus_bits, size_t private_bits)
{
	static const uint8_t version[] = { 2, 1, 0 }, dsa[] = { 6, 7, 42, 134, 72, 206, 56, 4, 1 };
	struct buf numbers, algorithm, key, all;

	buf_init(&numbers, OUT_MAX);
	buf_init(&algorithm, OUT_MAX);
	buf_init(&key, OUT_MAX);
	buf_init(&all, OUT_MAX);
	put_number(&numbers, modulus_bits);
	put_number(&numbers, 256);
	put_number(&numbers, 2048);
	cr_assert_eq(buf_append(&algorithm, slice_of(dsa, sizeof(dsa))), ERR_OK);
	put_der(&algorithm, 0x30, buf_slice(&numbers));
	put_number(&key, private_bits);
	cr_assert_eq(buf_append(&all, slice_of(version, sizeof(version))), ERR_OK);
	put_der(&all, 0x30, buf_slice(&algorithm));
	put_der(&all, 0x04, buf_slice(&key));
	put_der(to, 0x30, buf_slice(&all));
	buf_free(&numbers);
	buf_free(&algorithm);
	buf_free(&key);
	buf_free(&all);
}

/* What signs with one of the two verifies with the other. */
static void assert_same_key(const struct pkey *signs, const struct pkey *verifies)
{
	struct pkey_use use = { .hash = "SHA256", .padding = PKEY_PADDING_PKCS1, .salt_len = -1 };
	struct pkey_signing *signing;
	struct buf out;
	bool is_valid = false;

	buf_init(&out, PKEY_LEN_MAX);
	cr_assert_eq(pkey_signing_new(&signing, signs, &use, false), ERR_OK);
	cr_assert_eq(pkey_signing_update(signing, text), ERR_OK);
	cr_assert_eq(pkey_signing_finish(signing, &out), ERR_OK);
	pkey_signing_free(signing);
	cr_assert_eq(pkey_signing_new(&signing, verifies, &use, true), ERR_OK);
	cr_assert_eq(pkey_signing_update(signing, text), ERR_OK);
	cr_assert_eq(pkey_signing_verify(signing, buf_slice(&out), &is_valid), ERR_OK);
	cr_assert(is_valid);
	pkey_signing_free(signing);
	buf_free(&out);
}

/* What KMIP lets a transparent key leave out is made from the rest: of RSA all but the modulus and
 * private exponent or primes, of a curve the point. What does not fit is no key. */
Test(pkey, numbers_left_out)
{
	struct pkey *whole = made("RSA", 1024, NULL), *curve = made("EC", 0, "P-256"), *again;
	struct pkey_numbers all, some;
	struct buf memory;

	buf_init(&memory, OUT_MAX);
	cr_assert_eq(pkey_numbers(&all, whole, true, &memory), ERR_OK);
	some = (struct pkey_numbers){ .algorithm = "RSA", .n = all.n, .d = all.d };
	cr_assert_eq(pkey_from_numbers(&again, &some), ERR_OK);
	assert_same_key(again, whole);
	pkey_free(again);
	some = (struct pkey_numbers){
		.algorithm = "RSA", .n = all.n, .e = all.e, .p = all.p, .q = all.q
	};
	cr_assert_eq(pkey_from_numbers(&again, &some), ERR_OK);
	assert_same_key(again, whole);
	assert_round(again, PKEY_TYPE_SPECIFIC, true);
	pkey_free(again);
	some.e = SLICE_EMPTY;
	cr_assert_eq(pkey_from_numbers(&again, &some), ERR_INVALID);
	some.d = all.p; /* no private exponent of that modulus */
	some.p = some.q = SLICE_EMPTY;
	cr_assert_eq(pkey_from_numbers(&again, &some), ERR_INVALID);
	buf_clear(&memory);
	cr_assert_eq(pkey_numbers(&all, curve, true, &memory), ERR_OK);
	some = all;
	some.y = SLICE_EMPTY;
	cr_assert_eq(pkey_from_numbers(&again, &some), ERR_OK);
	assert_same_key(curve, again);
	assert_round(again, PKEY_PKCS8, true);
	pkey_free(again);
	some.x = slice_cut(all.y, 0, 33); /* beyond the group's order */
	cr_assert_eq(pkey_from_numbers(&again, &some), ERR_INVALID);
	buf_free(&memory);
	pkey_free(whole);
	pkey_free(curve);
}

/* A key that would hold a loop for longer than some 0.1 s is refused: its modulus, its factors, its
 * exponents, and without reading it where reading computes. */
Test(pkey, too_long)
{
	static const struct {
		size_t n, e, d, p; /* q, dp, dq and qi are as long as p */
		enum err err;
	} rows[] = {
		{ 8192, 32, 8192, 4096, ERR_OK },
		{ 8192, 32, 0, 0, ERR_OK },
		{ 4096, 32, 4096, 0, ERR_OK },
		{ 8200, 32, 0, 0, ERR_FEATURE },
		{ 4104, 32, 4104, 0, ERR_FEATURE },
		{ 2048, 32, 16384, 0, ERR_FEATURE },
		{ 4096, 4096, 0, 0, ERR_FEATURE },
		{ 2048, 32, 2048, 4104, ERR_FEATURE },
	};
	static const struct {
		size_t modulus, private;
		bool is_refused;
	} domains[] = { { 3072, 256, false }, { 4104, 256, true }, { 2048, 4200, true },
		{ 20000, 20000, true } };
	struct pkey_numbers dsa = { .algorithm = "DSA" };
	struct pkey_wish wish = { .algorithm = "DSA", .bits = 3080 };
	struct pkey *key = NULL;
	struct buf der;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct slice factor = long_number(rows[i].p);
		struct pkey_numbers numbers = { .algorithm = "RSA",
			.n = long_number(rows[i].n),
			.e = long_number(rows[i].e),
			.d = long_number(rows[i].d),
			.p = factor,
			.q = factor,
			.dp = factor,
			.dq = factor,
			.qi = factor };

		key = NULL;
		cr_assert_eq(pkey_from_numbers(&key, &numbers), rows[i].err, "row %zu", i);
		pkey_free(key);
	}
	for (size_t i = 0; i < sizeof(domains) / sizeof(domains[0]); i++) {
		buf_init(&der, OUT_MAX);
		put_dsa(&der, domains[i].modulus, domains[i].private);
		key = NULL;
		cr_assert_eq(pkey_parse(&key, PKEY_PKCS8, true, buf_slice(&der)) == ERR_FEATURE,
			domains[i].is_refused, "row %zu", i);
		pkey_free(key);
		buf_free(&der);
	}
	dsa.p = dsa.q = dsa.g = dsa.y = long_number(4104);
	cr_assert_eq(pkey_from_numbers(&key, &dsa), ERR_FEATURE);
	cr_assert_eq(pkey_generate(&key, &wish), ERR_FIELD);
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
