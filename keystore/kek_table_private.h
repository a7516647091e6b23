/* SPDX-License-Identifier: Apache-2.0 */
/* What kek_table.c and kek_vouch.c share; nobody else includes this. */
#ifndef KEYSTORE_KEK_TABLE_PRIVATE_H
#define KEYSTORE_KEK_TABLE_PRIVATE_H

#include "keystore/vouches.h"

struct kek_table;

struct vouches *kek_table_vouches(const struct kek_table *table);
bool kek_table_is_keeper(const struct kek_table *table);

#endif
