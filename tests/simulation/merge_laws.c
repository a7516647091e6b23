/* SPDX-License-Identifier: Apache-2.0 */
/*
 * merge_laws: shows on generated records that merging them obeys the laws that the pair rests on
 * (design D7): the order in which three records come together, and how often, does not matter; and
 * what comes out is never below what went in.
 *
 *	--cases N [--first S]	triples from seeds S, S+1, ...; S replays one
 *
 * Each merge goes through its stored form, as between nodes. Status 1: a law was broken; its seed
 * was printed. The last line says how many triples held each kind of conflict: none may be 0.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/unit/keystore/record_random.h"

enum { ARENA_MAX = 1 << 20, CLIENT_ONE_IN = 8, FORMS = 10 };

struct tally {
	uint64_t ties, epochs, tombstones, moved, moved_ties, quarantined, extensions, clients;
};

struct laws {
	struct arena *arena;
	struct buf forms[FORMS]; /* stored forms of the case under way */
	size_t form_count;
	struct tally tally;
	const char *broken; /* law */
};

/* ---- merging, by way of the stored form ---- */

static struct slice stored(struct laws *laws, const struct record *record)
{
	struct buf *form = &laws->forms[laws->form_count++];

	ASSERT(laws->form_count <= FORMS);
	buf_clear(form);
	ASSERT(record_encode(form, record) == ERR_OK);
	return buf_slice(form);
}

static struct record merged(struct laws *laws, const struct record *a, const struct record *b)
{
	struct record out, back;

	ASSERT(record_merge(&out, laws->arena, a, b) == ERR_OK);
	ASSERT(record_decode(&back, laws->arena, stored(laws, &out)) == ERR_OK);
	return back;
}

static void expect(struct laws *laws, bool holds, const char *law)
{
	if (!holds && laws->broken == NULL)
		laws->broken = law;
}

static struct slice form(const struct laws *laws, size_t i)
{
	return buf_slice(&laws->forms[i]);
}

/* ---- never below ---- */

static bool has_register(const struct object *object, const struct object_attribute *wanted)
{
	for (size_t i = 0; i < object->attribute_count; i++) {
		const struct object_attribute *one = &object->attributes[i];

		if (slice_equal(one->name, wanted->name) &&
			stamp_compare(one->added, wanted->added) == 0)
			return stamp_compare(one->written, wanted->written) >= 0;
	}
	return false;
}

static bool is_date_kept(int64_t out, int64_t in)
{
	return in == 0 || (out != 0 && out <= in);
}

static bool is_object_above(const struct object *out, const struct object *in)
{
	int key = object_key_compare(out, in);
	bool above = out->life >= in->life && out->compromised >= in->compromised &&
		     out->dead_epoch >= in->dead_epoch && out->quarantined >= in->quarantined &&
		     out->unclaimed <= in->unclaimed && out->last_change >= in->last_change &&
		     key >= 0;

	/* Material, and that an older key was let go, are of the key that the record points to: one
	 * that moved may be without them until it is read (D6, D8). */
	if (key == 0)
		above &= out->has_material >= in->has_material &&
			 stamp_compare(out->moved, in->moved) >= 0;
	/* A tombstone stays within its epoch. */
	if (out->dead_epoch == in->dead_epoch)
		above &= out->dead >= in->dead;
	for (size_t i = 0; i < OBJECT_DATE_COUNT; i++)
		above &= is_date_kept(out->dates[i], in->dates[i]);
	for (size_t i = 0; i < in->attribute_count; i++)
		above &= has_register(out, &in->attributes[i]);
	return above && !(out->dead && out->wrapped.ciphertext.len > 0);
}

static bool is_above(const struct record *out, const struct record *in)
{
	if (out->minor < in->minor)
		return false;
	if (in->kind == RECORD_CLIENT)
		return stamp_compare(out->client.written, in->client.written) >= 0;
	return is_object_above(&out->object, &in->object);
}

/* ---- what a case held ---- */

static bool has_tie(const struct object *a, const struct object *b)
{
	for (size_t i = 0; i < a->attribute_count; i++)
		for (size_t j = 0; j < b->attribute_count; j++) {
			const struct object_attribute *left = &a->attributes[i],
						      *right = &b->attributes[j];

			if (slice_equal(left->name, right->name) &&
				stamp_compare(left->added, right->added) == 0 &&
				stamp_compare(left->written, right->written) == 0 &&
				!slice_equal(left->value, right->value))
				return true;
		}
	return false;
}

static void count(struct tally *tally, const struct record *a, const struct record *b)
{
	const struct object *left = &a->object, *right = &b->object;

	tally->extensions += a->extension.len > 0 || b->extension.len > 0;
	if (a->kind == RECORD_CLIENT) {
		tally->clients++;
		return;
	}
	tally->ties += has_tie(left, right);
	tally->epochs += left->dead_epoch != right->dead_epoch;
	tally->tombstones += left->dead != right->dead;
	tally->quarantined += left->quarantined || right->quarantined;
	if (uid_equal(&left->key_id, &right->key_id))
		return;
	tally->moved++;
	tally->moved_ties += stamp_compare(left->moved, right->moved) == 0;
}

/* ---- one case ---- */

static void check(struct laws *laws, uint64_t seed)
{
	struct dice dice = { seed };
	enum record_kind kind = seed % CLIENT_ONE_IN == 0 ? RECORD_CLIENT : RECORD_OBJECT;
	struct record a = record_random(&dice, laws->arena, kind);
	struct record b = record_random(&dice, laws->arena, kind);
	struct record c = record_random(&dice, laws->arena, kind);
	struct record ab, bc, left;

	laws->form_count = 0;
	(void) stored(laws, &a);
	ab = merged(laws, &a, &b);
	(void) merged(laws, &b, &a);
	bc = merged(laws, &b, &c);
	left = merged(laws, &ab, &c);
	(void) merged(laws, &a, &bc);
	(void) merged(laws, &a, &a);
	(void) merged(laws, &ab, &b);
	expect(laws, slice_equal(form(laws, 1), form(laws, 2)), "commutative");
	expect(laws, slice_equal(form(laws, 4), form(laws, 5)), "associative");
	expect(laws, slice_equal(form(laws, 6), form(laws, 0)), "idempotent");
	expect(laws, slice_equal(form(laws, 7), form(laws, 1)), "absorbing");
	expect(laws,
		is_above(&ab, &a) && is_above(&ab, &b) && is_above(&left, &ab) &&
			is_above(&left, &c),
		"monotone");
	count(&laws->tally, &a, &b);
	arena_reset(laws->arena);
}

static int report(const struct laws *laws, uint64_t cases)
{
	const struct tally *tally = &laws->tally;
	const uint64_t counts[] = { tally->ties, tally->epochs, tally->tombstones, tally->moved,
		tally->moved_ties, tally->quarantined, tally->extensions, tally->clients };
	static const char *const names[] = { "equal stamps", "epochs", "tombstones", "moved keys",
		"moved at one time", "quarantined", "extensions", "clients" };
	int result = 0;

	printf("%llu triples obey the laws:", (unsigned long long) cases);
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		printf("%s %llu with %s", i == 0 ? "" : ",", (unsigned long long) counts[i],
			names[i]);
		if (counts[i] == 0 && cases >= 1000)
			result = 1;
	}
	printf("\n");
	return result;
}

static int run(uint64_t cases, uint64_t first)
{
	struct laws laws = { 0 };
	uint64_t i = 0;
	int result = 2;

	if (arena_new(&laws.arena, ARENA_MAX) != ERR_OK)
		return result;
	for (size_t f = 0; f < FORMS; f++)
		buf_init(&laws.forms[f], RECORD_LEN_MAX);
	for (; i < cases && laws.broken == NULL; i++)
		check(&laws, first + i);
	if (laws.broken == NULL) {
		result = report(&laws, cases);
	} else {
		printf("seed %llu: not %s\n", (unsigned long long) (first + i - 1), laws.broken);
		result = 1;
	}
	for (size_t f = 0; f < FORMS; f++)
		buf_free(&laws.forms[f]);
	arena_free(laws.arena);
	return result;
}

int main(int argc, char **argv)
{
	uint64_t cases = 1000000, first = 1;

	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--cases") == 0)
			cases = strtoull(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--first") == 0)
			first = strtoull(argv[i + 1], NULL, 10);
		else
			argc = 0;
	}
	if (argc % 2 == 0) {
		(void) fprintf(stderr, "usage: merge_laws [--cases N] [--first S]\n");
		return 2;
	}
	return run(cases, first);
}
