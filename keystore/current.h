/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that wait for a poll to tell that what the cache says of an instance is current. */
#ifndef KEYSTORE_CURRENT_H
#define KEYSTORE_CURRENT_H

#include "keystore/flow.h"

/* A poll that began at begun_ms has ended. */
void current_polled(struct instance *instance, uint64_t begun_ms, enum err err);

#endif
