/* SPDX-License-Identifier: Apache-2.0 */
#include "base/listen.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/address.h"
#include "base/log.h"

enum {
	LISTEN_BACKLOG = 1024, /* the kernel cuts it at net.core.somaxconn */
	LISTEN_RETRY_MS = 100 /* after running out of descriptors */
};

struct listener {
	struct loop *loop;
	struct loop_io *io;
	struct loop_timer *retry;
	int fd; /* borrowed */
	bool paused;
	bool starved; /* waits for descriptors */
	void (*on_accept)(void *ctx, int fd, const char *remote);
	void *ctx;
};

static enum err listen_error(
	int number, const char *what, const char *address, char why[LISTEN_WHY_MAX])
{
	const char *reason = strerror(number);

	if (number == EADDRINUSE)
		reason = "it is in use by another process";
	else if (number == EACCES || number == EPERM)
		reason = "this user may not (ports below 1024 need CAP_NET_BIND_SERVICE)";
	else if (number == EADDRNOTAVAIL)
		reason = "this machine does not have that address";
	(void) snprintf(why, LISTEN_WHY_MAX, "cannot %s %.180s: %.80s", what, address, reason);
	return number == EADDRINUSE                  ? ERR_EXISTS
	       : number == EACCES || number == EPERM ? ERR_DENIED
						     : ERR_SYS;
}

enum err listen_tcp(int *out_fd, const char *address, char why[LISTEN_WHY_MAX])
{
	struct address found;
	int fd = -1, on = 1, number;
	enum err err = address_resolve(&found, address);

	*out_fd = -1;
	if (err != ERR_OK) {
		(void) snprintf(why, LISTEN_WHY_MAX, "\"%.180s\" is no address to listen at: %s",
			address, err == ERR_NOT_FOUND ? "the name is not known" : "want host:port");
		return err;
	}
	fd = socket(found.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
		bind(fd, (struct sockaddr *) &found.storage, found.len) != 0 ||
		listen(fd, LISTEN_BACKLOG) != 0) {
		number = errno;
		if (fd >= 0)
			(void) close(fd);
		return listen_error(number, "listen at", address, why);
	}
	*out_fd = fd;
	return ERR_OK;
}

/* Whether somebody answers behind the socket file. */
static bool unix_is_alive(const struct sockaddr_un *name)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool alive;

	if (fd < 0)
		return true;
	alive = connect(fd, (const struct sockaddr *) name, sizeof(*name)) == 0 || errno == EAGAIN;
	(void) close(fd);
	return alive;
}

/* Removes a socket file that nobody listens at; anything else stays and lets bind complain. */
static void unix_remove_dead(const struct sockaddr_un *name)
{
	struct stat found;

	if (lstat(name->sun_path, &found) == 0 && S_ISSOCK(found.st_mode) && !unix_is_alive(name))
		(void) unlink(name->sun_path);
}

enum err listen_unix(int *out_fd, const char *path, char why[LISTEN_WHY_MAX])
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int fd, number;

	*out_fd = -1;
	if (strlen(path) >= sizeof(name.sun_path))
		return listen_error(ENAMETOOLONG, "listen at", path, why);
	bytes_copy(name.sun_path, path, strlen(path));
	unix_remove_dead(&name);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	/* fchmod before bind: the file is born with the mode, without a moment of openness. */
	if (fd < 0 || fchmod(fd, 0600) != 0 ||
		bind(fd, (struct sockaddr *) &name, sizeof(name)) != 0 ||
		listen(fd, LISTEN_BACKLOG) != 0 || chmod(path, 0600) != 0) {
		number = errno;
		if (fd >= 0)
			(void) close(fd);
		return listen_error(number, "listen at", path, why);
	}
	*out_fd = fd;
	return ERR_OK;
}

uint64_t listen_lift_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return 0;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		(void) getrlimit(RLIMIT_NOFILE, &limit);
	return limit.rlim_cur;
}

static void listener_watch(struct listener *listener)
{
	bool accepting = !listener->paused && !listener->starved;

	loop_io_want(listener->io, accepting ? LOOP_READ : 0);
}

static void on_retry(void *ctx)
{
	struct listener *listener = ctx;

	listener->starved = false;
	listener_watch(listener);
}

static void accept_failed(struct listener *listener, int number)
{
	/* Another worker was quicker, or the client left: nothing happened. */
	if (number != EMFILE && number != ENFILE && number != ENOBUFS && number != ENOMEM)
		return;
	log_warning("accept-starved", "reason=%s retry_ms=%u",
		log_quoted(slice_text(strerror(number))), (unsigned) LISTEN_RETRY_MS);
	listener->starved = true;
	listener_watch(listener);
	loop_timer_set(listener->retry, LISTEN_RETRY_MS);
}

/* One at a time: the workers that share the socket get their turn, and the callback may free us. */
static void on_connection(void *ctx, unsigned events)
{
	struct listener *listener = ctx;
	char remote[ADDRESS_TEXT_MAX];
	int on = 1;
	int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void) events;
	if (fd < 0) {
		accept_failed(listener, errno);
		return;
	}
	/* Fails for a UNIX socket, which has nothing to delay. */
	(void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	address_of_peer(remote, fd);
	listener->on_accept(listener->ctx, fd, remote);
}

enum err listener_new(struct listener **out, struct loop *loop, int fd,
	void (*on_accept)(void *ctx, int fd, const char *remote), void *ctx)
{
	struct listener *listener = calloc(1, sizeof(*listener));
	enum err err;

	*out = NULL;
	if (listener == NULL)
		return ERR_NOMEM;
	*listener = (struct listener){ .loop = loop, .fd = fd, .on_accept = on_accept, .ctx = ctx };
	TRY(loop_io_new(&listener->io, loop, fd, on_connection, listener));
	TRY(loop_timer_new(&listener->retry, loop, on_retry, listener));
	listener_watch(listener);
	*out = listener;
	listener = NULL;
out:
	listener_free(listener);
	return err;
}

void listener_pause(struct listener *listener, bool paused)
{
	listener->paused = paused;
	listener_watch(listener);
}

void listener_free(struct listener *listener)
{
	if (listener == NULL)
		return;
	loop_io_free(listener->io);
	loop_timer_free(listener->retry);
	free(listener);
}
