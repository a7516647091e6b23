/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sharing.h"
#include "base/rand.h"

enum { BYTE_BITS = 8, PIECE_LEN_MAX = 2 };

/* ---- the two binary fields ---- */

enum {
	REDUCTION_SHARING = 0x1d, /* x^8 = x^4 + x^3 + x^2 + 1 */
	REDUCTION_FIPS_197 = 0x1b, /* x^8 = x^4 + x^3 + x + 1 */
	TOWER_M = 0x3a, /* y^2 = y + m */
};

static uint8_t byte_multiply(uint8_t a, uint8_t b, unsigned reduction)
{
	unsigned left = a, product = 0;

	for (unsigned i = 0; i < BYTE_BITS; i++) {
		product ^= left & (0u - ((unsigned) b >> i & 1u));
		left = (left << 1) ^ (reduction & (0u - (left >> 7 & 1u)));
		left &= UINT8_MAX;
	}
	return (uint8_t) product;
}

static uint16_t multiply_8(uint16_t a, uint16_t b)
{
	return byte_multiply((uint8_t) a, (uint8_t) b, REDUCTION_SHARING);
}

static uint8_t tower_multiply(uint8_t a, uint8_t b)
{
	return byte_multiply(a, b, REDUCTION_FIPS_197);
}

/* (ry + s)(uy + v) = ((r + s)(u + v) + sv)y + (sv + ru m) */
static uint16_t multiply_16(uint16_t a, uint16_t b)
{
	uint8_t r = (uint8_t) (a >> BYTE_BITS), s = (uint8_t) a;
	uint8_t u = (uint8_t) (b >> BYTE_BITS), v = (uint8_t) b;
	uint8_t low = tower_multiply(s, v);
	uint8_t high = tower_multiply((uint8_t) (r ^ s), (uint8_t) (u ^ v));
	uint8_t rest = tower_multiply(tower_multiply(r, u), TOWER_M);

	return (uint16_t) ((high ^ low) << BYTE_BITS | (low ^ rest));
}

struct field {
	size_t piece_len;
	uint16_t (*multiply)(uint16_t a, uint16_t b);
};

static const struct field field_8 = { 1, multiply_8 };
static const struct field field_16 = { 2, multiply_16 };

static const struct field *field_of(enum sharing_method method)
{
	return method == SHARING_GF_2_8 ? &field_8 : &field_16;
}

static uint32_t field_order(const struct field *field)
{
	return 1u << field->piece_len * BYTE_BITS;
}

/* a^(order - 2); the numbers of parts are no secret. */
static uint16_t field_invert(const struct field *field, uint16_t a)
{
	uint16_t result = 1;

	for (uint32_t exponent = field_order(field) - 2; exponent > 0; exponent >>= 1) {
		if (exponent & 1)
			result = field->multiply(result, a);
		a = field->multiply(a, a);
	}
	return result;
}

static uint16_t piece_get(const struct field *field, const uint8_t *bytes)
{
	return field->piece_len == 1 ? bytes[0] : be16_get(bytes);
}

static void piece_put(const struct field *field, uint8_t *bytes, uint16_t piece)
{
	if (field->piece_len == 1)
		bytes[0] = (uint8_t) piece;
	else
		be16_put(bytes, piece);
}

/* ---- splitting ---- */

static enum err judge(const struct sharing *how)
{
	if (how->parts < 2 || how->parts > SHARING_PARTS_MAX || how->threshold < 1 ||
		how->threshold > how->parts)
		return ERR_FIELD;
	if (how->method == SHARING_XOR)
		return how->threshold == how->parts ? ERR_OK : ERR_FIELD;
	return how->threshold >= 2 ? ERR_OK : ERR_FIELD;
}

/* A product that is too large to be one is not below, either: each factor is. */
static bool is_too_much(const struct sharing *how, size_t count, size_t len)
{
	return len > SHARING_WORK_MAX || len * count * how->threshold > SHARING_WORK_MAX;
}

static void bytes_xor(uint8_t *to, struct slice from)
{
	for (size_t i = 0; i < from.len; i++)
		to[i] ^= from.data[i];
}

static enum err split_xor(
	struct share *shares, struct arena *arena, const struct sharing *how, struct slice secret)
{
	uint8_t *last = arena_alloc(arena, secret.len);

	if (last == NULL)
		return ERR_NOMEM;
	bytes_copy(last, secret.data, secret.len);
	for (uint32_t i = 0; i + 1 < how->parts; i++) {
		uint8_t *bytes = arena_alloc(arena, secret.len);

		if (bytes == NULL)
			return ERR_NOMEM;
		rand_bytes(bytes, secret.len);
		bytes_xor(last, slice_of(bytes, secret.len));
		shares[i] = (struct share){ i + 1, slice_of(bytes, secret.len) };
	}
	shares[how->parts - 1] = (struct share){ how->parts, slice_of(last, secret.len) };
	return ERR_OK;
}

/* coefficients: of each degree from 1 on, one after the other, as long as the secret each. */
static void evaluate(uint8_t *out, const struct sharing *how, struct slice secret,
	const uint8_t *coefficients, uint16_t at)
{
	const struct field *field = field_of(how->method);

	for (size_t i = 0; i < secret.len; i += field->piece_len) {
		uint16_t sum = 0;

		for (size_t degree = how->threshold - 1; degree > 0; degree--) {
			const uint8_t *row = coefficients + (degree - 1) * secret.len;

			sum = field->multiply((uint16_t) (sum ^ piece_get(field, row + i)), at);
		}
		piece_put(field, out + i, (uint16_t) (sum ^ piece_get(field, secret.data + i)));
	}
}

static enum err split_binary(
	struct share *shares, struct arena *arena, const struct sharing *how, struct slice secret)
{
	size_t degrees = how->threshold - 1;
	uint8_t *coefficients = arena_array(arena, degrees, secret.len);

	if (secret.len % field_of(how->method)->piece_len != 0)
		return ERR_FIELD;
	if (coefficients == NULL)
		return ERR_NOMEM;
	rand_bytes(coefficients, degrees * secret.len);
	for (uint32_t i = 0; i < how->parts; i++) {
		uint8_t *bytes = arena_alloc(arena, secret.len);

		if (bytes == NULL)
			return ERR_NOMEM;
		evaluate(bytes, how, secret, coefficients, (uint16_t) (i + 1));
		shares[i] = (struct share){ i + 1, slice_of(bytes, secret.len) };
	}
	return ERR_OK;
}

enum err sharing_split(
	struct share *shares, struct arena *arena, const struct sharing *how, struct slice secret)
{
	enum err err = secret.len == 0 ? ERR_FIELD : judge(how);

	TRY(err);
	TRY(is_too_much(how, how->parts, secret.len) ? ERR_FIELD : ERR_OK);
	if (how->method == SHARING_PRIME)
		return sharing_prime_split(shares, arena, how, secret);
	err = how->method == SHARING_XOR ? split_xor(shares, arena, how, secret)
					 : split_binary(shares, arena, how, secret);
out:
	return err;
}

/* ---- joining ---- */

static enum err judge_shares(const struct sharing *how, const struct share *shares, size_t count)
{
	if (count < how->threshold || count > SHARING_PARTS_MAX)
		return ERR_CRYPTO;
	for (size_t i = 0; i < count; i++) {
		if (shares[i].number == 0 || shares[i].number > how->parts ||
			shares[i].bytes.len == 0)
			return ERR_CRYPTO;
		if (how->method != SHARING_PRIME && shares[i].bytes.len != shares[0].bytes.len)
			return ERR_CRYPTO;
		for (size_t j = 0; j < i; j++) {
			if (shares[j].number == shares[i].number)
				return ERR_CRYPTO;
		}
	}
	return ERR_OK;
}

static enum err join_xor(
	struct slice *secret, struct arena *arena, const struct share *shares, size_t count)
{
	size_t len = shares[0].bytes.len;
	uint8_t *bytes = arena_alloc(arena, len);

	if (bytes == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < count; i++)
		bytes_xor(bytes, shares[i].bytes);
	*secret = slice_of(bytes, len);
	return ERR_OK;
}

/* The value at a place of the polynomial through the first `threshold` shares (Lagrange). */
static void interpolate(
	uint8_t *out, const struct sharing *how, const struct share *shares, uint16_t at)
{
	const struct field *field = field_of(how->method);
	size_t len = shares[0].bytes.len;

	bytes_zero(out, len);
	for (size_t i = 0; i < how->threshold; i++) {
		uint16_t above = 1, below = 1;

		for (size_t j = 0; j < how->threshold; j++) {
			if (j == i)
				continue;
			above = field->multiply(above, (uint16_t) (at ^ shares[j].number));
			below = field->multiply(
				below, (uint16_t) (shares[i].number ^ shares[j].number));
		}
		above = field->multiply(above, field_invert(field, below));
		for (size_t k = 0; k < len; k += field->piece_len) {
			uint16_t term =
				field->multiply(piece_get(field, shares[i].bytes.data + k), above);

			piece_put(field, out + k, (uint16_t) (piece_get(field, out + k) ^ term));
		}
	}
}

static enum err join_binary(struct slice *secret, struct arena *arena, const struct sharing *how,
	const struct share *shares, size_t count)
{
	const struct field *field = field_of(how->method);
	size_t len = shares[0].bytes.len;
	uint8_t *bytes = arena_alloc(arena, len);

	if (bytes == NULL)
		return ERR_NOMEM;
	if (len % field->piece_len != 0)
		return ERR_CRYPTO;
	for (size_t i = 0; i < count; i++) {
		if (shares[i].number >= field_order(field))
			return ERR_CRYPTO;
	}
	for (size_t i = how->threshold; i < count; i++) {
		interpolate(bytes, how, shares, (uint16_t) shares[i].number);
		if (!slice_equal(slice_of(bytes, len), shares[i].bytes))
			return ERR_CRYPTO;
	}
	interpolate(bytes, how, shares, 0);
	*secret = slice_of(bytes, len);
	return ERR_OK;
}

enum err sharing_join(struct slice *secret, struct arena *arena, const struct sharing *how,
	const struct share *shares, size_t count)
{
	enum err err = judge_shares(how, shares, count);

	TRY(err);
	TRY(is_too_much(how, count, shares[0].bytes.len) ? ERR_FIELD : ERR_OK);
	switch (how->method) {
	case SHARING_XOR:
		return count == how->parts ? join_xor(secret, arena, shares, count) : ERR_CRYPTO;
	case SHARING_PRIME:
		return sharing_prime_join(secret, arena, how, shares, count);
	default:
		return join_binary(secret, arena, how, shares, count);
	}
out:
	return err;
}
