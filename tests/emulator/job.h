/* SPDX-License-Identifier: Apache-2.0 */
/* One request being answered: at once, or later and badly, as a fault asks. */
#ifndef EMULATOR_JOB_H
#define EMULATOR_JOB_H

#include <event2/http.h>
#include <sys/queue.h>

#include "tests/emulator/emulator.h"

struct job;
TAILQ_HEAD(job_list, job);

/* Serves the request, now or after what the armed faults demand. The job frees itself when the
 * answer has been handed over or the connection cut. */
void job_start(struct job_list *jobs, struct emulator *emulator, struct evhttp_request *http);
/* Frees all that wait, without answers: before the HTTP server is freed. */
void job_free_all(struct job_list *jobs);

#endif
