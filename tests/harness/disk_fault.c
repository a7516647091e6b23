/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded into a node by tests: calls on the cache's data file fail as a file says that
 * DISK_FAULT names, with the one line "CALL ERRNO AFTER TIMES": after so many good ones, so many
 * fail (0: all from then on). Without the file, nothing fails. A changed line counts anew.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

enum { LINE_MAX_LEN = 64 };

static struct {
	char line[LINE_MAX_LEN]; /* what is in force */
	char call[16];
	int code;
	unsigned after, times, seen;
} fault;

/* The line that is in force now; empty: none. */
static void fault_read(char line[LINE_MAX_LEN])
{
	const char *path = getenv("DISK_FAULT");
	int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? 0 : read(fd, line, LINE_MAX_LEN - 1);

	line[len < 0 ? 0 : len] = '\0';
	if (fd >= 0)
		close(fd);
}

static bool is_data_file(int fd)
{
	char link[64], path[4096];
	ssize_t len;

	(void) snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, path, sizeof(path));
	return len >= 9 && memcmp(path + len - 9, "/data.mdb", 9) == 0;
}

/* errno is set when the call is to fail. */
static bool fails(const char *call, int fd)
{
	char line[LINE_MAX_LEN];

	if (!is_data_file(fd))
		return false;
	fault_read(line);
	if (strcmp(line, fault.line) != 0) {
		memset(&fault, 0, sizeof(fault));
		memcpy(fault.line, line, sizeof(line));
		if (sscanf(line, "%15s %d %u %u", fault.call, &fault.code, &fault.after,
			    &fault.times) != 4)
			fault.call[0] = '\0';
	}
	if (strcmp(call, fault.call) != 0)
		return false;
	fault.seen++;
	if (fault.seen <= fault.after ||
		(fault.times != 0 && fault.seen > fault.after + fault.times))
		return false;
	errno = fault.code;
	return true;
}

#define NEXT(name) ((__typeof__(&name)) dlsym(RTLD_NEXT, #name))

ssize_t writev(int fd, const struct iovec *parts, int count)
{
	return fails("writev", fd) ? -1 : NEXT(writev)(fd, parts, count);
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at)
{
	return fails("pwrite", fd) ? -1 : NEXT(pwrite)(fd, bytes, len, at);
}

int fdatasync(int fd)
{
	return fails("fdatasync", fd) ? -1 : NEXT(fdatasync)(fd);
}

int fallocate(int fd, int mode, off_t at, off_t len)
{
	return fails("fallocate", fd) ? -1 : NEXT(fallocate)(fd, mode, at, len);
}
