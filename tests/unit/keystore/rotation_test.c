/* SPDX-License-Identifier: Apache-2.0 */
/* What a rotation of the root key does to the wrapped forms in the cache (design D6, D14). */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "keystore/root_versions.h"
#include "tests/harness/store_world.h"

enum { LONG_LEN = 4000 }; /* too long to be wrapped at once */

static struct world world;
static const struct slice material = SLICE_LITERAL("0123456789abcdef0123456789abcdef");

static int64_t root_version(void)
{
	struct keystore_instance_status status;

	keystore_instance_status(world.keystore, 0, &status);
	return status.root_version;
}

static bool is_root_known(struct world *in)
{
	(void) in;
	return root_version() != 0;
}

static int64_t version_before;

static bool is_rotation_known(struct world *in)
{
	(void) in;
	return root_version() > version_before;
}

static void setup(void)
{
	world_make(&world);
	world_start(&world);
	world_until(&world, is_root_known);
}

static void teardown(void)
{
	world_remove(&world);
}

TestSuite(rotation, .init = setup, .fini = teardown, .timeout = 60);

static struct uid make_key(struct slice of)
{
	cr_assert_eq(world_create(&world, of), ERR_OK);
	return world.uid;
}

static void forget_unwrapped(void)
{
	kek_table_drop_instance(world.table, &world.instances[0].id);
}

static void rotate(void)
{
	version_before = root_version();
	world.service.root_version++;
}

static int64_t version_date(const struct uid *uid)
{
	struct object object;

	cr_assert(world_object(&world, uid, &object));
	return root_versions_date(object.wrapped.version_label);
}

/* Shows that a new key is labelled with the version that wrapped it. */
Test(rotation, labels_new_keys)
{
	struct uid uid = make_key(material);

	cr_assert_eq(version_date(&uid), root_version());
}

/* Shows that a key that comes from the key manager is labelled too, and that one that comes in an
 * old form is cached in the new one. */
Test(rotation, labels_what_it_reads_through)
{
	struct uid young, old = make_key(material);

	rotate();
	forget_unwrapped();
	cr_assert_eq(world_get(&world, &old, material), ERR_OK);
	world_until(&world, is_rotation_known);
	young = make_key(material);
	world_lose_cache(&world);
	world_start(&world);
	world_until(&world, is_root_known);
	cr_assert_eq(world_get(&world, &young, material), ERR_OK);
	cr_assert_eq(world_get(&world, &old, material), ERR_OK);
	cr_assert_eq(world_wrapped_by(&world, &young), 2);
	cr_assert_eq(world_wrapped_by(&world, &old), 2);
	cr_assert_eq(version_date(&young), root_version());
}

/* Shows that an unwrap after a rotation leaves the new form in the cache: at once, also where the
 * rotation is not known yet. Then the label stays old, the root key is looked at, and the next key
 * is labelled right. */
Test(rotation, keeps_the_rewrapped_form)
{
	struct uid first = make_key(material), second = make_key(material);
	int64_t old = version_date(&first);

	rotate();
	forget_unwrapped();
	cr_assert_eq(world_get(&world, &first, material), ERR_OK);
	cr_assert_eq(world_wrapped_by(&world, &first), 2);
	cr_assert_eq(version_date(&first), old);
	world_until(&world, is_rotation_known);
	cr_assert_eq(world_get(&world, &second, material), ERR_OK);
	cr_assert_eq(world_wrapped_by(&world, &second), 2);
	cr_assert_eq(version_date(&second), root_version());
	forget_unwrapped();
	cr_assert_eq(world_get(&world, &first, material), ERR_OK);
	cr_assert_eq(world_get(&world, &second, material), ERR_OK);
}

/* Shows the same for material that is sealed under a one-time key: that key is what is wrapped
 * anew, and the sealed bytes stay. */
Test(rotation, keeps_the_rewrapped_one_time_key)
{
	static uint8_t bytes[LONG_LEN];
	struct object before, after;
	unsigned gets;
	struct uid uid;

	memset(bytes, 0x5c, sizeof(bytes));
	uid = make_key(slice_of(bytes, sizeof(bytes)));
	cr_assert(world_object(&world, &uid, &before));
	cr_assert_gt(before.wrapped.sealed.len, LONG_LEN);
	rotate();
	cr_assert_eq(world_get(&world, &uid, slice_of(bytes, sizeof(bytes))), ERR_OK);
	cr_assert_eq(world_wrapped_by(&world, &uid), 2);
	gets = world.service.calls[FAKE_GET];
	cr_assert_eq(world_get(&world, &uid, slice_of(bytes, sizeof(bytes))), ERR_OK);
	cr_assert_eq(world.service.calls[FAKE_GET], gets, "the cached form opens");
	cr_assert(world_object(&world, &uid, &after));
	cr_assert_eq(after.wrapped.sealed.len, before.wrapped.sealed.len);
}

/* Shows that a second rotation before the first is known does not label a form as newer than it is:
 * an answer from between the two. */
Test(rotation, never_labels_too_new)
{
	struct uid uid = make_key(material);
	int64_t old = version_date(&uid);

	forget_unwrapped();
	rotate();
	/* The answer is under way while the root key is rotated again. */
	cr_assert_eq(world_get(&world, &uid, material), ERR_OK);
	world.service.root_version++;
	version_before = old + 1;
	world_until(&world, is_rotation_known);
	cr_assert_eq(root_version(), old + 2);
	cr_assert_eq(world_wrapped_by(&world, &uid), 2);
	cr_assert_leq(version_date(&uid), old + 1);
}

static void on_merged(void *ctx, enum err err)
{
	struct world *in = ctx;

	in->answered = true;
	in->err = err;
}

static void merge_damaged_form(const struct uid *uid)
{
	struct record record = { .kind = RECORD_OBJECT };
	struct keystore_pending *pending;
	struct slice bytes;
	struct buf buf;

	cr_assert(world_object(&world, uid, &record.object));
	record.object.attribute_count = 0;
	record.object.wrapped.ciphertext = SLICE_LITERAL("0001:damaged");
	record.object.wrapped.sealed = SLICE_EMPTY;
	record.object.wrapped.written.time = 1000;
	buf_init(&buf, RECORD_LEN_MAX);
	cr_assert_eq(record_encode(&buf, &record), ERR_OK);
	bytes = buf_slice(&buf);
	struct keystore_merge merge = { .records = &bytes, .record_count = 1 };
	world.answered = false;
	cr_assert_eq(
		keystore_merge_start(&pending, world.keystore, &merge, on_merged, &world), ERR_OK);
	buf_free(&buf);
	world_until(&world, world_is_answered);
	cr_assert_eq(world.err, ERR_OK);
}

/* Shows that a cached form that does not open, as a faulty answer would leave, is replaced by what
 * the key manager has: once. */
Test(rotation, replaces_a_form_that_does_not_open)
{
	struct uid uid = make_key(material);
	unsigned gets;

	merge_damaged_form(&uid);
	forget_unwrapped();
	gets = world.service.calls[FAKE_GET];
	cr_assert_eq(world_get(&world, &uid, material), ERR_OK);
	cr_assert_eq(world.service.calls[FAKE_GET], gets + 1);
	forget_unwrapped();
	cr_assert_eq(world_get(&world, &uid, material), ERR_OK);
	cr_assert_eq(world.service.calls[FAKE_GET], gets + 1, "not read again");
}

/* Shows that a form of another sealing is not mixed with the object's. */
Test(rotation, does_not_mix_sealings)
{
	struct object object = { .wrapped = {
					 .ciphertext = SLICE_LITERAL("own"), .nonce = { 1 } } };
	struct object_wrapped other = object.wrapped;

	other.ciphertext = SLICE_LITERAL("renewed");
	other.nonce[0] = 2;
	object_renew_wrapped(&object, &other);
	cr_assert(slice_equal_text(object.wrapped.ciphertext, "own"));
	other.nonce[0] = 1;
	other.sealed = SLICE_LITERAL("sealed");
	object_renew_wrapped(&object, &other);
	cr_assert(slice_equal_text(object.wrapped.ciphertext, "own"));
	other.sealed = SLICE_EMPTY;
	object_renew_wrapped(&object, &other);
	cr_assert(slice_equal_text(object.wrapped.ciphertext, "renewed"));
}

/* Shows that versions are found by id whatever their order, that the newest is the latest date, and
 * that what was not told is not kept. */
Test(rotation, remembers_versions)
{
	struct root_versions versions = { .count = 0 };
	char id[] = "v-0";

	root_versions_note(&versions, SLICE_EMPTY, 5);
	root_versions_note(&versions, slice_text("undated"), 0);
	cr_assert_eq(root_versions_newest(&versions), 0);
	for (int i = 1; i <= ROOT_VERSIONS_MAX + 1; i++) {
		id[2] = (char) ('a' + i);
		root_versions_note(&versions, slice_text(id), 100 + i);
		root_versions_note(&versions, slice_text(id), 7);
	}
	cr_assert_eq(root_versions_date(root_versions_newest(&versions)), 101 + ROOT_VERSIONS_MAX);
	cr_assert_eq(
		root_versions_label(&versions, slice_text("v-b")), 0, "the oldest is forgotten");
	cr_assert_eq(root_versions_date(root_versions_label(&versions, slice_text("v-c"))), 102);
	root_versions_note(&versions, slice_text("older"), 1);
	cr_assert_eq(root_versions_label(&versions, slice_text("older")), 0);
	root_versions_note(&versions, slice_text("no date"), INT64_MAX);
	cr_assert_eq(root_versions_label(&versions, slice_text("no date")), 0);
	cr_assert_eq(versions.count, ROOT_VERSIONS_MAX);
}

/* Shows that versions of one second are told apart by their ids, and that a later one is greater
 * whatever its id is. */
Test(rotation, labels_differ_within_a_second)
{
	struct root_versions one = { .count = 0 }, other = { .count = 0 };

	root_versions_note(&one, slice_text("3a1c"), 100);
	root_versions_note(&other, slice_text("9b77"), 100);
	cr_assert_neq(root_versions_newest(&one), root_versions_newest(&other));
	cr_assert_eq(root_versions_date(root_versions_newest(&one)), 100);
	cr_assert_eq(root_versions_date(root_versions_newest(&other)), 100);
	for (int i = 0; i < 1000; i++) {
		char id[32];

		snprintf(id, sizeof(id), "version-%d", i);
		one.count = 0;
		root_versions_note(&one, slice_text(id), 101);
		cr_assert_gt(root_versions_newest(&one), root_versions_newest(&other));
	}
}
