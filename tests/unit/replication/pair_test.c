/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two whole shells over real TLS on the loopback and real caches, in one loop: what one node
 * writes, the other has, through snapshot, stream, cut and healing.
 */
#include "replication/reader.h"
#include "replication/replication.h"
#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include "base/clock.h"
#include "base/crypt.h"
#include "tests/unit/base/identity.h"
#include "tests/unit/replication/store_double.h"

enum { DEADLINE_MS = 15000, POLL_MS = 2, COMPARE_MS = 600 };

struct node {
	struct keystore store;
	struct identity identity;
	struct replication *replication;
	uint64_t vouch_until_ms;
	bool leased[2]; /* tenant-one, tenant-two */
	bool stopped;
};

static struct loop *loop;
static struct node nodes[2];
static char address[32];

/* ---- waiting ---- */

struct wait {
	bool (*met)(const void *what);
	const void *what;
	uint64_t until_ms;
	struct loop_timer *timer;
};

static void wait_on_fire(void *ctx)
{
	struct wait *wait = ctx;

	if (wait->met(wait->what) || clock_boot_ms() > wait->until_ms)
		loop_stop(loop);
	else
		loop_timer_set(wait->timer, POLL_MS);
}

static bool wait_for(bool (*met)(const void *what), const void *what)
{
	struct wait wait = { met, what, clock_boot_ms() + DEADLINE_MS, NULL };

	cr_assert_eq(loop_timer_new(&wait.timer, loop, wait_on_fire, &wait), ERR_OK);
	loop_timer_set(wait.timer, POLL_MS);
	cr_assert_eq(loop_run(loop), ERR_OK);
	loop_timer_free(wait.timer);
	return met(what);
}

static bool both_are(const void *state)
{
	for (size_t i = 0; i < 2; i++) {
		struct replication_status status;

		replication_status(nodes[i].replication, &status);
		if (strcmp(status.state, state) != 0)
			return false;
	}
	return true;
}

static bool both_have(const void *number)
{
	unsigned n = *(const unsigned *) number;

	return store_has(&nodes[0].store, n) && store_has(&nodes[1].store, n);
}

static bool is_set(const void *flag)
{
	return *(const bool *) flag;
}

/* ---- nodes ---- */

static void on_vouch(void *ctx, uint64_t until_ms)
{
	((struct node *) ctx)->vouch_until_ms = until_ms;
}

static void on_leased(void *ctx, const struct instance_id *instance, bool leased)
{
	struct node *node = ctx;

	node->leased[slice_equal_text(instance_id_slice(instance), "tenant-two")] = leased;
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

static struct replication_files files_of(size_t i)
{
	return (struct replication_files){ nodes[i].identity.cert_file, nodes[i].identity.key_file,
		nodes[1 - i].identity.cert_file };
}

static void node_start(size_t i, const char *cluster)
{
	static const struct replication_instance instance = { .id = { "tenant-one" } };
	struct replication_options options = {
		.loop = loop,
		.keystore = &nodes[i].store,
		.cluster = cluster,
		.node = (uint16_t) (i + 1),
		.peer_node = (uint16_t) (2 - i),
		.listen = address,
		.peer_address = address,
		.files = files_of(i),
		.ack_wait_ms = 50,
		.compare_ms = COMPARE_MS,
		.instances = &instance,
		.instance_count = 1,
		.on_vouch = on_vouch,
		.on_leased = on_leased,
		.ctx = &nodes[i],
	};
	char why[REPLICATION_WHY_MAX];

	cr_assert_eq(replication_new(&nodes[i].replication, &options, why), ERR_OK, "%s", why);
	cr_assert_eq(replication_start(nodes[i].replication, why), ERR_OK, "%s", why);
}

static void setup(void)
{
	cr_assert_eq(crypt_start(), ERR_OK);
	cr_assert_eq(loop_new(&loop), ERR_OK);
	choose_address();
	for (size_t i = 0; i < 2; i++) {
		nodes[i] = (struct node){ 0 };
		store_open(&nodes[i].store, loop);
		identity_make(&nodes[i].identity, -60, 3600);
	}
}

static void teardown(void)
{
	for (size_t i = 0; i < 2; i++) {
		replication_free(nodes[i].replication);
		store_close(&nodes[i].store);
		identity_remove(&nodes[i].identity);
	}
	loop_free(loop);
}

TestSuite(pair, .init = setup, .fini = teardown, .timeout = 60);

static void on_release(void *ctx)
{
	*(bool *) ctx = true;
}

/* What was there before the first meeting comes by snapshot, in several chunks, and both sides
 * vouch for each other. */
Test(pair, snapshot_then_streaming)
{
	unsigned last = 699, other = 5000;

	for (unsigned n = 0; n <= last; n++)
		(void) store_install(&nodes[0].store, 1, n);
	(void) store_install(&nodes[1].store, 2, other);
	node_start(1, "eu-de");
	cr_assert_eq(nodes[1].store.peer, KEYSTORE_PEER_EXPECTED);
	node_start(0, "eu-de");
	cr_assert(wait_for(both_are, "streaming"));
	cr_assert_eq(nodes[1].store.peer, KEYSTORE_PEER_NONE, "it has brought everything");
	for (unsigned n = 0; n <= last; n++)
		cr_assert(both_have(&n), "%u", n);
	cr_assert(both_have(&other));
	cr_assert_gt(nodes[0].vouch_until_ms, clock_boot_ms());
	cr_assert_gt(nodes[1].vouch_until_ms, clock_boot_ms());
}

/* How far the peer's records reach is kept beside them, as the peer's own log tells it. */
Test(pair, keeps_what_was_seen)
{
	struct wire_position own, seen;
	struct cache_read *read;
	struct slice fact;

	for (unsigned n = 0; n < 300; n++)
		(void) store_install(&nodes[0].store, 1, n);
	node_start(1, "eu-de");
	node_start(0, "eu-de");
	cr_assert(wait_for(both_are, "streaming"));
	cr_assert_eq(reader_position(nodes[0].store.cache, &own), ERR_OK);
	cr_assert_eq(cache_read_begin(&read, nodes[1].store.cache), ERR_OK);
	cr_assert_eq(cache_get_fact(read, "peer-1-seen", &fact), ERR_OK);
	cr_assert_eq(wire_position_get(&seen, fact), ERR_OK);
	cache_read_end(read);
	cr_assert_eq(seen.seq, own.seq);
	cr_assert(wire_incarnation_equal(&seen, &own));
	cr_assert(slice_equal(slice_of(seen.hash, 32), slice_of(own.hash, 32)));
}

/* An answer held for a change goes out when the peer has it on disk. */
Test(pair, hold_until_acknowledged)
{
	bool released = false;
	unsigned n = 1;
	struct keystore_hold hold = {
		.class = KEYSTORE_GATE_CHANGE, .on_release = on_release, .ctx = &released
	};
	uint64_t since_ms;

	node_start(1, "eu-de");
	node_start(0, "eu-de");
	cr_assert(wait_for(both_are, "streaming"));
	since_ms = clock_boot_ms();
	hold.seq = store_install(&nodes[0].store, 1, n);
	nodes[0].store.gate.hold(nodes[0].store.gate.ctx, &hold);
	cr_assert_not(released);
	cr_assert(wait_for(is_set, &released));
	cr_assert(both_have(&n));
	cr_assert_lt(clock_boot_ms() - since_ms, 1000);
}

/* What was written while the link was cut comes from the log, without another snapshot. */
Test(pair, cut_and_heal)
{
	struct replication_status before, after;
	unsigned one = 1, two = 2;

	node_start(1, "eu-de");
	node_start(0, "eu-de");
	cr_assert(wait_for(both_are, "streaming"));
	replication_status(nodes[0].replication, &before);
	replication_cut(nodes[0].replication, true);
	cr_assert(wait_for(both_are, "down"));
	(void) store_install(&nodes[0].store, 1, one);
	(void) store_install(&nodes[1].store, 2, two);
	replication_cut(nodes[0].replication, false);
	cr_assert(wait_for(both_are, "streaming"));
	cr_assert(both_have(&one));
	cr_assert(both_have(&two));
	replication_status(nodes[0].replication, &after);
	cr_assert_eq(after.snapshots, before.snapshots);
}

static bool node_compared(const void *index)
{
	struct replication_status status;

	replication_status(nodes[*(const size_t *) index].replication, &status);
	return status.comparisons > 0;
}

/* What one disk holds and no log tells of is found by its digest, in both directions, and sent. */
Test(pair, silent_divergence_is_repaired)
{
	const size_t asker = 0, answerer = 1;
	unsigned one = 1, two = 2, three = 3;

	(void) store_install(&nodes[0].store, 1, one);
	node_start(1, "eu-de");
	node_start(0, "eu-de");
	cr_assert(wait_for(both_are, "streaming"));
	cr_assert(wait_for(both_have, &one));
	store_change_silently(&nodes[0].store, two);
	store_change_silently(&nodes[1].store, three);
	cr_assert(wait_for(both_have, &two));
	cr_assert(wait_for(both_have, &three));
	cr_assert(wait_for(node_compared, &asker));
	cr_assert(wait_for(node_compared, &answerer));
	cr_assert(both_are("streaming"));
}

/* Nodes of two clusters refuse each other, and say so. */
Test(pair, wrong_cluster)
{
	struct replication_status status;

	node_start(1, "eu-de");
	node_start(0, "us-south");
	cr_assert(wait_for(both_are, "refused"));
	replication_status(nodes[0].replication, &status);
	cr_assert_neq(strstr(status.why, "another cluster"), NULL, "%s", status.why);
	cr_assert_eq(nodes[0].vouch_until_ms, 0);
}

/* A node that stops says so: the other does not wait for its lease to run out. */
Test(pair, stop)
{
	bool released = false;
	struct keystore_hold hold = {
		.class = KEYSTORE_GATE_CHANGE, .on_release = on_release, .ctx = &released
	};

	node_start(1, "eu-de");
	node_start(0, "eu-de");
	cr_assert(wait_for(both_are, "streaming"));
	replication_stop(nodes[1].replication, on_release, &nodes[1].stopped);
	cr_assert(wait_for(is_set, &nodes[1].stopped));
	cr_assert_eq(nodes[1].vouch_until_ms, 0);
	replication_free(nodes[1].replication);
	nodes[1].replication = NULL;
	hold.seq = store_install(&nodes[0].store, 1, 9);
	nodes[0].store.gate.hold(nodes[0].store.gate.ctx, &hold);
	cr_assert(wait_for(is_set, &released));
}
