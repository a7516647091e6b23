/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A task as vCenter does it: one connection, opened by a Discover Versions without id, then one
 * question after the other. When an endpoint fails, the task walks to the other one with the same
 * question. Every call runs the loop until it has its answer, so no call may come from a callback.
 */
#ifndef NODE_PROBE_TASK_H
#define NODE_PROBE_TASK_H

#include "node/probe.h"
#include "node/probe_client.h"
#include "node/probe_message.h"

struct probe_task {
	struct probe *probe;
	size_t endpoint; /* where the next question goes */
	struct probe_client *client; /* NULL: not connected */
	bool walked; /* in the last step: an earlier try may have been carried out unheard */
	uint64_t took_us; /* the last question, connecting and walking included */
	/* the running exchange */
	enum err err;
	struct slice frame;
	char text[PROBE_TEXT_SIZE]; /* why the last question failed, on each endpoint tried */
};

/* Nothing is opened yet. */
void probe_task_begin(struct probe_task *task, struct probe *probe, size_t endpoint);
/* Closes the connection; the task can go on, with a new one. */
void probe_task_end(struct probe_task *task);

/*
 * One question to the current endpoint. An error means that there was no right answer (task->text);
 * ERR_OK that there is one, be it a refusal (answer->err). The answer lives until the next
 * question of any task.
 */
MUST_USE enum err probe_task_ask(
	struct probe_task *task, const struct probe_request *request, struct probe_answer *answer);
/* The same, but each other endpoint is tried after a failure: no right answer, or General Failure.
 * Errors and General Failure only when all failed. Counts steps, walks and failures. */
MUST_USE enum err probe_task_step(
	struct probe_task *task, const struct probe_request *request, struct probe_answer *answer);

/* The address of the current endpoint. */
const char *probe_task_address(const struct probe_task *task);
/* The text to show after a step that did not succeed. */
const char *probe_task_why(const struct probe_task *task, const struct probe_answer *answer);
/* Lets time pass. */
void probe_pause(struct probe *probe, uint32_t delay_ms);
/* An endpoint drawn at random. */
size_t probe_draw_endpoint(struct probe *probe);

#endif
