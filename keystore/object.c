/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/object.h"
#include "keystore/given.h"
#include "keystore/usage.h"

enum {
	INDEX_MAX = 4096, /* above OBJECT_ATTRIBUTES_MERGED_MAX, so that one is always free */
	REGISTER_FIXED_LEN = 29, /* stored size of a register without name and value (README.md) */
};

bool object_epoch_is_dead(uint64_t epoch)
{
	return epoch != 0 && epoch % 2 == 0;
}

bool object_is_quarantined(const struct object *object)
{
	return object->quarantined || object->disputed;
}

bool object_is_moved(const struct object *object)
{
	return !uid_equal(&object->key_id, &object->uid);
}

enum { STAMP_COUNTER_BITS = 16, MS = 1000 };

struct stamp object_moved_at(int64_t created)
{
	return (struct stamp){ .time = (uint64_t) (created > 0 ? created : 1) * MS
				       << STAMP_COUNTER_BITS };
}

int64_t object_moved_date(const struct object *object)
{
	return (int64_t) (object->moved.time >> STAMP_COUNTER_BITS) / MS;
}

bool object_is_let_go(const struct object *object)
{
	return (object->moved.time & 1) != 0;
}

bool object_ends_with_old(const struct object *object, int64_t deletion)
{
	return object_is_moved(object) && !object_is_let_go(object) && deletion > 0 &&
	       object->moved.time >> STAMP_COUNTER_BITS <= (uint64_t) deletion * MS;
}

void object_let_go(struct object *object)
{
	object->moved.time |= 1;
}

int object_key_compare(const struct object *a, const struct object *b)
{
	struct stamp left = { .time = a->moved.time >> STAMP_COUNTER_BITS, .node = a->moved.node };
	struct stamp right = { .time = b->moved.time >> STAMP_COUNTER_BITS, .node = b->moved.node };
	int order = stamp_compare(left, right);

	/* Without a date of the move, an id of its own says more than the uid. */
	if (order == 0)
		order = object_is_moved(a) - object_is_moved(b);
	if (order == 0)
		order = slice_compare(slice_of(a->key_id.bytes, sizeof(a->key_id.bytes)),
			slice_of(b->key_id.bytes, sizeof(b->key_id.bytes)));
	return order;
}

uint64_t object_epoch_of(int64_t deletion_date, bool deleted)
{
	return deletion_date <= 0 ? 0 : 2 * (uint64_t) deletion_date + (deleted ? 0 : 1);
}

enum object_state object_state(
	const struct object *object, const struct object_schedule *schedule, int64_t now)
{
	bool due = schedule->activation != 0 && schedule->activation <= now;
	bool over = schedule->deactivation != 0 && schedule->deactivation <= now;
	bool active = object->life == OBJECT_ACTIVE || due;

	if (object->dead)
		return object->compromised ? OBJECT_STATE_DESTROYED_COMPROMISED
					   : OBJECT_STATE_DESTROYED;
	if (object->compromised)
		return OBJECT_STATE_COMPROMISED;
	if (object->life == OBJECT_DEACTIVATED || (active && over))
		return OBJECT_STATE_DEACTIVATED;
	return active ? OBJECT_STATE_ACTIVE : OBJECT_STATE_PRE_ACTIVE;
}

/* ---- visible indices ---- */

/* The instances of one name lie side by side. */
struct group {
	const struct object_attribute *first;
	size_t count;
};

static struct group group_find(const struct object *object, struct slice name)
{
	struct group group = { .first = object->attributes };
	size_t at = 0;

	while (at < object->attribute_count && !slice_equal(object->attributes[at].name, name))
		at++;
	if (at < object->attribute_count)
		group.first += at;
	while (at + group.count < object->attribute_count &&
		slice_equal(group.first[group.count].name, name))
		group.count++;
	return group;
}

struct taken {
	uint8_t bits[INDEX_MAX / 8];
};

static bool taken_has(const struct taken *taken, uint32_t index)
{
	return index >= INDEX_MAX || (taken->bits[index / 8] >> index % 8 & 1) != 0;
}

/* The wanted index, else the next free one, else (past the end) the first free one. */
static uint32_t taken_add(struct taken *taken, uint32_t wanted)
{
	uint32_t index = wanted;

	while (index < INDEX_MAX && taken_has(taken, index))
		index++;
	if (index >= INDEX_MAX)
		for (index = 0; taken_has(taken, index); index++)
			ASSERT(index + 1 < INDEX_MAX);
	taken->bits[index / 8] = (uint8_t) (taken->bits[index / 8] | 1u << index % 8);
	return index;
}

/* Gives indices to the group in order, until visit says that it has what it wants. */
struct group_search {
	const struct object_attribute *attribute; /* this one, or NULL: */
	uint32_t index; /* the one seen at this index; out: the index */
};

static const struct object_attribute *group_search(
	struct group group, struct taken *taken, struct group_search *search)
{
	for (size_t i = 0; i < group.count; i++) {
		const struct object_attribute *at = &group.first[i];
		uint32_t index;

		if (at->deleted)
			continue;
		index = taken_add(taken, at->index);
		if (search->attribute == NULL ? index == search->index : at == search->attribute) {
			search->index = index;
			return at;
		}
	}
	return NULL;
}

const struct object_attribute *object_attribute_find(
	const struct object *object, struct slice name, uint32_t index)
{
	struct taken taken = { 0 };
	struct group_search search = { .index = index };

	return group_search(group_find(object, name), &taken, &search);
}

uint32_t object_attribute_index(
	const struct object *object, const struct object_attribute *attribute)
{
	struct taken taken = { 0 };
	struct group_search search = { .attribute = attribute };
	const struct object_attribute *found =
		group_search(group_find(object, attribute->name), &taken, &search);

	ASSERT(found == attribute);
	return search.index;
}

size_t object_attributes_bytes(const struct object *object)
{
	size_t len = 0;

	for (size_t i = 0; i < object->attribute_count; i++)
		if (!object->attributes[i].deleted &&
			!usage_is_register(object->attributes[i].name) &&
			!given_is_register(object->attributes[i].name))
			len += object->attributes[i].name.len + object->attributes[i].value.len;
	return len;
}

static size_t registers_bytes(const struct object *object)
{
	size_t len = object->attribute_count * REGISTER_FIXED_LEN;

	for (size_t i = 0; i < object->attribute_count; i++)
		len += object->attributes[i].name.len + object->attributes[i].value.len;
	return len;
}

/* ---- changes ---- */

/* A copy that is worked on, with room for every edit's new register. */
struct draft {
	struct object object;
	struct arena *arena;
	struct stamp stamp;
	uint32_t added_index;
};

static enum err draft_begin(struct draft *draft, const struct object *object, size_t edit_count)
{
	struct object_attribute *attributes;

	if (edit_count > OBJECT_ATTRIBUTES_MERGED_MAX)
		return ERR_LIMIT;
	attributes = arena_array(
		draft->arena, object->attribute_count + edit_count, sizeof(*attributes));
	if (attributes == NULL)
		return ERR_NOMEM;
	bytes_copy(attributes, object->attributes, object->attribute_count * sizeof(*attributes));
	draft->object = *object;
	draft->object.attributes = attributes;
	return ERR_OK;
}

static enum err draft_write(
	struct draft *draft, struct object_attribute *attribute, const struct object_edit *edit)
{
	bool deleted = edit->kind == OBJECT_EDIT_DELETE;
	struct slice value = arena_copy(draft->arena, deleted ? SLICE_EMPTY : edit->value);
	struct stamp written;
	enum err err;

	TRY(value.data == NULL ? ERR_NOMEM : ERR_OK);
	TRY(stamp_beat(&written, draft->stamp, attribute->written));
	attribute->value = value;
	attribute->written = written;
	attribute->deleted = deleted;
out:
	return err;
}

/* Where the register with this identity is, or belongs. */
static size_t draft_place(const struct draft *draft, struct slice name, struct stamp added)
{
	size_t at = 0;

	for (; at < draft->object.attribute_count; at++) {
		const struct object_attribute *there = &draft->object.attributes[at];
		int order = slice_compare(there->name, name);

		if (order > 0 || (order == 0 && stamp_compare(there->added, added) >= 0))
			break;
	}
	return at;
}

static bool draft_has(const struct draft *draft, size_t at, struct slice name, struct stamp added)
{
	const struct object_attribute *there = &draft->object.attributes[at];

	return at < draft->object.attribute_count && slice_equal(there->name, name) &&
	       stamp_compare(there->added, added) == 0;
}

static enum err draft_insert(
	struct draft *draft, size_t at, const struct object_edit *edit, struct stamp added)
{
	struct object *object = &draft->object;
	struct object_attribute fresh = { .name = arena_copy(draft->arena, edit->name),
		.added = added,
		.index = edit->kind == OBJECT_EDIT_ADD ? draft->added_index : 0 };
	enum err err;

	TRY(fresh.name.data == NULL ? ERR_NOMEM : ERR_OK);
	TRY(draft_write(draft, &fresh, edit));
	bytes_move(object->attributes + at + 1, object->attributes + at,
		(object->attribute_count - at) * sizeof(*object->attributes));
	object->attributes[at] = fresh;
	object->attribute_count++;
out:
	return err;
}

static enum err draft_set(struct draft *draft, const struct object_edit *edit)
{
	size_t at = draft_place(draft, edit->name, edit->added);

	if (draft_has(draft, at, edit->name, edit->added))
		return draft_write(draft, &draft->object.attributes[at], edit);
	return draft_insert(draft, at, edit, edit->added);
}

static enum err draft_add(struct draft *draft, const struct object_edit *edit)
{
	struct stamp added = draft->stamp;
	struct taken taken = { 0 };
	struct group_search all = { .index = INDEX_MAX };
	size_t at = draft_place(draft, edit->name, added);

	/* One change may add several instances of a name: each needs an identity of its own. */
	while (draft_has(draft, at, edit->name, added)) {
		if (added.time == UINT64_MAX)
			return ERR_LIMIT;
		added.time++;
		at = draft_place(draft, edit->name, added);
	}
	(void) group_search(group_find(&draft->object, edit->name), &taken, &all);
	draft->added_index = taken_add(&taken, 0);
	return draft_insert(draft, at, edit, added);
}

static enum err draft_edit(struct draft *draft, const struct object_edit *edit)
{
	const struct object_attribute *found;

	if (edit->name.len == 0)
		return ERR_INVALID;
	if (edit->name.len > OBJECT_NAME_LEN_MAX || edit->value.len > OBJECT_ATTRIBUTES_BYTES_MAX)
		return ERR_LIMIT;
	if (edit->kind == OBJECT_EDIT_SET)
		return draft_set(draft, edit);
	if (edit->kind == OBJECT_EDIT_ADD)
		return draft_add(draft, edit);
	found = object_attribute_find(&draft->object, edit->name, edit->index);
	if (found == NULL)
		return ERR_NOT_FOUND;
	return draft_write(
		draft, &draft->object.attributes[found - draft->object.attributes], edit);
}

/* What two nodes held apart may exceed the limits when merged: a change may then still shrink it.
 */
static enum err draft_check(const struct draft *draft, const struct object *before)
{
	const struct object *after = &draft->object;
	size_t live = object_attributes_bytes(after), stored = registers_bytes(after);

	if (live > OBJECT_ATTRIBUTES_BYTES_MAX && live > object_attributes_bytes(before))
		return ERR_LIMIT;
	if (stored > OBJECT_REGISTERS_BYTES_MAX && stored > registers_bytes(before))
		return ERR_LIMIT;
	if (after->attribute_count > OBJECT_ATTRIBUTES_MAX &&
		after->attribute_count > before->attribute_count)
		return ERR_LIMIT;
	return ERR_OK;
}

/* Dead from now on: an even epoch above every earlier one, and no wrapped key any more. What is
 * dead already dies again when the date is of a later deletion: a restoration in between, which we
 * have not heard of yet, must not outlive it. */
static void object_kill(struct object *object, const struct object_change *change)
{
	int64_t date = change->dates[OBJECT_DATE_DESTROYED];
	uint64_t epoch;

	epoch = object_epoch_of(date, true);
	if (object->dead && epoch <= object->dead_epoch)
		return;
	if (date <= 0)
		date = change->now;
	epoch = object_epoch_of(date, true);
	if (epoch <= object->dead_epoch)
		epoch = object->dead_epoch + 1 + (object->dead_epoch + 1) % 2;
	object->dead = true;
	object->dead_epoch = epoch;
	object->wrapped = (struct object_wrapped){ 0 };
}

static void apply_flags(struct object *object, const struct object_change *change)
{
	if (change->activate && object->life < OBJECT_ACTIVE)
		object->life = OBJECT_ACTIVE;
	if (change->deactivate)
		object->life = OBJECT_DEACTIVATED;
	if (change->compromise)
		object->compromised = true;
	if (change->destroy)
		object_kill(object, change);
	if (change->claim)
		object->unclaimed = false;
	for (size_t i = 0; i < OBJECT_DATE_COUNT; i++)
		if (object->dates[i] == 0)
			object->dates[i] = change->dates[i];
	if (change->now > object->last_change)
		object->last_change = change->now;
	/* By the key manager's clock, which is what a rebuilt cache knows it by. */
	if (change->destroy && object->dates[OBJECT_DATE_DESTROYED] > object->last_change)
		object->last_change = object->dates[OBJECT_DATE_DESTROYED];
}

static bool changes_attributes(const struct object_change *change)
{
	for (size_t i = 0; i < change->edit_count; i++)
		if (!given_is_register(change->edits[i].name))
			return true;
	return false;
}

/* Attributes changed since an object was made make it younger than that, also within the second and
 * when the clock was set back: its envelope does not say all any more (trace.h). */
static void apply_edit_date(struct object *object, int64_t made)
{
	if (made != 0 && made < INT64_MAX && object->last_change <= made)
		object->last_change = made + 1;
}

enum err object_apply(struct object *object, struct arena *arena,
	const struct object_change *change, struct stamp stamp, uint32_t *added_index)
{
	struct draft draft = { .arena = arena, .stamp = stamp };
	enum err err;

	TRY(draft_begin(&draft, object, change->edit_count));
	for (size_t i = 0; i < change->edit_count; i++)
		TRY(draft_edit(&draft, &change->edits[i]));
	TRY(draft_check(&draft, object));
	apply_flags(&draft.object, change);
	if (changes_attributes(change))
		apply_edit_date(&draft.object, object->dates[OBJECT_DATE_INITIAL]);
	*object = draft.object;
	if (added_index != NULL)
		*added_index = draft.added_index;
out:
	return err;
}

void object_renew_wrapped(struct object *object, const struct object_wrapped *renewed)
{
	const struct object_wrapped *own = &object->wrapped;

	if (slice_equal(own->sealed, renewed->sealed) &&
		slice_equal(slice_of(own->nonce, sizeof(own->nonce)),
			slice_of(renewed->nonce, sizeof(renewed->nonce))))
		object->wrapped = *renewed;
}
