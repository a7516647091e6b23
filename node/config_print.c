/* SPDX-License-Identifier: Apache-2.0 */
#include "node/config_rows.h"

#include <stdio.h>

enum { EXPECTATION_MAX = 64 };

static const char *type_expectation(char number[EXPECTATION_MAX], const struct config_row *row)
{
	switch (row->type) {
	case CONFIG_TYPE_PATH:
	case CONFIG_TYPE_SECRET:
		return "PATH";
	case CONFIG_TYPE_ADDRESS:
		return row->min == 0 ? "HOST:PORT|none" : "HOST:PORT";
	case CONFIG_TYPE_NUMBER:
		(void) snprintf(number, EXPECTATION_MAX, "%u to %u", row->min, row->max);
		return number;
	case CONFIG_TYPE_FLAG:
		return "true|false";
	case CONFIG_TYPE_LEVEL:
		return "error|warning|info|debug";
	case CONFIG_TYPE_KIND:
		return "key-protect|hpcs";
	case CONFIG_TYPE_CHOICE:
		return "serve|refuse";
	case CONFIG_TYPE_WARM:
		return "off|recent N|all";
	case CONFIG_TYPE_POLICY:
		return "all|fips|NAME[:BITS]|-NAME...";
	case CONFIG_TYPE_ID:
	case CONFIG_TYPE_TEXT:
		break;
	}
	return "TEXT";
}

static bool has_required(const struct config_section *section)
{
	for (size_t i = 0; i < section->row_count; i++)
		if (section->rows[i].value == config_required)
			return true;
	return false;
}

/* A section may not be empty: one without required options shows its defaults in force. */
static enum err print_example_row(
	struct buf *out, const struct config_row *row, const char *indent, bool in_force)
{
	enum err err;
	char number[EXPECTATION_MAX];
	const char *value = row->value == NULL || row->value == config_required ? "" : row->value;
	TRY(buf_printf(out, "%s# %s (%s%s)\n", indent, row->help, type_expectation(number, row),
		row->value == config_required ? ", required" : ""));
	TRY(buf_printf(out, "%s%s%s:%s%s\n", indent,
		in_force || row->value == config_required ? "" : "# ", row->key,
		value[0] == '\0' ? "" : " ", value));
out:
	return err;
}

enum err config_example(struct buf *out)
{
	enum err err;
	TRY(buf_printf(out, "# Configuration of kmipd. Required options are open; the others show "
			    "their defaults.\n"));
	for (size_t i = 0; i < CONFIG_SECTION_COUNT; i++) {
		const struct config_section *section = &config_sections[i];
		bool list = i == CONFIG_SECTION_INSTANCES;
		TRY(buf_printf(out, "\n# ---- %s\n", section->help));
		if (section->name != NULL)
			TRY(buf_printf(out, "%s:\n%s", section->name, list ? "  -\n" : ""));
		for (size_t r = 0; r < section->row_count; r++)
			TRY(print_example_row(out, &section->rows[r],
				section->name == NULL ? "" : (list ? "    " : "  "),
				!has_required(section)));
	}
out:
	return err;
}

enum err config_manual(struct buf *out)
{
	enum err err = ERR_OK;
	for (size_t i = 0; i < CONFIG_SECTION_COUNT; i++) {
		const struct config_section *section = &config_sections[i];
		TRY(buf_printf(out, "\n%s (%s)\n",
			section->name == NULL ? "top of the file" : section->name, section->help));
		for (size_t r = 0; r < section->row_count; r++) {
			const struct config_row *row = &section->rows[r];
			char number[EXPECTATION_MAX];
			TRY(buf_printf(out, "  %-20s %s\n%23s%s, default: %s%s\n", row->key,
				row->help, "", type_expectation(number, row),
				row->value == NULL ? "none" : row->value,
				row->reloadable ? "; reloadable" : ""));
		}
	}
out:
	return err;
}
