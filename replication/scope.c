/* SPDX-License-Identifier: Apache-2.0 */
/* Which instances the two nodes have in common: only theirs are replicated (design D22). */
#include "replication/core_private.h"
#include "base/crypt.h"
#include "replication/mutant.h"

bool core_is_common(const struct core *core, const struct instance_id *instance)
{
	struct slice id = slice_of(instance->text, INSTANCE_ID_LEN_MAX);
	size_t low = 0, high = core->common_count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = slice_compare(id, core->common[middle]);

		if (order == 0)
			return true;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}

static bool has_instance(struct slice instances, struct slice one)
{
	for (size_t at = 0; at < instances.len; at += WIRE_INSTANCE_LEN)
		if (slice_equal(slice_cut(instances, at, WIRE_INSTANCE_LEN), one))
			return true;
	return false;
}

void core_set_instances(struct core *core, struct slice instances)
{
	ASSERT(core->state == CORE_DOWN || core->state == CORE_REFUSED);
	ASSERT(instances.len <= (size_t) WIRE_INSTANCES_MAX * WIRE_INSTANCE_LEN);
	ASSERT(core->lease.held_until_ms == 0);
	core->options.instances = instances;
	core->common_count = 0;
	core->leased_count = 0;
}

void core_set_settings(struct core *core, struct slice settings)
{
	core->options.settings = settings;
}

static bool is_in(const struct slice *ids, size_t count, struct slice id)
{
	for (size_t i = 0; i < count; i++)
		if (slice_equal(ids[i], id))
			return true;
	return false;
}

static void tell_lease(struct core *core)
{
	struct core_action *action = core_add(core, CORE_ACTION_SCOPE);

	action->scope.ids = core->leased;
	action->scope.count = core->leased_count;
}

/* What the peer does to an instance that differs is not streamed from now on, and what it did
 * before was not known to be all: the lease that may still be held is silent on it. */
static void narrow_lease(struct core *core)
{
	size_t kept = 0;

	if (MUTANT(lease_for_all))
		return;
	for (size_t i = 0; i < core->leased_count; i++)
		if (is_in(core->common, core->common_count, core->leased[i]))
			core->leased[kept++] = core->leased[i];
	if (kept == core->leased_count)
		return;
	core->leased_count = kept;
	tell_lease(core);
}

void core_widen_lease(struct core *core)
{
	const struct slice *from = core->common;
	struct slice all[WIRE_INSTANCES_MAX];
	size_t count = core->common_count;

	if (MUTANT(lease_for_all)) {
		count = core->options.instances.len / WIRE_INSTANCE_LEN;
		for (size_t i = 0; i < count; i++)
			all[i] = slice_cut(core->options.instances, i * WIRE_INSTANCE_LEN,
				INSTANCE_ID_LEN_MAX);
		from = all;
	}
	/* Never more than was in common at the last HELLO, less what was taken from it since. */
	if (core->leased_count == count)
		return;
	bytes_copy(core->leased, from, count * sizeof(*from));
	core->leased_count = count;
	tell_lease(core);
}

/* Both nodes come to the same scope, since both lists are in the order of id. */
void core_compare_instances(struct core *core, struct slice theirs)
{
	struct slice own = core->options.instances;
	struct slice parts[WIRE_INSTANCES_MAX];
	size_t total = own.len / WIRE_INSTANCE_LEN;

	core->common_count = 0;
	for (size_t i = 0; i < total; i++) {
		struct slice one = slice_cut(own, i * WIRE_INSTANCE_LEN, WIRE_INSTANCE_LEN);

		if (!has_instance(theirs, one))
			continue;
		parts[core->common_count] = one;
		core->common[core->common_count++] = slice_cut(one, 0, INSTANCE_ID_LEN_MAX);
	}
	core->differing = total + theirs.len / WIRE_INSTANCE_LEN - 2 * core->common_count;
	narrow_lease(core);
	if (crypt_sha256_parts(core->scope, parts, core->common_count) != ERR_OK)
		core_close(core, "no memory to compare instances");
}
