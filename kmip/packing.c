/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/packing.h"
#include "base/pkey_pkcs12.h"
#include "kmip/asymmetric.h"
#include "kmip/linking.h"
#include "kmip/object_attributes.h"
#include "kmip/stored.h"

/* ---- the password ---- */

enum err packing_password(struct kmip_item *item, const struct uid *uid, struct slice *out)
{
	struct object *secret;
	struct kmip_object stored;
	const struct kmip_key_block *block;
	enum err err = item_read(item, uid, &secret);

	TRY(err == ERR_NOT_FOUND || err == ERR_DESTROYED ? ERR_DENIED : err);
	if (secret->dead || secret->type != KMIP_OBJECT_TYPE_SECRET_DATA)
		TRY(ERR_DENIED);
	if (object_attributes_is_archived(secret))
		TRY(ERR_ARCHIVED);
	if (object_attributes_state(secret, item->now) != OBJECT_STATE_ACTIVE)
		TRY(ERR_STATE);
	TRY(stored_read(item, secret, &stored));
	block = stored.secret_data->key_block;
	if (stored.secret_data->type.value != KMIP_SECRET_DATA_TYPE_PASSWORD ||
		block->value == NULL || block->value->material.len == 0)
		TRY(ERR_DENIED);
	*out = block->value->material;
out:
	return err;
}

static enum err read_password(
	struct kmip_item *item, const struct object *object, struct slice *out)
{
	struct uid uid;

	if (linking_count(item, object, KMIP_LINK_TYPE_PKCS_12_PASSWORD_LINK) != 1 ||
		!linking_find(&uid, item, object, KMIP_LINK_TYPE_PKCS_12_PASSWORD_LINK))
		return ERR_FIELD;
	return packing_password(item, &uid, out);
}

/* ---- the certificates ---- */

struct chain {
	struct slice ders[PKCS12_CERTIFICATES_MAX];
	size_t count;
};

/* The next one; *object is NULL behind the last. */
static enum err follow(struct kmip_item *item, struct chain *chain, const struct object **object)
{
	struct object *next;
	struct kmip_object stored;
	struct uid uid;
	enum err err = ERR_NOT_FOUND;

	if (linking_find(&uid, item, *object, KMIP_LINK_TYPE_PKCS_12_CERTIFICATE_LINK))
		err = item_read(item, &uid, &next);
	*object = NULL;
	if (err == ERR_NOT_FOUND || err == ERR_DESTROYED)
		return ERR_OK;
	TRY(err);
	if (next->dead || next->type != KMIP_OBJECT_TYPE_CERTIFICATE ||
		object_attributes_is_archived(next))
		return ERR_OK;
	TRY(stored_read(item, next, &stored));
	chain->ders[chain->count++] = stored.certificate->value;
	*object = next;
out:
	return err;
}

static enum err read_chain(struct kmip_item *item, const struct object *object, struct chain *chain)
{
	enum err err = ERR_OK;

	while (object != NULL && chain->count < PKCS12_CERTIFICATES_MAX)
		TRY(follow(item, chain, &object));
out:
	return err;
}

/* ---- */

static enum err write(struct kmip_item *item, struct kmip_key_block *block,
	const struct pkcs12_content *content, struct slice password)
{
	enum err err;
	struct buf buf;

	buf_init(&buf, PKCS12_LEN_MAX);
	TRY(pkcs12_write(&buf, content, password));
	*block = (struct kmip_key_block){ .format = KMIP_UINT(KMIP_KEY_FORMAT_TYPE_PKCS_12),
		.wrapped_value = arena_copy(item->arena, buf_slice(&buf)) };
	TRY(block->wrapped_value.data == NULL ? ERR_NOMEM : ERR_OK);
out:
	buf_free(&buf);
	return err;
}

enum err packing_write(
	struct kmip_item *item, const struct object *object, struct kmip_key_block *block)
{
	struct chain chain = { 0 };
	struct pkcs12_content content = { .certificates = chain.ders };
	struct pkey *key = NULL;
	struct kmip_value name;
	struct slice password;
	enum err err;

	if (object->type != KMIP_OBJECT_TYPE_PRIVATE_KEY)
		return ERR_KEY_FORMAT;
	TRY(asymmetric_open(&key, object->type, block));
	TRY(read_password(item, object, &password));
	TRY(read_chain(item, object, &chain));
	if (object_attributes_stored(object, KMIP_ATTRIBUTE_PKCS_12_FRIENDLY_NAME, &name))
		content.friendly_name = name.bytes;
	content.key = key;
	content.certificate_count = chain.count;
	TRY(write(item, block, &content, password));
out:
	pkey_free(key);
	return err == ERR_INVALID || err == ERR_FEATURE ? ERR_KEY_FORMAT : err;
}
