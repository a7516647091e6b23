/* SPDX-License-Identifier: Apache-2.0 */
/* Import tokens: a public key and a nonce by which root key material comes in encrypted. One at a
 * time; it outlives a restart. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rand.h"
#include "base/secret.h"
#include "tests/emulator/handlers.h"
#include "tests/emulator/transport.h"

enum {
	LIFE_MIN_S = 300,
	LIFE_MAX_S = 86400,
	LIFE_DEFAULT_S = 600,
	READS_MAX = 500,
	NONCE_LEN = 12,
	FIELD_BYTES_MAX = 1024
};

static int number_of(const cJSON *object, const char *name, int without)
{
	const cJSON *item = cJSON_GetObjectItem(object, name);

	if (item == NULL || cJSON_IsNull(item))
		return without;
	return cJSON_IsNumber(item) ? item->valueint : -1;
}

enum refusal import_token_check(struct request *request)
{
	enum refusal refusal = request_read_body(request);

	if (refusal != REFUSE_NOTHING)
		return refusal;
	int life_s = number_of(request->body, "expiration", LIFE_DEFAULT_S);
	int reads = number_of(request->body, "maxAllowedRetrievals", 1);
	if (life_s < LIFE_MIN_S || life_s > LIFE_MAX_S)
		return request_bad_field(
			request, "expiration", "an integer between 300 and 86400 (inclusive)");
	if (reads < 1 || reads > READS_MAX)
		return request_bad_field(request, "maxAllowedRetrievals",
			"an integer between 1 and 500 (inclusive)");
	return REFUSE_NOTHING;
}

static cJSON *token_date(cJSON *token, const char *name, int64_t seconds)
{
	char text[RFC3339_TEXT_LEN + 1];

	text_rfc3339_from(text, seconds);
	return cJSON_AddStringToObject(token, name, text);
}

/* Without the key and the nonce. */
static enum refusal answer_token(struct request *request, bool with_key)
{
	cJSON *answer = cJSON_Duplicate(request->world->import_token, true);

	cJSON_DeleteItemFromObject(answer, "private");
	if (!with_key) {
		cJSON_DeleteItemFromObject(answer, "payload");
		cJSON_DeleteItemFromObject(answer, "nonce");
	}
	return request_answer(request, 200, answer);
}

static void add_base64(cJSON *token, const char *name, struct slice bytes)
{
	char *text = malloc(text_base64_size(bytes.len));

	ASSERT(text != NULL);
	text_base64(text, bytes);
	cJSON_AddStringToObject(token, name, text);
	free(text);
}

enum refusal import_token_post(struct request *request)
{
	int reads = number_of(request->body, "maxAllowedRetrievals", 1);
	int64_t now = world_now(request->world);
	uint8_t nonce[NONCE_LEN];
	char *private_pem = NULL;
	char *public_pem = NULL;

	if (request->world->service == WORLD_DEDICATED)
		return REFUSE_FEATURE_RESTRICTED_ERR;
	if (transport_new(&private_pem, &public_pem) != ERR_OK)
		return REFUSE_INTERNAL;
	cJSON *token = cJSON_CreateObject();
	rand_bytes(nonce, sizeof(nonce));
	token_date(token, "creationDate", now);
	token_date(token, "expirationDate",
		now + number_of(request->body, "expiration", LIFE_DEFAULT_S));
	cJSON_AddNumberToObject(token, "maxAllowedRetrievals", reads);
	cJSON_AddNumberToObject(token, "remainingRetrievals", reads);
	add_base64(token, "payload", slice_text(public_pem));
	add_base64(token, "nonce", slice_of(nonce, sizeof(nonce)));
	cJSON_AddStringToObject(token, "private", private_pem);
	secret_wipe(private_pem, strlen(private_pem));
	free(private_pem);
	free(public_pem);
	world_set_import_token(request->world, token);
	return answer_token(request, false);
}

static enum refusal token_is_good(struct request *request)
{
	const cJSON *token = request->world->import_token;
	const char *date = request_text(token, "expirationDate");
	int64_t expires = 0;

	if (token == NULL)
		return REFUSE_IMPORT_TOKEN_NOT_FOUND_ERR;
	if (text_rfc3339(&expires, slice_text(date)) != ERR_OK ||
		expires <= world_now(request->world))
		return REFUSE_IMPORT_TOKEN_EXPIRED_ERR;
	return REFUSE_NOTHING;
}

enum refusal import_token_get(struct request *request)
{
	enum refusal refusal = token_is_good(request);
	cJSON *token = request->world->import_token;
	int left = number_of(token, "remainingRetrievals", 0);

	if (refusal != REFUSE_NOTHING)
		return refusal;
	if (left < 1)
		return REFUSE_IMPORT_TOKEN_EXPIRED_ERR;
	cJSON *fewer = cJSON_Duplicate(token, true);
	cJSON_SetNumberValue(cJSON_GetObjectItem(fewer, "remainingRetrievals"), left - 1);
	world_set_import_token(request->world, fewer);
	return answer_token(request, true);
}

bool import_token_is_used(const cJSON *given)
{
	static const char *const names[] = { "encryptedNonce", "iv", "encryptionAlgorithm" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *text = request_text(given, names[i]);
		if (text != NULL && *text != '\0')
			return true;
	}
	return false;
}

static enum refusal decode(
	struct request *request, struct buf *out, const cJSON *given, const char *name)
{
	const char *text = request_text(given, name);

	if (text == NULL || *text == '\0')
		return request_bad_field(request, name, "given with an import token");
	return request_base64(request, out, name, text);
}

static enum refusal check_nonce(struct request *request, const cJSON *given,
	enum transport_kind kind, struct slice material)
{
	struct buf sealed;
	struct buf iv;
	struct buf nonce;

	buf_init(&sealed, FIELD_BYTES_MAX);
	buf_init(&iv, FIELD_BYTES_MAX);
	buf_init(&nonce, FIELD_BYTES_MAX);
	enum refusal refusal = decode(request, &sealed, given, "encryptedNonce");
	if (refusal == REFUSE_NOTHING)
		refusal = decode(request, &iv, given, "iv");
	if (refusal == REFUSE_NOTHING)
		refusal = decode(request, &nonce, request->world->import_token, "nonce");
	if (refusal == REFUSE_NOTHING) {
		struct transport_proof proof = {
			.key = material, .iv = buf_slice(&iv), .sealed = buf_slice(&sealed)
		};
		enum err err = transport_check_nonce(&proof, kind, buf_slice(&nonce));
		if (err == ERR_INVALID)
			refusal = REFUSE_INCORRECT_NONCE_IV_ERR;
		else if (err != ERR_OK)
			refusal = REFUSE_INCORRECT_NONCE_ERR;
	}
	buf_free(&sealed);
	buf_free(&iv);
	buf_free(&nonce);
	return refusal;
}

/* HPCS has the older pair of algorithms as well. */
static enum refusal kind_of(struct request *request, enum transport_kind *out, const cJSON *given)
{
	const char *name = request_text(given, "encryptionAlgorithm");

	*out = TRANSPORT_SHA256;
	if (name == NULL || strcmp(name, "RSAES_OAEP_SHA_256") == 0)
		return REFUSE_NOTHING;
	*out = TRANSPORT_SHA1;
	if (strcmp(name, "RSAES_OAEP_SHA_1") == 0 && request->world->service == WORLD_HPCS)
		return REFUSE_NOTHING;
	return request_bad_field(request, "encryptionAlgorithm", "RSAES_OAEP_SHA_256");
}

enum refusal import_token_open(struct request *request, const cJSON *given)
{
	enum transport_kind kind;
	struct buf sealed;
	struct buf material;
	enum refusal refusal = kind_of(request, &kind, given);

	if (refusal == REFUSE_NOTHING)
		refusal = token_is_good(request);
	if (refusal != REFUSE_NOTHING)
		return refusal;
	buf_init(&sealed, FIELD_BYTES_MAX);
	buf_init(&material, FIELD_BYTES_MAX);
	refusal = decode(request, &sealed, given, "payload");
	if (refusal == REFUSE_NOTHING &&
		transport_open(&material, request_text(request->world->import_token, "private"),
			kind, buf_slice(&sealed)) != ERR_OK)
		refusal = request_bad_field(
			request, "payload", "encrypted with the key of the import token");
	if (refusal == REFUSE_NOTHING)
		refusal = check_nonce(request, given, kind, buf_slice(&material));
	if (refusal == REFUSE_NOTHING) {
		struct slice plain = buf_slice(&material);
		request->material = malloc(text_base64_size(plain.len));
		ASSERT(request->material != NULL);
		text_base64(request->material, plain);
	}
	buf_free(&sealed);
	buf_free(&material);
	return refusal;
}
