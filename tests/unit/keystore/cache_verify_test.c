/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache_verify: a cache that was used hard is always sound; one page of it replaced by zeros,
 * noise, another page, or with a flipped bit is found, or the process that reads it dies, or every
 * record is still there as it was. The reading is done by a child, as the product does it.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "base/crypt.h"
#include "base/file.h"
#include "cache_folder.h"
#include "record_random.h"

enum { ARENA_MAX = 4 << 20, KEYS = 400, ROUNDS = 120, PAGE = 4096, DAMAGES = 300 };
enum { SOUND = 0, DAMAGED = 3, DIFFERENT = 5, FAILED = 6 };

static struct cache_folder folder;
static struct cache *cache;
static struct arena *arena;
static char why[CACHE_WHY_MAX];
static struct dice dice = { .state = 29 };

static void open_cache(bool read_only)
{
	struct cache_options options = { .folder = folder.path,
		.map_bytes = CACHE_TEST_MAP,
		.log_entries_max = 200,
		.read_only = read_only,
		.terms = &cache_folder_terms };

	cr_assert_eq(cache_open(&cache, &options, why), ERR_OK, "%s", why);
}

static void setup(void)
{
	cache_folder_make(&folder);
	cr_assert_eq(arena_new(&arena, ARENA_MAX), ERR_OK);
	open_cache(false);
}

static void teardown(void)
{
	cache_close(cache);
	arena_free(arena);
	cache_folder_remove(&folder);
}

TestSuite(cache_verify, .init = setup, .fini = teardown, .timeout = 120);

/* ---- a cache with a history ---- */

static void put_one(struct cache_write *write)
{
	uint32_t number = dice_below(&dice, KEYS);
	struct object_attribute *attribute = ARENA_NEW(arena, struct object_attribute);
	struct record record = { .kind = RECORD_OBJECT };
	struct cache_put put = { .record = &record, .logged = true };
	size_t len = dice_below(&dice, 8) == 0 ? 6000 : 40;

	be32_put(record.object.uid.bytes, number);
	record.object.key_id = record.object.uid;
	record.object.has_material = dice_below(&dice, 8) != 0;
	record.object.dates[OBJECT_DATE_INITIAL] = dice_below(&dice, 50);
	cr_assert_eq(instance_id_parse(&record.object.instance, slice_text("instance-a")), ERR_OK);
	attribute->name = slice_text("x-text");
	attribute->value = slice_of(arena_alloc(arena, len), len);
	for (size_t i = 0; i < len; i++)
		((uint8_t *) attribute->value.data)[i] = (uint8_t) dice_below(&dice, 256);
	attribute->written.time = dice_below(&dice, UINT32_MAX);
	record.object.attributes = attribute;
	record.object.attribute_count = 1;
	cr_assert_eq(cache_merge(write, arena, &put), ERR_OK);
}

static void put_some(struct cache_write *write)
{
	uint8_t nonce[16] = { (uint8_t) dice_below(&dice, 20) };
	char name[32];

	for (uint32_t i = dice_below(&dice, 40); i > 0; i--)
		put_one(write);
	(void) snprintf(name, sizeof(name), "fact-%u", dice_below(&dice, 50));
	if (dice_below(&dice, 2) == 0)
		cr_assert_eq(cache_put_fact(write, name, slice_text(name)), ERR_OK);
	else
		(void) !cache_delete_fact(write, name);
	if (dice_below(&dice, 2) == 0)
		cr_assert_eq(cache_put_intent(write, nonce, slice_text(name)), ERR_OK);
	else
		(void) !cache_delete_intent(write, nonce);
	arena_reset(arena);
}

/* A transaction of some parts, one in three of them undone. */
static void change_much(void)
{
	struct cache_write *write;

	cr_assert_eq(cache_write_begin(&write, cache), ERR_OK);
	for (uint32_t i = dice_below(&dice, 4); i > 0; i--) {
		cr_assert_eq(cache_part_begin(write), ERR_OK);
		put_some(write);
		if (dice_below(&dice, 3) == 0)
			cache_part_undo(write);
		else
			cr_assert_eq(cache_part_keep(write), ERR_OK);
	}
	put_some(write);
	if (dice_below(&dice, 9) == 0)
		cache_abort(write);
	else
		cr_assert_eq(cache_commit(write), ERR_OK);
}

/* ---- what is in it ---- */

static enum err add_record(void *ctx, struct slice key, struct slice bytes)
{
	uint8_t *sum = ctx;
	struct slice parts[] = { slice_of(sum, 32), key, bytes };

	return crypt_sha256_parts(sum, parts, 3);
}

static enum err sum_up(uint8_t sum[32])
{
	struct cache_walk walk = {
		.kind = RECORD_OBJECT, .records_max = SIZE_MAX, .visit = add_record, .ctx = sum
	};
	struct cache_read *read;
	bool more;
	enum err err;

	bytes_zero(sum, 32);
	TRY(cache_read_begin(&read, cache));
	err = cache_walk(read, &walk, &more);
	cache_read_end(read);
out:
	return err;
}

/* Opened and verified by a child that may die of it; a status of ours, or -1. */
static int verify_in_child(const uint8_t wanted[32])
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		struct cache_options options = {
			.folder = folder.path, .map_bytes = CACHE_TEST_MAP, .read_only = true
		};
		struct cache_verify verify = { 0 };
		uint8_t sum[32];
		enum err err;

		for (int number = 1; number < 32; number++)
			(void) signal(number, SIG_DFL);
		err = cache_open(&cache, &options, why);
		if (err == ERR_OK)
			err = cache_verify(cache, &verify, why);
		if (err == ERR_CORRUPT || err == ERR_VERSION || verify.bad > 0)
			_exit(DAMAGED);
		if (err != ERR_OK || sum_up(sum) != ERR_OK)
			_exit(FAILED);
		_exit(slice_equal(slice_of(sum, 32), slice_of(wanted, 32)) ? SOUND : DIFFERENT);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* ---- the tests ---- */

/* After any mixture of changes, undone parts and given up transactions nothing is found. */
Test(cache_verify, no_false_alarm)
{
	struct cache_verify verify = { 0 };

	for (int i = 0; i < ROUNDS; i++) {
		change_much();
		cr_assert_eq(cache_verify(cache, &verify, why), ERR_OK, "round %d: %s", i, why);
		cr_assert_eq(verify.bad, 0);
		cr_assert_not(verify.index_differs);
		if (i % 20 != 19)
			continue;
		cache_close(cache);
		open_cache(false);
	}
	cr_assert_gt(verify.records, KEYS / 2);
	cr_assert_gt(verify.entries, verify.records);
}

static void damage_page(uint8_t page[PAGE], const uint8_t other[PAGE])
{
	switch (dice_below(&dice, 4)) {
	case 0:
		bytes_zero(page, PAGE);
		break;
	case 1:
		for (size_t i = 0; i < PAGE; i++)
			page[i] = (uint8_t) dice_below(&dice, 256);
		break;
	case 2:
		bytes_copy(page, other, PAGE);
		break;
	default:
		page[dice_below(&dice, PAGE)] ^= (uint8_t) (1 << dice_below(&dice, 8));
	}
}

/* One page behind the two meta pages is damaged: never is a sound cache reported whose records
 * differ. */
Test(cache_verify, damaged_pages)
{
	int found = 0, died = 0, harmless = 0;
	uint8_t wanted[32], page[PAGE], good[PAGE], other[PAGE];
	char path[200];
	uint32_t pages;
	struct stat info;
	int fd;

	for (int i = 0; i < ROUNDS; i++)
		change_much();
	cr_assert_eq(sum_up(wanted), ERR_OK);
	cache_close(cache);
	(void) snprintf(path, sizeof(path), "%s/data.mdb", folder.path);
	fd = open(path, O_RDWR);
	cr_assert_geq(fd, 0);
	cr_assert_eq(fstat(fd, &info), 0);
	pages = (uint32_t) (info.st_size / PAGE);
	for (int i = 0; i < DAMAGES; i++) {
		off_t at = (off_t) (2 + dice_below(&dice, pages - 2)) * PAGE;
		int status;

		cr_assert_eq(pread(fd, good, PAGE, at), PAGE);
		cr_assert_eq(pread(fd, other, PAGE, (off_t) dice_below(&dice, pages) * PAGE), PAGE);
		bytes_copy(page, good, PAGE);
		damage_page(page, other);
		cr_assert_eq(pwrite(fd, page, PAGE, at), PAGE);
		status = verify_in_child(wanted);
		cr_expect(status == SOUND || status == DAMAGED || status == -1,
			"damage %d at page %ld: %d", i, (long) (at / PAGE), status);
		harmless += status == SOUND;
		found += status == DAMAGED;
		died += status == -1;
		cr_assert_eq(pwrite(fd, good, PAGE, at), PAGE);
	}
	cr_assert_eq(verify_in_child(wanted), SOUND);
	cr_log_info("%d found, %d deadly, %d harmless", found, died, harmless);
	cr_expect_gt(found, DAMAGES / 4);
	(void) close(fd);
	open_cache(false);
}
