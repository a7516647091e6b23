/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/change_copy.h"

enum err change_copy(
	struct object_change *out, struct arena *arena, const struct object_change *change)
{
	struct object_edit *edits = arena_array(arena, change->edit_count, sizeof(*edits));

	if (edits == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < change->edit_count; i++) {
		edits[i] = change->edits[i];
		edits[i].name = arena_copy(arena, change->edits[i].name);
		edits[i].value = arena_copy(arena, change->edits[i].value);
		if (edits[i].name.data == NULL || edits[i].value.data == NULL)
			return ERR_NOMEM;
	}
	*out = *change;
	out->edits = edits;
	return ERR_OK;
}
