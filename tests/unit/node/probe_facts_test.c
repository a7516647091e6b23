/* SPDX-License-Identifier: Apache-2.0 */
/* Facts come back as they were written; a cut line at the end is passed over, a wrong one is not.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "node/probe_facts.h"
#include "node/probe_histogram.h"

static char path[] = "/tmp/probe-facts-XXXXXX";

static void make_file(void)
{
	int fd = mkstemp(path);

	cr_assert_geq(fd, 0);
	close(fd);
}

static void remove_file(void)
{
	(void) unlink(path);
}

TestSuite(probe_facts, .init = make_file, .fini = remove_file);

static void append(const char *text)
{
	FILE *file = fopen(path, "a");

	cr_assert_not_null(file);
	fputs(text, file);
	fclose(file);
}

Test(probe_facts, round_trip)
{
	static const uint8_t hash[CRYPT_SHA256_LEN] = { 0xAB, 0xCD };
	struct probe_facts *facts;
	struct probe_fact_list list;

	cr_assert_eq(probe_facts_new(&facts, path), ERR_OK);
	cr_assert_eq(probe_facts_add(facts, PROBE_CREATED, "one", NULL), ERR_OK);
	cr_assert_eq(probe_facts_add(facts, PROBE_CREATED, "two", NULL), ERR_OK);
	cr_assert_eq(probe_facts_add(facts, PROBE_CREATED, "one", hash), ERR_OK);
	cr_assert_eq(probe_facts_add(facts, PROBE_ACTIVATED, "one", NULL), ERR_OK);
	cr_assert_eq(probe_facts_add(facts, PROBE_DESTROYING, "two", NULL), ERR_OK);
	/* Each line is there at once, not only when the file is closed. */
	append("activated on");
	cr_assert_eq(probe_facts_read(&list, path), ERR_OK);
	cr_assert_eq(list.count, 2);
	cr_assert_str_eq(list.items[0].uid, "one");
	cr_assert_eq(list.items[0].stage, PROBE_ACTIVATED);
	cr_assert(list.items[0].has_hash);
	cr_assert_arr_eq(list.items[0].hash, hash, CRYPT_SHA256_LEN);
	cr_assert_eq(list.items[1].stage, PROBE_DESTROYING);
	cr_assert(!list.items[1].has_hash);
	free(list.items);
	probe_facts_free(facts);
}

Test(probe_facts, wrong_lines)
{
	static const char *const wrong[] = { "activated never-created\n", "created\n",
		"invented one\n", "created one abc\n", "\n" };
	struct probe_fact_list list;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		cr_assert_eq(truncate(path, 0), 0);
		append(wrong[i]);
		cr_assert_neq(probe_facts_read(&list, path), ERR_OK, "%s", wrong[i]);
		cr_assert_null(list.items);
	}
	cr_assert_eq(probe_facts_read(&list, "/nowhere/facts"), ERR_IO);
}

/* Percentiles of 1 to 100000 us are at most 4 % off, and never beyond the greatest. */
Test(probe_histogram, percentiles)
{
	static struct probe_histogram histogram;
	uint64_t p50, p99;

	cr_assert_eq(probe_histogram_percentile_us(&histogram, 99), 0);
	for (uint64_t i = 1; i <= 100000; i++)
		probe_histogram_add(&histogram, i);
	p50 = probe_histogram_percentile_us(&histogram, 50);
	p99 = probe_histogram_percentile_us(&histogram, 99);
	cr_assert(p50 >= 50000 && p50 <= 52000, "%lu", (unsigned long) p50);
	cr_assert(p99 >= 99000 && p99 <= 100000, "%lu", (unsigned long) p99);
	probe_histogram_add(&histogram, UINT64_MAX);
	cr_assert_eq(probe_histogram_percentile_us(&histogram, 100) > 1u << 30, true);
}
