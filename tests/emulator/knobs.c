/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/emulator/knobs.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "base/slice.h"

const struct knobs knobs_default = {
#define FLAG(name, help) .name = false,
#define NUMBER(name, value, min, max, help) .name = (value),
#include "tests/emulator/knobs.def"
#undef FLAG
#undef NUMBER
};

const char knobs_help[] =
#define FLAG(name, help) "  " #name " (false): " help "\n"
#define NUMBER(name, value, min, max, help) "  " #name " (" #value "): " help "\n"
#include "tests/emulator/knobs.def"
#undef FLAG
#undef NUMBER
	"";

static const struct {
	const char *name;
	bool is_flag;
	int64_t min, max;
	size_t offset;
} rows[] = {
#define FLAG(name, help) { #name, true, 0, 1, offsetof(struct knobs, name) },
#define NUMBER(name, value, min, max, help) \
	{ #name, false, min, max, offsetof(struct knobs, name) },
#include "tests/emulator/knobs.def"
#undef FLAG
#undef NUMBER
};

enum { ROW_COUNT = sizeof(rows) / sizeof(rows[0]) };

static bool set_one(struct knobs *knobs, const cJSON *value)
{
	size_t i = 0;

	while (i < ROW_COUNT && strcmp(rows[i].name, value->string) != 0)
		i++;
	if (i == ROW_COUNT)
		return false;
	char *member = (char *) knobs + rows[i].offset;
	if (rows[i].is_flag) {
		*(bool *) member = cJSON_IsTrue(value);
		return cJSON_IsBool(value);
	}
	double number = cJSON_IsNumber(value) ? value->valuedouble : NAN;
	if (!(number >= (double) rows[i].min && number <= (double) rows[i].max))
		return false;
	*(int64_t *) member = (int64_t) number;
	return true;
}

enum err knobs_set(struct knobs *knobs, const cJSON *values, const char **bad)
{
	struct knobs turned = *knobs;
	const cJSON *value;

	cJSON_ArrayForEach(value, values)
	{
		*bad = value->string;
		if (value->string == NULL || !set_one(&turned, value))
			return ERR_INVALID;
	}
	*knobs = turned;
	return ERR_OK;
}

cJSON *knobs_json(const struct knobs *knobs)
{
	cJSON *out = cJSON_CreateObject();

	for (size_t i = 0; i < ROW_COUNT; i++) {
		const char *member = (const char *) knobs + rows[i].offset;
		if (rows[i].is_flag)
			cJSON_AddBoolToObject(out, rows[i].name, *(const bool *) member);
		else
			cJSON_AddNumberToObject(
				out, rows[i].name, (double) *(const int64_t *) member);
	}
	return out;
}
