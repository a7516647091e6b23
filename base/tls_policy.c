/* SPDX-License-Identifier: Apache-2.0 */
#include "base/tls_policy.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/crypt.h"
#include "base/file.h"
#include "base/tls_private.h"
#include "base/x509_private.h"

enum {
	/* Bytes and number of the certificates that the other side may show: a leaf of 4 KiB with
	 * its chain fits; more costs us memory before we know anybody. */
	TLS_CHAIN_BYTES_MAX = 16 * 1024,
	TLS_CHAIN_COUNT_MAX = 8,
	TLS_PEM_MAX = 256 * 1024
};

struct tls_context {
	unsigned references;
	struct tls_options options; /* the paths are not kept */
	bool judges_chain;
	SSL_CTX *ssl;
	struct tls_peer leaf;
};

static const char suites_13[] =
	"TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256";
#define SUITES_12 \
	"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:" \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:" \
	"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
#define SUITES_LEGACY \
	SUITES_12 ":ECDHE-ECDSA-AES256-SHA384:ECDHE-RSA-AES256-SHA384:" \
		  "ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA256:" \
		  "ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES256-SHA:" \
		  "ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:" \
		  "AES256-GCM-SHA384:AES128-GCM-SHA256:AES256-SHA256:AES128-SHA256:" \
		  "AES256-SHA:AES128-SHA"
/* In TLS 1.2 they also say which curves certificates may be on, theirs and ours. */
static const char groups[] = "X25519:P-256:P-384:P-521";
static const char session_context[] = "kmip-pair";

enum err tls_peer_of_certificate(struct tls_peer *out, X509 *certificate)
{
	unsigned char *der = NULL;
	int len = i2d_X509(certificate, &der);
	enum err err;

	TRY(len <= 0 ? ERR_CRYPTO : ERR_OK);
	TRY(crypt_sha256(out->fingerprint, slice_of(der, (size_t) len)));
	TRY(x509_seconds(&out->not_before, X509_get0_notBefore(certificate)));
	TRY(x509_seconds(&out->not_after, X509_get0_notAfter(certificate)));
out:
	OPENSSL_free(der);
	return err;
}

/* Stands in for OpenSSL's judgement of the chain (design D24: the leaf is pinned). */
static int judge_certificate(X509_STORE_CTX *store, void *ctx)
{
	const struct tls_context *context = ctx;
	X509 *leaf = X509_STORE_CTX_get0_cert(store);
	struct tls_peer peer;
	int verdict = X509_V_OK;

	if (sk_X509_num(X509_STORE_CTX_get0_untrusted(store)) > TLS_CHAIN_COUNT_MAX)
		verdict = X509_V_ERR_CERT_CHAIN_TOO_LONG;
	else if (context->judges_chain && X509_verify_cert(store) != 1)
		return 0;
	else if (leaf == NULL || tls_peer_of_certificate(&peer, leaf) != ERR_OK)
		verdict = X509_V_ERR_UNSPECIFIED;
	else if (context->options.accept != NULL &&
		 !context->options.accept(context->options.accept_ctx, &peer))
		verdict = X509_V_ERR_CERT_REJECTED;
	X509_STORE_CTX_set_error(store, verdict);
	return verdict == X509_V_OK;
}

static bool role_is_peer(enum tls_role role)
{
	return role == TLS_PEER_SERVER || role == TLS_PEER_CLIENT;
}

static void set_options(SSL_CTX *ssl)
{
	SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
					 SSL_OP_NO_COMPRESSION | SSL_OP_CLEANSE_PLAINTEXT |
					 SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_NO_AUTO_CHAIN);
	SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_max_cert_list(ssl, TLS_CHAIN_BYTES_MAX);
	SSL_CTX_set_security_level(ssl, 2);
	/* Head and body of a record come with one read. */
	SSL_CTX_set_read_ahead(ssl, 1);
}

static enum err set_policy(struct tls_context *context)
{
	const struct tls_options *options = &context->options;
	SSL_CTX *ssl = context->ssl;
	int lowest = role_is_peer(options->role) ? TLS1_3_VERSION : TLS1_2_VERSION;

	set_options(ssl);
	if (SSL_CTX_set_num_tickets(ssl, 0) != 1 ||
		SSL_CTX_set_session_id_context(ssl, (const unsigned char *) session_context,
			sizeof(session_context) - 1) != 1 ||
		SSL_CTX_set_min_proto_version(ssl, lowest) != 1 ||
		SSL_CTX_set_max_proto_version(ssl, TLS1_3_VERSION) != 1 ||
		SSL_CTX_set1_groups_list(ssl, groups) != 1 ||
		SSL_CTX_set_ciphersuites(ssl, suites_13) != 1 ||
		SSL_CTX_set_cipher_list(ssl, options->legacy_suites ? SUITES_LEGACY : SUITES_12) !=
			1)
		return ERR_CRYPTO;
	/* FAIL_IF_NO_PEER_CERT means nothing to a client, whose server always shows one. */
	SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_cert_verify_callback(ssl, judge_certificate, context);
	return ERR_OK;
}

/* Why OpenSSL could not use the file: by its first error, whose words say little of a text without
 * what was looked for ("no start line", "unsupported"). */
static enum err explain_file(const char *path, const char *what, char why[TLS_WHY_MAX])
{
	unsigned long code = ERR_peek_error();
	const char *reason = ERR_reason_error_string(code);

	if (ERR_SYSTEM_ERROR(code))
		reason = strerror(ERR_GET_REASON(code));
	else if (ERR_GET_LIB(code) == ERR_LIB_PEM || ERR_GET_LIB(code) == ERR_LIB_OSSL_DECODER ||
		 ERR_GET_REASON(code) == ERR_R_INTERRUPTED_OR_CANCELLED)
		reason = "it holds none in PEM, or one with a passphrase";
	(void) snprintf(why, TLS_WHY_MAX, "cannot read the %s %.100s: %.60s", what, path,
		reason == NULL ? "unknown reason" : reason);
	return ERR_CONFIG;
}

static enum err load_identity(
	struct tls_context *context, const struct tls_options *options, char why[TLS_WHY_MAX])
{
	SSL_CTX *ssl = context->ssl;

	if (options->key_file == NULL) {
		(void) snprintf(why, TLS_WHY_MAX, "there is no key file for the certificate %.100s",
			options->cert_file);
		return ERR_CONFIG;
	}
	SSL_CTX_set_default_passwd_cb(ssl, x509_no_passphrase);
	if (SSL_CTX_use_certificate_chain_file(ssl, options->cert_file) != 1)
		return explain_file(options->cert_file, "certificate", why);
	ERR_clear_error();
	/* This also compares the key with the certificate that is there already. */
	if (SSL_CTX_use_PrivateKey_file(ssl, options->key_file, SSL_FILETYPE_PEM) != 1) {
		if (ERR_GET_LIB(ERR_peek_last_error()) != ERR_LIB_X509)
			return explain_file(options->key_file, "private key", why);
		(void) snprintf(why, TLS_WHY_MAX, "%.80s does not belong to %.80s",
			options->key_file, options->cert_file);
		return ERR_CONFIG;
	}
	return tls_peer_of_certificate(&context->leaf, SSL_CTX_get0_certificate(ssl));
}

static bool role_is_server(enum tls_role role)
{
	return role == TLS_KMIP_SERVER || role == TLS_PEER_SERVER;
}

static enum err load_files(
	struct tls_context *context, const struct tls_options *options, char why[TLS_WHY_MAX])
{
	enum err err = ERR_OK;

	if (options->cert_file != NULL)
		TRY(load_identity(context, options, why));
	else if (options->role != TLS_KMIP_CLIENT) {
		(void) snprintf(why, TLS_WHY_MAX, "a certificate and its key are needed");
		TRY(ERR_CONFIG);
	}
	if (context->judges_chain &&
		SSL_CTX_load_verify_locations(context->ssl, options->ca_file, NULL) != 1)
		TRY(explain_file(options->ca_file, "CA bundle", why));
out:
	return err;
}

enum err tls_context_new(
	struct tls_context **out, const struct tls_options *options, char why[TLS_WHY_MAX])
{
	struct tls_context *context = calloc(1, sizeof(*context));
	enum err err;

	*out = NULL;
	(void) snprintf(why, TLS_WHY_MAX, "TLS cannot be set up");
	if (context == NULL)
		return ERR_NOMEM;
	ERR_clear_error();
	context->references = 1;
	context->options = *options;
	context->options.cert_file = context->options.key_file = context->options.ca_file = NULL;
	context->judges_chain = options->role == TLS_KMIP_CLIENT && options->ca_file != NULL;
	context->ssl = SSL_CTX_new(
		role_is_server(options->role) ? TLS_server_method() : TLS_client_method());
	TRY(context->ssl == NULL ? ERR_CRYPTO : ERR_OK);
	TRY(set_policy(context));
	TRY(load_files(context, options, why));
	why[0] = '\0';
	*out = context;
	context = NULL;
out:
	ERR_clear_error();
	tls_context_free(context);
	return err;
}

struct tls_context *tls_context_ref(struct tls_context *context)
{
	ASSERT(context->references > 0 && context->references < UINT32_MAX);
	context->references++;
	return context;
}

void tls_context_free(struct tls_context *context)
{
	if (context == NULL || --context->references > 0)
		return;
	SSL_CTX_free(context->ssl);
	free(context);
}

void tls_context_leaf(const struct tls_context *context, struct tls_peer *out)
{
	*out = context->leaf;
}

bool tls_context_is_server(const struct tls_context *context)
{
	return role_is_server(context->options.role);
}

/* SNI, and the name that the chain must vouch for. */
static enum err name_server(SSL *ssl, bool judges_chain, const char *name)
{
	unsigned char number[sizeof(struct in6_addr)];
	bool is_number =
		inet_pton(AF_INET, name, number) == 1 || inet_pton(AF_INET6, name, number) == 1;
	int good = 1;

	/* SNI is for names only (RFC 6066, section 3). */
	if (!is_number)
		good = SSL_set_tlsext_host_name(ssl, name) == 1;
	if (good && judges_chain)
		good = is_number ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name)
				 : SSL_set1_host(ssl, name);
	return good == 1 ? ERR_OK : ERR_CONFIG;
}

enum err tls_session_new(SSL **out, const struct tls_context *context, const char *server_name)
{
	SSL *ssl = SSL_new(context->ssl);
	enum err err = ERR_OK;

	*out = ssl;
	if (ssl == NULL)
		return ERR_NOMEM;
	if (tls_context_is_server(context)) {
		SSL_set_accept_state(ssl);
		return ERR_OK;
	}
	SSL_set_connect_state(ssl);
	if (server_name != NULL)
		err = name_server(ssl, context->judges_chain, server_name);
	if (err != ERR_OK) {
		SSL_free(ssl);
		*out = NULL;
	}
	return err;
}

static bool reason_is_certificate(int reason)
{
	static const int reasons[] = { SSL_R_CERTIFICATE_VERIFY_FAILED,
		SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, SSL_R_TLSV1_ALERT_UNKNOWN_CA,
		SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, SSL_R_SSLV3_ALERT_BAD_CERTIFICATE,
		SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED,
		SSL_R_TLSV1_ALERT_ACCESS_DENIED };

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reason == reasons[i])
			return true;
	return false;
}

enum err tls_explain(char *out, size_t out_size, int code, int number)
{
	unsigned long error = ERR_peek_error();
	const char *reason = ERR_reason_error_string(error);

	if (code == SSL_ERROR_ZERO_RETURN || (code == SSL_ERROR_SYSCALL && number == 0)) {
		(void) snprintf(out, out_size, "closed by the other side");
		return ERR_CLOSED;
	}
	if (code == SSL_ERROR_SSL && ERR_GET_REASON(error) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
		(void) snprintf(out, out_size, "closed by the other side without close_notify");
		return ERR_CLOSED;
	}
	if (code == SSL_ERROR_SYSCALL) {
		(void) snprintf(out, out_size, "connection lost (%s)", strerror(number));
		return number == ECONNRESET || number == EPIPE ? ERR_CLOSED : ERR_IO;
	}
	(void) snprintf(out, out_size, "TLS failed (%s)", reason == NULL ? "no reason" : reason);
	return reason_is_certificate(ERR_GET_REASON(error)) ? ERR_AUTH : ERR_CRYPTO;
}

/* The next certificate of the text; ERR_MISS behind the last one. */
static enum err next_leaf(struct tls_peer *out, BIO *bio)
{
	X509 *certificate;
	enum err err;

	ERR_clear_error();
	certificate = PEM_read_bio_X509(bio, NULL, x509_no_passphrase, NULL);
	if (certificate != NULL)
		err = tls_peer_of_certificate(out, certificate);
	else if (ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE)
		err = ERR_MISS;
	else
		err = ERR_INVALID;
	ERR_clear_error();
	X509_free(certificate);
	return err;
}

/* Those from the start of the text, out_max at most; ERR_LIMIT: there are more. */
static enum err leaves_of_pem(
	struct tls_peer *out, size_t out_max, size_t *out_count, struct slice pem)
{
	struct tls_peer beyond;
	BIO *bio = NULL;
	enum err err;

	*out_count = 0;
	TRY(pem.len == 0 || pem.len > TLS_PEM_MAX ? ERR_INVALID : ERR_OK);
	bio = BIO_new_mem_buf(pem.data, (int) pem.len);
	TRY(bio == NULL ? ERR_NOMEM : ERR_OK);
	while (err == ERR_OK && *out_count < out_max) {
		err = next_leaf(&out[*out_count], bio);
		*out_count += err == ERR_OK ? 1 : 0;
	}
	if (err == ERR_OK)
		err = next_leaf(&beyond, bio) == ERR_MISS ? ERR_OK : ERR_LIMIT;
	else if (err == ERR_MISS)
		err = *out_count == 0 ? ERR_INVALID : ERR_OK;
out:
	BIO_free(bio);
	return err;
}

enum err tls_leaf_of_pem(struct tls_peer *out, struct slice pem)
{
	size_t count;
	enum err err = leaves_of_pem(out, 1, &count, pem);

	return err == ERR_LIMIT ? ERR_OK : err;
}

enum err tls_leaves_of_file(
	struct tls_peer *out, size_t out_max, size_t *out_count, const char *path)
{
	struct buf pem;
	enum err err;

	buf_init(&pem, TLS_PEM_MAX);
	TRY(file_read(&pem, path));
	TRY(leaves_of_pem(out, out_max, out_count, buf_slice(&pem)));
out:
	buf_free(&pem);
	return err;
}

enum err tls_leaf_of_file(struct tls_peer *out, const char *path)
{
	size_t count;
	enum err err = tls_leaves_of_file(out, 1, &count, path);

	return err == ERR_LIMIT ? ERR_OK : err;
}
