/* SPDX-License-Identifier: Apache-2.0 */
/* config.def as an array of rows, for the parser and the printers. Private to node/config*.c. */
#ifndef NODE_CONFIG_ROWS_H
#define NODE_CONFIG_ROWS_H

#include "node/config.h"

#include <stddef.h>

enum config_type {
	CONFIG_TYPE_TEXT,
	CONFIG_TYPE_PATH,
	CONFIG_TYPE_SECRET,
	CONFIG_TYPE_ID,
	CONFIG_TYPE_ADDRESS,
	CONFIG_TYPE_NUMBER,
	CONFIG_TYPE_FLAG,
	CONFIG_TYPE_LEVEL,
	CONFIG_TYPE_KIND,
	CONFIG_TYPE_CHOICE,
	CONFIG_TYPE_WARM,
	CONFIG_TYPE_POLICY,
};

struct config_row {
	const char *key;
	size_t offset; /* of the member in its section's struct */
	enum config_type type;
	uint32_t min, max;
	const char *value; /* default; CONFIG_REQUIRED or NULL */
	bool reloadable;
	const char *help;
};

enum { CONFIG_ROWS_MAX = 20 };

struct config_section {
	const char *name; /* NULL: the top of the file */
	const char *help;
	const struct config_row *rows;
	size_t row_count;
	size_t size; /* of the section's struct */
};

enum {
	CONFIG_SECTION_TOP,
	CONFIG_SECTION_KMIP,
	CONFIG_SECTION_METRICS,
	CONFIG_SECTION_PEER,
	CONFIG_SECTION_INSTANCES,
	CONFIG_SECTION_COUNT
};

extern const char config_required[];
extern const struct config_section config_sections[CONFIG_SECTION_COUNT];
extern const char *const config_kinds[]; /* NULL-terminated */
extern const char *const config_choices[];

#endif
