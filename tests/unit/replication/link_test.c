/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two links over real TLS on the loopback, without what speaks over them: how a connection is
 * proved, renewed under new certificates without a gap, and kept from strangers.
 */
#include "replication/link.h"
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <string.h>
#include <sys/socket.h>
#include "base/clock.h"
#include "base/crypt.h"
#include "base/listen.h"
#include "replication/wire.h"
#include "tests/unit/base/identity.h"

enum { DIALS, LISTENS, DEADLINE_MS = 15000, POLL_MS = 2 };

struct side {
	struct link *link;
	struct identity identity, next; /* what it is, and what it renews to */
	char pins[128]; /* the file of what it accepts */
	bool silent; /* does not speak when the link is up */
	unsigned ups, downs, frames;
};

static struct loop *loop;
static struct side sides[2];
static char address[32];

/* ---- waiting ---- */

struct wait {
	bool (*met)(void);
	uint64_t until_ms;
	struct loop_timer *timer;
};

static void wait_on_fire(void *ctx)
{
	struct wait *wait = ctx;

	if (wait->met() || clock_boot_ms() > wait->until_ms)
		loop_stop(loop);
	else
		loop_timer_set(wait->timer, POLL_MS);
}

static bool wait_for(bool (*met)(void))
{
	struct wait wait = { met, clock_boot_ms() + DEADLINE_MS, NULL };

	cr_assert_eq(loop_timer_new(&wait.timer, loop, wait_on_fire, &wait), ERR_OK);
	loop_timer_set(wait.timer, POLL_MS);
	cr_assert_eq(loop_run(loop), ERR_OK);
	loop_timer_free(wait.timer);
	return met();
}

static bool both_are_up(void)
{
	return sides[DIALS].frames > 0 && sides[LISTENS].frames > 0 && link_is_up(sides[0].link) &&
	       link_is_up(sides[1].link);
}

static bool both_were_renewed(void)
{
	return both_are_up() && sides[DIALS].ups == 2 && sides[LISTENS].ups == 2;
}

static bool dialler_is_told(void)
{
	return link_failure(sides[DIALS].link)[0] != '\0';
}

static bool listener_is_told(void)
{
	return link_failure(sides[LISTENS].link)[0] != '\0';
}

static bool both_are_down(void)
{
	return !link_is_up(sides[0].link) && !link_is_up(sides[1].link);
}

/* ---- sides ---- */

static void on_nothing(void *ctx)
{
	(void) ctx;
}

static void on_up(void *ctx)
{
	struct side *side = ctx;
	static const uint8_t frame[] = { 0, 0, 0, 8, WIRE_PING, 0, 0, 0, 0, 0, 0, 0, 1 };

	side->ups++;
	if (!side->silent)
		cr_assert_eq(link_send(side->link, slice_of(frame, sizeof(frame))), ERR_OK);
}

static void on_frame(void *ctx, uint8_t type, struct slice body)
{
	(void) body;
	cr_assert_eq(type, WIRE_PING);
	((struct side *) ctx)->frames++;
}

static void on_down(void *ctx, const char *why)
{
	(void) why;
	((struct side *) ctx)->downs++;
}

static void choose_address(void)
{
	struct sockaddr_in any = { .sin_family = AF_INET };
	socklen_t len = sizeof(any);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	cr_assert_eq(bind(fd, (struct sockaddr *) &any, len), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *) &any, &len), 0);
	(void) close(fd);
	(void) snprintf(address, sizeof(address), "127.0.0.1:%u", ntohs(any.sin_port));
}

/* What this side accepts: each of the certificates. */
static void pin(struct side *side, const struct identity *one, const struct identity *other)
{
	char command[512];

	(void) snprintf(side->pins, sizeof(side->pins), "%s/pins", side->identity.folder);
	(void) snprintf(command, sizeof(command), "cat %s %s > %s", one->cert_file,
		other == NULL ? "" : other->cert_file, side->pins);
	cr_assert_eq(system(command), 0);
}

static enum err reload(size_t i, const struct identity *own, char why[LINK_WHY_MAX])
{
	struct link_files files = { own->cert_file, own->key_file, sides[i].pins };

	return link_reload(sides[i].link, &files, why);
}

static void start(size_t i)
{
	struct link_options options = {
		.loop = loop,
		.listen = i == LISTENS ? address : NULL,
		.peer_address = i == DIALS ? address : NULL,
		.files = { sides[i].identity.cert_file, sides[i].identity.key_file, sides[i].pins },
		.handler = { on_nothing, on_up, on_frame, on_nothing, on_down, on_nothing,
			&sides[i] },
	};
	char why[LINK_WHY_MAX];

	cr_assert_eq(link_new(&sides[i].link, &options, why), ERR_OK, "%s", why);
	cr_assert_eq(link_start(sides[i].link, why), ERR_OK, "%s", why);
}

static void start_both(void)
{
	start(LISTENS);
	start(DIALS);
}

static void setup(void)
{
	cr_assert_eq(crypt_start(), ERR_OK);
	cr_assert_eq(loop_new(&loop), ERR_OK);
	choose_address();
	for (size_t i = 0; i < 2; i++) {
		sides[i] = (struct side){ 0 };
		identity_make(&sides[i].identity, -60, 3600);
		identity_make(&sides[i].next, -60, 3600);
	}
	for (size_t i = 0; i < 2; i++)
		pin(&sides[i], &sides[1 - i].identity, NULL);
}

static void teardown(void)
{
	for (size_t i = 0; i < 2; i++) {
		link_free(sides[i].link);
		(void) unlink(sides[i].pins);
		identity_remove(&sides[i].identity);
		identity_remove(&sides[i].next);
	}
	loop_free(loop);
}

TestSuite(link, .init = setup, .fini = teardown, .timeout = 60);

/* A peer that takes the connection and says nothing is not up, and is tried again. */
Test(link, silent_peer_is_not_up)
{
	sides[LISTENS].silent = true;
	start_both();
	cr_assert(wait_for(dialler_is_told));
	cr_assert_neq(strstr(link_failure(sides[DIALS].link), "says nothing"), NULL);
	cr_assert_eq(sides[DIALS].ups, 0);
	sides[LISTENS].silent = false;
	cr_assert(wait_for(both_are_up));
	cr_assert_str_eq(link_failure(sides[DIALS].link), "");
}

/* The dialler finishes its handshake before it is refused: that is not up, and not down. */
Test(link, refused_dialler_was_never_up)
{
	pin(&sides[LISTENS], &sides[DIALS].next, NULL);
	start_both();
	cr_assert(wait_for(dialler_is_told));
	cr_assert(wait_for(listener_is_told));
	cr_assert_eq(sides[DIALS].ups, 0);
	cr_assert_eq(sides[DIALS].downs, 0);
}

/* Renewed in the right order, the link changes over in one step: told first, then renewed, then
 * forgotten; and what is forgotten does not count any more. */
Test(link, dialler_renews)
{
	char why[LINK_WHY_MAX];

	start_both();
	cr_assert(wait_for(both_are_up));
	pin(&sides[LISTENS], &sides[DIALS].identity, &sides[DIALS].next);
	cr_assert_eq(reload(LISTENS, &sides[LISTENS].identity, why), ERR_OK, "%s", why);
	cr_assert_eq(sides[LISTENS].downs, 0);
	cr_assert_eq(reload(DIALS, &sides[DIALS].next, why), ERR_OK, "%s", why);
	cr_assert(link_is_up(sides[DIALS].link));
	cr_assert(wait_for(both_were_renewed));
	cr_assert_eq(sides[DIALS].downs, 1);
	pin(&sides[LISTENS], &sides[DIALS].next, NULL);
	cr_assert_eq(reload(LISTENS, &sides[LISTENS].identity, why), ERR_OK, "%s", why);
	cr_assert(link_is_up(sides[LISTENS].link));
}

/* The side that listens renews: the connection that is there goes on, and the dialler, once told,
 * makes a new one. */
Test(link, listener_renews)
{
	char why[LINK_WHY_MAX];

	start_both();
	cr_assert(wait_for(both_are_up));
	pin(&sides[DIALS], &sides[LISTENS].identity, &sides[LISTENS].next);
	cr_assert_eq(reload(DIALS, &sides[DIALS].identity, why), ERR_OK, "%s", why);
	cr_assert(wait_for(both_were_renewed));
	cr_assert_eq(reload(LISTENS, &sides[LISTENS].next, why), ERR_OK, "%s", why);
	cr_assert_eq(sides[LISTENS].downs, 1);
	pin(&sides[DIALS], &sides[LISTENS].next, NULL);
	cr_assert_eq(reload(DIALS, &sides[DIALS].identity, why), ERR_OK, "%s", why);
	sides[DIALS].ups = sides[LISTENS].ups = 1;
	cr_assert(wait_for(both_were_renewed));
}

/* Renewed before the peer was told: the old connection stays, the reason is named, and the new one
 * comes when the peer is told. */
Test(link, renewed_too_early)
{
	char why[LINK_WHY_MAX];

	start_both();
	cr_assert(wait_for(both_are_up));
	cr_assert_eq(reload(DIALS, &sides[DIALS].next, why), ERR_OK, "%s", why);
	cr_assert(wait_for(dialler_is_told));
	cr_assert(wait_for(listener_is_told));
	cr_assert_eq(sides[DIALS].downs + sides[LISTENS].downs, 0);
	cr_assert(link_is_up(sides[DIALS].link) && link_is_up(sides[LISTENS].link));
	pin(&sides[LISTENS], &sides[DIALS].next, &sides[DIALS].identity);
	cr_assert_eq(reload(LISTENS, &sides[LISTENS].identity, why), ERR_OK, "%s", why);
	cr_assert(wait_for(both_were_renewed));
	cr_assert_str_eq(link_failure(sides[DIALS].link), "");
}

/* A certificate that is taken out of the file ends its connection at once, on either side. */
Test(link, unpinned_peer_is_dropped)
{
	char why[LINK_WHY_MAX];

	for (size_t i = 0; i < 2; i++) {
		sides[0].frames = sides[1].frames = 0;
		if (sides[0].link == NULL)
			start_both();
		cr_assert(wait_for(both_are_up), "%zu", i);
		pin(&sides[i], &sides[1 - i].next, NULL);
		cr_assert_eq(reload(i, &sides[i].identity, why), ERR_OK, "%s", why);
		cr_assert_not(link_is_up(sides[i].link));
		cr_assert(wait_for(both_are_down));
		cr_assert(wait_for(dialler_is_told));
		pin(&sides[i], &sides[1 - i].identity, NULL);
		cr_assert_eq(reload(i, &sides[i].identity, why), ERR_OK, "%s", why);
	}
}

/* Files that cannot be used are refused with a sentence, and nothing changes. */
Test(link, wrong_files_change_nothing)
{
	struct side *side = &sides[DIALS];
	struct link_files files[] = {
		{ side->identity.cert_file, side->next.key_file, side->pins },
		{ side->identity.cert_file, side->identity.key_file, side->identity.key_file },
		{ "/nonexistent", side->identity.key_file, side->pins },
		{ side->identity.cert_file, side->identity.key_file, "/nonexistent" },
	};

	start_both();
	cr_assert(wait_for(both_are_up));
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		char why[LINK_WHY_MAX] = "", judged[LINK_WHY_MAX] = "";

		cr_assert_neq(link_reload(side->link, &files[i], why), ERR_OK, "%zu", i);
		cr_assert_neq(link_judge(&files[i], judged), ERR_OK, "%zu", i);
		cr_assert_gt(strlen(why), 10);
		cr_assert_str_eq(why, judged);
	}
	cr_assert_eq(side->downs, 0);
	cr_assert(both_are_up());
}

/* More certificates than a renewal needs are a mistake; those up to the limit all count. */
Test(link, too_many_pins)
{
	char why[LINK_WHY_MAX], command[512];

	start_both();
	cr_assert(wait_for(both_are_up));
	(void) snprintf(command, sizeof(command), "for i in 1 2 3; do cat %s; done >> %s",
		sides[LISTENS].next.cert_file, sides[DIALS].pins);
	cr_assert_eq(system(command), 0);
	cr_assert_eq(reload(DIALS, &sides[DIALS].identity, why), ERR_OK, "%s", why);
	cr_assert_eq(system(command), 0);
	cr_assert_eq(reload(DIALS, &sides[DIALS].identity, why), ERR_LIMIT);
	cr_assert_neq(strstr(why, "more than 4"), NULL, "%s", why);
	cr_assert(link_is_up(sides[DIALS].link));
}

static int connect_stranger(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	to.sin_port = htons((uint16_t) strtoul(strchr(address, ':') + 1, NULL, 10));
	cr_assert_eq(connect(fd, (struct sockaddr *) &to, sizeof(to)), 0);
	return fd;
}

/* Strangers who connect and say nothing neither keep the peer out nor end its connection. */
Test(link, strangers_take_no_place)
{
	int fds[3 * LINK_SLOTS];

	start(LISTENS);
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		fds[i] = connect_stranger();
	start(DIALS);
	cr_assert(wait_for(both_are_up));
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		(void) close(fds[i]);
		fds[i] = connect_stranger();
	}
	sides[LISTENS].frames = 0;
	cr_assert(link_is_up(sides[LISTENS].link));
	on_up(&sides[DIALS]);
	cr_assert(wait_for(both_are_up));
	cr_assert_eq(sides[LISTENS].downs, 0);
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		(void) close(fds[i]);
}
