/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pkey_pkcs12.h"
#include "base/pkey_private.h"
#include "base/secret.h"

static X509 *read_certificate(struct slice der)
{
	const unsigned char *data = der.data;
	X509 *certificate = d2i_X509(NULL, &data, (long) der.len);

	if (certificate != NULL && data != der.data + der.len) {
		X509_free(certificate);
		return NULL;
	}
	return certificate;
}

static enum err read_certificates(
	X509 **own, STACK_OF(X509) * others, const struct pkcs12_content *content)
{
	for (size_t i = 0; i < content->certificate_count; i++) {
		X509 *certificate = read_certificate(content->certificates[i]);

		if (certificate == NULL)
			return ERR_INVALID;
		if (i == 0) {
			*own = certificate;
		} else if (sk_X509_push(others, certificate) <= 0) {
			X509_free(certificate);
			return ERR_NOMEM;
		}
	}
	return ERR_OK;
}

enum err pkcs12_text(char *out, size_t out_size, struct slice bytes)
{
	for (size_t i = 0; i < bytes.len; i++) {
		if (bytes.data[i] == 0)
			return ERR_FIELD;
	}
	if (bytes.len >= out_size)
		return ERR_FIELD;
	if (bytes.len > 0)
		bytes_copy(out, bytes.data, bytes.len);
	out[bytes.len] = '\0';
	return ERR_OK;
}

static enum err append(struct buf *out, PKCS12 *made)
{
	unsigned char *der = NULL;
	int len = i2d_PKCS12(made, &der);
	enum err err;

	TRY(len < 0 ? ERR_NOMEM : ERR_OK);
	TRY(buf_append(out, slice_of(der, (size_t) len)));
out:
	OPENSSL_free(der);
	return err;
}

enum err pkcs12_write(struct buf *out, const struct pkcs12_content *content, struct slice password)
{
	char text[PKCS12_PASSWORD_LEN_MAX + 1] = "", name[PKCS12_PASSWORD_LEN_MAX + 1] = "";
	const char *friendly_name = content->friendly_name.len > 0 ? name : NULL;
	STACK_OF(X509) *others = sk_X509_new_null();
	X509 *own = NULL;
	PKCS12 *made = NULL;
	enum err err = others == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	TRY(password.len == 0 ? ERR_FIELD : pkcs12_text(text, sizeof(text), password));
	TRY(pkcs12_text(name, sizeof(name), content->friendly_name));
	TRY(read_certificates(&own, others, content));
	if (own != NULL && X509_check_private_key(own, content->key->key) != 1)
		TRY(ERR_INVALID);
	made = PKCS12_create(text, friendly_name, content->key->key, own, others, NID_aes_256_cbc,
		NID_aes_256_cbc, PKCS12_DEFAULT_ITER, PKCS12_DEFAULT_ITER, 0);
	TRY(made == NULL ? ERR_CRYPTO : ERR_OK);
	TRY(append(out, made));
out:
	secret_wipe(text, sizeof(text));
	PKCS12_free(made);
	X509_free(own);
	sk_X509_pop_free(others, X509_free);
	return pkey_failed(err);
}
