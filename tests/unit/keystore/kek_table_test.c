/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/rand.h"
#include "keystore/kek_table.h"

enum { SLOTS = 64, ARENA_MAX = 1 << 20, TORTURE_READS = 40000 };

static struct kek_table *table;
static struct arena *arena;
static struct instance_id tenant, stranger;

static void setup(void)
{
	cr_assert_eq(arena_new(&arena, ARENA_MAX), ERR_OK);
	cr_assert_eq(kek_table_new(&table, SLOTS), ERR_OK);
	cr_assert_eq(instance_id_parse(&tenant, slice_text("instance-a")), ERR_OK);
	cr_assert_eq(instance_id_parse(&stranger, slice_text("instance-b")), ERR_OK);
	kek_table_set_vouch(table, UINT64_MAX);
}

static void teardown(void)
{
	kek_table_free(table);
	arena_free(arena);
}

TestSuite(kek_table, .init = setup, .fini = teardown);

static void put(uint8_t number, const char *material)
{
	struct kek_entry entry = { .instance = tenant,
		.uid = { { 0, 0, 0, 0, 0, 0, 0, number } },
		.material = slice_text(material),
		.fresh_until_ms = 100,
		.resident_until_ms = 200 };

	cr_assert_eq(kek_table_put(table, &entry), ERR_OK);
}

static enum err get(struct kek_table *from, const struct instance_id *instance, uint8_t number,
	uint64_t now_ms, struct slice *out)
{
	struct uid uid = { { 0, 0, 0, 0, 0, 0, 0, number } };

	return kek_table_get(from, arena, instance, &uid, now_ms, out);
}

/* An entry that may displace nobody takes a free place, its own, or one whose time is over. */
Test(kek_table, spares_others)
{
	struct kek_table *small;
	struct kek_entry entry = { .instance = tenant,
		.uid = { { 1 } },
		.material = slice_text("first"),
		.fresh_until_ms = 100,
		.resident_until_ms = 200,
		.spare_after_ms = 50 };
	struct kek_entry second = entry;
	struct kek_seen seen;

	second.uid.bytes[0] = 2;
	cr_assert_eq(kek_table_new(&small, 1), ERR_OK);
	kek_table_look(small, &entry, 50, &seen);
	cr_assert(seen.has_room);
	cr_assert_eq(seen.resident_until_ms, 0);
	cr_assert_eq(kek_table_put(small, &entry), ERR_OK);
	cr_assert_eq(kek_table_put(small, &entry), ERR_OK, "its own place");
	kek_table_look(small, &second, 50, &seen);
	cr_assert_not(seen.has_room);
	cr_assert_eq(kek_table_put(small, &second), ERR_LIMIT);
	cr_assert_eq(kek_table_count(small), 1);
	kek_table_look(small, &second, 200, &seen);
	cr_assert(seen.has_room);
	second.spare_after_ms = 200;
	cr_assert_eq(kek_table_put(small, &second), ERR_OK);
	cr_assert_eq(kek_table_count(small), 1);
	second.spare_after_ms = 0;
	cr_assert_eq(kek_table_put(small, &entry), ERR_LIMIT);
	entry.spare_after_ms = 0;
	cr_assert_eq(kek_table_put(small, &entry), ERR_OK, "a client's displaces");
	kek_table_free(small);
}

/* Which were used last: by what clients asked for, kept when the entry is only renewed. */
Test(kek_table, remembers_use)
{
	struct kek_entry entry = { .instance = tenant,
		.material = slice_text("x"),
		.fresh_until_ms = 100,
		.resident_until_ms = 200 };
	struct kek_seen seen;
	uint64_t used_ms;

	cr_assert_eq(kek_table_recent(table, 1, &used_ms), ERR_OK);
	cr_assert_eq(used_ms, 1);
	for (uint8_t i = 1; i <= 9; i++) {
		entry.uid.bytes[7] = i;
		entry.used_ms = 1000u + (i * 7u) % 10u;
		cr_assert_eq(kek_table_put(table, &entry), ERR_OK);
	}
	for (uint64_t n = 1; n <= 9; n++) {
		cr_assert_eq(kek_table_recent(table, n, &used_ms), ERR_OK);
		cr_assert_eq(used_ms, 1010 - n);
	}
	cr_assert_eq(kek_table_recent(table, 10, &used_ms), ERR_OK);
	cr_assert_eq(used_ms, 1);
	entry.used_ms = 0;
	cr_assert_eq(kek_table_put(table, &entry), ERR_OK);
	kek_table_look(table, &entry, 50, &seen);
	cr_assert_eq(seen.used_ms, 1003);
	kek_table_drop(table, &tenant, &entry.uid);
	kek_table_look(table, &entry, 50, &seen);
	cr_assert_eq(seen.used_ms, 0);
	cr_assert_eq(seen.resident_until_ms, 0);
}

/* Fresh, then resident, then gone; the material of a stale entry is given all the same. */
Test(kek_table, ages)
{
	struct slice out;

	put(1, "material");
	cr_assert_eq(get(table, &tenant, 1, 99, &out), ERR_OK);
	cr_assert(slice_equal_text(out, "material"));
	cr_assert_eq(get(table, &tenant, 1, 100, &out), ERR_AGAIN);
	cr_assert(slice_equal_text(out, "material"));
	cr_assert_eq(get(table, &tenant, 1, 200, &out), ERR_MISS);
	cr_assert_eq(out.len, 0);
	cr_assert_eq(get(table, &tenant, 2, 0, &out), ERR_MISS);
	cr_assert_eq(get(table, &stranger, 1, 0, &out), ERR_MISS);
}

/* Nobody vouches for a new table, and a vouch runs out. */
Test(kek_table, vouch)
{
	struct kek_table *fresh;
	struct slice out;

	put(1, "material");
	kek_table_set_vouch(table, 50);
	cr_assert_eq(get(table, &tenant, 1, 49, &out), ERR_OK);
	cr_assert_eq(get(table, &tenant, 1, 50, &out), ERR_FORWARD);
	cr_assert(slice_equal_text(out, "material"));
	cr_assert_eq(kek_table_new(&fresh, 1), ERR_OK);
	cr_assert_eq(kek_table_vouch(fresh), 0);
	cr_assert_eq(kek_table_vouch_of(fresh, &tenant), 0);
	kek_table_free(fresh);
}

/* What the key manager of one tenant told vouches for that tenant alone; the later of that and the
 * lease holds. */
Test(kek_table, vouch_of_a_tenant)
{
	struct slice out;

	put(1, "material");
	kek_table_set_vouch(table, 20);
	kek_table_set_vouch_of(table, &stranger, 90);
	cr_assert_eq(get(table, &tenant, 1, 20, &out), ERR_FORWARD);
	kek_table_set_vouch_of(table, &tenant, 50);
	cr_assert_eq(get(table, &tenant, 1, 49, &out), ERR_OK);
	cr_assert_eq(get(table, &tenant, 1, 50, &out), ERR_FORWARD);
	kek_table_set_vouch(table, 70);
	cr_assert_eq(kek_table_vouch_of(table, &tenant), 70);
	cr_assert_eq(kek_table_vouch_of(table, &stranger), 90);
	cr_assert_eq(kek_table_vouch(table), 70);
	kek_table_set_vouch_of(table, &stranger, 0);
	cr_assert_eq(kek_table_vouch_of(table, &stranger), 70);
}

/* The peer has another configuration of the tenant: its lease does not vouch for that one, and what
 * the tenant's own key manager told still does. */
Test(kek_table, lease_is_silent_on_a_tenant)
{
	struct slice out;

	put(1, "material");
	kek_table_set_vouch(table, 90);
	cr_assert_eq(kek_table_set_leased(table, &tenant, false), ERR_OK);
	cr_assert_eq(get(table, &tenant, 1, 20, &out), ERR_FORWARD);
	cr_assert_eq(kek_table_lease_of(table, &tenant), 0);
	cr_assert_eq(kek_table_lease_of(table, &stranger), 90);
	kek_table_set_vouch_of(table, &tenant, 50);
	cr_assert_eq(get(table, &tenant, 1, 49, &out), ERR_OK);
	cr_assert_eq(get(table, &tenant, 1, 50, &out), ERR_FORWARD);
	cr_assert_eq(kek_table_set_leased(table, &tenant, true), ERR_OK);
	cr_assert_eq(get(table, &tenant, 1, 50, &out), ERR_OK);
}

/* What the tenant's key manager told could not be stored: neither the lease nor what was told
 * before vouches for that tenant, until it is said to again. */
Test(kek_table, vouches_are_withheld)
{
	struct slice out;

	put(1, "material");
	kek_table_set_vouch(table, UINT64_MAX);
	kek_table_set_vouch_of(table, &tenant, 90);
	cr_assert_eq(kek_table_set_withheld(table, &tenant, true), ERR_OK);
	cr_assert_eq(get(table, &tenant, 1, 20, &out), ERR_FORWARD);
	cr_assert_eq(kek_table_vouch_of(table, &tenant), 0);
	cr_assert_eq(kek_table_lease_of(table, &tenant), 0);
	cr_assert_eq(kek_table_vouch_of(table, &stranger), UINT64_MAX);
	kek_table_set_vouch_of(table, &tenant, 95);
	cr_assert_eq(kek_table_set_leased(table, &tenant, true), ERR_OK);
	cr_assert_eq(get(table, &tenant, 1, 20, &out), ERR_FORWARD);
	cr_assert_eq(kek_table_set_withheld(table, &tenant, false), ERR_OK);
	cr_assert_eq(get(table, &tenant, 1, 20, &out), ERR_OK);
}

/* What is dropped is gone, for one key or for a tenant. */
Test(kek_table, drop)
{
	struct slice out;

	put(1, "a");
	put(2, "b");
	put(2, "B");
	cr_assert_eq(kek_table_count(table), 2);
	kek_table_drop(table, &stranger, &(struct uid){ { 0, 0, 0, 0, 0, 0, 0, 1 } });
	cr_assert_eq(kek_table_count(table), 2);
	kek_table_drop(table, &tenant, &(struct uid){ { 0, 0, 0, 0, 0, 0, 0, 1 } });
	cr_assert_eq(get(table, &tenant, 1, 0, &out), ERR_MISS);
	cr_assert_eq(get(table, &tenant, 2, 0, &out), ERR_OK);
	cr_assert(slice_equal_text(out, "B"));
	kek_table_drop_instance(table, &stranger);
	cr_assert_eq(kek_table_count(table), 1);
	kek_table_drop_instance(table, &tenant);
	cr_assert_eq(kek_table_count(table), 0);
	cr_assert_eq(get(table, &tenant, 2, 0, &out), ERR_MISS);
}

/* A full probe range gives up what was written first. */
Test(kek_table, oldest_gives_way)
{
	struct slice out;

	for (uint8_t i = 0; i <= KEK_TABLE_PROBES_MAX; i++) {
		struct kek_entry entry = { .instance = tenant,
			.material = slice_text("m"),
			.fresh_until_ms = 100,
			.resident_until_ms = 200 };

		/* Both halves are equal but for a multiple of the table: all share one place. */
		entry.uid.bytes[6] = i;
		cr_assert_eq(kek_table_put(table, &entry), ERR_OK);
	}
	cr_assert_eq(kek_table_count(table), KEK_TABLE_PROBES_MAX);
	cr_assert_eq(
		kek_table_get(table, arena, &tenant, &(struct uid){ { 0 } }, 0, &out), ERR_MISS);
	cr_assert_eq(kek_table_get(table, arena, &tenant, &(struct uid){ { 0, 0, 0, 0, 0, 0, 1 } },
			     0, &out),
		ERR_OK);
}

/* Material that is too long is not kept, and neither is what it would replace. */
Test(kek_table, too_long)
{
	uint8_t long_material[KEK_TABLE_MATERIAL_MAX + 1] = { 0 };
	struct kek_entry entry = { .instance = tenant,
		.uid = { { 0, 0, 0, 0, 0, 0, 0, 1 } },
		.material = slice_of(long_material, sizeof(long_material)),
		.fresh_until_ms = 100,
		.resident_until_ms = 200 };
	struct slice out;

	put(1, "a");
	cr_assert_eq(kek_table_put(table, &entry), ERR_LIMIT);
	cr_assert_eq(get(table, &tenant, 1, 0, &out), ERR_MISS);
	entry.material.len = KEK_TABLE_MATERIAL_MAX;
	cr_assert_eq(kek_table_put(table, &entry), ERR_OK);
	cr_assert_eq(get(table, &tenant, 1, 0, &out), ERR_OK);
	cr_assert_eq(out.len, KEK_TABLE_MATERIAL_MAX);
}

/* A worker reads what the keeper writes, with the keeper's key alone; and never writes. */
Test(kek_table, attach)
{
	uint8_t wrong[32] = { 1 };
	struct kek_table *worker;
	struct slice out;
	int file;

	put(1, "material");
	cr_assert_eq(kek_table_attach(&worker, kek_table_fd(table), kek_table_key(table)), ERR_OK);
	cr_assert_eq(get(worker, &tenant, 1, 0, &out), ERR_OK);
	cr_assert(slice_equal_text(out, "material"));
	cr_assert_eq(kek_table_vouch(worker), UINT64_MAX);
	kek_table_free(worker);
	cr_assert_eq(kek_table_attach(&worker, kek_table_fd(table), slice_of(wrong, 32)), ERR_OK);
	cr_assert_eq(get(worker, &tenant, 1, 0, &out), ERR_MISS);
	kek_table_free(worker);
	cr_assert_eq(
		kek_table_attach(&worker, kek_table_fd(table), slice_of(wrong, 31)), ERR_INVALID);
	file = memfd_create("other", MFD_CLOEXEC);
	cr_assert_eq(kek_table_attach(&worker, file, slice_of(wrong, 32)), ERR_INVALID);
	cr_assert_null(worker);
	(void) close(file);
}

/* The table can neither shrink under its readers nor be mapped for writing by them, and holds no
 * material in the clear. */
Test(kek_table, shared_memory_is_closed)
{
	int fd = kek_table_fd(table);
	size_t len = 4096;
	uint8_t *mapped;

	put(1, "canary-material");
	cr_assert_neq(ftruncate(fd, 0), 0);
	cr_assert_eq(mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
	len = (size_t) lseek(fd, 0, SEEK_END);
	mapped = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, 0);
	cr_assert_neq(mapped, MAP_FAILED);
	for (size_t at = 0; at + 15 <= len; at++)
		cr_assert_not(slice_equal_text(slice_of(mapped + at, 15), "canary-material"));
	(void) munmap(mapped, len);
}

/* Every byte of the material tells which key it belongs to. */
static void torture_material(uint8_t out[32], uint8_t number, uint8_t round)
{
	for (size_t i = 0; i < 32; i++)
		out[i] = i % 2 == 0 ? number : round;
}

static int torture_reader(int fd, struct slice key)
{
	struct kek_table *worker;
	struct slice out;
	size_t hits = 0;

	if (kek_table_attach(&worker, fd, key) != ERR_OK)
		return 2;
	for (uint32_t i = 0; i < TORTURE_READS; i++) {
		uint8_t number = (uint8_t) (i % 4), expected[32];

		if (get(worker, &tenant, number, 0, &out) == ERR_OK) {
			torture_material(expected, number, out.data[1]);
			if (!slice_equal(out, slice_of(expected, 32)))
				return 3;
			hits++;
		}
		if (i % 1000 == 0)
			arena_reset(arena);
	}
	return hits > 0 ? 0 : 4;
}

/* Readers in other processes never see a wrong, mixed or half-written key while the keeper rewrites
 * and drops the same few slots as fast as it can. */
Test(kek_table, torture)
{
	pid_t readers[2];
	uint8_t round = 0, material[32];
	size_t ended = 0;
	int status;

	for (size_t i = 0; i < 2; i++) {
		readers[i] = fork();
		if (readers[i] == 0)
			_exit(torture_reader(kek_table_fd(table), kek_table_key(table)));
	}
	while (ended < 2) {
		for (uint8_t number = 0; number < 4; number++) {
			struct kek_entry entry = { .instance = tenant,
				.uid = { { 0, 0, 0, 0, 0, 0, 0, number } },
				.material = slice_of(material, 32),
				.fresh_until_ms = 100,
				.resident_until_ms = 200 };

			torture_material(material, number, round);
			cr_assert_eq(kek_table_put(table, &entry), ERR_OK);
			if (round % 16 == number)
				kek_table_drop(table, &tenant, &entry.uid);
		}
		round++;
		if (waitpid(readers[ended], &status, WNOHANG) == 0)
			continue;
		cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %d", status);
		ended++;
	}
}
