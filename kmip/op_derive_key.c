/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Derive Key (KMIP 1.4, section 4.5): a symmetric key or secret out of others, linked both ways.
 * Passwords are stretched on another thread, since the client says how often.
 */
#include <stdlib.h>
#include "kmip/asymmetric.h"
#include "kmip/ciphering.h"
#include "kmip/crypto_names.h"
#include "kmip/linking.h"
#include "kmip/making.h"
#include "kmip/operations.h"
#include "kmip/policing.h"
#include "kmip/settling.h"
#include "kmip/signing.h"
#include "kmip/stored.h"

enum {
	BYTE_BITS = 8,
	DERIVED_LEN_MAX = 4096,
	SOURCES_MAX = 2,
	ITERATIONS_SOON_MAX = 100000 /* more take so long that others do not wait behind them */
};

/* What the other thread sees: PBKDF2's input and result. */
struct stretch {
	const char *hash;
	struct secret *password, *salt;
	uint32_t iterations;
	size_t len;
	struct buf out;
	enum err err;
};

/* What plan leaves to finish, in the arena: the objects that the new one is derived from. */
struct bases {
	struct uid uids[SOURCES_MAX];
	size_t count;
};

struct derivation {
	struct using sources[SOURCES_MAX];
	size_t source_count;
	const struct kmip_derivation_parameters *parameters;
	struct slice data; /* Derivation Data, from the request or a Secret Data object */
	size_t len;
	struct buf out;
};

/* ---- PBKDF2 ---- */

static void stretch_compute(void *ctx)
{
	struct stretch *stretch = ctx;
	struct digest_pbkdf2 options = { .hash = stretch->hash,
		.secret = secret_slice(stretch->password),
		.salt = secret_slice(stretch->salt),
		.iterations = stretch->iterations };

	stretch->err = digest_pbkdf2(&stretch->out, stretch->len, &options);
}

static void stretch_free(void *ctx)
{
	struct stretch *stretch = ctx;

	secret_free(stretch->password);
	secret_free(stretch->salt);
	buf_free(&stretch->out);
	free(stretch);
}

static enum err stretch_begin(struct kmip_item *item, const struct derivation *derivation)
{
	const struct kmip_derivation_parameters *parameters = derivation->parameters;
	const struct kmip_cryptographic_parameters *said = parameters->cryptographic_parameters;
	struct stretch *stretch = calloc(1, sizeof(*stretch));
	enum err err = stretch == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	buf_init(&stretch->out, DERIVED_LEN_MAX);
	stretch->hash = said != NULL && said->hashing_algorithm.has
				? crypto_hash_name(said->hashing_algorithm.value)
				: "SHA1";
	TRY(stretch->hash == NULL ? ERR_FIELD : ERR_OK);
	TRY(policing_hash(item, stretch->hash));
	/* It knows no data but the salt. */
	TRY(derivation->data.len > 0 || parameters->salt.len == 0 ||
				parameters->iteration_count.value <= 0
			? ERR_FIELD
			: ERR_OK);
	TRY(secret_new(&stretch->password, derivation->sources[0].material));
	TRY(secret_new(&stretch->salt, parameters->salt));
	stretch->iterations = (uint32_t) parameters->iteration_count.value;
	stretch->len = derivation->len;
	item->plan_memory = stretch;
	item->free_memory = stretch_free;
	item->compute = stretch_compute;
	item->computes_long = stretch->iterations > ITERATIONS_SOON_MAX;
	return ERR_AGAIN;
out:
	if (stretch != NULL)
		stretch_free(stretch);
	return err;
}

static enum err derive_pbkdf2(struct kmip_item *item, struct derivation *derivation)
{
	const struct stretch *stretch = item->plan_memory;

	if (stretch == NULL)
		return stretch_begin(item, derivation);
	return stretch->err != ERR_OK ? stretch->err
				      : buf_append(&derivation->out, buf_slice(&stretch->out));
}

/* ---- the others ---- */

static const char *hash_of(const struct derivation *derivation)
{
	return crypto_hash_name(derivation->sources[0].parameters.hashing_algorithm.value);
}

/* Over the key; or over data, if there is some and no key has to be named besides. */
static enum err derive_hash(struct kmip_item *item, struct derivation *derivation)
{
	const char *hash = hash_of(derivation);
	struct digest *digest = NULL;
	enum err err;

	TRY(hash == NULL || derivation->data.len > 0 ? ERR_FIELD : ERR_OK);
	TRY(policing_hash(item, hash));
	TRY(digest_new(&digest, hash));
	TRY(digest_update(digest, derivation->sources[0].material));
	TRY(digest_finish(digest, &derivation->out));
out:
	digest_free(digest);
	return err;
}

static enum err derive_hmac(struct kmip_item *item, struct derivation *derivation)
{
	const struct using *use = &derivation->sources[0];
	struct digest_mac mac = { .hash = hash_of(derivation), .key = use->material };
	struct digest *digest = NULL;
	enum err err;

	if (mac.hash == NULL)
		mac.hash = crypto_hmac_hash_name(use->algorithm);
	TRY(mac.hash == NULL || derivation->data.len == 0 ? ERR_FIELD : ERR_OK);
	TRY(policing_hmac(item, mac.hash, mac.key.len));
	TRY(digest_new_mac(&digest, &mac));
	TRY(digest_update(digest, derivation->data));
	TRY(digest_finish(digest, &derivation->out));
out:
	digest_free(digest);
	return err;
}

static enum err derive_encrypt(struct kmip_item *item, struct derivation *derivation)
{
	struct ciphering ciphering = { .use = &derivation->sources[0],
		.encrypt = true,
		.iv = derivation->parameters->initialization_vector };
	struct run run = { 0 };
	bool is_valid;
	enum err err;

	TRY(derivation->data.len == 0 ? ERR_FIELD : ERR_OK);
	TRY(ciphering_begin(item, &run, &ciphering));
	/* An IV that nobody is told would make the derivation unrepeatable. */
	TRY(ciphering.drew_iv || run.seals ? ERR_FIELD : ERR_OK);
	TRY(run_update(&run, derivation->data, &derivation->out));
	TRY(run_finish(&run, &derivation->out, NULL, &is_valid));
out:
	run_clear(&run);
	return err;
}

static enum err derive_kbkdf(
	struct kmip_item *item, struct derivation *derivation, const char *mode, struct slice iv)
{
	struct digest_kbkdf options = { .hash = hash_of(derivation),
		.mode = mode,
		.secret = derivation->sources[0].material,
		.label_and_context = derivation->data,
		.iv = iv };
	enum err err = ERR_OK;

	TRY(options.hash == NULL || derivation->data.len == 0 ? ERR_FIELD : ERR_OK);
	TRY(policing_hmac(item, options.hash, options.secret.len));
	TRY(digest_kbkdf(&derivation->out, derivation->len, &options));
out:
	return err;
}

static enum err derive_counter(struct kmip_item *item, struct derivation *derivation)
{
	return derive_kbkdf(item, derivation, "counter", SLICE_EMPTY);
}

static enum err derive_feedback(struct kmip_item *item, struct derivation *derivation)
{
	return derive_kbkdf(
		item, derivation, "feedback", derivation->parameters->initialization_vector);
}

static enum err derive_pipeline(struct kmip_item *item, struct derivation *derivation)
{
	return derive_kbkdf(item, derivation, "pipeline", SLICE_EMPTY);
}

static enum err derive_agreed(struct kmip_item *item, struct derivation *derivation)
{
	const struct using *ours = &derivation->sources[0], *theirs = &derivation->sources[1];
	struct pkey *private_key = NULL, *public_key = NULL;
	enum err err;

	if (derivation->source_count != SOURCES_MAX ||
		ours->object->type != KMIP_OBJECT_TYPE_PRIVATE_KEY ||
		theirs->object->type != KMIP_OBJECT_TYPE_PUBLIC_KEY)
		return ERR_FIELD;
	TRY(signing_key(&private_key, ours));
	TRY(policing_pkey(item, ours->algorithm, private_key));
	TRY(signing_key(&public_key, theirs));
	TRY(pkey_agree(&derivation->out, private_key, public_key));
out:
	pkey_free(private_key);
	pkey_free(public_key);
	return err;
}

static const struct {
	uint32_t method;
	enum err (*derive)(struct kmip_item *item, struct derivation *derivation);
} methods[] = {
	{ KMIP_DERIVATION_METHOD_PBKDF2, derive_pbkdf2 },
	{ KMIP_DERIVATION_METHOD_HASH, derive_hash },
	{ KMIP_DERIVATION_METHOD_HMAC, derive_hmac },
	{ KMIP_DERIVATION_METHOD_ENCRYPT, derive_encrypt },
	{ KMIP_DERIVATION_METHOD_NIST800_108_C, derive_counter },
	{ KMIP_DERIVATION_METHOD_NIST800_108_F, derive_feedback },
	{ KMIP_DERIVATION_METHOD_NIST800_108_DPI, derive_pipeline },
	{ KMIP_DERIVATION_METHOD_ASYMMETRIC_KEY, derive_agreed },
};

static enum err derive(struct kmip_item *item, struct derivation *derivation, uint32_t method)
{
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		if (methods[i].method == method)
			return methods[i].derive(item, derivation);
	}
	return ERR_FIELD;
}

/* ---- sources and result ---- */

static bool comes_second(const struct using *use)
{
	return use->object->type == KMIP_OBJECT_TYPE_SECRET_DATA ||
	       use->object->type == KMIP_OBJECT_TYPE_PUBLIC_KEY;
}

/* In whichever order they are named: the key that is derived from, then the data, or the public key
 * that is agreed with. */
static enum err order_sources(struct derivation *derivation, uint32_t method)
{
	struct using *first = &derivation->sources[0], *second = &derivation->sources[1];
	struct using moved = *first;

	if (derivation->source_count < SOURCES_MAX)
		return ERR_OK;
	if (comes_second(first) && !comes_second(second)) {
		*first = *second;
		*second = moved;
	}
	if (method == KMIP_DERIVATION_METHOD_ASYMMETRIC_KEY)
		return ERR_OK;
	if (second->object->type != KMIP_OBJECT_TYPE_SECRET_DATA)
		return ERR_FIELD;
	if (derivation->data.len > 0)
		return ERR_MESSAGE;
	derivation->data = second->material;
	return ERR_OK;
}

static enum err find_sources(struct kmip_item *item, struct derivation *derivation)
{
	const struct kmip_derive_key_request *request = item->request;
	enum err err = ERR_OK;

	if (request->unique_identifiers.count == 0 ||
		request->unique_identifiers.count > SOURCES_MAX)
		return ERR_FIELD;
	derivation->data = request->parameters->derivation_data;
	for (size_t i = 0; i < request->unique_identifiers.count; i++) {
		struct using *use = &derivation->sources[i];
		struct using_ask ask = { .uid = request->unique_identifiers.items[i],
			.mask = KMIP_CRYPTOGRAPHIC_USAGE_MASK_DERIVE_KEY,
			.parameters = request->parameters->cryptographic_parameters };

		err = using_begin(use, item, &ask);
		TRY(err == ERR_DENIED ? ERR_FIELD : err);
		derivation->source_count++;
	}
	TRY(order_sources(derivation, request->method.value));
out:
	return err;
}

/* The first bytes of what was derived are the key: *key. */
static enum err write_derived(struct kmip_item *item, struct attribute_edits *edits,
	const struct derivation *derivation, struct slice *key)
{
	static const struct making_secret seed = { KMIP_SECRET_DATA_TYPE_SEED,
		KMIP_KEY_FORMAT_TYPE_RAW };
	struct slice derived = buf_slice(&derivation->out);
	size_t len = derivation->len;
	uint8_t *material = arena_alloc(item->arena, len);

	if (material == NULL)
		return ERR_NOMEM;
	if (derived.len < len)
		return ERR_CRYPTO;
	bytes_copy(material, derived.data, len);
	*key = slice_of(material, len);
	if (edits->object_type == KMIP_OBJECT_TYPE_SECRET_DATA)
		return making_secret(item, &seed, *key);
	algorithm_finish_key(&edits->key, material, len);
	item->create.type = edits->object_type;
	item->create.format = KMIP_KEY_FORMAT_TYPE_RAW;
	item->create.material = *key;
	return ERR_OK;
}

static enum err judge_length(struct attribute_edits *edits, size_t *len)
{
	if (edits->key.length_bits <= 0 || edits->key.length_bits % BYTE_BITS != 0 ||
		edits->key.length_bits > DERIVED_LEN_MAX * BYTE_BITS)
		return ERR_FIELD;
	if (edits->object_type == KMIP_OBJECT_TYPE_SYMMETRIC_KEY)
		return algorithm_plan_key(&edits->key, len);
	*len = (size_t) edits->key.length_bits / BYTE_BITS;
	return edits->object_type == KMIP_OBJECT_TYPE_SECRET_DATA ? ERR_OK : ERR_FIELD;
}

/* Each base object once, however often it is named. */
static enum err link_bases(
	struct attribute_edits *edits, struct bases *bases, const struct derivation *derivation)
{
	enum err err = ERR_OK;

	for (size_t i = 0; i < derivation->source_count; i++) {
		const struct uid *uid = &derivation->sources[i].object->uid;

		if (i > 0 && uid_equal(uid, &bases->uids[0]))
			continue;
		bases->uids[bases->count++] = *uid;
		TRY(linking_set(edits, KMIP_LINK_TYPE_DERIVATION_BASE_OBJECT_LINK, uid));
	}
out:
	return err;
}

enum err op_derive_key_plan(struct kmip_item *item)
{
	const struct kmip_derive_key_request *request = item->request;
	struct kmip_derive_key_response *response = item->response;
	struct attribute_edits edits = making_edits(item, request->object_type.value);
	struct derivation derivation = { .parameters = request->parameters };
	struct slice key;
	struct bases *bases = ARENA_NEW(item->arena, struct bases);
	enum err err = bases == NULL ? ERR_NOMEM : ERR_OK;

	buf_init(&derivation.out, DERIVED_LEN_MAX + CIPHER_NAME_LEN_MAX);
	TRY(err);
	TRY(making_attributes(item, &edits, request->template_attribute));
	TRY(judge_length(&edits, &derivation.len));
	TRY(find_sources(item, &derivation));
	TRY(derive(item, &derivation, request->method.value));
	TRY(write_derived(item, &edits, &derivation, &key));
	item->plan_result = bases;
	TRY(making_date_of(&edits));
	TRY(link_bases(&edits, bases, &derivation));
	TRY(making_effect(item, &edits, key));
	TRY(settling_withhold(item));
	TRY(making_tell(&edits, &response->template_attribute));
out:
	buf_free(&derivation.out);
	return err;
}

static enum err settle(struct kmip_item *item, const struct bases *bases)
{
	enum err err = ERR_OK;

	settling_begin(item);
	for (size_t i = 0; i < bases->count; i++)
		TRY(settling_link(
			item, &bases->uids[i], KMIP_LINK_TYPE_DERIVED_KEY_LINK, &item->made[0]));
out:
	return err;
}

enum err op_derive_key_finish(struct kmip_item *item)
{
	struct kmip_derive_key_response *response = item->response;

	if (item->steps == 1)
		return settle(item, item->plan_result);
	item->subject.uid = item->made[0];
	item->placeholder = item->subject;
	return item_uid_text(item, &response->unique_identifier);
}
