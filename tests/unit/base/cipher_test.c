/* SPDX-License-Identifier: Apache-2.0 */
/* Ciphers, codes and derived keys against published values, whole and in pieces, and what must be
 * refused. */
#include <criterion/criterion.h>
#include <string.h>
#include "base/cipher.h"
#include "base/digest.h"
#include "base/text.h"

enum { OUT_MAX = 4096, BYTES_MAX = 256 };

struct bytes {
	uint8_t data[BYTES_MAX];
	size_t len;
};

static struct slice hex(struct bytes *bytes, const char *text)
{
	bytes->len = strlen(text) / 2;
	cr_assert_eq(text_unhex(bytes->data, bytes->len, slice_text(text)), ERR_OK);
	return slice_of(bytes->data, bytes->len);
}

static void assert_hex(struct slice got, const char *want)
{
	struct bytes bytes;

	cr_assert(slice_equal(got, hex(&bytes, want)), "wants %s", want);
}

/* All in one piece, then byte by byte; both give the same. */
static enum err run(
	struct buf *out, const struct cipher_options *options, struct slice in, size_t step)
{
	struct cipher *cipher = NULL;
	enum err err;

	buf_clear(out);
	TRY(cipher_new(&cipher, options));
	for (size_t i = 0; i < in.len; i += step)
		TRY(cipher_update(cipher, out, slice_cut(in, i, step)));
	TRY(cipher_finish(cipher, out));
	if (options->encrypt && options->tag_len > 0)
		TRY(cipher_tag(cipher, out));
out:
	cipher_free(cipher);
	return err;
}

/* SP 800-38A F.2.1, SP 800-38D case 4 with the tag behind, RFC 3394 4.1. */
Test(cipher, published)
{
	static const struct {
		const char *algorithm, *key, *iv, *aad, *plain, *sealed;
		size_t tag_len, step;
	} rows[] = {
		{ "AES-128-CBC", "2b7e151628aed2a6abf7158809cf4f3c",
			"000102030405060708090a0b0c0d0e0f", "", "6bc1bee22e409f96e93d7e117393172a",
			"7649abac8119b246cee98e9b12e9197d", 0, 1 },
		{ "AES-128-GCM", "feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
			"feedfacedeadbeeffeedfacedeadbeefabaddad2",
			"d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c9595"
			"6809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
			"42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b254"
			"66931c7d8f6a5aac84aa051ba30b396a0aac973d58e0915bc94fbc3221a5db94fae95ae712"
			"1a47",
			16, 7 },
		{ "AES-128-WRAP", "000102030405060708090a0b0c0d0e0f", "", "",
			"00112233445566778899aabbccddeeff",
			"1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5", 0, 64 },
	};
	struct bytes key, iv, aad, plain;
	struct buf out;

	buf_init(&out, OUT_MAX);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cipher_options options = { .algorithm = rows[i].algorithm,
			.encrypt = true,
			.key = hex(&key, rows[i].key),
			.iv = hex(&iv, rows[i].iv),
			.aad = hex(&aad, rows[i].aad),
			.tag_len = rows[i].tag_len };
		struct slice in = hex(&plain, rows[i].plain), sealed;

		cr_assert_eq(run(&out, &options, in, BYTES_MAX), ERR_OK, "row %zu", i);
		assert_hex(buf_slice(&out), rows[i].sealed);
		cr_assert_eq(run(&out, &options, in, rows[i].step), ERR_OK);
		assert_hex(buf_slice(&out), rows[i].sealed);

		sealed = hex(&plain, rows[i].sealed);
		options.encrypt = false;
		options.tag = slice_cut(sealed, sealed.len - rows[i].tag_len, rows[i].tag_len);
		sealed.len -= rows[i].tag_len;
		cr_assert_eq(run(&out, &options, sealed, BYTES_MAX), ERR_OK);
		assert_hex(buf_slice(&out), rows[i].plain);
		if (rows[i].tag_len == 0)
			continue;
		plain.data[0] ^= 1;
		cr_assert_eq(run(&out, &options, sealed, BYTES_MAX), ERR_CRYPTO);
	}
	buf_free(&out);
}

/* An AEAD judges the tag also where there is nothing but associated data. */
Test(cipher, nothing_but_aad)
{
	static const char *const algorithms[] = { "AES-128-CCM", "AES-128-GCM" };
	struct bytes key, iv;
	struct cipher_options options = { .key = hex(&key, "2b7e151628aed2a6abf7158809cf4f3c"),
		.iv = hex(&iv, "000102030405060708090a0b"),
		.tag_len = 16 };
	uint8_t tag[16];
	struct buf out;

	buf_init(&out, OUT_MAX);
	for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
		options.algorithm = algorithms[i];
		options.aad = SLICE_LITERAL("header");
		options.encrypt = true;
		cr_assert_eq(run(&out, &options, SLICE_EMPTY, 1), ERR_OK, "%s", algorithms[i]);
		cr_assert_eq(buf_slice(&out).len, sizeof(tag));
		bytes_copy(tag, buf_slice(&out).data, sizeof(tag));
		options.encrypt = false;
		options.tag = slice_of(tag, sizeof(tag));
		cr_assert_eq(run(&out, &options, SLICE_EMPTY, 1), ERR_OK);
		options.aad = SLICE_LITERAL("HEADER");
		cr_assert_eq(run(&out, &options, SLICE_EMPTY, 1), ERR_CRYPTO);
		options.aad = SLICE_LITERAL("header");
		tag[0] ^= 1;
		cr_assert_eq(run(&out, &options, SLICE_EMPTY, 1), ERR_CRYPTO);
	}
	buf_free(&out);
}

/* Where a second piece would begin again under the same tweak, nonce or key, all is held until the
 * end; and what an AEAD opens is held until its tag is judged. */
Test(cipher, held_until_the_end)
{
	static const struct {
		const char *algorithm;
		size_t iv_len, tag_len;
		bool holds_sealing;
	} rows[] = { { "AES-128-XTS", 16, 0, true }, { "AES-256-WRAP", 0, 0, true },
		{ "AES-256-WRAP-PAD", 0, 0, true }, { "AES-256-CCM", 12, 16, true },
		{ "AES-256-GCM", 12, 16, false }, { "ChaCha20-Poly1305", 12, 16, false } };
	struct slice in = SLICE_LITERAL("0123456789abcdef0123456789abcdef");
	struct bytes key, iv, sealed;
	struct cipher *cipher = NULL;
	struct buf out;

	hex(&iv, "000102030405060708090a0b0c0d0e0f");
	buf_init(&out, OUT_MAX);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cipher_options options = { .algorithm = rows[i].algorithm,
			.encrypt = true,
			.key = hex(&key, "2b7e151628aed2a6abf7158809cf4f3c"
					 "000102030405060708090a0b0c0d0e0f"),
			.iv = slice_of(iv.data, rows[i].iv_len),
			.tag_len = rows[i].tag_len };

		cr_assert_eq(run(&out, &options, in, in.len), ERR_OK, "row %zu", i);
		sealed.len = buf_slice(&out).len;
		bytes_copy(sealed.data, buf_slice(&out).data, sealed.len);
		cr_assert_eq(run(&out, &options, in, 5), ERR_OK, "row %zu", i);
		cr_assert(slice_equal(buf_slice(&out), slice_of(sealed.data, sealed.len)));
		cr_assert_eq(cipher_new(&cipher, &options), ERR_OK);
		buf_clear(&out);
		cr_assert_eq(cipher_update(cipher, &out, in), ERR_OK);
		cr_assert_eq(buf_slice(&out).len, rows[i].holds_sealing ? 0 : in.len);
		cr_assert_eq(cipher_held(cipher), rows[i].holds_sealing ? in.len : 0);
		cipher_free(cipher);

		options.encrypt = false;
		sealed.len -= rows[i].tag_len;
		options.tag = slice_of(sealed.data + sealed.len, rows[i].tag_len);
		cr_assert_eq(cipher_new(&cipher, &options), ERR_OK);
		buf_clear(&out);
		cr_assert_eq(cipher_update(cipher, &out, slice_of(sealed.data, 9)), ERR_OK);
		cr_assert_eq(buf_slice(&out).len, 0, "row %zu", i);
		cr_assert_eq(cipher_update(cipher, &out, slice_of(sealed.data + 9, sealed.len - 9)),
			ERR_OK);
		cr_assert_eq(buf_slice(&out).len, 0, "row %zu", i);
		cr_assert_eq(cipher_finish(cipher, &out), ERR_OK, "row %zu", i);
		cr_assert(slice_equal(buf_slice(&out), in), "row %zu", i);
		cipher_free(cipher);
	}
	buf_free(&out);
}

/* More than may be held, and keys of no bytes. */
Test(cipher, held_within_bounds)
{
	static uint8_t piece[CIPHER_GATHERED_MAX / 4];
	struct bytes key, iv;
	struct cipher_options options = { .algorithm = "AES-128-GCM",
		.key = hex(&key, "2b7e151628aed2a6abf7158809cf4f3c"),
		.iv = hex(&iv, "000102030405060708090a0b"),
		.tag = slice_of(piece, CIPHER_TAG_LEN_MAX) };
	struct cipher *cipher = NULL;
	struct buf out;

	buf_init(&out, OUT_MAX);
	cr_assert_eq(cipher_new(&cipher, &options), ERR_OK);
	for (size_t i = 0; i < 4; i++)
		cr_assert_eq(cipher_update(cipher, &out, slice_of(piece, sizeof(piece))), ERR_OK);
	cr_assert_eq(cipher_update(cipher, &out, slice_of(piece, 1)), ERR_LIMIT);
	cipher_free(cipher);
	options.algorithm = "AES-128-WRAP-PAD";
	options.iv = SLICE_EMPTY;
	options.encrypt = true;
	cr_assert_eq(run(&out, &options, SLICE_EMPTY, 1), ERR_CRYPTO);
	buf_free(&out);
}

/* ANSI X9.23 and ISO 10126, in pieces of any length, and what no padding ends with. */
Test(cipher, paddings)
{
	static const enum cipher_padding paddings[] = { CIPHER_PADDING_PKCS5, CIPHER_PADDING_X9_23,
		CIPHER_PADDING_ISO_10126 };
	struct slice text = SLICE_LITERAL("0123456789abcdef0123456789abcdef0");
	struct bytes key, iv, sealed;
	struct cipher_options options = { .algorithm = "AES-128-CBC",
		.key = hex(&key, "2b7e151628aed2a6abf7158809cf4f3c"),
		.iv = hex(&iv, "000102030405060708090a0b0c0d0e0f") };
	struct buf out;

	buf_init(&out, OUT_MAX);
	for (size_t i = 0; i < sizeof(paddings) / sizeof(paddings[0]); i++) {
		for (size_t len = 0; len <= text.len; len++) {
			options.padding = paddings[i];
			options.encrypt = true;
			cr_assert_eq(run(&out, &options, slice_cut(text, 0, len), 7), ERR_OK);
			sealed.len = buf_slice(&out).len;
			cr_assert_eq(sealed.len, (len / 16 + 1) * 16);
			bytes_copy(sealed.data, buf_slice(&out).data, sealed.len);
			options.encrypt = false;
			cr_assert_eq(
				run(&out, &options, slice_of(sealed.data, sealed.len), 5), ERR_OK);
			cr_assert(slice_equal(buf_slice(&out), slice_cut(text, 0, len)));
			cr_assert_eq(run(&out, &options, slice_of(sealed.data, sealed.len - 1), 5),
				ERR_CRYPTO);
			cr_assert_eq(buf_slice(&out).len,
				paddings[i] == CIPHER_PADDING_PKCS5 ? sealed.len - 16 : 0);
		}
		/* Not as it was sealed. */
		options.padding = CIPHER_PADDING_NONE;
		options.encrypt = true;
		cr_assert_eq(run(&out, &options, slice_cut(text, 0, 32), 32), ERR_OK);
		bytes_copy(sealed.data, buf_slice(&out).data, 32);
		options.padding = paddings[i];
		options.encrypt = false;
		cr_assert_eq(run(&out, &options, slice_of(sealed.data, 32), 32), ERR_CRYPTO);
	}
	buf_free(&out);
}

/* Padding, wrong lengths, wrong tags lengths, ciphers that are not there. */
Test(cipher, refusals)
{
	struct bytes key, iv;
	struct cipher_options options = { .algorithm = "AES-128-CBC",
		.encrypt = true,
		.padding = CIPHER_PADDING_PKCS5,
		.key = hex(&key, "2b7e151628aed2a6abf7158809cf4f3c"),
		.iv = hex(&iv, "000102030405060708090a0b0c0d0e0f") };
	uint8_t sealed[16];
	struct buf out;

	buf_init(&out, OUT_MAX);
	cr_assert_eq(run(&out, &options, SLICE_LITERAL("abc"), 1), ERR_OK);
	cr_assert_eq(buf_slice(&out).len, sizeof(sealed));
	bytes_copy(sealed, buf_slice(&out).data, sizeof(sealed));
	options.encrypt = false;
	cr_assert_eq(run(&out, &options, slice_of(sealed, sizeof(sealed)), 5), ERR_OK);
	cr_assert(slice_equal_text(buf_slice(&out), "abc"));
	sealed[15] ^= 1;
	cr_assert_eq(run(&out, &options, slice_of(sealed, sizeof(sealed)), 16), ERR_CRYPTO);
	cr_assert_eq(run(&out, &options, slice_of(sealed, 15), 16), ERR_CRYPTO);

	options.encrypt = true;
	options.padding = CIPHER_PADDING_NONE;
	cr_assert_eq(run(&out, &options, SLICE_LITERAL("abc"), 3), ERR_FIELD);
	options.iv.len = 15;
	cr_assert_eq(run(&out, &options, SLICE_LITERAL("abc"), 3), ERR_FIELD);
	options.iv.len = 16;
	options.key.len = 15;
	cr_assert_eq(run(&out, &options, SLICE_LITERAL("abc"), 3), ERR_FIELD);
	options.key.len = 16;
	options.algorithm = "AES-128-GCM";
	options.tag_len = 17;
	cr_assert_eq(run(&out, &options, SLICE_LITERAL("abc"), 3), ERR_CRYPTO);
	options.tag_len = 1;
	cr_assert_eq(run(&out, &options, SLICE_LITERAL("abc"), 3), ERR_OK);
	options.algorithm = "BF-CBC";
	cr_assert_eq(run(&out, &options, SLICE_LITERAL("abc"), 3), ERR_FEATURE);
	options.algorithm = "nonsense";
	cr_assert_eq(run(&out, &options, SLICE_LITERAL("abc"), 3), ERR_FEATURE);
	buf_free(&out);
}

static void feed(struct digest *digest, struct buf *out)
{
	buf_clear(out);
	cr_assert_eq(digest_update(digest, SLICE_LITERAL("what do ya want ")), ERR_OK);
	cr_assert_eq(digest_update(digest, SLICE_LITERAL("for nothing?")), ERR_OK);
	cr_assert_eq(digest_finish(digest, out), ERR_OK);
	digest_free(digest);
}

/* RFC 4231 case 2, RFC 4493 example 2, RFC 6070 in SHA-256, SHA-256 of the same text by crypt.h. */
Test(digest, published)
{
	struct digest_mac mac = { .hash = "SHA256", .key = SLICE_LITERAL("Jefe") };
	struct digest_pbkdf2 pbkdf2 = { .hash = "SHA256",
		.secret = SLICE_LITERAL("password"),
		.salt = SLICE_LITERAL("salt"),
		.iterations = 2 };
	struct digest *digest;
	struct bytes key, text;
	struct buf out;

	buf_init(&out, OUT_MAX);
	cr_assert_eq(digest_new_mac(&digest, &mac), ERR_OK);
	feed(digest, &out);
	assert_hex(buf_slice(&out),
		"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	cr_assert_eq(digest_new(&digest, "SHA256"), ERR_OK);
	feed(digest, &out);
	assert_hex(buf_slice(&out),
		"b381e7fec653fc3ab9b178272366b8ac87fed8d31cb25ed1d0e1f3318644c89c");

	mac = (struct digest_mac){ .cipher = "AES-128-CBC",
		.key = hex(&key, "2b7e151628aed2a6abf7158809cf4f3c") };
	cr_assert_eq(digest_new_mac(&digest, &mac), ERR_OK);
	buf_clear(&out);
	cr_assert_eq(digest_update(digest, hex(&text, "6bc1bee22e409f96e93d7e117393172a")), ERR_OK);
	cr_assert_eq(digest_finish(digest, &out), ERR_OK);
	digest_free(digest);
	assert_hex(buf_slice(&out), "070a16b46b4d4144f79bdd9dd04a287c");

	buf_clear(&out);
	cr_assert_eq(digest_pbkdf2(&out, 32, &pbkdf2), ERR_OK);
	assert_hex(buf_slice(&out),
		"ae4d0c95af6b46d32d0adff928f06dd02a303f8ef3c251dfd6e2d85a95474c43");
	buf_free(&out);
}

Test(digest, refusals)
{
	struct digest_mac mac = { .hash = "nonsense", .key = SLICE_LITERAL("Jefe") };
	struct digest_pbkdf2 pbkdf2 = {
		.hash = "SHA256", .secret = SLICE_LITERAL("password"), .salt = SLICE_LITERAL("salt")
	};
	struct digest *digest;
	struct buf out;

	buf_init(&out, OUT_MAX);
	cr_assert_eq(digest_new(&digest, "nonsense"), ERR_FEATURE);
	cr_assert_eq(digest_new_mac(&digest, &mac), ERR_FEATURE);
	mac = (struct digest_mac){ .cipher = "AES-128-CBC", .key = SLICE_LITERAL("short") };
	cr_assert_eq(digest_new_mac(&digest, &mac), ERR_FIELD);
	cr_assert_eq(digest_pbkdf2(&out, 32, &pbkdf2), ERR_FIELD);
	pbkdf2.iterations = DIGEST_ITERATIONS_MAX + 1;
	cr_assert_eq(digest_pbkdf2(&out, 32, &pbkdf2), ERR_FIELD);
	/* Each block of the hash's length takes them all. */
	pbkdf2.iterations = DIGEST_ITERATIONS_MAX / 2 + 1;
	cr_assert_eq(digest_pbkdf2(&out, 33, &pbkdf2), ERR_FIELD);
	buf_free(&out);
}
