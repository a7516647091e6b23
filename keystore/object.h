/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A managed object as both nodes hold it (design D5, D6): identity, wrapped material, one-way
 * life-cycle flags, dates, attribute registers. Values of attributes are opaque bytes here (kmip/
 * gives them meaning). Everything that a struct object points to lives in the arena that it was
 * decoded into or built in.
 */
#ifndef KEYSTORE_OBJECT_H
#define KEYSTORE_OBJECT_H

#include "base/arena.h"
#include "keystore/ids.h"
#include "keystore/stamp.h"

enum {
	OBJECT_ATTRIBUTES_BYTES_MAX = 6000, /* design D10: all live attributes, encoded */
	OBJECT_ATTRIBUTES_MAX = 512, /* registers that one node makes, tombstones included */
	OBJECT_REGISTERS_BYTES_MAX =
		20000, /* and their stored size: the union of two nodes' still fits a record */
	OBJECT_ATTRIBUTES_MERGED_MAX = 2048, /* what a record may hold after merges */
	OBJECT_NAME_LEN_MAX = 255,
	OBJECT_MATERIAL_LEN_MAX = 7000, /* what still fits one standard key's payload, sealed */
	OBJECT_CIPHERTEXT_LEN_MAX = 16384,
};

enum object_life { OBJECT_PRE_ACTIVE, OBJECT_ACTIVE, OBJECT_DEACTIVATED };

/* Dates of events: the earliest wins in a merge. 0: has not happened. Seconds since 1970. */
enum object_date {
	OBJECT_DATE_INITIAL,
	OBJECT_DATE_ACTIVATED,
	OBJECT_DATE_DEACTIVATED,
	OBJECT_DATE_COMPROMISED,
	OBJECT_DATE_COMPROMISE_OCCURRED,
	OBJECT_DATE_DESTROYED,
	OBJECT_DATE_COUNT
};

/*
 * One attribute instance: a last-writer-wins register with tombstone. Identity: name and `added`
 * (the stamp of the write that made this instance; all zero for attributes that can have one
 * instance only). `index` is the KMIP Attribute Index that the adder chose; object_attribute_index
 * says what a client sees when two nodes chose the same one.
 */
struct object_attribute {
	struct slice name; /* as on the wire in KMIP 1.x */
	struct stamp added;
	uint32_t index;
	struct slice value; /* encoded; empty when deleted */
	struct stamp written;
	bool deleted;
};

/* The current wrapped form of the material: a register ordered by CRK version, then stamp
 * (design D6, D14). */
struct object_wrapped {
	struct slice ciphertext; /* what the key manager's unwrap takes; of the material, or of the
				    one-time key */
	struct slice sealed; /* material too long to be wrapped at once: AES-256-GCM under the
				one-time key; else empty */
	uint8_t nonce[16]; /* the record nonce that is part of the AAD (design D9) */
	int64_t version_label; /* of the CRK version (root_versions.h), 0 when unknown */
	struct stamp written;
};

/*
 * What merge makes of it (record_merge): identity fields that are set on both sides and differ
 * quarantine the object; the wrapped form belongs to its epoch and envelope hash, so a greater
 * epoch or the smaller hash brings its own, and a dead object has none.
 */
struct object {
	struct uid uid;
	struct uid key_id; /* the standard key that holds it now; equals uid but after a migration
			      (design D8) */
	struct stamp moved; /* orders key_id; zero before a migration, else object_moved_at of the
			       key that key_id names, so that all nodes agree */
	struct instance_id instance;
	uint32_t type; /* KMIP Object Type */
	uint32_t format; /* KMIP Key Format Type in which the material's bytes are to be read */
	bool has_material; /* false: only a tombstone is known */
	uint8_t envelope_hash[32]; /* SHA-256 of the original envelope of the key that key_id names;
				      never changes (design D6) */
	struct object_wrapped wrapped;

	enum object_life life;
	bool compromised;
	bool dead;
	uint64_t dead_epoch; /* 2 * deletion date + (deleted ? 0 : 1) of the key manager's record
				(design D6) */
	bool unclaimed; /* not made through this cluster's intents, or its answer never went out
			   (design D12). One-way: a merge keeps it only if both sides say so, hence
			   a record that does not know (a tombstone for a key never seen) says true
			 */
	bool quarantined; /* two records disagreed on an identity field: not served until read again
			   */
	bool disputed; /* likewise, on envelope_hash; of the key that key_id names */
	int64_t dates[OBJECT_DATE_COUNT];
	int64_t last_change; /* the latest wins; after the initial date once an attribute was
				changed, whatever the clock said; given.h apart */
	struct object_attribute *attributes; /* sorted by name, then added */
	size_t attribute_count;
};

/* Puts a wrapped form in the place of the one that it was made of (design D14). Nothing is done
 * when the object's own is of another sealing by now. */
void object_renew_wrapped(struct object *object, const struct object_wrapped *renewed);

/* KMIP State, as numbered by the specification (kmip/ checks the equality with its table). */
enum object_state {
	OBJECT_STATE_PRE_ACTIVE = 1,
	OBJECT_STATE_ACTIVE = 2,
	OBJECT_STATE_DEACTIVATED = 3,
	OBJECT_STATE_COMPROMISED = 4,
	OBJECT_STATE_DESTROYED = 5,
	OBJECT_STATE_DESTROYED_COMPROMISED = 6,
};

/* Dates that a client scheduled by attribute; 0 = none. kmip/ extracts them, since their encoding
 * is its business. */
struct object_schedule {
	int64_t activation;
	int64_t deactivation;
};

/* From flags, event dates, and schedule at `now` (seconds). */
enum object_state object_state(
	const struct object *object, const struct object_schedule *schedule, int64_t now);

/* Design D6: 2 * deletion date + (deleted ? 0 : 1) of the key manager's record; 0 when it has no
 * deletion date. */
uint64_t object_epoch_of(int64_t deletion_date, bool deleted);
bool object_epoch_is_dead(uint64_t epoch);

bool object_is_quarantined(const struct object *object);

/* Does a key with an id of its own hold it, after a migration (design D8)? */
bool object_is_moved(const struct object *object);
/* `moved` for a key that was created then. Its lowest bit is set once the keys before it may go:
 * until then the end of one of them is the object's end. */
struct stamp object_moved_at(int64_t created);
/* When the key was created that `moved` is for; 0: not moved. */
int64_t object_moved_date(const struct object *object);
/* Would the end of the key of its own uid, deleted then, be its end, though another one holds it?
 * One that was gone before that one was made was let go in an earlier migration. */
bool object_ends_with_old(const struct object *object, int64_t deletion);
bool object_is_let_go(const struct object *object);
void object_let_go(struct object *object);
/* Which of two records names the key that counts; the lowest bit apart. 0: the same key. */
int object_key_compare(const struct object *a, const struct object *b);

/* The live instance with that name and visible index; NULL when there is none. Borrowed. */
const struct object_attribute *object_attribute_find(
	const struct object *object, struct slice name, uint32_t index);
/* The visible index: live instances of one name in the order of `added` keep their own index where
 * it is free, else get the next free one (past 4095: the first free one). Deterministic, so both
 * nodes agree. */
uint32_t object_attribute_index(
	const struct object *object, const struct object_attribute *attribute);
/* Sum of name and value lengths of the live instances: the measure of OBJECT_ATTRIBUTES_BYTES_MAX.
 * What the nodes note of its use (usage.h, given.h) takes none of the clients' room. */
size_t object_attributes_bytes(const struct object *object);

/* What an operation wants changed. Applied inside the write transaction to whatever the record then
 * is. */
enum object_edit_kind {
	OBJECT_EDIT_SET, /* single-instance attribute, or the instance added then: set or overwrite
			  */
	OBJECT_EDIT_ADD, /* new instance of a multi-instance attribute; its index is chosen when
			    applied */
	OBJECT_EDIT_MODIFY, /* the instance visible at `index`; ERR_NOT_FOUND when it is gone */
	OBJECT_EDIT_DELETE, /* likewise */
};
struct object_edit {
	enum object_edit_kind kind;
	struct slice name;
	uint32_t index;
	struct stamp added; /* of OBJECT_EDIT_SET; zero for attributes of one instance */
	struct slice value;
};
struct object_change {
	bool activate, deactivate, compromise, destroy; /* flags to raise */
	bool claim; /* clears `unclaimed` */
	int64_t dates[OBJECT_DATE_COUNT]; /* to set where not yet set; 0: leave */
	int64_t now; /* becomes last_change, if that is later */
	const struct object_edit *edits;
	size_t edit_count;
};
/*
 * Atomic: on an error the object is as before. ERR_LIMIT: attributes too long or too many (design
 * D10), unless the change makes them fewer. *added_index (may be NULL): the visible index of the
 * last OBJECT_EDIT_ADD. Names and values are copied into the arena. A write always beats the
 * register that it saw, even one stamped by a clock ahead of ours. `destroy` on a live object takes
 * its epoch from dates[OBJECT_DATE_DESTROYED] of the change (the key manager's date where known),
 * else from now.
 */
MUST_USE enum err object_apply(struct object *object, struct arena *arena,
	const struct object_change *change, struct stamp stamp, uint32_t *added_index);

#endif
