/* SPDX-License-Identifier: Apache-2.0 */
#include "node/probe_facts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "node/probe.h"

enum { LINE_SIZE = 320, LIST_FIRST = 256 };

static const char *const stage_names[] = { [PROBE_CREATED] = "created",
	[PROBE_ACTIVATED] = "activated",
	[PROBE_DESTROYING] = "destroying",
	[PROBE_DESTROYED] = "destroyed" };

struct probe_facts {
	FILE *file; /* NULL: nobody keeps them */
};

/* ---- writing ---- */

enum err probe_facts_new(struct probe_facts **out, const char *path)
{
	struct probe_facts *facts = calloc(1, sizeof(*facts));

	*out = NULL;
	if (facts == NULL)
		return ERR_NOMEM;
	if (path != NULL) {
		facts->file = fopen(path, "ae");
		if (facts->file == NULL) {
			probe_complain("%s cannot be written: %s", path, strerror(errno));
			free(facts);
			return ERR_IO;
		}
	}
	*out = facts;
	return ERR_OK;
}

void probe_facts_free(struct probe_facts *facts)
{
	if (facts == NULL)
		return;
	if (facts->file != NULL)
		(void) fclose(facts->file);
	free(facts);
}

enum err probe_facts_add(
	struct probe_facts *facts, enum probe_stage stage, const char *uid, const uint8_t *hash)
{
	char hex[2 * CRYPT_SHA256_LEN + 1] = "-";

	if (facts->file == NULL)
		return ERR_OK;
	if (hash != NULL)
		text_hex(hex, slice_of(hash, CRYPT_SHA256_LEN));
	(void) fprintf(facts->file, "%s %s%s%s\n", stage_names[stage], uid,
		stage == PROBE_CREATED ? " " : "", stage == PROBE_CREATED ? hex : "");
	if (fflush(facts->file) == 0)
		return ERR_OK;
	probe_complain("the facts cannot be written: %s", strerror(errno));
	return ERR_IO;
}

/* ---- reading ---- */

static enum err stage_of(enum probe_stage *out, const char *word)
{
	for (int i = 0; i <= PROBE_DESTROYED; i++)
		if (strcmp(word, stage_names[i]) == 0) {
			*out = (enum probe_stage) i;
			return ERR_OK;
		}
	return ERR_INVALID;
}

/* The newest facts are about the newest keys. */
static struct probe_fact *find(struct probe_fact_list *list, const char *uid)
{
	for (size_t i = list->count; i > 0; i--)
		if (strcmp(list->items[i - 1].uid, uid) == 0)
			return &list->items[i - 1];
	return NULL;
}

static enum err add(struct probe_fact **out, struct probe_fact_list *list, const char *uid)
{
	if (list->count == PROBE_FACTS_MAX)
		return ERR_LIMIT;
	if (list->count == list->cap) {
		size_t cap = list->cap == 0 ? LIST_FIRST : list->cap * 2;
		struct probe_fact *items = reallocarray(list->items, cap, sizeof(*items));
		if (items == NULL)
			return ERR_NOMEM;
		list->items = items;
		list->cap = cap;
	}
	*out = &list->items[list->count++];
	**out = (struct probe_fact){ .stage = PROBE_CREATED };
	return text_copy((*out)->uid, PROBE_UID_SIZE, slice_text(uid));
}

static enum err read_line(struct probe_fact_list *list, const char *line)
{
	enum err err;
	char word[16], uid[PROBE_UID_SIZE], hex[2 * CRYPT_SHA256_LEN + 1] = "-";
	int words = sscanf(line, "%15s %127s %64s", word, uid, hex);
	enum probe_stage stage;
	struct probe_fact *fact;

	TRY(words < 2 ? ERR_INVALID : ERR_OK);
	TRY(stage_of(&stage, word));
	fact = find(list, uid);
	if (fact == NULL && stage != PROBE_CREATED)
		return ERR_INVALID;
	if (fact == NULL)
		TRY(add(&fact, list, uid));
	if (stage > fact->stage)
		fact->stage = stage;
	if (strcmp(hex, "-") != 0) {
		TRY(text_unhex(fact->hash, CRYPT_SHA256_LEN, slice_text(hex)));
		fact->has_hash = true;
	}
out:
	return err;
}

enum err probe_facts_read(struct probe_fact_list *out, const char *path)
{
	enum err err = ERR_OK;
	char line[LINE_SIZE];
	unsigned long number = 0;
	FILE *file = fopen(path, "re");

	*out = (struct probe_fact_list){ NULL, 0, 0 };
	if (file == NULL) {
		probe_complain("%s cannot be read: %s", path, strerror(errno));
		return ERR_IO;
	}
	while (err == ERR_OK && fgets(line, sizeof(line), file) != NULL) {
		number++;
		if (strchr(line, '\n') == NULL && feof(file))
			break;
		err = read_line(out, line);
	}
	(void) fclose(file);
	if (err != ERR_OK) {
		probe_complain("line %lu of %s is no fact: %s", number, path, err_text(err));
		free(out->items);
		*out = (struct probe_fact_list){ NULL, 0, 0 };
	}
	return err;
}
