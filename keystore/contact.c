/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/contact.h"
#include <stdio.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "keystore/fact.h"

static const char peer_fact[] = "contact", poll_facts[] = "polled-";

static void see_date(int64_t *latest, struct slice value)
{
	uint64_t date;

	if (text_u64(&date, value, INT64_MAX) == ERR_OK && (int64_t) date > *latest)
		*latest = (int64_t) date;
}

static enum err see_poll(void *ctx, struct slice name, struct slice value)
{
	(void) name;
	see_date(ctx, value);
	return ERR_OK;
}

/* 0: nothing tells. */
static enum err latest_contact(int64_t *out, struct cache *cache)
{
	struct cache_read *read = NULL;
	struct slice value;
	enum err err;

	*out = 0;
	TRY(cache_read_begin(&read, cache));
	err = cache_get_fact(read, peer_fact, &value);
	if (err == ERR_OK)
		see_date(out, value);
	TRY(err == ERR_MISS ? ERR_OK : err);
	TRY(cache_walk_facts(read, poll_facts, SLICE_EMPTY, see_poll, out));
out:
	cache_read_end(read);
	return err;
}

enum err contact_age(int64_t *age_s, struct cache *cache)
{
	int64_t latest, now = clock_wall_seconds();
	enum err err = latest_contact(&latest, cache);

	*age_s = err == ERR_OK && latest != 0 && now > latest ? now - latest : 0;
	return err;
}

static void note(struct keystore *keystore)
{
	char value[FACT_VALUE_LEN];

	keystore->contact_ms = clock_boot_ms();
	snprintf(value, sizeof(value), "%lld", (long long) clock_wall_seconds());
	fact_put_alone(keystore, peer_fact, value);
}

void contact_start(struct keystore *keystore)
{
	int64_t latest = 0;
	enum err err = latest_contact(&latest, keystore->cache);

	if (err != ERR_OK)
		log_warning("contact-not-read", "error=%s", err_name(err));
	else if (latest == 0)
		note(keystore);
}

void keystore_note_contact(struct keystore *keystore)
{
	keystore->was_in_step = true;
	if (keystore->contact_ms == 0 || clock_boot_ms() > keystore->contact_ms + CONTACT_SAVE_MS)
		note(keystore);
}
