/* SPDX-License-Identifier: Apache-2.0 */
#include "node/config.h"

#include <cyaml/cyaml.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "node/config_line.h"
#include "node/config_rows.h"
#include "node/config_value.h"

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

void config_say(struct config_loading *loading, size_t line, const char *format, ...)
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
	struct config_loading *loading = ctx;
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

static void say_unexpected_key(struct config_loading *loading, const char *key)
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
	config_say(loading, found,
		"unknown key \"%s\" (`kmipd --help` lists the keys of each section)", key);
}

static enum err raw_load(
	struct raw_file **out, const struct schema *schema, struct config_loading *loading)
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
		config_say(loading, line, "%s", config_is_empty);
	else if (strncmp(loading->complaint, unexpected, strlen(unexpected)) == 0)
		say_unexpected_key(loading, loading->complaint + strlen(unexpected));
	else
		config_say(loading, line, "%s",
			loading->complaint[0] != '\0' ? loading->complaint
						      : cyaml_strerror(result));
	return ERR_CONFIG;
}

/* ---- judging: text values to the typed configuration ---- */

static enum err judge_section(struct config_judging *judging, const struct raw_section *raw)
{
	enum err err = ERR_OK;
	for (size_t i = 0; i < judging->section->row_count; i++) {
		const struct config_row *row = &judging->section->rows[i];
		const char *value = raw == NULL ? NULL : raw->value[i];
		if (value == NULL || value[0] == '\0')
			value = row->value;
		if (value == config_required) {
			config_complain(judging, row, row->help, NULL);
			return ERR_CONFIG;
		}
		if (value != NULL)
			TRY(config_set(judging, row, value));
	}
out:
	return err;
}

static enum err judge_instances(
	struct config *config, struct config_loading *loading, const struct raw_file *raw)
{
	enum err err = ERR_OK;
	if (raw->instances_count == 0) {
		config_say(loading,
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
		struct config_judging judging = { loading,
			&config_sections[CONFIG_SECTION_INSTANCES], i, &config->instances[i] };
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

/* `--instance` takes an id or a name: neither may mean two. */
static bool instance_is_called(const struct config_instance *instance, const char *text)
{
	return text != NULL &&
	       (strcmp(instance->id, text) == 0 ||
		       (instance->name != NULL && strcmp(instance->name, text) == 0));
}

static enum err judge_pair(const struct config *config, struct config_loading *loading,
	const struct config_instance *other, size_t i)
{
	const struct config_instance *instance = &config->instances[i];
	bool by_id = instance_is_called(other, instance->id);
	struct config_place place = { "instances", i, by_id ? "id" : "name" };

	if (!by_id && !instance_is_called(other, instance->name))
		return ERR_OK;
	config_say(loading, config_line_find(loading->text, &place),
		"instances.%s: \"%s\" is the id or the name of another instance already",
		by_id ? "id" : "name", by_id ? instance->id : instance->name);
	return ERR_CONFIG;
}

/* Rules that need more than one value. */
static enum err judge_together(struct config *config, struct config_loading *loading)
{
	struct config_place place = { "peer", 0, "node" };
	enum err err = ERR_OK;
	if (config->has_peer && config->peer.node == config->top.node) {
		config_say(loading, config_line_find(loading->text, &place),
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
		config_say(loading, config_line_find(loading->text, &place),
			"peer.%s: expected HOST:PORT, since the node with the %s number %s",
			missing, dials ? "lower" : "higher", dials ? "dials" : "listens");
		return ERR_CONFIG;
	}
	for (size_t i = 0; i < config->instance_count; i++)
		for (size_t other = 0; other < i; other++)
			TRY(judge_pair(config, loading, &config->instances[other], i));
out:
	return err;
}

static enum err judge(
	struct config *config, struct config_loading *loading, const struct raw_file *raw)
{
	enum err err;
	struct config_judging top = { loading, &config_sections[CONFIG_SECTION_TOP], 0,
		&config->top };
	struct config_judging kmip = { loading, &config_sections[CONFIG_SECTION_KMIP], 0,
		&config->kmip };
	struct config_judging metrics = { loading, &config_sections[CONFIG_SECTION_METRICS], 0,
		&config->metrics };
	struct config_judging peer = { loading, &config_sections[CONFIG_SECTION_PEER], 0,
		&config->peer };
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

static enum err config_read(struct config *config, struct config_loading *loading)
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

enum err config_parse(
	struct config **out, struct slice text, const char *path, char why[CONFIG_WHY_MAX])
{
	enum err err;
	struct config *config = NULL;
	struct config_loading loading = { .path = path, .why = why, .text = text };
	why[0] = '\0';
	if (text.len == 0) {
		config_say(&loading, 1, "%s", config_is_empty);
		err = ERR_CONFIG;
		goto out;
	}
	config = calloc(1, sizeof(*config));
	TRY(config == NULL ? ERR_NOMEM : ERR_OK);
	buf_init(&config->text, CONFIG_FILE_LEN_MAX);
	TRY(buf_append(&config->text, text));
	TRY(config_read(config, &loading));
	*out = config;
	config = NULL;
out:
	if (err != ERR_OK && why[0] == '\0')
		snprintf(why, CONFIG_WHY_MAX, "%s: %s", path, err_text(err));
	config_free(config);
	return err;
}

enum err config_load(struct config **out, const char *path, char why[CONFIG_WHY_MAX])
{
	struct buf text;
	buf_init(&text, CONFIG_FILE_LEN_MAX);
	enum err err = file_read(&text, path);
	if (err == ERR_OK)
		err = config_parse(out, buf_slice(&text), path, why);
	else
		snprintf(why, CONFIG_WHY_MAX, "%s: cannot be read: %s", path, err_text(err));
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
	buf_free(&config->text);
	free(config);
}
