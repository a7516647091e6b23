/* SPDX-License-Identifier: Apache-2.0 */
/* What stream_tls.c needs of tls_policy.c, and nobody else. */
#ifndef BASE_TLS_PRIVATE_H
#define BASE_TLS_PRIVATE_H

#include "base/openssl.h"
#include "base/tls_policy.h"

SSL_CTX *tls_context_ssl(const struct tls_context *context);
bool tls_context_is_server(const struct tls_context *context);
/* A chain is judged, hence names matter. */
bool tls_context_judges_chain(const struct tls_context *context);
MUST_USE enum err tls_peer_of_certificate(struct tls_peer *out, X509 *certificate);

#endif
