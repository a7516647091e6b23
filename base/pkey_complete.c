/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a key that comes as numbers may leave out (KMIP 1.4, section 2.1.7) and OpenSSL wants: of
 * RSA the private exponent beside the primes, the public one, and what makes it quick; of a curve
 * the point.
 */
#include "base/pkey_private.h"

/* A key whose public exponent nobody said has one of these: F4 nearly always. */
static const BN_ULONG usual_exponents[] = { 65537, 3, 5, 17, 257 };
enum { USUAL_EXPONENTS = sizeof(usual_exponents) / sizeof(usual_exponents[0]) };

static enum err find_exponent(struct pkey_rsa *rsa, BN_CTX *context)
{
	BIGNUM *two = BN_CTX_get(context), *power = BN_CTX_get(context);
	BIGNUM *candidate = BN_CTX_get(context), *back = BN_CTX_get(context);

	if (back == NULL || BN_set_word(two, 2) != 1)
		return ERR_NOMEM;
	if (!BN_is_odd(rsa->n) || BN_cmp(rsa->n, two) <= 0 ||
		BN_mod_exp_mont_consttime(power, two, rsa->d, rsa->n, context, NULL) != 1)
		return ERR_INVALID;
	for (size_t i = 0; i < USUAL_EXPONENTS; i++) {
		if (BN_set_word(candidate, usual_exponents[i]) != 1 ||
			BN_mod_exp(back, power, candidate, rsa->n, context) != 1)
			return ERR_NOMEM;
		if (BN_cmp(back, two) == 0) {
			rsa->e = BN_dup(candidate);
			return rsa->e == NULL ? ERR_NOMEM : ERR_OK;
		}
	}
	return ERR_INVALID;
}

/* number mod (prime - 1) */
static enum err reduce(BIGNUM **out, const BIGNUM *number, const BIGNUM *prime, BN_CTX *context)
{
	BIGNUM *less = BN_CTX_get(context);

	if (*out != NULL)
		return ERR_OK;
	*out = BN_new();
	if (*out == NULL || less == NULL || BN_copy(less, prime) == NULL)
		return ERR_NOMEM;
	return BN_sub_word(less, 1) == 1 && BN_mod(*out, number, less, context) == 1 ? ERR_OK
										     : ERR_INVALID;
}

static enum err find_private_exponent(struct pkey_rsa *rsa, BN_CTX *context)
{
	BIGNUM *phi = BN_CTX_get(context), *less = BN_CTX_get(context);

	if (less == NULL || BN_copy(phi, rsa->p) == NULL || BN_copy(less, rsa->q) == NULL)
		return ERR_NOMEM;
	BN_set_flags(phi, BN_FLG_CONSTTIME);
	if (BN_sub_word(phi, 1) != 1 || BN_sub_word(less, 1) != 1 ||
		BN_mul(phi, phi, less, context) != 1)
		return ERR_INVALID;
	rsa->d = BN_mod_inverse(NULL, rsa->e, phi, context);
	return rsa->d == NULL ? ERR_INVALID : ERR_OK;
}

static bool is_short(const BIGNUM *number, int bits)
{
	return number == NULL || BN_num_bits(number) <= bits;
}

/* Raising to a power needs shorter ones than the rest. */
static bool are_short(const struct pkey_rsa *rsa)
{
	int bits = rsa->e == NULL ? PKEY_POWER_BITS_MAX : PKEY_RSA_BITS_MAX;

	return is_short(rsa->n, bits) && is_short(rsa->d, bits) &&
	       is_short(rsa->e, PKEY_POWER_BITS_MAX) && is_short(rsa->p, PKEY_POWER_BITS_MAX) &&
	       is_short(rsa->q, PKEY_POWER_BITS_MAX);
}

static enum err complete_by_primes(struct pkey_rsa *rsa, BN_CTX *context)
{
	enum err err = ERR_OK;

	if (rsa->d == NULL)
		TRY(rsa->e == NULL ? ERR_INVALID : find_private_exponent(rsa, context));
	TRY(reduce(&rsa->dp, rsa->d, rsa->p, context));
	TRY(reduce(&rsa->dq, rsa->d, rsa->q, context));
	if (rsa->qi == NULL) {
		BN_set_flags(rsa->q, BN_FLG_CONSTTIME);
		rsa->qi = BN_mod_inverse(NULL, rsa->q, rsa->p, context);
	}
	err = rsa->qi == NULL ? ERR_INVALID : ERR_OK;
out:
	return err;
}

enum err pkey_complete_rsa(struct pkey_rsa *rsa)
{
	bool has_primes = rsa->p != NULL && rsa->q != NULL;
	BN_CTX *context = NULL;
	enum err err = ERR_OK;

	if (rsa->n == NULL || (rsa->d == NULL && !has_primes))
		return ERR_OK; /* a public one, or nothing to begin with */
	if (rsa->e != NULL && rsa->d != NULL && !has_primes)
		return ERR_OK;
	TRY(are_short(rsa) ? ERR_OK : ERR_FEATURE);
	context = BN_CTX_new();
	TRY(context == NULL ? ERR_NOMEM : ERR_OK);
	BN_CTX_start(context);
	if (rsa->e == NULL && rsa->d != NULL)
		err = find_exponent(rsa, context);
	if (err == ERR_OK && has_primes)
		err = complete_by_primes(rsa, context);
	BN_CTX_end(context);
out:
	BN_CTX_free(context);
	return pkey_failed(err);
}

static EC_GROUP *group_of(const char *curve)
{
	int nid = EC_curve_nist2nid(curve);

	if (nid == NID_undef)
		nid = OBJ_sn2nid(curve);
	return nid == NID_undef ? NULL : EC_GROUP_new_by_curve_name(nid);
}

enum err pkey_complete_point(struct buf *out, const char *curve, struct slice number)
{
	EC_GROUP *group = group_of(curve);
	EC_POINT *point = group == NULL ? NULL : EC_POINT_new(group);
	BIGNUM *secret = BN_bin2bn(number.data, (int) number.len, NULL);
	uint8_t *to;
	size_t len;
	enum err err = group == NULL ? ERR_FEATURE : ERR_OK;

	TRY(err);
	TRY(point == NULL || secret == NULL ? ERR_NOMEM : ERR_OK);
	if (BN_is_zero(secret) || BN_cmp(secret, EC_GROUP_get0_order(group)) >= 0)
		TRY(ERR_INVALID);
	TRY(EC_POINT_mul(group, point, secret, NULL, NULL, NULL) == 1 ? ERR_OK : ERR_INVALID);
	len = EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, NULL, 0, NULL);
	TRY(len == 0 ? ERR_INVALID : ERR_OK);
	TRY(buf_reserve(out, len, &to));
	TRY(EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, to, len, NULL) == len
			? ERR_OK
			: ERR_INVALID);
	buf_commit(out, len);
out:
	BN_clear_free(secret);
	EC_POINT_free(point);
	EC_GROUP_free(group);
	return pkey_failed(err);
}
