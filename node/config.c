/* SPDX-License-Identifier: Apache-2.0 */
#include "node/config.h"

#include <cyaml/cyaml.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "node/config_line.h"
#include "node/config_rows.h"

/* Every scalar is loaded as text and judged by its row, so that each kind of mistake is told in the
 * same form. */
struct raw_section {
	char *value[CONFIG_ROWS_MAX];
};

struct raw_file {
	struct raw_section top;
	struct raw_section *kmip;
	struct raw_section *metrics;
	struct raw_section *peer;
	struct raw_section *instances;
	uint32_t instances_count;
};

static const char config_is_empty[] = "the file is empty (`kmipd --example` prints one)";

struct schema {
	cyaml_schema_field_t top[CONFIG_ROWS_MAX + CONFIG_SECTION_COUNT];
	cyaml_schema_field_t section[CONFIG_SECTION_COUNT][CONFIG_ROWS_MAX + 1];
	cyaml_schema_value_t entry;
	cyaml_schema_value_t file;
};

struct loading {
	const char *path;
	char *why; /* CONFIG_WHY_MAX bytes */
	struct slice text;
	char complaint[160]; /* the loader's first message */
	size_t complaint_line;
};

static void say(struct loading *loading, size_t line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void say(struct loading *loading, size_t line, const char *format, ...)
{
	va_list arguments;
	int head = snprintf(loading->why, CONFIG_WHY_MAX, "%s:%zu: ", loading->path, line);
	if (head < 0 || head >= CONFIG_WHY_MAX)
		return;
	va_start(arguments, format);
	vsnprintf(loading->why + head, (size_t) (CONFIG_WHY_MAX - head), format, arguments);
	va_end(arguments);
}

/* ---- loading: YAML to text values ---- */

static cyaml_schema_field_t text_field(const char *key, size_t offset)
{
	cyaml_schema_field_t field = { .key = key,
		.data_offset = (uint32_t) offset,
		.value = { CYAML_VALUE_STRING(
			CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, char *, 0, 4096) } };
	return field;
}

static void schema_fill_section(cyaml_schema_field_t *fields, const struct config_section *section)
{
	for (size_t i = 0; i < section->row_count; i++)
		fields[i] = text_field(section->rows[i].key, i * sizeof(char *));
}

static void schema_fill(struct schema *schema)
{
	const struct config_section *top = &config_sections[CONFIG_SECTION_TOP];
	const cyaml_schema_field_t sections[] = {
		CYAML_FIELD_MAPPING_PTR("kmip", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
			struct raw_file, kmip, schema->section[CONFIG_SECTION_KMIP]),
		CYAML_FIELD_MAPPING_PTR("metrics", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
			struct raw_file, metrics, schema->section[CONFIG_SECTION_METRICS]),
		CYAML_FIELD_MAPPING_PTR("peer", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
			struct raw_file, peer, schema->section[CONFIG_SECTION_PEER]),
		CYAML_FIELD_SEQUENCE("instances", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
			struct raw_file, instances, &schema->entry, 0, CONFIG_INSTANCES_MAX),
	};
	for (size_t i = 1; i < CONFIG_SECTION_COUNT; i++)
		schema_fill_section(schema->section[i], &config_sections[i]);
	schema_fill_section(schema->top, top);
	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
		schema->top[top->row_count + i] = sections[i];
	schema->entry = (cyaml_schema_value_t){ CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT,
		struct raw_section, schema->section[CONFIG_SECTION_INSTANCES]) };
	schema->file = (cyaml_schema_value_t){ CYAML_VALUE_MAPPING(
		CYAML_FLAG_POINTER, struct raw_file, schema->top) };
}

/* The loader tells what is wrong in one message and where in the next ones: the innermost place
 * comes first. */
static void on_yaml_message(cyaml_log_t level, void *ctx, const char *format, va_list arguments)
{
	struct loading *loading = ctx;
	char message[160];
	(void) level;
	vsnprintf(message, sizeof(message), format, arguments);
	message[strcspn(message, "\n")] = '\0';
	const char *line = strstr(message, "(line: ");
	if (line != NULL && loading->complaint_line == 0)
		loading->complaint_line = strtoul(line + 7, NULL, 10);
	else if (line == NULL && loading->complaint[0] == '\0')
		snprintf(loading->complaint, sizeof(loading->complaint), "%s",
			strncmp(message, "Load: ", 6) == 0 ? message + 6 : message);
}

static void say_unexpected_key(struct loading *loading, const char *key)
{
	char quoted[80];
	snprintf(quoted, sizeof(quoted), "%s:", key);
	size_t line = 1, found = loading->complaint_line;
	for (size_t i = 0; i < loading->text.len; i++) {
		if (line >= loading->complaint_line && found <= loading->complaint_line &&
			loading->text.len - i >= strlen(quoted) &&
			strncmp((const char *) loading->text.data + i, quoted, strlen(quoted)) == 0)
			found = line;
		if (loading->text.data[i] == '\n')
			line++;
	}
	say(loading, found, "unknown key \"%s\" (`kmipd --help` lists the keys of each section)",
		key);
}

static enum err raw_load(
	struct raw_file **out, const struct schema *schema, struct loading *loading)
{
	cyaml_config_t settings = { .log_fn = on_yaml_message,
		.log_ctx = loading,
		.mem_fn = cyaml_mem,
		.log_level = CYAML_LOG_ERROR,
		.flags = CYAML_CFG_DEFAULT };
	cyaml_err_t result = cyaml_load_data(loading->text.data, loading->text.len, &settings,
		&schema->file, (cyaml_data_t **) out, NULL);
	static const char unexpected[] = "Unexpected key: ";
	if (result == CYAML_OK && *out != NULL)
		return ERR_OK;
	size_t line = loading->complaint_line == 0 ? 1 : loading->complaint_line;
	if (result == CYAML_OK)
		say(loading, line, "%s", config_is_empty);
	else if (strncmp(loading->complaint, unexpected, strlen(unexpected)) == 0)
		say_unexpected_key(loading, loading->complaint + strlen(unexpected));
	else
		say(loading, line, "%s",
			loading->complaint[0] != '\0' ? loading->complaint
						      : cyaml_strerror(result));
	return ERR_CONFIG;
}

/* ---- judging: text values to the typed configuration ---- */

struct judging {
	struct loading *loading;
	const struct config_section *section;
	size_t entry;
	void *target; /* the section's struct */
};

static void complain(struct judging *judging, const struct config_row *row, const char *expected,
	const char *found)
{
	struct config_place place = { judging->section->name, judging->entry, row->key };
	const char *prefix = judging->section->name == NULL ? "" : judging->section->name;
	say(judging->loading, config_line_find(judging->loading->text, &place),
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

static enum err set_text(struct judging *judging, const struct config_row *row, const char *value)
{
	char **member = (char **) (void *) ((char *) judging->target + row->offset);
	char expected[100];
	if (strlen(value) < row->min || strlen(value) > row->max) {
		snprintf(expected, sizeof(expected), "%u to %u characters", row->min, row->max);
		complain(judging, row, expected, value);
		return ERR_CONFIG;
	}
	*member = strdup(value);
	return *member == NULL ? ERR_NOMEM : ERR_OK;
}

/* Relative to the folder of the configuration file, so that a node can be started from anywhere. */
static enum err set_path(struct judging *judging, const struct config_row *row, const char *value)
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

static enum err set_number(struct judging *judging, const struct config_row *row, const char *value)
{
	uint64_t number;
	char expected[100];
	if (text_u64(&number, slice_text(value), row->max) == ERR_OK && number >= row->min) {
		*(uint32_t *) (void *) ((char *) judging->target + row->offset) = (uint32_t) number;
		return ERR_OK;
	}
	snprintf(expected, sizeof(expected), "a number from %u to %u", row->min, row->max);
	complain(judging, row, expected, value);
	return ERR_CONFIG;
}

static enum err set_warm(struct judging *judging, const struct config_row *row, const char *value)
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
	complain(judging, row, expected, value);
	return ERR_CONFIG;
}

static enum err set_flag(struct judging *judging, const struct config_row *row, const char *value)
{
	bool is_true = strcmp(value, "true") == 0 || strcmp(value, "yes") == 0;
	bool is_false = strcmp(value, "false") == 0 || strcmp(value, "no") == 0;
	*(bool *) (void *) ((char *) judging->target + row->offset) = is_true;
	if (is_true || is_false)
		return ERR_OK;
	complain(judging, row, "true or false", value);
	return ERR_CONFIG;
}

static enum err set_level(struct judging *judging, const struct config_row *row, const char *value)
{
	enum log_level *member =
		(enum log_level *) (void *) ((char *) judging->target + row->offset);
	if (log_level_parse(member, slice_text(value)) == ERR_OK)
		return ERR_OK;
	complain(judging, row, "error, warning, info or debug", value);
	return ERR_CONFIG;
}

static enum err set_choice(struct judging *judging, const struct config_row *row, const char *value)
{
	char expected[100];
	const char *const *choices = row->type == CONFIG_TYPE_KIND ? config_kinds : config_choices;
	if (judge_choice(choices, value, expected))
		return set_text(
			judging, &(struct config_row){ .offset = row->offset, .max = 100 }, value);
	complain(judging, row, expected, value);
	return ERR_CONFIG;
}

static enum err set_address(
	struct judging *judging, const struct config_row *row, const char *value)
{
	if (row->min == 0 && strcmp(value, "none") == 0)
		return ERR_OK;
	if (is_address(value))
		return set_text(judging, row, value);
	complain(judging, row, row->min == 0 ? "HOST:PORT or none" : "HOST:PORT", value);
	return ERR_CONFIG;
}

typedef enum err config_setter(
	struct judging *judging, const struct config_row *row, const char *value);
static config_setter *const setters[] = {
	[CONFIG_TYPE_TEXT] = set_text,
	[CONFIG_TYPE_PATH] = set_path,
	[CONFIG_TYPE_ADDRESS] = set_address,
	[CONFIG_TYPE_NUMBER] = set_number,
	[CONFIG_TYPE_FLAG] = set_flag,
	[CONFIG_TYPE_LEVEL] = set_level,
	[CONFIG_TYPE_KIND] = set_choice,
	[CONFIG_TYPE_CHOICE] = set_choice,
	[CONFIG_TYPE_WARM] = set_warm,
};

static enum err judge_section(struct judging *judging, const struct raw_section *raw)
{
	enum err err = ERR_OK;
	for (size_t i = 0; i < judging->section->row_count; i++) {
		const struct config_row *row = &judging->section->rows[i];
		const char *value = raw == NULL ? NULL : raw->value[i];
		if (value == NULL || value[0] == '\0')
			value = row->value;
		if (value == config_required) {
			complain(judging, row, row->help, NULL);
			return ERR_CONFIG;
		}
		if (value != NULL)
			TRY(setters[row->type](judging, row, value));
	}
out:
	return err;
}

static enum err judge_instances(
	struct config *config, struct loading *loading, const struct raw_file *raw)
{
	enum err err = ERR_OK;
	if (raw->instances_count == 0) {
		say(loading,
			config_line_find(
				loading->text, &(struct config_place){ "instances", 0, NULL }),
			"instances: expected at least one entry (a tenant: key manager, root key, "
			"key ring)");
		return ERR_CONFIG;
	}
	config->instances = calloc(raw->instances_count, sizeof(config->instances[0]));
	if (config->instances == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < raw->instances_count; i++) {
		struct judging judging = { loading, &config_sections[CONFIG_SECTION_INSTANCES], i,
			&config->instances[i] };
		config->instance_count = i + 1;
		TRY(judge_section(&judging, &raw->instances[i]));
		if (config->instances[i].name == NULL)
			TRY((config->instances[i].name = strdup(config->instances[i].id)) == NULL
					? ERR_NOMEM
					: ERR_OK);
	}
out:
	return err;
}

/* Rules that need more than one value. */
static enum err judge_together(struct config *config, struct loading *loading)
{
	struct config_place place = { "peer", 0, "node" };
	if (config->has_peer && config->peer.node == config->top.node) {
		say(loading, config_line_find(loading->text, &place),
			"peer.node: expected the other node's number, found this node's (%u)",
			config->peer.node);
		return ERR_CONFIG;
	}
	bool dials = config->has_peer && config->top.node < config->peer.node;
	const char *missing = !config->has_peer                       ? NULL
			      : dials && config->peer.address == NULL ? "address"
			      : !dials && config->peer.listen == NULL ? "listen"
								      : NULL;
	if (missing != NULL) {
		say(loading, config_line_find(loading->text, &place),
			"peer.%s: expected HOST:PORT, since the node with the %s number %s",
			missing, dials ? "lower" : "higher", dials ? "dials" : "listens");
		return ERR_CONFIG;
	}
	for (size_t i = 0; i < config->instance_count; i++)
		for (size_t other = 0; other < i; other++)
			if (strcmp(config->instances[i].id, config->instances[other].id) == 0) {
				place = (struct config_place){ "instances", i, "id" };
				say(loading, config_line_find(loading->text, &place),
					"instances.id: \"%s\" is the id of another instance "
					"already",
					config->instances[i].id);
				return ERR_CONFIG;
			}
	return ERR_OK;
}

static enum err judge(struct config *config, struct loading *loading, const struct raw_file *raw)
{
	enum err err;
	struct judging top = { loading, &config_sections[CONFIG_SECTION_TOP], 0, &config->top };
	struct judging kmip = { loading, &config_sections[CONFIG_SECTION_KMIP], 0, &config->kmip };
	struct judging metrics = { loading, &config_sections[CONFIG_SECTION_METRICS], 0,
		&config->metrics };
	struct judging peer = { loading, &config_sections[CONFIG_SECTION_PEER], 0, &config->peer };
	TRY(judge_section(&top, &raw->top));
	TRY(judge_section(&kmip, raw->kmip));
	TRY(judge_section(&metrics, raw->metrics));
	config->has_peer = raw->peer != NULL;
	if (config->has_peer)
		TRY(judge_section(&peer, raw->peer));
	TRY(judge_instances(config, loading, raw));
	TRY(judge_together(config, loading));
out:
	return err;
}

static enum err config_read(struct config *config, struct loading *loading)
{
	enum err err = ERR_NOMEM;
	cyaml_config_t settings = { .mem_fn = cyaml_mem, .log_level = CYAML_LOG_ERROR };
	struct raw_file *raw = NULL;
	struct schema *schema = calloc(1, sizeof(*schema));
	if (schema == NULL)
		goto out;
	schema_fill(schema);
	TRY(raw_load(&raw, schema, loading));
	TRY(judge(config, loading, raw));
out:
	if (raw != NULL)
		cyaml_free(&settings, &schema->file, raw, 0);
	free(schema);
	return err;
}

enum err config_load(struct config **out, const char *path, char why[CONFIG_WHY_MAX])
{
	enum err err;
	struct buf text;
	struct config *config = NULL;
	struct loading loading = { .path = path, .why = why };
	why[0] = '\0';
	buf_init(&text, CONFIG_FILE_LEN_MAX);
	err = file_read(&text, path);
	if (err != ERR_OK) {
		snprintf(why, CONFIG_WHY_MAX, "%s: cannot be read: %s", path, err_text(err));
		goto out;
	}
	loading.text = buf_slice(&text);
	if (loading.text.len == 0) {
		say(&loading, 1, "%s", config_is_empty);
		err = ERR_CONFIG;
		goto out;
	}
	config = calloc(1, sizeof(*config));
	TRY(config == NULL ? ERR_NOMEM : ERR_OK);
	TRY(config_read(config, &loading));
	*out = config;
	config = NULL;
out:
	if (err != ERR_OK && why[0] == '\0')
		snprintf(why, CONFIG_WHY_MAX, "%s: %s", path, err_text(err));
	config_free(config);
	buf_free(&text);
	return err;
}

static void free_section(void *target, const struct config_section *section)
{
	for (size_t i = 0; i < section->row_count; i++) {
		enum config_type type = section->rows[i].type;
		if (type == CONFIG_TYPE_NUMBER || type == CONFIG_TYPE_FLAG ||
			type == CONFIG_TYPE_LEVEL || type == CONFIG_TYPE_WARM)
			continue;
		free(*(char **) (void *) ((char *) target + section->rows[i].offset));
	}
}

void config_free(struct config *config)
{
	if (config == NULL)
		return;
	free_section(&config->top, &config_sections[CONFIG_SECTION_TOP]);
	free_section(&config->kmip, &config_sections[CONFIG_SECTION_KMIP]);
	free_section(&config->metrics, &config_sections[CONFIG_SECTION_METRICS]);
	free_section(&config->peer, &config_sections[CONFIG_SECTION_PEER]);
	for (size_t i = 0; i < config->instance_count; i++)
		free_section(&config->instances[i], &config_sections[CONFIG_SECTION_INSTANCES]);
	free(config->instances);
	free(config);
}
