/* SPDX-License-Identifier: Apache-2.0 */
/* Keys from their numbers, and numbers from keys: what KMIP calls transparent. */
#include "base/pkey_private.h"

/* One number: OpenSSL's name, where it is in ours, whether only private keys have it. */
struct number_row {
	const char *name;
	size_t offset;
	bool is_private;
};
#define NUMBER(name, member, is_private) \
	{ \
		name, offsetof(struct pkey_numbers, member), is_private \
	}

static const struct number_row rsa_rows[] = {
	NUMBER(OSSL_PKEY_PARAM_RSA_N, n, false),
	NUMBER(OSSL_PKEY_PARAM_RSA_E, e, false),
	NUMBER(OSSL_PKEY_PARAM_RSA_D, d, true),
	NUMBER(OSSL_PKEY_PARAM_RSA_FACTOR1, p, true),
	NUMBER(OSSL_PKEY_PARAM_RSA_FACTOR2, q, true),
	NUMBER(OSSL_PKEY_PARAM_RSA_EXPONENT1, dp, true),
	NUMBER(OSSL_PKEY_PARAM_RSA_EXPONENT2, dq, true),
	NUMBER(OSSL_PKEY_PARAM_RSA_COEFFICIENT1, qi, true),
};
static const struct number_row domain_rows[] = {
	NUMBER(OSSL_PKEY_PARAM_FFC_P, p, false),
	NUMBER(OSSL_PKEY_PARAM_FFC_Q, q, false),
	NUMBER(OSSL_PKEY_PARAM_FFC_G, g, false),
	NUMBER(OSSL_PKEY_PARAM_PUB_KEY, y, false),
	NUMBER(OSSL_PKEY_PARAM_PRIV_KEY, x, true),
};
static const struct number_row ec_rows[] = {
	NUMBER(OSSL_PKEY_PARAM_PRIV_KEY, x, true),
};

struct kind {
	const char *algorithm;
	const struct number_row *rows;
	size_t count;
};
#define KIND(algorithm, rows) \
	{ \
		algorithm, rows, sizeof(rows) / sizeof((rows)[0]) \
	}
static const struct kind kinds[] = {
	KIND("RSA", rsa_rows),
	KIND("EC", ec_rows),
	KIND("DSA", domain_rows),
	KIND("DH", domain_rows),
	KIND("DHX", domain_rows),
};

static const struct kind *kind_of(const char *algorithm)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (algorithm != NULL &&
			slice_equal_text(slice_text(algorithm), kinds[i].algorithm))
			return &kinds[i];
	}
	return NULL;
}

static struct slice *member_of(struct pkey_numbers *numbers, const struct number_row *row)
{
	return (struct slice *) (void *) ((char *) numbers + row->offset);
}

/* ---- numbers of a key ---- */

/* Out of the room that was reserved for all, so that nothing moves while the parts are read. */
static enum err make_room(struct buf *memory, size_t len, uint8_t **to)
{
	return buf_slice(memory).len + len > PKEY_LEN_MAX ? ERR_LIMIT
							  : buf_reserve(memory, len, to);
}

static enum err read_number(
	struct slice *out, const struct pkey *key, const char *name, struct buf *memory)
{
	BIGNUM *number = NULL;
	uint8_t *to;
	int len;
	enum err err = ERR_OK;

	if (EVP_PKEY_get_bn_param(key->key, name, &number) != 1) {
		*out = SLICE_EMPTY; /* not every private key has all of them */
		return pkey_failed(ERR_OK);
	}
	len = BN_num_bytes(number);
	TRY(make_room(memory, (size_t) len, &to));
	BN_bn2bin(number, to);
	buf_commit(memory, (size_t) len);
	*out = slice_of(to, (size_t) len);
out:
	BN_clear_free(number);
	return err;
}

enum err pkey_curve(char out[PKEY_CURVE_LEN_MAX], const struct pkey *key)
{
	if (EVP_PKEY_get_utf8_string_param(
		    key->key, OSSL_PKEY_PARAM_GROUP_NAME, out, PKEY_CURVE_LEN_MAX, NULL) != 1)
		return pkey_failed(ERR_FEATURE);
	return ERR_OK;
}

enum err pkey_set_point_form(struct pkey *key, enum pkey_point_form form)
{
	static const char *const names[] = {
		[PKEY_POINT_UNCOMPRESSED] = OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_UNCOMPRESSED,
		[PKEY_POINT_COMPRESSED] = OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_COMPRESSED,
		[PKEY_POINT_HYBRID] = OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_HYBRID
	};

	if (!EVP_PKEY_is_a(key->key, "EC") ||
		EVP_PKEY_set_utf8_string_param(
			key->key, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, names[form]) != 1)
		return pkey_failed(ERR_FEATURE);
	return ERR_OK;
}

bool pkey_is_binary_curve(const struct pkey *key)
{
	char field[PKEY_CURVE_LEN_MAX];
	bool is_known = EVP_PKEY_get_utf8_string_param(key->key, OSSL_PKEY_PARAM_EC_FIELD_TYPE,
				field, sizeof(field), NULL) == 1;

	ERR_clear_error();
	return is_known && slice_equal_text(slice_text(field), SN_X9_62_characteristic_two_field);
}

static enum err read_point(struct pkey_numbers *out, const struct pkey *key, struct buf *memory)
{
	const unsigned char *point = NULL;
	X509_PUBKEY *info = NULL;
	int len = 0;
	uint8_t *to;
	enum err err;

	TRY(pkey_curve(out->curve, key));
	/* A private key may be without. Only here the point is in its key's form. */
	if (X509_PUBKEY_set(&info, key->key) != 1 ||
		X509_PUBKEY_get0_param(NULL, &point, &len, NULL, info) != 1)
		goto out;
	TRY(make_room(memory, (size_t) len, &to));
	bytes_copy(to, point, (size_t) len);
	buf_commit(memory, (size_t) len);
	out->y = slice_of(to, (size_t) len);
out:
	X509_PUBKEY_free(info);
	return pkey_failed(err);
}

enum err pkey_numbers(
	struct pkey_numbers *out, const struct pkey *key, bool is_private, struct buf *memory)
{
	const struct kind *kind = kind_of(pkey_algorithm(key));
	uint8_t *whole;
	enum err err;

	*out = (struct pkey_numbers){ 0 };
	if (kind == NULL)
		return ERR_FEATURE;
	out->algorithm = kind->algorithm;
	ASSERT(buf_slice(memory).len == 0);
	TRY(buf_reserve(memory, PKEY_LEN_MAX, &whole));
	for (size_t i = 0; i < kind->count; i++) {
		const struct number_row *row = &kind->rows[i];

		if (is_private || !row->is_private)
			TRY(read_number(member_of(out, row), key, row->name, memory));
	}
	if (kind->rows == ec_rows)
		TRY(read_point(out, key, memory));
out:
	return err;
}

/* ---- a key of numbers ---- */

static enum err take_numbers(
	BIGNUM **held, const struct pkey_numbers *numbers, const struct kind *kind)
{
	for (size_t i = 0; i < kind->count; i++) {
		const struct slice *number =
			member_of((struct pkey_numbers *) numbers, &kind->rows[i]);

		if (number->len == 0)
			continue;
		if (number->len > PKEY_LEN_MAX)
			return ERR_INVALID;
		held[i] = BN_bin2bn(number->data, (int) number->len, NULL);
		if (held[i] == NULL)
			return ERR_NOMEM;
	}
	return ERR_OK;
}

/* In the order of rsa_rows. */
static enum err complete_rsa(BIGNUM **held)
{
	struct pkey_rsa rsa = { held[0], held[1], held[2], held[3], held[4], held[5], held[6],
		held[7] };
	enum err err = pkey_complete_rsa(&rsa);

	held[1] = rsa.e;
	held[2] = rsa.d;
	held[5] = rsa.dp;
	held[6] = rsa.dq;
	held[7] = rsa.qi;
	return err;
}

static enum err push_numbers(OSSL_PARAM_BLD *builder, const struct kind *kind, BIGNUM **held)
{
	for (size_t i = 0; i < kind->count; i++) {
		if (held[i] != NULL &&
			OSSL_PARAM_BLD_push_BN(builder, kind->rows[i].name, held[i]) != 1)
			return ERR_NOMEM;
	}
	return ERR_OK;
}

/* A private key of a curve may come without its point. The builder borrows `memory`. */
static enum err push_curve(
	OSSL_PARAM_BLD *builder, const struct pkey_numbers *numbers, struct buf *memory)
{
	struct slice point = numbers->y;
	enum err err = ERR_OK;

	if (OSSL_PARAM_BLD_push_utf8_string(
		    builder, OSSL_PKEY_PARAM_GROUP_NAME, numbers->curve, 0) != 1)
		TRY(ERR_NOMEM);
	if (point.len == 0 && numbers->x.len > 0) {
		TRY(pkey_complete_point(memory, numbers->curve, numbers->x));
		point = buf_slice(memory);
	}
	if (point.len > 0 && OSSL_PARAM_BLD_push_octet_string(
				     builder, OSSL_PKEY_PARAM_PUB_KEY, point.data, point.len) != 1)
		err = ERR_NOMEM;
out:
	return err;
}

static enum err build_key(
	EVP_PKEY **out, const char *algorithm, OSSL_PARAM *params, bool is_private)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, algorithm, NULL);
	enum err err = context == NULL ? ERR_FEATURE : ERR_OK;

	TRY(err);
	if (EVP_PKEY_fromdata_init(context) != 1 ||
		EVP_PKEY_fromdata(context, out, is_private ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY,
			params) != 1)
		err = ERR_INVALID;
out:
	EVP_PKEY_CTX_free(context);
	return pkey_failed(err);
}

enum err pkey_from_numbers(struct pkey **out, const struct pkey_numbers *numbers)
{
	enum { NUMBERS_MAX = sizeof(rsa_rows) / sizeof(rsa_rows[0]) };
	const struct kind *kind = kind_of(numbers->algorithm);
	OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
	BIGNUM *held[NUMBERS_MAX] = { NULL };
	OSSL_PARAM *params = NULL;
	EVP_PKEY *key = NULL;
	struct buf memory;
	bool is_private;
	enum err err = builder == NULL ? ERR_NOMEM : ERR_OK;

	buf_init(&memory, PKEY_LEN_MAX);
	TRY(err);
	TRY(kind == NULL ? ERR_FEATURE : ERR_OK);
	TRY(take_numbers(held, numbers, kind));
	if (kind->rows == rsa_rows)
		TRY(complete_rsa(held));
	is_private = numbers->x.len > 0 || (kind->rows == rsa_rows && held[2] != NULL);
	TRY(push_numbers(builder, kind, held));
	if (kind->rows == ec_rows)
		TRY(push_curve(builder, numbers, &memory));
	params = OSSL_PARAM_BLD_to_param(builder);
	TRY(params == NULL ? ERR_NOMEM : ERR_OK);
	TRY(build_key(&key, kind->algorithm, params, is_private));
	TRY(pkey_wrap(out, key));
out:
	for (size_t i = 0; i < NUMBERS_MAX; i++)
		BN_clear_free(held[i]);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(builder);
	buf_free(&memory);
	return err;
}
