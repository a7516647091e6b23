/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What two nodes compare of their caches (design D20): objects and clients fall into buckets by the
 * first bits of their keys, which are random, and a bucket's digest is the SHA-256 of its records
 * as they are stored. Computed and not kept: so it tells of what is on the disk, and a change costs
 * nothing. Also: the tombstones that a comparison allows to be trimmed.
 */
#ifndef KEYSTORE_CACHE_DIGEST_H
#define KEYSTORE_CACHE_DIGEST_H

#include "keystore/cache.h"

enum {
	/* A destroyed key is purged by the key manager after 90 days; a week more for clocks that
	 * disagree. */
	CACHE_GRAVE_AGE_S = 97 * 86400,
	CACHE_BUCKETS = 4096,
	CACHE_DIGEST_BUCKETS_MAX = 256, /* of one read */
	CACHE_DIGEST_RECORDS = 2048, /* after so many a read ends with the bucket: some 2 ms */
	CACHE_GRAVES_MAX = 64, /* of one read; the others come next time */
};

/* The tombstone of an object, as it was when it was read. */
struct cache_grave {
	struct uid uid;
	uint8_t hash[32]; /* SHA-256 of the record */
	int64_t date; /* of the destruction */
	uint16_t bucket;
};

struct cache_digest {
	uint16_t first;
	size_t count; /* buckets to read; then, those that were, at least one */
	/* Records of other instances are left out. */
	bool (*wants)(void *ctx, const struct instance_id *instance);
	void *ctx;
	int64_t cut; /* an object destroyed before is a grave */
	/* out */
	uint8_t hashes[CACHE_DIGEST_BUCKETS_MAX][32]; /* all zero: an empty bucket */
	size_t damaged; /* records that cannot be read: left out, too */
	struct cache_grave graves[CACHE_GRAVES_MAX];
	size_t grave_count;
};
MUST_USE enum err cache_digest_read(struct cache_read *read, struct cache_digest *digest);

/* As cache_walk, within one bucket. */
MUST_USE enum err cache_digest_walk(
	struct cache_read *read, uint16_t bucket, const struct cache_walk *walk, bool *more);

/* Of the graves those that are still the same are gone, and out of the index. It is no change of
 * this node's: nothing is logged. */
MUST_USE enum err cache_digest_trim(struct cache_write *write, struct arena *arena,
	const struct cache_grave *graves, size_t grave_count, size_t *trimmed);

#endif
