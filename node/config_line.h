/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the line of a key in a YAML file in block style, for error messages: the loader tells
 * values, not places. */
#ifndef NODE_CONFIG_LINE_H
#define NODE_CONFIG_LINE_H

#include "base/slice.h"

struct config_place {
	const char *section; /* NULL: top of the file */
	size_t entry; /* of a list section, from 0 */
	const char *key; /* NULL: the section or entry itself */
};

/* From 1; the nearest line before it when the key is not there; 1 when nothing fits. */
size_t config_line_find(struct slice text, const struct config_place *place);

#endif
