/* SPDX-License-Identifier: Apache-2.0 */
#include "node/probe_facts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "node/probe.h"

enum {
	LINE_SIZE = 320,
	LIST_FIRST = 256,
	SLOT_COUNT = 1 << 21 /* a power of two, twice PROBE_FACTS_MAX */
};
_Static_assert(SLOT_COUNT >= 2 * PROBE_FACTS_MAX, "the table must never fill");

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

/* A file being read, with the way from an identifier to its fact. */
struct reader {
	struct probe_fact_list *list;
	uint32_t *slots; /* index in the list, and one; 0: free */
};

/* The slot of the identifier: it is there, or it belongs there. */
static uint32_t *slot_of(const struct reader *reader, const char *uid)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (const char *p = uid; *p != '\0'; p++)
		hash = (hash ^ (uint8_t) *p) * 16777619u;
	for (;; hash++) {
		uint32_t *slot = &reader->slots[hash % SLOT_COUNT];

		if (*slot == 0 || strcmp(reader->list->items[*slot - 1].uid, uid) == 0)
			return slot;
	}
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

static enum err read_line(const struct reader *reader, const char *line)
{
	enum err err;
	char word[16], uid[PROBE_UID_SIZE], hex[2 * CRYPT_SHA256_LEN + 1] = "-";
	int words = sscanf(line, "%15s %127s %64s", word, uid, hex);
	enum probe_stage stage;
	struct probe_fact *fact;
	uint32_t *slot;

	TRY(words < 2 ? ERR_INVALID : ERR_OK);
	TRY(stage_of(&stage, word));
	slot = slot_of(reader, uid);
	if (*slot == 0) {
		TRY(stage != PROBE_CREATED ? ERR_INVALID : ERR_OK);
		TRY(add(&fact, reader->list, uid));
		*slot = (uint32_t) reader->list->count;
	}
	fact = &reader->list->items[*slot - 1];
	if (stage > fact->stage)
		fact->stage = stage;
	if (strcmp(hex, "-") != 0) {
		TRY(text_unhex(fact->hash, CRYPT_SHA256_LEN, slice_text(hex)));
		fact->has_hash = true;
	}
out:
	return err;
}

static enum err read_lines(const struct reader *reader, FILE *file, const char *path)
{
	enum err err = ERR_OK;
	char line[LINE_SIZE];
	unsigned long number = 0;

	while (err == ERR_OK && fgets(line, sizeof(line), file) != NULL) {
		number++;
		if (strchr(line, '\n') == NULL && feof(file))
			break;
		err = read_line(reader, line);
	}
	if (err != ERR_OK)
		probe_complain("line %lu of %s is no fact: %s", number, path, err_text(err));
	return err;
}

enum err probe_facts_read(struct probe_fact_list *out, const char *path)
{
	enum err err;
	struct reader reader = { .list = out };
	FILE *file = fopen(path, "re");

	*out = (struct probe_fact_list){ NULL, 0, 0 };
	if (file == NULL) {
		probe_complain("%s cannot be read: %s", path, strerror(errno));
		return ERR_IO;
	}
	reader.slots = calloc(SLOT_COUNT, sizeof(*reader.slots));
	TRY(reader.slots == NULL ? ERR_NOMEM : ERR_OK);
	TRY(read_lines(&reader, file, path));
out:
	(void) fclose(file);
	free(reader.slots);
	if (err != ERR_OK) {
		free(out->items);
		*out = (struct probe_fact_list){ NULL, 0, 0 };
	}
	return err;
}
