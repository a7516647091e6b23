/* SPDX-License-Identifier: Apache-2.0 */
/* Certify and Re-certify (KMIP 1.4, sections 4.7 and 4.8): what is issued, the links, names and
 * dates; what is refused; and that a failure half-way leaves everything as it was. */
#include "base/x509.h"
#include "served.h"
#include "tests/unit/base/authority.h"

enum { DAYS = 90, DAY_S = 86400 };

struct world {
	struct served served;
	struct test_authority files;
	struct kmip_authority authority;
	struct kmip_authorities authorities;
	EVP_PKEY *key; /* of the public key that is registered */
	struct slice public_key;
};

static struct slice register_key(struct world *world, EVP_PKEY *key)
{
	struct kmip_attribute attributes[] = { attribute_of(
		"Cryptographic Usage Mask", kmip_value_integer(2)) };
	struct kmip_template_attribute template = { .attributes = { attributes, 1 } };
	struct kmip_key_value value = { 0 };
	struct kmip_key_block block = { .value = &value,
		.format = KMIP_UINT(KMIP_KEY_FORMAT_TYPE_X_509),
		.cryptographic_algorithm = KMIP_UINT(KMIP_CRYPTOGRAPHIC_ALGORITHM_EC),
		.cryptographic_length_bits = KMIP_INT(256) };
	struct kmip_public_key public_key = { .key_block = &block };
	unsigned char *der = NULL;
	struct slice uid;

	value.material = slice_of(der, 0);
	value.material.len = (size_t) i2d_PUBKEY(key, &der);
	value.material.data = der;
	uid = PAYLOAD(&world->served,
		ONE(&world->served, REGISTER, register,
			.object_type = KMIP_UINT(KMIP_OBJECT_TYPE_PUBLIC_KEY),
			.template_attribute = &template, .object = { .public_key = &public_key }),
		register)
		      ->unique_identifier;
	OPENSSL_free(der);
	return uid;
}

static void start(struct world *world)
{
	char why[X509_WHY_MAX];
	struct x509_authority_files files;

	served_start(&world->served, false);
	world->served.version = KMIP_1_4;
	test_authority_make(&world->files);
	files = (struct x509_authority_files){ world->files.cert_file, world->files.key_file };
	world->authority = (struct kmip_authority){ .instance = world->served.identity.instance,
		.validity_days = DAYS };
	cr_assert_eq(x509_authority_new(&world->authority.authority, &files, why), ERR_OK);
	world->authorities = (struct kmip_authorities){ &world->authority, 1 };
	world->served.authorities = world->authorities;
	world->key = EVP_EC_gen("P-256");
	world->public_key = register_key(world, world->key);
}

static void stop(struct world *world)
{
	served_stop(&world->served);
	x509_authority_free(world->authority.authority);
	test_authority_remove(&world->files);
	EVP_PKEY_free(world->key);
}

#define CERTIFY(...) ONE(served, CERTIFY, certify, __VA_ARGS__)
#define RE_CERTIFY(...) ONE(served, RE_CERTIFY, re_certify, __VA_ARGS__)
#define PKCS_10 KMIP_UINT(KMIP_CERTIFICATE_REQUEST_TYPE_PKCS_10)

static X509 *certificate_of(struct served *served, struct slice uid)
{
	struct slice der = PAYLOAD(served, served_get(served, uid), get)->object.certificate->value;
	const unsigned char *data = der.data;
	X509 *certificate = d2i_X509(NULL, &data, (long) der.len);

	cr_assert_not_null(certificate);
	return certificate;
}

static int64_t end_of(struct served *served, struct slice uid)
{
	X509 *certificate = certificate_of(served, uid);
	struct tm date;

	cr_assert_eq(ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &date), 1);
	X509_free(certificate);
	return timegm(&date);
}

static struct kmip_link link_at(struct served *served, struct slice uid, size_t i, size_t count)
{
	struct codec codec = { .arena = served->arena, .version = KMIP_1_4 };
	struct slice names[] = { slice_text("Link") };
	const struct kmip_get_attributes_response *response = PAYLOAD(served,
		ONE(served, GET_ATTRIBUTES, get_attributes, .unique_identifier = uid,
			.attribute_names = { names, 1 }),
		get_attributes);
	struct kmip_link link;

	cr_assert_eq(response->attributes.count, count);
	cr_assert_eq(kmip_value_read(
			     &link, &codec, &kmip_link_table, &response->attributes.items[i].value),
		ERR_OK);
	return link;
}
static void assert_link(
	struct served *served, struct slice uid, const size_t at[2], uint32_t type, struct slice to)
{
	struct kmip_link link = link_at(served, uid, at[0], at[1]);

	cr_assert_eq(link.type.value, type);
	assert_bytes(link.identifier, to);
}
#define AT(i, count) ((const size_t[]){ i, count })

static struct slice subject_of(struct served *served, struct slice uid)
{
	struct codec codec = { .arena = served->arena, .version = KMIP_1_4 };
	struct kmip_value value = served_value(served, uid, "Certificate Subject");
	struct kmip_certificate_subject subject;

	cr_assert_eq(
		kmip_value_read(&subject, &codec, &kmip_certificate_subject_table, &value), ERR_OK);
	return subject.name;
}

/* With a request, in DER or PEM, with or without the key; and without a request. */
Test(op_certify, issues)
{
	struct world world = { 0 };
	struct served *served = &world.served;
	uint8_t bytes[TEST_DER_MAX];
	struct kmip_attribute attributes[2];
	struct kmip_template_attribute template = { .attributes = { attributes, 2 } };
	struct slice request, with, without, alone;
	X509 *certificate;

	start(&world);
	request = test_request(bytes, world.key, world.key, false);
	attributes[0] = name_of(served, "the certificate");
	attributes[1] = attribute_of("Cryptographic Usage Mask", kmip_value_integer(3));
	with = PAYLOAD(served,
		CERTIFY(.unique_identifier = world.public_key, .request_type = PKCS_10,
			.request = request, .template_attribute = &template),
		certify)
		       ->unique_identifier;
	certificate = certificate_of(served, with);
	cr_assert_eq(X509_verify(certificate, world.files.key), 1);
	cr_assert_eq(EVP_PKEY_eq(X509_get0_pubkey(certificate), world.key), 1);
	cr_assert_eq(X509_get_key_usage(certificate), KU_DIGITAL_SIGNATURE);
	X509_free(certificate);
	cr_assert(slice_equal_text(subject_of(served, with), "CN=client"));
	cr_assert_eq(served_state(served, with), OBJECT_STATE_PRE_ACTIVE);
	cr_assert_leq(llabs(end_of(served, with) - clock_wall_seconds() - DAYS * DAY_S), 60);
	cr_assert_eq(served_value(served, with, "Cryptographic Length").integer, 256);
	cr_assert_eq(served_value(served, with, "Original Creation Date").i64,
		served_value(served, with, "Initial Date").i64);
	assert_link(served, with, AT(0, 1), KMIP_LINK_TYPE_PUBLIC_KEY_LINK, world.public_key);
	assert_link(served, world.public_key, AT(0, 1), KMIP_LINK_TYPE_CERTIFICATE_LINK, with);

	attributes[0] = name_of(served, "by name");
	without = PAYLOAD(served,
		CERTIFY(.unique_identifier = world.public_key, .template_attribute = &template),
		certify)
			  ->unique_identifier;
	cr_assert(slice_equal_text(subject_of(served, without), "CN=by name"));

	request = test_request(bytes, world.files.key, world.files.key, true);
	alone = PAYLOAD(served,
		CERTIFY(.request_type = KMIP_UINT(KMIP_CERTIFICATE_REQUEST_TYPE_PEM),
			.request = request),
		certify)
			->unique_identifier;
	cr_assert_eq(served_value(served, alone, "Link").type, KMIP_TYPE_ANY);
	stop(&world);
}

/* The dates of the certificate are those of the object; it never outlives the authority. */
Test(op_certify, dates)
{
	struct world world = { 0 };
	struct served *served = &world.served;
	const int64_t now = clock_wall_seconds();
	struct kmip_attribute attributes[] = {
		attribute_of("Activation Date", kmip_value_date(now - 100)),
		attribute_of("Deactivation Date", kmip_value_date(now + 1000)),
	};
	struct kmip_template_attribute template = { .attributes = { attributes, 2 } };
	struct slice uid;

	start(&world);
	uid = PAYLOAD(served,
		CERTIFY(.unique_identifier = world.public_key, .template_attribute = &template),
		certify)
		      ->unique_identifier;
	cr_assert_eq(end_of(served, uid), now + 1000);
	cr_assert_eq(served_state(served, uid), OBJECT_STATE_ACTIVE);
	attributes[1].value = kmip_value_date(now - 1);
	assert_reason(
		CERTIFY(.unique_identifier = world.public_key, .template_attribute = &template),
		ILLEGAL_OPERATION);
	attributes[1].value = kmip_value_date(now + 400 * DAY_S);
	assert_reason(
		CERTIFY(.unique_identifier = world.public_key, .template_attribute = &template),
		INVALID_FIELD);
	world.authority.validity_days = 400;
	template.attributes.count = 0;
	uid = PAYLOAD(served,
		CERTIFY(.unique_identifier = world.public_key, .template_attribute = &template),
		certify)
		      ->unique_identifier;
	cr_assert_eq(end_of(served, uid), x509_authority_not_after(world.authority.authority));
	stop(&world);
}

static void assert_nothing_made(struct served *served)
{
	cr_assert_eq(
		PAYLOAD(served, ONE(served, LOCATE, locate), locate)->unique_identifiers.count, 1);
}

Test(op_certify, refusals)
{
	struct world world = { 0 };
	struct served *served = &world.served;
	uint8_t bytes[TEST_DER_MAX];
	struct kmip_uint crmf = KMIP_UINT(KMIP_CERTIFICATE_REQUEST_TYPE_CRMF);
	struct slice request;

	start(&world);
	request = test_request(bytes, world.key, world.key, false);
	assert_reason(CERTIFY(.unique_identifier = world.public_key, .request = request),
		INVALID_MESSAGE);
	assert_reason(CERTIFY(.unique_identifier = world.public_key, .request_type = PKCS_10),
		INVALID_MESSAGE);
	assert_reason(CERTIFY(.unique_identifier = world.public_key, .request_type = crmf,
			      .request = request),
		FEATURE_NOT_SUPPORTED);
	assert_reason(
		CERTIFY(.request_type = PKCS_10, .request = slice_cut(request, 0, request.len - 1)),
		INVALID_FIELD);
	bytes[request.len - 1] ^= 1;
	assert_reason(CERTIFY(.request_type = PKCS_10, .request = request), INVALID_FIELD);
	request = test_request(bytes, world.files.key, world.files.key, false);
	assert_reason(CERTIFY(.unique_identifier = world.public_key, .request_type = PKCS_10,
			      .request = request),
		INVALID_FIELD);
	assert_reason(CERTIFY(.unique_identifier = slice_text("no uid")), ITEM_NOT_FOUND);
	assert_nothing_made(served);
	assert_success(served_revoke(
		served, world.public_key, KMIP_REVOCATION_REASON_CODE_KEY_COMPROMISE));
	assert_reason(CERTIFY(.unique_identifier = world.public_key), PERMISSION_DENIED);
	assert_nothing_made(served);
	assert_reason(CERTIFY(.unique_identifier = served_key(served)), PERMISSION_DENIED);
	/* Of another instance: there is none for this one. */
	cr_assert_eq(
		instance_id_parse(&world.authority.instance, slice_text("instance-2")), ERR_OK);
	assert_reason(CERTIFY(.unique_identifier = world.public_key), OPERATION_NOT_SUPPORTED);
	assert_reason(RE_CERTIFY(.unique_identifier = world.public_key), OPERATION_NOT_SUPPORTED);
	stop(&world);
}

static struct slice certified(struct world *world, const char *name)
{
	struct served *served = &world->served;
	struct kmip_attribute attribute = name_of(served, name);
	struct kmip_template_attribute template = { .attributes = { &attribute, 1 } };

	return PAYLOAD(served,
		CERTIFY(.unique_identifier = world->public_key, .template_attribute = &template),
		certify)
		->unique_identifier;
}

Test(op_re_certify, renews)
{
	struct world world = { 0 };
	struct served *served = &world.served;
	struct slice old, new;

	start(&world);
	old = certified(&world, "name");
	new = PAYLOAD(
		served, RE_CERTIFY(.unique_identifier = old, .offset = KMIP_UINT(0)), re_certify)
		      ->unique_identifier;
	cr_assert(slice_equal_text(subject_of(served, new), "CN=name"));
	cr_assert_eq(served_value(served, old, "Name").type, KMIP_TYPE_ANY);
	cr_assert_neq(served_value(served, new, "Name").type, KMIP_TYPE_ANY);
	cr_assert_eq(served_state(served, new), OBJECT_STATE_ACTIVE);
	assert_link(served, new, AT(0, 2), KMIP_LINK_TYPE_REPLACED_OBJECT_LINK, old);
	assert_link(served, new, AT(1, 2), KMIP_LINK_TYPE_PUBLIC_KEY_LINK, world.public_key);
	assert_link(served, old, AT(1, 2), KMIP_LINK_TYPE_REPLACEMENT_OBJECT_LINK, new);
	assert_link(served, world.public_key, AT(0, 1), KMIP_LINK_TYPE_CERTIFICATE_LINK, new);
	stop(&world);
}

Test(op_re_certify, refusals)
{
	struct world world = { 0 };
	struct served *served = &world.served;
	struct kmip_attribute date = attribute_of("Activation Date", kmip_value_date(5));
	struct kmip_template_attribute template = { .attributes = { &date, 1 } };
	uint8_t bytes[TEST_DER_MAX];
	struct slice uid;

	start(&world);
	uid = certified(&world, "name");
	assert_reason(RE_CERTIFY(.unique_identifier = world.public_key), PERMISSION_DENIED);
	assert_reason(RE_CERTIFY(.unique_identifier = uid, .offset = KMIP_UINT(5),
			      .template_attribute = &template),
		INVALID_MESSAGE);
	assert_reason(
		RE_CERTIFY(.unique_identifier = uid, .request_type = PKCS_10,
			.request = test_request(bytes, world.files.key, world.files.key, false)),
		INVALID_FIELD);
	assert_success(served_revoke(served, uid, KMIP_REVOCATION_REASON_CODE_KEY_COMPROMISE));
	assert_reason(RE_CERTIFY(.unique_identifier = uid), PERMISSION_DENIED);
	stop(&world);
}

/* Whichever of the two steps fails: the public key points to the old certificate, whose name
 * stays. */
Test(op_re_certify, failures)
{
	enum { STEPS = 2 };
	struct world world = { 0 };
	struct served *served = &world.served;
	struct slice old;

	start(&world);
	old = certified(&world, "name");
	for (unsigned i = 0; i < STEPS; i++) {
		fake_service_fault(
			&served->store->service, (struct fake_fault){ .call = FAKE_CREATE,
							 .countdown = i,
							 .repeat = 1,
							 .err = ERR_REFUSED });
		cr_assert_neq(reason_of(RE_CERTIFY(.unique_identifier = old)), 0, "step %u", i);
		cr_assert_neq(served_value(served, old, "Name").type, KMIP_TYPE_ANY);
		assert_link(
			served, world.public_key, AT(0, 1), KMIP_LINK_TYPE_CERTIFICATE_LINK, old);
	}
	assert_success(RE_CERTIFY(.unique_identifier = old));
	stop(&world);
}
