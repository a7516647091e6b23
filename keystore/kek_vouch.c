/* SPDX-License-Identifier: Apache-2.0 */
/* Who vouches for what the table holds: its words in the same memory. */
#include "keystore/kek_table.h"
#include "keystore/kek_table_private.h"

void kek_table_set_vouch(struct kek_table *table, uint64_t until_ms)
{
	ASSERT(kek_table_is_keeper(table));
	vouches_set_lease(kek_table_vouches(table), until_ms);
}

uint64_t kek_table_vouch(const struct kek_table *table)
{
	return vouches_lease(kek_table_vouches(table));
}

enum err kek_table_set_leased(
	struct kek_table *table, const struct instance_id *instance, bool leased)
{
	return vouches_set_leased(kek_table_vouches(table), instance->text, leased);
}

enum err kek_table_set_withheld(
	struct kek_table *table, const struct instance_id *instance, bool withheld)
{
	ASSERT(kek_table_is_keeper(table));
	return vouches_set_withheld(kek_table_vouches(table), instance->text, withheld);
}

uint64_t kek_table_lease_of(const struct kek_table *table, const struct instance_id *instance)
{
	return vouches_lease_of(kek_table_vouches(table), instance->text);
}

void kek_table_set_vouch_of(
	struct kek_table *table, const struct instance_id *instance, uint64_t until_ms)
{
	ASSERT(kek_table_is_keeper(table));
	vouches_set(kek_table_vouches(table), instance->text, until_ms);
}

uint64_t kek_table_vouch_of(const struct kek_table *table, const struct instance_id *instance)
{
	return vouches_until(kek_table_vouches(table), instance->text);
}
