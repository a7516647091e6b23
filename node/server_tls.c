/* SPDX-License-Identifier: Apache-2.0 */
#include "node/server_tls.h"

enum err server_tls_new(struct tls_context **out, const struct config *config,
	bool (*accept)(void *ctx, const struct tls_peer *peer), void *ctx, char why[CONFIG_WHY_MAX])
{
	struct tls_options options = { .role = TLS_KMIP_SERVER,
		.cert_file = config->kmip.certificate,
		.key_file = config->kmip.key,
		.legacy_suites = config->kmip.legacy_tls,
		.accept = accept,
		.accept_ctx = ctx };
	_Static_assert((int) CONFIG_WHY_MAX >= (int) TLS_WHY_MAX, "the sentence must fit");
	return tls_context_new(out, &options, why);
}
