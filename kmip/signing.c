/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/signing.h"
#include "kmip/asymmetric.h"
#include "kmip/crypto_names.h"
#include "kmip/policing.h"

/* Digital Signature Algorithm (9.1.3.2.7). */
static const struct algorithm {
	uint32_t number;
	const char *hash; /* NULL: the parameters' */
	enum pkey_padding padding; /* of RSA; the others have none */
} algorithms[] = {
	{ KMIP_DIGITAL_SIGNATURE_ALGORITHM_MD5_WITH_RSA_ENCRYPTION, "MD5", PKEY_PADDING_PKCS1 },
	{ KMIP_DIGITAL_SIGNATURE_ALGORITHM_SHA_1_WITH_RSA_ENCRYPTION, "SHA1", PKEY_PADDING_PKCS1 },
	{ KMIP_DIGITAL_SIGNATURE_ALGORITHM_SHA_224_WITH_RSA_ENCRYPTION, "SHA224",
		PKEY_PADDING_PKCS1 },
	{ KMIP_DIGITAL_SIGNATURE_ALGORITHM_SHA_256_WITH_RSA_ENCRYPTION, "SHA256",
		PKEY_PADDING_PKCS1 },
	{ KMIP_DIGITAL_SIGNATURE_ALGORITHM_SHA_384_WITH_RSA_ENCRYPTION, "SHA384",
		PKEY_PADDING_PKCS1 },
	{ KMIP_DIGITAL_SIGNATURE_ALGORITHM_SHA_512_WITH_RSA_ENCRYPTION, "SHA512",
		PKEY_PADDING_PKCS1 },
	{ KMIP_DIGITAL_SIGNATURE_ALGORITHM_RSASSA_PSS, NULL, PKEY_PADDING_PSS },
	{ KMIP_DIGITAL_SIGNATURE_ALGORITHM_DSA_WITH_SHA_1, "SHA1", PKEY_PADDING_NONE },
	{ KMIP_DIGITAL_SIGNATURE_ALGORITHM_DSA_WITH_SHA224, "SHA224", PKEY_PADDING_NONE },
	{ KMIP_DIGITAL_SIGNATURE_ALGORITHM_DSA_WITH_SHA256, "SHA256", PKEY_PADDING_NONE },
	{ KMIP_DIGITAL_SIGNATURE_ALGORITHM_ECDSA_WITH_SHA_1, "SHA1", PKEY_PADDING_NONE },
	{ KMIP_DIGITAL_SIGNATURE_ALGORITHM_ECDSA_WITH_SHA224, "SHA224", PKEY_PADDING_NONE },
	{ KMIP_DIGITAL_SIGNATURE_ALGORITHM_ECDSA_WITH_SHA256, "SHA256", PKEY_PADDING_NONE },
	{ KMIP_DIGITAL_SIGNATURE_ALGORITHM_ECDSA_WITH_SHA384, "SHA384", PKEY_PADDING_NONE },
	{ KMIP_DIGITAL_SIGNATURE_ALGORITHM_ECDSA_WITH_SHA512, "SHA512", PKEY_PADDING_NONE },
	{ KMIP_DIGITAL_SIGNATURE_ALGORITHM_SHA3_256_WITH_RSA_ENCRYPTION, "SHA3-256",
		PKEY_PADDING_PKCS1 },
	{ KMIP_DIGITAL_SIGNATURE_ALGORITHM_SHA3_384_WITH_RSA_ENCRYPTION, "SHA3-384",
		PKEY_PADDING_PKCS1 },
	{ KMIP_DIGITAL_SIGNATURE_ALGORITHM_SHA3_512_WITH_RSA_ENCRYPTION, "SHA3-512",
		PKEY_PADDING_PKCS1 },
};

static const struct algorithm *algorithm_find(uint32_t number)
{
	for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
		if (algorithms[i].number == number)
			return &algorithms[i];
	}
	return NULL;
}

/* The Cryptographic Algorithm that belongs to it. */
static uint32_t algorithm_of_key(const struct algorithm *algorithm)
{
	if (algorithm->padding != PKEY_PADDING_NONE)
		return KMIP_CRYPTOGRAPHIC_ALGORITHM_RSA;
	switch (algorithm->number) {
	case KMIP_DIGITAL_SIGNATURE_ALGORITHM_DSA_WITH_SHA_1:
	case KMIP_DIGITAL_SIGNATURE_ALGORITHM_DSA_WITH_SHA224:
	case KMIP_DIGITAL_SIGNATURE_ALGORITHM_DSA_WITH_SHA256:
		return KMIP_CRYPTOGRAPHIC_ALGORITHM_DSA;
	default:
		return KMIP_CRYPTOGRAPHIC_ALGORITHM_EC;
	}
}

/* What the parameters say of the key is to be true of it. */
static enum err judge_kind(const struct using *use, const struct pkey *key)
{
	const struct kmip_cryptographic_parameters *said = &use->parameters;
	const struct algorithm *algorithm = algorithm_find(said->digital_signature_algorithm.value);
	uint32_t real = asymmetric_algorithm(key);

	if (algorithm != NULL && algorithm_of_key(algorithm) != real)
		return ERR_FIELD;
	if (!said->cryptographic_algorithm.has ||
		asymmetric_is_kind(said->cryptographic_algorithm.value, real))
		return ERR_OK;
	return ERR_FIELD;
}

static enum err open_key(struct pkey **out, const struct using *use)
{
	const struct kmip_key_block *block = kmip_object_key_block(&use->form);
	const struct kmip_certificate *certificate = use->form.certificate;

	if (certificate != NULL)
		return certificate->type.value == KMIP_CERTIFICATE_TYPE_X_509
			       ? pkey_of_certificate(out, certificate->value)
			       : ERR_ILLEGAL;
	return block == NULL ? ERR_ILLEGAL : asymmetric_open(out, use->object->type, block);
}

enum err signing_verifying_key(struct pkey **out, const struct using *use)
{
	enum err err = open_key(out, use);

	/* It was kept as it came, and is no key. */
	return err == ERR_INVALID || err == ERR_KEY_FORMAT ? ERR_CRYPTO : err;
}

enum err signing_key(struct pkey **out, const struct using *use)
{
	struct pkey *key = NULL;
	enum err err;

	TRY(signing_verifying_key(&key, use));
	TRY(judge_kind(use, key));
	*out = key;
	key = NULL;
out:
	pkey_free(key);
	return err;
}

/* RSA without a word about padding is PKCS #1 for signatures, as clients of 1.2 expect. */
static enum err padding_of(enum pkey_padding *out, const struct using *use)
{
	const struct kmip_uint *method = &use->parameters.padding_method;

	*out = PKEY_PADDING_PKCS1;
	if (!method->has)
		return ERR_OK;
	switch (method->value) {
	case KMIP_PADDING_METHOD_NONE:
		*out = PKEY_PADDING_NONE;
		return ERR_OK;
	case KMIP_PADDING_METHOD_OAEP:
		*out = PKEY_PADDING_OAEP;
		return ERR_OK;
	case KMIP_PADDING_METHOD_PKCS1_V1_5:
		return ERR_OK;
	case KMIP_PADDING_METHOD_PSS:
		*out = PKEY_PADDING_PSS;
		return ERR_OK;
	default:
		return ERR_FEATURE;
	}
}

static enum err judge_mask_generator(struct pkey_use *out, const struct using *use)
{
	const struct kmip_cryptographic_parameters *parameters = &use->parameters;

	out->salt_len = parameters->salt_length.has ? parameters->salt_length.value : -1;
	out->label = parameters->p_source;
	if (parameters->mask_generator.has &&
		parameters->mask_generator.value != KMIP_MASK_GENERATOR_MGF1)
		return ERR_FEATURE;
	/* RFC 8017 has one. */
	if (parameters->trailer_field.has && parameters->trailer_field.value != 1)
		return ERR_FEATURE;
	if (!parameters->mask_generator_hashing_algorithm.has)
		return ERR_OK;
	out->mask_hash = crypto_hash_name(parameters->mask_generator_hashing_algorithm.value);
	return out->mask_hash == NULL ? ERR_FEATURE : ERR_OK;
}

/* 3.6: it names hash and padding; said once more, they are the same. */
static enum err judge_algorithm(const struct algorithm *algorithm, const struct using *use)
{
	const struct kmip_uint *hash = &use->parameters.hashing_algorithm;
	enum pkey_padding padding;
	enum err err;

	TRY(padding_of(&padding, use));
	if (use->parameters.padding_method.has && algorithm->padding != PKEY_PADDING_NONE &&
		padding != algorithm->padding)
		TRY(ERR_FIELD);
	if (hash->has && algorithm->hash != NULL && !crypto_is_hash(hash->value, algorithm->hash))
		err = ERR_FIELD;
out:
	return err;
}

enum err signing_use_of_digest(struct pkey_use *out, const struct using *use)
{
	const struct kmip_cryptographic_parameters *parameters = &use->parameters;
	const struct algorithm *algorithm = NULL;
	enum err err;

	*out = (struct pkey_use){ 0 };
	TRY(padding_of(&out->padding, use));
	TRY(judge_mask_generator(out, use));
	if (parameters->digital_signature_algorithm.has) {
		algorithm = algorithm_find(parameters->digital_signature_algorithm.value);
		TRY(algorithm == NULL ? ERR_FEATURE : ERR_OK);
		TRY(judge_algorithm(algorithm, use));
		out->padding = algorithm->padding;
		out->hash = algorithm->hash;
	}
	if (out->hash == NULL && parameters->hashing_algorithm.has)
		out->hash = crypto_hash_name(parameters->hashing_algorithm.value);
	if (out->padding == PKEY_PADDING_OAEP)
		err = ERR_FIELD;
out:
	return err;
}

enum err signing_use(struct pkey_use *out, const struct using *use)
{
	enum err err = signing_use_of_digest(out, use);

	return err == ERR_OK && out->hash == NULL ? ERR_FIELD : err;
}

enum err signing_encryption(struct pkey_use *out, const struct using *use)
{
	enum err err;

	*out = (struct pkey_use){ 0 };
	TRY(padding_of(&out->padding, use));
	TRY(judge_mask_generator(out, use));
	TRY(out->padding == PKEY_PADDING_PSS ? ERR_FIELD : ERR_OK);
	if (out->padding != PKEY_PADDING_OAEP)
		return ERR_OK;
	out->hash = use->parameters.hashing_algorithm.has
			    ? crypto_hash_name(use->parameters.hashing_algorithm.value)
			    : "SHA1";
	TRY(out->hash == NULL ? ERR_FEATURE : ERR_OK);
out:
	return err;
}

enum err signing_begin(struct kmip_item *item, struct run *run, const struct using *use)
{
	struct policing_signing judged = { .said = use->algorithm };
	struct pkey *key = NULL;
	struct pkey_use how;
	enum err err;

	TRY(signing_use(&how, use));
	TRY(signing_key(&key, use));
	judged.key = key;
	judged.use = &how;
	TRY(policing_sign(item, &judged));
	TRY(pkey_signing_new(&run->signing, key, &how, false));
out:
	pkey_free(key);
	return err;
}

enum err signing_begin_verifying(struct run *run, const struct using *use)
{
	struct pkey *key = NULL;
	struct pkey_use how;
	enum err err;

	TRY(signing_use(&how, use));
	TRY(signing_verifying_key(&key, use));
	TRY(pkey_signing_new(&run->signing, key, &how, true));
out:
	pkey_free(key);
	return err;
}
