/* SPDX-License-Identifier: Apache-2.0 */
/*
 * locate_bench: how long Locate takes among many objects, as a worker answers it.
 *
 *	--folder F --records N		fills a cache, or takes the one that is there
 *
 * Each question is asked once of a file that no memory holds any more (cold), then again and again
 * (warm: median and slowest). Most objects are active symmetric keys of four sites in groups of
 * ten; of other types, states and links there are few.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/crypt.h"
#include "base/rand.h"
#include "kmip/attribute.h"
#include "kmip/serve.h"
#include "kmip/terms.h"

enum {
	FILL_BATCH = 10000, /* records in one transaction */
	FILL_ARENA_MAX = 1 << 20,
	FILL_CIPHERTEXT_LEN = 220, /* of a wrapped key of 256 bits and its checksum */
	FILL_ATTRIBUTES = 16,
	MAP_MIB = 8192,
	GROUP_SIZE = 10,
	SITES = 4,
	SECRET_EVERY = 10007, /* one object in so many is secret data, ... */
	WAITING_EVERY = 200003, /* ... Pre-Active, ... */
	COMPROMISED_EVERY = 250007, /* ... compromised, ... */
	LINKED_EVERY = 1009, /* ... linked */
	ROUNDS_MAX = 1000,
	ROUND_MS_MAX = 2000, /* of all rounds of one question */
};

struct bench {
	const char *folder;
	uint64_t records;
	struct instance_id instance;
	struct arena *arena;
	struct cache *cache;
	struct kek_table *table;
	struct keystore *keystore;
	struct kmip_server *server;
};

/* ---- filling ---- */

struct fill {
	struct bench *bench;
	struct object *object;
	uint64_t number;
	enum err err;
};

static void give(struct fill *fill, const char *name, const struct kmip_value *value)
{
	struct object *object = fill->object;
	struct object_attribute *attribute = &object->attributes[object->attribute_count++];
	struct stamp now = { .time = clock_wall_ms() << 16 | fill->number % 65536, .node = 1 };

	attribute->name = slice_text(name);
	attribute->written = now;
	if (slice_equal_text(attribute->name, "Digest"))
		attribute->added = now;
	if (fill->err == ERR_OK)
		fill->err = kmip_value_encode(&attribute->value, fill->bench->arena, value);
}

static void give_text(struct fill *fill, const char *name, const char *format, uint64_t number)
{
	char *text = arena_printf(fill->bench->arena, format, (unsigned long long) number);
	struct kmip_value value = kmip_value_text(slice_text(text));

	give(fill, name, &value);
}

static void give_number(struct fill *fill, const char *name, struct kmip_value value)
{
	give(fill, name, &value);
}

static struct kmip_value struct_value(
	struct bench *bench, const struct kmip_struct *table, const void *object)
{
	struct kmip_value value = { 0 };

	(void) !kmip_value_write(&value, bench->arena, table, object);
	return value;
}

static struct kmip_value name_value(struct bench *bench, uint64_t number)
{
	struct kmip_name name = { .type = KMIP_UINT(KMIP_NAME_TYPE_UNINTERPRETED_TEXT_STRING) };

	name.value = slice_text(
		arena_printf(bench->arena, "key number %llu", (unsigned long long) number));
	return struct_value(bench, &kmip_name_table, &name);
}

static struct kmip_value link_value(struct bench *bench, uint64_t number)
{
	struct kmip_link link = { .type = KMIP_UINT(KMIP_LINK_TYPE_REPLACED_OBJECT_LINK) };

	link.identifier = slice_text(arena_printf(
		bench->arena, "00000000-0000-4000-8000-%012llx", (unsigned long long) number));
	return struct_value(bench, &kmip_link_table, &link);
}

static struct kmip_value digest_value(struct bench *bench)
{
	uint8_t bytes[32];
	struct kmip_digest digest = { .hashing_algorithm =
					      KMIP_UINT(KMIP_HASHING_ALGORITHM_SHA_256) };

	rand_bytes(bytes, sizeof(bytes));
	digest.value = slice_of(bytes, sizeof(bytes));
	return struct_value(bench, &kmip_digest_table, &digest);
}

/* In the order of their names, as a record has them. */
static void give_all(struct fill *fill)
{
	uint64_t number = fill->number;

	give_number(
		fill, "Cryptographic Algorithm", kmip_value_enum(KMIP_CRYPTOGRAPHIC_ALGORITHM_AES));
	give_number(fill, "Cryptographic Length", kmip_value_integer(256));
	give_number(fill, "Cryptographic Usage Mask", kmip_value_integer(12));
	give_number(fill, "Digest", digest_value(fill->bench));
	if (number % LINKED_EVERY == 1)
		give_number(fill, "Link", link_value(fill->bench, number));
	give_number(fill, "Name", name_value(fill->bench, number));
	give_text(fill, "Object Group", "group %llu", number / GROUP_SIZE);
	give_text(fill, "x-Serial", "serial-%llu", number);
	give_text(fill, "x-Site", "site-%llu", number % SITES);
}

static enum err fill_one(struct bench *bench, struct cache_write *write, uint64_t number)
{
	static uint8_t ciphertext[FILL_CIPHERTEXT_LEN];
	struct record record = { .kind = RECORD_OBJECT };
	struct cache_put put = { .record = &record };
	struct object *object = &record.object;
	struct fill fill = { .bench = bench, .object = object, .number = number };

	object->attributes =
		arena_array(bench->arena, FILL_ATTRIBUTES, sizeof(struct object_attribute));
	if (object->attributes == NULL)
		return ERR_NOMEM;
	rand_bytes(object->uid.bytes, sizeof(object->uid.bytes));
	rand_bytes(object->envelope_hash, sizeof(object->envelope_hash));
	rand_bytes(ciphertext, sizeof(ciphertext));
	object->key_id = object->uid;
	object->instance = bench->instance;
	object->type = number % SECRET_EVERY == 3 ? KMIP_OBJECT_TYPE_SECRET_DATA
						  : KMIP_OBJECT_TYPE_SYMMETRIC_KEY;
	object->format = KMIP_KEY_FORMAT_TYPE_RAW;
	object->has_material = true;
	object->life = number % WAITING_EVERY == 5 ? OBJECT_PRE_ACTIVE : OBJECT_ACTIVE;
	object->compromised = number % COMPROMISED_EVERY == 7;
	object->wrapped.ciphertext = slice_of(ciphertext, sizeof(ciphertext));
	object->dates[OBJECT_DATE_INITIAL] = 1700000000 + (int64_t) number / 7;
	give_all(&fill);
	return fill.err != ERR_OK ? fill.err : cache_merge(write, bench->arena, &put);
}

static enum err fill_batch(struct bench *bench, uint64_t from, uint64_t to)
{
	struct cache_write *write = NULL;
	enum err err;

	TRY(cache_write_begin(&write, bench->cache));
	for (uint64_t i = from; i < to; i++) {
		TRY(fill_one(bench, write, i));
		arena_reset(bench->arena);
	}
	err = cache_commit(write);
	write = NULL;
out:
	cache_abort(write);
	return err;
}

static enum err count(struct bench *bench, struct cache_counts *counts)
{
	struct cache_read *read = NULL;
	enum err err;

	TRY(cache_read_begin(&read, bench->cache));
	TRY(cache_count(read, counts));
out:
	cache_read_end(read);
	return err;
}

static enum err fill_all(struct bench *bench)
{
	struct cache_counts counts;
	uint64_t begun_ms = clock_boot_ms();
	enum err err;

	TRY(count(bench, &counts));
	if (counts.objects >= bench->records)
		return ERR_OK;
	for (uint64_t i = counts.objects; i < bench->records; i += FILL_BATCH) {
		uint64_t to = i + FILL_BATCH < bench->records ? i + FILL_BATCH : bench->records;

		TRY(fill_batch(bench, i, to));
		(void) fprintf(stderr, "\r%llu of %llu records", (unsigned long long) to,
			(unsigned long long) bench->records);
	}
	TRY(count(bench, &counts));
	printf("\nfilled in %llu ms, %llu bytes a record\n",
		(unsigned long long) (clock_boot_ms() - begun_ms),
		(unsigned long long) (counts.bytes_used / bench->records));
out:
	return err;
}

/* ---- the server, as a worker has it ---- */

static enum err bench_open(struct bench *bench, bool read_only)
{
	struct cache_options cache = { .folder = bench->folder,
		.map_bytes = (size_t) MAP_MIB << 20,
		.read_only = read_only,
		.terms = &kmip_terms };
	char why[CACHE_WHY_MAX] = "";
	enum err err = cache_open(&bench->cache, &cache, why);

	if (err != ERR_OK)
		(void) fprintf(stderr, "%s\n", why);
	return err;
}

static enum err bench_serve(struct bench *bench)
{
	struct keystore_instance_options instance = { .id = bench->instance,
		.name = "bench",
		.keymanager = { .kind = "key-protect", .root_key = "root" } };
	struct keystore_options options = { .cache = bench->cache,
		.table = bench->table,
		.instances = &instance,
		.instance_count = 1,
		.node = 1,
		.reader = true };
	struct kmip_options kmip = { .vendor = "bench", .node_name = "bench" };
	char why[CACHE_WHY_MAX] = "";
	enum err err;

	TRY(keystore_new(&bench->keystore, &options, why));
	kmip.keystore = bench->keystore;
	TRY(kmip_server_new(&bench->server, &kmip));
out:
	if (err != ERR_OK)
		(void) fprintf(stderr, "%s\n", why);
	return err;
}

static void bench_close(struct bench *bench)
{
	kmip_server_free(bench->server);
	keystore_free(bench->keystore);
	cache_close(bench->cache);
	bench->server = NULL;
	bench->keystore = NULL;
	bench->cache = NULL;
}

static void forget_file(const struct bench *bench)
{
	char path[4096];
	int fd;

	(void) snprintf(path, sizeof(path), "%s/data.mdb", bench->folder);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	(void) fsync(fd);
	(void) posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	close(fd);
}

/* ---- asking ---- */

struct question {
	const char *what;
	int32_t items_max; /* 0: all */
	size_t count;
	struct kmip_attribute attributes[4];
};

static enum err question_frame(
	struct bench *bench, const struct question *question, struct slice *out)
{
	struct kmip_protocol_version version = kmip_protocol_version(KMIP_1_4);
	struct kmip_request_header header = { .version = &version, .batch_count = KMIP_INT(1) };
	struct kmip_request_item item = { .operation = KMIP_UINT(KMIP_OPERATION_LOCATE) };
	struct kmip_locate_request request = {
		.attributes = { (struct kmip_attribute *) question->attributes, question->count }
	};
	struct codec codec = { .arena = bench->arena, .version = KMIP_1_4 };
	struct buf buf;
	enum err err;

	if (question->items_max != 0)
		request.items_max = KMIP_INT(question->items_max);
	buf_init(&buf, KMIP_FRAME_LEN_MAX);
	TRY(kmip_payload_encode(&item.payload, &codec, &kmip_locate_request_table, &request));
	TRY(kmip_request_encode(&buf, &header, &item));
	*out = arena_copy(bench->arena, buf_slice(&buf));
	err = out->data == NULL ? ERR_NOMEM : ERR_OK;
out:
	buf_free(&buf);
	return err;
}

static enum err ask(struct bench *bench, struct slice frame, struct buf *out, uint64_t *took_us)
{
	struct kmip_identity identity = { .instance = bench->instance };
	uint64_t begun_us = clock_boot_us();
	bool close;
	enum err err;

	buf_clear(out);
	err = kmip_serve(bench->server, &identity, frame, out, &close);
	*took_us = clock_boot_us() - begun_us;
	return err;
}

/* How many were found, or what else was said. */
static const char *outcome(struct bench *bench, const struct buf *answer)
{
	struct kmip_response *response = ARENA_NEW(bench->arena, struct kmip_response);
	struct codec codec = { .arena = bench->arena, .version = KMIP_1_4 };
	struct kmip_locate_response *payload;
	void *decoded;

	if (response == NULL ||
		kmip_response_decode(response, bench->arena, buf_slice(answer)) != ERR_OK)
		return "?";
	if (response->items[0].status.value != KMIP_RESULT_STATUS_SUCCESS)
		return arena_printf(bench->arena, "refused: %.*s",
			(int) response->items[0].message.len,
			(const char *) response->items[0].message.data);
	if (kmip_payload_decode(&decoded, &codec, &kmip_locate_response_table,
		    response->items[0].payload) != ERR_OK)
		return "?";
	payload = decoded;
	return arena_printf(bench->arena, "%zu found", payload->unique_identifiers.count);
}

static int compare_us(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *) a, right = *(const uint64_t *) b;

	return left < right ? -1 : left > right;
}

static enum err measure(struct bench *bench, const struct question *question)
{
	static uint64_t took_us[ROUNDS_MAX];
	uint64_t cold_us, until_ms;
	size_t rounds = 0;
	struct slice frame;
	struct buf answer;
	enum err err;

	buf_init(&answer, KMIP_RESPONSE_LEN_MAX);
	TRY(question_frame(bench, question, &frame));
	bench_close(bench);
	forget_file(bench);
	TRY(bench_open(bench, true));
	TRY(bench_serve(bench));
	err = ask(bench, frame, &answer, &cold_us);
	if (err == ERR_FORWARD) {
		printf("%-44s the keeper's: too much for a worker (%llu us)\n", question->what,
			(unsigned long long) cold_us);
		err = ERR_OK;
		goto out;
	}
	TRY(err);
	until_ms = clock_boot_ms() + ROUND_MS_MAX;
	while (rounds < ROUNDS_MAX && clock_boot_ms() < until_ms)
		TRY(ask(bench, frame, &answer, &took_us[rounds++]));
	qsort(took_us, rounds, sizeof(took_us[0]), compare_us);
	printf("%-44s %9llu %9llu %9llu  %s\n", question->what, (unsigned long long) cold_us,
		(unsigned long long) took_us[rounds / 2], (unsigned long long) took_us[rounds - 1],
		outcome(bench, &answer));
	(void) fflush(stdout);
out:
	buf_free(&answer);
	return err;
}

static struct kmip_attribute of(const char *name, struct kmip_value value)
{
	return (struct kmip_attribute){ .name = slice_text(name), .value = value };
}

static enum err measure_all(struct bench *bench)
{
	uint64_t some = bench->records / 2 / LINKED_EVERY * LINKED_EVERY + 1;
	const char *serial = arena_printf(bench->arena, "serial-%llu", (unsigned long long) some);
	const char *group =
		arena_printf(bench->arena, "group %llu", (unsigned long long) (some / GROUP_SIZE));
	struct kmip_attribute name = of("Name", name_value(bench, some)),
			      link = of("Link", link_value(bench, some)),
			      own = of("x-Serial", kmip_value_text(slice_text(serial))),
			      site = of("x-Site", kmip_value_text(slice_text("site-1"))),
			      other_site = of("x-Site", kmip_value_text(slice_text("site-2"))),
			      in_group = of("Object Group", kmip_value_text(slice_text(group))),
			      keys = of("Object Type",
				      kmip_value_enum(KMIP_OBJECT_TYPE_SYMMETRIC_KEY)),
			      secrets = of(
				      "Object Type", kmip_value_enum(KMIP_OBJECT_TYPE_SECRET_DATA)),
			      active = of("State", kmip_value_enum(KMIP_STATE_ACTIVE)),
			      waiting = of("State", kmip_value_enum(KMIP_STATE_PRE_ACTIVE)),
			      broken = of("State", kmip_value_enum(KMIP_STATE_COMPROMISED)),
			      mask = of("Cryptographic Usage Mask", kmip_value_integer(4)),
			      other_mask = of("Cryptographic Usage Mask", kmip_value_integer(1));
	const struct question questions[] = {
		{ "Name", 0, 1, { name } },
		{ "custom attribute", 0, 1, { own } },
		{ "Link", 0, 1, { link } },
		{ "Object Group", 0, 1, { in_group } },
		{ "State, few", 0, 1, { waiting } },
		{ "State, few, of a type that most have", 0, 2, { broken, keys } },
		{ "Object Type, few", 0, 1, { secrets } },
		{ "Name, Object Type, State", 0, 3, { name, keys, active } },
		{ "State, few, of a site", 0, 2, { broken, site } },
		{ "Object Type and State, most; 10 of them", 10, 2, { keys, active } },
		{ "site and State, a quarter; 10 of them", 10, 2, { site, active } },
		{ "Usage Mask, all; 10 of them", 10, 1, { mask } },
		{ .what = "nothing; 10 of them", .items_max = 10 },
		{ "two types, none", 0, 2, { keys, secrets } },
		{ "two sites, none", 0, 2, { site, other_site } },
		{ "Usage Mask, none", 10, 1, { other_mask } },
	};
	enum err err = ERR_OK;

	printf("%-44s %9s %9s %9s\n", "microseconds", "cold", "median", "slowest");
	for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++)
		TRY(measure(bench, &questions[i]));
out:
	return err;
}

static bool parse(struct bench *bench, int argc, char **argv)
{
	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--folder") == 0)
			bench->folder = argv[i + 1];
		else if (strcmp(argv[i], "--records") == 0)
			bench->records = strtoull(argv[i + 1], NULL, 10);
		else
			return false;
	}
	return argc % 2 == 1 && bench->folder != NULL && bench->records > 0;
}

int main(int argc, char **argv)
{
	struct bench bench = { 0 };
	enum err err;

	if (!parse(&bench, argc, argv)) {
		(void) fprintf(stderr, "usage: locate-bench --folder F --records N\n");
		return 2;
	}
	TRY(crypt_start());
	TRY(instance_id_parse(&bench.instance, slice_text("instance-1")));
	TRY(arena_new(&bench.arena, FILL_ARENA_MAX));
	TRY(kek_table_new(&bench.table, 16));
	TRY(bench_open(&bench, false));
	TRY(fill_all(&bench));
	arena_reset(bench.arena);
	TRY(measure_all(&bench));
out:
	if (err != ERR_OK)
		(void) fprintf(stderr, "locate-bench: %s\n", err_text(err));
	bench_close(&bench);
	kek_table_free(bench.table);
	arena_free(bench.arena);
	return err == ERR_OK ? 0 : 1;
}
