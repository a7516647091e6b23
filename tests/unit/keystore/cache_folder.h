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

static inline enum err cache_folder_open(struct cache **out, const struct cache_folder *folder,
	bool read_only, char why[CACHE_WHY_MAX])
{
	struct cache_options options = {
		.folder = folder->path, .map_bytes = CACHE_TEST_MAP, .read_only = read_only
	};

	return cache_open(out, &options, why);
}

#endif
