/* SPDX-License-Identifier: Apache-2.0 */
/* What stream_tls.c needs of tls_policy.c, and nobody else. */
#ifndef BASE_TLS_PRIVATE_H
#define BASE_TLS_PRIVATE_H

#include "base/openssl.h"
#include "base/tls_policy.h"

bool tls_context_is_server(const struct tls_context *context);
/* A connection's state by the context's role; server_name as in struct stream_options. */
MUST_USE enum err tls_session_new(
	SSL **out, const struct tls_context *context, const char *server_name);
MUST_USE enum err tls_peer_of_certificate(struct tls_peer *out, X509 *certificate);

/*
 * What an error of SSL_get_error means (not the WANTs), with the errno of that time, and words for
 * it. ERR_CLOSED: orderly or bare close; ERR_AUTH: one side does not like the other's certificate;
 * ERR_IO; ERR_CRYPTO: the rest.
 */
enum err tls_explain(char *out, size_t out_size, int code, int number);

#endif
