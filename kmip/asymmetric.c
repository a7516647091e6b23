/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/asymmetric.h"

/* ---- curves ---- */

struct curve {
	uint32_t number;
	const char *name;
	const char *group; /* as OpenSSL gives it back */
};
#define CURVE(code, name, group) \
	{ \
		KMIP_RECOMMENDED_CURVE_##code, name, group \
	}
static const struct curve curves[] = {
	CURVE(P_192, "P-192", "prime192v1"),
	CURVE(K_163, "K-163", "sect163k1"),
	CURVE(B_163, "B-163", "sect163r2"),
	CURVE(P_224, "P-224", "secp224r1"),
	CURVE(K_233, "K-233", "sect233k1"),
	CURVE(B_233, "B-233", "sect233r1"),
	CURVE(P_256, "P-256", "prime256v1"),
	CURVE(K_283, "K-283", "sect283k1"),
	CURVE(B_283, "B-283", "sect283r1"),
	CURVE(P_384, "P-384", "secp384r1"),
	CURVE(K_409, "K-409", "sect409k1"),
	CURVE(B_409, "B-409", "sect409r1"),
	CURVE(P_521, "P-521", "secp521r1"),
	CURVE(K_571, "K-571", "sect571k1"),
	CURVE(B_571, "B-571", "sect571r1"),
	CURVE(SECP192K1, "secp192k1", "secp192k1"),
	CURVE(SECP224K1, "secp224k1", "secp224k1"),
	CURVE(SECP256K1, "secp256k1", "secp256k1"),
	CURVE(ANSIX9P192V2, "prime192v2", "prime192v2"),
	CURVE(ANSIX9P192V3, "prime192v3", "prime192v3"),
	CURVE(ANSIX9P239V1, "prime239v1", "prime239v1"),
	CURVE(ANSIX9P239V2, "prime239v2", "prime239v2"),
	CURVE(ANSIX9P239V3, "prime239v3", "prime239v3"),
	CURVE(BRAINPOOLP192R1, "brainpoolP192r1", "brainpoolP192r1"),
	CURVE(BRAINPOOLP192T1, "brainpoolP192t1", "brainpoolP192t1"),
	CURVE(BRAINPOOLP224R1, "brainpoolP224r1", "brainpoolP224r1"),
	CURVE(BRAINPOOLP224T1, "brainpoolP224t1", "brainpoolP224t1"),
	CURVE(BRAINPOOLP256R1, "brainpoolP256r1", "brainpoolP256r1"),
	CURVE(BRAINPOOLP256T1, "brainpoolP256t1", "brainpoolP256t1"),
	CURVE(BRAINPOOLP320R1, "brainpoolP320r1", "brainpoolP320r1"),
	CURVE(BRAINPOOLP320T1, "brainpoolP320t1", "brainpoolP320t1"),
	CURVE(BRAINPOOLP384R1, "brainpoolP384r1", "brainpoolP384r1"),
	CURVE(BRAINPOOLP384T1, "brainpoolP384t1", "brainpoolP384t1"),
	CURVE(BRAINPOOLP512R1, "brainpoolP512r1", "brainpoolP512r1"),
	CURVE(BRAINPOOLP512T1, "brainpoolP512t1", "brainpoolP512t1"),
};
#undef CURVE
enum { CURVES = sizeof(curves) / sizeof(curves[0]) };

const char *asymmetric_curve_name(uint32_t recommended_curve)
{
	for (size_t i = 0; i < CURVES; i++) {
		if (curves[i].number == recommended_curve)
			return curves[i].name;
	}
	return NULL;
}

uint32_t asymmetric_curve_of(const char *group_name)
{
	struct slice name = slice_text(group_name);

	for (size_t i = 0; i < CURVES; i++) {
		if (slice_equal_text(name, curves[i].group) ||
			slice_equal_text(name, curves[i].name))
			return curves[i].number;
	}
	return 0;
}

uint32_t asymmetric_algorithm(const struct pkey *key)
{
	struct slice name = slice_text(pkey_algorithm(key));

	if (slice_equal_text(name, "RSA"))
		return KMIP_CRYPTOGRAPHIC_ALGORITHM_RSA;
	if (slice_equal_text(name, "EC"))
		return KMIP_CRYPTOGRAPHIC_ALGORITHM_EC;
	if (slice_equal_text(name, "DSA"))
		return KMIP_CRYPTOGRAPHIC_ALGORITHM_DSA;
	if (slice_equal_text(name, "DH") || slice_equal_text(name, "DHX"))
		return KMIP_CRYPTOGRAPHIC_ALGORITHM_DH;
	return 0;
}

uint32_t asymmetric_algorithm_in(uint32_t algorithm, enum kmip_version version)
{
	if (algorithm != KMIP_CRYPTOGRAPHIC_ALGORITHM_EC ||
		kmip_enum_is_known(KMIP_SET_CRYPTOGRAPHIC_ALGORITHM, algorithm, version))
		return algorithm;
	return KMIP_CRYPTOGRAPHIC_ALGORITHM_ECDSA;
}

bool asymmetric_is_kind(uint32_t named, uint32_t real)
{
	switch (named) {
	case KMIP_CRYPTOGRAPHIC_ALGORITHM_EC:
	case KMIP_CRYPTOGRAPHIC_ALGORITHM_ECDSA:
	case KMIP_CRYPTOGRAPHIC_ALGORITHM_ECDH:
	case KMIP_CRYPTOGRAPHIC_ALGORITHM_ECMQV:
		return real == KMIP_CRYPTOGRAPHIC_ALGORITHM_EC;
	default:
		return named == real;
	}
}

bool asymmetric_is_algorithm(uint32_t named)
{
	return asymmetric_is_kind(named, KMIP_CRYPTOGRAPHIC_ALGORITHM_EC) ||
	       named == KMIP_CRYPTOGRAPHIC_ALGORITHM_RSA ||
	       named == KMIP_CRYPTOGRAPHIC_ALGORITHM_DSA ||
	       named == KMIP_CRYPTOGRAPHIC_ALGORITHM_DH;
}

/* ---- numbers ---- */

enum { BIG_ALIGN = 8, SIGN_BIT = 0x80 };

static struct slice unsigned_of(struct slice big)
{
	while (big.len > 0 && big.data[0] == 0) {
		big.data++;
		big.len--;
	}
	return big;
}

enum err asymmetric_big(struct kmip_item *item, struct slice *out, struct slice number)
{
	size_t sign = number.len > 0 && (number.data[0] & SIGN_BIT) != 0 ? 1 : 0;
	size_t len = (number.len + sign + BIG_ALIGN - 1) / BIG_ALIGN * BIG_ALIGN;
	uint8_t *bytes;

	if (number.len == 0) {
		*out = SLICE_EMPTY;
		return ERR_OK;
	}
	bytes = arena_alloc(item->arena, len);
	if (bytes == NULL)
		return ERR_NOMEM;
	bytes_copy(bytes + len - number.len, number.data, number.len);
	*out = slice_of(bytes, len);
	return ERR_OK;
}

/* ---- transparent forms ---- */

static const char *transparent_algorithm(uint32_t format)
{
	switch (format) {
	case KMIP_KEY_FORMAT_TYPE_TRANSPARENT_RSA_PRIVATE_KEY:
	case KMIP_KEY_FORMAT_TYPE_TRANSPARENT_RSA_PUBLIC_KEY:
		return "RSA";
	case KMIP_KEY_FORMAT_TYPE_TRANSPARENT_DSA_PRIVATE_KEY:
	case KMIP_KEY_FORMAT_TYPE_TRANSPARENT_DSA_PUBLIC_KEY:
		return "DSA";
	case KMIP_KEY_FORMAT_TYPE_TRANSPARENT_DH_PRIVATE_KEY:
	case KMIP_KEY_FORMAT_TYPE_TRANSPARENT_DH_PUBLIC_KEY:
		return "DH";
	case KMIP_KEY_FORMAT_TYPE_TRANSPARENT_ECDSA_PRIVATE_KEY:
	case KMIP_KEY_FORMAT_TYPE_TRANSPARENT_ECDSA_PUBLIC_KEY:
	case KMIP_KEY_FORMAT_TYPE_TRANSPARENT_ECDH_PRIVATE_KEY:
	case KMIP_KEY_FORMAT_TYPE_TRANSPARENT_ECDH_PUBLIC_KEY:
	case KMIP_KEY_FORMAT_TYPE_TRANSPARENT_ECMQV_PRIVATE_KEY:
	case KMIP_KEY_FORMAT_TYPE_TRANSPARENT_ECMQV_PUBLIC_KEY:
	case KMIP_KEY_FORMAT_TYPE_TRANSPARENT_EC_PRIVATE_KEY:
	case KMIP_KEY_FORMAT_TYPE_TRANSPARENT_EC_PUBLIC_KEY:
		return "EC";
	default:
		return NULL;
	}
}

static enum err open_transparent(
	struct pkey **out, uint32_t format, const struct kmip_transparent_key *given)
{
	struct pkey_numbers numbers = { .algorithm = transparent_algorithm(format),
		.n = unsigned_of(given->modulus),
		.e = unsigned_of(given->public_exponent),
		.d = unsigned_of(given->private_exponent),
		.p = unsigned_of(given->p),
		.q = unsigned_of(given->q),
		.dp = unsigned_of(given->prime_exponent_p),
		.dq = unsigned_of(given->prime_exponent_q),
		.qi = unsigned_of(given->crt_coefficient),
		.g = unsigned_of(given->g),
		.x = unsigned_of(given->x),
		.y = unsigned_of(given->y) };
	const char *curve;

	if (slice_equal_text(slice_text(numbers.algorithm), "EC")) {
		curve = asymmetric_curve_name(given->recommended_curve.value);
		if (curve == NULL)
			return ERR_FEATURE;
		bytes_copy(numbers.curve, curve, slice_text(curve).len + 1);
		numbers.x = unsigned_of(given->d);
		numbers.y = given->q_string;
	}
	return pkey_from_numbers(out, &numbers);
}

static enum err fill_transparent(
	struct kmip_item *item, struct kmip_transparent_key *to, const struct pkey_numbers *numbers)
{
	bool is_curve = slice_equal_text(slice_text(numbers->algorithm), "EC");
	enum err err;

	TRY(asymmetric_big(item, &to->modulus, numbers->n));
	TRY(asymmetric_big(item, &to->public_exponent, numbers->e));
	TRY(asymmetric_big(item, &to->private_exponent, numbers->d));
	TRY(asymmetric_big(item, &to->p, numbers->p));
	TRY(asymmetric_big(item, &to->q, numbers->q));
	TRY(asymmetric_big(item, &to->prime_exponent_p, numbers->dp));
	TRY(asymmetric_big(item, &to->prime_exponent_q, numbers->dq));
	TRY(asymmetric_big(item, &to->crt_coefficient, numbers->qi));
	TRY(asymmetric_big(item, &to->g, numbers->g));
	if (!is_curve) {
		TRY(asymmetric_big(item, &to->x, numbers->x));
		TRY(asymmetric_big(item, &to->y, numbers->y));
		return ERR_OK;
	}
	to->recommended_curve = KMIP_UINT(asymmetric_curve_of(numbers->curve));
	TRY(to->recommended_curve.value == 0 ? ERR_FEATURE : ERR_OK);
	TRY(asymmetric_big(item, &to->d, numbers->x));
	/* A private key's transparent form has D alone. */
	if (numbers->x.len == 0)
		to->q_string = arena_copy(item->arena, numbers->y);
out:
	return err;
}

static enum err write_transparent(struct kmip_item *item, struct kmip_key_value *value,
	const struct pkey *key, bool is_private)
{
	struct kmip_transparent_key *to = ARENA_NEW(item->arena, struct kmip_transparent_key);
	struct pkey_numbers numbers;
	struct buf memory;
	enum err err = to == NULL ? ERR_NOMEM : ERR_OK;

	buf_init(&memory, 2 * PKEY_LEN_MAX);
	TRY(err);
	TRY(pkey_numbers(&numbers, key, is_private, &memory));
	TRY(fill_transparent(item, to, &numbers));
	*value = (struct kmip_key_value){ .transparent = to };
out:
	buf_free(&memory);
	return err;
}

/* ---- DER forms ---- */

static enum err form_of(enum pkey_form *out, uint32_t object_type, uint32_t format)
{
	bool is_private = object_type == KMIP_OBJECT_TYPE_PRIVATE_KEY;

	switch (format) {
	case KMIP_KEY_FORMAT_TYPE_PKCS_1:
		*out = PKEY_TYPE_SPECIFIC;
		return ERR_OK;
	case KMIP_KEY_FORMAT_TYPE_ECPRIVATEKEY:
		*out = PKEY_TYPE_SPECIFIC;
		return is_private ? ERR_OK : ERR_KEY_FORMAT;
	case KMIP_KEY_FORMAT_TYPE_PKCS_8:
		*out = PKEY_PKCS8;
		return is_private ? ERR_OK : ERR_KEY_FORMAT;
	case KMIP_KEY_FORMAT_TYPE_X_509:
		*out = PKEY_PUBLIC_KEY_INFO;
		return is_private ? ERR_KEY_FORMAT : ERR_OK;
	default:
		return ERR_KEY_FORMAT;
	}
}

enum err asymmetric_open(
	struct pkey **out, uint32_t object_type, const struct kmip_key_block *block)
{
	bool is_private = object_type == KMIP_OBJECT_TYPE_PRIVATE_KEY;
	enum pkey_form form;
	enum err err;

	if (object_type != KMIP_OBJECT_TYPE_PRIVATE_KEY &&
		object_type != KMIP_OBJECT_TYPE_PUBLIC_KEY)
		return ERR_KEY_FORMAT;
	if (block->value == NULL)
		return ERR_KEY_ABSENT;
	if (block->value->transparent != NULL)
		return transparent_algorithm(block->format.value) == NULL
			       ? ERR_KEY_FORMAT
			       : open_transparent(
					 out, block->format.value, block->value->transparent);
	TRY(form_of(&form, object_type, block->format.value));
	TRY(pkey_parse(out, form, is_private, block->value->material));
out:
	return err;
}

/* RSA in PKCS #1, the rest in the general forms. */
static uint32_t usual_format(const struct pkey *key, const struct asymmetric_form *form)
{
	bool is_private = form->object_type == KMIP_OBJECT_TYPE_PRIVATE_KEY;

	if (asymmetric_algorithm(key) == KMIP_CRYPTOGRAPHIC_ALGORITHM_RSA)
		return KMIP_KEY_FORMAT_TYPE_PKCS_1;
	return is_private ? KMIP_KEY_FORMAT_TYPE_PKCS_8 : KMIP_KEY_FORMAT_TYPE_X_509;
}

static bool is_private_transparent(uint32_t format)
{
	switch (format) {
	case KMIP_KEY_FORMAT_TYPE_TRANSPARENT_RSA_PRIVATE_KEY:
	case KMIP_KEY_FORMAT_TYPE_TRANSPARENT_DSA_PRIVATE_KEY:
	case KMIP_KEY_FORMAT_TYPE_TRANSPARENT_DH_PRIVATE_KEY:
	case KMIP_KEY_FORMAT_TYPE_TRANSPARENT_ECDSA_PRIVATE_KEY:
	case KMIP_KEY_FORMAT_TYPE_TRANSPARENT_ECDH_PRIVATE_KEY:
	case KMIP_KEY_FORMAT_TYPE_TRANSPARENT_ECMQV_PRIVATE_KEY:
	case KMIP_KEY_FORMAT_TYPE_TRANSPARENT_EC_PRIVATE_KEY:
		return true;
	default:
		return false;
	}
}

static bool is_of_kind(const struct pkey *key, uint32_t format)
{
	struct slice wanted = slice_text(transparent_algorithm(format));
	struct slice name = slice_text(pkey_algorithm(key));

	return slice_equal(wanted, name) ||
	       (slice_equal_text(wanted, "DH") && slice_equal_text(name, "DHX"));
}

enum err asymmetric_compress(struct pkey *key, uint32_t object_type, uint32_t compression)
{
	bool is_binary = pkey_is_binary_curve(key), fits = true;
	enum pkey_point_form form = PKEY_POINT_COMPRESSED;

	switch (compression) {
	case KMIP_KEY_COMPRESSION_TYPE_EC_PUBLIC_KEY_TYPE_X9_62_COMPRESSED_PRIME:
		fits = !is_binary;
		break;
	case KMIP_KEY_COMPRESSION_TYPE_EC_PUBLIC_KEY_TYPE_X9_62_COMPRESSED_CHAR2:
		fits = is_binary;
		break;
	case KMIP_KEY_COMPRESSION_TYPE_EC_PUBLIC_KEY_TYPE_X9_62_HYBRID:
		form = PKEY_POINT_HYBRID;
		break;
	default:
		form = PKEY_POINT_UNCOMPRESSED;
		break;
	}
	if (!fits || object_type != KMIP_OBJECT_TYPE_PUBLIC_KEY ||
		pkey_set_point_form(key, form) != ERR_OK)
		return compression == 0 ? ERR_OK : ERR_KEY_COMPRESSION;
	return ERR_OK;
}

bool asymmetric_is_form_of(uint32_t object_type, uint32_t format)
{
	bool is_private = object_type == KMIP_OBJECT_TYPE_PRIVATE_KEY;
	enum pkey_form form;

	if (format == KMIP_KEY_FORMAT_TYPE_RAW || format == KMIP_KEY_FORMAT_TYPE_OPAQUE)
		return true;
	if (format == KMIP_KEY_FORMAT_TYPE_PKCS_12)
		return is_private;
	if (transparent_algorithm(format) != NULL)
		return is_private_transparent(format) == is_private;
	return form_of(&form, object_type, format) == ERR_OK;
}

/* PKCS #1 is RSA's, ECPrivateKey that of curves. */
static bool is_form_of_kind(uint32_t format, const struct pkey *key)
{
	uint32_t algorithm = asymmetric_algorithm(key);

	if (format == KMIP_KEY_FORMAT_TYPE_PKCS_1)
		return algorithm == KMIP_CRYPTOGRAPHIC_ALGORITHM_RSA;
	return format != KMIP_KEY_FORMAT_TYPE_ECPRIVATEKEY ||
	       algorithm == KMIP_CRYPTOGRAPHIC_ALGORITHM_EC;
}

enum err asymmetric_write(struct kmip_item *item, struct kmip_key_block *block,
	const struct pkey *key, const struct asymmetric_form *form)
{
	bool is_private = form->object_type == KMIP_OBJECT_TYPE_PRIVATE_KEY;
	uint32_t format = form->format != 0 ? form->format : usual_format(key, form);
	enum pkey_form der;
	enum err err;
	struct buf buf;

	buf_init(&buf, PKEY_LEN_MAX);
	if (block->value == NULL)
		block->value = ARENA_NEW(item->arena, struct kmip_key_value);
	TRY(block->value == NULL ? ERR_NOMEM : ERR_OK);
	if (transparent_algorithm(format) != NULL) {
		if (is_private_transparent(format) != is_private || !is_of_kind(key, format))
			TRY(ERR_KEY_FORMAT);
		TRY(write_transparent(item, block->value, key, is_private));
	} else {
		TRY(form_of(&der, form->object_type, format));
		TRY(is_form_of_kind(format, key) ? ERR_OK : ERR_KEY_FORMAT);
		err = pkey_encode(&buf, key, der, is_private);
		TRY(err == ERR_FEATURE ? ERR_KEY_FORMAT : err);
		*block->value = (struct kmip_key_value){ .material = arena_copy(
								 item->arena, buf_slice(&buf)) };
		TRY(block->value->material.data == NULL ? ERR_NOMEM : ERR_OK);
	}
	block->format = KMIP_UINT(format);
out:
	buf_free(&buf);
	return err;
}
