/* SPDX-License-Identifier: Apache-2.0 */
/* Wrap, unwrap and rewrap with a root key: flat JSON in and out. */
#include <stdlib.h>
#include <string.h>

#include "base/rand.h"
#include "base/secret.h"
#include "tests/emulator/handlers.h"

enum {
	PLAINTEXT_CHARS_MAX = 4096,
	PLAINTEXT_MAX = 3072,
	CIPHERTEXT_CHARS_MAX = 16384,
	AAD_ITEMS_MAX = 126,
	AAD_LEN_MAX = 255,
	GENERATED_LEN = 32
};

static enum refusal check_aad(struct request *request)
{
	const cJSON *aad = cJSON_GetObjectItem(request->body, "aad");
	const cJSON *item;

	if (aad == NULL || cJSON_IsNull(aad))
		return REFUSE_NOTHING;
	if (!cJSON_IsArray(aad) || cJSON_GetArraySize(aad) > AAD_ITEMS_MAX)
		return request_bad_field(request, "aad", "an array of at most 126 strings");
	cJSON_ArrayForEach(item, aad)
	{
		const char *text = cJSON_GetStringValue(item);
		if (text == NULL || strlen(text) > AAD_LEN_MAX)
			return request_bad_field(
				request, "aad", "strings of at most 255 characters");
	}
	return REFUSE_NOTHING;
}

enum refusal wrapping_check_wrap(struct request *request)
{
	struct buf plain;
	enum refusal refusal = request_read_body(request);

	if (refusal == REFUSE_NOTHING)
		refusal = check_aad(request);
	const char *text = request_text(request->body, "plaintext");
	if (refusal != REFUSE_NOTHING || text == NULL)
		return refusal;
	if (strlen(text) > PLAINTEXT_CHARS_MAX)
		return request_bad_field(request, "plaintext", "at most 4096 characters long");
	buf_init(&plain, text_unbase64_size(strlen(text)));
	refusal = request_base64(request, &plain, "plaintext", text);
	request->plaintext_len = buf_slice(&plain).len;
	buf_free(&plain);
	return refusal;
}

enum refusal wrapping_check_unwrap(struct request *request)
{
	struct buf sealed;
	enum refusal refusal = request_read_body(request);

	if (refusal == REFUSE_NOTHING && request->body == NULL)
		refusal = REFUSE_NO_BODY_ERR;
	if (refusal == REFUSE_NOTHING)
		refusal = check_aad(request);
	if (refusal != REFUSE_NOTHING)
		return refusal;
	const char *text = request_text(request->body, "ciphertext");
	if (text == NULL || strlen(text) > CIPHERTEXT_CHARS_MAX)
		return request_bad_field(
			request, "ciphertext", "the ciphertext of a wrap with this key");
	buf_init(&sealed, text_unbase64_size(strlen(text)));
	refusal = request_base64(request, &sealed, "ciphertext", text);
	request->ciphertext_len = strlen(text);
	buf_free(&sealed);
	return refusal;
}

static void add_version(cJSON *out, const char *name, const char *id)
{
	cJSON *version = cJSON_AddObjectToObject(out, name);

	cJSON_AddStringToObject(version, "id", id);
}

static enum refusal add_base64(cJSON *out, const char *name, struct slice bytes)
{
	size_t size = text_base64_size(bytes.len);
	char *text = malloc(size);

	if (text == NULL)
		return REFUSE_INTERNAL;
	text_base64(text, bytes);
	cJSON_AddStringToObject(out, name, text);
	secret_wipe(text, size);
	free(text);
	return REFUSE_NOTHING;
}

/* Wraps with the newest version and adds the outcome as "ciphertext". */
static enum refusal add_ciphertext(struct request *request, cJSON *out, struct slice plain)
{
	const struct key_version *newest = key_newest(request->key);
	struct vault_version version = { .id = newest->id, .sealed = newest->sealed };
	char *text = NULL;

	if (vault_wrap(request->world->vault, &text, &version,
		    cJSON_GetObjectItem(request->body, "aad"), plain) != ERR_OK)
		return REFUSE_INTERNAL;
	cJSON_AddStringToObject(out, "ciphertext", text);
	request->ciphertext_len = strlen(text);
	free(text);
	return REFUSE_NOTHING;
}

/* The caller's plaintext, or fresh bytes where it gave none. */
static enum err take_plaintext(struct buf *out, const char *text)
{
	enum err err;
	uint8_t *room = NULL;
	size_t len = GENERATED_LEN;
	size_t room_len = text != NULL ? text_unbase64_size(strlen(text)) : GENERATED_LEN;

	TRY(buf_reserve(out, room_len, &room));
	if (text != NULL)
		TRY(text_unbase64(room, &len, slice_text(text)));
	else
		rand_bytes(room, GENERATED_LEN);
	buf_commit(out, len);
out:
	return err;
}

static enum refusal finish(struct request *request, enum refusal refusal, cJSON *answer)
{
	if (refusal == REFUSE_NOTHING)
		return request_answer(request, 200, answer);
	cJSON_Delete(answer);
	return refusal;
}

enum refusal wrapping_wrap(struct request *request)
{
	const char *text = request_text(request->body, "plaintext");
	cJSON *answer = cJSON_CreateObject();
	struct buf plain;
	enum refusal refusal = REFUSE_INTERNAL;

	if (text != NULL && *text == '\0')
		text = NULL;
	buf_init(&plain, PLAINTEXT_MAX + 4);
	if (take_plaintext(&plain, text) == ERR_OK) {
		refusal = text == NULL ? add_base64(answer, "plaintext", buf_slice(&plain))
				       : REFUSE_NOTHING;
		request->plaintext_len = buf_slice(&plain).len;
	}
	if (refusal == REFUSE_NOTHING)
		refusal = add_ciphertext(request, answer, buf_slice(&plain));
	if (refusal == REFUSE_NOTHING)
		add_version(answer, "keyVersion", key_newest(request->key)->id);
	buf_free(&plain);
	return finish(request, refusal, answer);
}

/* Opens the body's ciphertext; *used is the index of the version that it was made with. */
static enum refusal open_ciphertext(struct request *request, struct buf *out, size_t *used)
{
	const struct key *key = request->key;
	struct vault_version *list = calloc(key->version_count, sizeof(*list));

	if (list == NULL)
		return REFUSE_INTERNAL;
	for (size_t i = 0; i < key->version_count; i++)
		list[i] = (struct vault_version){ .id = key->versions[i].id,
			.sealed = key->versions[i].sealed };
	struct vault_versions versions = { .list = list, .count = key->version_count };
	enum err err = vault_unwrap(request->world->vault, out, used, &versions,
		cJSON_GetObjectItem(request->body, "aad"),
		request_text(request->body, "ciphertext"));
	free(list);
	return err == ERR_OK ? REFUSE_NOTHING : REFUSE_UNPROCESSABLE_CIPHERTEXT_ERR;
}

enum refusal wrapping_unwrap(struct request *request)
{
	const struct key *key = request->key;
	cJSON *answer = cJSON_CreateObject();
	struct buf plain;
	size_t used = 0;

	buf_init(&plain, CIPHERTEXT_CHARS_MAX);
	enum refusal refusal = open_ciphertext(request, &plain, &used);
	request->plaintext_len = buf_slice(&plain).len;
	if (refusal == REFUSE_NOTHING)
		refusal = add_base64(answer, "plaintext", buf_slice(&plain));
	bool rotated = used + 1 != key->version_count;
	if (refusal == REFUSE_NOTHING && rotated)
		refusal = add_ciphertext(request, answer, buf_slice(&plain));
	if (refusal == REFUSE_NOTHING)
		add_version(answer, "keyVersion", key->versions[used].id);
	if (refusal == REFUSE_NOTHING && rotated)
		add_version(answer, "rewrappedKeyVersion", key_newest(key)->id);
	buf_free(&plain);
	return finish(request, refusal, answer);
}

enum refusal wrapping_rewrap(struct request *request)
{
	const struct key *key = request->key;
	cJSON *answer = cJSON_CreateObject();
	struct buf plain;
	size_t used = 0;

	buf_init(&plain, CIPHERTEXT_CHARS_MAX);
	enum refusal refusal = open_ciphertext(request, &plain, &used);
	if (refusal == REFUSE_NOTHING)
		refusal = add_ciphertext(request, answer, buf_slice(&plain));
	if (refusal == REFUSE_NOTHING) {
		add_version(answer, "keyVersion", key->versions[used].id);
		add_version(answer, "rewrappedKeyVersion", key_newest(key)->id);
	}
	buf_free(&plain);
	return finish(request, refusal, answer);
}
