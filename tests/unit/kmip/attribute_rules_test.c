/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of attributes on objects built by hand: limits, states, history, and lengths of keys.
 */
#include "hex.h"
#include "kmip/attribute_rules.h"

enum { NOW = 1700000000 };

static struct attribute_edits edits_of(struct arena *arena, const struct object *object)
{
	return (struct attribute_edits){ .arena = arena,
		.version = KMIP_1_4,
		.now = NOW,
		.object_type = KMIP_OBJECT_TYPE_SYMMETRIC_KEY,
		.object = object };
}

static struct kmip_attribute attribute_of(const char *name, struct kmip_value value)
{
	return (struct kmip_attribute){ .name = slice_text(name), .value = value };
}
static struct kmip_attribute text_of(const char *name, const char *text)
{
	return attribute_of(name, kmip_value_text(slice_text(text)));
}

/* A key made with these attributes. */
static struct object *object_of(
	struct arena *arena, const struct kmip_attribute *attributes, size_t count)
{
	struct object *object = ARENA_NEW(arena, struct object);
	struct attribute_edits edits = edits_of(arena, NULL);
	struct object_change change = { .now = NOW };
	struct stamp stamp = { .time = 1 << 20, .node = 1 };
	uint32_t index;

	object->type = KMIP_OBJECT_TYPE_SYMMETRIC_KEY;
	object->has_material = true;
	object->dates[OBJECT_DATE_INITIAL] = NOW - 1000;
	cr_assert_eq(attribute_rules_make(&edits, attributes, count), ERR_OK);
	attribute_rules_change(&edits, &change);
	cr_assert_eq(object_apply(object, arena, &change, stamp, &index), ERR_OK);
	return object;
}

/* A name of 255 bytes is one, 256 are none; 255 custom instances are the most. */
Test(attribute_rules, custom_limits)
{
	struct arena *arena = test_arena();
	struct kmip_attribute many[ATTRIBUTE_CUSTOM_INSTANCES_MAX + 1];
	char name[257] = "x-";
	struct attribute_edits edits;

	for (size_t i = 2; i < 256; i++)
		name[i] = 'n';
	edits = edits_of(arena, object_of(arena, NULL, 0));
	cr_assert_eq(
		attribute_rules_add(&edits, &(struct kmip_attribute){ .name = slice_of(name, 255),
						    .value = kmip_value_integer(1) }),
		ERR_OK);
	edits = edits_of(arena, object_of(arena, NULL, 0));
	cr_assert_eq(
		attribute_rules_add(&edits, &(struct kmip_attribute){ .name = slice_of(name, 256),
						    .value = kmip_value_integer(1) }),
		ERR_FIELD);

	for (size_t i = 0; i <= ATTRIBUTE_CUSTOM_INSTANCES_MAX; i++)
		many[i] = attribute_of("x-", kmip_value_integer(1));
	for (size_t i = 0; i <= ATTRIBUTE_CUSTOM_INSTANCES_MAX; i++)
		many[i].name = slice_text("x-n");
	edits = edits_of(arena, NULL);
	cr_assert_eq(attribute_rules_make(&edits, many, ATTRIBUTE_CUSTOM_INSTANCES_MAX), ERR_OK);
	edits = edits_of(arena, NULL);
	cr_assert_eq(
		attribute_rules_make(&edits, many, ATTRIBUTE_CUSTOM_INSTANCES_MAX + 1), ERR_INDEX);
	arena_free(arena);
}

/* The columns of attributes.def by state: Activation Date only in Pre-Active, the dates of use
 * until they are reached, nothing once destroyed. */
Test(attribute_rules, states)
{
	struct arena *arena = test_arena();
	struct kmip_attribute given[] = {
		attribute_of("Activation Date", kmip_value_date(NOW - 10)),
		attribute_of("Process Start Date", kmip_value_date(NOW - 5)),
		attribute_of("Protect Stop Date", kmip_value_date(NOW + 5)),
	};
	struct object *object = object_of(arena, given, 3);
	struct attribute_edits edits = edits_of(arena, object);

	cr_assert_eq(object_attributes_state(object, NOW), OBJECT_STATE_ACTIVE);
	cr_assert_eq(attribute_rules_modify(&edits, &given[0]), ERR_STATE);
	cr_assert_eq(attribute_rules_modify(&edits, &given[1]), ERR_STATE);
	cr_assert_eq(attribute_rules_modify(&edits, &given[2]), ERR_OK);
	object->dead = true;
	edits = edits_of(arena, object);
	cr_assert_eq(attribute_rules_modify(&edits, &given[2]), ERR_STATE);
	struct kmip_attribute custom = text_of("x-a", "b");
	cr_assert_eq(attribute_rules_add(&edits, &custom), ERR_STATE);
	arena_free(arena);
}

/* Dates that come true raise the flags, with the dates that were given. */
Test(attribute_rules, dates_become_events)
{
	struct arena *arena = test_arena();
	struct kmip_attribute given[] = {
		attribute_of("Activation Date", kmip_value_date(NOW - 10)),
		attribute_of("Deactivation Date", kmip_value_date(NOW + 10)),
	};
	struct attribute_edits edits = edits_of(arena, NULL);
	struct object_change change = { .now = NOW };

	cr_assert_eq(attribute_rules_make(&edits, given, 2), ERR_OK);
	attribute_rules_change(&edits, &change);
	cr_assert(change.activate);
	cr_assert_eq(change.dates[OBJECT_DATE_ACTIVATED], NOW - 10);
	cr_assert_not(change.deactivate);
	cr_assert_eq(change.dates[OBJECT_DATE_DEACTIVATED], 0);
	cr_assert_eq(object_attributes_state(object_of(arena, given, 2), NOW + 10),
		OBJECT_STATE_DEACTIVATED);
	arena_free(arena);
}

/* Destroyed before this node read it: of which type it was is not known, but that it is destroyed.
 * An opaque object has no State. */
Test(attribute_rules, state_without_type)
{
	struct arena *arena = test_arena();
	struct object *object = object_of(arena, NULL, 0);
	struct object_attributes view = {
		.object = object, .arena = arena, .version = KMIP_NEWEST, .now = NOW
	};
	struct kmip_value value;

	object->type = 0;
	object->has_material = false;
	object->dead = true;
	cr_assert(object_attributes_value(&view, KMIP_ATTRIBUTE_STATE, &value));
	cr_assert_eq(value.u32, KMIP_STATE_DESTROYED);
	object->type = KMIP_OBJECT_TYPE_OPAQUE_OBJECT;
	cr_assert_not(object_attributes_value(&view, KMIP_ATTRIBUTE_STATE, &value));
	arena_free(arena);
}

/* 3.36: the data of an edit, read back. */
static struct slice application_data(struct arena *arena, const struct object_edit *edit)
{
	struct codec codec = { .arena = arena, .version = KMIP_NEWEST };
	struct kmip_application_specific_information information;
	struct kmip_value value;

	cr_assert_eq(kmip_value_decode(&value, edit->value), ERR_OK);
	cr_assert_eq(kmip_value_read(&information, &codec,
			     &kmip_application_specific_information_table, &value),
		ERR_OK);
	return information.data;
}

/* In our namespace data that is left out is made, another one each time; data that is given stays.
 */
Test(attribute_rules, application_data)
{
	struct arena *arena = test_arena();
	struct kmip_application_specific_information information = { .namespace = slice_text(
									     "kmip-pair") };
	struct kmip_attribute attribute = { .name = slice_text(
						    "Application Specific Information") };
	struct attribute_edits edits = edits_of(arena, object_of(arena, NULL, 0));
	struct slice first, second;

	cr_assert_eq(kmip_value_write(&attribute.value, arena,
			     &kmip_application_specific_information_table, &information),
		ERR_OK);
	cr_assert_eq(attribute_rules_add(&edits, &attribute), ERR_OK);
	edits.object = object_of(arena, NULL, 0);
	cr_assert_eq(attribute_rules_add(&edits, &attribute), ERR_OK);
	cr_assert_eq(edits.count, 2);
	first = application_data(arena, &edits.items[0]);
	second = application_data(arena, &edits.items[1]);
	cr_assert_eq(first.len, 36);
	cr_assert_eq(second.len, 36);
	cr_assert_not(slice_equal(first, second));
	information.data = slice_text("given");
	cr_assert_eq(kmip_value_write(&attribute.value, arena,
			     &kmip_application_specific_information_table, &information),
		ERR_OK);
	cr_assert_eq(attribute_rules_add(&edits, &attribute), ERR_OK);
	cr_assert(slice_equal_text(application_data(arena, &edits.items[2]), "given"));
	arena_free(arena);
}

/* Namespaces without data are not ours to fill; what is not for symmetric keys is refused. */
Test(attribute_rules, single_attributes)
{
	struct arena *arena = test_arena();
	struct kmip_application_specific_information information = { .namespace =
									     slice_text("ssl") };
	struct kmip_attribute attribute = { .name = slice_text(
						    "Application Specific Information") };
	struct attribute_edits edits = edits_of(arena, object_of(arena, NULL, 0));

	cr_assert_eq(kmip_value_write(&attribute.value, arena,
			     &kmip_application_specific_information_table, &information),
		ERR_OK);
	cr_assert_eq(attribute_rules_add(&edits, &attribute), ERR_NAMESPACE);
	information.data = slice_text("www.example.com");
	cr_assert_eq(kmip_value_write(&attribute.value, arena,
			     &kmip_application_specific_information_table, &information),
		ERR_OK);
	cr_assert_eq(attribute_rules_add(&edits, &attribute), ERR_OK);

	struct kmip_attribute certificate =
		attribute_of("Certificate Length", kmip_value_integer(1));
	cr_assert_eq(attribute_rules_add(&edits, &certificate), ERR_DENIED);
	edits = edits_of(arena, NULL);
	struct kmip_attribute creation = attribute_of("Original Creation Date", kmip_value_date(1));
	cr_assert_eq(attribute_rules_make(&edits, &creation, 1), ERR_FIELD);
	edits.registers = true;
	cr_assert_eq(attribute_rules_make(&edits, &creation, 1), ERR_OK);
	edits = edits_of(arena, object_of(arena, NULL, 0));
	cr_assert_eq(attribute_rules_modify(&edits, &creation), ERR_READ_ONLY);
	cr_assert_eq(attribute_rules_add(&edits, &creation), ERR_OK);
	arena_free(arena);
}

/* Material that a client brings: the length follows from it, or must fit. */
Test(attribute_rules, registered_lengths)
{
	struct algorithm_key key = { .algorithm = KMIP_CRYPTOGRAPHIC_ALGORITHM_3DES };

	cr_assert_eq(algorithm_judge_key(&key, 24), ERR_OK);
	cr_assert_eq(key.length_bits, 168);
	cr_assert_eq(algorithm_judge_key(&key, 16), ERR_FIELD);
	key.length_bits = 192; /* parity counted */
	cr_assert_eq(algorithm_judge_key(&key, 24), ERR_OK);
	cr_assert_eq(key.length_bits, 168);
	key = (struct algorithm_key){ .algorithm = KMIP_CRYPTOGRAPHIC_ALGORITHM_BLOWFISH };
	cr_assert_eq(algorithm_judge_key(&key, 7), ERR_OK);
	cr_assert_eq(key.length_bits, 56);
	cr_assert_eq(algorithm_judge_key(&key, 0), ERR_FIELD);
}
