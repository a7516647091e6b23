/* SPDX-License-Identifier: Apache-2.0 */
/* Private keys as PKCS #12 (KMIP 1.4, Get with that Key Format Type): key and chain open under the
 * linked password and no other; without exactly one Active password nothing is given out. */
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
