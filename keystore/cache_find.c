/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding by the index. A term's objects stand in one stretch of it, newest first; what several
 * terms have in common is found by letting each stretch jump to where another one is. So a find
 * costs no more than the shortest stretch times the number of them, and reads no record.
 */
#include "keystore/cache.h"
#include "keystore/cache_private.h"

enum { AT_LEN = CACHE_INDEX_KEY_LEN - CACHE_INDEX_PREFIX_LEN };

/* The objects of one term: where its cursor stands. */
struct stretch {
	MDB_cursor *cursor;
	uint8_t prefix[CACHE_INDEX_PREFIX_LEN];
	uint8_t at[AT_LEN];
	bool begun, ended;
};

/* The objects that have one of several terms. */
struct choice {
	struct stretch *stretches;
	size_t count;
};

struct finding {
	const struct cache_find *find;
	struct stretch stretches[CACHE_FIND_TERMS_MAX];
	struct choice choices[CACHE_FIND_CHOICES_MAX];
	size_t stretch_count;
	uint8_t target[AT_LEN]; /* nothing before it is wanted any more */
	uint8_t last[AT_LEN];
	uint64_t steps;
};

static int at_compare(const uint8_t a[AT_LEN], const uint8_t b[AT_LEN])
{
	return slice_compare(slice_of(a, AT_LEN), slice_of(b, AT_LEN));
}

/* ---- one stretch ---- */

static enum err stretch_seek(struct stretch *stretch, const uint8_t target[AT_LEN])
{
	uint8_t from[CACHE_INDEX_KEY_LEN];
	struct slice prefix = slice_of(stretch->prefix, sizeof(stretch->prefix));
	MDB_val key = cache_val(slice_of(from, sizeof(from))), value;
	int code;

	bytes_copy(from, stretch->prefix, CACHE_INDEX_PREFIX_LEN);
	bytes_copy(from + CACHE_INDEX_PREFIX_LEN, target, AT_LEN);
	code = mdb_cursor_get(stretch->cursor, &key, &value, MDB_SET_RANGE);
	stretch->begun = true;
	stretch->ended =
		code == MDB_NOTFOUND ||
		(code == MDB_SUCCESS &&
			(key.mv_size != CACHE_INDEX_KEY_LEN ||
				!slice_equal(slice_cut(cache_slice(key), 0, prefix.len), prefix)));
	if (code == MDB_SUCCESS && !stretch->ended)
		bytes_copy(stretch->at, (const uint8_t *) key.mv_data + prefix.len, AT_LEN);
	return code == MDB_NOTFOUND ? ERR_OK : cache_err(code);
}

/* ---- what one of several terms leads to ---- */

/* The first object at the target or behind it; NULL: there is none. */
static enum err choice_seek(
	struct finding *finding, const struct choice *choice, const uint8_t **first)
{
	enum err err = ERR_OK;

	*first = NULL;
	for (size_t i = 0; i < choice->count; i++) {
		struct stretch *stretch = &choice->stretches[i];

		if (!stretch->begun ||
			(!stretch->ended && at_compare(stretch->at, finding->target) < 0)) {
			TRY(++finding->steps > finding->find->steps_max &&
						finding->find->steps_max != 0
					? ERR_LIMIT
					: ERR_OK);
			TRY(stretch_seek(stretch, finding->target));
		}
		if (!stretch->ended && (*first == NULL || at_compare(stretch->at, *first) < 0))
			*first = stretch->at;
	}
out:
	return err;
}

/* ---- what all of them lead to ---- */

/* The next object that every choice has, at the target; *found false: there is none. */
static enum err agree(struct finding *finding, bool *found)
{
	size_t agreed = 0, i = 0;
	enum err err = ERR_OK;

	*found = false;
	while (agreed < finding->find->count) {
		const uint8_t *first;

		TRY(choice_seek(finding, &finding->choices[i], &first));
		if (first == NULL || at_compare(first, finding->last) > 0)
			goto out;
		agreed = at_compare(first, finding->target) == 0 ? agreed + 1 : 1;
		bytes_copy(finding->target, first, AT_LEN);
		i = (i + 1) % finding->find->count;
	}
	*found = true;
out:
	return err;
}

/* False: it was the last there can be. */
static bool target_next(uint8_t target[AT_LEN])
{
	int i = AT_LEN - 1;

	while (i >= 0 && ++target[i] == 0)
		i--;
	return i >= 0;
}

static enum err find_all(struct finding *finding)
{
	struct cache_found found;
	enum err err;
	bool more;

	do {
		TRY(agree(finding, &more));
		if (!more)
			break;
		bytes_copy(found.order, finding->target, CACHE_ORDER_LEN);
		bytes_copy(found.uid.bytes, finding->target + CACHE_ORDER_LEN,
			sizeof(found.uid.bytes));
		TRY(finding->find->visit(finding->find->ctx, &found));
	} while (target_next(finding->target));
out:
	return err;
}

static enum err choice_open(
	struct finding *finding, struct cache_read *read, size_t number, struct crypt_hash *hash)
{
	const struct cache_any *any = &finding->find->all[number];
	struct choice *choice = &finding->choices[number];
	enum err err = ERR_OK;

	choice->stretches = &finding->stretches[finding->stretch_count];
	for (size_t i = 0; i < any->count; i++) {
		struct stretch *stretch = &choice->stretches[i];

		ASSERT(finding->stretch_count < CACHE_FIND_TERMS_MAX);
		TRY(cache_index_prefix(
			hash, stretch->prefix, &finding->find->instance, &any->terms[i]));
		TRY(cache_err(mdb_cursor_open(
			read->txn, read->cache->tables[CACHE_INDEX], &stretch->cursor)));
		finding->stretch_count++;
		choice->count++;
	}
out:
	return err;
}

/* False: nothing lies between them. */
static bool bounds_set(struct finding *finding)
{
	const struct cache_span *initial = finding->find->initial;
	const struct cache_found *after = finding->find->after;

	bytes_zero(finding->target, AT_LEN);
	for (size_t i = 0; i < AT_LEN; i++)
		finding->last[i] = UINT8_MAX;
	if (initial != NULL) {
		cache_index_date(finding->target, initial->last);
		cache_index_date(finding->last, initial->first);
	}
	if (after == NULL)
		return true;
	bytes_copy(finding->target, after->order, CACHE_ORDER_LEN);
	bytes_copy(finding->target + CACHE_ORDER_LEN, after->uid.bytes, sizeof(after->uid.bytes));
	return target_next(finding->target);
}

enum err cache_find(struct cache_read *read, const struct cache_find *find)
{
	struct finding finding = { .find = find };
	struct crypt_hash *hash = NULL;
	enum err err;

	ASSERT(find->count > 0 && find->count <= CACHE_FIND_CHOICES_MAX);
	TRY(crypt_hash_new(&hash));
	for (size_t i = 0; i < find->count; i++)
		TRY(choice_open(&finding, read, i, hash));
	if (bounds_set(&finding))
		TRY(find_all(&finding));
out:
	for (size_t i = 0; i < finding.stretch_count; i++)
		mdb_cursor_close(finding.stretches[i].cursor);
	crypt_hash_free(hash);
	return err;
}

/* ---- every object of an instance ---- */

static enum err list_from(
	MDB_cursor *cursor, const struct cache_list *list, const uint8_t from[CACHE_INDEX_KEY_LEN])
{
	const struct slice prefix = slice_of(from, CACHE_INDEX_PREFIX_LEN);
	MDB_val key = cache_val(slice_of(from, CACHE_INDEX_KEY_LEN)), value;
	int code = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
	enum err err = ERR_OK;

	for (; code == MDB_SUCCESS && key.mv_size == CACHE_INDEX_KEY_LEN &&
		slice_equal(slice_cut(cache_slice(key), 0, prefix.len), prefix);
		code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
		struct uid uid;

		(void) slice_copy_exact(uid.bytes, sizeof(uid.bytes),
			slice_cut(cache_slice(key), CACHE_INDEX_PREFIX_LEN + CACHE_ORDER_LEN,
				SIZE_MAX));
		if (list->after != NULL && uid_equal(&uid, list->after))
			continue;
		TRY(list->visit(list->ctx, &uid));
	}
	err = code == MDB_SUCCESS || code == MDB_NOTFOUND ? ERR_OK : cache_err(code);
out:
	return err;
}

enum err cache_list(struct cache_read *read, const struct cache_list *list)
{
	static const struct cache_term every = { SLICE_EMPTY, SLICE_EMPTY };
	uint8_t from[CACHE_INDEX_KEY_LEN] = { 0 };
	struct crypt_hash *hash = NULL;
	MDB_cursor *cursor = NULL;
	enum err err;

	TRY(crypt_hash_new(&hash));
	TRY(cache_index_prefix(hash, from, &list->instance, &every));
	if (list->after != NULL)
		bytes_copy(from + CACHE_INDEX_PREFIX_LEN + CACHE_ORDER_LEN, list->after->bytes,
			sizeof(list->after->bytes));
	TRY(cache_err(mdb_cursor_open(read->txn, read->cache->tables[CACHE_INDEX], &cursor)));
	err = list_from(cursor, list, from);
out:
	if (cursor != NULL)
		mdb_cursor_close(cursor);
	crypt_hash_free(hash);
	return err;
}
