/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The instance's algorithm policy, judged for one item: what is made, brought in or used to protect
 * must be allowed. ERR_POLICY: it is not, and the item's complaint says what and which policy.
 */
#ifndef KMIP_POLICING_H
#define KMIP_POLICING_H

#include "base/pkey.h"
#include "kmip/algorithms.h"
#include "kmip/item.h"

/* A key by its Cryptographic Algorithm (0: none, which is no matter of the policy) and length. */
MUST_USE enum err policing_key(struct kmip_item *item, const struct algorithm_key *key);
/* An asymmetric key by what it really is: length and curve. `said` is its Cryptographic Algorithm,
 * which tells keys of curves apart; 0: none. */
MUST_USE enum err policing_pkey(struct kmip_item *item, uint32_t said, const struct pkey *key);
/* The same for one that is to be made. */
MUST_USE enum err policing_wish(
	struct kmip_item *item, uint32_t said, const struct pkey_wish *wish);
/* A key as it comes in, where it can be opened; else it is what its attributes say. */
MUST_USE enum err policing_block(struct kmip_item *item, uint32_t object_type, uint32_t said,
	const struct kmip_key_block *block);

/* True when the policy forbids nothing. */
bool policing_is_open(const struct kmip_item *item);
/* A hash by its name in base/digest.h, as such; NULL: none. */
MUST_USE enum err policing_hash(struct kmip_item *item, const char *hash);
/* An HMAC with that hash under a key of so many bytes. */
MUST_USE enum err policing_hmac(struct kmip_item *item, const char *hash, size_t key_len);
/* Signing with that key in that way; digest_len: of what the client hashed itself, else 0. */
struct policing_signing {
	const struct pkey *key;
	const struct pkey_use *use;
	uint32_t said; /* Cryptographic Algorithm of the key; 0: none */
	size_t digest_len;
};
MUST_USE enum err policing_sign(struct kmip_item *item, const struct policing_signing *signing);
/* Encrypting with RSA in that way. */
MUST_USE enum err policing_encryption(struct kmip_item *item, const struct pkey_use *use);

#endif
