/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include <stdarg.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/secret.h"

enum {
	ARENA_CHUNK_LEN = 16 * 1024, /* most requests fit one; four pages to lock */
	ARENA_GROWN_LEN = 256 * 1024, /* of later ones, at most: each is as long as all before it,
					 since each is mapped, locked, wiped and unmapped */
	ARENA_ALIGN = alignof(max_align_t)
};

struct chunk {
	struct chunk *next;
	size_t cap; /* bytes after the head */
	size_t used;
	alignas(max_align_t) uint8_t data[];
};

struct arena {
	struct chunk *newest; /* the chain ends with the first chunk */
	bool public;
	size_t max;
	size_t given;
	bool spent;
};

enum err arena_new(struct arena **out, size_t max_bytes)
{
	*out = calloc(1, sizeof(**out));
	if (*out == NULL)
		return ERR_NOMEM;
	(*out)->max = max_bytes;
	return ERR_OK;
}

enum err arena_new_public(struct arena **out, size_t max_bytes)
{
	enum err err;

	TRY(arena_new(out, max_bytes));
	(*out)->public = true;
out:
	return err;
}

static size_t chunk_len(const struct chunk *chunk)
{
	return sizeof(*chunk) + chunk->cap;
}

static void chunk_free(const struct arena *arena, struct chunk *chunk)
{
	if (arena->public)
		free(chunk);
	else
		secret_pages_free(chunk, chunk_len(chunk));
}

static void chunks_free(const struct arena *arena, struct chunk *chunk)
{
	while (chunk != NULL) {
		struct chunk *next = chunk->next;

		chunk_free(arena, chunk);
		chunk = next;
	}
}

void arena_free(struct arena *arena)
{
	if (arena == NULL)
		return;
	chunks_free(arena, arena->newest);
	free(arena);
}

void arena_reset(struct arena *arena)
{
	struct chunk *kept = arena->newest;

	arena->given = 0;
	arena->spent = false;
	if (kept == NULL)
		return;
	/* One that was made for something long is not kept, unless it is the only one. */
	while (kept->next != NULL && chunk_len(kept) > ARENA_GROWN_LEN) {
		arena->newest = kept->next;
		chunk_free(arena, kept);
		kept = arena->newest;
	}
	chunks_free(arena, kept->next);
	kept->next = NULL;
	secret_wipe(kept->data, kept->used);
	kept->used = 0;
}

static struct chunk *chunk_new(const struct arena *arena, size_t needed)
{
	size_t total = sizeof(struct chunk) + needed;
	size_t len = arena->given < ARENA_GROWN_LEN ? arena->given : ARENA_GROWN_LEN;
	struct chunk *chunk;

	if (len < ARENA_CHUNK_LEN)
		len = ARENA_CHUNK_LEN;
	if (total < len)
		total = len;
	chunk = arena->public ? calloc(1, total) : secret_pages_new(total);
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
	if (len > SIZE_MAX / 4 || len > arena->max - arena->given) {
		arena->spent = true;
		return NULL;
	}
	arena->given += len;
	len = (len + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
	if (chunk == NULL || len > chunk->cap - chunk->used) {
		chunk = chunk_new(arena, len);
		if (chunk == NULL)
			return NULL;
		chunk->next = arena->newest;
		arena->newest = chunk;
	}
	/* Zero already: memory comes zeroed and a reset wipes what was used. */
	data = chunk->data + chunk->used;
	chunk->used += len;
	return data;
}

bool arena_is_spent(const struct arena *arena)
{
	return arena->spent;
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
