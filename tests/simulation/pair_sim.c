/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pair_sim: shows that two nodes keep their promises in seeded worlds of faults.
 *
 *	--seeds N [--first S] [--jobs J] [--progress]	N worlds; stops at the first that fails
 *	--seed S [--trace]				one world again; with its whole transcript
 *	--world NAME					worlds of this kind alone; else the seed
 *picks
 *	--mutant NAME, --list				pair_sim_mutant: a rule that is broken
 *
 * Status 0: no promise was broken; 1: one was, and its seed and last events were printed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "base/crypt.h"
#include "tests/simulation/world.h"

enum { STORM_MS = 16000, CALM_MS = 18000, JOBS_MAX = 64, PROGRESS_S = 10 };

static const char *const world_names[WORLD_KIND_COUNT + 1] = {
	[WORLD_PLAIN] = "plain",
	[WORLD_DIVERGING] = "diverging",
	[WORLD_TENANTS_DIFFER] = "tenants",
	[WORLD_VERSIONS] = "versions",
	[WORLD_OLD_DISKS] = "old",
	[WORLD_FALLING] = "falling",
	[WORLD_KIND_COUNT] = "any",
};

#ifdef PAIR_MUTANTS
enum mutant mutant_chosen;

static const struct {
	const char *name, *world;
	unsigned seeds;
	const char *rule;
} mutants[MUTANT_COUNT] = { [MUTANT_none] = { "none", "any", 0, "" },
#define X(name, world, seeds, rule) [MUTANT_##name] = { #name, #world, seeds, rule },
	MUTANTS(X)
#undef X
};
#endif

/* One job's, in memory that all share; the last of it is known even when the job dies. */
struct job {
	pid_t pid;
	uint64_t seed; /* under way, or the one that failed */
	uint64_t done;
	bool failed;
	char violation[160];
	struct world_counts counts;
};

struct run {
	uint64_t seeds, first, seed;
	enum world_kind kind;
	unsigned jobs;
	bool progress, trace;
	struct job *job; /* JOBS_MAX of them */
};

/* ---- one world ---- */

static void add_counts(struct world_counts *to, const struct world_counts *from)
{
	to->operations += from->operations;
	to->answered += from->answered;
	to->crashes += from->crashes;
	to->rollbacks += from->rollbacks;
	to->stops += from->stops;
	to->freezes += from->freezes;
	to->snapshots += from->snapshots;
	to->restores += from->restores;
	to->discards += from->discards;
	to->damages += from->damages;
	to->comparisons += from->comparisons;
	to->repairs += from->repairs;
	to->divergences += from->divergences;
	to->trimmed += from->trimmed;
	to->vouched_ms += from->vouched_ms;
}

static const char *run_world(const struct run *run, uint64_t seed, struct world_counts *counts,
	struct world_trace *trace)
{
	struct world *world;
	const char *violation;

	if (world_new(&world, seed, run->kind, trace) != ERR_OK)
		return "no memory";
	while (world->now < STORM_MS && world_violation(world) == NULL)
		world_tick(world);
	faults_end(world);
	while (world->now < STORM_MS + CALM_MS && world_violation(world) == NULL)
		world_tick(world);
	violation = world_violation(world);
	if (violation == NULL)
		violation = world_judge_end(world);
	add_counts(counts, &world->counts);
	world_free(world);
	return violation;
}

/* The same world again, for its transcript. */
static int tell(const struct run *run, uint64_t seed, bool loud)
{
	struct world_trace *trace = calloc(1, sizeof(*trace));
	struct world_counts counts = { 0 };
	uint64_t from;
	const char *violation;

	if (trace == NULL)
		return 2;
	trace->loud = loud;
	violation = run_world(run, seed, &counts, trace);
	from = trace->count > TRACE_LINES ? trace->count - TRACE_LINES : 0;
	for (uint64_t i = from; !loud && violation != NULL && i < trace->count; i++)
		puts(trace->lines[i % TRACE_LINES]);
	printf("seed %llu: %s\n", (unsigned long long) seed,
		violation == NULL ? "no promise was broken" : violation);
	free(trace);
	return violation == NULL ? 0 : 1;
}

/* ---- many ---- */

static void work(const struct run *run, unsigned number)
{
	struct job *job = &run->job[number];

	for (uint64_t i = number; i < run->seeds && !job->failed; i += run->jobs) {
		const char *violation;

		job->seed = run->first + i;
		violation = run_world(run, job->seed, &job->counts, NULL);
		if (violation != NULL) {
			(void) snprintf(job->violation, sizeof(job->violation), "%s", violation);
			job->failed = true;
		}
		job->done++;
	}
}

static uint64_t sum(const struct run *run, struct world_counts *counts)
{
	uint64_t done = 0;

	*counts = (struct world_counts){ 0 };
	for (unsigned i = 0; i < run->jobs; i++) {
		add_counts(counts, &run->job[i].counts);
		done += run->job[i].done;
	}
	return done;
}

static void print_counts(const struct run *run, time_t begun)
{
	struct world_counts counts;
	uint64_t done = sum(run, &counts);
	uint64_t seconds = (uint64_t) (time(NULL) - begun);

	printf("%llu of %llu seeds from %llu, %llu operations (%llu a second), %llu answered, %llu "
	       "crashes, %llu rollbacks, %llu discards, %llu stops, %llu freezes, %llu snapshots, "
	       "%llu restores, %llu divergences, %llu damages, %llu comparisons, %llu repairs, "
	       "%llu trimmed, "
	       "%llu s under lease\n",
		(unsigned long long) done, (unsigned long long) run->seeds,
		(unsigned long long) run->first, (unsigned long long) counts.operations,
		(unsigned long long) (counts.operations / (seconds > 0 ? seconds : 1)),
		(unsigned long long) counts.answered, (unsigned long long) counts.crashes,
		(unsigned long long) counts.rollbacks, (unsigned long long) counts.discards,
		(unsigned long long) counts.stops, (unsigned long long) counts.freezes,
		(unsigned long long) counts.snapshots, (unsigned long long) counts.restores,
		(unsigned long long) counts.divergences, (unsigned long long) counts.damages,
		(unsigned long long) counts.comparisons, (unsigned long long) counts.repairs,
		(unsigned long long) counts.trimmed,
		(unsigned long long) (counts.vouched_ms / 1000));
	(void) fflush(stdout);
}

static struct job *find_job(const struct run *run, pid_t pid)
{
	unsigned i = 0;

	while (i + 1 < run->jobs && run->job[i].pid != pid)
		i++;
	return &run->job[i];
}

/* The job that ended badly, if one did; the others are then told to end, too. */
static struct job *wait_for_jobs(const struct run *run, time_t begun)
{
	struct job *bad = NULL;
	unsigned left = run->jobs;
	time_t told = begun;

	while (left > 0) {
		int status;
		pid_t pid = waitpid(-1, &status, WNOHANG);
		struct job *job;

		if (pid <= 0) {
			if (run->progress && time(NULL) - told >= PROGRESS_S) {
				told = time(NULL);
				print_counts(run, begun);
			}
			(void) usleep(20000);
			continue;
		}
		left--;
		job = find_job(run, pid);
		if (bad != NULL || (WIFEXITED(status) && !job->failed))
			continue;
		bad = job;
		if (!job->failed)
			(void) snprintf(job->violation, sizeof(job->violation),
				"the process was ended by signal %d", WTERMSIG(status));
		for (unsigned i = 0; i < run->jobs; i++)
			(void) kill(run->job[i].pid, SIGKILL);
	}
	return bad;
}

static int run_jobs(const struct run *run)
{
	time_t begun = time(NULL);
	struct job *bad;

	(void) fflush(stdout);
	for (unsigned i = 0; i < run->jobs; i++) {
		pid_t pid = fork();

		if (pid < 0)
			return 2;
		if (pid == 0) {
			work(run, i);
			_exit(0);
		}
		run->job[i].pid = pid;
	}
	bad = wait_for_jobs(run, begun);
	print_counts(run, begun);
	if (bad == NULL)
		return 0;
	printf("seed %llu: %s\n", (unsigned long long) bad->seed, bad->violation);
	return bad->failed && run->trace ? tell(run, bad->seed, false) : 1;
}

/* ---- options ---- */

#ifdef PAIR_MUTANTS
static bool choose_mutant(const char *name)
{
	for (unsigned i = 0; i < MUTANT_COUNT; i++)
		if (strcmp(mutants[i].name, name) == 0) {
			mutant_chosen = (enum mutant) i;
			return true;
		}
	return false;
}

static void list_mutants(void)
{
	for (unsigned i = 1; i < MUTANT_COUNT; i++)
		printf("%s %s %u %s\n", mutants[i].name, mutants[i].world, mutants[i].seeds,
			mutants[i].rule);
}
#else
static bool choose_mutant(const char *name)
{
	(void) name;
	return false;
}

static void list_mutants(void)
{
}
#endif

static bool choose_world(struct run *run, const char *name)
{
	unsigned kind = 0;

	while (kind < WORLD_KIND_COUNT && strcmp(world_names[kind], name) != 0)
		kind++;
	run->kind = (enum world_kind) kind;
	return strcmp(world_names[kind], name) == 0;
}

static bool parse_value(struct run *run, const char *name, const char *value)
{
	uint64_t number = strtoull(value, NULL, 10);

	if (strcmp(name, "--seeds") == 0)
		run->seeds = number;
	else if (strcmp(name, "--first") == 0)
		run->first = number;
	else if (strcmp(name, "--seed") == 0)
		run->seed = number;
	else if (strcmp(name, "--jobs") == 0)
		run->jobs = number == 0 || number > JOBS_MAX ? 1 : (unsigned) number;
	else if (strcmp(name, "--world") == 0)
		return choose_world(run, value);
	else
		return strcmp(name, "--mutant") == 0 && choose_mutant(value);
	return true;
}

static bool parse(struct run *run, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--trace") == 0)
			run->trace = true;
		else if (strcmp(argv[i], "--progress") == 0)
			run->progress = true;
		else if (i + 1 == argc || !parse_value(run, argv[i], argv[i + 1]))
			return false;
		else
			i++;
	}
	return true;
}

int main(int argc, char **argv)
{
	struct run run = { .seeds = 200, .first = 1, .jobs = 1, .kind = WORLD_KIND_COUNT };

	if (argc == 2 && strcmp(argv[1], "--list") == 0) {
		list_mutants();
		return 0;
	}
	if (!parse(&run, argc, argv)) {
		(void) fprintf(stderr, "usage: pair_sim [--seeds N] [--first S] [--jobs J] "
				       "[--progress] | --seed S [--trace]; both: [--world NAME]\n");
		return 2;
	}
	if (crypt_start() != ERR_OK)
		return 2;
	if (run.seed != 0)
		return tell(&run, run.seed, run.trace);
	run.job = mmap(NULL, JOBS_MAX * sizeof(*run.job), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return run.job == MAP_FAILED ? 2 : run_jobs(&run);
}
