/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rand.h"
#include "base/err.h"
#include "base/openssl.h"

enum { RAND_CALL_MAX = 1 << 20 }; /* RAND_bytes takes an int */

void rand_bytes(void *out, size_t len)
{
	unsigned char *to = out;

	while (len > 0) {
		size_t part = len < RAND_CALL_MAX ? len : RAND_CALL_MAX;
		ASSERT(RAND_bytes(to, (int) part) == 1);
		to += part;
		len -= part;
	}
}

void rand_stir(struct slice bytes)
{
	size_t part = bytes.len < RAND_CALL_MAX ? bytes.len : RAND_CALL_MAX;

	RAND_add(bytes.data, (int) part, 0);
}

uint64_t rand_u64(void)
{
	uint64_t value;

	rand_bytes(&value, sizeof(value));
	return value;
}

uint32_t rand_below(uint32_t bound)
{
	uint32_t skip, value;

	ASSERT(bound > 0);
	/* 2^32 mod bound: values below it would make small results likelier. */
	skip = (uint32_t) -bound % bound;
	do
		rand_bytes(&value, sizeof(value));
	while (value < skip);
	return value % bound;
}
