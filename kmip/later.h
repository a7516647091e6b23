/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Items that clients asked to be run asynchronously (KMIP 1.4, sections 4.27, 4.28, 6.7), from
 * their acceptance until their answers have been kept for long enough. They live in the keeper's
 * memory, belong to the client that asked, and are known neither to the other node nor after a
 * restart.
 */
#ifndef KMIP_LATER_H
#define KMIP_LATER_H

#include "kmip/serve.h"

enum {
	LATERS_MAX = 256, /* ours; beyond, items are run at once */
	LATERS_OF_CLIENT_MAX = 32,
	LATER_KEPT_S = 300, /* an answer, from when it is there */
	LATER_ID_LEN = 16,
	LATER_SMALL_LEN = 4096, /* the answers of changes are: these are always kept */
	LATERS_BYTES_MAX = 32 * 1024 * 1024 /* of the longer ones, together: those of Locate */
};

struct laters;
struct later;

/* How an item stands, or its answer: `payload` as encoded in `version`, borrowed until the next
 * call of this module. */
struct later_answer {
	uint32_t operation;
	bool is_pending;
	enum err err;
	enum kmip_version version;
	struct slice payload;
};

MUST_USE enum err laters_new(struct laters **out);
/* What still runs is not called off. */
void laters_free(struct laters *laters);

/* A run that a later stands for; call_off is true when nothing of it was done, nor ever will be. */
struct later_run {
	struct kmip_identity client;
	uint32_t operation;
	enum kmip_version version;
	bool (*call_off)(void *ctx);
	void *ctx;
};
/* ERR_LIMIT: no place; answers that were told already give way to new runs. */
MUST_USE enum err laters_put(
	struct later **out, struct laters *laters, const struct later_run *run);
struct slice later_id(const struct later *later);
/* The run has ended: keeps a copy of the payload. Where there is no room or memory for it, the
 * answer becomes ERR_TOO_LARGE. */
void later_end(struct later *later, enum err err, struct slice payload);

/* ERR_NOT_FOUND: no such item of that client's. */
MUST_USE enum err laters_poll(struct later_answer *out, struct laters *laters,
	const struct kmip_identity *client, struct slice id);
/* A Cancellation Result. */
enum kmip_cancellation_result laters_cancel(
	struct laters *laters, const struct kmip_identity *client, struct slice id);

#endif
