/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "base/crypt.h"
#include "base/file.h"
#include "base/rand.h"
#include "cache_folder.h"

enum { ARENA_MAX = 4 << 20 };

static struct cache_folder folder;
static struct cache *cache;
static struct arena *arena;
static char why[CACHE_WHY_MAX];

static void setup(void)
{
	cache_folder_make(&folder);
	cr_assert_eq(arena_new(&arena, ARENA_MAX), ERR_OK);
	cr_assert_eq(cache_folder_open(&cache, &folder, false, why), ERR_OK, "%s", why);
}

static void teardown(void)
{
	cache_close(cache);
	arena_free(arena);
	cache_folder_remove(&folder);
}

TestSuite(cache, .init = setup, .fini = teardown);

/* ---- helpers that read like the domain ---- */

static struct record key_record(uint8_t number, const char *name)
{
	struct record record = { .kind = RECORD_OBJECT,
		.object = { .uid = { { number } },
			.key_id = { { number } },
			.has_material = true,
			.envelope_hash = { 1 },
			.wrapped = { .ciphertext = SLICE_LITERAL("wrapped") } } };
	struct object_attribute *attribute = ARENA_NEW(arena, struct object_attribute);

	cr_assert_eq(instance_id_parse(&record.object.instance, slice_text("instance-a")), ERR_OK);
	attribute->name = slice_text("Name");
	attribute->value = slice_text(name);
	attribute->written.time = 1;
	record.object.attributes = attribute;
	record.object.attribute_count = 1;
	return record;
}

static struct cache_put put_in(struct cache_write *write, const struct record *record, bool logged)
{
	struct cache_put put = { .record = record, .logged = logged };

	cr_assert_eq(cache_merge(write, arena, &put), ERR_OK);
	return put;
}

static struct cache_write *begin(void)
{
	struct cache_write *write;

	cr_assert_eq(cache_write_begin(&write, cache), ERR_OK);
	return write;
}

static struct cache_put put_alone(const struct record *record, bool logged)
{
	struct cache_write *write = begin();
	struct cache_put put = put_in(write, record, logged);

	cr_assert_eq(cache_commit(write), ERR_OK);
	return put;
}

static struct cache_read *look(void)
{
	struct cache_read *read;

	cr_assert_eq(cache_read_begin(&read, cache), ERR_OK);
	return read;
}

static enum err get(uint8_t number, struct object **out)
{
	struct cache_read *read = look();
	enum err err = cache_get_object(read, arena, &(struct uid){ { number } }, out);

	cache_read_end(read);
	return err;
}

static struct cache_position position(void)
{
	struct cache_read *read = look();
	struct cache_position out;

	cr_assert_eq(cache_log_position(read, &out), ERR_OK);
	cache_read_end(read);
	return out;
}

struct seen {
	size_t count;
	uint8_t first[16];
	struct cache_log_entry last;
	enum err answer;
};

static enum err see_uid(void *ctx, const struct uid *uid)
{
	struct seen *seen = ctx;

	seen->first[seen->count++ % 16] = uid->bytes[0];
	return seen->answer;
}

static enum err see_entry(void *ctx, const struct cache_log_entry *entry)
{
	struct seen *seen = ctx;

	seen->count++;
	seen->last = *entry;
	return seen->answer;
}

static enum err see_record(void *ctx, struct slice record_key, struct slice bytes)
{
	struct seen *seen = ctx;

	(void) bytes;
	seen->first[seen->count++ % 16] = record_key.data[1];
	return seen->answer;
}

static enum err see_found(void *ctx, const struct cache_found *found)
{
	return see_uid(ctx, &found->uid);
}

static size_t list_count(struct seen *seen)
{
	struct cache_list list = { .visit = see_uid, .ctx = seen };
	struct cache_read *read = look();

	*seen = (struct seen){ 0 };
	cr_assert_eq(instance_id_parse(&list.instance, slice_text("instance-a")), ERR_OK);
	cr_assert_eq(cache_list(read, &list), ERR_OK);
	cache_read_end(read);
	return seen->count;
}

static size_t find_count(const char *name, const char *value, struct seen *seen)
{
	struct cache_term term = { slice_text(name), slice_text(value) };
	struct cache_any any = { &term, 1 };
	struct cache_find find = { .all = &any, .count = 1, .visit = see_found, .ctx = seen };
	struct cache_read *read = look();

	*seen = (struct seen){ 0 };
	cr_assert_eq(instance_id_parse(&find.instance, slice_text("instance-a")), ERR_OK);
	cr_assert_eq(cache_find(read, &find), ERR_OK);
	cache_read_end(read);
	return seen->count;
}

static void spoil(const char *file, off_t at, const char *bytes, off_t cut)
{
	char path[200];
	int fd;

	(void) snprintf(path, sizeof(path), "%s/%s", folder.path, file);
	fd = open(path, O_RDWR);
	cr_assert_geq(fd, 0);
	if (bytes != NULL)
		cr_assert_gt(pwrite(fd, bytes, slice_text(bytes).len, at), 0);
	if (cut >= 0)
		cr_assert_eq(ftruncate(fd, cut), 0);
	(void) close(fd);
}

/* ---- objects ---- */

/* What was committed is there, also after closing and opening again; the folder is ours alone. */
Test(cache, keeps_what_was_committed)
{
	struct record record = key_record(1, "one");
	struct object *object;
	struct stat info;

	cr_assert(put_alone(&record, true).changed);
	cache_close(cache);
	cr_assert_eq(cache_folder_open(&cache, &folder, false, why), ERR_OK, "%s", why);
	cr_assert_eq(get(1, &object), ERR_OK);
	cr_assert(slice_equal_text(object->wrapped.ciphertext, "wrapped"));
	cr_assert_eq(get(2, &object), ERR_MISS);
	cr_assert_eq(stat(folder.path, &info), 0);
	cr_assert_eq(info.st_mode & 0777, 0700);
}

/* An aborted write leaves nothing, and an undone part leaves the rest. */
Test(cache, abort_and_undo)
{
	struct record one = key_record(1, "one"), two = key_record(2, "two");
	struct cache_write *write = begin();
	struct object *object;

	(void) put_in(write, &one, true);
	cr_assert_eq(
		cache_get_object(cache_write_read(write), arena, &one.object.uid, &object), ERR_OK);
	cache_abort(write);
	cr_assert_eq(get(1, &object), ERR_MISS);
	cr_assert_eq(position().seq, 0);
	write = begin();
	cr_assert_eq(cache_part_begin(write), ERR_OK);
	(void) put_in(write, &one, true);
	cr_assert_eq(cache_part_keep(write), ERR_OK);
	cr_assert_eq(cache_part_begin(write), ERR_OK);
	(void) put_in(write, &two, true);
	cr_assert_eq(cache_write_last_seq(write), 2);
	cache_part_undo(write);
	cr_assert_eq(cache_commit(write), ERR_OK);
	cr_assert_eq(get(1, &object), ERR_OK);
	cr_assert_eq(get(2, &object), ERR_MISS);
	cr_assert_eq(position().seq, 1);
}

/* Only what changes something is a change, and only own changes are numbered. */
Test(cache, unchanged_is_not_logged)
{
	struct record record = key_record(1, "one"), tombstone = key_record(1, "one");

	cr_assert_eq(put_alone(&record, true).seq, 1);
	cr_assert_not(put_alone(&record, true).changed);
	cr_assert_eq(put_alone(&record, true).seq, 0);
	tombstone.object.dead = true;
	tombstone.object.dead_epoch = 4;
	cr_assert(put_alone(&tombstone, false).changed);
	cr_assert_not(put_alone(&record, true).changed);
	cr_assert_eq(position().seq, 1);
}

/* Changes a byte of every copy of the text in the file; it has 18. */
static void spoil_text(const char *text)
{
	struct buf file;
	char path[200];

	cache_close(cache);
	buf_init(&file, CACHE_TEST_MAP);
	(void) snprintf(path, sizeof(path), "%s/data.mdb", folder.path);
	cr_assert_eq(file_read(&file, path), ERR_OK);
	for (size_t at = 0; at + 18 <= buf_slice(&file).len; at++)
		if (slice_equal_text(slice_cut(buf_slice(&file), at, 18), text))
			spoil("data.mdb", (off_t) at, "X", -1);
	buf_free(&file);
	cr_assert_eq(cache_folder_open(&cache, &folder, false, why), ERR_OK, "%s", why);
}

/* A damaged record is an error to read and to merge onto, and is counted; the others are served. */
Test(cache, damaged_record)
{
	struct record one = key_record(1, "unmistakable-value"), two = key_record(2, "two");
	struct cache_put put = { .record = &one, .logged = true };
	struct object *object;
	struct cache_write *write;
	struct cache_verify verify = { 0 };

	(void) put_alone(&one, false);
	(void) put_alone(&two, false);
	spoil_text("unmistakable-value");
	cr_assert_eq(get(1, &object), ERR_CORRUPT);
	cr_assert_eq(get(2, &object), ERR_OK);
	write = begin();
	cr_assert_eq(cache_merge(write, arena, &put), ERR_CORRUPT);
	cache_abort(write);
	cr_assert_eq(cache_verify(cache, &verify, why), ERR_OK);
	cr_assert_eq(verify.records, 2);
	cr_assert_eq(verify.bad, 1);
}

/* The peer's record takes the place of a damaged one, if it is told to; else the damage stays. */
Test(cache, damaged_record_is_healed)
{
	struct record one = key_record(1, "unmistakable-value"),
		      peers = key_record(1, "of the peer");
	struct cache_put put = { .record = &peers, .heals = true };
	struct object *object;
	struct cache_write *write;

	(void) put_alone(&one, false);
	spoil_text("unmistakable-value");
	cr_assert_eq(get(1, &object), ERR_CORRUPT);
	write = begin();
	cr_assert_eq(cache_merge(write, arena, &put), ERR_OK);
	cr_assert_eq(cache_commit(write), ERR_OK);
	cr_assert(put.changed);
	cr_assert_eq(put.seq, 0);
	cr_assert_eq(get(1, &object), ERR_OK);
	cr_assert(slice_equal_text(object->attributes[0].value, "of the peer"));
}

static bool put_bytes(const struct record *record, struct slice bytes)
{
	struct cache_put put = { .record = record, .bytes = bytes, .heals = true };
	struct cache_write *write = begin();

	cr_assert_eq(cache_merge(write, arena, &put), ERR_OK);
	cr_assert_eq(cache_commit(write), ERR_OK);
	return put.changed;
}

static void assert_stored(uint8_t number, struct slice bytes)
{
	uint8_t key[17] = { RECORD_OBJECT, number };
	struct cache_read *read;
	struct slice stored;

	cr_assert_eq(cache_read_begin(&read, cache), ERR_OK);
	cr_assert_eq(cache_get_bytes(read, slice_of(key, sizeof(key)), &stored), ERR_OK);
	cr_assert(slice_equal(stored, bytes));
	cache_read_end(read);
}

/* Bytes that a record was decoded from are stored as they are where there is nothing, change
 * nothing where they are already, are merged with what else is there, and replace what is damaged.
 */
Test(cache, bytes_of_a_record)
{
	struct record record = key_record(1, "unmistakable-value"),
		      other = key_record(1, "later-than-a-first");
	struct cache_verify verify = { 0 };
	struct buf bytes, others;

	buf_init(&bytes, RECORD_LEN_MAX);
	buf_init(&others, RECORD_LEN_MAX);
	((struct object_attribute *) other.object.attributes)->written.time = 99;
	cr_assert_eq(record_encode(&bytes, &record), ERR_OK);
	cr_assert_eq(record_encode(&others, &other), ERR_OK);
	cr_assert(put_bytes(&record, buf_slice(&bytes)));
	assert_stored(1, buf_slice(&bytes));
	cr_assert_not(put_bytes(&record, buf_slice(&bytes)));
	cr_assert(put_bytes(&other, buf_slice(&others)));
	assert_stored(1, buf_slice(&others));
	cr_assert_not(put_bytes(&record, buf_slice(&bytes)), "the later write stays");
	assert_stored(1, buf_slice(&others));
	cr_assert_eq(cache_verify(cache, &verify, why), ERR_OK);
	cr_assert_not(verify.index_differs);
	spoil_text("later-than-a-first");
	cr_assert(put_bytes(&record, buf_slice(&bytes)), "damage gives way");
	assert_stored(1, buf_slice(&bytes));
	buf_free(&bytes);
	buf_free(&others);
}

/* Walks go in key order and can be taken up behind the last key. */
Test(cache, walk_in_steps)
{
	struct seen seen = { 0 };
	struct cache_walk walk = {
		.kind = RECORD_OBJECT, .records_max = 2, .visit = see_record, .ctx = &seen
	};
	uint8_t after[17] = { RECORD_OBJECT, 2 };
	struct cache_read *read;
	bool more;

	for (uint8_t i = 3; i > 0; i--) {
		struct record record = key_record(i, "x");
		(void) put_alone(&record, false);
	}
	read = look();
	cr_assert_eq(cache_walk(read, &walk, &more), ERR_OK);
	cr_assert(more);
	cr_assert_eq(seen.count, 2);
	walk.after = slice_of(after, sizeof(after));
	cr_assert_eq(cache_walk(read, &walk, &more), ERR_OK);
	cr_assert_not(more);
	cr_assert_eq(seen.count, 3);
	cr_assert_eq(seen.first[2], 3);
	seen.answer = ERR_CANCELLED;
	cr_assert_eq(cache_walk(read, &walk, &more), ERR_CANCELLED);
	walk.kind = RECORD_CLIENT;
	walk.after = SLICE_EMPTY;
	cr_assert_eq(cache_walk(read, &walk, &more), ERR_OK);
	cr_assert_not(more);
	cache_read_end(read);
}

/* The index follows the attributes: found under what they are, not under what they were. */
Test(cache, index_follows_attributes)
{
	struct record one = key_record(1, "blue"), two = key_record(2, "blue"), other;
	struct seen seen;

	(void) put_alone(&one, false);
	(void) put_alone(&two, false);
	other = key_record(3, "blue");
	cr_assert_eq(instance_id_parse(&other.object.instance, slice_text("instance-b")), ERR_OK);
	(void) put_alone(&other, false);
	cr_assert_eq(find_count("Name", "blue", &seen), 2);
	cr_assert_eq(seen.first[0], 1);
	cr_assert_eq(list_count(&seen), 2);
	one.object.attributes[0].value = slice_text("red");
	one.object.attributes[0].written.time = 2;
	(void) put_alone(&one, false);
	cr_assert_eq(find_count("Name", "blue", &seen), 1);
	cr_assert_eq(find_count("Name", "red", &seen), 1);
	two.object.attributes[0].deleted = true;
	two.object.attributes[0].value = SLICE_EMPTY;
	two.object.attributes[0].written.time = 3;
	(void) put_alone(&two, false);
	cr_assert_eq(find_count("Name", "blue", &seen), 0);
	cr_assert_eq(list_count(&seen), 2);
}

/* A list goes on behind the uid that it is given, and stops when the visitor says so. */
Test(cache, list_after)
{
	struct record one = key_record(1, "x"), two = key_record(2, "x");
	struct seen seen = { 0 };
	struct cache_list list = { .instance = one.object.instance,
		.after = &one.object.uid,
		.visit = see_uid,
		.ctx = &seen };
	struct cache_read *read;

	(void) put_alone(&one, false);
	(void) put_alone(&two, false);
	read = look();
	cr_assert_eq(cache_list(read, &list), ERR_OK);
	cr_assert_eq(seen.count, 1);
	cr_assert_eq(seen.first[0], 2);
	list.after = NULL;
	seen.answer = ERR_LIMIT;
	cr_assert_eq(cache_list(read, &list), ERR_LIMIT);
	cr_assert_eq(seen.count, 2);
	cache_read_end(read);
}

/* ---- clients, facts, intents ---- */

/* A client is found by fingerprint, and bytes by record key; unknown keys of any shape are a miss.
 */
Test(cache, clients)
{
	struct record record = { .kind = RECORD_CLIENT,
		.client = { .fingerprint = { { 4 } }, .name = "vcenter" } };
	uint8_t key[33] = { RECORD_CLIENT, 4 };
	struct cache_read *read;
	struct client client;
	struct slice bytes;

	(void) put_alone(&record, true);
	read = look();
	cr_assert_eq(cache_get_client(read, &record.client.fingerprint, &client), ERR_OK);
	cr_assert_str_eq(client.name, "vcenter");
	cr_assert_eq(cache_get_bytes(read, slice_of(key, 33), &bytes), ERR_OK);
	cr_assert_eq(cache_get_bytes(read, slice_of(key, 32), &bytes), ERR_MISS);
	cr_assert_eq(cache_get_bytes(read, SLICE_EMPTY, &bytes), ERR_MISS);
	key[0] = 9;
	cr_assert_eq(cache_get_bytes(read, slice_of(key, 33), &bytes), ERR_MISS);
	cr_assert_eq(cache_get_client(read, &(struct fingerprint){ { 5 } }, &client), ERR_MISS);
	cache_read_end(read);
}

static enum err see_intent(void *ctx, const uint8_t nonce[16], struct slice body)
{
	cr_assert_eq(nonce[0], 3);
	cr_assert(slice_equal_text(body, "post"));
	++*(size_t *) ctx;
	return ERR_OK;
}

/* Facts and intents come and go with their transaction. */
Test(cache, facts_and_intents)
{
	static const uint8_t nonce[16] = { 3 }, unknown[16] = { 4 };
	uint8_t big[CACHE_FACT_LEN_MAX + 1] = { 0 };
	struct cache_write *write = begin();
	struct cache_counts counts;
	struct cache_read *read;
	struct slice value;
	size_t seen = 0;

	cr_assert_eq(cache_put_fact(write, "peer-2", slice_text("here")), ERR_OK);
	cr_assert_eq(cache_put_fact(write, "big", slice_of(big, sizeof(big))), ERR_LIMIT);
	cr_assert_eq(cache_put_intent(write, nonce, slice_text("post")), ERR_OK);
	cr_assert_eq(cache_delete_intent(write, unknown), ERR_OK);
	cr_assert_eq(cache_commit(write), ERR_OK);
	read = look();
	cr_assert_eq(cache_get_fact(read, "peer-2", &value), ERR_OK);
	cr_assert(slice_equal_text(value, "here"));
	cr_assert_eq(cache_get_fact(read, "peer-3", &value), ERR_MISS);
	cr_assert_eq(cache_walk_intents(read, see_intent, &seen), ERR_OK);
	cr_assert_eq(cache_count(read, &counts), ERR_OK);
	cr_assert_eq(counts.intents, 1);
	cr_assert_eq(counts.map_bytes, CACHE_TEST_MAP);
	cache_read_end(read);
	write = begin();
	cr_assert_eq(cache_delete_intent(write, nonce), ERR_OK);
	cr_assert_eq(cache_commit(write), ERR_OK);
	read = look();
	cr_assert_eq(cache_walk_intents(read, see_intent, &seen), ERR_OK);
	cr_assert_eq(seen, 1);
	cache_read_end(read);
}

/* ---- the log ---- */

/* Each entry's hash covers all before it, as the contract says, so that a peer can recompute it. */
Test(cache, running_hash)
{
	struct record record = key_record(1, "one");
	uint8_t hash[32] = { 0 }, digest[32], seq[8], key[17] = { RECORD_OBJECT, 1 };
	struct slice bytes, parts[] = { slice_of(hash, 32), slice_of(seq, 8), slice_of(key, 17),
		slice_of(digest, 32) };
	struct cache_position end;
	struct cache_read *read;

	(void) put_alone(&record, true);
	end = position();
	cr_assert_eq(end.seq, 1);
	read = look();
	cr_assert_eq(cache_get_bytes(read, slice_of(key, 17), &bytes), ERR_OK);
	cr_assert_eq(crypt_sha256(digest, bytes), ERR_OK);
	be64_put(seq, 1);
	cr_assert_eq(crypt_sha256_parts(hash, parts, 4), ERR_OK);
	cr_assert(slice_equal(slice_of(hash, 32), slice_of(end.hash, 32)));
	cr_assert_eq(cache_log_hash(read, 1, digest), ERR_OK);
	cr_assert(slice_equal(slice_of(hash, 32), slice_of(digest, 32)));
	cr_assert_eq(cache_log_hash(read, 2, digest), ERR_MISS);
	cr_assert_eq(cache_log_hash(read, 0, digest), ERR_OK);
	cr_assert_eq(digest[0], 0);
	cache_read_end(read);
}

/* Reading starts anywhere in the log; what a new incarnation dropped is a miss. */
Test(cache, log_and_incarnation)
{
	struct seen seen = { 0 };
	struct cache_position before, after;
	struct cache_write *write;
	struct cache_read *read;

	for (uint8_t i = 1; i <= 3; i++) {
		struct record record = key_record(i, "x");
		cr_assert_eq(put_alone(&record, true).seq, i);
	}
	read = look();
	cr_assert_eq(cache_log_read(read, 2, 10, see_entry, &seen), ERR_OK);
	cr_assert_eq(seen.count, 2);
	cr_assert_eq(seen.last.seq, 3);
	cr_assert_eq(seen.last.record_key.data[1], 3);
	cr_assert_eq(cache_log_read(read, 4, 10, see_entry, &seen), ERR_OK);
	cr_assert_eq(cache_log_read(read, 1, 1, see_entry, &seen), ERR_OK);
	cr_assert_eq(seen.count, 3);
	cr_assert_eq(cache_log_read(read, 0, 1, see_entry, &seen), ERR_MISS);
	cache_read_end(read);
	before = position();
	write = begin();
	cr_assert_eq(cache_new_incarnation(write), ERR_OK);
	cr_assert_eq(cache_commit(write), ERR_OK);
	after = position();
	cr_assert_eq(after.seq, 0);
	cr_assert_not(
		slice_equal(slice_of(before.incarnation, 16), slice_of(after.incarnation, 16)));
}

/* A log at its maximum drops its oldest entries, and says so to those who ask for them; one that
 * is too long for a smaller maximum shrinks step by step. */
Test(cache, log_is_trimmed)
{
	struct cache_options options = {
		.folder = folder.path, .map_bytes = CACHE_TEST_MAP, .log_entries_max = 4
	};
	struct seen seen = { 0 };
	struct cache_counts counts;
	struct cache_read *read;
	uint8_t hash[32];

	for (uint8_t i = 1; i <= 7; i++) {
		struct record record = key_record(i, "x");
		(void) put_alone(&record, true);
		if (i != 5)
			continue;
		cache_close(cache);
		cr_assert_eq(cache_open(&cache, &options, why), ERR_OK, "%s", why);
	}
	read = look();
	cr_assert_eq(cache_count(read, &counts), ERR_OK);
	cr_assert_eq(counts.log_entries, 4);
	cr_assert_eq(counts.objects, 7);
	cr_assert_eq(cache_log_read(read, 3, 10, see_entry, &seen), ERR_MISS);
	cr_assert_eq(cache_log_read(read, 4, 10, see_entry, &seen), ERR_OK);
	cr_assert_eq(seen.count, 4);
	cr_assert_eq(cache_log_hash(read, 3, hash), ERR_MISS);
	cache_read_end(read);
}

/* ---- other processes ---- */

/* A reader in another process sees each commit of the keeper while both have the cache open. */
Test(cache, reader_beside_keeper)
{
	struct record one = key_record(1, "one");
	pid_t child;
	int status;

	child = fork();
	if (child == 0) {
		struct cache *reader;
		struct object *object;
		struct cache_read *read;
		enum err err;

		/* The parent's environment is left alone here: LMDB knows no fork. */
		if (cache_folder_open(&reader, &folder, true, why) != ERR_OK)
			_exit(2);
		for (int i = 0; i < 20000; i++) {
			if (cache_read_begin(&read, reader) != ERR_OK)
				_exit(3);
			err = cache_get_object(read, arena, &one.object.uid, &object);
			cache_read_end(read);
			arena_reset(arena);
			if (err == ERR_OK)
				_exit(0);
			usleep(100);
		}
		_exit(4);
	}
	(void) put_alone(&one, false);
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %d", status);
	cache_check_readers(cache);
}

/* Several reads at once, beyond the one that is kept; an old one does not see what came after. */
Test(cache, reads_are_snapshots)
{
	struct record one = key_record(1, "one");
	struct cache_read *before = look(), *after, *third = look();
	struct object *object;

	(void) put_alone(&one, false);
	after = look();
	cr_assert_eq(cache_get_object(before, arena, &one.object.uid, &object), ERR_MISS);
	cr_assert_eq(cache_get_object(after, arena, &one.object.uid, &object), ERR_OK);
	cache_read_end(before);
	cache_read_end(after);
	cache_read_end(third);
	cr_assert_eq(get(1, &object), ERR_OK);
}

/* A full map is an error of the put; what was there stays. */
Test(cache, full)
{
	struct cache_options options = { .folder = folder.path, .map_bytes = 64 * 4096 };
	struct record record = key_record(1, "one");
	struct cache_write *write;
	struct object *object;
	enum err err = ERR_OK;

	cache_close(cache);
	cr_assert_eq(cache_open(&cache, &options, why), ERR_OK, "%s", why);
	(void) put_alone(&record, false);
	write = begin();
	for (uint8_t i = 2; err == ERR_OK && i < 255; i++) {
		struct record big = key_record(i, "x");
		struct cache_put put = { .record = &big };

		big.object.wrapped.ciphertext =
			arena_copy(arena, slice_of(arena_alloc(arena, 4000), 4000));
		err = cache_merge(write, arena, &put);
	}
	cr_assert_eq(err, ERR_FULL);
	cache_abort(write);
	cr_assert_eq(get(1, &object), ERR_OK);
}

/* ---- damaged files ---- */

/* A file that is cut short, empty or garbage is named as such, can be moved aside, and a new one
 * takes its place. */
Test(cache, damaged_files)
{
	struct record record = key_record(1, "one");
	static const struct {
		off_t at, cut;
		bool garbage;
	} damages[] = { { 0, 0, false }, { 0, 100, false }, { 0, 4096, false }, { 0, 8192, false },
		{ 0, 5 * 4096, false }, { 0, -1, true } };

	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		char moved[CACHE_WHY_MAX], noise[16385];

		(void) put_alone(&record, false);
		cache_close(cache);
		rand_bytes(noise, sizeof(noise));
		for (size_t at = 0; at < sizeof(noise); at++)
			noise[at] = (char) (noise[at] | 1);
		noise[sizeof(noise) - 1] = '\0';
		spoil("data.mdb", 0, damages[i].garbage ? noise : NULL, damages[i].cut);
		cr_assert_eq(cache_folder_open(&cache, &folder, false, why), ERR_CORRUPT,
			"damage %zu", i);
		cr_assert_null(cache);
		cr_assert_gt(slice_text(why).len, 10);
		cr_assert_eq(cache_move_aside(folder.path, moved), ERR_OK);
		cr_assert_eq(access(moved, F_OK), 0);
		cr_assert_eq(cache_folder_open(&cache, &folder, false, why), ERR_OK, "%s", why);
	}
}

/* Another format version is not damage. */
Test(cache, other_format_version)
{
	struct buf file;
	char path[200];

	cache_close(cache);
	buf_init(&file, CACHE_TEST_MAP);
	(void) snprintf(path, sizeof(path), "%s/data.mdb", folder.path);
	cr_assert_eq(file_read(&file, path), ERR_OK);
	for (size_t at = 0; at + 10 <= buf_slice(&file).len; at++)
		if (slice_equal(
			    slice_cut(buf_slice(&file), at, 10), slice_of("format\0\0\0\2", 10)))
			spoil("data.mdb", (off_t) at + 9, "\x7f", -1);
	buf_free(&file);
	cr_assert_eq(cache_folder_open(&cache, &folder, false, why), ERR_VERSION);
	cr_assert_null(cache);
}

/* A worker does not make what the keeper did not. */
Test(cache, read_only_needs_a_cache)
{
	struct cache_options options = { .map_bytes = CACHE_TEST_MAP, .read_only = true };
	char nowhere[160];
	struct cache *other;

	(void) snprintf(nowhere, sizeof(nowhere), "%s-not", folder.path);
	options.folder = nowhere;
	cr_assert_eq(cache_open(&other, &options, why), ERR_NOT_FOUND);
	cr_assert_null(other);
	cr_assert_gt(slice_text(why).len, 10);
}
