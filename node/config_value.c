/* SPDX-License-Identifier: Apache-2.0 */
#include "node/config_value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "keystore/ids.h"
#include "kmip/policy.h"
#include "node/config_line.h"

static size_t config_judging_line(
	const struct config_judging *judging, const struct config_row *row)
{
	struct config_place place = { judging->section->name, judging->entry, row->key };
	return config_line_find(judging->loading->text, &place);
}

void config_complain(struct config_judging *judging, const struct config_row *row,
	const char *expected, const char *found)
{
	const char *prefix = judging->section->name == NULL ? "" : judging->section->name;
	config_say(judging->loading, config_judging_line(judging, row),
		"%s%s%s: expected %s, found %s%s%s", prefix, prefix[0] == '\0' ? "" : ".", row->key,
		expected, found == NULL ? "" : "\"", found == NULL ? "nothing" : found,
		found == NULL ? "" : "\"");
}

static bool judge_choice(const char *const *choices, const char *value, char expected[100])
{
	expected[0] = '\0';
	for (size_t i = 0; choices[i] != NULL; i++) {
		if (strcmp(choices[i], value) == 0)
			return true;
		size_t len = strlen(expected);
		snprintf(expected + len, 100 - len, "%s%s", i == 0 ? "" : " or ", choices[i]);
	}
	return false;
}

static bool is_address(const char *value)
{
	const char *colon = strrchr(value, ':');
	uint64_t port;
	return colon != NULL && colon != value &&
	       text_u64(&port, slice_text(colon + 1), 65535) == ERR_OK;
}

static enum err set_text(
	struct config_judging *judging, const struct config_row *row, const char *value)
{
	char **member = (char **) (void *) ((char *) judging->target + row->offset);
	char expected[100];
	if (strlen(value) < row->min || strlen(value) > row->max) {
		snprintf(expected, sizeof(expected), "%u to %u characters", row->min, row->max);
		config_complain(judging, row, expected, value);
		return ERR_CONFIG;
	}
	*member = strdup(value);
	return *member == NULL ? ERR_NOMEM : ERR_OK;
}

/* Relative to the folder of the configuration file, so that a node can be started from anywhere. */
static enum err set_path(
	struct config_judging *judging, const struct config_row *row, const char *value)
{
	const char *path = judging->loading->path;
	const char *slash = strrchr(path, '/');
	char *joined = NULL;
	if (value[0] == '/' || slash == NULL)
		return set_text(judging, row, value);
	if (asprintf(&joined, "%.*s/%s", (int) (slash - path), path, value) < 0)
		return ERR_NOMEM;
	enum err err = set_text(judging, row, joined);
	free(joined);
	return err;
}

/* One that cannot be looked at is left to whoever reads it, and says why it cannot be read. */
static enum err set_secret(
	struct config_judging *judging, const struct config_row *row, const char *value)
{
	char *const *member = (char **) (void *) ((char *) judging->target + row->offset);
	bool is_private = true;
	enum err err = set_path(judging, row, value);
	if (err != ERR_OK || file_is_private(*member, &is_private) != ERR_OK || is_private)
		return err;
	config_complain(judging, row,
		"a file that nobody but its owner may read (chmod 600), or with root as its owner "
		"its group (chmod 640)",
		*member);
	return ERR_CONFIG;
}

static enum err set_id(
	struct config_judging *judging, const struct config_row *row, const char *value)
{
	struct instance_id id;
	if (instance_id_parse(&id, slice_text(value)) == ERR_OK)
		return set_text(judging, row, value);
	config_complain(judging, row, "8 to 16 characters of a-z 0-9 -", value);
	return ERR_CONFIG;
}

static enum err set_number(
	struct config_judging *judging, const struct config_row *row, const char *value)
{
	uint64_t number;
	char expected[100];
	if (text_u64(&number, slice_text(value), row->max) == ERR_OK && number >= row->min) {
		*(uint32_t *) (void *) ((char *) judging->target + row->offset) = (uint32_t) number;
		return ERR_OK;
	}
	snprintf(expected, sizeof(expected), "a number from %u to %u", row->min, row->max);
	config_complain(judging, row, expected, value);
	return ERR_CONFIG;
}

static enum err set_warm(
	struct config_judging *judging, const struct config_row *row, const char *value)
{
	static const char recent[] = "recent ";
	uint32_t *member = (uint32_t *) (void *) ((char *) judging->target + row->offset);
	uint64_t number = 0;
	char expected[100];
	bool is_recent =
		strncmp(value, recent, sizeof(recent) - 1) == 0 &&
		text_u64(&number, slice_text(value + sizeof(recent) - 1), row->max) == ERR_OK &&
		number >= row->min;
	*member = strcmp(value, "all") == 0 ? CONFIG_WARM_ALL : (uint32_t) number;
	if (is_recent || strcmp(value, "all") == 0 || strcmp(value, "off") == 0)
		return ERR_OK;
	snprintf(expected, sizeof(expected), "off, all, or recent and a number from %u to %u",
		row->min, row->max);
	config_complain(judging, row, expected, value);
	return ERR_CONFIG;
}

static enum err set_flag(
	struct config_judging *judging, const struct config_row *row, const char *value)
{
	bool is_true = strcmp(value, "true") == 0 || strcmp(value, "yes") == 0;
	bool is_false = strcmp(value, "false") == 0 || strcmp(value, "no") == 0;
	*(bool *) (void *) ((char *) judging->target + row->offset) = is_true;
	if (is_true || is_false)
		return ERR_OK;
	config_complain(judging, row, "true or false", value);
	return ERR_CONFIG;
}

static enum err set_level(
	struct config_judging *judging, const struct config_row *row, const char *value)
{
	enum log_level *member =
		(enum log_level *) (void *) ((char *) judging->target + row->offset);
	if (log_level_parse(member, slice_text(value)) == ERR_OK)
		return ERR_OK;
	config_complain(judging, row, "error, warning, info or debug", value);
	return ERR_CONFIG;
}

static enum err set_choice(
	struct config_judging *judging, const struct config_row *row, const char *value)
{
	char expected[100];
	const char *const *choices = row->type == CONFIG_TYPE_KIND ? config_kinds : config_choices;
	if (judge_choice(choices, value, expected))
		return set_text(
			judging, &(struct config_row){ .offset = row->offset, .max = 100 }, value);
	config_complain(judging, row, expected, value);
	return ERR_CONFIG;
}

static enum err set_address(
	struct config_judging *judging, const struct config_row *row, const char *value)
{
	if (row->min == 0 && strcmp(value, "none") == 0)
		return ERR_OK;
	if (is_address(value))
		return set_text(judging, row, value);
	config_complain(judging, row, row->min == 0 ? "HOST:PORT or none" : "HOST:PORT", value);
	return ERR_CONFIG;
}

/* What is not named is not allowed, so that a word which we do not know is no small thing. */
static enum err set_policy(
	struct config_judging *judging, const struct config_row *row, const char *value)
{
	struct policy policy;
	char why[POLICY_WHY_MAX];
	if (policy_parse(&policy, value, why) == ERR_OK)
		return set_text(judging, row, value);
	config_say(judging->loading, config_judging_line(judging, row), "%s.%s: %s",
		judging->section->name, row->key, why);
	return ERR_CONFIG;
}

typedef enum err config_setter(
	struct config_judging *judging, const struct config_row *row, const char *value);
static config_setter *const setters[] = {
	[CONFIG_TYPE_TEXT] = set_text,
	[CONFIG_TYPE_PATH] = set_path,
	[CONFIG_TYPE_SECRET] = set_secret,
	[CONFIG_TYPE_ID] = set_id,
	[CONFIG_TYPE_ADDRESS] = set_address,
	[CONFIG_TYPE_NUMBER] = set_number,
	[CONFIG_TYPE_FLAG] = set_flag,
	[CONFIG_TYPE_LEVEL] = set_level,
	[CONFIG_TYPE_KIND] = set_choice,
	[CONFIG_TYPE_CHOICE] = set_choice,
	[CONFIG_TYPE_WARM] = set_warm,
	[CONFIG_TYPE_POLICY] = set_policy,
};

enum err config_set(struct config_judging *judging, const struct config_row *row, const char *value)
{
	return setters[row->type](judging, row, value);
}
