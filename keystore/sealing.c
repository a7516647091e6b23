/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/sealing.h"
#include "base/crypt.h"
#include "base/secret.h"

/* One key seals once, so that the nonce may be constant. */
static const uint8_t only_nonce[CRYPT_GCM_NONCE_LEN];

enum err sealing_add_check(struct slice *out, struct arena *arena, struct slice material)
{
	uint8_t *bytes = arena_alloc(arena, material.len + SEALING_CHECK_LEN);
	enum err err = bytes == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	bytes_copy(bytes, material.data, material.len);
	TRY(crypt_sha256(bytes + material.len, material));
	*out = slice_of(bytes, material.len + SEALING_CHECK_LEN);
out:
	return err;
}

enum err sealing_check(struct slice *out, struct slice unwrapped)
{
	uint8_t hash[CRYPT_SHA256_LEN];
	struct slice material;
	enum err err;

	if (unwrapped.len <= SEALING_CHECK_LEN)
		return ERR_CORRUPT;
	material = slice_cut(unwrapped, 0, unwrapped.len - SEALING_CHECK_LEN);
	TRY(crypt_sha256(hash, material));
	if (!secret_equal(slice_of(hash, sizeof(hash)),
		    slice_cut(unwrapped, material.len, SEALING_CHECK_LEN)))
		err = ERR_CORRUPT;
	*out = material;
out:
	secret_wipe(hash, sizeof(hash));
	return err;
}

static enum err sealing_box(struct crypt_box *box, struct buf *aad, const struct sealing *sealing)
{
	enum err err;

	TRY(buf_append(aad, instance_id_slice(sealing->instance)));
	TRY(buf_append(aad, slice_of(sealing->nonce, ENVELOPE_NONCE_LEN)));
	*box = (struct crypt_box){ .key = sealing->key,
		.nonce = slice_of(only_nonce, sizeof(only_nonce)),
		.aad = buf_slice(aad) };
out:
	return err;
}

enum err sealing_close(
	struct slice *out, struct arena *arena, const struct sealing *sealing, struct slice plain)
{
	size_t len = plain.len + CRYPT_GCM_TAG_LEN;
	uint8_t *bytes = arena_alloc(arena, len);
	struct crypt_box box;
	struct buf aad;
	enum err err = bytes == NULL ? ERR_NOMEM : ERR_OK;

	ASSERT(sealing->key.len == CRYPT_GCM_KEY_LEN);
	buf_init(&aad, INSTANCE_ID_LEN_MAX + ENVELOPE_NONCE_LEN);
	TRY(err);
	TRY(sealing_box(&box, &aad, sealing));
	TRY(crypt_seal(bytes, &box, plain));
	*out = slice_of(bytes, len);
out:
	buf_free(&aad);
	return err;
}

enum err sealing_open(
	struct slice *out, struct arena *arena, const struct sealing *sealing, struct slice sealed)
{
	struct crypt_box box;
	struct buf aad;
	uint8_t *bytes;
	enum err err;

	if (sealed.len < CRYPT_GCM_TAG_LEN || sealing->key.len != CRYPT_GCM_KEY_LEN)
		return ERR_CORRUPT;
	buf_init(&aad, INSTANCE_ID_LEN_MAX + ENVELOPE_NONCE_LEN);
	bytes = arena_alloc(arena, sealed.len - CRYPT_GCM_TAG_LEN);
	TRY(bytes == NULL ? ERR_NOMEM : ERR_OK);
	TRY(sealing_box(&box, &aad, sealing));
	err = crypt_open(bytes, &box, sealed);
	TRY(err == ERR_CRYPTO ? ERR_CORRUPT : err);
	*out = slice_of(bytes, sealed.len - CRYPT_GCM_TAG_LEN);
out:
	buf_free(&aad);
	return err;
}
