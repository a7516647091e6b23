/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include <stdarg.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/secret.h"

enum {
	ARENA_CHUNK_LEN = 16 * 1024, /* most requests fit one; four pages to lock */
	ARENA_ALIGN = alignof(max_align_t)
};

struct chunk {
	struct chunk *next;
	size_t cap; /* bytes after the head */
	size_t used;
	alignas(max_align_t) uint8_t data[];
};

struct arena {
	struct chunk *newest; /* the chain ends with the first chunk, which a reset keeps */
	size_t max;
	size_t given;
};

enum err arena_new(struct arena **out, size_t max_bytes)
{
	*out = calloc(1, sizeof(**out));
	if (*out == NULL)
		return ERR_NOMEM;
	(*out)->max = max_bytes;
	return ERR_OK;
}

static void chunk_free(struct chunk *chunk)
{
	secret_pages_free(chunk, sizeof(*chunk) + chunk->cap);
}

void arena_free(struct arena *arena)
{
	if (arena == NULL)
		return;
	arena_reset(arena);
	if (arena->newest != NULL)
		chunk_free(arena->newest);
	free(arena);
}

void arena_reset(struct arena *arena)
{
	while (arena->newest != NULL && arena->newest->next != NULL) {
		struct chunk *chunk = arena->newest;
		arena->newest = chunk->next;
		chunk_free(chunk);
	}
	if (arena->newest != NULL) {
		secret_wipe(arena->newest->data, arena->newest->used);
		arena->newest->used = 0;
	}
	arena->given = 0;
}

static struct chunk *chunk_new(size_t needed)
{
	size_t total = sizeof(struct chunk) + needed;
	struct chunk *chunk;

	if (total < ARENA_CHUNK_LEN)
		total = ARENA_CHUNK_LEN;
	chunk = secret_pages_new(total);
	if (chunk != NULL)
		chunk->cap = total - sizeof(*chunk);
	return chunk;
}

void *arena_alloc(struct arena *arena, size_t len)
{
	struct chunk *chunk = arena->newest;
	void *data;

	if (len == 0)
		len = 1;
	if (len > SIZE_MAX / 4 || len > arena->max - arena->given)
		return NULL;
	arena->given += len;
	len = (len + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
	if (chunk == NULL || len > chunk->cap - chunk->used) {
		chunk = chunk_new(len);
		if (chunk == NULL)
			return NULL;
		chunk->next = arena->newest;
		arena->newest = chunk;
	}
	/* Zero already: pages come zeroed and a reset wipes what was used. */
	data = chunk->data + chunk->used;
	chunk->used += len;
	return data;
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
	size_t len;

	return __builtin_mul_overflow(count, size, &len) ? NULL : arena_alloc(arena, len);
}

struct slice arena_copy(struct arena *arena, struct slice bytes)
{
	void *data = arena_alloc(arena, bytes.len);

	if (data == NULL)
		return SLICE_EMPTY;
	bytes_copy(data, bytes.data, bytes.len);
	return slice_of(data, bytes.len);
}

char *arena_text(struct arena *arena, struct slice text)
{
	char *copy = text.len == SIZE_MAX ? NULL : arena_alloc(arena, text.len + 1);

	if (copy != NULL)
		bytes_copy(copy, text.data, text.len);
	return copy;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
	va_list list;
	char *text;
	int len;

	va_start(list, format);
	len = vsnprintf(NULL, 0, format, list);
	va_end(list);
	text = len < 0 ? NULL : arena_alloc(arena, (size_t) len + 1);
	if (text == NULL)
		return NULL;
	va_start(list, format);
	(void) vsnprintf(text, (size_t) len + 1, format, list);
	va_end(list);
	return text;
}
