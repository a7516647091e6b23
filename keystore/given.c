/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/given.h"

/* Neither a KMIP attribute nor a custom one, and behind both. */
static const struct slice register_name = SLICE_LITERAL("~given");

bool given_is_register(struct slice name)
{
	return slice_equal(name, register_name);
}

bool given_is(const struct object *object)
{
	return object_attribute_find(object, register_name, 0) != NULL;
}

size_t given_apart(const struct object *object)
{
	size_t count = object->attribute_count;

	while (count > 0 && given_is_register(object->attributes[count - 1].name))
		count--;
	return count;
}

struct object_edit given_edit(void)
{
	return (struct object_edit){
		.kind = OBJECT_EDIT_SET, .name = register_name, .value = SLICE_LITERAL("1")
	};
}
