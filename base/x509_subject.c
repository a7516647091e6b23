/* SPDX-License-Identifier: Apache-2.0 */
#include "base/x509_subject.h"
#include <stdlib.h>
#include "base/pkey_private.h"
#include "base/x509_private.h"

void x509_subject_free(struct x509_subject *subject)
{
	if (subject == NULL)
		return;
	EVP_PKEY_free(subject->key);
	X509_NAME_free(subject->name);
	X509_EXTENSION_free(subject->alt_names);
	X509_EXTENSION_free(subject->extended_usage);
	free(subject);
}

/* A key so long that using it would take seconds is not even tried. */
static bool is_usable(const EVP_PKEY *key)
{
	return key != NULL && EVP_PKEY_get_bits(key) <= PKEY_RSA_BITS_MAX;
}

/* Nothing is certified that whoever reads the certificate cannot. */
static bool is_readable(X509_EXTENSION *extension)
{
	const X509V3_EXT_METHOD *method = X509V3_EXT_get(extension);
	void *parsed = X509V3_EXT_d2i(extension);

	if (parsed == NULL)
		return false;
	ASN1_item_free(parsed, ASN1_ITEM_ptr(method->it));
	return true;
}

static enum err keep_extension(X509_EXTENSION **out, const STACK_OF(X509_EXTENSION) * list, int nid)
{
	int at = X509v3_get_ext_by_NID(list, nid, -1);

	if (at < 0)
		return ERR_OK;
	if (!is_readable(X509v3_get_ext(list, at)))
		return ERR_INVALID;
	*out = X509_EXTENSION_dup(X509v3_get_ext(list, at));
	return *out == NULL ? ERR_NOMEM : ERR_OK;
}

/* The key is borrowed; what the lists have beside these two is the authority's to say. */
static enum err subject_new(struct x509_subject **out, EVP_PKEY *key, const X509_NAME *name,
	const STACK_OF(X509_EXTENSION) * extensions)
{
	struct x509_subject *subject = calloc(1, sizeof(*subject));
	enum err err = subject == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	TRY(EVP_PKEY_up_ref(key) != 1 ? ERR_NOMEM : ERR_OK);
	subject->key = key;
	subject->name = X509_NAME_dup(name);
	TRY(subject->name == NULL ? ERR_NOMEM : ERR_OK);
	TRY(keep_extension(&subject->alt_names, extensions, NID_subject_alt_name));
	TRY(keep_extension(&subject->extended_usage, extensions, NID_ext_key_usage));
	*out = subject;
	subject = NULL;
out:
	x509_subject_free(subject);
	return err;
}

static X509_REQ *read_request(struct slice request, bool is_pem)
{
	const unsigned char *data = request.data;
	X509_REQ *parsed = NULL;
	BIO *bio;

	if (request.len == 0 || request.len > X509_REQUEST_LEN_MAX)
		return NULL;
	if (is_pem) {
		bio = BIO_new_mem_buf(request.data, (int) request.len);
		if (bio != NULL)
			parsed = PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL);
		BIO_free(bio);
		return parsed;
	}
	parsed = d2i_X509_REQ(NULL, &data, (long) request.len);
	if (parsed != NULL && data != request.data + request.len) {
		X509_REQ_free(parsed);
		return NULL;
	}
	return parsed;
}

enum err x509_subject_of_request(struct x509_subject **out, struct slice request, bool is_pem)
{
	X509_REQ *parsed = read_request(request, is_pem);
	STACK_OF(X509_EXTENSION) *extensions = NULL;
	EVP_PKEY *key; /* the request's */
	enum err err = parsed == NULL ? ERR_INVALID : ERR_OK;

	TRY(err);
	key = X509_REQ_get0_pubkey(parsed);
	TRY(is_usable(key) ? ERR_OK : ERR_FEATURE);
	TRY(X509_REQ_verify(parsed, key) == 1 ? ERR_OK : ERR_POSSESSION);
	extensions = X509_REQ_get_extensions(parsed);
	TRY(subject_new(out, key, X509_REQ_get_subject_name(parsed), extensions));
out:
	sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
	X509_REQ_free(parsed);
	return pkey_failed(err);
}

enum err x509_subject_of_certificate(struct x509_subject **out, struct slice der)
{
	const unsigned char *data = der.data;
	X509 *certificate = d2i_X509(NULL, &data, (long) der.len);
	EVP_PKEY *key; /* the certificate's */
	enum err err = certificate == NULL ? ERR_INVALID : ERR_OK;

	TRY(err);
	key = X509_get0_pubkey(certificate);
	TRY(is_usable(key) ? ERR_OK : ERR_FEATURE);
	TRY(subject_new(
		out, key, X509_get_subject_name(certificate), X509_get0_extensions(certificate)));
out:
	X509_free(certificate);
	return pkey_failed(err);
}

enum err x509_subject_of_key(
	struct x509_subject **out, const struct pkey *key, struct slice common_name)
{
	X509_NAME *name = X509_NAME_new();
	enum err err = name == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	TRY(is_usable(key->key) ? ERR_OK : ERR_FEATURE);
	if (common_name.len == 0 || common_name.len > X509_COMMON_NAME_LEN_MAX ||
		X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8, common_name.data,
			(int) common_name.len, -1, 0) != 1)
		TRY(ERR_LIMIT);
	TRY(subject_new(out, key->key, name, NULL));
out:
	X509_NAME_free(name);
	return pkey_failed(err);
}

static bool is_same(const EVP_PKEY *a, const EVP_PKEY *b)
{
	bool is_equal = EVP_PKEY_eq(a, b) == 1;

	ERR_clear_error();
	return is_equal;
}

bool x509_subject_has_key(const struct x509_subject *subject, const struct pkey *key)
{
	return is_same(subject->key, key->key);
}

bool x509_subject_is_same_key(const struct x509_subject *a, const struct x509_subject *b)
{
	return is_same(a->key, b->key);
}
