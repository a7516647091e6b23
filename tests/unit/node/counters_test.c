/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shows that what two processes count adds up at the keeper, that a part outlives the process that
 * wrote it, that connections of a dead one are forgotten, and that a foreign descriptor is refused.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "node/counters.h"

enum { GET = 10, KEEPER = 0, WORKER = 1 };

static void count(struct counters *counters, uint32_t code, enum err err, uint64_t took_us)
{
	struct kmip_item_record record = { .code = code, .err = err, .took_us = took_us };

	counters_on_item(counters, &record);
}

/* What a worker does, in a process of its own. */
static void worker_run(int fd)
{
	struct counters_page *page;
	struct counters *counters;

	if (counters_page_attach(&page, fd) != ERR_OK ||
		counters_page_part(&counters, page, WORKER) != ERR_OK)
		_exit(1);
	tally_add(&counters->plain[COUNTER_CONNECTIONS], 7);
	counters_add(counters, COUNTER_HANDSHAKES_EXPIRED);
	count(counters, GET, ERR_OK, 99);
	count(counters, GET, ERR_NOT_FOUND, 6000000);
	_exit(0);
}

static void worker_live_and_die(struct counters_page *page)
{
	int status = 1;
	pid_t pid = fork();

	if (pid == 0)
		worker_run(counters_page_fd(page));
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0);
}

Test(counters, of_all_processes_add_up_and_outlive_them)
{
	struct counters_page *page;
	struct counters *keeper, *worker;
	struct counters_sum *sum = malloc(sizeof(*sum));

	cr_assert_eq(counters_page_new(&page, 2), ERR_OK);
	cr_assert_eq(counters_page_part(&keeper, page, KEEPER), ERR_OK);
	cr_assert_eq(counters_page_part(&worker, page, WORKER), ERR_OK);
	cr_assert_eq(counters_page_part(&worker, page, 2), ERR_LIMIT);
	count(keeper, GET, ERR_OK, 400);
	worker_live_and_die(page);
	counters_close_part(worker);
	worker_live_and_die(page); /* the one that takes its place */

	counters_page_sum(page, sum);
	cr_assert_eq(sum->items[GET][ERR_OK], 3);
	cr_assert_eq(sum->items[GET][ERR_NOT_FOUND], 2);
	cr_assert_eq(sum->item_took[GET].counts[0], 2, "within 0.1 ms");
	cr_assert_eq(sum->item_took[GET].counts[2], 1, "within 0.5 ms");
	cr_assert_eq(sum->item_took[GET].counts[HISTOGRAM_BOUNDS], 2, "beyond the last bound");
	cr_assert_eq(sum->item_took[GET].sum_us, 400 + 2 * (99 + 6000000));
	cr_assert_eq(sum->plain[COUNTER_CONNECTIONS], 7, "of the living one only");
	cr_assert_eq(counters_page_refused(page), 2);
	counters_page_free(page);
	free(sum);
}

Test(counters, of_unknown_operations_are_counted_together)
{
	struct counters_page *page;
	struct counters *keeper;

	cr_assert_eq(counters_page_new(&page, 1), ERR_OK);
	cr_assert_eq(counters_page_part(&keeper, page, KEEPER), ERR_OK);
	count(keeper, UINT32_MAX, ERR_OPERATION, 1);
	count(keeper, COUNTERS_OPERATIONS, ERR_OPERATION, 1);
	cr_assert_eq(keeper->items[0][ERR_OPERATION], 2);
	counters_page_free(page);
}

Test(counters, are_not_read_from_foreign_memory)
{
	struct counters_page *page;
	int fd = memfd_create("foreign", MFD_ALLOW_SEALING);

	cr_assert_eq(counters_page_attach(&page, fd), ERR_INVALID, "not sealed");
	cr_assert_eq(ftruncate(fd, sizeof(struct counters) + 1), 0);
	cr_assert_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	cr_assert_eq(counters_page_attach(&page, fd), ERR_INVALID, "of no such length");
	close(fd);
	cr_assert_eq(counters_page_attach(&page, STDIN_FILENO), ERR_INVALID);
}
