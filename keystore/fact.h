/* SPDX-License-Identifier: Apache-2.0 */
/* Facts that outlive the process (keystore/cache.h), written beside other work. One
 * that is not written costs work after the next start, no more. */
#ifndef KEYSTORE_FACT_H
#define KEYSTORE_FACT_H

#include "keystore/flow.h"

enum { FACT_NAME_LEN = 64, FACT_VALUE_LEN = 64 };

void fact_put(struct instance *instance, const char *name, const char *value);
/* One of no instance. */
void fact_put_alone(struct keystore *keystore, const char *name, const char *value);
void fact_delete(struct instance *instance, const char *name);
/* ERR_MISS. The text is cut to fit. */
MUST_USE enum err fact_get(
	const struct keystore *keystore, const char *name, char out[FACT_VALUE_LEN]);

#endif
