/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/attribute_rules.h"
#include "base/text.h"
#include "kmip/ttlv_read.h"
#include "kmip/usage_limits.h"

static struct object_attributes edits_view(const struct attribute_edits *edits)
{
	return (struct object_attributes){ .object = edits->object,
		.arena = edits->arena,
		.version = edits->version,
		.now = edits->now };
}

/* ---- values ---- */

/* A text without characters says nothing, and many clients cannot read it back. */
static enum err judge_texts(const struct kmip_value *value)
{
	struct ttlv_reader reader;
	struct ttlv_item item;

	if (value->type == KMIP_TYPE_TEXT_STRING)
		return value->bytes.len == 0 ? ERR_FIELD : ERR_OK;
	if (value->type != KMIP_TYPE_STRUCTURE)
		return ERR_OK;
	reader = ttlv_reader_of(value->children);
	while (!ttlv_is_end(&reader)) {
		if (ttlv_next(&item, &reader) != ERR_OK)
			return ERR_FIELD;
		if (item.type == KMIP_TYPE_TEXT_STRING && item.value.len == 0)
			return ERR_FIELD;
	}
	return ERR_OK;
}

static enum err judge_value(const struct kmip_attribute_row **row, struct attribute_edits *edits,
	const struct kmip_attribute *attribute)
{
	struct codec codec = { .arena = edits->arena, .version = edits->version };
	enum err err;

	TRY(kmip_attribute_check(row, &codec, attribute));
	if (kmip_attribute_id(*row) == KMIP_ATTRIBUTE_CUSTOM_ATTRIBUTE &&
		attribute->name.len > ATTRIBUTE_CUSTOM_NAME_LEN_MAX)
		TRY(ERR_FIELD);
	TRY(judge_texts(&attribute->value));
out:
	return err;
}

/* Rules of single attributes: what their value brings along, or has to look like. */
typedef enum err adjust(struct attribute_edits *edits, struct kmip_value *value);

/* 3.36: data that is left out is the server's to make, in a namespace of its own. */
static enum err adjust_application(struct attribute_edits *edits, struct kmip_value *value)
{
	struct codec codec = { .arena = edits->arena, .version = edits->version };
	struct kmip_application_specific_information information;
	char data[UUID_TEXT_LEN + 1];
	enum err err;

	TRY(kmip_value_read(
		&information, &codec, &kmip_application_specific_information_table, value));
	if (information.data.data != NULL)
		return ERR_OK;
	if (!slice_equal_text(information.namespace, ATTRIBUTE_NAMESPACE))
		TRY(ERR_NAMESPACE);
	text_uuid(data);
	information.data = slice_text(data);
	TRY(kmip_value_write(
		value, edits->arena, &kmip_application_specific_information_table, &information));
out:
	return err;
}

/* 3.21: the count is the server's; it starts at the total. */
static enum err adjust_usage_limits(struct attribute_edits *edits, struct kmip_value *value)
{
	struct codec codec = { .arena = edits->arena, .version = edits->version };
	struct kmip_usage_limits limits;
	enum err err;

	TRY(kmip_value_read(&limits, &codec, &kmip_usage_limits_table, value));
	if (limits.total.value < 0)
		TRY(ERR_FIELD);
	limits.count = limits.total;
	TRY(kmip_value_write(value, edits->arena, &kmip_usage_limits_table, &limits));
out:
	return err;
}

/* 3.49, 3.51: "always" and "never" tell the history; once spoilt they stay so. */
static enum err adjust_history(
	struct attribute_edits *edits, bool keeps, enum kmip_attribute_id history)
{
	struct kmip_value value = kmip_value_boolean(keeps);

	if (edits->object != NULL && keeps)
		return ERR_OK;
	return attribute_rules_set(edits, history, &value);
}

static enum err adjust_sensitive(struct attribute_edits *edits, struct kmip_value *value)
{
	return adjust_history(edits, value->boolean, KMIP_ATTRIBUTE_ALWAYS_SENSITIVE);
}

static enum err adjust_extractable(struct attribute_edits *edits, struct kmip_value *value)
{
	return adjust_history(edits, !value->boolean, KMIP_ATTRIBUTE_NEVER_EXTRACTABLE);
}

/* 3.34: what was handed out before it became a member is no fresh one. */
static enum err adjust_group(struct attribute_edits *edits, struct kmip_value *value)
{
	struct kmip_value no = kmip_value_boolean(false);

	(void) value;
	if (edits->object == NULL || object_attributes_is_fresh(edits->object))
		return ERR_OK;
	return attribute_rules_set(edits, KMIP_ATTRIBUTE_FRESH, &no);
}

static adjust *const adjusts[KMIP_ATTRIBUTE_COUNT] = {
	[KMIP_ATTRIBUTE_APPLICATION_SPECIFIC_INFORMATION] = adjust_application,
	[KMIP_ATTRIBUTE_USAGE_LIMITS] = adjust_usage_limits,
	[KMIP_ATTRIBUTE_OBJECT_GROUP] = adjust_group,
	[KMIP_ATTRIBUTE_SENSITIVE] = adjust_sensitive,
	[KMIP_ATTRIBUTE_EXTRACTABLE] = adjust_extractable,
};

static enum err note_drawn(struct attribute_edits *edits, struct slice value)
{
	struct attribute_drawn *drawn = ARENA_NEW(edits->arena, struct attribute_drawn);

	if (drawn == NULL)
		return ERR_NOMEM;
	*drawn = (struct attribute_drawn){ value, edits->drawn };
	edits->drawn = drawn;
	return ERR_OK;
}

/* Appends the edit that gives the attribute this value. */
static enum err edits_put(struct attribute_edits *edits, const struct kmip_attribute_row *row,
	struct object_edit edit, const struct kmip_value *given)
{
	enum kmip_attribute_id id = kmip_attribute_id(row);
	struct kmip_value value = *given;
	enum err err = ERR_OK;

	if (adjusts[id] != NULL)
		TRY(adjusts[id](edits, &value));
	TRY(kmip_value_encode(&edit.value, edits->arena, &value));
	if (id == KMIP_ATTRIBUTE_APPLICATION_SPECIFIC_INFORMATION &&
		value.children.data != given->children.data)
		TRY(note_drawn(edits, edit.value));
	TRY(attribute_rules_append(edits, &edit));
out:
	return err;
}

/* ---- the object after the edits ---- */

static bool date_after(
	const struct attribute_edits *edits, enum kmip_attribute_id id, struct kmip_value *out)
{
	struct object_attributes view = edits_view(edits);

	return attribute_rules_get(edits, id, out) ||
	       (edits->object != NULL && object_attributes_value(&view, id, out));
}

/* 3.24 to 3.27: the order of the dates that are there. */
static enum err judge_dates(const struct attribute_edits *edits)
{
	static const struct {
		enum kmip_attribute_id first, then;
	} orders[] = {
		{ KMIP_ATTRIBUTE_ACTIVATION_DATE, KMIP_ATTRIBUTE_PROCESS_START_DATE },
		{ KMIP_ATTRIBUTE_ACTIVATION_DATE, KMIP_ATTRIBUTE_DEACTIVATION_DATE },
		{ KMIP_ATTRIBUTE_PROTECT_STOP_DATE, KMIP_ATTRIBUTE_DEACTIVATION_DATE },
	};

	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		struct kmip_value first, then;

		if (date_after(edits, orders[i].first, &first) &&
			date_after(edits, orders[i].then, &then) && first.i64 > then.i64)
			return ERR_FIELD;
	}
	return ERR_OK;
}

/* Limits of a record (design D10), before the work is begun; the store judges again. */
static enum err judge_amount(const struct attribute_edits *edits)
{
	const struct object *object = edits->object;
	size_t bytes = object == NULL ? 0 : object_attributes_bytes(object);
	size_t customs = 0;

	for (size_t i = 0; object != NULL && i < object->attribute_count; i++) {
		if (!object->attributes[i].deleted &&
			kmip_attribute_is_custom(object->attributes[i].name))
			customs++;
	}
	for (size_t i = 0; i < edits->count; i++) {
		const struct object_edit *edit = &edits->items[i];

		if (edit->kind == OBJECT_EDIT_ADD && kmip_attribute_is_custom(edit->name))
			customs++;
		bytes += edit->name.len + edit->value.len;
	}
	if (bytes > OBJECT_ATTRIBUTES_BYTES_MAX)
		return ERR_FIELD;
	return customs > ATTRIBUTE_CUSTOM_INSTANCES_MAX ? ERR_INDEX : ERR_OK;
}

/* ---- making ---- */

/* What the server reads in a certificate and clients say as well when they register it (4.3). */
static bool is_said(enum kmip_attribute_id id)
{
	return id == KMIP_ATTRIBUTE_CERTIFICATE_TYPE || id == KMIP_ATTRIBUTE_CERTIFICATE_LENGTH ||
	       id == KMIP_ATTRIBUTE_DIGITAL_SIGNATURE_ALGORITHM;
}

static bool may_make(const struct attribute_edits *edits, const struct kmip_attribute_row *row,
	struct slice name)
{
	if ((row->applies_to & KMIP_TO(edits->object_type)) == 0)
		return false;
	if (row->client_modifies == KMIP_CHANGE_VENDOR_CLIENT)
		return name.data[0] == 'x';
	if (row->set_by == KMIP_SET_BY_CLIENT_ON_REGISTER || is_said(kmip_attribute_id(row)))
		return edits->registers;
	return row->set_by != KMIP_SET_BY_SERVER;
}

/* Algorithm and length belong to the key and are judged with its material. */
static enum err make_key(
	struct attribute_edits *edits, enum kmip_attribute_id id, const struct kmip_value *value)
{
	if (id == KMIP_ATTRIBUTE_CRYPTOGRAPHIC_ALGORITHM) {
		if (edits->key.algorithm != 0)
			return ERR_INDEX;
		edits->key.algorithm = value->u32;
		return ERR_OK;
	}
	if (edits->key.length_bits != 0)
		return ERR_INDEX;
	edits->key.length_bits = value->integer;
	return value->integer > 0 ? ERR_OK : ERR_FIELD;
}

static enum err make_one(struct attribute_edits *edits, const struct kmip_attribute *attribute)
{
	const struct kmip_attribute_row *row;
	enum kmip_attribute_id id;
	struct object_edit edit = { .kind = OBJECT_EDIT_ADD, .name = attribute->name };
	enum err err;

	TRY(judge_value(&row, edits, attribute));
	id = kmip_attribute_id(row);
	if (id == KMIP_ATTRIBUTE_CRYPTOGRAPHIC_ALGORITHM ||
		id == KMIP_ATTRIBUTE_CRYPTOGRAPHIC_LENGTH)
		return make_key(edits, id, &attribute->value);
	if (!may_make(edits, row, attribute->name))
		TRY(ERR_FIELD);
	/* What is made is fresh, whoever says so. */
	if (id == KMIP_ATTRIBUTE_FRESH)
		return ERR_OK;
	if (row->instances == KMIP_ONE) {
		if (attribute_rules_has(edits, slice_text(row->name)) ||
			attribute->index.value != 0)
			TRY(ERR_INDEX);
		edit.kind = OBJECT_EDIT_SET;
	}
	TRY(edits_put(edits, row, edit, &attribute->value));
out:
	return err;
}

enum err attribute_rules_make(
	struct attribute_edits *edits, const struct kmip_attribute *attributes, size_t count)
{
	enum err err = ERR_OK;

	for (size_t i = 0; i < count; i++)
		TRY(make_one(edits, &attributes[i]));
	TRY(judge_dates(edits));
	TRY(judge_amount(edits));
out:
	return err;
}

/* Algorithm and length are the server's to say of an object, and the client's to ask for. */
static bool is_asked_for(const struct kmip_attribute_row *row, struct slice name)
{
	enum kmip_attribute_id id = kmip_attribute_id(row);

	if (row->client_modifies == KMIP_CHANGE_VENDOR_CLIENT)
		return name.data[0] == 'x';
	return row->set_by != KMIP_SET_BY_SERVER || id == KMIP_ATTRIBUTE_CRYPTOGRAPHIC_ALGORITHM ||
	       id == KMIP_ATTRIBUTE_CRYPTOGRAPHIC_LENGTH;
}

enum err attribute_rules_template(
	struct attribute_edits *edits, const struct kmip_attribute *attributes, size_t count)
{
	const struct kmip_attribute_row *row;
	enum err err = ERR_OK;

	for (size_t i = 0; i < count; i++) {
		TRY(judge_value(&row, edits, &attributes[i]));
		TRY(is_asked_for(row, attributes[i].name) ? ERR_OK : ERR_FIELD);
	}
out:
	return err;
}

/* ---- changing ---- */

/* Usage Limits are frozen by the first allocation. */
static enum err judge_unallocated(const struct attribute_edits *edits)
{
	struct kmip_usage_limits limits;
	bool has;
	enum err err;

	TRY(usage_limits_read(&limits, edits->object, &has));
	if (has && limits.count.value != limits.total.value)
		err = ERR_STATE;
out:
	return err;
}

static enum err judge_change(const struct attribute_edits *edits,
	const struct kmip_attribute_row *row, enum kmip_change change, struct slice name)
{
	enum object_state state = object_attributes_state(edits->object, edits->now);
	bool is_live = state == OBJECT_STATE_PRE_ACTIVE || state == OBJECT_STATE_ACTIVE;
	struct object_attributes view = edits_view(edits);
	struct kmip_value value;
	bool may = true;

	if (change == KMIP_CHANGE_NO || change == KMIP_CHANGE_VENDOR_SERVER)
		return ERR_READ_ONLY;
	if (change == KMIP_CHANGE_VENDOR_CLIENT && name.data[0] != 'x')
		return ERR_READ_ONLY;
	if (state == OBJECT_STATE_DESTROYED || state == OBJECT_STATE_DESTROYED_COMPROMISED)
		return ERR_STATE;
	if (change == KMIP_CHANGE_BEFORE_ALLOCATED)
		return judge_unallocated(edits);
	if (change == KMIP_CHANGE_PRE_ACTIVE)
		may = state == OBJECT_STATE_PRE_ACTIVE;
	if (change == KMIP_CHANGE_PRE_ACTIVE_OR_ACTIVE || change == KMIP_CHANGE_BEFORE_REACHED)
		may = is_live;
	if (change == KMIP_CHANGE_BEFORE_REACHED &&
		object_attributes_value(&view, kmip_attribute_id(row), &value))
		may = may && value.i64 > edits->now;
	return may ? ERR_OK : ERR_STATE;
}

/* What a client did not say of an object that it registered it may say later, once (3.43, 3.44). */
static enum kmip_change change_to_add(const struct kmip_attribute_row *row)
{
	if (row->set_by == KMIP_SET_BY_SERVER)
		return KMIP_CHANGE_NO;
	return row->set_by == KMIP_SET_BY_CLIENT_ON_REGISTER ? KMIP_CHANGE_YES
							     : row->client_modifies;
}

enum err attribute_rules_add(struct attribute_edits *edits, const struct kmip_attribute *attribute)
{
	const struct kmip_attribute_row *row;
	struct object_attributes view = edits_view(edits);
	struct object_edit edit = { .kind = OBJECT_EDIT_ADD, .name = attribute->name };
	enum err err;

	TRY(judge_value(&row, edits, attribute));
	if (attribute->index.has)
		TRY(ERR_FIELD);
	if ((row->applies_to & KMIP_TO(edits->object_type)) == 0)
		TRY(ERR_DENIED);
	TRY(judge_change(edits, row, change_to_add(row), attribute->name));
	if (row->instances == KMIP_ONE) {
		TRY(object_attributes_collect(&view, row, attribute->name));
		if (view.count > 0)
			TRY(ERR_ILLEGAL);
		edit.kind = OBJECT_EDIT_SET;
	}
	TRY(edits_put(edits, row, edit, &attribute->value));
	TRY(judge_dates(edits));
	TRY(judge_amount(edits));
out:
	return err;
}

/* The instance with that index among the collected ones. */
static const struct kmip_attribute *instance_find(
	const struct object_attributes *view, int32_t index)
{
	for (size_t i = 0; i < view->count; i++) {
		if (view->items[i].index.value == index)
			return &view->items[i];
	}
	return NULL;
}

enum err attribute_rules_modify(
	struct attribute_edits *edits, const struct kmip_attribute *attribute)
{
	const struct kmip_attribute_row *row;
	struct object_attributes view = edits_view(edits);
	struct object_edit edit = { .kind = OBJECT_EDIT_MODIFY,
		.name = attribute->name,
		.index = (uint32_t) attribute->index.value };
	enum err err;

	TRY(judge_value(&row, edits, attribute));
	TRY(judge_change(edits, row, row->client_modifies, attribute->name));
	TRY(object_attributes_collect(&view, row, attribute->name));
	if (view.count == 0)
		TRY(ERR_FIELD);
	if (instance_find(&view, attribute->index.value) == NULL)
		TRY(ERR_NOT_FOUND);
	if (row->instances == KMIP_ONE)
		edit.kind = OBJECT_EDIT_SET;
	TRY(edits_put(edits, row, edit, &attribute->value));
	TRY(judge_dates(edits));
	TRY(judge_amount(edits));
out:
	return err;
}

/* What 1.0 asked in addition, and later versions dropped. */
static enum err judge_delete_1_0(
	const struct kmip_attribute_row *row, const struct kmip_int *index, size_t instances)
{
	if (index->has && row->instances == KMIP_ONE)
		return ERR_NOT_FOUND;
	return !index->has && instances > 1 ? ERR_FIELD : ERR_OK;
}

enum err attribute_rules_delete(struct attribute_edits *edits, struct slice name,
	const struct kmip_int *index, struct kmip_attribute *deleted)
{
	const struct kmip_attribute_row *row = kmip_attribute_find(name);
	struct object_attributes view = edits_view(edits);
	const struct kmip_attribute *instance;
	struct object_edit edit = {
		.kind = OBJECT_EDIT_DELETE, .name = name, .index = (uint32_t) index->value
	};
	enum err err = ERR_OK;

	if (row == NULL || !kmip_attribute_exists(row, edits->version))
		TRY(ERR_NOT_FOUND);
	if (row->is_always_set)
		TRY(ERR_READ_ONLY);
	TRY(judge_change(edits, row, row->client_deletes, name));
	TRY(object_attributes_collect(&view, row, name));
	if (edits->version == KMIP_1_0)
		TRY(judge_delete_1_0(row, index, view.count));
	instance = instance_find(&view, index->value);
	if (instance == NULL)
		TRY(ERR_NOT_FOUND);
	*deleted = *instance;
	TRY(attribute_rules_append(edits, &edit));
out:
	return err;
}

/* The date that the edits give, when it has been reached. */
static bool is_reached(
	const struct attribute_edits *edits, enum kmip_attribute_id id, struct kmip_value *out)
{
	return attribute_rules_get(edits, id, out) && out->i64 <= edits->now;
}

void attribute_rules_change(const struct attribute_edits *edits, struct object_change *change)
{
	bool is_active = edits->object != NULL &&
			 object_attributes_state(edits->object, edits->now) == OBJECT_STATE_ACTIVE;
	struct kmip_value date;

	change->edits = edits->items;
	change->edit_count = edits->count;
	/* What has happened is said as an event, so that no other clock judges it again. */
	if (is_reached(edits, KMIP_ATTRIBUTE_ACTIVATION_DATE, &date)) {
		change->activate = true;
		change->dates[OBJECT_DATE_ACTIVATED] = date.i64;
	}
	/* 3.22: only what is Active ends by its date. */
	if ((is_active || change->activate) &&
		is_reached(edits, KMIP_ATTRIBUTE_DEACTIVATION_DATE, &date)) {
		change->deactivate = true;
		change->dates[OBJECT_DATE_DEACTIVATED] = date.i64;
	}
}
