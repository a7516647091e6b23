/* SPDX-License-Identifier: Apache-2.0 */
/*
 * That an object was handed out to a client (KMIP's Fresh): a register among the object's
 * attributes, under a name that no client can use or see. It makes no object younger and is no
 * reason to tell the key manager (trace.h), so that the first Get of a key costs nothing there: it
 * goes with what else is to be told of the object. Whoever depends on it writes an attribute.
 */
#ifndef KEYSTORE_GIVEN_H
#define KEYSTORE_GIVEN_H

#include "keystore/object.h"

bool given_is_register(struct slice name);
bool given_is(const struct object *object);
/* How many registers there are beside it: it sorts behind all of them. */
size_t given_apart(const struct object *object);
/* The edit that says so; points to nothing that ends. */
struct object_edit given_edit(void);

#endif
