/* SPDX-License-Identifier: Apache-2.0 */
/* Which instances the two nodes have in common: only theirs are replicated (design D22). */
#include "replication/core_private.h"
#include "base/crypt.h"

bool core_is_common(const struct core *core, const struct instance_id *instance)
{
	for (size_t i = 0; i < core->common_count; i++)
		if (slice_equal(core->common[i], slice_of(instance->text, INSTANCE_ID_LEN_MAX)))
			return true;
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
	core->options.instances = instances;
	core->common_count = 0;
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
	if (crypt_sha256_parts(core->scope, parts, core->common_count) != ERR_OK)
		core_close(core, "no memory to compare instances");
}
