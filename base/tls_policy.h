/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What TLS means here (design D22, D24, D25): versions, suites, groups, no tickets, no session
 * cache, no renegotiation, and identity by the SHA-256 of the leaf certificate instead of a chain.
 */
#ifndef BASE_TLS_POLICY_H
#define BASE_TLS_POLICY_H

#include "base/err.h"
#include "base/slice.h"

enum { TLS_FINGERPRINT_LEN = 32, TLS_WHY_MAX = 200 };

struct tls_context; /* reference-counted: streams hold the context that they began with */

enum tls_role {
	TLS_KMIP_SERVER, /* TLS 1.2 and 1.3; asks for a client certificate and judges it by `accept`
			  */
	TLS_KMIP_CLIENT, /* TLS 1.2 and 1.3; verifies the server by ca_file, or by `accept` when
			    there is none */
	TLS_PEER_SERVER, /* TLS 1.3 only, both sides judged by `accept` */
	TLS_PEER_CLIENT,
};

struct tls_peer {
	uint8_t fingerprint[TLS_FINGERPRINT_LEN]; /* SHA-256 of the DER leaf */
	int64_t not_before, not_after; /* seconds since 1970 */
};

struct tls_options {
	enum tls_role role;
	const char
		*cert_file; /* PEM: leaf first, then chain; NULL for a client without certificate */
	const char *key_file;
	const char *ca_file; /* TLS_KMIP_CLIENT: PEM bundle; NULL: only `accept` judges */
	bool legacy_suites; /* also TLS_RSA and CBC suites of TLS 1.2, for very old clients */
	/* Judges the other side's leaf during the handshake; false ends it with an alert. NULL
	 * accepts any. */
	bool (*accept)(void *ctx, const struct tls_peer *peer);
	void *accept_ctx;
};

/* why: a sentence for the operator on failure ("key.pem does not belong to cert.pem"). */
MUST_USE enum err tls_context_new(
	struct tls_context **out, const struct tls_options *options, char why[TLS_WHY_MAX]);
struct tls_context *tls_context_ref(struct tls_context *context);
void tls_context_free(struct tls_context *context);
/* The context's own leaf. */
void tls_context_leaf(const struct tls_context *context, struct tls_peer *out);
/* The first certificate of a PEM text or file: for kmipctl client add and pins in the
 * configuration. */
MUST_USE enum err tls_leaf_of_pem(struct tls_peer *out, struct slice pem);
MUST_USE enum err tls_leaf_of_file(struct tls_peer *out, const char *path);
/* All certificates of a PEM file, in order. ERR_LIMIT: more than out_max; ERR_INVALID: none, or one
 * that cannot be read. */
MUST_USE enum err tls_leaves_of_file(
	struct tls_peer *out, size_t out_max, size_t *out_count, const char *path);

#endif
