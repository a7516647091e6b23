/* SPDX-License-Identifier: Apache-2.0 */
/* One tenant (design D23) as the flows see it: its key manager and what is known of it. */
#ifndef KEYSTORE_INSTANCE_H
#define KEYSTORE_INSTANCE_H

#include "keystore/keystore_private.h"
#include "keystore/root_versions.h"

struct background;
struct keep_warm;
struct ledger;
struct ledger_care;
struct rewrap;
struct survey;
struct migration;

enum { INSTANCE_ROOT_LEN = 256 };

/* What is known of a root key. */
struct instance_crk {
	enum keymanager_root_state state;
	struct root_versions versions; /* as far as it told of them */
	uint64_t heard_ms; /* boot time at which the last look that was answered began */
	enum err err; /* of the last look */
	struct uid id; /* zero: not known */
};

struct instance {
	struct keystore *keystore;
	struct instance_id id;
	struct arena *arena; /* of the option texts */
	const char *name;
	struct keymanager_options options;
	struct keymanager *keymanager; /* NULL in a reader */
	struct background *background; /* NULL in a reader, and before keystore_start */
	struct ledger *ledger; /* NULL in a reader */
	struct ledger_care *care; /* likewise */
	struct rewrap *rewrap; /* likewise */
	struct survey *survey; /* likewise */
	struct migration *migration; /* likewise */
	struct keep_warm *keep_warm; /* likewise */

	char root_key[INSTANCE_ROOT_LEN], other_root_key[INSTANCE_ROOT_LEN]; /* of the options */
	struct instance_crk crks[KEYMANAGER_CRK_COUNT];
	bool lacks_root; /* keys are wrapped with a root key that the configuration does not name */
	bool listed; /* one complete listing and ledger read since start (design D8) */
	bool ledger_known; /* read in this or an earlier life (design D11) */
	bool ledger_waited; /* it cannot be read soon in this life */
	int64_t ledger_at; /* by the wall clock: all ledger records that were there then are read */
	bool prepared; /* the key ring is there and can be listed */
	bool rebuilt; /* the whole ring was seen in this life */
	struct current *waiting; /* requests for which a poll is to say that the cache is current */
	uint64_t poll_good_ms; /* boot time at which the last good poll began; 0: none yet */
	uint64_t outages_ms, outages; /* that are over */
	uint64_t outage_since_ms; /* boot time; 0: the key manager answers (design D13) */
	bool refused; /* it answers, and refuses our credentials */
	bool behind; /* the cache lacks what it told: the last poll failed for a reason of ours */
	uint64_t objects_seen, unclaimed, ledger_records;
	/* Of the listing of the whole ring that runs, or ran last: keys listed, of them read. */
	uint64_t listing_listed, listing_read;
};

MUST_USE enum err instance_new(struct instance **out, struct keystore *keystore,
	const struct keystore_instance_options *options, char why[300]);
void instance_free(struct instance *instance);
/* Copies the names of the root keys; NULL: none (roots.c). */
MUST_USE enum err instance_keep_roots(
	struct instance *instance, const char *root_key, const char *other_root_key);
/*
 * What calls to the key manager say of it, with one log line for each change. An outage (design
 * D13) is no answer, or a 429 to a poll; a 429 to another call only while the polls fail too. A
 * refusal is none: it means that somebody took our rights away; a good poll ends it.
 */
void instance_note_good(struct instance *instance, bool is_poll);
void instance_note_failed(struct instance *instance, enum err err, bool is_poll);
bool instance_is_outage(const struct instance *instance, enum err err, bool is_poll);
/*
 * A poll whose result could not be stored is no outage: what the cache says may be known to be
 * wrong. Nobody vouches for it until a good poll, nor is there a grace; each Get asks the key
 * manager.
 */
bool instance_is_ours(const struct instance *instance, enum err err);
void instance_set_behind(struct instance *instance, enum err err);
/* Resident copies may be served in an outage: outage-grace counts from the last good poll, too. */
bool instance_in_grace(const struct instance *instance);
/* What the ledger says that is not read yet was updated since then; 0: it may be anything. */
int64_t instance_ledger_since(const struct instance *instance);
uint64_t instance_missing(const struct instance *instance);
/* Not known to be disabled or deleted. */
bool instance_root_is_usable(const struct instance *instance, enum keymanager_crk crk);
/* The label (root_versions.h) of what the version of the root key with that id wraps; 0: not known
 * yet, and the key manager is asked. */
int64_t instance_version_label(
	struct instance *instance, enum keymanager_crk crk, struct slice key_version);
/* Is a form with that label of the newest version of its root key? Not known to be older, where the
 * newest is not known. */
bool instance_wraps_newest(const struct instance *instance, int64_t version_label);
bool instance_knows_newest(const struct instance *instance);
/* After each look at a root key. */
void instance_on_root(struct instance *instance, bool is_rotated);
/* It does not wrap. Disabled and deleted ones do not, nor do expired ones, which still unwrap: its
 * state is asked for now (at most once a second). */
void instance_doubt_root(struct instance *instance, enum keymanager_crk crk);
/* The root key may not be used: nothing that it may have wrapped stays unwrapped (design D13). */
void instance_close_root(
	struct instance *instance, enum keymanager_crk crk, enum keymanager_root_state state);

/* Facts by name: "ledger-key-<id>" once a ledger record was merged, "ledger-read-<instance>" once
 * all were. */
enum { INSTANCE_FACT_LEN = 64 };
void instance_fact_record(char out[INSTANCE_FACT_LEN], const struct uid *key_id);
void instance_fact_read(char out[INSTANCE_FACT_LEN], const struct instance_id *id);

#endif
