/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unwrapped keys in shared memory (design D2, D13): written by the keeper, read by workers without
 * locks, each entry sealed with AES-256-GCM under a key of this keeper start. Also holds the word
 * that says until when this node may answer from its cache. Boot-time milliseconds throughout.
 */
#ifndef KEYSTORE_KEK_TABLE_H
#define KEYSTORE_KEK_TABLE_H

#include "base/arena.h"
#include "keystore/ids.h"

struct kek_table;

enum {
	KEK_TABLE_MATERIAL_MAX =
		512, /* longer material is not kept: rare, and answered by the keeper */
	KEK_TABLE_PROBES_MAX = 16,
};

/* Keeper: a new memfd, sealed against resize and other writers, kept out of core dumps, with a
 * fresh key. */
MUST_USE enum err kek_table_new(struct kek_table **out, size_t slots);
/* Worker: the keeper's descriptor (borrowed: mapped and not kept) and key (copied). ERR_INVALID:
 * not such a table; ERR_VERSION. */
MUST_USE enum err kek_table_attach(struct kek_table **out, int fd, struct slice key);
void kek_table_free(struct kek_table *table);
int kek_table_fd(const struct kek_table *table);
struct slice kek_table_key(const struct kek_table *table);

struct kek_entry {
	struct instance_id instance;
	struct uid uid;
	struct slice material;
	uint64_t fresh_until_ms; /* plaintext-ttl */
	uint64_t resident_until_ms; /* outage-grace */
	uint64_t used_ms; /* boot time at which a client asked for it; 0: as it was */
	uint64_t spare_after_ms; /* entries that are resident after it do not give way; 0: the
				    oldest does */
};
/* Keeper. Replaces the entry of the same uid; the oldest of its probe range gives way. ERR_LIMIT:
 * longer than KEK_TABLE_MATERIAL_MAX (an entry of the same uid is dropped then), or none gives way.
 */
MUST_USE enum err kek_table_put(struct kek_table *table, const struct kek_entry *entry);
void kek_table_drop(
	struct kek_table *table, const struct instance_id *instance, const struct uid *uid);
void kek_table_drop_instance(struct kek_table *table, const struct instance_id *instance);
size_t kek_table_count(const struct kek_table *table);

/* Keeper: what is known of a key's place, without opening it. */
struct kek_seen {
	bool has_room; /* it is there, or would displace nobody who is resident */
	uint64_t resident_until_ms, used_ms; /* 0: not there; no client asked for it */
};
void kek_table_look(const struct kek_table *table, const struct kek_entry *of, uint64_t now_ms,
	struct kek_seen *out);
/* Keeper: when the n-th of the entries was used, the one used last coming first; 1 when there are
 * fewer. ERR_NOMEM. */
MUST_USE enum err kek_table_recent(const struct kek_table *table, size_t n, uint64_t *used_ms);

/*
 * Both. Copies the material into the arena: ERR_OK fresh and vouched for; ERR_FORWARD fresh, but
 * not vouched for; ERR_AGAIN resident, but stale (with both *out is set all the same: for the
 * keeper, who may know better); ERR_MISS; ERR_NOMEM. Generation, expiry and the vouch are checked
 * after the copy was opened.
 */
MUST_USE enum err kek_table_get(struct kek_table *table, struct arena *arena,
	const struct instance_id *instance, const struct uid *uid, uint64_t now_ms,
	struct slice *out);

/* Until when this node may serve every instance from its cache: the peer's lease; UINT64_MAX
 * without a peer. 0 in a new table: not at all. Setting is the keeper's. */
void kek_table_set_vouch(struct kek_table *table, uint64_t until_ms);
uint64_t kek_table_vouch(const struct kek_table *table);
/* Whether the lease speaks for the instance; it does until told otherwise. ERR_LIMIT: too many. */
MUST_USE enum err kek_table_set_leased(
	struct kek_table *table, const struct instance_id *instance, bool leased);
/* Nobody's word is good for the instance: not the lease, nor what its key manager told. ERR_LIMIT:
 * too many. */
MUST_USE enum err kek_table_set_withheld(
	struct kek_table *table, const struct instance_id *instance, bool withheld);
uint64_t kek_table_lease_of(const struct kek_table *table, const struct instance_id *instance);
/* And one instance, by what its key manager told (design D19). The later of the two holds. */
void kek_table_set_vouch_of(
	struct kek_table *table, const struct instance_id *instance, uint64_t until_ms);
uint64_t kek_table_vouch_of(const struct kek_table *table, const struct instance_id *instance);

#endif
