/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the processes of a node have counted, in memory that they share: each process writes its own
 * part and nothing else, the keeper reads all. A part belongs to a number (0: the keeper, else the
 * worker's), and not to a process: a worker that takes the place of one that died goes on counting
 * where that one stopped. So totals never fall.
 */
#ifndef NODE_COUNTERS_H
#define NODE_COUNTERS_H

#include "base/err.h"
#include "base/histogram.h"
#include "kmip/serve.h"

/* NAME: one word of the part. The last ones are the ends of handshakes. */
enum counter {
	COUNTER_CONNECTIONS, /* open now: the only one that falls; 0 after a worker's death */
	COUNTER_ACCEPTED,
	COUNTER_SERVED, /* frames that a worker answered itself, */
	COUNTER_FORWARDED, /* or handed to the keeper */
	COUNTER_EXPIRED_CLIENTS, /* connections and requests under an expired certificate */
	COUNTER_HANDSHAKES_GOOD,
	COUNTER_HANDSHAKES_NOT_REGISTERED,
	COUNTER_HANDSHAKES_EXPIRED,
	COUNTER_HANDSHAKES_STORE_FAILED,
	COUNTER_HANDSHAKES_NO_CERTIFICATE,
	COUNTER_HANDSHAKES_CLOSED, /* by the client: a port scan, a health check */
	COUNTER_HANDSHAKES_TIMEOUT,
	COUNTER_HANDSHAKES_TLS, /* no common version or suite, no TLS at all */
	COUNTER_COUNT
};

enum {
	COUNTERS_OPERATIONS = 64, /* KMIP operations by their number; 0: none that we know */
	COUNTERS_PARTS_MAX = 257, /* the keeper and WORKERS_MAX */
};

/* Who answered a frame. */
enum counters_frame { COUNTERS_BY_WORKER, COUNTERS_BY_KEEPER, COUNTERS_FRAMES };

struct counters {
	_Atomic uint64_t plain[COUNTER_COUNT];
	_Atomic uint64_t items[COUNTERS_OPERATIONS][ERR_COUNT]; /* by result */
	struct histogram item_took[COUNTERS_OPERATIONS];
	struct histogram frame_took[COUNTERS_FRAMES]; /* read to answered, in a session */
	struct keystore_lookups lookups; /* of unwrapped keys */
};

static inline void counters_add(struct counters *counters, enum counter counter)
{
	tally_add(&counters->plain[counter], 1);
}

/* One batch item was answered: kmip_options.on_item, with struct counters as ctx. */
void counters_on_item(void *counters, const struct kmip_item_record *record);

struct counters_page;
/* Keeper: parts 0 to parts - 1. */
MUST_USE enum err counters_page_new(struct counters_page **out, uint32_t parts);
/* Worker: the keeper's descriptor, borrowed. ERR_INVALID: not such a page. */
MUST_USE enum err counters_page_attach(struct counters_page **out, int fd);
void counters_page_free(struct counters_page *page);
int counters_page_fd(const struct counters_page *page);
/* ERR_LIMIT: there is no such part. */
MUST_USE enum err counters_page_part(
	struct counters **out, struct counters_page *page, uint32_t number);
/* The worker is dead: nothing of it is open any more. */
void counters_close_part(struct counters *counters);

struct counters_sum {
	uint64_t plain[COUNTER_COUNT];
	uint64_t items[COUNTERS_OPERATIONS][ERR_COUNT];
	struct histogram_sum item_took[COUNTERS_OPERATIONS];
	struct histogram_sum frame_took[COUNTERS_FRAMES];
	uint64_t lookups[KEYSTORE_LOOKUPS];
};
/* All parts together. Some 30 KB: not for the stack. */
void counters_page_sum(const struct counters_page *page, struct counters_sum *out);
/* The plain ones alone. */
uint64_t counters_page_total(const struct counters_page *page, enum counter counter);
/* Handshakes that ended without a client. */
uint64_t counters_page_refused(const struct counters_page *page);

#endif
