/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room on the disk, taken before it is needed: a commit that meets a full disk ends the keeper, and
 * a map over a hole that cannot be filled ends any process that writes to it.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include "keystore/cache_private.h"

enum {
	LOCK_BYTES = 16384, /* more than LMDB takes for CACHE_READERS_MAX */
	LOCK_MODE = 0600,
	ROOM_FOR_A_COMMIT = 1 << 20,
};

static bool cannot_reserve(int code)
{
	return code == EOPNOTSUPP || code == ENOSYS;
}

static enum err is_free(int fd, size_t bytes)
{
	struct statvfs disk;

	if (fstatvfs(fd, &disk) != 0)
		return ERR_IO;
	return (uint64_t) disk.f_bavail * disk.f_frsize >= bytes ? ERR_OK : ERR_FULL;
}

enum err cache_reserve(struct cache *cache, size_t bytes)
{
	off_t used = cache_used_bytes(cache);
	MDB_envinfo info;
	size_t left;

	ASSERT(!cache->read_only);
	ASSERT(mdb_env_info(cache->env, &info) == MDB_SUCCESS);
	left = info.me_mapsize - (size_t) used;
	bytes = bytes < left ? bytes : left;
	/* The length stays, since it tells a file that was cut short. */
	if (bytes == 0 || fallocate(cache->fd, FALLOC_FL_KEEP_SIZE, used, (off_t) bytes) == 0)
		return ERR_OK;
	return cannot_reserve(errno) ? is_free(cache->fd, bytes) : cache_err(errno);
}

/* A write that the disk has only half the room for is told as a short one. */
enum err cache_blame_disk(const struct cache *cache, enum err err)
{
	return err == ERR_IO && is_free(cache->fd, ROOM_FOR_A_COMMIT) == ERR_FULL ? ERR_FULL : err;
}

/* On a disk that may not be written, LMDB does without the file. */
enum err cache_reserve_lock(const char *folder, char why[CACHE_WHY_MAX])
{
	char path[PATH_MAX];
	enum err err = ERR_OK;
	int fd;

	if ((size_t) snprintf(path, sizeof(path), "%s/lock.mdb", folder) >= sizeof(path))
		return cache_explain(why, ERR_CONFIG, "the cache folder", "its name is too long");
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, LOCK_MODE);
	if (fd < 0)
		return errno == ENOSPC ? cache_explain(why, ERR_FULL, path, strerror(errno))
				       : ERR_OK;
	if (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, LOCK_BYTES) != 0 && !cannot_reserve(errno))
		err = cache_explain(why, cache_err(errno), path, strerror(errno));
	close(fd);
	return err;
}
