/* SPDX-License-Identifier: Apache-2.0 */
/* One value of the configuration file: from its text, by its row's type. Private to node/config*.c.
 */
#ifndef NODE_CONFIG_VALUE_H
#define NODE_CONFIG_VALUE_H

#include "node/config_rows.h"

struct config_loading {
	const char *path;
	char *why; /* CONFIG_WHY_MAX bytes */
	struct slice text;
	char complaint[160]; /* the loader's first message */
	size_t complaint_line;
};

/* Where and what is wrong; the last word counts. */
void config_say(struct config_loading *loading, size_t line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

struct config_judging {
	struct config_loading *loading;
	const struct config_section *section;
	size_t entry;
	void *target; /* the section's struct */
};

/* "section.key: expected this, found that"; found: NULL for nothing. */
void config_complain(struct config_judging *judging, const struct config_row *row,
	const char *expected, const char *found);
/* Sets the row's member of the target. ERR_CONFIG: said what is wrong with it. */
MUST_USE enum err config_set(
	struct config_judging *judging, const struct config_row *row, const char *value);

#endif
