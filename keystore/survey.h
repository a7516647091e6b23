/* SPDX-License-Identifier: Apache-2.0 */
/* Counts, now and then, the keys of an instance whose cached form is of an older version of the
 * root key (design D14): for the operator, who may want them wrapped anew. */
#ifndef KEYSTORE_SURVEY_H
#define KEYSTORE_SURVEY_H

#include "keystore/instance.h"

struct survey;

enum {
	SURVEY_MS = 60000, /* between two */
	SURVEY_SHARE = 100, /* and never more often than makes one part in so many of the time */
};

MUST_USE enum err survey_new(struct survey **out, struct instance *instance);
void survey_free(struct survey *survey);
/* Counts as soon as its share of the time allows: something has changed. */
void survey_poke(struct survey *survey);
/* false: not counted yet. */
bool survey_older(const struct survey *survey, uint64_t *out);

#endif
