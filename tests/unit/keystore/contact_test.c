/* SPDX-License-Identifier: Apache-2.0 */
/* The age of a cache is that of the last thing that told it of everything. */
#include "keystore/contact.h"
#include "base/clock.h"
#include "cache_folder.h"

static struct cache_folder folder;
static struct cache *cache;

static void setup(void)
{
	char why[CACHE_WHY_MAX];

	cache_folder_make(&folder);
	cr_assert_eq(cache_folder_open(&cache, &folder, false, why), ERR_OK, "%s", why);
}

static void teardown(void)
{
	cache_close(cache);
	cache_folder_remove(&folder);
}

TestSuite(contact, .init = setup, .fini = teardown);

static void tell(const char *name, const char *value)
{
	struct cache_write *write;

	cr_assert_eq(cache_write_begin(&write, cache), ERR_OK);
	cr_assert_eq(cache_put_fact(write, name, slice_text(value)), ERR_OK);
	cr_assert_eq(cache_commit(write), ERR_OK);
}

static void tell_ago(const char *name, int64_t ago_s)
{
	char value[24];

	(void) snprintf(value, sizeof(value), "%lld", (long long) (clock_wall_seconds() - ago_s));
	tell(name, value);
}

static int64_t age(void)
{
	int64_t age_s = -1;

	cr_assert_eq(contact_age(&age_s, cache), ERR_OK);
	return age_s;
}

/* Peer or any key manager: the latest counts. A second may pass meanwhile. */
Test(contact, the_latest_counts)
{
	tell_ago("polled-instance-a", 500000);
	cr_assert(age() >= 500000 && age() < 500100);
	tell_ago("contact", 9000000);
	cr_assert(age() >= 500000 && age() < 500100);
	tell_ago("polled-instance-b", 300000);
	cr_assert(age() >= 300000 && age() < 300100);
	tell_ago("contact", 2000);
	cr_assert(age() >= 2000 && age() < 2100);
}

/* A cache of which nothing tells is not old, nor one that a wrong clock once dated ahead; what
 * cannot be read tells nothing. */
Test(contact, nothing_tells)
{
	cr_assert_eq(age(), 0);
	tell("contact", "yesterday");
	tell("polledx", "1");
	cr_assert_eq(age(), 0);
	tell_ago("contact", -1000000);
	cr_assert_eq(age(), 0);
}
