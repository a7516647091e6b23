/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/emulator/store.h"

#include <errno.h>
#include <lmdb.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#define STORE_BYTES_MAX ((size_t) 4 << 30)

struct store {
	MDB_env *env;
	MDB_dbi dbi;
	MDB_txn *txn; /* open between begin and commit */
};

static void store_must(int code, const char *what)
{
	if (code == MDB_SUCCESS)
		return;
	log_error(
		"store-failed", "what=%s why=%s", what, log_quoted(slice_text(mdb_strerror(code))));
	_Exit(1);
}

static int store_open(struct store *store, const char *folder)
{
	MDB_txn *txn = NULL;
	int code = mdb_env_create(&store->env);

	if (code == MDB_SUCCESS)
		code = mdb_env_set_mapsize(store->env, STORE_BYTES_MAX);
	if (code == MDB_SUCCESS)
		code = mdb_env_open(store->env, folder, 0, 0600);
	if (code == MDB_SUCCESS)
		code = mdb_txn_begin(store->env, NULL, 0, &txn);
	if (code == MDB_SUCCESS)
		code = mdb_dbi_open(txn, NULL, 0, &store->dbi);
	if (txn != NULL && code == MDB_SUCCESS)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return code;
}

enum err store_new(struct store **out, const char *folder)
{
	struct store *store = calloc(1, sizeof(*store));

	if (store == NULL)
		return ERR_NOMEM;
	int code = store_open(store, folder);
	if (code != MDB_SUCCESS) {
		log_error("store-failed", "what=open folder=%s why=%s",
			log_quoted(slice_text(folder)), log_quoted(slice_text(mdb_strerror(code))));
		store_free(store);
		return ERR_IO;
	}
	*out = store;
	return ERR_OK;
}

void store_free(struct store *store)
{
	if (store == NULL)
		return;
	if (store->env != NULL)
		mdb_env_close(store->env);
	free(store);
}

static MDB_val store_name(const char *name)
{
	return (MDB_val){ .mv_size = strlen(name), .mv_data = (void *) (uintptr_t) name };
}

static bool store_visit_one(
	const char *prefix, MDB_val name, MDB_val value, store_visit *visit, void *ctx)
{
	size_t prefix_len = strlen(prefix);

	if (name.mv_size < prefix_len || strncmp(name.mv_data, prefix, prefix_len) != 0)
		return false;
	char *text = strndup(name.mv_data, name.mv_size);
	cJSON *document = cJSON_ParseWithLength(value.mv_data, value.mv_size);
	if (text == NULL || document == NULL)
		store_must(MDB_CORRUPTED, "read");
	visit(ctx, text, document);
	cJSON_Delete(document);
	free(text);
	return true;
}

void store_each(struct store *store, const char *prefix, store_visit *visit, void *ctx)
{
	MDB_txn *txn = NULL;
	MDB_cursor *cursor = NULL;
	MDB_val name = store_name(prefix);
	MDB_val value = { 0 };

	store_must(mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn), "read");
	store_must(mdb_cursor_open(txn, store->dbi, &cursor), "read");
	int code = mdb_cursor_get(cursor, &name, &value, MDB_SET_RANGE);
	while (code == MDB_SUCCESS && store_visit_one(prefix, name, value, visit, ctx))
		code = mdb_cursor_get(cursor, &name, &value, MDB_NEXT);
	mdb_cursor_close(cursor);
	mdb_txn_abort(txn);
}

void store_begin(struct store *store)
{
	ASSERT(store->txn == NULL);
	store_must(mdb_txn_begin(store->env, NULL, 0, &store->txn), "begin");
}

void store_put(struct store *store, const char *name, const cJSON *document)
{
	char *text = cJSON_PrintUnformatted(document);

	if (text == NULL)
		store_must(ENOMEM, "put");
	MDB_val key = store_name(name);
	MDB_val value = { .mv_size = strlen(text), .mv_data = text };
	store_must(mdb_put(store->txn, store->dbi, &key, &value, 0), "put");
	cJSON_free(text);
}

void store_drop(struct store *store, const char *name)
{
	MDB_val key = store_name(name);
	int code = mdb_del(store->txn, store->dbi, &key, NULL);

	store_must(code == MDB_NOTFOUND ? MDB_SUCCESS : code, "drop");
}

void store_commit(struct store *store)
{
	store_must(mdb_txn_commit(store->txn), "commit");
	store->txn = NULL;
}
