/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The versions of a root key that the key manager told of, by id: wrapped keys are labelled with
 * theirs (design D6, D14). A label is the version's date and some bits of its id below it: later
 * versions have greater labels, and those of two root keys differ, made in the same second or not.
 */
#ifndef KEYSTORE_ROOT_VERSIONS_H
#define KEYSTORE_ROOT_VERSIONS_H

#include "base/slice.h"

enum {
	ROOT_VERSIONS_MAX = 8, /* at most one an hour is made: more than a poll can miss */
	ROOT_VERSION_ID_LEN = 64,
};

struct root_versions {
	struct root_version {
		char id[ROOT_VERSION_ID_LEN];
		int64_t label;
	} known[ROOT_VERSIONS_MAX]; /* the newest first */
	size_t count;
};

/* What has no id, or no date (seconds), is not kept; beyond the maximum the oldest is forgotten. */
void root_versions_note(struct root_versions *versions, struct slice id, int64_t date);
/* 0: not known. */
int64_t root_versions_label(const struct root_versions *versions, struct slice id);
/* The label of the newest one; 0: none is known. */
int64_t root_versions_newest(const struct root_versions *versions);
/* When the version with that label was made, in seconds; 0 for 0. */
int64_t root_versions_date(int64_t label);

#endif
