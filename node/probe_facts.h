/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the servers have acknowledged, one fact on a line, appended the moment that the answer came,
 * so that a failover test can ask later whether all of it is still true:
 *
 *	created UID -		the key was created; its bytes have not been seen
 *	created UID SHA256HEX	the key was fetched and its bytes have this SHA-256
 *	activated UID
 *	destroying UID		its end is about to be asked for: from here on both may be true
 *	destroyed UID
 *
 * Lines are flushed, not synced: they survive the end of the process, not of the machine.
 */
#ifndef NODE_PROBE_FACTS_H
#define NODE_PROBE_FACTS_H

#include "base/crypt.h"
#include "base/slice.h"
#include "node/probe_message.h"

enum { PROBE_FACTS_MAX = 1000000 };

/* How far a key has come; facts only go forward. */
enum probe_stage { PROBE_CREATED, PROBE_ACTIVATED, PROBE_DESTROYING, PROBE_DESTROYED };

struct probe_fact {
	char uid[PROBE_UID_SIZE];
	enum probe_stage stage;
	bool has_hash;
	uint8_t hash[CRYPT_SHA256_LEN];
};

struct probe_facts; /* being written */
/* A NULL path gives facts that nobody keeps. ERR_IO after a sentence on standard error. */
MUST_USE enum err probe_facts_new(struct probe_facts **out, const char *path);
void probe_facts_free(struct probe_facts *facts);
/* hash: with PROBE_CREATED, NULL while unknown. ERR_IO. */
MUST_USE enum err probe_facts_add(
	struct probe_facts *facts, enum probe_stage stage, const char *uid, const uint8_t *hash);

/* What a file says; the caller frees items. A last line that a crash cut off is passed over;
 * anything else that is no fact is ERR_INVALID, after a sentence on standard error. */
struct probe_fact_list {
	struct probe_fact *items;
	size_t count, cap;
};
MUST_USE enum err probe_facts_read(struct probe_fact_list *out, const char *path);

#endif
