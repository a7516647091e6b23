/* SPDX-License-Identifier: Apache-2.0 */
/* The cryptography of import tokens: an RSA key pair, and what a caller encrypts with it. */
#ifndef EMULATOR_TRANSPORT_H
#define EMULATOR_TRANSPORT_H

#include "base/buf.h"

enum transport_kind {
	TRANSPORT_SHA256, /* RSA-OAEP with SHA-256; nonce by AES-GCM */
	TRANSPORT_SHA1 /* RSA-OAEP with SHA-1; nonce by AES-CBC with padding */
};

/* PEM texts, owned by the caller. */
MUST_USE enum err transport_new(char **private_pem, char **public_pem);
/* Appends to out; ERR_CRYPTO when it does not open. */
MUST_USE enum err transport_open(
	struct buf *out, const char *private_pem, enum transport_kind kind, struct slice sealed);
/* Whether `sealed` is `nonce` under the key and iv: ERR_INVALID for an iv of the wrong length,
 * ERR_CRYPTO for another nonce. */
struct transport_proof {
	struct slice key, iv, sealed;
};
MUST_USE enum err transport_check_nonce(
	const struct transport_proof *proof, enum transport_kind kind, struct slice nonce);

#endif
