/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/pairing.h"
#include <stdlib.h>
#include "kmip/asymmetric.h"
#include "kmip/linking.h"
#include "kmip/making.h"
#include "kmip/settling.h"
#include "kmip/stored.h"

enum err pairing_judge_names(const struct pairing *pairing)
{
	const struct attribute_edits *ours = &pairing->private_edits;
	const struct attribute_edits *theirs = &pairing->public_edits;
	const char *name = kmip_attribute_row(KMIP_ATTRIBUTE_NAME)->name;

	for (size_t i = 0; i < ours->count; i++) {
		if (!slice_equal_text(ours->items[i].name, name))
			continue;
		for (size_t j = 0; j < theirs->count; j++) {
			if (slice_equal(theirs->items[j].name, ours->items[i].name) &&
				slice_equal(theirs->items[j].value, ours->items[i].value))
				return ERR_FIELD;
		}
	}
	return ERR_OK;
}

/* What the other thread sees. */
struct pair_memory {
	struct pkey_wish wish;
	char curve[PKEY_CURVE_LEN_MAX];
	struct pkey *key;
	enum err err;
};

static void pair_compute(void *ctx)
{
	struct pair_memory *memory = ctx;

	memory->err = pkey_generate(&memory->key, &memory->wish);
}

static void pair_free(void *ctx)
{
	struct pair_memory *memory = ctx;

	pkey_free(memory->key);
	free(memory);
}

/* Domain parameters, and the primes of long RSA keys, take seconds and more to find. */
static bool takes_long(const struct pkey_wish *wish)
{
	enum { BITS_SOON_MAX = 4096 };

	return wish->curve == NULL &&
	       (wish->bits > BITS_SOON_MAX ||
		       !slice_equal_text(slice_text(wish->algorithm), "RSA"));
}

enum err pairing_begin(struct kmip_item *item, const struct pkey_wish *wish)
{
	size_t curve_len = wish->curve == NULL ? 0 : slice_text(wish->curve).len;
	struct pair_memory *memory = calloc(1, sizeof(*memory));

	if (memory == NULL)
		return ERR_NOMEM;
	ASSERT(curve_len < sizeof(memory->curve));
	memory->wish = *wish;
	if (wish->curve != NULL) {
		bytes_copy(memory->curve, wish->curve, curve_len);
		memory->wish.curve = memory->curve;
	}
	item->plan_memory = memory;
	item->free_memory = pair_free;
	item->compute = pair_compute;
	item->computes_long = takes_long(wish);
	return ERR_AGAIN;
}

static enum err pair_object(struct kmip_item *item, const struct attribute_edits *edits,
	const struct pkey *key, struct kmip_object *object, struct slice *digested)
{
	struct parts {
		struct kmip_key_block block;
		struct kmip_public_key public_key;
		struct kmip_private_key private_key;
	} *parts = ARENA_NEW(item->arena, struct parts);
	struct asymmetric_form form = { .object_type = edits->object_type };
	enum err err = parts == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	TRY(asymmetric_write(item, &parts->block, key, &form));
	parts->block.cryptographic_algorithm = KMIP_UINT(edits->key.algorithm);
	parts->block.cryptographic_length_bits = KMIP_INT(edits->key.length_bits);
	parts->public_key.key_block = parts->private_key.key_block = &parts->block;
	if (edits->object_type == KMIP_OBJECT_TYPE_PUBLIC_KEY)
		object->public_key = &parts->public_key;
	else
		object->private_key = &parts->private_key;
	*digested = parts->block.value->material;
out:
	return err;
}

enum err pairing_make_private(struct kmip_item *item, struct pairing *pairing)
{
	const struct pair_memory *memory = item->plan_memory;
	struct kmip_object private_object = { 0 };
	struct slice digested;
	int32_t bits;
	enum err err;

	TRY(memory->err);
	bits = (int32_t) pkey_bits(memory->key);
	pairing->private_edits.key.length_bits = pairing->public_edits.key.length_bits = bits;
	TRY(pair_object(item, &pairing->private_edits, memory->key, &private_object, &digested));
	TRY(pair_object(item, &pairing->public_edits, memory->key, &pairing->public_object,
		&pairing->public_digested));
	TRY(stored_write(item, &private_object));
	TRY(making_generator_of(item, &pairing->private_edits));
	TRY(making_generator_of(item, &pairing->public_edits));
	TRY(making_further_effect(item, &pairing->private_edits, digested));
	TRY(settling_withhold(item));
out:
	return err;
}

enum err pairing_make_public(struct kmip_item *item, struct pairing *pairing)
{
	enum err err;

	item_no_effect(item);
	TRY(linking_set(&pairing->public_edits, KMIP_LINK_TYPE_PRIVATE_KEY_LINK, &item->made[0]));
	TRY(stored_write(item, &pairing->public_object));
	TRY(making_further_effect(item, &pairing->public_edits, pairing->public_digested));
	TRY(settling_withhold(item));
out:
	return err;
}

enum err pairing_settle(struct kmip_item *item)
{
	settling_begin(item);
	return settling_link(item, &item->made[0], KMIP_LINK_TYPE_PUBLIC_KEY_LINK, &item->made[1]);
}
