/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory of one request: allocate freely, free all at once. All of it is treated as secret: wiped
 * on reset and free. Not for anything that outlives the request.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/err.h"
#include "base/slice.h"

struct arena;

/* At most max_bytes are ever handed out between two resets. */
MUST_USE enum err arena_new(struct arena **out, size_t max_bytes);
/* Of memory that is neither locked nor wiped when it is freed: for much, and nothing secret. */
MUST_USE enum err arena_new_public(struct arena **out, size_t max_bytes);
void arena_free(struct arena *arena);
/* Wipes and forgets everything; keeps some of the memory for the next request. */
void arena_reset(struct arena *arena);
/* Zeroed, aligned for any type; NULL when memory or the maximum is exhausted. Zero bytes give a
 * valid pointer. */
void *arena_alloc(struct arena *arena, size_t len);
/* Whether something was refused since the last reset because of the maximum. */
bool arena_is_spent(const struct arena *arena);
/* count * size with overflow check. */
void *arena_array(struct arena *arena, size_t count, size_t size);
/* Copies; data is NULL on failure (also when the source is empty it is a valid pointer, so NULL
 * always means failure).
 */
struct slice arena_copy(struct arena *arena, struct slice bytes);
/* Zero-terminated copy; NULL on failure. */
char *arena_text(struct arena *arena, struct slice text);
char *arena_printf(struct arena *arena, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#define ARENA_NEW(arena, type) ((type *) arena_alloc((arena), sizeof(type)))

#endif
