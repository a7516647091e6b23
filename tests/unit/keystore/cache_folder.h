/* SPDX-License-Identifier: Apache-2.0 */
/* A cache in a folder of its own under $TMPDIR, gone after the test. */
#ifndef TESTS_CACHE_FOLDER_H
#define TESTS_CACHE_FOLDER_H

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "keystore/cache.h"

enum { CACHE_TEST_MAP = 64 << 20 };

struct cache_folder {
	char root[64];
	char path[80];
};

static inline void cache_folder_make(struct cache_folder *folder)
{
	(void) snprintf(folder->root, sizeof(folder->root), "/tmp/cache-test-XXXXXX");
	cr_assert_not_null(mkdtemp(folder->root));
	(void) snprintf(folder->path, sizeof(folder->path), "%s/cache", folder->root);
}

static inline int cache_folder_unlink(
	const char *path, const struct stat *info, int flag, struct FTW *walk)
{
	(void) info;
	(void) flag;
	(void) walk;
	return remove(path);
}

static inline void cache_folder_remove(const struct cache_folder *folder)
{
	(void) nftw(folder->root, cache_folder_unlink, 8, FTW_DEPTH | FTW_PHYS);
}

/* Every attribute is a term, as it is. */
static inline enum err cache_folder_list_terms(
	struct cache_term_list *list, const struct object *object)
{
	enum err err = ERR_OK;

	for (size_t i = 0; i < object->attribute_count && err == ERR_OK; i++) {
		const struct object_attribute *attribute = &object->attributes[i];
		struct cache_term term = { attribute->name, attribute->value };

		if (!attribute->deleted)
			err = cache_term_add(list, &term);
	}
	return err;
}

static const struct cache_terms cache_folder_terms = { .version = 1,
	.list = cache_folder_list_terms };

static inline enum err cache_folder_open(struct cache **out, const struct cache_folder *folder,
	bool read_only, char why[CACHE_WHY_MAX])
{
	struct cache_options options = { .folder = folder->path,
		.map_bytes = CACHE_TEST_MAP,
		.read_only = read_only,
		.terms = &cache_folder_terms };

	return cache_open(out, &options, why);
}

#endif
