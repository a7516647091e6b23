/* SPDX-License-Identifier: Apache-2.0 */
/* Validate (KMIP 1.4, section 4.24): chains by value and by identifier, whom is trusted, what a
 * revocation does, dates, and what is no chain. */
#include "served.h"
#include "tests/unit/base/authority.h"

struct world {
	struct served served;
	struct test_authority root;
	uint8_t bytes[2][TEST_DER_MAX];
	struct kmip_certificate certificates[2]; /* the root's, the leaf's */
	X509 *leaf;
};

static void encode(struct world *world, size_t at, const X509 *certificate)
{
	unsigned char *data = world->bytes[at];
	int len = i2d_X509(certificate, &data);

	cr_assert(len > 0 && len < TEST_DER_MAX);
	world->certificates[at] =
		(struct kmip_certificate){ .type = KMIP_UINT(KMIP_CERTIFICATE_TYPE_X_509),
			.value = slice_of(world->bytes[at], (size_t) len) };
}

static void start(struct world *world)
{
	const long dates[] = { -86400, 3600 };
	EVP_PKEY *key = EVP_EC_gen("P-256");

	served_start(&world->served, false);
	world->served.version = KMIP_1_4;
	test_authority_make(&world->root);
	world->leaf = test_certificate(key, "leaf", &world->root, dates, NULL);
	encode(world, 0, world->root.certificate);
	encode(world, 1, world->leaf);
	EVP_PKEY_free(key);
}

static void stop(struct world *world)
{
	served_stop(&world->served);
	X509_free(world->leaf);
	test_authority_remove(&world->root);
}

static struct slice hold(struct world *world, size_t at)
{
	struct served *served = &world->served;
	struct kmip_template_attribute template = { 0 };

	return PAYLOAD(served,
		ONE(served, REGISTER, register,
			.object_type = KMIP_UINT(KMIP_OBJECT_TYPE_CERTIFICATE),
			.template_attribute = &template,
			.object = { .certificate = &world->certificates[at] }),
		register)
		->unique_identifier;
}

#define VALIDATE(...) ONE(served, VALIDATE, validate, __VA_ARGS__)
#define VALUES(first, count) .certificates = { world.certificates + (first), count }
#define assert_verdict(item, name) \
	cr_assert_eq( \
		PAYLOAD(served, item, validate)->validity.value, KMIP_VALIDITY_INDICATOR_##name)

Test(op_validate, anchors)
{
	struct world world = { 0 };
	struct served *served = &world.served;
	struct slice uids[2];

	start(&world);
	assert_verdict(VALIDATE(VALUES(0, 2)), UNKNOWN);
	assert_verdict(VALIDATE(VALUES(1, 1)), UNKNOWN);
	/* A leaf that is held makes no anchor. */
	uids[1] = hold(&world, 1);
	assert_verdict(VALIDATE(.unique_identifiers = { uids + 1, 1 }), UNKNOWN);
	uids[0] = hold(&world, 0);
	assert_verdict(VALIDATE(VALUES(0, 2)), VALID);
	assert_verdict(VALIDATE(VALUES(1, 1), .unique_identifiers = { uids, 1 }), VALID);
	assert_verdict(VALIDATE(.unique_identifiers = { uids, 2 }), VALID);
	/* Not in the chain: what is held is not searched for issuers. */
	assert_verdict(VALIDATE(VALUES(1, 1)), UNKNOWN);
	assert_success(served_destroy(served, uids[0]));
	assert_verdict(VALIDATE(VALUES(0, 2)), UNKNOWN);
	stop(&world);
}

Test(op_validate, dates_and_states)
{
	struct world world = { 0 };
	struct served *served = &world.served;
	const int64_t now = clock_wall_seconds();
	struct slice leaf;

	start(&world);
	hold(&world, 0);
	leaf = hold(&world, 1);
	assert_verdict(VALIDATE(VALUES(0, 2), .validity_date = KMIP_LONG(now + 7200)), INVALID);
	assert_verdict(VALIDATE(VALUES(0, 2), .validity_date = KMIP_LONG(now + 1800)), VALID);
	/* Given by value, it is revoked all the same. */
	assert_success(served_revoke(served, leaf, KMIP_REVOCATION_REASON_CODE_KEY_COMPROMISE));
	assert_verdict(VALIDATE(VALUES(0, 2)), INVALID);
	stop(&world);
}

Test(op_validate, refusals)
{
	struct world world = { 0 };
	struct served *served = &world.served;
	struct kmip_certificate pgp = { .type = KMIP_UINT(KMIP_CERTIFICATE_TYPE_PGP) };
	struct kmip_certificate cut;
	struct slice uid = slice_text("00000000-0000-4000-8000-000000000000");

	start(&world);
	assert_reason(VALIDATE(.validity_date = KMIP_LONG(5)), INVALID_MESSAGE);
	assert_reason(VALIDATE(.unique_identifiers = { &uid, 1 }), ITEM_NOT_FOUND);
	uid = served_key(served);
	assert_reason(VALIDATE(.unique_identifiers = { &uid, 1 }), INVALID_FIELD);
	cut = world.certificates[1];
	cut.value.len--;
	assert_reason(VALIDATE(.certificates = { &cut, 1 }), INVALID_FIELD);
	pgp.value = cut.value;
	assert_reason(VALIDATE(.certificates = { &pgp, 1 }), FEATURE_NOT_SUPPORTED);
	uid = hold(&world, 1);
	assert_success(served_destroy(served, uid));
	assert_reason(VALIDATE(.unique_identifiers = { &uid, 1 }), ITEM_NOT_FOUND);
	/* A worker cannot say: it hands on. */
	cr_assert_eq(
		served_send_worker(served,
			served_frame(served, &(struct ask) ASK(VALIDATE, validate, VALUES(0, 1)), 1,
				false)),
		ERR_FORWARD);
	stop(&world);
}
