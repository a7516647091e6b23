/* SPDX-License-Identifier: Apache-2.0 */
/* Re-key (KMIP 1.4, section 4.4): what moves, what is copied, what each key keeps; and refusals. */
#include "served.h"

static struct slice re_key(struct served *served, struct slice uid)
{
	return PAYLOAD(served, ONE(served, RE_KEY, re_key, .unique_identifier = uid), re_key)
		->unique_identifier;
}

static struct kmip_link link_of(struct served *served, struct slice uid)
{
	struct codec codec = { .arena = served->arena, .version = KMIP_1_4 };
	struct kmip_value value = served_value(served, uid, "Link");
	struct kmip_link link;

	cr_assert_eq(kmip_value_read(&link, &codec, &kmip_link_table, &value), ERR_OK);
	return link;
}

static struct slice material_of(struct served *served, struct slice uid)
{
	return PAYLOAD(served, served_get(served, uid), get)
		->object.symmetric_key->key_block->value->material;
}

/* The name moves, custom attributes are copied, the material is new, and each points to the other.
 */
Test(op_re_key, replaces)
{
	struct served served = { 0 };
	struct kmip_attribute attributes[2];
	struct slice old, new;

	served_start(&served, false);
	served.version = KMIP_1_4;
	attributes[0] = name_of(&served, "key");
	attributes[1] = text_of("x-tag", "value");
	old = served_key_with(&served, attributes, 2);
	assert_success(served_activate(&served, old));
	new = re_key(&served, old);
	cr_assert_not(slice_equal(old, new));
	cr_assert_eq(served_value(&served, old, "Name").type, KMIP_TYPE_ANY);
	cr_assert_neq(served_value(&served, new, "Name").type, KMIP_TYPE_ANY);
	cr_assert(slice_equal_text(served_value(&served, new, "x-tag").bytes, "value"));
	cr_assert(slice_equal_text(served_value(&served, old, "x-tag").bytes, "value"));
	cr_assert_eq(served_state(&served, old), OBJECT_STATE_ACTIVE);
	cr_assert_eq(served_state(&served, new), OBJECT_STATE_ACTIVE);
	cr_assert_not(slice_equal(material_of(&served, old), material_of(&served, new)));
	cr_assert_eq(link_of(&served, old).type.value, KMIP_LINK_TYPE_REPLACEMENT_OBJECT_LINK);
	assert_bytes(link_of(&served, old).identifier, new);
	cr_assert_eq(link_of(&served, new).type.value, KMIP_LINK_TYPE_REPLACED_OBJECT_LINK);
	assert_bytes(link_of(&served, new).identifier, old);
	/* The name is free for the next replacement, too. */
	re_key(&served, new);
	served_stop(&served);
}

/* A revoked key's replacement is not revoked; an Offset starts a new life. */
Test(op_re_key, dates)
{
	struct served served = { 0 };
	const struct kmip_response_item *item;
	struct slice old, new;

	served_start(&served, false);
	served.version = KMIP_1_4;
	old = served_key(&served);
	assert_success(served_activate(&served, old));
	assert_success(served_revoke(&served, old, KMIP_REVOCATION_REASON_CODE_KEY_COMPROMISE));
	new = re_key(&served, old);
	cr_assert_eq(served_state(&served, new), OBJECT_STATE_ACTIVE);
	cr_assert_eq(served_state(&served, old), OBJECT_STATE_COMPROMISED);
	item = ONE(&served, RE_KEY, re_key, .unique_identifier = old, .offset = KMIP_UINT(1000));
	new = PAYLOAD(&served, item, re_key)->unique_identifier;
	cr_assert_eq(served_state(&served, new), OBJECT_STATE_PRE_ACTIVE);
	served_stop(&served);
}

Test(op_re_key, refusals)
{
	struct served served = { 0 };
	struct kmip_attribute attribute = attribute_of("Activation Date", kmip_value_date(5));
	struct kmip_template_attribute dates = { .attributes = { &attribute, 1 } };
	struct kmip_attribute taken;
	struct slice uid;

	served_start(&served, false);
	served.version = KMIP_1_4;
	uid = served_key(&served);
	assert_reason(ONE(&served, RE_KEY, re_key, .unique_identifier = uid, .offset = KMIP_UINT(0),
			      .template_attribute = &dates),
		INVALID_MESSAGE);
	taken = name_of(&served, "taken");
	served_key_with(&served, &taken, 1);
	attribute = taken;
	assert_reason(ONE(&served, RE_KEY, re_key, .unique_identifier = uid,
			      .template_attribute = &dates),
		INVALID_FIELD);
	assert_success(served_destroy(&served, uid));
	assert_reason(ONE(&served, RE_KEY, re_key, .unique_identifier = uid), PERMISSION_DENIED);
	served_stop(&served);
}
