/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All that the emulated instance holds: keys by id and alias, key rings, instance policies, the
 * clock. Memory answers reads; every change is committed to the store before the call returns.
 */
#ifndef EMULATOR_WORLD_H
#define EMULATOR_WORLD_H

#include <cjson/cJSON.h>

#include "tests/emulator/key.h"
#include "tests/emulator/store.h"
#include "tests/emulator/timeline.h"
#include "tests/emulator/vault.h"

#define WORLD_RING_DEFAULT "default"
#define WORLD_ACCOUNT "819bdf4436ef4c198fdf4f0b81d53116"

/* Standard, single tenant, and the retired service with the same API. */
enum world_service { WORLD_STANDARD, WORLD_DEDICATED, WORLD_HPCS };

struct world {
	enum world_service service;
	struct store *store;
	struct vault *vault;
	struct timeline timeline;
	struct knobs knobs;
	char instance[UUID_TEXT_LEN + 1];
	char crn_prefix[256];
	void *keys_by_id; /* tsearch trees of struct key and of alias entries */
	void *keys_by_alias;
	size_t key_count;
	size_t alias_count;
	cJSON *rings; /* object: ring id -> {creationDate, createdBy} */
	cJSON *policies; /* object: policy type -> policy resource */
	cJSON *adapters; /* object: id -> KMIP adapter with its certificates */
	cJSON *import_token; /* as served, with its private key; NULL: none */
};

struct world_options {
	const char *folder;
	const char *instance; /* NULL: the one that the folder remembers, or a new one */
	const char *region;
	enum world_service service;
};
MUST_USE enum err world_new(struct world **out, const struct world_options *options);
void world_free(struct world *world);

int64_t world_now(const struct world *world);
struct key_context world_context(const struct world *world);

struct key *world_key_by_id(const struct world *world, const char *id);
struct key *world_key_by_alias(struct world *world, const char *alias);
/* By id, then by alias. */
struct key *world_key(struct world *world, const char *id_or_alias);
/* Forgets the key's aliases whose end has come. */
void world_reap_aliases(struct world *world, struct key *key);
/* All keys in order of their ids; an array of key_count, owned by the caller. */
struct key **world_keys(const struct world *world);

/* Takes the key over, with its aliases, and commits. */
void world_add_key(struct world *world, struct key *key);
/* Commits the key's present form. Aliases are changed by the two calls below. */
void world_save_key(struct world *world, struct key *key);
void world_add_alias(struct world *world, struct key *key, const char *alias, const char *by);
/* The alias must be the key's. While knobs.alias_lag_s runs, it goes on answering. */
void world_drop_alias(struct world *world, struct key *key, const char *alias);
/* Purge: the key and its aliases are gone, and freed. */
void world_drop_key(struct world *world, struct key *key);

bool world_has_ring(const struct world *world, const char *ring);
void world_add_ring(struct world *world, const char *ring, const char *by);
/* Keys left in it move to the default ring, in the same transaction. */
void world_drop_ring(struct world *world, const char *ring);
/* Takes the resource over. */
void world_set_policy(struct world *world, const char *type, cJSON *resource);
/* These two take the object over. */
void world_set_import_token(struct world *world, cJSON *token);
void world_set_adapter(struct world *world, cJSON *adapter);
/* Commits what was changed in one of world->adapters. */
void world_save_adapter(struct world *world, const cJSON *adapter);
void world_drop_adapter(struct world *world, const char *id);
void world_save_clock(struct world *world);

#endif
