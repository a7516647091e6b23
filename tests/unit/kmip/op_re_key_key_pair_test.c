/* SPDX-License-Identifier: Apache-2.0 */
/* Re-key Key Pair (KMIP 1.4, section 4.5): what moves, what is copied, how the four keys point to
 * each other; refusals; and that a failure half-way leaves the old pair as it was. */
#include "served.h"

struct pair {
	struct slice private_key, public_key;
};

static struct kmip_value curve_of(struct served *served, uint32_t curve)
{
	struct kmip_cryptographic_domain_parameters domain = { .recommended_curve =
								       KMIP_UINT(curve) };
	struct kmip_value value;

	cr_assert_eq(kmip_value_write(&value, served->arena,
			     &kmip_cryptographic_domain_parameters_table, &domain),
		ERR_OK);
	return value;
}

/* An active pair on P-384, each key with a name and a mask of its own. */
static struct pair pair_made(struct served *served, const char *private_name, const char *name)
{
	struct kmip_attribute common[] = {
		attribute_of("Cryptographic Algorithm",
			kmip_value_enum(KMIP_CRYPTOGRAPHIC_ALGORITHM_ECDSA)),
		attribute_of("Cryptographic Domain Parameters",
			curve_of(served, KMIP_RECOMMENDED_CURVE_P_384)),
		attribute_of("Activation Date", kmip_value_date(1000)),
		attribute_of("Deactivation Date", kmip_value_date(clock_wall_seconds() + 5000)),
		text_of("x-tag", "value"),
	};
	struct kmip_attribute private_own[] = { name_of(served, private_name),
		attribute_of("Cryptographic Usage Mask", kmip_value_integer(1)) };
	struct kmip_attribute public_own[] = { name_of(served, name),
		attribute_of("Cryptographic Usage Mask", kmip_value_integer(2)) };
	struct kmip_template_attribute shared = { .attributes = { common, 5 } };
	struct kmip_template_attribute private_key = { .attributes = { private_own, 2 } };
	struct kmip_template_attribute public_key = { .attributes = { public_own, 2 } };
	const struct kmip_create_key_pair_response *made = PAYLOAD(served,
		ONE(served, CREATE_KEY_PAIR, create_key_pair, .common = &shared,
			.private_template = &private_key, .public_template = &public_key),
		create_key_pair);

	return (struct pair){ made->private_key_unique_identifier,
		made->public_key_unique_identifier };
}

static struct pair pair_of(struct served *served, const struct kmip_response_item *item)
{
	const struct kmip_re_key_key_pair_response *made = PAYLOAD(served, item, re_key_key_pair);

	return (struct pair){ made->private_key_unique_identifier,
		made->public_key_unique_identifier };
}

/* The i-th Link of the object is that one. */
static void assert_link(
	struct served *served, struct slice uid, size_t i, uint32_t type, struct slice to)
{
	struct codec codec = { .arena = served->arena, .version = KMIP_1_4 };
	struct slice names[] = { slice_text("Link") };
	const struct kmip_get_attributes_response *response = PAYLOAD(served,
		ONE(served, GET_ATTRIBUTES, get_attributes, .unique_identifier = uid,
			.attribute_names = { names, 1 }),
		get_attributes);
	struct kmip_link link;

	cr_assert_eq(response->attributes.count, 2);
	cr_assert_eq(response->attributes.items[i].index.value, (int32_t) i);
	cr_assert_eq(kmip_value_read(
			     &link, &codec, &kmip_link_table, &response->attributes.items[i].value),
		ERR_OK);
	cr_assert_eq(link.type.value, type);
	assert_bytes(link.identifier, to);
}

static const struct kmip_key_block *block_of(struct served *served, struct slice uid, uint32_t form)
{
	const struct kmip_get_response *got = PAYLOAD(served,
		ONE(served, GET, get, .unique_identifier = uid, .key_format = KMIP_UINT(form)),
		get);

	return kmip_object_key_block(&got->object);
}

static bool has_name(struct served *served, struct slice uid)
{
	return served_value(served, uid, "Name").type != KMIP_TYPE_ANY;
}

static void start(struct served *served)
{
	served_start(served, false);
	served->version = KMIP_1_4;
}

Test(op_re_key_key_pair, replaces)
{
	const uint32_t form = KMIP_KEY_FORMAT_TYPE_TRANSPARENT_EC_PUBLIC_KEY;
	struct served served = { 0 };
	const struct kmip_key_block *block;
	struct pair old, new;

	start(&served);
	old = pair_made(&served, "a", "b");
	new = pair_of(&served, ONE(&served, RE_KEY_KEY_PAIR, re_key_key_pair,
				       .private_key_unique_identifier = old.private_key));
	assert_link(&served, new.private_key, 0, KMIP_LINK_TYPE_PUBLIC_KEY_LINK, new.public_key);
	assert_link(
		&served, new.private_key, 1, KMIP_LINK_TYPE_REPLACED_OBJECT_LINK, old.private_key);
	assert_link(&served, new.public_key, 0, KMIP_LINK_TYPE_PRIVATE_KEY_LINK, new.private_key);
	assert_link(
		&served, new.public_key, 1, KMIP_LINK_TYPE_REPLACED_OBJECT_LINK, old.public_key);
	assert_link(&served, old.private_key, 1, KMIP_LINK_TYPE_REPLACEMENT_OBJECT_LINK,
		new.private_key);
	assert_link(
		&served, old.public_key, 1, KMIP_LINK_TYPE_REPLACEMENT_OBJECT_LINK, new.public_key);
	cr_assert_not(has_name(&served, old.private_key) || has_name(&served, old.public_key));
	cr_assert(has_name(&served, new.private_key) && has_name(&served, new.public_key));
	cr_assert_eq(served_value(&served, new.private_key, "Cryptographic Usage Mask").integer, 1);
	cr_assert_eq(served_value(&served, new.public_key, "Cryptographic Usage Mask").integer, 2);
	cr_assert(slice_equal_text(served_value(&served, new.public_key, "x-tag").bytes, "value"));
	cr_assert_eq(served_state(&served, new.private_key), OBJECT_STATE_ACTIVE);
	cr_assert_eq(served_value(&served, new.public_key, "Activation Date").i64, 1000);
	cr_assert_eq(served_value(&served, new.public_key, "Deactivation Date").i64,
		served_value(&served, old.public_key, "Deactivation Date").i64);
	block = block_of(&served, new.public_key, form);
	cr_assert_eq(block->cryptographic_algorithm.value, KMIP_CRYPTOGRAPHIC_ALGORITHM_ECDSA);
	cr_assert_eq(
		block->value->transparent->recommended_curve.value, KMIP_RECOMMENDED_CURVE_P_384);
	cr_assert_not(slice_equal(block->value->transparent->q_string,
		block_of(&served, old.public_key, form)->value->transparent->q_string));
	/* The names are free for the next replacement, too. */
	pair_of(&served, ONE(&served, RE_KEY_KEY_PAIR, re_key_key_pair,
				 .private_key_unique_identifier = new.private_key));
	served_stop(&served);
}

/* A new life; what is given for one key or for both wins over the old one's. */
Test(op_re_key_key_pair, offset_and_attributes)
{
	struct served served = { 0 };
	struct kmip_attribute common = text_of("Contact Information", "common");
	struct kmip_attribute own = attribute_of("Cryptographic Usage Mask", kmip_value_integer(8));
	struct kmip_template_attribute shared = { .attributes = { &common, 1 } };
	struct kmip_template_attribute private_key = { .attributes = { &own, 1 } };
	int64_t life;
	struct pair old, new;

	start(&served);
	old = pair_made(&served, "a", "b");
	assert_success(served_revoke(
		&served, old.private_key, KMIP_REVOCATION_REASON_CODE_KEY_COMPROMISE));
	new = pair_of(&served,
		ONE(&served, RE_KEY_KEY_PAIR, re_key_key_pair,
			.private_key_unique_identifier = old.private_key, .offset = KMIP_UINT(1000),
			.common = &shared, .private_template = &private_key));
	cr_assert_eq(served_state(&served, old.private_key), OBJECT_STATE_COMPROMISED);
	cr_assert_eq(served_state(&served, new.private_key), OBJECT_STATE_PRE_ACTIVE);
	life = served_value(&served, old.public_key, "Deactivation Date").i64 - 1000;
	cr_assert_eq(served_value(&served, new.public_key, "Activation Date").i64,
		served_value(&served, new.public_key, "Initial Date").i64 + 1000);
	cr_assert_eq(served_value(&served, new.public_key, "Deactivation Date").i64,
		served_value(&served, new.public_key, "Activation Date").i64 + life);
	cr_assert_eq(served_value(&served, new.private_key, "Cryptographic Usage Mask").integer, 8);
	cr_assert_eq(served_value(&served, new.public_key, "Cryptographic Usage Mask").integer, 2);
	cr_assert(slice_equal_text(
		served_value(&served, new.public_key, "Contact Information").bytes, "common"));
	served_stop(&served);
}

/* A Diffie-Hellman pair of a group with a name gets one of the same group, which takes no time. */
Test(op_re_key_key_pair, groups)
{
	struct served served = { 0 };
	struct kmip_attribute common[] = {
		attribute_of("Cryptographic Algorithm",
			kmip_value_enum(KMIP_CRYPTOGRAPHIC_ALGORITHM_DH)),
		attribute_of("Cryptographic Length", kmip_value_integer(2048)),
		attribute_of("Cryptographic Usage Mask", kmip_value_integer(512)),
	};
	struct kmip_template_attribute shared = { .attributes = { common, 3 } };
	const struct kmip_transparent_key *old, *new;
	struct slice private_key;
	struct pair next;

	start(&served);
	private_key = PAYLOAD(&served,
		ONE(&served, CREATE_KEY_PAIR, create_key_pair, .common = &shared), create_key_pair)
			      ->private_key_unique_identifier;
	next = pair_of(&served, ONE(&served, RE_KEY_KEY_PAIR, re_key_key_pair,
					.private_key_unique_identifier = private_key));
	old = block_of(&served, private_key, KMIP_KEY_FORMAT_TYPE_TRANSPARENT_DH_PRIVATE_KEY)
		      ->value->transparent;
	new = block_of(&served, next.private_key, KMIP_KEY_FORMAT_TYPE_TRANSPARENT_DH_PRIVATE_KEY)
		      ->value->transparent;
	assert_bytes(old->p, new->p);
	cr_assert_not(slice_equal(old->x, new->x));
	served_stop(&served);
}

Test(op_re_key_key_pair, refusals)
{
	struct served served = { 0 };
	struct kmip_attribute attribute = attribute_of("Activation Date", kmip_value_date(5));
	struct kmip_template_attribute given = { .attributes = { &attribute, 1 } };
	struct slice symmetric;
	struct pair old;

	start(&served);
	old = pair_made(&served, "a", "b");
	symmetric = served_key(&served);
#define RE_KEY_PAIR(...) ONE(&served, RE_KEY_KEY_PAIR, re_key_key_pair, __VA_ARGS__)
	assert_reason(RE_KEY_PAIR(.private_key_unique_identifier = symmetric), PERMISSION_DENIED);
	assert_reason(
		RE_KEY_PAIR(.private_key_unique_identifier = old.public_key), PERMISSION_DENIED);
	assert_reason(RE_KEY_PAIR(.offset = KMIP_UINT(1)), ITEM_NOT_FOUND);
	assert_reason(RE_KEY_PAIR(.private_key_unique_identifier = old.private_key,
			      .offset = KMIP_UINT(0), .common = &given),
		INVALID_MESSAGE);
	assert_reason(RE_KEY_PAIR(.private_key_unique_identifier = old.private_key,
			      .offset = KMIP_UINT(0), .public_template = &given),
		INVALID_MESSAGE);
	attribute = name_of(&served, "b");
	assert_reason(RE_KEY_PAIR(.private_key_unique_identifier = old.private_key,
			      .private_template = &given),
		INVALID_FIELD);
	assert_success(ONE(&served, ARCHIVE, archive, .unique_identifier = old.public_key));
	assert_reason(
		RE_KEY_PAIR(.private_key_unique_identifier = old.private_key), OBJECT_ARCHIVED);
	assert_success(ONE(&served, RECOVER, recover, .unique_identifier = old.public_key));
	served.version = KMIP_1_0;
	assert_reason(RE_KEY_PAIR(.offset = KMIP_UINT(1)), OPERATION_NOT_SUPPORTED);
	served.version = KMIP_1_4;
	assert_success(served_revoke(
		&served, old.public_key, KMIP_REVOCATION_REASON_CODE_CESSATION_OF_OPERATION));
	assert_success(served_destroy(&served, old.public_key));
	assert_reason(
		RE_KEY_PAIR(.private_key_unique_identifier = old.private_key), PERMISSION_DENIED);
	cr_assert(has_name(&served, old.private_key));
	served_stop(&served);
}

/* Whichever of the three steps the key manager fails: the old pair keeps names and links, and the
 * next try succeeds. */
Test(op_re_key_key_pair, failures)
{
	enum { STEPS = 3 };
	struct served served = { 0 };
	struct pair old;

	start(&served);
	old = pair_made(&served, "a", "b");
	for (unsigned i = 0; i < STEPS; i++) {
		fake_service_fault(&served.store->service, (struct fake_fault){ .call = FAKE_CREATE,
								   .countdown = i,
								   .repeat = 1,
								   .err = ERR_REFUSED });
		cr_assert_neq(
			reason_of(RE_KEY_PAIR(.private_key_unique_identifier = old.private_key)), 0,
			"step %u", i);
		cr_assert(has_name(&served, old.private_key) && has_name(&served, old.public_key));
		cr_assert_eq(PAYLOAD(&served, ONE(&served, LOCATE, locate), locate)
				     ->unique_identifiers.count,
			2);
	}
	assert_success(RE_KEY_PAIR(.private_key_unique_identifier = old.private_key));
	assert_link(&served, old.public_key, 0, KMIP_LINK_TYPE_PRIVATE_KEY_LINK, old.private_key);
	served_stop(&served);
}

/* Shows that where nobody knows whether the names were taken over, the new pair is not destroyed:
 * the ledger record that says so may come to be, and the old names would lead to nothing. */
Test(op_re_key_key_pair, keeps_what_names_may_lead_to)
{
	enum { OLD_AND_NEW = 4, MANY = 1000 };
	struct served served = { 0 };
	struct fake_service *service;
	struct pair old;

	start(&served);
	service = &served.store->service;
	old = pair_made(&served, "a", "b");
	fake_service_fault(service, (struct fake_fault){ .call = FAKE_CREATE,
					    .countdown = 2,
					    .repeat = 1,
					    .err = ERR_AMBIGUOUS,
					    .effect = true });
	fake_service_fault(service,
		(struct fake_fault){ .call = FAKE_LIST, .repeat = MANY, .err = ERR_UNAVAILABLE });
	assert_reason(
		RE_KEY_PAIR(.private_key_unique_identifier = old.private_key), GENERAL_FAILURE);
	service->fault_count = 0;
	cr_assert_eq(fake_service_count(service, "kmip-"), OLD_AND_NEW);
	served_stop(&served);
}
