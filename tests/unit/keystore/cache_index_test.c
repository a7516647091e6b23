/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index of the cache: a find gives what reading every record would give, in its order, for
 * random populations and random questions; a cache without an index, with another one, or with one
 * that is wrong gets it when it is opened, also after a kill in the middle of that.
 */
#include <sys/wait.h>
#include "base/crypt.h"
#include "cache_folder.h"
#include "keystore/cache_private.h"
#include "record_random.h"

enum {
	ARENA_MAX = 8 << 20,
	KEYS = 300,
	QUESTIONS = 400,
	VALUES = 4, /* of an attribute */
	DATES = 40,
	STEP = 64, /* entries in one transaction of indexing */
	KILLED = 7
};

static struct cache_folder folder;
static struct cache *cache;
static struct arena *arena;
static char why[CACHE_WHY_MAX];
static struct dice dice = { .state = 31 };
static struct cache_options options;

static const char *const names[] = { "color", "size", "site" };
enum { NAMES = sizeof(names) / sizeof(names[0]) };
static const char *const values[VALUES] = { "one", "two", "three", "four" };
static const char *const instances[] = { "instance-a", "instance-b" };

static void setup(void)
{
	cache_folder_make(&folder);
	cr_assert_eq(arena_new(&arena, ARENA_MAX), ERR_OK);
	options = (struct cache_options){ .folder = folder.path,
		.map_bytes = CACHE_TEST_MAP,
		.reindex_entries = STEP,
		.terms = &cache_folder_terms };
	cr_assert_eq(cache_open(&cache, &options, why), ERR_OK, "%s", why);
}

static void teardown(void)
{
	cache_close(cache);
	arena_free(arena);
	cache_folder_remove(&folder);
}

TestSuite(cache_index, .init = setup, .fini = teardown, .timeout = 60);

static void open_again(void)
{
	cache_close(cache);
	cr_assert_eq(cache_open(&cache, &options, why), ERR_OK, "%s", why);
}

static bool index_differs(void)
{
	struct cache_verify verify = { 0 };

	cr_assert_eq(cache_verify(cache, &verify, why), ERR_OK, "%s", why);
	cr_assert_eq(verify.bad, 0);
	return verify.index_differs;
}

/* ---- a population ---- */

static void give_attributes(struct object *object)
{
	object->attributes = arena_array(arena, NAMES, sizeof(struct object_attribute));
	for (size_t i = 0; i < NAMES; i++) {
		struct object_attribute *attribute = &object->attributes[object->attribute_count];

		if (dice_below(&dice, 4) == 0)
			continue;
		/* In the order of names. */
		attribute->name = slice_text(names[i == 0 ? 0 : NAMES - i]);
		attribute->value = slice_text(values[dice_below(&dice, VALUES)]);
		attribute->written.time = dice_below(&dice, 1000) + 1;
		attribute->deleted = dice_below(&dice, 5) == 0;
		if (attribute->deleted)
			attribute->value = SLICE_EMPTY;
		object->attribute_count++;
	}
}

static void put_random(struct cache_write *write)
{
	struct record record = { .kind = RECORD_OBJECT };
	struct cache_put put = { .record = &record };
	struct object *object = &record.object;

	be32_put(object->uid.bytes, dice_below(&dice, KEYS));
	object->key_id = object->uid;
	cr_assert_eq(instance_id_parse(&object->instance,
			     slice_text(instances[object->uid.bytes[3] % 8 == 0])),
		ERR_OK);
	object->has_material = dice_below(&dice, 6) != 0;
	object->dead = dice_below(&dice, 10) == 0;
	object->dead_epoch = object->dead ? 2 * (uint64_t) dice_below(&dice, DATES) + 2 : 0;
	object->dates[OBJECT_DATE_INITIAL] = dice_below(&dice, DATES);
	give_attributes(object);
	cr_assert_eq(cache_merge(write, arena, &put), ERR_OK);
}

static void populate(void)
{
	for (int i = 0; i < 60; i++) {
		struct cache_write *write;

		arena_reset(arena);
		cr_assert_eq(cache_write_begin(&write, cache), ERR_OK);
		for (uint32_t j = dice_below(&dice, 20); j > 0; j--) {
			cr_assert_eq(cache_part_begin(write), ERR_OK);
			put_random(write);
			if (dice_below(&dice, 4) == 0)
				cache_part_undo(write);
			else
				cr_assert_eq(cache_part_keep(write), ERR_OK);
		}
		if (dice_below(&dice, 9) == 0)
			cache_abort(write);
		else
			cr_assert_eq(cache_commit(write), ERR_OK);
	}
}

/* ---- questions ---- */

struct question {
	struct cache_term terms[4][2];
	struct cache_any all[4];
	struct cache_span span;
	struct cache_find find;
};

static void question_make(struct question *question)
{
	struct cache_find *find = &question->find;

	*question = (struct question){ 0 };
	find->all = question->all;
	find->count = 1 + dice_below(&dice, 4);
	for (size_t i = 0; i < find->count; i++) {
		question->all[i] =
			(struct cache_any){ question->terms[i], 1 + dice_below(&dice, 2) };
		for (size_t j = 0; j < question->all[i].count; j++)
			question->terms[i][j] =
				(struct cache_term){ slice_text(names[dice_below(&dice, NAMES)]),
					slice_text(values[dice_below(&dice, VALUES)]) };
	}
	question->span.first = dice_below(&dice, DATES);
	question->span.last = question->span.first + dice_below(&dice, DATES);
	if (dice_below(&dice, 3) == 0)
		find->initial = &question->span;
	cr_assert_eq(instance_id_parse(
			     &find->instance, slice_text(instances[dice_below(&dice, 8) == 0])),
		ERR_OK);
}

static bool has_term(const struct object *object, const struct cache_term *term)
{
	for (size_t i = 0; i < object->attribute_count; i++) {
		if (!object->attributes[i].deleted &&
			slice_equal(object->attributes[i].name, term->name) &&
			slice_equal(object->attributes[i].value, term->value))
			return true;
	}
	return false;
}

static bool is_wanted(const struct object *object, const struct cache_find *find)
{
	int64_t made = object->dates[OBJECT_DATE_INITIAL];

	if (object->dead || !object->has_material ||
		!instance_id_equal(&object->instance, &find->instance))
		return false;
	if (find->initial != NULL && (made < find->initial->first || made > find->initial->last))
		return false;
	for (size_t i = 0; i < find->count; i++) {
		bool has = false;

		for (size_t j = 0; j < find->all[i].count; j++)
			has = has || has_term(object, &find->all[i].terms[j]);
		if (!has)
			return false;
	}
	return true;
}

struct expected {
	const struct cache_find *find;
	size_t count;
};

static enum err expect_record(void *ctx, struct slice key, struct slice bytes)
{
	struct expected *expected = ctx;
	struct record record;

	(void) key;
	cr_assert_eq(record_decode(&record, arena, bytes), ERR_OK);
	expected->count += is_wanted(&record.object, expected->find);
	return ERR_OK;
}

static size_t count_by_reading(struct cache_read *read, const struct cache_find *find)
{
	struct expected expected = { .find = find };
	struct cache_walk walk = { .kind = RECORD_OBJECT,
		.records_max = SIZE_MAX,
		.visit = expect_record,
		.ctx = &expected };
	bool more;

	cr_assert_eq(cache_walk(read, &walk, &more), ERR_OK);
	return expected.count;
}

struct seen {
	struct cache_read *read;
	const struct cache_find *find;
	struct cache_found last;
	size_t count, max;
};

/* Right, in order, none twice. */
static enum err see(void *ctx, const struct cache_found *found)
{
	struct seen *seen = ctx;
	struct object *object;

	cr_assert_eq(cache_get_object(seen->read, arena, &found->uid, &object), ERR_OK);
	cr_assert(cache_found_is_current(found, object));
	cr_assert(is_wanted(object, seen->find));
	if (seen->count > 0) {
		int order = slice_compare(slice_of(seen->last.order, CACHE_ORDER_LEN),
			slice_of(found->order, CACHE_ORDER_LEN));

		if (order == 0)
			order = slice_compare(
				slice_of(seen->last.uid.bytes, 16), slice_of(found->uid.bytes, 16));
		cr_assert_lt(order, 0);
	}
	seen->last = *found;
	return ++seen->count == seen->max ? ERR_CANCELLED : ERR_OK;
}

static size_t ask(struct cache_find *find, size_t max, enum err wanted)
{
	struct seen seen = { .find = find, .max = max };

	cr_assert_eq(cache_read_begin(&seen.read, cache), ERR_OK);
	find->visit = see;
	find->ctx = &seen;
	cr_assert_eq(cache_find(seen.read, find), wanted);
	if (max == 0)
		cr_assert_eq(seen.count, count_by_reading(seen.read, find));
	cache_read_end(seen.read);
	return seen.count;
}

/* ---- the tests ---- */

/* Whatever was put, undone and given up: the index is what the records give, and a find finds what
 * reading them all would. */
Test(cache_index, finds_what_reading_would)
{
	struct question question;
	size_t found = 0;

	for (int i = 0; i < QUESTIONS; i++) {
		if (i % 100 == 0)
			populate();
		if (i % 100 == 0)
			cr_assert_not(index_differs());
		arena_reset(arena);
		question_make(&question);
		found += ask(&question.find, 0, ERR_OK);
	}
	cr_assert_gt(found, QUESTIONS);
}

/* It stops when the visitor says so, after so many steps, and has nothing for an empty choice. */
Test(cache_index, stops)
{
	struct question question;
	size_t whole;

	populate();
	do {
		arena_reset(arena);
		question_make(&question);
		whole = ask(&question.find, 0, ERR_OK);
	} while (whole < 4);
	cr_assert_eq(ask(&question.find, 2, ERR_CANCELLED), 2);
	question.find.steps_max = 2;
	cr_assert_lt(ask(&question.find, whole + 1, ERR_LIMIT), whole);
	question.find.steps_max = 0;
	question.all[question.find.count - 1].count = 0;
	cr_assert_eq(ask(&question.find, whole + 1, ERR_OK), 0);
}

static void write_state(const char *name, struct slice value)
{
	struct cache_write *write;

	cr_assert_eq(cache_write_begin(&write, cache), ERR_OK);
	cr_assert_eq(cache_store(write, CACHE_STATE, slice_text(name), value), ERR_OK);
	cr_assert_eq(cache_commit(write), ERR_OK);
}

static void write_entry(struct slice entry, bool there)
{
	struct cache_write *write;

	cr_assert_eq(cache_write_begin(&write, cache), ERR_OK);
	if (there)
		cr_assert_eq(cache_store(write, CACHE_INDEX, entry, slice_of("", 0)), ERR_OK);
	else
		cr_assert_eq(cache_delete(write, CACHE_INDEX, entry), ERR_OK);
	cr_assert_eq(cache_commit(write), ERR_OK);
}

/* As an earlier release left it: format 1, entries of 48 bytes, and nothing that says by what it
 * was indexed. */
static void make_old(void)
{
	uint8_t entry[48] = "instance-a";
	struct cache_write *write;

	write_state("format", slice_of("\0\0\0\1", 4));
	cr_assert_eq(cache_write_begin(&write, cache), ERR_OK);
	cr_assert_eq(cache_delete(write, CACHE_STATE, slice_text("index")), ERR_OK);
	cr_assert_eq(mdb_drop(write->txn, cache->tables[CACHE_INDEX], 0), 0);
	for (uint8_t i = 0; i < 200; i++) {
		entry[40] = i;
		cr_assert_eq(cache_store(write, CACHE_INDEX, slice_of(entry, sizeof(entry)),
				     slice_of("", 0)),
			ERR_OK);
	}
	cr_assert_eq(cache_commit(write), ERR_OK);
}

static void expect_indexed(void)
{
	struct question question;

	cr_assert_not(index_differs());
	for (int i = 0; i < 50; i++) {
		arena_reset(arena);
		question_make(&question);
		(void) ask(&question.find, 0, ERR_OK);
	}
}

struct progress {
	uint64_t calls, calls_max, done, records;
};

static void note_progress(void *ctx, uint64_t done, uint64_t records)
{
	struct progress *progress = ctx;

	progress->done = done;
	progress->records = records;
	if (++progress->calls == progress->calls_max)
		_exit(KILLED);
}

/* The cache of an earlier release is indexed in steps; its records stay. */
Test(cache_index, older_format)
{
	struct progress progress = { 0 };

	populate();
	make_old();
	options.on_indexing = note_progress;
	options.ctx = &progress;
	open_again();
	cr_assert_gt(progress.calls, 5);
	cr_assert_eq(progress.done, progress.records);
	expect_indexed();
	progress.calls = 0;
	open_again();
	cr_assert_eq(progress.calls, 0);
}

/* Killed while it is indexed, the next life goes on where it was, and what changes meanwhile is
 * right as well. */
Test(cache_index, killed_and_resumed)
{
	struct progress progress = { .calls_max = 3 };
	int status;
	pid_t child;

	populate();
	make_old();
	cache_close(cache);
	cache = NULL;
	options.on_indexing = note_progress;
	options.ctx = &progress;
	child = fork();
	if (child == 0) {
		(void) !cache_open(&cache, &options, why);
		_exit(0);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == KILLED);
	progress.calls_max = 0;
	open_again();
	cr_assert_gt(progress.done, 0);
	cr_assert_lt(progress.done, progress.records);
	expect_indexed();
	populate();
	expect_indexed();
}

/* Other terms, or a version of ours that was made by others: indexed anew, either way. */
Test(cache_index, other_terms)
{
	struct cache_terms later = cache_folder_terms;
	struct progress progress = { 0 };

	populate();
	options.terms = NULL;
	open_again();
	cr_assert_not(index_differs());
	later.version = 2;
	options.terms = &later;
	options.on_indexing = note_progress;
	options.ctx = &progress;
	open_again();
	cr_assert_gt(progress.calls, 0);
	expect_indexed();
}

/* One entry too many, or one that lacks, is noticed, and mended by `reindex`. */
Test(cache_index, disagreement_is_noticed)
{
	uint8_t entry[CACHE_INDEX_KEY_LEN] = { 1 };
	struct cache_index_keys keys;
	struct record record = { .kind = RECORD_OBJECT };

	populate();
	write_entry(slice_of(entry, sizeof(entry)), true);
	cr_assert(index_differs());
	open_again();
	cr_assert(index_differs());
	options.reindex = true;
	open_again();
	expect_indexed();

	options.reindex = false;
	be32_put(record.object.uid.bytes, KEYS + 1);
	record.object.key_id = record.object.uid;
	record.object.has_material = true;
	cr_assert_eq(instance_id_parse(&record.object.instance, slice_text("instance-a")), ERR_OK);
	struct cache_put put = { .record = &record };
	struct cache_write *write;

	cr_assert_eq(cache_write_begin(&write, cache), ERR_OK);
	cr_assert_eq(cache_merge(write, arena, &put), ERR_OK);
	cr_assert_eq(cache_commit(write), ERR_OK);
	cr_assert_not(index_differs());
	cr_assert_eq(cache_index_keys_of(&keys, cache, arena, &record.object), ERR_OK);
	write_entry(slice_of(keys.keys[0].bytes, CACHE_INDEX_KEY_LEN), false);
	cr_assert(index_differs());
	options.reindex = true;
	open_again();
	expect_indexed();
}

/* An entry that is left of what a record was, as after healing a damaged one, is told apart. */
Test(cache_index, stale_entry)
{
	struct record record = { .kind = RECORD_OBJECT };
	struct cache_found found;

	record.object.dates[OBJECT_DATE_INITIAL] = 1000;
	bytes_zero(&found, sizeof(found));
	cr_assert_not(cache_found_is_current(&found, &record.object));
	cache_index_date(found.order, 1000);
	for (size_t i = 5; i < CACHE_ORDER_LEN; i++)
		found.order[i] = UINT8_MAX;
	cr_assert(cache_found_is_current(&found, &record.object));
}
