/* SPDX-License-Identifier: Apache-2.0 */
/* Borrowed bytes. A slice owns nothing and is valid as long as what it was cut from. */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slice {
	const uint8_t *data;
	size_t len;
};

#define SLICE_EMPTY ((struct slice){ NULL, 0 })
/* A string literal or array without its terminating zero. */
#define SLICE_LITERAL(text) ((struct slice){ (const uint8_t *) (text), sizeof(text) - 1 })

struct slice slice_of(const void *data, size_t len);
struct slice slice_text(const char *text);
/* The part [from, from+len), cut off at the end of the slice; never reads outside. */
struct slice slice_cut(struct slice slice, size_t from, size_t len);
bool slice_equal(struct slice a, struct slice b);
/* memcmp order, then length. */
int slice_compare(struct slice a, struct slice b);
bool slice_equal_text(struct slice slice, const char *text);
/* Copies into a fixed array; the lengths must be equal or the result is false and nothing is
 * written. */
bool slice_copy_exact(void *to, size_t len, struct slice from);
/* True when the bytes are well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool slice_is_utf8(struct slice slice);

/* Plain byte copy and fill, so that memcpy, memmove and memset appear in base/ only. Regions may
 * overlap in bytes_move.
 */
void bytes_copy(void *to, const void *from, size_t len);
void bytes_move(void *to, const void *from, size_t len);
void bytes_zero(void *to, size_t len);

/* Big-endian numbers at p. */
uint16_t be16_get(const uint8_t *p);
uint32_t be32_get(const uint8_t *p);
uint64_t be64_get(const uint8_t *p);
void be16_put(uint8_t *p, uint16_t value);
void be32_put(uint8_t *p, uint32_t value);
void be64_put(uint8_t *p, uint64_t value);

#endif
