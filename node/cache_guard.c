/* SPDX-License-Identifier: Apache-2.0 */
#include "node/cache_guard.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "keystore/commit.h"
#include "keystore/contact.h"
#include "kmip/terms.h"

extern char **environ;

enum {
	RESERVE_MIB = 64, /* some 100,000 changes */
	RESERVE_MIN_MIB = 4,
	VERIFY_PROGRESS_MS = 2000,
	VERIFY_SECONDS_MAX = 3600,
	FD_FIRST_CLOSED = 3,
};

/* Exit statuses of the role `verify`. */
enum {
	VERIFY_SOUND = 0,
	VERIFY_DAMAGED = 3,
	VERIFY_NOT_OPENED = 4,
	VERIFY_NOT_DONE = 5,
	VERIFY_INDEX_DIFFERS = 6
};

static struct cache_options guard_options(const struct config *config)
{
	return (struct cache_options){ .folder = config->top.data_dir,
		.map_bytes = (size_t) config->top.cache_size_mib << 20,
		.terms = &kmip_terms };
}

/* ---- the process that reads everything ---- */

static void verify_on_progress(void *ctx, const struct cache_verify *verify)
{
	uint64_t *told_ms = ctx, now_ms = clock_boot_ms();
	if (now_ms - *told_ms < VERIFY_PROGRESS_MS)
		return;
	*told_ms = now_ms;
	log_info("cache-verifying", "records=%zu entries=%zu", verify->records, verify->entries);
}

static int verify_status(
	enum err err, const struct cache_verify *verify, const struct cache *cache, const char *why)
{
	size_t bad = verify->bad;
	if (err == ERR_OK && bad == 0 && verify->index_differs) {
		log_warning("cache-index-differs", "effect=\"it is made anew\"");
		return VERIFY_INDEX_DIFFERS;
	}
	if (err == ERR_NOT_FOUND || (err == ERR_OK && bad == 0))
		return VERIFY_SOUND;
	if (err == ERR_OK || err == ERR_CORRUPT || err == ERR_VERSION) {
		log_error("cache-damaged", "err=%s bad=%zu why=%s", err_name(err), bad,
			log_quoted(slice_text(why)));
		return VERIFY_DAMAGED;
	}
	if (cache != NULL)
		log_error("cache-not-verified", "err=%s why=%s", err_name(err),
			log_quoted(slice_text(why)));
	return cache == NULL ? VERIFY_NOT_OPENED : VERIFY_NOT_DONE;
}

_Noreturn void cache_guard_verify_run(const char *config_path)
{
	enum err err;
	char why[CONFIG_WHY_MAX] = "";
	struct config *config = NULL;
	struct cache *cache = NULL;
	uint64_t begun_ms = clock_boot_ms(), told_ms = begun_ms;
	struct cache_verify verify = { .on_progress = verify_on_progress, .ctx = &told_ms };
	log_start(STDERR_FILENO, "verify");
	(void) prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void) alarm(VERIFY_SECONDS_MAX);
	TRY(config_load(&config, config_path, why));
	struct cache_options options = guard_options(config);
	options.read_only = true;
	TRY(cache_open(&cache, &options, why));
	TRY(cache_verify(cache, &verify, why));
	log_info("cache-verified", "records=%zu entries=%zu bad=%zu ms=%u", verify.records,
		verify.entries, verify.bad, (unsigned) (clock_boot_ms() - begun_ms));
out:
	/* Nothing is taken apart: that would touch what may be damaged. */
	_exit(verify_status(err, &verify, cache, why));
}

/* ---- its parent ---- */

static bool is_fault(int signal)
{
	return signal == SIGBUS || signal == SIGSEGV || signal == SIGABRT || signal == SIGFPE ||
	       signal == SIGILL;
}

/* ERR_OK also where the file could not be opened at all: opening it once more tells why. */
static enum err guard_judge(int status, bool *index_differs, char why[CONFIG_WHY_MAX])
{
	*index_differs = WIFEXITED(status) && WEXITSTATUS(status) == VERIFY_INDEX_DIFFERS;
	if (WIFEXITED(status) && WEXITSTATUS(status) == VERIFY_DAMAGED) {
		snprintf(why, CONFIG_WHY_MAX, "damaged, as the lines before say");
		return ERR_CORRUPT;
	}
	if (WIFSIGNALED(status) && is_fault(WTERMSIG(status))) {
		snprintf(why, CONFIG_WHY_MAX, "reading it ended a process by signal %d",
			WTERMSIG(status));
		return ERR_CORRUPT;
	}
	if (WIFEXITED(status) && (*index_differs || WEXITSTATUS(status) == VERIFY_SOUND ||
					 WEXITSTATUS(status) == VERIFY_NOT_OPENED))
		return ERR_OK;
	snprintf(why, CONFIG_WHY_MAX,
		"the cache could not be verified (signal %d, status %d); it is left as it is",
		WIFSIGNALED(status) ? WTERMSIG(status) : 0,
		WIFEXITED(status) ? WEXITSTATUS(status) : 0);
	return ERR_IO;
}

static enum err guard_prove(const char *config_path, bool *index_differs, char why[CONFIG_WHY_MAX])
{
	char *arguments[] = { (char *) "kmipd", (char *) "--role", (char *) "verify",
		(char *) "--config", (char *) config_path, NULL };
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int status, result = posix_spawn_file_actions_init(&actions);
	if (result == 0)
		result = posix_spawn_file_actions_addclosefrom_np(&actions, FD_FIRST_CLOSED);
	if (result == 0)
		result = posix_spawn(&pid, "/proc/self/exe", &actions, NULL, arguments, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (result != 0) {
		snprintf(why, CONFIG_WHY_MAX, "no process to verify the cache with");
		return ERR_SYS;
	}
	while (waitpid(pid, &status, 0) < 0)
		ASSERT(errno == EINTR);
	return guard_judge(status, index_differs, why);
}

/* ---- room on the disk ---- */

/* The most that is to be had, in halves. */
static enum err guard_reserve(struct cache *cache, size_t *mib)
{
	enum err err = ERR_FULL;
	for (*mib = RESERVE_MIB; *mib >= RESERVE_MIN_MIB && err == ERR_FULL; *mib /= 2)
		err = cache_reserve(cache, *mib << 20);
	*mib *= 2;
	return err;
}

static enum err guard_check_room(struct cache *cache, const struct config *config)
{
	size_t mib;
	enum err err = guard_reserve(cache, &mib);
	if (err == ERR_OK && mib < RESERVE_MIB)
		log_warning("disk-nearly-full", "folder=%s reserved_mib=%zu wanted_mib=%d",
			config->top.data_dir, mib, RESERVE_MIB);
	return err;
}

void cache_guard_tick(struct cache_guard *guard, struct cache *cache)
{
	enum err err = cache_reserve(cache, (size_t) RESERVE_MIB << 20);
	if (err != ERR_OK && !guard->told)
		log_error("disk-nearly-full",
			"err=%s wanted_mib=%d effect=\"the node ends when a commit finds no room\"",
			err_name(err), RESERVE_MIB);
	else if (err == ERR_OK && guard->told)
		log_info("disk-has-room", "reserved_mib=%d", RESERVE_MIB);
	guard->told = err != ERR_OK;
}

/* ---- opening ---- */

/* Nobody remembers any more what was destroyed since (design D20). */
static enum err guard_judge_age(struct cache *cache, char why[CONFIG_WHY_MAX])
{
	int64_t age_s;
	enum err err = contact_age(&age_s, cache);
	if (err != ERR_OK || age_s <= CONTACT_AGE_MAX_S)
		return err;
	snprintf(why, CONFIG_WHY_MAX,
		"neither peer nor key manager was heard for %lld days, by this machine's clock",
		(long long) (age_s / 86400));
	return ERR_CORRUPT;
}

struct indexing {
	uint64_t begun_ms, told_ms;
};

static void guard_on_indexing(void *ctx, uint64_t done, uint64_t records)
{
	struct indexing *indexing = ctx;
	uint64_t now_ms = clock_boot_ms();
	if (done < records && now_ms - indexing->told_ms < VERIFY_PROGRESS_MS)
		return;
	indexing->told_ms = now_ms;
	log_info("cache-indexing", "done=%llu records=%llu ms=%llu", (unsigned long long) done,
		(unsigned long long) records, (unsigned long long) (now_ms - indexing->begun_ms));
}

static enum err guard_open_proved(struct cache **out, const char *config_path,
	const struct config *config, char why[CONFIG_WHY_MAX])
{
	enum err err;
	struct cache_options options = guard_options(config);
	struct indexing indexing = { .begun_ms = clock_boot_ms() };
	options.on_indexing = guard_on_indexing;
	options.ctx = &indexing;
	TRY(guard_prove(config_path, &options.reindex, why));
	TRY(cache_open(out, &options, why));
	TRY(guard_judge_age(*out, why));
out:
	if (err != ERR_OK) {
		cache_close(*out);
		*out = NULL;
	}
	return err;
}

enum err cache_guard_open(struct cache **out, const char *config_path, const struct config *config,
	char why[CONFIG_WHY_MAX])
{
	char moved_to[CACHE_WHY_MAX] = "";
	*out = NULL;
	enum err err = guard_open_proved(out, config_path, config, why);
	if (err == ERR_CORRUPT || err == ERR_VERSION) {
		log_error("cache-unusable", "folder=%s why=%s", config->top.data_dir,
			log_quoted(slice_text(why)));
		TRY(cache_move_aside(config->top.data_dir, moved_to));
		log_warning("cache-moved-aside", "to=%s", moved_to);
		err = guard_open_proved(out, config_path, config, why);
	}
	TRY(err);
	TRY(guard_check_room(*out, config));
out:
	if (err == ERR_FULL)
		snprintf(why, CONFIG_WHY_MAX,
			"the disk of data-dir %.150s is full: free at least %d MiB there; until "
			"then this node does not serve, and the other one does",
			config->top.data_dir, RESERVE_MIB);
	if (err != ERR_OK) {
		cache_close(*out);
		*out = NULL;
	}
	return err;
}

/* ---- while the node runs ---- */

_Noreturn void cache_guard_lost(int worker)
{
	log_error("cache-lost",
		"worker=%d why=\"the cache file cannot be read: cut short, or a failing disk\" "
		"effect=\"the node ends, and verifies the file when it starts\"",
		worker);
	_exit(COMMIT_EXIT_CODE);
}

static void guard_on_bus_error(int signal)
{
	static const char line[] =
		"kmipd: SIGBUS: a page of the cache file cannot be read: it was cut short, or the "
		"disk fails; the file is verified at the next start\n";
	(void) signal;
	(void) !write(STDERR_FILENO, line, sizeof(line) - 1);
	/* Returns to what failed, which fails again and now ends the process (SA_RESETHAND). */
}

void cache_guard_explain_bus_errors(void)
{
	struct sigaction action = { .sa_handler = guard_on_bus_error,
		.sa_flags = (int) SA_RESETHAND };
	(void) sigaction(SIGBUS, &action, NULL);
}
