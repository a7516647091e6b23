/* SPDX-License-Identifier: Apache-2.0 */
/* Shows that the stored form of a key loses nothing and that the dates of a destroyed key are
 * right: goes through JSON and back. */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/emulator/key.h"

static const struct key_context context = {
	.crn_prefix = "crn:", .knobs = &knobs_default, .now = 1700000000
};

static struct key *sample(bool extractable)
{
	struct key *key = key_new();

	key_set_text(&key->name, "n");
	key_set_text(&key->ring, "default");
	key_set_text(&key->created_by, "me");
	key_set_text(&key->payload, "AAEC");
	key->extractable = extractable;
	key->created = key->updated = 1600000000;
	key_add_version(key, key->created, NULL);
	key_add_alias(key, "alias", "me", 1600000000);
	return key;
}

static char *text_of(const struct key *key, unsigned views)
{
	cJSON *document = key_json(key, views, &context);
	char *text = cJSON_PrintUnformatted(document);

	cJSON_Delete(document);
	return text;
}

Test(key, stored_form_survives_a_round_trip)
{
	struct key *key = sample(false);
	key->dual_auth = true;
	key->rotated = 1650000000;
	cJSON *document = key_json(key, KEY_VIEW_STORE, &context);
	struct key *again = key_of_json(document);
	char *before = text_of(key, KEY_VIEW_STORE | KEY_VIEW_FULL);
	char *after = text_of(again, KEY_VIEW_STORE | KEY_VIEW_FULL);

	cr_assert_str_eq(before, after);
	cJSON_free(before);
	cJSON_free(after);
	cJSON_Delete(document);
	key_free(key);
	key_free(again);
}

Test(key, a_form_without_a_name_is_no_key)
{
	cJSON *document = cJSON_CreateObject();

	cr_assert_null(key_of_json(document));
	cJSON_Delete(document);
}

Test(key, destroyed_keys_show_dates_and_no_payload)
{
	struct key *key = sample(true);
	key->state = KEY_DESTROYED;
	key->deleted = 1618942524; /* 2021-04-20T18:15:24Z */
	cJSON *json = key_json(key, KEY_VIEW_FULL | KEY_VIEW_PAYLOAD, &context);

	cr_assert_null(cJSON_GetObjectItem(json, "payload"));
	cr_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(json, "restoreExpirationDate")),
		"2021-05-20T18:15:24Z");
	cr_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(json, "purgeAllowedFrom")),
		"2021-04-20T22:15:24Z");
	cr_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(json, "purgeScheduledOn")),
		"2021-07-19T18:15:24Z");
	cr_assert(cJSON_IsFalse(cJSON_GetObjectItem(json, "restoreAllowed")));
	cJSON_Delete(json);
	key_free(key);
}

Test(key, payload_is_shown_only_when_asked_for)
{
	struct key *standard = sample(true);
	struct key *root = sample(false);
	char *texts[] = { text_of(standard, KEY_VIEW_FULL), text_of(standard, KEY_VIEW_MINIMAL),
		text_of(root, KEY_VIEW_FULL | KEY_VIEW_PAYLOAD) };

	for (size_t i = 0; i < 3; i++) {
		cr_assert_null(strstr(texts[i], "payload"));
		cJSON_free(texts[i]);
	}
	key_free(standard);
	key_free(root);
}

Test(key, empty_envelopes_have_no_resources)
{
	cJSON *envelope = key_envelope("t", cJSON_CreateArray());

	cr_assert_null(cJSON_GetObjectItem(envelope, "resources"));
	cJSON_Delete(envelope);
}

/* Given a lag, when a key is made and later destroyed, then lists tell of it that much later. */
Test(key, lists_lag_behind)
{
	struct knobs knobs = knobs_default;
	struct key_context at = { .crn_prefix = "crn:", .knobs = &knobs, .now = 1000 };
	struct key *key = sample(true);
	struct key shown;

	knobs.list_lag_s = 10;
	key_note_change(key, &at);
	at.now = 1009;
	cr_assert_not(key_as_shown(&shown, key, &at));
	at.now = 1010;
	cr_assert(key_as_shown(&shown, key, &at));
	cr_assert_eq(shown.state, KEY_ACTIVE);
	key->state = KEY_DESTROYED;
	key->deleted = key->updated = 1010;
	key_note_change(key, &at);
	at.now = 1015;
	key->updated = 1015;
	key_note_change(key, &at);
	cr_assert(key_as_shown(&shown, key, &at));
	cr_assert_eq(shown.state, KEY_ACTIVE);
	cr_assert_eq(shown.deleted, 0);
	at.now = 1020;
	cr_assert(key_as_shown(&shown, key, &at));
	cr_assert_eq(shown.state, KEY_DESTROYED);
	cr_assert_eq(shown.updated, 1015);
	key_free(key);
}

Test(key, a_moved_key_stays_in_its_old_ring_for_a_while)
{
	struct knobs knobs = knobs_default;
	struct key_context at = { .crn_prefix = "crn:", .knobs = &knobs, .now = 1000 };
	struct key *key = sample(true);

	key_move(key, "other", at.now);
	cr_assert_not(key_is_in_ring(key, "default", &at));
	knobs.ring_lag_s = 600;
	cr_assert(key_is_in_ring(key, "default", &at));
	cr_assert(key_is_in_ring(key, "other", &at));
	at.now = 1600;
	cr_assert_not(key_is_in_ring(key, "default", &at));
	key_free(key);
}
