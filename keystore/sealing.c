/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/sealing.h"
#include "base/crypt.h"
#include "base/rand.h"
#include "base/secret.h"
#include "keystore/keymanager.h"

enum {
	AAD_LEN_MAX = INSTANCE_ID_LEN_MAX + ENVELOPE_NONCE_LEN + sizeof(struct uid),
	ONE_TIME_KEY_LEN = CRYPT_GCM_KEY_LEN,
};

/* One key seals once, so that the nonce may be constant. */
static const uint8_t only_nonce[CRYPT_GCM_NONCE_LEN];

static struct slice sealing_uid(const struct sealing *sealing)
{
	static const struct uid none;

	if (sealing->uid == NULL || uid_equal(sealing->uid, &none))
		return SLICE_EMPTY;
	return slice_of(sealing->uid->bytes, sizeof(sealing->uid->bytes));
}

static enum err sealing_check_of(
	uint8_t out[SEALING_CHECK_LEN], const struct sealing *sealing, struct slice material)
{
	struct slice parts[] = { material, sealing_uid(sealing) };

	return crypt_sha256_parts(out, parts, sizeof(parts) / sizeof(parts[0]));
}

static enum err sealing_add_check(struct slice *out, struct arena *arena,
	const struct sealing *sealing, struct slice material)
{
	uint8_t *bytes = arena_alloc(arena, material.len + SEALING_CHECK_LEN);
	enum err err = bytes == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	bytes_copy(bytes, material.data, material.len);
	TRY(sealing_check_of(bytes + material.len, sealing, material));
	*out = slice_of(bytes, material.len + SEALING_CHECK_LEN);
out:
	return err;
}

static enum err sealing_check(struct slice *out, const struct sealing *sealing)
{
	struct slice unwrapped = sealing->key;
	uint8_t hash[SEALING_CHECK_LEN];
	struct slice material;
	enum err err;

	if (unwrapped.len <= SEALING_CHECK_LEN)
		return ERR_CORRUPT;
	material = slice_cut(unwrapped, 0, unwrapped.len - SEALING_CHECK_LEN);
	TRY(sealing_check_of(hash, sealing, material));
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
	TRY(buf_append(aad, sealing_uid(sealing)));
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
	buf_init(&aad, AAD_LEN_MAX);
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
	buf_init(&aad, AAD_LEN_MAX);
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

enum err sealing_pack(struct slice *out, struct slice *sealed, struct arena *arena,
	const struct sealing *sealing, struct slice material)
{
	struct sealing with_key = *sealing;
	uint8_t *key;
	enum err err;

	*sealed = SLICE_EMPTY;
	if (material.len <= KEYMANAGER_WRAP_LEN_MAX - SEALING_CHECK_LEN)
		return sealing_add_check(out, arena, sealing, material);
	key = arena_alloc(arena, ONE_TIME_KEY_LEN);
	TRY(key == NULL ? ERR_NOMEM : ERR_OK);
	rand_bytes(key, ONE_TIME_KEY_LEN);
	with_key.key = slice_of(key, ONE_TIME_KEY_LEN);
	TRY(sealing_close(sealed, arena, &with_key, material));
	*out = with_key.key;
out:
	return err;
}

enum err sealing_unpack(
	struct slice *out, struct arena *arena, const struct sealing *sealing, struct slice sealed)
{
	struct slice material;
	enum err err;

	if (sealed.len > 0)
		return sealing_open(out, arena, sealing, sealed);
	TRY(sealing_check(&material, sealing));
	*out = arena_copy(arena, material);
	TRY(out->data == NULL ? ERR_NOMEM : ERR_OK);
out:
	return err;
}
