/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "base/log.h"
#include "base/sm.h"

/* Logs into a pipe; the text of what came out. */
static int log_pipe;
static char logged[8192];

static void log_to_pipe(void)
{
	int ends[2];

	cr_assert_eq(pipe2(ends, O_NONBLOCK), 0);
	log_pipe = ends[0];
	log_start(ends[1], "keeper");
}

static const char *log_take(void)
{
	ssize_t len = read(log_pipe, logged, sizeof(logged) - 1);

	logged[len < 0 ? 0 : len] = '\0';
	return logged;
}

TestSuite(log, .init = log_to_pipe);
TestSuite(sm, .init = log_to_pipe);

/* A line has time with milliseconds, level, process, event and pairs. */
Test(log, line_has_the_form)
{
	log_event(LOG_INFO, "peer-connected", "peer=%s n=%d", "b", 2);
	log_take();
	cr_assert_eq(logged[10], 'T');
	cr_assert_eq(logged[19], '.');
	cr_assert_str_eq(logged + 23, "Z info keeper peer-connected peer=b n=2\n");
}

/* Levels above the chosen one are silent; names go both ways. */
Test(log, levels)
{
	enum log_level level;

	log_debug("hidden", "a=1");
	cr_assert_str_empty(log_take());
	cr_assert_eq(log_level_parse(&level, SLICE_LITERAL("debug")), ERR_OK);
	log_set_level(level);
	log_debug("shown", "a=1");
	cr_assert_not_null(strstr(log_take(), "debug keeper shown a=1\n"));
	cr_assert_eq(log_level_parse(&level, SLICE_LITERAL("Debug")), ERR_INVALID);
	cr_assert_str_eq(log_level_name(LOG_WARNING), "warning");
}

/* No value can break the line or forge another one; overlong lines are cut. */
Test(log, values_cannot_forge)
{
	char big[6000];

	log_info("event", "name=%s", "a\nb\x1b");
	cr_assert_not_null(strstr(log_take(), "name=a\\x0ab\\x1b\n"));
	cr_assert_str_eq(log_quoted(SLICE_LITERAL("say \"hi\\\"\n\xff")),
		"\"say \\\"hi\\\\\\\"\\x0a\\xff\"");
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = 'x';
	big[sizeof(big) - 1] = '\0';
	cr_assert_eq(strlen(log_quoted(slice_text(big))), 205);
	log_info("event", "big=%s", big);
	cr_assert_leq(strlen(log_take()), 4096);
	cr_assert_eq(logged[strlen(logged) - 1], '\n');
	cr_assert_eq(strchr(logged, '\n'), logged + strlen(logged) - 1);
}

/* Four quoted values can stand in one line. */
Test(log, four_quoted_values)
{
	const char *a = log_quoted(SLICE_LITERAL("1")), *b = log_quoted(SLICE_LITERAL("2"));
	const char *c = log_quoted(SLICE_LITERAL("3")), *d = log_quoted(SLICE_LITERAL("4"));

	log_info("event", "%s %s %s %s", a, b, c, d);
	cr_assert_not_null(strstr(log_take(), "\"1\" \"2\" \"3\" \"4\"\n"));
}

static const struct sm_state door_states[] = { { "open", SM_TO(1) }, { "shut", 0 } };

/* An allowed move is logged once, with where from and why. */
Test(sm, move_is_logged)
{
	struct sm sm;

	sm_init(&sm, door_states, 2, "door", "front");
	sm_move(&sm, 1, "wind");
	cr_assert_str_eq(sm_state_name(&sm), "shut");
	cr_assert_not_null(
		strstr(log_take(), "state door=\"front\" from=open to=shut why=\"wind\"\n"));
}

/* A move that the table does not allow is our own mistake. */
Test(sm, forbidden_move_aborts, .signal = SIGABRT)
{
	struct sm sm;

	sm_init(&sm, door_states, 2, "door", "front");
	sm_move(&sm, 1, "wind");
	sm_move(&sm, 0, "again");
}

/* A file is replaced as a whole with the mode asked for, and read back within the limit. */
Test(file, write_and_read)
{
	char folder[] = "/tmp/pair-test-XXXXXX", path[64], missing[80];
	struct stat found;
	struct buf buf;

	cr_assert_not_null(mkdtemp(folder));
	(void) snprintf(path, sizeof(path), "%s/a", folder);
	(void) snprintf(missing, sizeof(missing), "%s/no/where", folder);
	buf_init(&buf, 5);
	cr_assert_eq(file_read(&buf, path), ERR_NOT_FOUND);
	cr_assert_eq(file_write_atomic(path, SLICE_LITERAL("old"), 0644), ERR_OK);
	cr_assert_eq(file_write_atomic(path, SLICE_LITERAL("fresh"), 0600), ERR_OK);
	cr_assert_eq(stat(path, &found), 0);
	cr_assert_eq(found.st_mode & 0777, 0600);
	cr_assert_eq(file_read(&buf, path), ERR_OK);
	cr_assert(slice_equal_text(buf_slice(&buf), "fresh"));
	buf_clear(&buf);
	cr_assert_eq(file_write_atomic(path, SLICE_LITERAL("longer"), 0600), ERR_OK);
	cr_assert_eq(file_read(&buf, path), ERR_LIMIT);
	cr_assert_eq(file_read(&buf, folder), ERR_IO);
	cr_assert_eq(file_write_atomic(missing, SLICE_LITERAL("x"), 0600), ERR_NOT_FOUND);
	cr_assert_eq(file_make_folder(folder, 0700), ERR_OK);
	cr_assert_eq(file_make_folder(path, 0700), ERR_EXISTS);
	cr_assert_eq(file_make_folder(missing, 0700), ERR_NOT_FOUND);
	cr_assert_eq(unlink(path), 0);
	cr_assert_eq(rmdir(folder), 0, "no temporary file is left");
	buf_free(&buf);
}
