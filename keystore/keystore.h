/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store of managed objects as the layers above see it. A reader (worker) answers from the cache
 * and the shared table of unwrapped keys, or says ERR_AGAIN / ERR_MISS, which means "give it to the
 * keeper". The keeper also fetches, creates, changes and destroys: each start ends in exactly one
 * callback, later. Knows no KMIP message.
 */
#ifndef KEYSTORE_KEYSTORE_H
#define KEYSTORE_KEYSTORE_H

#include "base/loop.h"
#include "keystore/cache.h"
#include "keystore/client.h"
#include "keystore/keymanager.h"
#include "keystore/kek_table.h"
#include "keystore/meter.h"
#include "keystore/object.h"

struct keystore;
struct keystore_pending;

enum {
	KEYSTORE_INSTANCES_MAX = 256,
	KEYSTORE_FLOWS_MAX = 4096, /* flows under way; beyond: ERR_LIMIT at start */
	KEYSTORE_ANSWER_MS =
		2500, /* client-facing key-manager work ends by then (design D15: < 3 s) */
	KEYSTORE_CLOSE_MS = 3000, /* work before a clean stop */
	KEYSTORE_CURRENT_MS = 500, /* for a poll, when nobody vouches */
	KEYSTORE_OPEN_WAIT_MS = 3000, /* for the ledger, when an earlier life read it */
	KEYSTORE_REWRAP_RATE = 20, /* keys in a second */
	KEYSTORE_REWRAP_RATE_MAX = 1000,
	KEYSTORE_REWRAP_FAILURES = 16, /* keys named in the status */
};

struct keystore_instance_options {
	struct instance_id id;
	const char *name;
	struct keymanager_options keymanager; /* loop and name are filled in by the keystore */
};

#define KEYSTORE_WARM_ALL UINT32_MAX

struct keystore_settings {
	uint32_t plaintext_ttl_s; /* 300 */
	uint32_t outage_grace_s; /* 14400 */
	uint32_t root_poll_s; /* 30 */
	uint32_t reconcile_s; /* 30 */
	uint32_t checkpoint_s; /* 86400; 0: none but at a clean stop and on demand */
	uint32_t keep_warm; /* keys kept unwrapped ahead of their use; KEYSTORE_WARM_ALL: all */
	uint32_t keep_warm_rate; /* of them in a second */
	uint32_t max_stale_s; /* 15; 0: without the peer's lease each Get is proved by id */
};

/*
 * The response gate (design D18), declared here and filled by node/ with the pair's. hold is
 * embedded by the flow: on_release is called exactly once, later, unless gate_cancel came first.
 */
enum keystore_gate_class {
	KEYSTORE_GATE_CREATE, /* wait for the peer for ack-wait, then answer anyway */
	KEYSTORE_GATE_CHANGE, /* wait for the peer, or until it has provably stopped serving from
				 its cache */
	KEYSTORE_GATE_CHARGE, /* the same, and until all that the peer had logged when it merged
				 ours is here: one of two that charge at one time sees the other */
};
struct keystore_hold {
	uint64_t seq; /* the peer must have acknowledged up to here */
	enum keystore_gate_class class;
	void (*on_release)(void *ctx);
	void *ctx;
	struct keystore_hold *next, *previous; /* the gate's */
	uint64_t since_ms, deadline_ms;
	uint64_t behind_ms; /* a lease that was asked for then is behind all that; 0: not yet known
			     */
	bool held;
};
struct keystore_gate {
	void (*hold)(void *ctx, struct keystore_hold *hold);
	void (*cancel)(void *ctx, struct keystore_hold *hold);
	void *ctx;
};

struct keystore_options {
	struct loop *loop; /* NULL for a reader */
	struct cache *cache;
	struct kek_table *table;
	const struct keystore_instance_options *instances; /* a reader needs id and name only */
	size_t instance_count;
	struct keystore_settings settings;
	uint16_t node;
	bool reader;
	struct keystore_lookups *lookups; /* counted there; may be NULL */
};

MUST_USE enum err keystore_new(
	struct keystore **out, const struct keystore_options *options, char why[300]);
void keystore_free(struct keystore *keystore);
/* NULL: without a gate, answers are released at once (a node without a peer, or one that stops). */
void keystore_set_gate(struct keystore *keystore, const struct keystore_gate *gate);
/*
 * What can be expected of the peer while an instance rebuilds an empty cache (design D11): as long
 * as it brings its own, the keys are not read from the key manager one by one.
 */
enum keystore_peer {
	KEYSTORE_PEER_NONE, /* or it has brought everything */
	KEYSTORE_PEER_EXPECTED, /* it may turn up */
	KEYSTORE_PEER_BRINGS,
};
enum { KEYSTORE_PEER_WAIT_MS = 10000 }; /* for an expected one, counted from the start */
void keystore_set_peer(struct keystore *keystore, enum keystore_peer peer);
/* Called after every commit that logged own changes; last_seq is the last of them. */
void keystore_set_on_logged(
	struct keystore *keystore, void (*on_logged)(void *ctx, uint64_t last_seq), void *ctx);
/* Settings that can be changed by a reload; API keys are read again. Instances are added by
 * keystore_add_instance. */
void keystore_reload(struct keystore *keystore, const struct keystore_settings *settings);
MUST_USE enum err keystore_add_instance(
	struct keystore *keystore, const struct keystore_instance_options *options, char why[300]);

/* A reload's root keys (design D8). The root key may only be exchanged with the other one, and that
 * may only go when nothing is wrapped with it: ERR_CONFIG and a sentence, and nothing is changed.
 */
struct keystore_roots {
	struct instance_id instance;
	const char *root_key, *other_root_key; /* copied; the other may be NULL */
};
MUST_USE enum err keystore_judge_roots(
	const struct keystore *keystore, const struct keystore_roots *roots, char why[300]);
MUST_USE enum err keystore_set_roots(struct keystore *keystore, const struct keystore_roots *roots,
	bool *changed, char why[300]);

/*
 * Starts the background work of the keeper: resolves intents, lists the key rings, reads ledger
 * records, polls root keys. on_open is called once, as soon as client registrations are known well
 * enough to serve: the KMIP port opens then (design D11). The ledger of every instance was read in
 * this life; or it was, by a fact in the cache, in an earlier one, and reading it again failed or
 * took longer than KEYSTORE_OPEN_WAIT_MS: whoever was removed meanwhile is not to be let in where
 * it can be known.
 */
void keystore_start(struct keystore *keystore, void (*on_open)(void *ctx), void *ctx);

/* ---- reading: both roles ---- */

/* One request's look at the store. Lives in the request; what it hands out lives in the arena. */
struct keystore_view;
MUST_USE enum err keystore_view_new(struct keystore_view **out, struct keystore *keystore,
	struct arena *arena, const struct instance_id *instance);
/* Frees nothing but the short read transaction, if one is open. Call before returning to the loop.
 */
void keystore_view_rest(struct keystore_view *view);

/*
 * ERR_OK; ERR_AGAIN: keystore_fetch_start first (not cached, or quarantined); ERR_NOT_FOUND:
 * certainly nothing that this instance's clients may see; A destroyed object is returned (dead
 * set): operations judge. An object of another instance is ERR_NOT_FOUND.
 */
MUST_USE enum err keystore_read(
	struct keystore_view *view, const struct uid *uid, struct object **out);
/* The same by any read of the cache, where nothing was proved for a view: for many objects, also on
 * another thread. */
MUST_USE enum err keystore_peek(struct cache_read *read, struct arena *arena,
	const struct instance_id *instance, const struct uid *uid, struct object **out);
/* The material of an object that was read: ERR_OK, ERR_AGAIN (fetch with material), ERR_KEY_ABSENT.
 * Honours freshness, who vouches (design D19) and what was validated for this view. */
MUST_USE enum err keystore_read_material(
	struct keystore_view *view, const struct object *object, struct slice *out);
/* Finds objects of the view's instance by the index (keystore/cache.h). */
MUST_USE enum err keystore_find(struct keystore_view *view, struct cache_find *find);
/* ERR_NOT_FOUND: not installed in any configured instance, or removed. */
MUST_USE enum err keystore_client_find(
	struct keystore *keystore, const struct fingerprint *fingerprint, struct client *out);

/* Whether anybody vouches for what the cache says of the instance: its keys, their states, and who
 * may ask for them (design D19). Where nobody does, the keeper asks first: keystore_current_start.
 */
bool keystore_is_vouched(const struct keystore *keystore, const struct instance_id *instance);

/* ---- changing: the keeper ---- */

void keystore_cancel(struct keystore_pending *pending);

/*
 * Waits for a poll. ERR_OK: the cache knows of everything that was in the key manager when this was
 * called, or is vouched for. ERR_UNAVAILABLE: the polls fail, so that the rules for an outage hold.
 * ERR_TIMEOUT: not known within KEYSTORE_CURRENT_MS; nothing should be said.
 */
MUST_USE enum err keystore_current_start(struct keystore_pending **out, struct keystore *keystore,
	const struct instance_id *id, void (*on_done)(void *ctx, enum err err), void *ctx);

/* Read-through and revalidation (one flow): GET by id, judge, open the envelope, merge; with
 * material: unwrap, table. Calls for one key are shared. What it proved is remembered in the view,
 * so that the reads above then succeed. ERR_NOT_FOUND, ERR_DESTROYED, ERR_MISSING, ERR_UNAVAILABLE,
 * ERR_REFUSED, ERR_ROOT_DISABLED. The view may not go away before the callback or keystore_cancel.
 */
MUST_USE enum err keystore_fetch_start(struct keystore_pending **out, struct keystore_view *view,
	const struct uid *uid, bool material, void (*on_fetched)(void *ctx, enum err err),
	void *ctx);

struct keystore_create {
	struct instance_id instance;
	uint32_t type, format;
	struct slice material; /* copied */
	const struct object_change
		*change; /* applied to the new object: attributes, dates (copied) */
	bool unclaimed; /* a part of something whose last change claims it */
};
/* Design D9. The answer comes after the gate. */
MUST_USE enum err keystore_create_start(struct keystore_pending **out, struct keystore *keystore,
	const struct keystore_create *create,
	void (*on_created)(void *ctx, enum err err, const struct uid *uid), void *ctx);

/* An attribute or life-cycle change short of Destroy; after commit and gate. One that deactivates
 * or compromises is in the key manager before (design D10): ERR_UNAVAILABLE, ERR_REFUSED or
 * ERR_ROOT_DISABLED when it cannot be, and it may be repeated. *added_index as
 * object_apply. `check` is run inside the transaction on the object as it then is, and may refuse
 * (its error is handed on); may be NULL. */
struct keystore_part {
	struct uid uid;
	struct object_change change;
};
struct keystore_change {
	struct instance_id instance;
	struct uid uid;
	const struct object_change *change; /* copied */
	/* Further objects, changed with it: all of them or none, in one ledger record and one
	 * transaction, which reaches the peer in this order. Each is checked. Copied. */
	const struct keystore_part *with;
	size_t with_count;
	bool durable; /* in the key manager before it is answered, as if it lowered the state */
	bool in_passing; /* nothing depends on it: the gate waits as for a creation */
	enum err (*check)(void *ctx, const struct object *object);
	void *check_ctx; /* must live until the callback */
};
/* ERR_AMBIGUOUS, with further objects only: it may come to be, when a listing shows its ledger
 * record; then it is whole. ERR_LIMIT also: they are too long for one ledger record. */
MUST_USE enum err keystore_change_start(struct keystore_pending **out, struct keystore *keystore,
	const struct keystore_change *change,
	void (*on_changed)(void *ctx, enum err err, uint32_t added_index), void *ctx);

/*
 * Charges an object's limited use (keystore/charge.c): ERR_OK once the charge is durable here and
 * at the peer, as any change, and no charge of the peer's stands against it. ERR_DENIED: not so
 * much is left; ERR_UNAVAILABLE: whether it is could not be settled in time. Then nothing is
 * charged.
 */
struct keystore_charge {
	struct instance_id instance;
	struct uid uid;
	int64_t units; /* not negative */
	int64_t now; /* becomes last_change */
	/* Inside the transaction, of the object as it then is: how much may be used in all;
	 * negative: it has no limit. May refuse; its error is handed on. */
	enum err (*limit)(void *ctx, const struct object *object, int64_t *out);
	void *ctx; /* must live until the callback */
};
MUST_USE enum err keystore_charge_start(struct keystore_pending **out, struct keystore *keystore,
	const struct keystore_charge *charge,
	void (*on_charged)(void *ctx, enum err err, uint32_t unused), void *ctx);

/*
 * Design D10: the standard key is deleted first (its envelope was verified as ours before), then
 * the tombstone with `change` (dates, attributes), then the gate. Further objects are changed
 * before, with the intent; from then on the deletion is finished also after a crash or an outage:
 * ERR_AMBIGUOUS. ERR_REFUSED, ERR_MISSING: it is refused, and their changes stay.
 */
MUST_USE enum err keystore_destroy_start(struct keystore_pending **out, struct keystore *keystore,
	const struct keystore_change *change,
	void (*on_destroyed)(void *ctx, enum err err, uint32_t unused), void *ctx);

/*
 * Installs (or, with removed set, removes) a client: an installation is in the key manager's ledger
 * before it is answered; a removal acts on both caches first and the ledger is retried until
 * written (design D10). ERR_EXISTS: installed in another instance (*out_other when not NULL tells
 * which).
 */
MUST_USE enum err keystore_client_start(struct keystore_pending **out, struct keystore *keystore,
	const struct client *client, void (*on_stored)(void *ctx, enum err err, const char *why),
	void *ctx);

/*
 * The operator gives a key up that the key manager does not show any more (design D12): a
 * tombstone, after commit and gate. ERR_STATE: it is not missing; ERR_MISS: not cached;
 * ERR_DESTROYED.
 */
MUST_USE enum err keystore_forget_start(struct keystore_pending **out, struct keystore *keystore,
	const struct uid *uid, void (*on_forgotten)(void *ctx, enum err err), void *ctx);
bool keystore_is_missing(struct cache_read *read, const struct uid *uid);

/* Records from the peer: merged and durable together with the fact (peer position) when the
 * callback comes. Unwrapped copies of keys that turn out dead are dropped before. The record bytes
 * and the fact are copied. */
struct keystore_merge {
	/* After one that failed, the later ones of its chain fail, too: else their fact would speak
	 * for what is not there. Chains are numbered upwards, one failing the earlier ones as well;
	 * 0: of none. */
	uint32_t chain;
	const struct slice *records;
	size_t record_count;
	const char *fact_name; /* may be NULL */
	struct slice fact_value;
};
MUST_USE enum err keystore_merge_start(struct keystore_pending **out, struct keystore *keystore,
	const struct keystore_merge *merge, void (*on_merged)(void *ctx, enum err err), void *ctx);
/* A new incarnation after a rollback (design D20); durable when called back. */
MUST_USE enum err keystore_new_incarnation_start(struct keystore_pending **out,
	struct keystore *keystore, void (*on_done)(void *ctx, enum err err), void *ctx);

/* The cache is in step with the peer's now (keystore/contact.h). Cheap to repeat. */
void keystore_note_contact(struct keystore *keystore);

/* Removes what two nodes agree on and nobody asks for any more (keystore/cache_digest.h). Copied.
 */
struct cache_grave;
MUST_USE enum err keystore_trim_start(struct keystore_pending **out, struct keystore *keystore,
	const struct cache_grave *graves, size_t grave_count,
	void (*on_trimmed)(void *ctx, enum err err, size_t trimmed), void *ctx);

/*
 * Checkpoint (design D10): what this node has changed and the key manager does not hold goes into
 * the ledger, in every instance. Starts one, or another right after one under way; how it goes is
 * in the status. ERR_STATE: the ledger of no instance was read yet.
 */
MUST_USE enum err keystore_checkpoint(struct keystore *keystore);
/* The ledger's compaction now, rather than when it is due. ERR_STATE as above. */
MUST_USE enum err keystore_compact(struct keystore *keystore);
struct keystore_checkpoint_status {
	bool running;
	uint64_t looked, written; /* records, and parts of records */
	size_t instances_failed;
	enum err err; /* of one of them */
};
void keystore_checkpoint_status(
	const struct keystore *keystore, struct keystore_checkpoint_status *out);
/*
 * After a rotation of the root key (design D14): the cached form of every key of the instance, or
 * of all instances (NULL), is brought to the newest version, in the background; a later life goes
 * on with it. Starts a run, or changes the rate of one under way. rate: keys in a second; 0:
 * KEYSTORE_REWRAP_RATE, or as it is. ERR_LIMIT: more than KEYSTORE_REWRAP_RATE_MAX; ERR_NOT_FOUND.
 */
MUST_USE enum err keystore_rewrap(
	struct keystore *keystore, const struct instance_id *instance, uint32_t rate);
/* ERR_NOT_FOUND. One that is not under way is none. */
MUST_USE enum err keystore_rewrap_stop(
	struct keystore *keystore, const struct instance_id *instance);
struct keystore_rewrap_status {
	bool running;
	unsigned round; /* more than one: the root key was rotated again meanwhile */
	uint32_t rate;
	uint64_t looked, rewrapped, failed;
	unsigned per_mille; /* of the way */
	enum err waiting; /* for the key manager, and why; ERR_OK: it goes on */
	enum err err; /* how the last run ended; ERR_CANCELLED: it was stopped */
	struct keystore_rewrap_failure {
		struct uid uid;
		enum err err; /* ERR_OK: of an earlier life, whose log tells */
	} failures[KEYSTORE_REWRAP_FAILURES];
	size_t failed_count; /* of those named */
};
void keystore_rewrap_status(
	const struct keystore *keystore, size_t instance, struct keystore_rewrap_status *out);
/* Is the cached form of the object of an older version of its root key, as far as is known? */
bool keystore_is_older(const struct keystore *keystore, const struct object *object);

/* Before a clean stop: a last checkpoint, for at most KEYSTORE_CLOSE_MS. on_closed comes once. */
MUST_USE enum err keystore_close_start(struct keystore_pending **out, struct keystore *keystore,
	void (*on_closed)(void *ctx), void *ctx);

/*
 * Migration to another root key (design D8): root-key is the new one, other-root-key the old one.
 * Starts it, or gives one under way another rate; an unfinished one goes on by itself after a
 * restart. `delete_old`: the second step, which deletes the keys that nothing points to any more.
 * ERR_STATE and a sentence: not now. rate: keys in a second; 0: KEYSTORE_MIGRATION_RATE.
 */
enum { KEYSTORE_MIGRATION_RATE = 20, KEYSTORE_MIGRATION_FAILED_MAX = 16 };
MUST_USE enum err keystore_migrate(struct keystore *keystore, const struct instance_id *instance,
	bool delete_old, uint32_t rate, char why[300]);
void keystore_migration_stop(struct keystore *keystore, const struct instance_id *instance);
struct keystore_migration_status {
	const char *stage; /* "none", what is done now, or how far it was brought */
	bool running;
	uint64_t moved, deleted; /* in this run */
	uint64_t looked, failed; /* of the walk under way, or the last one */
	unsigned per_mille;
	enum err waiting; /* for the key manager, and why; ERR_OK: it goes on */
	struct uid failed_keys[KEYSTORE_MIGRATION_FAILED_MAX];
	size_t failed_count;
	enum err err; /* of the last run */
};
void keystore_migration_status(
	const struct keystore *keystore, size_t i, struct keystore_migration_status *out);
/* Old keys that the second step would delete, as far as the cache knows; the first `max` by id. */
struct keystore_old_key {
	struct uid uid, key_id;
};
MUST_USE enum err keystore_old_keys(struct keystore *keystore, const struct instance_id *instance,
	struct keystore_old_key *out, size_t max, uint64_t *count);

/* For replication's reading of log and snapshot, and kmipctl's lists. */
struct cache *keystore_cache(struct keystore *keystore);

/* ---- status ---- */

struct keystore_instance_status {
	struct instance_id id;
	const char *name;
	const char *kind, *url, *root_key, *other_root_key, *key_ring; /* other: may be NULL */
	struct keymanager_health health;
	enum keymanager_root_state root, other_root;
	int64_t root_version; /* when its newest version was made, in seconds; 0: not known */
	const struct keymanager_meter *meter; /* NULL in a reader */
	bool counted_older;
	uint64_t older; /* keys whose cached form is of an older version, as counted last */
	bool listed; /* one complete listing and ledger read since start (design D8) */
	uint64_t objects_seen, unclaimed, ledger_records, ledger_waiting;
	bool rebuilt; /* the whole ring was seen in this life, and is in the cache */
	uint64_t listing_listed, listing_read; /* of the listing that runs, or ran last */
	uint64_t missing; /* not shown by the key manager any more (design D12) */
	uint64_t poll_good_ms; /* boot time at which the last good poll began; 0: none yet */
	uint64_t outage_since_ms; /* boot time; 0: the key manager answers */
	bool lacks_root; /* keys are wrapped with a root key that is not configured */
	uint64_t outages_ms, outages; /* of those that are over: time, number */
	bool refused; /* it refuses our credentials */
	bool vouched; /* the peer's lease or the key manager lets us answer from the cache */
};
size_t keystore_instance_count(const struct keystore *keystore);
void keystore_instance_status(
	const struct keystore *keystore, size_t i, struct keystore_instance_status *out);
const struct instance_id *keystore_instance_find(
	const struct keystore *keystore, const char *name_or_id);

/* kmipd --check and /readyz: wrap and unwrap, the role, the policies; one sentence per finding
 * through on_finding. */
MUST_USE enum err keystore_check_start(struct keystore_pending **out, struct keystore *keystore,
	size_t instance, void (*on_checked)(void *ctx, enum err err, const char *why), void *ctx);

#endif
