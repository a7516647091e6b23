/* SPDX-License-Identifier: Apache-2.0 */
#include "base/openssl.h"
#include "base/sharing.h"

/* Numbers of one piece of work; wiped at its end. */
struct work {
	BN_CTX *context;
	BIGNUM *prime;
	BIGNUM *number[SHARING_PARTS_MAX]; /* coefficients, or the values of shares */
	BIGNUM *sum, *term, *place;
};

static void work_end(struct work *work)
{
	BN_free(work->prime);
	for (size_t i = 0; i < SHARING_PARTS_MAX; i++)
		BN_clear_free(work->number[i]);
	BN_clear_free(work->sum);
	BN_clear_free(work->term);
	BN_clear_free(work->place);
	BN_CTX_free(work->context);
}

static enum err work_begin(struct work *work, const struct sharing *how)
{
	*work = (struct work){
		.context = BN_CTX_new(), .sum = BN_new(), .term = BN_new(), .place = BN_new()
	};
	if (work->context == NULL || work->sum == NULL || work->term == NULL || work->place == NULL)
		return ERR_NOMEM;
	if (how->prime.len == 0 || how->prime.len > SHARING_PRIME_LEN_MAX)
		return ERR_FIELD;
	work->prime = BN_bin2bn(how->prime.data, (int) how->prime.len, NULL);
	if (work->prime == NULL)
		return ERR_NOMEM;
	/* Two numbers of parts must differ modulo the prime, too. */
	if (BN_num_bits(work->prime) <= 8 || BN_check_prime(work->prime, work->context, NULL) != 1)
		return ERR_FIELD;
	return ERR_OK;
}

static enum err number_put(struct slice *out, struct arena *arena, const BIGNUM *number, size_t len)
{
	uint8_t *bytes = arena_alloc(arena, len);

	if (bytes == NULL)
		return ERR_NOMEM;
	if (BN_bn2binpad(number, bytes, (int) len) < 0)
		return ERR_CRYPTO;
	*out = slice_of(bytes, len);
	return ERR_OK;
}

/* ---- splitting ---- */

static enum err draw(struct work *work, const struct sharing *how, struct slice secret)
{
	work->number[0] = BN_bin2bn(secret.data, (int) secret.len, NULL);
	if (work->number[0] == NULL)
		return ERR_NOMEM;
	for (size_t i = 1; i < how->threshold; i++) {
		work->number[i] = BN_new();
		if (work->number[i] == NULL ||
			BN_priv_rand_range(work->number[i], work->prime) != 1)
			return ERR_NOMEM;
	}
	return ERR_OK;
}

/* Horner: work->sum is the polynomial's value there. */
static enum err evaluate(struct work *work, const struct sharing *how, uint32_t at)
{
	if (BN_set_word(work->place, at) != 1 ||
		BN_copy(work->sum, work->number[how->threshold - 1]) == NULL)
		return ERR_NOMEM;
	for (size_t i = how->threshold - 1; i > 0; i--) {
		if (BN_mod_mul(work->sum, work->sum, work->place, work->prime, work->context) !=
				1 ||
			BN_mod_add(work->sum, work->sum, work->number[i - 1], work->prime,
				work->context) != 1)
			return ERR_NOMEM;
	}
	return ERR_OK;
}

enum err sharing_prime_split(
	struct share *shares, struct arena *arena, const struct sharing *how, struct slice secret)
{
	struct work work;
	enum err err;

	TRY(work_begin(&work, how));
	if (secret.len > SHARING_PRIME_LEN_MAX ||
		(size_t) BN_num_bits(work.prime) <= 8 * secret.len)
		TRY(ERR_FIELD);
	TRY(draw(&work, how, secret));
	for (uint32_t i = 0; i < how->parts; i++) {
		shares[i].number = i + 1;
		TRY(evaluate(&work, how, i + 1));
		TRY(number_put(
			&shares[i].bytes, arena, work.sum, (size_t) BN_num_bytes(work.prime)));
	}
out:
	work_end(&work);
	return err;
}

/* ---- joining ---- */

static enum err read_shares(struct work *work, const struct share *shares, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct slice bytes = shares[i].bytes;

		if (bytes.len > SHARING_PRIME_LEN_MAX)
			return ERR_CRYPTO;
		work->number[i] = BN_bin2bn(bytes.data, (int) bytes.len, NULL);
		if (work->number[i] == NULL)
			return ERR_NOMEM;
		if (BN_cmp(work->number[i], work->prime) >= 0)
			return ERR_CRYPTO;
	}
	return ERR_OK;
}

/* term = term * (from - number) modulo the prime */
static bool multiply_by_difference(struct work *work, uint32_t from, uint32_t number)
{
	bool is_negative = from < number;

	if (BN_set_word(work->place, is_negative ? number - from : from - number) != 1)
		return false;
	BN_set_negative(work->place, is_negative);
	return BN_mod_mul(work->term, work->term, work->place, work->prime, work->context) == 1 &&
	       BN_nnmod(work->term, work->term, work->prime, work->context) == 1;
}

/* One summand of Lagrange's: the value of share i times what is one at its own place and zero at
 * the others'. */
static bool add_term(struct work *work, const struct sharing *how, const struct share *shares,
	size_t i, uint32_t at)
{
	if (BN_one(work->term) != 1)
		return false;
	for (size_t j = 0; j < how->threshold; j++) {
		if (j != i && !multiply_by_difference(work, shares[i].number, shares[j].number))
			return false;
	}
	if (BN_mod_inverse(work->term, work->term, work->prime, work->context) == NULL)
		return false;
	for (size_t j = 0; j < how->threshold; j++) {
		if (j != i && !multiply_by_difference(work, at, shares[j].number))
			return false;
	}
	return BN_mod_mul(work->term, work->term, work->number[i], work->prime, work->context) ==
		       1 &&
	       BN_mod_add(work->sum, work->sum, work->term, work->prime, work->context) == 1;
}

static enum err interpolate(
	struct work *work, const struct sharing *how, const struct share *shares, uint32_t at)
{
	BN_zero(work->sum);
	for (size_t i = 0; i < how->threshold; i++) {
		if (!add_term(work, how, shares, i, at))
			return ERR_CRYPTO;
	}
	return ERR_OK;
}

enum err sharing_prime_join(struct slice *secret, struct arena *arena, const struct sharing *how,
	const struct share *shares, size_t count)
{
	struct work work;
	enum err err;

	TRY(work_begin(&work, how));
	if (how->secret_len == 0 || 8 * how->secret_len >= (size_t) BN_num_bits(work.prime))
		TRY(ERR_FIELD);
	TRY(read_shares(&work, shares, count));
	for (size_t i = how->threshold; i < count; i++) {
		TRY(interpolate(&work, how, shares, shares[i].number));
		TRY(BN_cmp(work.sum, work.number[i]) != 0 ? ERR_CRYPTO : ERR_OK);
	}
	TRY(interpolate(&work, how, shares, 0));
	TRY(number_put(secret, arena, work.sum, how->secret_len));
out:
	work_end(&work);
	return err;
}
