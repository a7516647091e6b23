/* SPDX-License-Identifier: Apache-2.0 */
/* Create (KMIP 1.4, section 4.1): symmetric keys, and from 1.4 on secrets. */
#include "base/rand.h"
#include "kmip/making.h"
#include "kmip/operations.h"
#include "kmip/policing.h"

enum { BYTE_BITS = 8, SECRET_BITS_MAX = 4096 * BYTE_BITS };

/* Random bytes, which a client may use as a password: nothing says that they are text. */
static enum err make_secret(
	struct kmip_item *item, const struct algorithm_key *key, struct slice *digested)
{
	static const struct making_secret password = { KMIP_SECRET_DATA_TYPE_PASSWORD,
		KMIP_KEY_FORMAT_TYPE_OPAQUE };
	size_t len = (size_t) key->length_bits / BYTE_BITS;
	uint8_t *material;

	if (key->algorithm != 0 || key->length_bits <= 0 || key->length_bits % BYTE_BITS != 0 ||
		key->length_bits > SECRET_BITS_MAX)
		return ERR_FIELD;
	material = arena_alloc(item->arena, len);
	if (material == NULL)
		return ERR_NOMEM;
	rand_bytes(material, len);
	*digested = slice_of(material, len);
	return making_secret(item, &password, *digested);
}

static enum err make(struct kmip_item *item, uint32_t object_type, struct attribute_edits *edits,
	struct slice *digested)
{
	enum err err = ERR_FIELD;

	if (object_type == KMIP_OBJECT_TYPE_SYMMETRIC_KEY) {
		err = making_symmetric_key(item, &edits->key);
		*digested = item->create.material;
	} else if (object_type == KMIP_OBJECT_TYPE_SECRET_DATA && item->version >= KMIP_1_4) {
		err = make_secret(item, &edits->key, digested);
	}
	return err;
}

enum err op_create_plan(struct kmip_item *item)
{
	const struct kmip_create_request *request = item->request;
	struct kmip_create_response *response = item->response;
	uint32_t object_type = request->object_type.value;
	struct attribute_edits edits = making_edits(item, object_type);
	struct slice digested = SLICE_EMPTY;
	enum err err;

	/* The Cryptographic Usage Mask may be missing: published clients leave it out. */
	TRY(making_attributes(item, &edits, request->template_attribute));
	TRY(make(item, object_type, &edits, &digested));
	TRY(making_generator_of(item, &edits));
	TRY(making_effect(item, &edits, digested));
	TRY(making_tell(&edits, &response->template_attribute));
out:
	return err;
}

enum err op_create_finish(struct kmip_item *item)
{
	struct kmip_create_response *response = item->response;

	item->placeholder = item->subject;
	response->object_type = KMIP_UINT(item->create.type);
	return item_uid_text(item, &response->unique_identifier);
}
