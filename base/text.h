/* SPDX-License-Identifier: Apache-2.0 */
/* Small text forms: hex, base64, UUID, RFC 3339 dates, numbers. Nothing here allocates. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/err.h"
#include "base/slice.h"

enum { UUID_TEXT_LEN = 36, RFC3339_TEXT_LEN = 20 };

/* out holds 2 * len + 1 bytes: lower-case hex and a zero. */
void text_hex(char *out, struct slice bytes);
/* Exactly out_len bytes from 2 * out_len hex digits of either case; colons between bytes are
 * allowed. */
MUST_USE enum err text_unhex(uint8_t *out, size_t out_len, struct slice hex);

/* Bytes that text_base64 writes, with the terminating zero; and the most that text_unbase64 writes.
 */
size_t text_base64_size(size_t len);
size_t text_unbase64_size(size_t len);
void text_base64(char *out, struct slice bytes);
/* Strict: canonical alphabet and padding, no blanks. */
MUST_USE enum err text_unbase64(uint8_t *out, size_t *out_len, struct slice text);

/* Random UUID (version 4), lower case, with the terminating zero. */
void text_uuid(char out[UUID_TEXT_LEN + 1]);
/* 36 characters, hex and dashes in place; either case. */
bool text_is_uuid(struct slice text);
/* To 16 bytes and back; lower case. */
MUST_USE enum err text_uuid_bytes(uint8_t out[16], struct slice text);
void text_uuid_from_bytes(char out[UUID_TEXT_LEN + 1], const uint8_t bytes[16]);

/* "2026-11-23T10:20:30Z" to seconds since 1970 (fractions are cut off; "+hh:mm" zones understood)
 * and back. */
MUST_USE enum err text_rfc3339(int64_t *out, struct slice text);
void text_rfc3339_from(char out[RFC3339_TEXT_LEN + 1], int64_t seconds);

/* Whole decimal numbers within [min, max]; ERR_INVALID else. */
MUST_USE enum err text_u64(uint64_t *out, struct slice text, uint64_t max);
/* Copies text into a fixed array with a zero; ERR_LIMIT when it does not fit. */
MUST_USE enum err text_copy(char *out, size_t out_size, struct slice text);

#endif
