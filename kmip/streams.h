/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cryptographic operations that a client feeds piece by piece (Init Indicator, Correlation Value,
 * Final Indicator; KMIP 1.3). They live in the keeper's memory and belong to the client that began
 * them: one that is not continued for STREAM_IDLE_S is forgotten, and none is known to the other
 * node.
 */
#ifndef KMIP_STREAMS_H
#define KMIP_STREAMS_H

#include "kmip/run.h"

enum {
	STREAMS_MAX = 1024, /* ours: a few hundred bytes of OpenSSL's each */
	STREAMS_OF_CLIENT_MAX = 64,
	STREAMS_HELD_MAX = 64 * 1024 * 1024, /* ours: what all together hold until their ends */
	STREAM_IDLE_S = 60,
	STREAM_ID_LEN = 16
};

struct streams;

struct stream_owner {
	struct instance_id instance;
	struct fingerprint client;
	uint32_t operation; /* the one that it began with */
};

MUST_USE enum err streams_new(struct streams **out);
void streams_free(struct streams *streams);
/* Takes the run over, also on failure; writes the Correlation Value. ERR_UNAVAILABLE: too many, or
 * too much that they hold. */
MUST_USE enum err streams_put(struct streams *streams, const struct stream_owner *owner,
	struct run *run, uint8_t id[STREAM_ID_LEN]);
/* The key of a stream; all zero: none. ERR_NOT_FOUND as streams_take. */
MUST_USE enum err streams_uid(struct streams *streams, const struct stream_owner *owner,
	struct slice id, struct uid *out);
/* Gives the run back to the caller, who owns it then. ERR_NOT_FOUND: no such stream of that owner
 * and operation. */
MUST_USE enum err streams_take(struct streams *streams, const struct stream_owner *owner,
	struct slice id, struct run **out);

#endif
