/* SPDX-License-Identifier: Apache-2.0 */
/* Private keys as PKCS #12 (KMIP 1.4, Get, Register and Import with that Key Format Type): key and
 * chain open under the linked password and no other; without exactly one Active password nothing is
 * given out or taken. */
#include "base/pkey_pkcs12.h"
#include "served.h"
#include "tests/unit/base/authority.h"

#define PASSWORD "password"

struct world {
	struct served served;
	struct test_authority root;
	EVP_PKEY *key;
	X509 *leaf;
};

static struct slice add(struct served *served, uint32_t type, const struct kmip_object *object,
	const struct kmip_attribute *attributes, size_t count)
{
	struct kmip_attribute copy[4];
	struct kmip_template_attribute template = { .attributes = { copy, count } };

	for (size_t i = 0; i < count; i++)
		copy[i] = attributes[i];
	return PAYLOAD(served,
		ONE(served, REGISTER, register, .object_type = KMIP_UINT(type),
			.template_attribute = &template, .object = *object),
		register)
		->unique_identifier;
}

static struct kmip_attribute link_to(struct served *served, uint32_t type, struct slice uid)
{
	struct kmip_link link = { .type = KMIP_UINT(type), .identifier = uid };
	struct kmip_value value;

	cr_assert_eq(kmip_value_write(&value, served->arena, &kmip_link_table, &link), ERR_OK);
	return attribute_of("Link", value);
}

static struct slice add_password(struct served *served)
{
	struct kmip_attribute mask =
		attribute_of("Cryptographic Usage Mask", kmip_value_integer(0));
	struct kmip_key_value value = { .material = slice_text(PASSWORD) };
	struct kmip_key_block block = { .value = &value,
		.format = KMIP_UINT(KMIP_KEY_FORMAT_TYPE_OPAQUE) };
	struct kmip_secret_data secret = { .type = KMIP_UINT(KMIP_SECRET_DATA_TYPE_PASSWORD),
		.key_block = &block };

	return add(served, KMIP_OBJECT_TYPE_SECRET_DATA,
		&(struct kmip_object){ .secret_data = &secret }, &mask, 1);
}

static struct slice add_certificate(
	struct served *served, const X509 *made, const struct kmip_attribute *link)
{
	struct kmip_certificate certificate = { .type = KMIP_UINT(KMIP_CERTIFICATE_TYPE_X_509) };
	unsigned char *der = NULL;
	int len = i2d_X509(made, &der);
	struct slice uid;

	certificate.value = slice_of(der, (size_t) len);
	uid = add(served, KMIP_OBJECT_TYPE_CERTIFICATE,
		&(struct kmip_object){ .certificate = &certificate }, link, link == NULL ? 0 : 1);
	OPENSSL_free(der);
	return uid;
}

static struct slice add_key(
	struct world *world, const struct kmip_attribute *attributes, size_t count)
{
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(world->key);
	unsigned char *der = NULL;
	int len = i2d_PKCS8_PRIV_KEY_INFO(info, &der);
	struct kmip_key_value value = { .material = slice_of(der, (size_t) len) };
	struct kmip_key_block block = { .value = &value,
		.format = KMIP_UINT(KMIP_KEY_FORMAT_TYPE_PKCS_8),
		.cryptographic_algorithm = KMIP_UINT(KMIP_CRYPTOGRAPHIC_ALGORITHM_EC),
		.cryptographic_length_bits = KMIP_INT(256) };
	struct kmip_private_key key = { .key_block = &block };
	struct slice uid = add(&world->served, KMIP_OBJECT_TYPE_PRIVATE_KEY,
		&(struct kmip_object){ .private_key = &key }, attributes, count);

	OPENSSL_free(der);
	PKCS8_PRIV_KEY_INFO_free(info);
	return uid;
}

static void start(struct world *world)
{
	const long year[] = { -10, 365L * 86400 };

	served_start(&world->served, false);
	world->served.version = KMIP_1_4;
	test_authority_make(&world->root);
	world->key = EVP_EC_gen("P-256");
	world->leaf = test_certificate(world->key, "leaf", &world->root, year, NULL);
}

static void stop(struct world *world)
{
	served_stop(&world->served);
	test_authority_remove(&world->root);
	EVP_PKEY_free(world->key);
	X509_free(world->leaf);
}

#define PKCS_12(uid) \
	ONE(served, GET, get, .unique_identifier = uid, \
		.key_format = KMIP_UINT(KMIP_KEY_FORMAT_TYPE_PKCS_12))

Test(packing, opens)
{
	struct world world = { 0 };
	struct served *served = &world.served;
	const struct kmip_key_block *block;
	struct kmip_attribute links[3], to_root;
	const unsigned char *data;
	struct slice password, key;
	STACK_OF(X509) *chain = NULL;
	EVP_PKEY *opened = NULL;
	X509 *leaf = NULL;
	PKCS12 *packed;

	start(&world);
	password = add_password(served);
	assert_success(served_activate(served, password));
	to_root = link_to(served, KMIP_LINK_TYPE_PKCS_12_CERTIFICATE_LINK,
		add_certificate(served, world.root.certificate, NULL));
	links[0] = link_to(served, KMIP_LINK_TYPE_PKCS_12_PASSWORD_LINK, password);
	links[1] = link_to(served, KMIP_LINK_TYPE_PKCS_12_CERTIFICATE_LINK,
		add_certificate(served, world.leaf, &to_root));
	links[2] = text_of("PKCS#12 Friendly Name", "alias");
	key = add_key(&world, links, 3);
	block = PAYLOAD(served, PKCS_12(key), get)->object.private_key->key_block;
	cr_assert_eq(block->format.value, KMIP_KEY_FORMAT_TYPE_PKCS_12);
	cr_assert_null(block->value);
	data = block->wrapped_value.data;
	packed = d2i_PKCS12(NULL, &data, (long) block->wrapped_value.len);
	cr_assert_eq(PKCS12_verify_mac(packed, "passwore", -1), 0);
	cr_assert_eq(PKCS12_parse(packed, PASSWORD, &opened, &leaf, &chain), 1);
	cr_assert_eq(EVP_PKEY_eq(opened, world.key), 1);
	cr_assert_eq(X509_cmp(leaf, world.leaf), 0);
	cr_assert_eq(sk_X509_num(chain), 1);
	cr_assert_eq(X509_cmp(sk_X509_value(chain, 0), world.root.certificate), 0);
	cr_assert_str_eq((const char *) X509_alias_get0(leaf, NULL), "alias");
	PKCS12_free(packed);
	EVP_PKEY_free(opened);
	X509_free(leaf);
	sk_X509_pop_free(chain, X509_free);
	stop(&world);
}

Test(packing, refusals)
{
	struct world world = { 0 };
	struct served *served = &world.served;
	struct kmip_attribute links[2];
	struct slice password, key;

	start(&world);
	assert_reason(PKCS_12(add_key(&world, NULL, 0)), INVALID_FIELD);
	password = add_password(served);
	links[0] = link_to(served, KMIP_LINK_TYPE_PKCS_12_PASSWORD_LINK, password);
	links[1] = link_to(served, KMIP_LINK_TYPE_PKCS_12_PASSWORD_LINK, add_password(served));
	assert_reason(PKCS_12(add_key(&world, links, 2)), INVALID_FIELD);
	key = add_key(&world, links, 1);
	assert_reason(PKCS_12(key), PERMISSION_DENIED); /* not Active yet */
	assert_success(served_activate(served, password));
	assert_success(PKCS_12(key));
	assert_success(served_revoke(
		served, password, KMIP_REVOCATION_REASON_CODE_CESSATION_OF_OPERATION));
	assert_reason(PKCS_12(key), PERMISSION_DENIED);
	links[0] = link_to(served, KMIP_LINK_TYPE_PKCS_12_PASSWORD_LINK, served_key(served));
	assert_reason(PKCS_12(add_key(&world, links, 1)), PERMISSION_DENIED);
	assert_reason(PKCS_12(served_key(served)), KEY_FORMAT_TYPE_NOT_SUPPORTED);
	stop(&world);
}

/* ---- Register and Import ---- */

struct pack {
	X509 *leaf, *other;
	bool keyless;
	int iterations, mac_iterations; /* 0: as usual; of the MAC also -1: there is none */
};

static struct slice pack(struct world *world, const struct pack *pack)
{
	int iterations = pack->iterations == 0 ? PKCS12_DEFAULT_ITER : pack->iterations;
	int mac_iterations = pack->mac_iterations == 0 ? 1 : pack->mac_iterations;
	STACK_OF(X509) *others = sk_X509_new_null();
	unsigned char *der = NULL;
	struct slice copy;
	PKCS12 *packed;
	int len;

	if (pack->other != NULL)
		cr_assert_gt(sk_X509_push(others, pack->other), 0);
	packed = PKCS12_create(PASSWORD, "inside", pack->keyless ? NULL : world->key, pack->leaf,
		others, NID_aes_256_cbc, NID_aes_256_cbc, iterations, mac_iterations, 0);
	cr_assert_not_null(packed);
	len = i2d_PKCS12(packed, &der);
	copy = arena_copy(world->served.arena, slice_of(der, (size_t) len));
	OPENSSL_free(der);
	PKCS12_free(packed);
	sk_X509_free(others);
	return copy;
}
#define PACK(world, ...) pack(world, &(struct pack){ __VA_ARGS__ })

/* With those attributes beside the mask. */
static const struct kmip_response_item *bring(
	struct served *served, struct slice packed, const struct kmip_attribute *more, size_t count)
{
	struct kmip_attribute attributes[4] = { attribute_of("Cryptographic Usage Mask",
		kmip_value_integer(KMIP_CRYPTOGRAPHIC_USAGE_MASK_SIGN)) };
	struct kmip_template_attribute template = { .attributes = { attributes, 1 + count } };
	struct kmip_key_block block = { .wrapped_value = packed,
		.format = KMIP_UINT(KMIP_KEY_FORMAT_TYPE_PKCS_12) };
	struct kmip_private_key key = { .key_block = &block };

	for (size_t i = 0; i < count; i++)
		attributes[1 + i] = more[i];
	return ONE(served, REGISTER, register,
		.object_type = KMIP_UINT(KMIP_OBJECT_TYPE_PRIVATE_KEY),
		.template_attribute = &template, .object.private_key = &key);
}

static struct slice brought(struct served *served, const struct kmip_response_item *item)
{
	return PAYLOAD(served, item, register)->unique_identifier;
}

static size_t count_all(struct served *served)
{
	return PAYLOAD(served, ONE(served, LOCATE, locate), locate)->unique_identifiers.count;
}

static struct slice active_password(struct served *served)
{
	struct slice uid = add_password(served);

	assert_success(served_activate(served, uid));
	return uid;
}

static void assert_text(struct served *served, struct slice uid, const char *name, const char *text)
{
	struct kmip_value value = served_value(served, uid, name);

	cr_assert_eq(value.type, KMIP_TYPE_TEXT_STRING);
	cr_assert(slice_equal_text(value.bytes, text));
}

/* What Get gives out as PKCS #12 has that key and so many certificates. */
static void assert_packed(struct world *world, struct slice uid, int certificates)
{
	struct served *served = &world->served;
	const struct kmip_key_block *block =
		PAYLOAD(served, PKCS_12(uid), get)->object.private_key->key_block;
	const unsigned char *data = block->wrapped_value.data;
	PKCS12 *packed = d2i_PKCS12(NULL, &data, (long) block->wrapped_value.len);
	STACK_OF(X509) *chain = NULL;
	EVP_PKEY *opened = NULL;
	X509 *leaf = NULL;

	cr_assert_eq(PKCS12_parse(packed, PASSWORD, &opened, &leaf, &chain), 1);
	cr_assert_eq(EVP_PKEY_eq(opened, world->key), 1);
	cr_assert_eq((leaf != NULL) + (chain == NULL ? 0 : sk_X509_num(chain)), certificates);
	if (certificates > 0)
		cr_assert_eq(X509_cmp(leaf, world->leaf), 0);
	if (certificates > 1)
		cr_assert_eq(X509_cmp(sk_X509_value(chain, 0), world->root.certificate), 0);
	PKCS12_free(packed);
	EVP_PKEY_free(opened);
	X509_free(leaf);
	sk_X509_pop_free(chain, X509_free);
}

Test(unpacking, registers)
{
	struct world world = { 0 };
	struct served *served = &world.served;
	const struct kmip_key_block *block;
	struct kmip_attribute more[2];
	struct slice uid;

	start(&world);
	more[0] = link_to(served, KMIP_LINK_TYPE_PKCS_12_PASSWORD_LINK, active_password(served));
	more[1] = text_of("PKCS#12 Friendly Name", "outside");
	uid = brought(served, bring(served, PACK(&world, .leaf = NULL), more, 1));
	cr_assert_eq(count_all(served), 2);
	assert_packed(&world, uid, 0);
	/* Sorted, whichever certificate comes first. */
	uid = brought(served,
		bring(served, PACK(&world, .leaf = world.leaf, .other = world.root.certificate),
			more, 1));
	cr_assert_eq(count_all(served), 5);
	assert_packed(&world, uid, 2);
	assert_text(served, uid, "PKCS#12 Friendly Name", "inside");
	cr_assert_eq(served_value(served, uid, "Cryptographic Algorithm").u32,
		KMIP_CRYPTOGRAPHIC_ALGORITHM_EC);
	cr_assert_eq(served_value(served, uid, "Cryptographic Length").integer, 256);
	block = PAYLOAD(served, served_get(served, uid), get)->object.private_key->key_block;
	cr_assert_eq(block->format.value, KMIP_KEY_FORMAT_TYPE_PKCS_8);
	assert_digest(served, uid, block->value->material);
	uid = brought(served, bring(served, PACK(&world, .leaf = world.leaf), more, 2));
	assert_text(served, uid, "PKCS#12 Friendly Name", "outside");
	/* A client that names the certificate has it already. */
	more[1] = link_to(served, KMIP_LINK_TYPE_PKCS_12_CERTIFICATE_LINK,
		add_certificate(served, world.leaf, NULL));
	cr_assert_eq(count_all(served), 8);
	uid = brought(served, bring(served, PACK(&world, .leaf = world.leaf), more, 2));
	cr_assert_eq(count_all(served), 9);
	assert_packed(&world, uid, 1);
	stop(&world);
}

Test(unpacking, imports)
{
	struct world world = { 0 };
	struct served *served = &world.served;
	struct kmip_key_block block = { .format = KMIP_UINT(KMIP_KEY_FORMAT_TYPE_PKCS_12) };
	struct kmip_private_key key = { .key_block = &block };
	struct kmip_attribute attributes[2];
	const struct kmip_response_item *item;

	start(&world);
	block.wrapped_value = PACK(&world, .leaf = world.leaf, .other = world.root.certificate);
	attributes[0] =
		link_to(served, KMIP_LINK_TYPE_PKCS_12_PASSWORD_LINK, active_password(served));
	attributes[1] = attribute_of("State", kmip_value_enum(KMIP_STATE_ACTIVE));
	/* Twice: the second replaces the key of the first. */
	for (size_t i = 0; i < 2; i++) {
		struct slice uid;

		item = ONE(served, IMPORT, import, .unique_identifier = SLICE_LITERAL("theirs"),
			.replace_existing = { .has = true, .value = i > 0 },
			.attributes = { attributes, 2 }, .object.private_key = &key);
		uid = PAYLOAD(served, item, import)->unique_identifier;
		cr_assert_eq(count_all(served), 4 + 2 * i);
		cr_assert_eq(served_state(served, uid), KMIP_STATE_ACTIVE);
		assert_packed(&world, uid, 2);
		assert_success(served_revoke(
			served, uid, KMIP_REVOCATION_REASON_CODE_CESSATION_OF_OPERATION));
	}
	stop(&world);
}

/* Every way in which a password cannot be used. */
Test(unpacking, passwords)
{
	struct world world = { 0 };
	struct served *served = &world.served;
	struct kmip_attribute links[2];
	struct slice packed, password;
	size_t before;

	start(&world);
	packed = PACK(&world, .leaf = NULL);
	password = add_password(served);
	links[0] = link_to(served, KMIP_LINK_TYPE_PKCS_12_PASSWORD_LINK, password);
	links[1] = link_to(served, KMIP_LINK_TYPE_PKCS_12_PASSWORD_LINK, add_password(served));
	before = count_all(served);
	assert_reason(bring(served, packed, NULL, 0), INVALID_FIELD);
	assert_reason(bring(served, packed, links, 2), INVALID_FIELD);
	assert_reason(bring(served, packed, links, 1), PERMISSION_DENIED); /* not Active yet */
	assert_success(served_activate(served, password));
	assert_success(ONE(served, ARCHIVE, archive, .unique_identifier = password));
	assert_reason(bring(served, packed, links, 1), OBJECT_ARCHIVED);
	assert_success(ONE(served, RECOVER, recover, .unique_identifier = password));
	assert_success(served_revoke(
		served, password, KMIP_REVOCATION_REASON_CODE_CESSATION_OF_OPERATION));
	assert_reason(bring(served, packed, links, 1), PERMISSION_DENIED);
	assert_success(served_destroy(served, password));
	assert_reason(bring(served, packed, links, 1), PERMISSION_DENIED);
	/* One that is nobody's, one of another kind, none at all. */
	links[0] = link_to(served, KMIP_LINK_TYPE_PKCS_12_PASSWORD_LINK,
		SLICE_LITERAL("7c9e6679-7425-40de-944b-e07fc1f90ae7"));
	assert_reason(bring(served, packed, links, 1), PERMISSION_DENIED);
	links[0] = link_to(served, KMIP_LINK_TYPE_PKCS_12_PASSWORD_LINK, served_key(served));
	assert_reason(bring(served, packed, links, 1), PERMISSION_DENIED);
	links[0] = link_to(served, KMIP_LINK_TYPE_PKCS_12_PASSWORD_LINK, SLICE_LITERAL("password"));
	assert_reason(bring(served, packed, links, 1), PERMISSION_DENIED);
	cr_assert_eq(count_all(served), before); /* a password less, a key more */
	stop(&world);
}

/* What cannot be read, or not as cheaply as it must be. */
Test(unpacking, refusals)
{
	struct world world = { 0 };
	struct served *served = &world.served;
	struct kmip_attribute more[2];
	struct slice packed;
	uint8_t *bytes;

	start(&world);
	more[0] = link_to(served, KMIP_LINK_TYPE_PKCS_12_PASSWORD_LINK, active_password(served));
	packed = PACK(&world, .leaf = world.leaf);
	for (size_t cut = 1; cut < packed.len; cut += packed.len / 7)
		assert_reason(bring(served, slice_cut(packed, 0, packed.len - cut), more, 1),
			INVALID_FIELD);
	/* Under another password; the MAC does not hold. */
	bytes = (uint8_t *) arena_copy(served->arena, packed).data;
	bytes[packed.len / 2] ^= 1;
	assert_reason(bring(served, slice_of(bytes, packed.len), more, 1), PERMISSION_DENIED);
	assert_reason(bring(served, PACK(&world, .keyless = true, .leaf = world.leaf), more, 1),
		INVALID_FIELD);
	assert_reason(bring(served, PACK(&world, .mac_iterations = -1), more, 1), INVALID_FIELD);
	/* Of another key alone. */
	assert_reason(bring(served, PACK(&world, .other = world.root.certificate), more, 1),
		INVALID_FIELD);
	/* One more than may be spent, with the MAC's. */
	assert_reason(bring(served, PACK(&world, .iterations = PKCS12_ITERATIONS_MAX), more, 1),
		INVALID_FIELD);
	assert_reason(
		bring(served, PACK(&world, .mac_iterations = PKCS12_ITERATIONS_MAX + 1), more, 1),
		INVALID_FIELD);
	/* The client says something else of the key. */
	more[1] = attribute_of("Cryptographic Length", kmip_value_integer(384));
	assert_reason(bring(served, packed, more, 2), INVALID_FIELD);
	cr_assert_eq(count_all(served), 1);
	served->version = KMIP_1_3;
	cr_assert_neq(reason_of(bring(served, packed, NULL, 0)), 0);
	served->version = KMIP_1_4;
	cr_assert_eq(count_all(served), 1);
	assert_success(bring(served, packed, more, 1));
	stop(&world);
}

/* The instance's policy is about the key inside, and judged before the certificates are made. */
Test(unpacking, policy)
{
	struct world world = { 0 };
	struct served *served = &world.served;
	struct instance_policy policy;
	char why[POLICY_WHY_MAX];
	struct kmip_attribute link;

	start(&world);
	link = link_to(served, KMIP_LINK_TYPE_PKCS_12_PASSWORD_LINK, active_password(served));
	policy.instance = served->identity.instance;
	cr_assert_eq(policy_parse(&policy.policy, "EC:384 SHA-256", why), ERR_OK, "%s", why);
	kmip_server_set_policies(served->server, &policy, 1);
	assert_reason(bring(served, PACK(&world, .leaf = world.leaf), &link, 1), PERMISSION_DENIED);
	cr_assert_eq(count_all(served), 1);
	cr_assert_eq(policy_parse(&policy.policy, "EC:256 SHA-256", why), ERR_OK, "%s", why);
	kmip_server_set_policies(served->server, &policy, 1);
	assert_success(bring(served, PACK(&world, .leaf = world.leaf), &link, 1));
	stop(&world);
}

/* Whichever of the three objects cannot be made: none is there. */
Test(unpacking, failures)
{
	enum { STEPS = 3 };
	struct world world = { 0 };
	struct served *served = &world.served;
	struct kmip_attribute link;
	struct slice packed;

	start(&world);
	link = link_to(served, KMIP_LINK_TYPE_PKCS_12_PASSWORD_LINK, active_password(served));
	packed = PACK(&world, .leaf = world.leaf, .other = world.root.certificate);
	for (unsigned i = 0; i < STEPS; i++) {
		fake_service_fault(
			&served->store->service, (struct fake_fault){ .call = FAKE_CREATE,
							 .countdown = i,
							 .repeat = 1,
							 .err = ERR_REFUSED });
		cr_assert_neq(reason_of(bring(served, packed, &link, 1)), 0, "step %u", i);
		cr_assert_eq(count_all(served), 1, "step %u", i);
	}
	assert_success(bring(served, packed, &link, 1));
	cr_assert_eq(count_all(served), 4);
	stop(&world);
}
