/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Locate against its definition: for random populations (types, states, names, groups, links,
 * custom attributes, dates that pass) and random filters the answer is that of comparing every
 * object with every filter, newest first; Offset and Maximum Items are slices of it. Prints its
 * seed; LOCATE_SEED replays it.
 */
#include "kmip/locate_filter.h"
#include "served.h"

enum {
	KEYS = 40,
	QUESTIONS = 200,
	ARENA_MAX = 8 << 20, /* of one question */
	FILTERS = 4,
	SOON_S = 5000, /* dates lie around now */
	VALUES = 3
};

static uint64_t dice;

static uint32_t draw(uint32_t bound)
{
	dice = dice * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t) (dice >> 33) % bound;
}

static void seed(void)
{
	const char *given = getenv("LOCATE_SEED");

	dice = given != NULL ? strtoull(given, NULL, 10) : clock_boot_us();
	(void) fprintf(stderr, "LOCATE_SEED=%llu\n", (unsigned long long) dice);
}

/* ---- attributes, for objects and for filters alike ---- */

static const char *const words[VALUES] = { "red", "green", "blue" };

static struct kmip_attribute random_text(const char *name)
{
	return text_of(name, words[draw(VALUES)]);
}

static struct kmip_attribute random_link(struct served *served, bool whole)
{
	struct kmip_link link = { .type = KMIP_UINT(KMIP_LINK_TYPE_PARENT_LINK + draw(2)),
		.identifier = slice_text("00000000-0000-4000-8000-000000000001") };
	struct kmip_value value;

	link.identifier = arena_copy(served->arena, link.identifier);
	((uint8_t *) link.identifier.data)[35] = (uint8_t) ('1' + draw(VALUES));
	if (!whole && draw(2) == 0)
		link.type.has = false;
	else if (!whole && draw(2) == 0)
		link.identifier = SLICE_EMPTY;
	cr_assert_eq(kmip_value_write(&value, served->arena, &kmip_link_table, &link), ERR_OK);
	return attribute_of("Link", value);
}

static struct kmip_attribute random_information(struct served *served, bool whole)
{
	struct kmip_application_specific_information information = { .namespace = slice_text(
									     words[draw(VALUES)]),
		.data = slice_text(words[draw(VALUES)]) };
	struct kmip_value value;

	if (!whole && draw(3) == 0)
		information.data = SLICE_EMPTY;
	cr_assert_eq(kmip_value_write(&value, served->arena,
			     &kmip_application_specific_information_table, &information),
		ERR_OK);
	return attribute_of("Application Specific Information", value);
}

static struct kmip_attribute random_date(const char *name)
{
	int64_t away = (int64_t) draw(2 * SOON_S) - SOON_S;

	return attribute_of(name, kmip_value_date(clock_wall_seconds() + away));
}

static struct kmip_attribute random_name(struct served *served, uint32_t number, bool whole)
{
	struct kmip_name name = { .value = slice_text(arena_printf(served->arena, "n%u", number)),
		.type = KMIP_UINT(KMIP_NAME_TYPE_UNINTERPRETED_TEXT_STRING) };
	struct kmip_value value;

	name.type.has = whole || draw(2) == 0;
	cr_assert_eq(kmip_value_write(&value, served->arena, &kmip_name_table, &name), ERR_OK);
	return attribute_of("Name", value);
}

/* ---- the population ---- */

static void make_key(struct served *served, uint32_t number)
{
	struct kmip_attribute given[10];
	size_t count = 0;
	struct slice uid;

	if (draw(2) == 0)
		given[count++] = random_name(served, number, true);
	if (draw(2) == 0)
		given[count++] = random_text("Object Group");
	if (draw(2) == 0)
		given[count++] = random_text("x-Color");
	if (draw(3) == 0)
		given[count++] = random_text("x-Color");
	if (draw(3) == 0)
		given[count++] = random_text("Contact Information");
	if (draw(3) == 0)
		given[count++] = attribute_of("x-Number", kmip_value_integer((int) draw(VALUES)));
	if (draw(3) == 0)
		given[count++] = random_link(served, true);
	if (draw(3) == 0)
		given[count++] = random_information(served, true);
	uid = served_key_with(served, given, count);
	if (draw(3) == 0)
		(void) served_add(served, uid, random_date("Activation Date"));
	if (draw(3) == 0)
		(void) served_add(served, uid, random_date("Deactivation Date"));
	switch (draw(8)) {
	case 0:
	case 1:
		(void) served_activate(served, uid);
		break;
	case 2:
		(void) served_revoke(served, uid, KMIP_REVOCATION_REASON_CODE_KEY_COMPROMISE);
		break;
	case 3:
		(void) served_activate(served, uid);
		(void) served_revoke(
			served, uid, KMIP_REVOCATION_REASON_CODE_CESSATION_OF_OPERATION);
		break;
	case 4:
		(void) served_destroy(served, uid);
		break;
	default:
		break;
	}
	served->record_count = 0;
}

/* ---- questions ---- */

static struct kmip_attribute random_filter(struct served *served)
{
	static const char *const dates[] = { "Activation Date", "Deactivation Date", "Initial Date",
		"Last Change Date" };

	switch (draw(11)) {
	case 0:
		return attribute_of("State", kmip_value_enum(1 + draw(6)));
	case 1:
		return attribute_of("Object Type", kmip_value_enum(1 + draw(3)));
	case 2:
		return random_name(served, draw(KEYS), false);
	case 3:
		return random_text("Object Group");
	case 4:
		return random_text("x-Color");
	case 5:
		return random_text("Contact Information");
	case 6:
		return attribute_of("x-Number", kmip_value_integer((int) draw(VALUES)));
	case 7:
		return random_link(served, false);
	case 8:
		return random_information(served, false);
	case 9:
		return attribute_of("Cryptographic Usage Mask", kmip_value_integer(4));
	default:
		return random_date(dates[draw(4)]);
	}
}

/* Two dates of a kind are a range, a third one an error. */
static bool is_third_date(const struct kmip_attribute *filters, size_t count)
{
	size_t same = 0;

	for (size_t i = 0; i < count; i++)
		same += slice_equal(filters[i].name, filters[count].name) &&
			filters[count].value.type == KMIP_TYPE_DATE_TIME;
	return same > 1;
}

struct question {
	struct kmip_attribute filters[FILTERS + 1];
	size_t count;
};

static void question_make(struct question *question, struct served *served)
{
	question->count = 0;
	for (uint32_t i = draw(FILTERS); i > 0; i--) {
		question->filters[question->count] = random_filter(served);
		if (!is_third_date(question->filters, question->count))
			question->count++;
	}
}

/* ---- the definition ---- */

struct match {
	int64_t initial_date;
	uint64_t made;
	struct uid uid;
};

struct definition {
	struct served *served;
	struct arena *arena;
	struct cache_read *read;
	struct locate_filters filters;
	struct match matches[KEYS];
	size_t count;
};

static enum err define_visit(void *ctx, const struct uid *uid)
{
	struct definition *definition = ctx;
	struct object_attributes seen = { .arena = definition->arena,
		.version = definition->served->version,
		.now = clock_wall_seconds() };
	struct match *match = &definition->matches[definition->count];
	struct object *object;
	bool matches;

	cr_assert_eq(cache_get_object(definition->read, seen.arena, uid, &object), ERR_OK);
	seen.object = object;
	cr_assert_eq(locate_filters_match(&matches, &definition->filters, &seen), ERR_OK);
	if (object->dead || !matches)
		return ERR_OK;
	*match = (struct match){ object->dates[OBJECT_DATE_INITIAL], UINT64_MAX, *uid };
	for (size_t i = 0; i < object->attribute_count; i++) {
		uint64_t time = object->attributes[i].added.time;

		match->made = time != 0 && time < match->made ? time : match->made;
	}
	definition->count++;
	return ERR_OK;
}

static int match_compare(const void *a, const void *b)
{
	const struct match *left = a, *right = b;

	if (left->initial_date != right->initial_date)
		return left->initial_date > right->initial_date ? -1 : 1;
	if (left->made != right->made)
		return left->made > right->made ? -1 : 1;
	return slice_compare(slice_of(left->uid.bytes, 16), slice_of(right->uid.bytes, 16));
}

static void define(
	struct definition *definition, struct served *served, const struct question *question)
{
	struct codec codec = {
		.arena = definition->arena, .version = served->version, .flags = CODEC_PARTIAL
	};
	struct cache_list list = {
		.instance = served->identity.instance, .visit = define_visit, .ctx = definition
	};

	arena_reset(definition->arena);
	definition->served = served;
	definition->filters.count = definition->count = 0;
	cr_assert_eq(locate_filters_add(
			     &definition->filters, &codec, question->filters, question->count),
		ERR_OK);
	cr_assert_eq(cache_read_begin(&definition->read, served->store->cache), ERR_OK);
	cr_assert_eq(cache_list(definition->read, &list), ERR_OK);
	cache_read_end(definition->read);
	qsort(definition->matches, definition->count, sizeof(struct match), match_compare);
}

/* ---- the comparison ---- */

static void expect_slice(struct served *served, const struct question *question,
	const struct definition *definition, int32_t max, int32_t offset)
{
	struct kmip_locate_request request = {
		.attributes = { (struct kmip_attribute *) question->filters, question->count }
	};
	struct ask ask = { KMIP_OPERATION_LOCATE, &kmip_locate_request_table, &request };
	const struct kmip_locate_response *found;
	size_t first = (size_t) offset, count;

	if (max >= 0)
		request.items_max = KMIP_INT(max);
	if (offset > 0)
		request.offset_items = KMIP_INT(offset);
	count = definition->count > first ? definition->count - first : 0;
	count = max >= 0 && count > (size_t) max ? (size_t) max : count;
	found = PAYLOAD(served, served_one(served, ask), locate);
	cr_assert_eq(found->unique_identifiers.count, count);
	cr_assert_eq((size_t) found->located_items.value, definition->count);
	for (size_t i = 0; i < count; i++) {
		char text[UUID_TEXT_LEN + 1];

		uid_text(text, &definition->matches[first + i].uid);
		cr_assert(slice_equal_text(found->unique_identifiers.items[i], text));
	}
}

Test(locate_random, as_defined, .timeout = 120)
{
	static struct definition definition;
	static struct served served;
	struct question question;
	size_t found = 0;

	seed();
	served_start(&served, false);
	cr_assert_eq(arena_new(&definition.arena, ARENA_MAX), ERR_OK);
	served.version = KMIP_1_4;
	for (uint32_t i = 0; i < KEYS; i++)
		make_key(&served, i);
	for (int i = 0; i < QUESTIONS; i++) {
		question_make(&question, &served);
		define(&definition, &served, &question);
		expect_slice(&served, &question, &definition, -1, 0);
		expect_slice(&served, &question, &definition, (int32_t) draw(5), (int32_t) draw(4));
		found += definition.count;
		served.record_count = 0;
	}
	cr_assert_gt(found, QUESTIONS);
	arena_free(definition.arena);
	served_stop(&served);
}
