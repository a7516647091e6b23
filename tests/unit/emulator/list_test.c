/* SPDX-License-Identifier: Apache-2.0 */
/* Shows that GET /keys understands states, filters, search, sort and paging: parses parameter texts
 * and matches them against keys made by hand. */
#include <criterion/criterion.h>

#include "tests/emulator/list.h"

static struct key keys[] = {
	{ .id = (char *) "b", .name = (char *) "Disk Key", .state = KEY_ACTIVE, .created = 100 },
	{ .id = (char *) "a",
		.name = (char *) "root",
		.state = KEY_DESTROYED,
		.created = 200,
		.deleted = 300,
		.updated = 300 },
	{ .id = (char *) "c",
		.name = (char *) "root",
		.state = KEY_ACTIVE,
		.created = 200,
		.extractable = true,
		.expires = 1000 },
};

static enum err parse(struct list_query *out, struct list_texts texts)
{
	const char *bad = NULL;
	const char *must = NULL;
	enum err err = list_parse(out, &texts, &bad, &must);

	if (err != ERR_OK)
		cr_assert(bad != NULL && must != NULL);
	return err;
}

/* The ids that match, in the order of the array. */
static const char *matching(struct list_texts texts, int64_t now)
{
	static char ids[8];
	struct list_query query;
	size_t count = 0;

	struct key_context context = { .knobs = &knobs_default, .now = now };

	cr_assert_eq(parse(&query, texts), ERR_OK);
	for (size_t i = 0; i < 3; i++) {
		if (list_matches(&query, &keys[i], &context))
			ids[count++] = keys[i].id[0];
	}
	ids[count] = '\0';
	return ids;
}

#define MATCH(...) matching((struct list_texts){ __VA_ARGS__ }, 500)
#define WRONG(...) \
	do { \
		struct list_query ignored; \
		cr_assert_eq(parse(&ignored, (struct list_texts){ __VA_ARGS__ }), ERR_INVALID); \
	} while (0)

Test(list, destroyed_keys_are_named_or_left_out)
{
	cr_assert_str_eq(MATCH(.limit = "1"), "bc");
	cr_assert_str_eq(MATCH(.state = "5"), "a");
	cr_assert_str_eq(MATCH(.state = "0,1,2,3,5"), "bac");
	cr_assert_str_eq(MATCH(.filter = "state=5"), "a");
}

Test(list, an_expired_key_counts_as_deactivated)
{
	struct list_texts texts = { .state = "3" };

	cr_assert_str_eq(matching(texts, 999), "");
	cr_assert_str_eq(matching(texts, 1000), "c");
}

Test(list, dates_are_compared)
{
	cr_assert_str_eq(MATCH(.filter = "creationDate=gte:\"1970-01-01T00:03:20Z\""), "c");
	cr_assert_str_eq(MATCH(.filter = "creationDate=gt:\"1970-01-01T00:03:20Z\""), "");
	cr_assert_str_eq(MATCH(.filter = "creationDate=lt:1970-01-01T00:03:20Z"), "b");
	cr_assert_str_eq(MATCH(.filter = "creationDate=lte:1970-01-01T00:03:20Z"), "bc");
	cr_assert_str_eq(MATCH(.filter = "creationDate=1970-01-01T00:01:40Z"), "b");
	cr_assert_str_eq(MATCH(.filter = "expirationDate=none"), "b");
	cr_assert_str_eq(
		MATCH(.state = "5", .filter = "deletionDate=gte:\"1970-01-01T00:05:00Z\""), "a");
	cr_assert_str_eq(
		MATCH(.state = "1,5", .filter = "lastUpdateDate=gte:\"1970-01-01T00:05:00Z\" "
						"creationDate=lt:\"1970-01-01T01:00:00Z\""),
		"a");
}

Test(list, search_ignores_case_and_knows_its_prefixes)
{
	cr_assert_str_eq(MATCH(.search = "DISK"), "b");
	cr_assert_str_eq(MATCH(.search = "exact:ROOT,"), "c");
	cr_assert_str_eq(MATCH(.search = "not:disk"), "c");
	cr_assert_str_eq(MATCH(.search = "alias:disk"), "");
	cr_assert_str_eq(MATCH(.search = "name:escape:disk"), "b");
}

Test(list, wrong_texts_are_refused)
{
	WRONG(.limit = "0");
	WRONG(.limit = "5001");
	WRONG(.limit = "-1");
	WRONG(.limit = "");
	WRONG(.offset = "x");
	WRONG(.state = "4");
	WRONG(.state = "1,,2");
	WRONG(.state = "1, 2");
	WRONG(.extractable = "yes");
	WRONG(.sort = "name");
	WRONG(.sort = "");
	WRONG(.filter = "creationDate");
	WRONG(.filter = "creationDate=gte:");
	WRONG(.filter = "creationDate=gte:\"");
	WRONG(.filter = "id=b");
	WRONG(.state = "1", .filter = "state=1");
	WRONG(.extractable = "true", .filter = "extractable=true");
	WRONG(.filter = "creationDate=none creationDate=none creationDate=none creationDate=none");
}

static const char *sorted(const char *sort)
{
	static char ids[4];
	struct list_query query;
	struct key *list[] = { &keys[0], &keys[1], &keys[2] };

	cr_assert_eq(parse(&query, (struct list_texts){ .sort = sort }), ERR_OK);
	list_sort(&query, list, 3);
	for (size_t i = 0; i < 3; i++)
		ids[i] = list[i]->id[0];
	return ids;
}

Test(list, sort_takes_several_properties_and_ends_with_the_id)
{
	cr_assert_str_eq(sorted("id"), "abc");
	cr_assert_str_eq(sorted("-id"), "cba");
	cr_assert_str_eq(sorted("creationDate"), "bac");
	cr_assert_str_eq(sorted("-creationDate,-state"), "acb");
	cr_assert_str_eq(sorted("-extractable,creationDate"), "cba");
	cr_assert_str_eq(sorted(NULL), "bac");
}
