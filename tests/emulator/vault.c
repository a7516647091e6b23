/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/emulator/vault.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypt.h"
#include "base/file.h"
#include "base/rand.h"
#include "base/secret.h"

enum {
	/* a wrapped 4,096-character plaintext with its base64 and JSON around it, twice */
	CIPHERTEXT_MAX = 16384,
	AAD_MAX = 126 * (4 + 1024),
	FILE_PATH_MAX = 4096
};

struct vault {
	struct secret *key;
};

enum err vault_new(struct vault **out, const char *folder)
{
	enum err err;
	char path[FILE_PATH_MAX];
	struct buf text;
	uint8_t fresh[CRYPT_GCM_KEY_LEN];
	struct vault *vault = calloc(1, sizeof(*vault));

	buf_init(&text, CRYPT_GCM_KEY_LEN);
	snprintf(path, sizeof(path), "%s/seal.key", folder);
	if (vault == NULL)
		TRY(ERR_NOMEM);
	err = file_read(&text, path);
	if (err == ERR_NOT_FOUND) {
		rand_bytes(fresh, sizeof(fresh));
		TRY(buf_append(&text, slice_of(fresh, sizeof(fresh))));
		err = file_write_atomic(path, buf_slice(&text), 0600);
	}
	TRY(err);
	if (buf_slice(&text).len != CRYPT_GCM_KEY_LEN)
		TRY(ERR_CORRUPT);
	TRY(secret_new(&vault->key, buf_slice(&text)));
	*out = vault;
	vault = NULL;
out:
	secret_wipe(fresh, sizeof(fresh));
	buf_free(&text);
	vault_free(vault);
	return err;
}

void vault_free(struct vault *vault)
{
	if (vault == NULL)
		return;
	secret_free(vault->key);
	free(vault);
}

enum err vault_derive(struct vault *vault, uint8_t out[32], const char *label)
{
	struct slice parts[] = { slice_text(label), secret_slice(vault->key) };

	return crypt_sha256_parts(out, parts, 2);
}

static char *base64_new(struct slice bytes)
{
	char *text = malloc(text_base64_size(bytes.len));

	if (text != NULL)
		text_base64(text, bytes);
	return text;
}

/* nonce || ciphertext || tag of at most a key's length, in base64 */
enum err vault_seal(struct vault *vault, char **out, struct slice material)
{
	uint8_t sealed[CRYPT_GCM_NONCE_LEN + VAULT_MATERIAL_MAX + CRYPT_GCM_TAG_LEN];
	struct crypt_box box = { .key = secret_slice(vault->key),
		.nonce = slice_of(sealed, CRYPT_GCM_NONCE_LEN),
		.aad = SLICE_EMPTY };

	if (material.len > VAULT_MATERIAL_MAX)
		return ERR_LIMIT;
	rand_bytes(sealed, CRYPT_GCM_NONCE_LEN);
	enum err err = crypt_seal(sealed + CRYPT_GCM_NONCE_LEN, &box, material);
	if (err != ERR_OK)
		return err;
	*out = base64_new(slice_of(sealed, CRYPT_GCM_NONCE_LEN + material.len + CRYPT_GCM_TAG_LEN));
	return *out != NULL ? ERR_OK : ERR_NOMEM;
}

/* The 32-byte key that a version wraps with: material shorter than that is hashed to length. */
static enum err vault_wrapping_key(struct vault *vault, uint8_t out[32], const char *sealed)
{
	enum err err;
	uint8_t raw[256];
	uint8_t material[VAULT_MATERIAL_MAX];
	size_t raw_len = 0;
	enum { OVERHEAD = CRYPT_GCM_NONCE_LEN + CRYPT_GCM_TAG_LEN };

	if (strlen(sealed) > 128)
		TRY(ERR_CORRUPT);
	TRY(text_unbase64(raw, &raw_len, slice_text(sealed)));
	if (raw_len < OVERHEAD || raw_len > OVERHEAD + VAULT_MATERIAL_MAX)
		TRY(ERR_CORRUPT);
	struct crypt_box box = { .key = secret_slice(vault->key),
		.nonce = slice_of(raw, CRYPT_GCM_NONCE_LEN),
		.aad = SLICE_EMPTY };
	TRY(crypt_open(material, &box,
		slice_of(raw + CRYPT_GCM_NONCE_LEN, raw_len - CRYPT_GCM_NONCE_LEN)));
	if (raw_len - OVERHEAD == VAULT_MATERIAL_MAX)
		bytes_copy(out, material, sizeof(material));
	else
		TRY(crypt_sha256(out, slice_of(material, raw_len - OVERHEAD)));
out:
	secret_wipe(material, sizeof(material));
	return err;
}

/* Each string behind its length, so that ["ab","c"] is not ["a","bc"]. */
static enum err vault_bind(struct buf *out, const cJSON *aad)
{
	enum err err = ERR_OK;
	const cJSON *item;

	cJSON_ArrayForEach(item, aad)
	{
		const char *text = cJSON_GetStringValue(item);
		if (text == NULL)
			return ERR_INVALID;
		TRY(buf_append_bytes32(out, slice_text(text)));
	}
out:
	return err;
}

static char *vault_shape(const char *version_id, struct slice iv, struct slice sealed)
{
	cJSON *shape = cJSON_CreateObject();
	char *sealed_text = base64_new(sealed);
	char *iv_text = base64_new(iv);
	char *text = NULL;
	char *out = NULL;

	if (sealed_text != NULL && iv_text != NULL) {
		cJSON_AddStringToObject(shape, "ciphertext", sealed_text);
		cJSON_AddStringToObject(shape, "iv", iv_text);
		cJSON_AddStringToObject(shape, "version", "4.0.0");
		cJSON_AddStringToObject(shape, "handle", version_id);
		text = cJSON_PrintUnformatted(shape);
	}
	if (text != NULL)
		out = base64_new(slice_text(text));
	cJSON_free(text);
	free(sealed_text);
	free(iv_text);
	cJSON_Delete(shape);
	return out;
}

enum err vault_wrap(struct vault *vault, char **out, const struct vault_version *version,
	const cJSON *aad, struct slice plain)
{
	enum err err;
	uint8_t key[CRYPT_GCM_KEY_LEN];
	uint8_t iv[CRYPT_GCM_NONCE_LEN];
	uint8_t *room = NULL;
	struct buf bound, sealed;

	buf_init(&bound, AAD_MAX);
	buf_init(&sealed, CIPHERTEXT_MAX);
	TRY(vault_bind(&bound, aad));
	TRY(vault_wrapping_key(vault, key, version->sealed));
	rand_bytes(iv, sizeof(iv));
	TRY(buf_reserve(&sealed, plain.len + CRYPT_GCM_TAG_LEN, &room));
	struct crypt_box box = { .key = slice_of(key, sizeof(key)),
		.nonce = slice_of(iv, sizeof(iv)),
		.aad = buf_slice(&bound) };
	TRY(crypt_seal(room, &box, plain));
	buf_commit(&sealed, plain.len + CRYPT_GCM_TAG_LEN);
	*out = vault_shape(version->id, box.nonce, buf_slice(&sealed));
	err = *out != NULL ? ERR_OK : ERR_NOMEM;
out:
	secret_wipe(key, sizeof(key));
	buf_free(&bound);
	buf_free(&sealed);
	return err;
}

static enum err vault_unbase64(struct buf *out, const char *text)
{
	enum err err;
	uint8_t *room = NULL;
	size_t len = 0;

	if (text == NULL)
		return ERR_INVALID;
	TRY(buf_reserve(out, text_unbase64_size(strlen(text)), &room));
	TRY(text_unbase64(room, &len, slice_text(text)));
	buf_commit(out, len);
out:
	return err;
}

static enum err vault_try_version(struct vault *vault, struct buf *out,
	const struct vault_version *version, struct crypt_box *box, struct slice sealed)
{
	enum err err;
	uint8_t key[CRYPT_GCM_KEY_LEN];
	uint8_t *room = NULL;

	TRY(vault_wrapping_key(vault, key, version->sealed));
	box->key = slice_of(key, sizeof(key));
	TRY(buf_reserve(out, sealed.len, &room));
	TRY(crypt_open(room, box, sealed));
	buf_commit(out, sealed.len - CRYPT_GCM_TAG_LEN);
out:
	secret_wipe(key, sizeof(key));
	return err;
}

/* *index: the version that the handle names, or their count. */
static void vault_find_version(
	const struct vault_versions *versions, const char *handle, size_t *index)
{
	for (*index = 0; *index < versions->count; (*index)++) {
		if (strcmp(versions->list[*index].id, handle) == 0)
			return;
	}
}

static enum err vault_try(struct vault *vault, struct buf *out, size_t *used,
	const struct vault_versions *versions, struct crypt_box *box, struct slice sealed)
{
	if (*used < versions->count)
		return vault_try_version(vault, out, &versions->list[*used], box, sealed);
	/* Another root key with the same imported material wrapped it. */
	for (size_t i = 0; i < versions->count; i++) {
		*used = i;
		enum err err = vault_try_version(vault, out, &versions->list[i], box, sealed);
		if (err != ERR_CRYPTO)
			return err;
	}
	return ERR_CRYPTO;
}

enum err vault_unwrap(struct vault *vault, struct buf *out, size_t *used,
	const struct vault_versions *versions, const cJSON *aad, const char *ciphertext)
{
	enum err err;
	struct buf bound, text, sealed, iv;
	cJSON *shape = NULL;

	buf_init(&bound, AAD_MAX);
	buf_init(&text, CIPHERTEXT_MAX);
	buf_init(&sealed, CIPHERTEXT_MAX);
	buf_init(&iv, CIPHERTEXT_MAX);
	TRY(vault_bind(&bound, aad));
	TRY(vault_unbase64(&text, ciphertext));
	shape = cJSON_ParseWithLength((const char *) buf_slice(&text).data, buf_slice(&text).len);
	const char *handle = cJSON_GetStringValue(cJSON_GetObjectItem(shape, "handle"));
	if (handle == NULL)
		TRY(ERR_CRYPTO);
	err = vault_unbase64(
		&sealed, cJSON_GetStringValue(cJSON_GetObjectItem(shape, "ciphertext")));
	if (err == ERR_OK)
		err = vault_unbase64(&iv, cJSON_GetStringValue(cJSON_GetObjectItem(shape, "iv")));
	if (err != ERR_OK || buf_slice(&iv).len != CRYPT_GCM_NONCE_LEN ||
		buf_slice(&sealed).len < CRYPT_GCM_TAG_LEN)
		TRY(ERR_CRYPTO);
	struct crypt_box box = { .nonce = buf_slice(&iv), .aad = buf_slice(&bound) };
	vault_find_version(versions, handle, used);
	TRY(vault_try(vault, out, used, versions, &box, buf_slice(&sealed)));
out:
	cJSON_Delete(shape);
	buf_free(&bound);
	buf_free(&text);
	buf_free(&sealed);
	buf_free(&iv);
	return err;
}
