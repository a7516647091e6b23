/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/cache.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "keystore/cache_private.h"

enum {
	FOLDER_MODE = 0700,
	FILE_MODE = 0600,
	META_PAGES = 2, /* a data file begins with them */
	ASIDE_TRIES_MAX = 100,
};

static const char *const table_names[CACHE_TABLE_COUNT] = {
	[CACHE_STATE] = "state",
	[CACHE_OBJECT] = "object",
	[CACHE_CLIENT] = "client",
	[CACHE_LOG] = "log",
	[CACHE_FACT] = "fact",
	[CACHE_INTENT] = "intent",
	[CACHE_INDEX] = "index",
};

enum err cache_err(int code)
{
	switch (code) {
	case MDB_SUCCESS:
		return ERR_OK;
	case MDB_NOTFOUND:
		return ERR_MISS;
	case MDB_INVALID:
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_INCOMPATIBLE:
		return ERR_CORRUPT;
	case MDB_VERSION_MISMATCH:
		return ERR_VERSION;
	case MDB_MAP_FULL:
	case ENOSPC:
	case EDQUOT:
		return ERR_FULL;
	case MDB_READERS_FULL:
	case MDB_TXN_FULL:
		return ERR_LIMIT;
	case ENOMEM:
		return ERR_NOMEM;
	case EACCES:
	case EPERM:
	case EROFS:
		return ERR_DENIED;
	case ENOENT:
		return ERR_NOT_FOUND;
	default:
		return ERR_IO;
	}
}

MDB_val cache_val(struct slice slice)
{
	return (MDB_val){ .mv_size = slice.len, .mv_data = (void *) slice.data };
}

struct slice cache_slice(MDB_val value)
{
	return slice_of(value.mv_data, value.mv_size);
}

/* ---- opening ---- */

enum err cache_explain(char why[CACHE_WHY_MAX], enum err err, const char *what, const char *cause)
{
	(void) snprintf(why, CACHE_WHY_MAX, "%.190s: %.100s", what, cause);
	return err;
}

/* LMDB takes an empty file for a new one, and pages past the end for a crash. */
static enum err check_size(const char *folder, char why[CACHE_WHY_MAX])
{
	char path[PATH_MAX];
	struct stat info;

	if ((size_t) snprintf(path, sizeof(path), "%s/data.mdb", folder) >= sizeof(path))
		return cache_explain(why, ERR_CONFIG, "the cache folder", "its name is too long");
	if (stat(path, &info) != 0)
		return errno == ENOENT
			       ? ERR_OK
			       : cache_explain(why, cache_err(errno), path, strerror(errno));
	if (!S_ISREG(info.st_mode))
		return cache_explain(why, ERR_CORRUPT, path, "not a file");
	if (info.st_size < META_PAGES * sysconf(_SC_PAGESIZE))
		return cache_explain(why, ERR_CORRUPT, path, "cut short");
	return ERR_OK;
}

static enum err environment_new(struct cache *cache, const struct cache_options *options)
{
	enum err err;

	TRY(cache_err(mdb_env_create(&cache->env)));
	TRY(cache_err(mdb_env_set_mapsize(cache->env, options->map_bytes)));
	TRY(cache_err(mdb_env_set_maxreaders(cache->env, CACHE_READERS_MAX)));
	TRY(cache_err(mdb_env_set_maxdbs(cache->env, CACHE_TABLE_COUNT)));
out:
	return err;
}

/*
 * Default flags keep every commit durable. Transactions belong to objects here, not to threads; and
 * reads are at random, so that reading ahead would only push out what is of use.
 */
static enum err environment_open(
	struct cache *cache, const struct cache_options *options, char why[CACHE_WHY_MAX])
{
	unsigned flags = MDB_NOTLS | MDB_NORDAHEAD | (options->read_only ? MDB_RDONLY : 0);
	int code = mdb_env_open(cache->env, options->folder, flags, FILE_MODE);

	if (code == MDB_SUCCESS)
		code = mdb_env_get_fd(cache->env, &cache->fd);
	if (code == MDB_SUCCESS)
		return ERR_OK;
	return cache_explain(why, cache_err(code), options->folder, mdb_strerror(code));
}

off_t cache_used_bytes(const struct cache *cache)
{
	MDB_envinfo info;
	MDB_stat stat;

	ASSERT(mdb_env_info(cache->env, &info) == MDB_SUCCESS);
	ASSERT(mdb_env_stat(cache->env, &stat) == MDB_SUCCESS);
	return (off_t) (info.me_last_pgno + 1) * stat.ms_psize;
}

/* Pages past the end of the file would kill the process when they are read. */
static enum err check_length(const struct cache *cache, char why[CACHE_WHY_MAX])
{
	struct stat info;

	if (fstat(cache->fd, &info) != 0)
		return cache_explain(why, ERR_IO, "the cache file", strerror(errno));
	if (info.st_size < cache_used_bytes(cache))
		return cache_explain(why, ERR_CORRUPT, "the cache file", "cut short");
	return ERR_OK;
}

static enum err tables_open(struct cache *cache, MDB_txn *txn)
{
	unsigned flags = cache->read_only ? 0 : MDB_CREATE;
	enum err err = ERR_OK;

	for (int i = 0; i < CACHE_TABLE_COUNT; i++)
		TRY(cache_err(mdb_dbi_open(txn, table_names[i], flags, &cache->tables[i])));
out:
	return err;
}

static enum err check_format(struct cache_read *read)
{
	struct slice format;
	enum err err;

	TRY(cache_lookup(read, CACHE_STATE, SLICE_LITERAL("format"), &format));
	if (format.len != 4)
		err = ERR_CORRUPT;
	else if (be32_get(format.data) < CACHE_FORMAT_OLDEST ||
		 be32_get(format.data) > CACHE_FORMAT_VERSION)
		err = ERR_VERSION;
out:
	return err;
}

static enum err state_init(struct cache_write *write)
{
	uint8_t format[4];
	enum err err;

	be32_put(format, CACHE_FORMAT_VERSION);
	TRY(cache_store(
		write, CACHE_STATE, SLICE_LITERAL("format"), slice_of(format, sizeof(format))));
	TRY(cache_index_state_put(write, NULL, true));
	TRY(cache_new_incarnation(write));
	TRY(cache_log_save(write));
out:
	return err;
}

/* Nothing was ever written to it; a file that has lost a table's name is not that. */
static enum err is_fresh(struct cache *cache, MDB_txn *txn, bool *fresh)
{
	int code = mdb_dbi_open(txn, table_names[CACHE_STATE], 0, &cache->tables[CACHE_STATE]);
	MDB_stat names;
	MDB_dbi root;
	enum err err = ERR_OK;

	*fresh = code == MDB_NOTFOUND;
	if (!*fresh)
		return cache_err(code);
	TRY(cache_err(mdb_dbi_open(txn, NULL, 0, &root)));
	TRY(cache_err(mdb_stat(txn, root, &names)));
	err = names.ms_entries == 0 ? ERR_OK : ERR_CORRUPT;
out:
	return err;
}

/* A new file gets its format and incarnation in the transaction that makes its tables. */
static enum err state_open(struct cache *cache)
{
	struct cache_write write = { .cache = cache };
	struct cache_log_end end;
	bool fresh;
	enum err err;

	TRY(cache_err(
		mdb_txn_begin(cache->env, NULL, cache->read_only ? MDB_RDONLY : 0, &write.txn)));
	write.read = (struct cache_read){ .cache = cache, .txn = write.txn };
	TRY(is_fresh(cache, write.txn, &fresh));
	TRY(fresh && cache->read_only ? ERR_NOT_FOUND : ERR_OK);
	if (!fresh)
		TRY(check_format(&write.read));
	TRY(tables_open(cache, write.txn));
	if (fresh)
		TRY(state_init(&write));
	else
		TRY(cache_log_load(&write.read, &end));
	err = cache_err(mdb_txn_commit(write.txn));
	write.txn = NULL;
out:
	if (write.txn != NULL)
		mdb_txn_abort(write.txn);
	return err == ERR_MISS ? ERR_CORRUPT : err;
}

static enum err folder_make(const struct cache_options *options, char why[CACHE_WHY_MAX])
{
	enum err err = ERR_OK;

	if (!options->read_only)
		err = file_make_folder(options->folder, FOLDER_MODE);
	return err == ERR_OK ? ERR_OK : cache_explain(why, err, options->folder, err_text(err));
}

enum err cache_open(
	struct cache **out, const struct cache_options *options, char why[CACHE_WHY_MAX])
{
	struct cache *cache = calloc(1, sizeof(*cache));
	enum err err;

	*out = NULL;
	if (cache == NULL)
		return cache_explain(why, ERR_NOMEM, "the cache", err_text(ERR_NOMEM));
	why[0] = '\0';
	cache->read_only = options->read_only;
	cache->log_entries_max =
		options->log_entries_max == 0 ? CACHE_LOG_ENTRIES_MAX : options->log_entries_max;
	cache->terms = options->terms;
	TRY(crypt_hash_new(&cache->hash));
	TRY(folder_make(options, why));
	TRY(check_size(options->folder, why));
	TRY(cache_reserve_lock(options->folder, why));
	TRY(environment_new(cache, options));
	TRY(environment_open(cache, options, why));
	TRY(check_length(cache, why));
	TRY(state_open(cache));
	if (!cache->read_only)
		TRY(cache_reindex(cache, options));
	*out = cache;
	cache = NULL;
out:
	if (err != ERR_OK && why[0] == '\0')
		(void) cache_explain(why, err, options->folder, err_text(err));
	cache_close(cache);
	return err;
}

void cache_close(struct cache *cache)
{
	if (cache == NULL)
		return;
	if (cache->idle != NULL)
		mdb_txn_abort(cache->idle->txn);
	free(cache->idle);
	if (cache->env != NULL)
		mdb_env_close(cache->env);
	crypt_hash_free(cache->hash);
	free(cache);
}

/* A new folder inside of the old one: that is surely on the same disk and may surely be written. */
static enum err aside_make(const char *folder, char moved_to[CACHE_WHY_MAX])
{
	char date[RFC3339_TEXT_LEN + 1], suffix[16] = "";

	text_rfc3339_from(date, clock_wall_seconds());
	for (int i = 0; i < ASIDE_TRIES_MAX; i++) {
		int len;

		if (i > 0)
			(void) snprintf(suffix, sizeof(suffix), "-%d", i);
		len = snprintf(moved_to, CACHE_WHY_MAX, "%s/bad-%s%s", folder, date, suffix);
		if (len < 0 || len >= CACHE_WHY_MAX)
			return ERR_LIMIT;
		if (mkdir(moved_to, FOLDER_MODE) == 0)
			return ERR_OK;
		if (errno != EEXIST)
			return cache_err(errno);
	}
	return ERR_EXISTS;
}

static enum err aside_move(const char *folder, const char *moved_to, const char *file)
{
	char from[PATH_MAX], to[PATH_MAX];

	if ((size_t) snprintf(from, sizeof(from), "%s/%s", folder, file) >= sizeof(from) ||
		(size_t) snprintf(to, sizeof(to), "%s/%s", moved_to, file) >= sizeof(to))
		return ERR_LIMIT;
	return rename(from, to) == 0 || errno == ENOENT ? ERR_OK : cache_err(errno);
}

enum err cache_move_aside(const char *folder, char moved_to[CACHE_WHY_MAX])
{
	enum err err;

	TRY(aside_make(folder, moved_to));
	TRY(aside_move(folder, moved_to, "data.mdb"));
	TRY(aside_move(folder, moved_to, "lock.mdb"));
out:
	return err;
}

void cache_check_readers(struct cache *cache)
{
	int dead;

	/* Its only failure is that another process is at it just now. */
	(void) mdb_reader_check(cache->env, &dead);
}

/* ---- counting ---- */

enum err cache_count(struct cache_read *read, struct cache_counts *out)
{
	struct cache *cache = read->cache;
	uint64_t *const counts[CACHE_TABLE_COUNT] = { [CACHE_OBJECT] = &out->objects,
		[CACHE_CLIENT] = &out->clients,
		[CACHE_INTENT] = &out->intents,
		[CACHE_LOG] = &out->log_entries };
	MDB_envinfo info;
	MDB_stat stat;
	enum err err;

	*out = (struct cache_counts){ 0 };
	for (int i = 0; i < CACHE_TABLE_COUNT; i++) {
		if (counts[i] == NULL)
			continue;
		TRY(cache_err(mdb_stat(read->txn, cache->tables[i], &stat)));
		*counts[i] = stat.ms_entries;
	}
	TRY(cache_err(mdb_env_info(cache->env, &info)));
	out->bytes_used = (uint64_t) cache_used_bytes(cache);
	out->map_bytes = info.me_mapsize;
out:
	return err;
}
