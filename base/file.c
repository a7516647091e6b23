/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/rand.h"

enum { FILE_READ_LEN = 8192 };

static enum err err_of_errno(void)
{
	switch (errno) {
	case ENOENT:
	case ENOTDIR:
		return ERR_NOT_FOUND;
	case EACCES:
	case EPERM:
	case EROFS:
		return ERR_DENIED;
	case ENOSPC:
	case EDQUOT:
		return ERR_FULL;
	case ENOMEM:
		return ERR_NOMEM;
	default:
		return ERR_IO;
	}
}

static ssize_t read_some(int fd, void *to, size_t len)
{
	ssize_t got;

	do
		got = read(fd, to, len);
	while (got < 0 && errno == EINTR);
	return got;
}

/* Until the end of the file; a full buf is a limit only if there is one byte more. */
static enum err read_all(struct buf *out, int fd)
{
	enum err err = ERR_OK;
	ssize_t got = 1;

	while (got > 0) {
		size_t room = buf_room(out);
		uint8_t beyond, *to = &beyond;

		if (room > 0)
			TRY(buf_reserve(out, room < FILE_READ_LEN ? room : FILE_READ_LEN, &to));
		got = read_some(fd, to,
			room == 0              ? 1
			: room < FILE_READ_LEN ? room
					       : FILE_READ_LEN);
		if (got < 0)
			err = err_of_errno();
		else if (got > 0 && room == 0)
			err = ERR_LIMIT;
		TRY(err);
		if (got > 0)
			buf_commit(out, (size_t) got);
	}
out:
	return err;
}

enum err file_read(struct buf *out, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	enum err err;

	if (fd < 0)
		return err_of_errno();
	err = read_all(out, fd);
	(void) close(fd);
	return err;
}

static enum err write_all(int fd, struct slice bytes)
{
	while (bytes.len > 0) {
		ssize_t written = write(fd, bytes.data, bytes.len);

		if (written < 0 && errno != EINTR)
			return err_of_errno();
		if (written > 0)
			bytes = slice_cut(bytes, (size_t) written, SIZE_MAX);
	}
	return ERR_OK;
}

/* Makes the rename of a file in this folder survive a power failure. */
static enum err sync_folder_of(const char *path)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(path, '/');
	enum err err = ERR_OK;
	int fd, len;

	if (slash == NULL)
		len = snprintf(folder, sizeof(folder), ".");
	else
		len = snprintf(folder, sizeof(folder), "%.*s",
			slash == path ? 1 : (int) (slash - path), path);
	ASSERT(len > 0 && (size_t) len < sizeof(folder));
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_of_errno();
	if (fsync(fd) != 0)
		err = err_of_errno();
	(void) close(fd);
	return err;
}

static enum err write_synced(const char *path, struct slice bytes, unsigned mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, (mode_t) mode);
	enum err err;

	if (fd < 0)
		return err_of_errno();
	/* The mode was asked for; the umask of whoever started us was not. */
	TRY(fchmod(fd, (mode_t) mode) != 0 ? err_of_errno() : ERR_OK);
	TRY(write_all(fd, bytes));
	TRY(fsync(fd) != 0 ? err_of_errno() : ERR_OK);
out:
	if (close(fd) != 0 && err == ERR_OK)
		err = err_of_errno();
	return err;
}

enum err file_write_atomic(const char *path, struct slice bytes, unsigned mode)
{
	char temporary[PATH_MAX];
	int len = snprintf(temporary, sizeof(temporary), "%s.%016llx.tmp", path,
		(unsigned long long) rand_u64());
	enum err err;

	if (len < 0 || (size_t) len >= sizeof(temporary))
		return ERR_LIMIT;
	TRY(write_synced(temporary, bytes, mode));
	TRY(rename(temporary, path) != 0 ? err_of_errno() : ERR_OK);
	TRY(sync_folder_of(path));
	return ERR_OK;
out:
	(void) unlink(temporary);
	return err;
}

enum err file_is_private(const char *path, bool *out)
{
	struct stat found;

	if (stat(path, &found) != 0)
		return err_of_errno();
	mode_t of_others = found.st_uid == 0 ? S_IWGRP | S_IXGRP | S_IRWXO : S_IRWXG | S_IRWXO;
	*out = (found.st_mode & of_others) == 0;
	return ERR_OK;
}

enum err file_make_folder(const char *path, unsigned mode)
{
	struct stat found;

	if (mkdir(path, (mode_t) mode) == 0)
		return ERR_OK;
	if (errno != EEXIST)
		return err_of_errno();
	if (stat(path, &found) != 0)
		return err_of_errno();
	return S_ISDIR(found.st_mode) ? ERR_OK : ERR_EXISTS;
}
