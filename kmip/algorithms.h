/* SPDX-License-Identifier: Apache-2.0 */
/* Which symmetric keys there are: algorithm, lengths, bytes of material. */
#ifndef KMIP_ALGORITHMS_H
#define KMIP_ALGORITHMS_H

#include "base/err.h"
#include "kmip/spec.h"

struct algorithm_key {
	uint32_t algorithm; /* enum kmip_cryptographic_algorithm */
	int32_t length_bits; /* Cryptographic Length; 0: not said */
};

/* Fills in a length that was not said, and gives the bytes of material that a new key has.
 * ERR_FIELD: not a symmetric algorithm that we make keys for, or not one of its lengths. */
MUST_USE enum err algorithm_plan_key(struct algorithm_key *key, size_t *material_len);
/* Makes the bytes a key of that algorithm: odd parity for 3DES (KMIP 1.4, section 3.5). */
void algorithm_finish_key(const struct algorithm_key *key, uint8_t *material, size_t material_len);
/* The length that belongs to material which a client registers; with a length said already, the
 * check that it fits. ERR_FIELD otherwise. */
MUST_USE enum err algorithm_judge_key(struct algorithm_key *key, size_t material_len);

#endif
