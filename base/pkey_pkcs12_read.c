/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pkey_pkcs12.h"
#include "base/pkey_private.h"
#include "base/secret.h"

struct reading {
	char password[PKCS12_PASSWORD_LEN_MAX + 1];
	int password_len;
	long iterations; /* that may still be spent */
	struct pkcs12_found *found;
	EVP_PKEY *key;
	X509 *certificates[PKCS12_CERTIFICATES_MAX];
	size_t count;
};

/* ---- what a password costs: judged before it is spent ---- */

static enum err spend(struct reading *reading, const ASN1_INTEGER *iterations)
{
	long count = iterations == NULL ? 1 : ASN1_INTEGER_get(iterations);

	if (count < 1 || count > reading->iterations)
		return ERR_LIMIT;
	reading->iterations -= count;
	return ERR_OK;
}

/* PKCS #12's own derivation. */
static enum err spend_pbe(struct reading *reading, const X509_ALGOR *algorithm)
{
	PBEPARAM *parameters =
		ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBEPARAM), algorithm->parameter);
	enum err err = parameters == NULL ? ERR_INVALID : spend(reading, parameters->iter);

	PBEPARAM_free(parameters);
	return err;
}

/* PKCS #5's; not scrypt, whose memory is the client's choice, too. */
static enum err spend_pbes2(struct reading *reading, const X509_ALGOR *algorithm)
{
	PBE2PARAM *scheme =
		ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBE2PARAM), algorithm->parameter);
	PBKDF2PARAM *parameters = NULL;
	enum err err = scheme == NULL ? ERR_INVALID : ERR_OK;

	TRY(err);
	if (OBJ_obj2nid(scheme->keyfunc->algorithm) != NID_id_pbkdf2)
		TRY(ERR_FEATURE);
	parameters =
		ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBKDF2PARAM), scheme->keyfunc->parameter);
	TRY(parameters == NULL ? ERR_INVALID : spend(reading, parameters->iter));
out:
	PBKDF2PARAM_free(parameters);
	PBE2PARAM_free(scheme);
	return err;
}

static enum err judge_algorithm(struct reading *reading, const X509_ALGOR *algorithm)
{
	switch (OBJ_obj2nid(algorithm->algorithm)) {
	case NID_pbes2:
		return spend_pbes2(reading, algorithm);
	case NID_pbe_WithSHA1And3_Key_TripleDES_CBC:
	case NID_pbe_WithSHA1And2_Key_TripleDES_CBC:
		return spend_pbe(reading, algorithm);
	default:
		return ERR_FEATURE;
	}
}

static enum err check_mac(struct reading *reading, PKCS12 *packed)
{
	const X509_ALGOR *algorithm = NULL;
	const ASN1_INTEGER *iterations = NULL;
	enum err err;

	if (!PKCS12_mac_present(packed))
		return ERR_INVALID;
	PKCS12_get0_mac(NULL, &algorithm, NULL, &iterations, packed);
	if (algorithm == NULL || EVP_get_digestbyobj(algorithm->algorithm) == NULL)
		return ERR_FEATURE;
	TRY(spend(reading, iterations));
	err = PKCS12_verify_mac(packed, reading->password, reading->password_len) == 1 ? ERR_OK
										       : ERR_DENIED;
out:
	return err;
}

/* ---- bags ---- */

/* By hand: PKCS12_get_friendlyname of some releases takes any type, and any length, for right. */
static enum err note_name(struct reading *reading, const PKCS12_SAFEBAG *bag)
{
	const ASN1_TYPE *name = PKCS12_SAFEBAG_get0_attr(bag, NID_friendlyName);
	unsigned char *text = NULL;
	enum err err;
	int len;

	if (name == NULL)
		return ERR_OK;
	if (name->type != V_ASN1_BMPSTRING)
		return ERR_INVALID;
	len = ASN1_STRING_to_UTF8(&text, name->value.bmpstring);
	TRY(len < 0 ? ERR_INVALID : ERR_OK);
	TRY(buf_append(&reading->found->friendly_name, slice_of(text, (size_t) len)));
out:
	OPENSSL_free(text);
	return err;
}

/* Which of two keys would be meant nobody says. */
static enum err take_key(
	struct reading *reading, PKCS12_SAFEBAG *bag, const PKCS8_PRIV_KEY_INFO *info)
{
	if (info == NULL || reading->key != NULL)
		return ERR_INVALID;
	if (i2d_PKCS8_PRIV_KEY_INFO(info, NULL) > PKCS12_KEY_LEN_MAX ||
		pkey_judge_info(info) != ERR_OK)
		return ERR_LIMIT;
	reading->key = EVP_PKCS82PKEY(info);
	return reading->key == NULL ? ERR_INVALID : note_name(reading, bag);
}

static enum err take_shrouded(struct reading *reading, PKCS12_SAFEBAG *bag)
{
	const X509_SIG *shrouded = PKCS12_SAFEBAG_get0_pkcs8(bag);
	const X509_ALGOR *algorithm = NULL;
	PKCS8_PRIV_KEY_INFO *info = NULL;
	enum err err;

	if (shrouded == NULL)
		return ERR_INVALID;
	X509_SIG_get0(shrouded, &algorithm, NULL);
	TRY(judge_algorithm(reading, algorithm));
	info = PKCS12_decrypt_skey(bag, reading->password, reading->password_len);
	TRY(take_key(reading, bag, info));
out:
	PKCS8_PRIV_KEY_INFO_free(info);
	return err;
}

static enum err take_certificate(struct reading *reading, PKCS12_SAFEBAG *bag)
{
	X509 *certificate;

	if (PKCS12_SAFEBAG_get_bag_nid(bag) != NID_x509Certificate)
		return ERR_FEATURE;
	if (reading->count == PKCS12_CERTIFICATES_MAX)
		return ERR_LIMIT;
	certificate = PKCS12_SAFEBAG_get1_cert(bag);
	if (certificate == NULL)
		return ERR_INVALID;
	reading->certificates[reading->count++] = certificate;
	return ERR_OK;
}

static enum err take_bag(struct reading *reading, PKCS12_SAFEBAG *bag)
{
	switch (PKCS12_SAFEBAG_get_nid(bag)) {
	case NID_keyBag:
		return take_key(reading, bag, PKCS12_SAFEBAG_get0_p8inf(bag));
	case NID_pkcs8ShroudedKeyBag:
		return take_shrouded(reading, bag);
	case NID_certBag:
		return take_certificate(reading, bag);
	default:
		return ERR_FEATURE;
	}
}

static enum err unpack(struct reading *reading, STACK_OF(PKCS12_SAFEBAG) * *out, PKCS7 *content)
{
	enum err err = ERR_OK;

	if (PKCS7_type_is_data(content) && content->d.data != NULL) {
		*out = PKCS12_unpack_p7data(content);
	} else if (PKCS7_type_is_encrypted(content) && content->d.encrypted != NULL &&
		   content->d.encrypted->enc_data->enc_data != NULL) {
		TRY(judge_algorithm(reading, content->d.encrypted->enc_data->algorithm));
		*out = PKCS12_unpack_p7encdata(content, reading->password, reading->password_len);
	} else {
		TRY(ERR_FEATURE);
	}
	TRY(*out == NULL ? ERR_INVALID : ERR_OK);
out:
	return err;
}

static enum err take_content(struct reading *reading, PKCS7 *content)
{
	STACK_OF(PKCS12_SAFEBAG) *bags = NULL;
	enum err err;

	TRY(unpack(reading, &bags, content));
	for (int i = 0; i < sk_PKCS12_SAFEBAG_num(bags); i++)
		TRY(take_bag(reading, sk_PKCS12_SAFEBAG_value(bags, i)));
out:
	sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
	return err;
}

static enum err take_all(struct reading *reading, const PKCS12 *packed)
{
	STACK_OF(PKCS7) *contents = PKCS12_unpack_authsafes(packed);
	enum err err = contents == NULL ? ERR_INVALID : ERR_OK;

	TRY(err);
	for (int i = 0; i < sk_PKCS7_num(contents); i++)
		TRY(take_content(reading, sk_PKCS7_value(contents, i)));
	TRY(reading->key == NULL ? ERR_INVALID : ERR_OK);
out:
	sk_PKCS7_pop_free(contents, PKCS7_free);
	return err;
}

/* ---- the chain: the key's own, its issuer, and so on; then what is left ---- */

static void move_to(struct reading *reading, size_t to, size_t from)
{
	X509 *moved = reading->certificates[from];

	for (size_t i = from; i > to; i--)
		reading->certificates[i] = reading->certificates[i - 1];
	reading->certificates[to] = moved;
}

static bool is_next(const struct reading *reading, size_t at, const X509 *certificate)
{
	if (at == 0)
		return X509_check_private_key(certificate, reading->key) == 1;
	return X509_NAME_cmp(X509_get_issuer_name(reading->certificates[at - 1]),
		       X509_get_subject_name(certificate)) == 0;
}

static enum err sort(struct reading *reading)
{
	for (size_t at = 0; at < reading->count; at++) {
		size_t next = at;

		while (next < reading->count && !is_next(reading, at, reading->certificates[next]))
			next++;
		if (next == reading->count)
			return at == 0 ? ERR_INVALID : ERR_OK;
		move_to(reading, at, next);
	}
	return ERR_OK;
}

static enum err write_certificates(const struct reading *reading)
{
	struct pkcs12_found *found = reading->found;
	unsigned char *der = NULL;
	enum err err = ERR_OK;

	for (size_t i = 0; i < reading->count; i++) {
		int len = i2d_X509(reading->certificates[i], &der);

		TRY(len < 0 ? ERR_NOMEM : ERR_OK);
		TRY(buf_append(&found->certificates[i], slice_of(der, (size_t) len)));
		found->certificate_count++;
		OPENSSL_free(der);
		der = NULL;
	}
out:
	OPENSSL_free(der);
	return err;
}

/* ---- */

static enum err read(struct reading *reading, struct slice der)
{
	const unsigned char *data = der.data;
	PKCS12 *packed = der.len > PKCS12_LEN_MAX ? NULL : d2i_PKCS12(NULL, &data, (long) der.len);
	enum err err = packed == NULL || data != der.data + der.len ? ERR_INVALID : ERR_OK;
	EVP_PKEY *key;

	TRY(err);
	TRY(check_mac(reading, packed));
	TRY(take_all(reading, packed));
	TRY(sort(reading));
	TRY(write_certificates(reading));
	key = reading->key;
	reading->key = NULL; /* it moves */
	err = pkey_wrap(&reading->found->key, key);
	TRY(err == ERR_FEATURE ? ERR_LIMIT : err);
out:
	PKCS12_free(packed);
	return err;
}

enum err pkcs12_read(struct pkcs12_found *found, struct slice der, struct slice password)
{
	struct reading reading = { .iterations = PKCS12_ITERATIONS_MAX, .found = found };
	enum err err;

	buf_init(&found->friendly_name, PKCS12_NAME_LEN_MAX);
	for (size_t i = 0; i < PKCS12_CERTIFICATES_MAX; i++)
		buf_init(&found->certificates[i], PKCS12_LEN_MAX);
	TRY(password.len == 0 ? ERR_FIELD
			      : pkcs12_text(reading.password, sizeof(reading.password), password));
	reading.password_len = (int) password.len;
	TRY(read(&reading, der));
out:
	secret_wipe(reading.password, sizeof(reading.password));
	EVP_PKEY_free(reading.key);
	for (size_t i = 0; i < reading.count; i++)
		X509_free(reading.certificates[i]);
	return pkey_failed(err);
}

void pkcs12_found_free(struct pkcs12_found *found)
{
	pkey_free(found->key);
	for (size_t i = 0; i < PKCS12_CERTIFICATES_MAX; i++)
		buf_free(&found->certificates[i]);
	buf_free(&found->friendly_name);
	*found = (struct pkcs12_found){ 0 };
}
