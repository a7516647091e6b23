/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Locate's search: candidates from the store's index, each read and compared, newest first. It
 * begins on the loop, within limits; what is beyond them goes on on another thread, in the keeper,
 * with a look at the cache of its own. It is an item's plan_memory: plan is run again until it is
 * done.
 */
#ifndef KMIP_LOCATE_SCAN_H
#define KMIP_LOCATE_SCAN_H

#include "kmip/item.h"
#include "kmip/locate_filter.h"

enum {
	LOCATE_MATCHES_MAX = 200000, /* ours: what an answer and its memory can hold */
	/* Objects looked at beyond the last one asked for, only to tell how many there are. */
	LOCATE_COUNTED_MAX = 100,
	LOCATE_LOOKED_MAX =
		2000, /* on a worker's loop: some 10 ms where nothing is read from disk */
	LOCATE_LOOKED_KEEPER_MAX = 100, /* on the keeper's */
	LOCATE_STEPS_MAX = 20000, /* on either, entries of the index: some 10 ms, too */
	LOCATE_SECONDS_MAX = 30 /* on the other thread; few clients wait as long */
};

struct locate_wish {
	const struct locate_filters *filters; /* borrowed from the request */
	bool needs_group, needs_fresh;
	int32_t storage_mask; /* where to look: on-line, in the archive */
	size_t wanted; /* matches that are kept, the skipped ones included */
	bool counts; /* those beyond them */
};

struct locate_match {
	struct uid uid;
	bool is_fresh;
};

struct locate_found {
	struct locate_match *matches;
	size_t kept, matched;
	bool is_cut; /* ended before the last candidate: there may be more than `matched` */
};

/*
 * Until it is done: ERR_AGAIN, to be handed on. ERR_TOO_LARGE: more than LOCATE_MATCHES_MAX are
 * wanted; ERR_UNAVAILABLE: it took longer than LOCATE_SECONDS_MAX.
 */
MUST_USE enum err locate_scan(
	const struct locate_found **out, struct kmip_item *item, const struct locate_wish *wish);

#endif
