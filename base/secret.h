/* SPDX-License-Identifier: Apache-2.0 */
/* Key material: locked in memory, left out of core dumps, wiped when freed, compared in constant
 * time. */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "base/err.h"
#include "base/slice.h"

enum { SECRET_LEN_MAX = 65536 };

/* Opaque to all but secret.c; the caller owns it and frees it with secret_free. */
struct secret;

/* Copies the bytes. */
MUST_USE enum err secret_new(struct secret **out, struct slice bytes);
/* Fresh random bytes of the operating system's generator, by way of OpenSSL. */
MUST_USE enum err secret_random(struct secret **out, size_t len);
void secret_free(struct secret *secret);
/* Borrowed until secret_free. */
struct slice secret_slice(const struct secret *secret);
bool secret_equal(struct slice a, struct slice b);
/* Wipes bytes that a compiler would rather not. */
void secret_wipe(void *data, size_t len);

/* Whole pages for key material that is not one secret (arenas): zeroed, locked where the system
 * allows it, left out of core dumps; wiped when given back. NULL when there is no memory. */
void *secret_pages_new(size_t len);
void secret_pages_free(void *pages, size_t len);

/*
 * At the start of every program, before any library is used: no core dumps, no ptrace by others,
 * wiping allocators for libevent, OpenSSL, curl and cJSON. Fatal on failure: false.
 */
bool secret_harden_process(void);

#endif
