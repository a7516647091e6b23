/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The attributes of an object that comes from another server (KMIP 1.4, section 4.41): set as they
 * are given, whoever may set them otherwise; what the server itself knows is compared or left.
 */
#ifndef KMIP_IMPORTING_H
#define KMIP_IMPORTING_H

#include "kmip/attribute_rules.h"
#include "kmip/item.h"

/* Ours, the server's: what a client called an object that it imported. */
#define IMPORTING_IDENTIFIER "y-Imported Identifier"

struct importing {
	struct attribute_edits edits;
	struct kmip_uint state;
	int64_t dates[OBJECT_DATE_COUNT]; /* 0: not given */
	int64_t last_change;
};

/* ERR_FIELD: unknown, not for this kind of object, a wrong value, or another Object Type; a
 * destroyed object; ERR_INDEX: single and given twice. */
MUST_USE enum err importing_attributes(
	struct importing *importing, const struct kmip_attribute *attributes, size_t count);
/* Puts state and dates into the effect that making_further_effect stated. ERR_FIELD: they
 * contradict each other. */
MUST_USE enum err importing_state(struct kmip_item *item, const struct importing *importing);

#endif
