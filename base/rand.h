/* SPDX-License-Identifier: Apache-2.0 */
/* Random bytes (OpenSSL's generator; aborts the process when it has none, since nothing safe can
 * follow). */
#ifndef BASE_RAND_H
#define BASE_RAND_H

#include <stddef.h>
#include <stdint.h>

void rand_bytes(void *out, size_t len);
uint64_t rand_u64(void);
/* Uniform in [0, bound); bound > 0. */
uint32_t rand_below(uint32_t bound);

#endif
