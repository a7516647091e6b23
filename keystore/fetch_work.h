/* SPDX-License-Identifier: Apache-2.0 */
/* The shared part of fetches of one key (design D13: concurrent unwraps of one key are one call):
 * fetch.c has the callers, fetch_work.c the steps, fetch_gone.c what is done when the key manager
 * says that the key is not there, fetch_judge.c what a key that was read is. */
#ifndef KEYSTORE_FETCH_WORK_H
#define KEYSTORE_FETCH_WORK_H

#include "keystore/envelope.h"
#include "keystore/flow.h"

struct fetch;

enum fetch_kind {
	FETCH_CLIENT, /* somebody waits for the answer */
	FETCH_LISTED, /* a listing or a poll met it: the key manager's word is wanted */
	FETCH_WARM, /* kept unwrapped ahead of its use (keep_warm.c) */
};

struct fetch_work {
	struct keystore_pending flow;
	struct fetch_work *next, *previous; /* in keystore->fetches */
	struct fetch *waiters;
	struct uid uid;
	struct uid key_id; /* the standard key that is to be read, if `exact` */
	bool exact; /* else the one that holds the object */
	enum fetch_kind kind;
	bool material; /* wanted, not only proof of existence */
	bool unwraps; /* is being unwrapped at the key manager */
	bool unclaimed;

	struct object *cached; /* as it was at the beginning; NULL: not cached */
	struct object fresh; /* from the envelope, when it was read */
	bool has_fresh;
	bool is_named; /* and the standard key bears the name that we give */
	bool missing; /* the key manager did not show it when last asked (design D12) */
	bool superseded; /* what was read does not hold the object any more */
	bool leftover; /* the object is destroyed, and this key of it lives: it is to be deleted */
	struct uid asked; /* the standard key that was asked for last */
	unsigned again; /* times that the object was found to have moved meanwhile */
	struct keystore_pending *catch_up; /* reads the ledger */
	int64_t deletion; /* of the key that is destroyed */
	bool restored; /* cached as dead, and live again at the key manager */
	struct slice sealed; /* material under a one-time key, or empty */
	char aad_hex[2 * ENVELOPE_NONCE_LEN + 1];
	const struct object_wrapped *opened; /* the form that was unwrapped; NULL: none */
	struct slice rewrapped; /* after a rotation of the root key (design D14) */
	int64_t version_label; /* of the root key's version that wraps it now; 0: not known */
	bool unreadable; /* the cached form did not open: what did takes its place */
	struct object tombstone;
	struct slice found; /* the material */
	bool unwrapped; /* just now, and not taken from the table, by: */
	enum keymanager_crk crk;
};

enum { FETCH_AGAIN_MAX = 3 };

/* Looks into the cache. */
MUST_USE enum err fetch_work_look(struct fetch_work *work);
/* Asks the key manager, for the key that holds the object by now. */
void fetch_work_get(struct fetch_work *work);
/* The envelope says what the cache does not. */
bool fetch_work_differs(const struct fetch_work *work);
/* It was proved, and opened where that was wanted: keeps what is new of it, and ends the work
 * (fetch_keep.c). */
void fetch_work_commit(struct fetch_work *work);
/* Begins in a later turn. */
void fetch_work_start(struct fetch_work *work);
/* Before an unwrap: another work of the kind may be at it with the same key. Then who waits for
 * this one waits for that one, and this one is gone: true. */
bool fetch_work_joins(struct fetch_work *work);
/* Told once, at the end: hands the result to the waiters and ends the work. */
void fetch_work_done(struct fetch_work *work, enum err err);

/* ERR_OK: ours, opened as far as that goes without the root key; into `fresh`. */
MUST_USE enum err fetch_work_judge(struct fetch_work *work, const struct keymanager_key *key);

/* On with a key that lives. */
void fetch_work_go_on(struct fetch_work *work);
/* Is the key that held the object before to be asked for, too? Then fetch_work_go_on comes after
 * it. */
bool fetch_work_has_old(const struct fetch_work *work);
void fetch_work_get_old(struct fetch_work *work);

/* The key manager did not answer or did not want to: what is kept is served where that is allowed
 * (design D13). Ends the work. */
void fetch_work_fail(struct fetch_work *work, enum err err, const char *why);
void fetch_work_log(const struct fetch_work *work, const char *event, const char *why);

/* It shows no key of that id: missing, if it shows the root key (design D12). Ends the work. */
void fetch_work_absent(struct fetch_work *work);
/* Is the end of the key that was asked for the end of the cached object? */
bool fetch_work_is_over(struct fetch_work *work, const struct keymanager_key *key);
/* It tells that the key is destroyed; `key` NULL where it tells no more. Ends the work. */
void fetch_work_destroyed(struct fetch_work *work, const struct keymanager_key *key);

#endif
