/* SPDX-License-Identifier: Apache-2.0 */
#include "replication/lease.h"
#include "replication/mutant.h"

static uint64_t granted_ms(void)
{
	return MUTANT(no_drift_margin) ? LEASE_LENGTH_MS : LEASE_GRANTED_MS;
}

void lease_init(struct lease *lease, uint64_t now_ms)
{
	*lease = (struct lease){ .granted_until_ms = now_ms + granted_ms() };
	if (MUTANT(grant_forgotten))
		lease->granted_until_ms = 0;
}

void lease_grant(struct lease *lease, uint64_t now_ms)
{
	if (now_ms + granted_ms() > lease->granted_until_ms)
		lease->granted_until_ms = now_ms + granted_ms();
}

void lease_give_back(struct lease *lease, uint64_t now_ms)
{
	if (lease->granted_until_ms > now_ms)
		lease->granted_until_ms = now_ms;
}

uint64_t lease_until(const struct lease *lease)
{
	return lease->granted_until_ms;
}

bool lease_take(struct lease *lease, uint64_t asked_ms, uint32_t length_ms)
{
	uint64_t until_ms = asked_ms + (length_ms < LEASE_LENGTH_MS ? length_ms : LEASE_LENGTH_MS);

	if (asked_ms < lease->void_before_ms || until_ms <= lease->held_until_ms)
		return false;
	lease->held_until_ms = until_ms;
	return true;
}

void lease_drop(struct lease *lease, uint64_t now_ms)
{
	lease->held_until_ms = 0;
	lease->void_before_ms = now_ms + 1;
}
