/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/trace.h"
#include "base/crypt.h"
#include "keystore/given.h"

/* Stored size of an attribute without name and value (README.md). */
enum { REGISTER_LEN = 29 };

void trace_begin(struct trace *trace, const struct record *cached, size_t len_max)
{
	struct object *object = &trace->record.object;

	*trace = (struct trace){ .record = *cached, .len_max = len_max };
	if (cached->kind == RECORD_CLIENT)
		return;
	object->has_material = false;
	bytes_zero(object->envelope_hash, sizeof(object->envelope_hash));
	object->wrapped = (struct object_wrapped){ 0 };
	object->dead = false;
	object->dead_epoch = 0;
	object->dates[OBJECT_DATE_DESTROYED] = 0;
	object->quarantined = object->disputed = false;
}

enum err trace_begin_since(
	struct trace *trace, struct arena *arena, struct stamp since, size_t len_max)
{
	struct object *object = &trace->record.object; /* as trace_begin left it */
	const struct object_attribute *whole = object->attributes;
	struct object_attribute *kept =
		arena_array(arena, object->attribute_count, sizeof(struct object_attribute));
	size_t count = 0;

	if (kept == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < object->attribute_count; i++) {
		if (stamp_compare(whole[i].written, since) >= 0)
			kept[count++] = whole[i];
	}
	object->attributes = kept;
	object->attribute_count = count;
	trace->next = 0;
	trace->len_max = len_max;
	trace->done = false;
	return ERR_OK;
}

/* How many attributes from `next` on fit into the room. */
static size_t trace_fitting(const struct trace *trace, size_t room)
{
	const struct object *object = &trace->record.object;
	size_t count = 0;

	for (size_t i = trace->next; i < object->attribute_count; i++, count++) {
		const struct object_attribute *attribute = &object->attributes[i];
		size_t len = REGISTER_LEN + attribute->name.len + attribute->value.len;

		if (len > room)
			break;
		room -= len;
	}
	return count;
}

static enum err trace_part(struct trace *trace, struct buf *out)
{
	struct record part = trace->record;
	struct object *object = &part.object;
	size_t before = buf_slice(out).len, room, count;
	struct buf head;
	enum err err;

	buf_init(&head, RECORD_LEN_MAX);
	object->attribute_count = 0;
	TRY(record_encode(&head, &part));
	TRY(buf_slice(&head).len > trace->len_max ? ERR_LIMIT : ERR_OK);
	room = trace->len_max - buf_slice(&head).len;
	count = trace_fitting(trace, room);
	TRY(count == 0 && trace->next < trace->record.object.attribute_count ? ERR_LIMIT : ERR_OK);
	object->attributes += trace->next;
	object->attribute_count = count;
	TRY(record_encode(out, &part));
	ASSERT(buf_slice(out).len - before <= trace->len_max);
	trace->next += count;
	trace->done = trace->next == trace->record.object.attribute_count;
out:
	buf_free(&head);
	return err;
}

enum err trace_next(struct trace *trace, struct buf *out)
{
	ASSERT(!trace->done);
	if (trace->record.kind == RECORD_OBJECT)
		return trace_part(trace, out);
	trace->done = true;
	return record_encode(out, &trace->record);
}

enum err trace_hash(uint8_t out[TRACE_HASH_LEN], const struct record *cached)
{
	struct trace trace;
	struct buf bytes;
	enum err err;

	buf_init(&bytes, RECORD_LEN_MAX);
	trace_begin(&trace, cached, RECORD_LEN_MAX);
	if (cached->kind == RECORD_OBJECT)
		trace.record.object.attribute_count = given_apart(&cached->object);
	TRY(trace_next(&trace, &bytes));
	TRY(crypt_sha256(out, buf_slice(&bytes)));
out:
	buf_free(&bytes);
	return err;
}

/* Attributes given at Create were all written with one stamp, and none was deleted. That alone does
 * not show that they are the ones given: of an only one last_change tells. */
static bool attributes_changed(const struct object *object)
{
	const struct object_attribute *at = object->attributes;

	for (size_t i = 0; i < given_apart(object); i++)
		if (at[i].deleted || stamp_compare(at[i].written, at[0].written) != 0)
			return true;
	return false;
}

bool trace_is_needed(const struct record *cached, int64_t now)
{
	const struct object *object = &cached->object;

	if (cached->kind == RECORD_CLIENT)
		return true;
	if (object->dead && (int64_t) (object->dead_epoch / 2) < now - TRACE_DEAD_S)
		return false;
	return object->life != OBJECT_PRE_ACTIVE || object->compromised ||
	       object->moved.time != 0 ||
	       object->last_change > object->dates[OBJECT_DATE_INITIAL] ||
	       attributes_changed(object);
}
