/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "node/config_rows.h"

/* How many bytes the value of a row takes where it is no text. */
static size_t value_size(enum config_type type)
{
	switch (type) {
	case CONFIG_TYPE_NUMBER:
	case CONFIG_TYPE_WARM:
		return sizeof(uint32_t);
	case CONFIG_TYPE_FLAG:
		return sizeof(bool);
	case CONFIG_TYPE_LEVEL:
		return sizeof(enum log_level);
	default:
		return 0;
	}
}

static bool is_same(const struct config_row *row, const void *one, const void *two)
{
	const char *a = (const char *) one + row->offset, *b = (const char *) two + row->offset;
	size_t size = value_size(row->type);

	if (size > 0)
		return slice_equal(slice_of(a, size), slice_of(b, size));
	const char *text_a = *(const char *const *) (const void *) a;
	const char *text_b = *(const char *const *) (const void *) b;
	if (text_a == NULL || text_b == NULL)
		return text_a == text_b;
	return strcmp(text_a, text_b) == 0;
}

static enum err add_name(struct buf *out, const char *section, const char *key, const char *of)
{
	return buf_printf(out, "%s%s%s%s%s%s", buf_slice(out).len == 0 ? "" : ", ",
		section == NULL ? "" : section, section == NULL ? "" : ".", key,
		of == NULL ? "" : " of ", of == NULL ? "" : of);
}

/* of: the instance, NULL elsewhere. */
static enum err compare_section(struct buf *out, const struct config_section *section,
	const void *running, const void *now, const char *of)
{
	enum err err = ERR_OK;

	for (size_t i = 0; i < section->row_count; i++) {
		const struct config_row *row = &section->rows[i];
		if (!row->reloadable && !is_same(row, running, now))
			TRY(add_name(out, section->name, row->key, of));
	}
out:
	return err;
}

static const struct config_instance *find(const struct config *config, const char *id)
{
	for (size_t i = 0; i < config->instance_count; i++)
		if (strcmp(config->instances[i].id, id) == 0)
			return &config->instances[i];
	return NULL;
}

static enum err compare_instances(
	struct buf *out, const struct config *running, const struct config *now)
{
	const struct config_section *section = &config_sections[CONFIG_SECTION_INSTANCES];
	enum err err = ERR_OK;

	for (size_t i = 0; i < running->instance_count; i++) {
		const struct config_instance *instance = &running->instances[i];
		const struct config_instance *other = find(now, instance->id);
		if (other == NULL)
			TRY(add_name(out, NULL, "the end", instance->id));
		else
			TRY(compare_section(out, section, instance, other, instance->id));
	}
out:
	return err;
}

enum err config_waiting(struct buf *out, const struct config *running, const struct config *now)
{
	enum err err;

	TRY(compare_section(
		out, &config_sections[CONFIG_SECTION_TOP], &running->top, &now->top, NULL));
	TRY(compare_section(
		out, &config_sections[CONFIG_SECTION_KMIP], &running->kmip, &now->kmip, NULL));
	TRY(compare_section(out, &config_sections[CONFIG_SECTION_METRICS], &running->metrics,
		&now->metrics, NULL));
	if (running->has_peer != now->has_peer)
		TRY(add_name(out, NULL, "peer", NULL));
	else
		TRY(compare_section(out, &config_sections[CONFIG_SECTION_PEER], &running->peer,
			&now->peer, NULL));
	TRY(compare_instances(out, running, now));
out:
	return err;
}
