/* SPDX-License-Identifier: Apache-2.0 */
/* Random bytes (OpenSSL's generator; aborts the process when it has none, since nothing safe can
 * follow). */
#ifndef BASE_RAND_H
#define BASE_RAND_H

#include "base/slice.h"

void rand_bytes(void *out, size_t len);
/* Mixes bytes of others into the generator, counted as no entropy. */
void rand_stir(struct slice bytes);
uint64_t rand_u64(void);
/* Uniform in [0, bound); bound > 0. */
uint32_t rand_below(uint32_t bound);

#endif
