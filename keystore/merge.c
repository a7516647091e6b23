/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every field is a join of its own, but for the wrapped form: that is a register inside an epoch
 * and an envelope hash, since bytes that were dropped in one epoch must not come back from an
 * earlier one (design D6).
 */
#include "keystore/record.h"

static int u64_compare(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int bytes_compare(const void *a, const void *b, size_t len)
{
	return slice_compare(slice_of(a, len), slice_of(b, len));
}

/* ---- identity: what is set on one side only wins; what differs quarantines ---- */

static uint32_t join_number(struct object *out, uint32_t a, uint32_t b)
{
	if (a == 0 || b == 0)
		return a | b;
	out->quarantined |= a != b;
	return a < b ? a : b;
}

static void join_instance(struct object *out, const struct object *a, const struct object *b)
{
	int order = bytes_compare(a->instance.text, b->instance.text, sizeof(a->instance.text));

	if (a->instance.text[0] == '\0' || b->instance.text[0] == '\0') {
		out->instance = order > 0 ? a->instance : b->instance;
		return;
	}
	out->quarantined |= order != 0;
	out->instance = order < 0 ? a->instance : b->instance;
}

/* Which standard key holds it: hash and wrapped form are that one's alone (design D8). */
static void join_key_id(struct object *out, const struct object *a, const struct object *b)
{
	int order = object_key_compare(a, b);

	if (order == 0)
		order = stamp_compare(a->moved, b->moved);
	out->key_id = order > 0 ? a->key_id : b->key_id;
	out->moved = order > 0 ? a->moved : b->moved;
}

static bool has_material_of(const struct object *merged, const struct object *from)
{
	return from->has_material && object_key_compare(merged, from) == 0;
}

static bool disputed_of(const struct object *merged, const struct object *from)
{
	return from->disputed && object_key_compare(merged, from) == 0;
}

/* After the key was joined. */
static void join_hash(struct object *out, const struct object *a, const struct object *b)
{
	int order = bytes_compare(a->envelope_hash, b->envelope_hash, sizeof(a->envelope_hash));
	bool from_a = has_material_of(out, a), from_b = has_material_of(out, b);
	const struct object *from = from_a ? a : b;

	out->disputed = disputed_of(out, a) || disputed_of(out, b);
	if (!from_a && !from_b)
		return;
	if (from_a && from_b) {
		out->disputed |= order != 0;
		from = order < 0 ? a : b;
	}
	out->has_material = true;
	bytes_copy(out->envelope_hash, from->envelope_hash, sizeof(out->envelope_hash));
}

/* ---- life and death ---- */

static int death_compare(const struct object *a, const struct object *b)
{
	int order = u64_compare(a->dead_epoch, b->dead_epoch);

	return order != 0 ? order : a->dead - b->dead;
}

static int wrapped_compare(const struct object_wrapped *a, const struct object_wrapped *b)
{
	int order = (a->version_label > b->version_label) - (a->version_label < b->version_label);

	if (order == 0)
		order = stamp_compare(a->written, b->written);
	if (order == 0)
		order = slice_compare(a->ciphertext, b->ciphertext);
	if (order == 0)
		order = slice_compare(a->sealed, b->sealed);
	return order != 0 ? order : bytes_compare(a->nonce, b->nonce, sizeof(a->nonce));
}

/* The wrapped form that a record brings to the merged one: none unless it is of the same epoch, the
 * same key and the same envelope. */
static const struct object_wrapped *wrapped_for(
	const struct object *merged, const struct object *from)
{
	bool matches = death_compare(merged, from) == 0 && has_material_of(merged, from) &&
		       bytes_compare(merged->envelope_hash, from->envelope_hash,
			       sizeof(merged->envelope_hash)) == 0;

	return matches && from->wrapped.ciphertext.len > 0 ? &from->wrapped : NULL;
}

/* After epoch and hash were joined. */
static void join_wrapped(struct object *out, const struct object *a, const struct object *b)
{
	const struct object_wrapped *from_a = wrapped_for(out, a), *from_b = wrapped_for(out, b);

	out->wrapped = (struct object_wrapped){ 0 };
	if (out->dead || (from_a == NULL && from_b == NULL))
		return;
	if (from_a == NULL || from_b == NULL)
		out->wrapped = from_a == NULL ? *from_b : *from_a;
	else
		out->wrapped = wrapped_compare(from_a, from_b) > 0 ? *from_a : *from_b;
}

static void join_life(struct object *out, const struct object *a, const struct object *b)
{
	const struct object *later = death_compare(a, b) > 0 ? a : b;

	out->life = a->life > b->life ? a->life : b->life;
	out->compromised = a->compromised || b->compromised;
	out->dead = later->dead;
	out->dead_epoch = later->dead_epoch;
	out->unclaimed = a->unclaimed && b->unclaimed;
	out->last_change = a->last_change > b->last_change ? a->last_change : b->last_change;
	for (size_t i = 0; i < OBJECT_DATE_COUNT; i++) {
		bool takes_a = b->dates[i] == 0 || (a->dates[i] != 0 && a->dates[i] < b->dates[i]);
		out->dates[i] = takes_a ? a->dates[i] : b->dates[i];
	}
}

/* ---- attributes ---- */

static int identity_compare(const struct object_attribute *a, const struct object_attribute *b)
{
	int order = slice_compare(a->name, b->name);

	return order != 0 ? order : stamp_compare(a->added, b->added);
}

/* The later write; equal stamps: the greater encoding, a tombstone first of all. */
static int write_compare(const struct object_attribute *a, const struct object_attribute *b)
{
	int order = stamp_compare(a->written, b->written);

	if (order == 0)
		order = a->deleted - b->deleted;
	if (order == 0)
		order = u64_compare(a->index, b->index);
	return order != 0 ? order : slice_compare(a->value, b->value);
}

/* Both lists are sorted: one pass. */
static size_t union_attributes(
	struct object_attribute *out, const struct object *a, const struct object *b)
{
	size_t i = 0, j = 0, count = 0;

	while (i < a->attribute_count || j < b->attribute_count) {
		const struct object_attribute *left = &a->attributes[i], *right = &b->attributes[j];
		int order = i == a->attribute_count   ? 1
			    : j == b->attribute_count ? -1
						      : identity_compare(left, right);

		i += order <= 0;
		j += order >= 0;
		if (order == 0)
			order = write_compare(left, right) > 0 ? -1 : 1;
		out[count++] = order < 0 ? *left : *right;
	}
	return count;
}

static enum err join_attributes(
	struct object *out, struct arena *arena, const struct object *a, const struct object *b)
{
	size_t room = a->attribute_count + b->attribute_count;
	struct object_attribute *attributes = arena_array(arena, room, sizeof(*attributes));

	if (attributes == NULL)
		return ERR_NOMEM;
	out->attribute_count = union_attributes(attributes, a, b);
	out->attributes = attributes;
	return out->attribute_count > OBJECT_ATTRIBUTES_MERGED_MAX ? ERR_LIMIT : ERR_OK;
}

static enum err merge_objects(
	struct object *out, struct arena *arena, const struct object *a, const struct object *b)
{
	enum err err;

	TRY(uid_equal(&a->uid, &b->uid) ? ERR_OK : ERR_INVALID);
	out->uid = a->uid;
	out->quarantined = a->quarantined || b->quarantined;
	join_key_id(out, a, b);
	join_instance(out, a, b);
	out->type = join_number(out, a->type, b->type);
	out->format = join_number(out, a->format, b->format);
	join_hash(out, a, b);
	join_life(out, a, b);
	join_wrapped(out, a, b);
	TRY(join_attributes(out, arena, a, b));
out:
	return err;
}

/* ---- clients: one register ---- */

static int client_compare(const struct client *a, const struct client *b)
{
	int order = stamp_compare(a->written, b->written);

	if (order == 0)
		order = a->removed - b->removed;
	if (order == 0)
		order = bytes_compare(a->instance.text, b->instance.text, sizeof(a->instance.text));
	if (order == 0)
		order = bytes_compare(a->name, b->name, sizeof(a->name));
	if (order == 0)
		order = u64_compare((uint64_t) a->added_at, (uint64_t) b->added_at);
	return order != 0 ? order : u64_compare((uint64_t) a->not_after, (uint64_t) b->not_after);
}

static enum err merge_clients(struct client *out, const struct client *a, const struct client *b)
{
	if (!fingerprint_equal(&a->fingerprint, &b->fingerprint))
		return ERR_INVALID;
	*out = client_compare(a, b) > 0 ? *a : *b;
	return ERR_OK;
}

enum err record_merge(
	struct record *out, struct arena *arena, const struct record *a, const struct record *b)
{
	struct record merged = { .kind = a->kind };
	enum err err;

	TRY(a->kind == b->kind ? ERR_OK : ERR_INVALID);
	/* What a newer release added is opaque here: the greater one stays until it merges it. */
	merged.minor = a->minor > b->minor ? a->minor : b->minor;
	merged.extension =
		slice_compare(a->extension, b->extension) > 0 ? a->extension : b->extension;
	if (a->kind == RECORD_OBJECT)
		TRY(merge_objects(&merged.object, arena, &a->object, &b->object));
	else
		TRY(merge_clients(&merged.client, &a->client, &b->client));
	*out = merged;
out:
	return err;
}
