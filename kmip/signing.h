/* SPDX-License-Identifier: Apache-2.0 */
/* How a client's Cryptographic Parameters say that an asymmetric key is to be used. */
#ifndef KMIP_SIGNING_H
#define KMIP_SIGNING_H

#include "base/pkey.h"
#include "kmip/run.h"
#include "kmip/using.h"

/* The key that the use found; a certificate's is its public one. ERR_ILLEGAL: it has none;
 * ERR_FIELD: the parameters are those of another kind. */
MUST_USE enum err signing_key(struct pkey **out, const struct using *use);
/* The same for verifying: what was signed by another kind of key is not valid, and no error, as
 * a published case shows. */
MUST_USE enum err signing_verifying_key(struct pkey **out, const struct using *use);
/* Hash, padding and what belongs to them, for signatures: from Digital Signature Algorithm, else
 * from the single parameters. ERR_FIELD: nothing says how, or it contradicts the key. */
MUST_USE enum err signing_use(struct pkey_use *out, const struct using *use);
/* The same for a digest, whose hash need not be said. */
MUST_USE enum err signing_use_of_digest(struct pkey_use *out, const struct using *use);
/* The same for encrypting with RSA. */
MUST_USE enum err signing_encryption(struct pkey_use *out, const struct using *use);
/* Begins a signature of data. ERR_POLICY. */
MUST_USE enum err signing_begin(struct kmip_item *item, struct run *run, const struct using *use);
/* The same for verifying against run->expected, at the end. */
MUST_USE enum err signing_begin_verifying(struct run *run, const struct using *use);

#endif
