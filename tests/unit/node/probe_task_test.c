/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client and the walk between endpoints, against two small TLS servers in the same loop that
 * answer Discover Versions, or misbehave as told.
 */
#include "tests/unit/node/probe_server.h"

enum behaviour { ANSWERS, IS_SILENT, CLOSES, TALKS_RUBBISH, ANSWERS_TWICE, FAILS, REFUSES };

/* ---- the servers ---- */

static void answer(struct server *server, struct stream *stream, struct slice frame, enum err err)
{
	struct arena *arena;
	struct kmip_request request;
	struct kmip_protocol_version version = kmip_protocol_version(KMIP_1_1);
	struct kmip_discover_versions_response payload = { .versions = { &version, 1 } };
	struct codec codec = { .version = KMIP_1_1 };
	struct kmip_response_header header = {
		.version = &version, .time_stamp = KMIP_LONG(1700000000), .batch_count = KMIP_INT(1)
	};
	struct kmip_response_item item;
	struct buf bytes;

	buf_init(&bytes, 4096);
	cr_assert_eq(arena_new(&arena, 65536), ERR_OK);
	codec.arena = arena;
	cr_assert_eq(kmip_request_decode(&request, arena, frame), ERR_OK);
	item = (struct kmip_response_item){ .operation = request.entries[0].item.operation,
		.id = request.entries[0].item.id };
	kmip_result_fill(&item, err, KMIP_1_1);
	if (err == ERR_OK)
		cr_assert_eq(kmip_payload_encode(&item.payload, &codec,
				     &kmip_discover_versions_response_table, &payload),
			ERR_OK);
	cr_assert_eq(kmip_response_encode(&bytes, &header, &item), ERR_OK);
	cr_assert_eq(stream_send(stream, buf_slice(&bytes)), ERR_OK);
	if (server->behaviour == ANSWERS_TWICE && server->requests > server->good_requests)
		cr_assert_eq(stream_send(stream, buf_slice(&bytes)), ERR_OK);
	buf_free(&bytes);
	arena_free(arena);
}

static void behave(struct server *server, struct stream *stream, struct slice frame)
{
	bool is_good = server->requests++ < server->good_requests;

	switch (is_good ? ANSWERS : (enum behaviour) server->behaviour) {
	case ANSWERS:
	case ANSWERS_TWICE:
		answer(server, stream, frame, ERR_OK);
		break;
	case FAILS:
		answer(server, stream, frame, ERR_UNAVAILABLE);
		break;
	case REFUSES:
		answer(server, stream, frame, ERR_NOT_FOUND);
		break;
	case TALKS_RUBBISH:
		cr_assert_eq(stream_send(stream, SLICE_LITERAL("HTTP/1.1 200 OK\r\n")), ERR_OK);
		break;
	case CLOSES:
		stream_close(stream);
		break;
	case IS_SILENT:
		break;
	}
}

static void open_servers(void)
{
	open_world(behave);
}

TestSuite(probe_task, .init = open_servers, .fini = close_world, .timeout = 20);

static const struct probe_request discover = { .operation = KMIP_OPERATION_DISCOVER_VERSIONS };

/* A task keeps its connection: the greeting and two questions are three requests on one. */
Test(probe_task, keeps_its_connection)
{
	struct probe_task task;
	struct probe_answer answered;

	probe_task_begin(&task, &world.probe, 0);
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(probe_task_ask(&task, &discover, &answered), ERR_OK, "%s", task.text);
		cr_assert_eq(answered.err, ERR_OK);
		cr_assert_eq(answered.version_count, 1);
	}
	cr_assert_eq(world.servers[0].connections, 1);
	cr_assert_eq(world.servers[0].requests, 3);
	cr_assert_eq(stream_peer(probe_client_stream(task.client))->not_after,
		world.server_id.peer.not_after);
	probe_task_end(&task);
}

/* Each way to fail has its error and its words, and the task can go on afterwards. */
Test(probe_task, failures)
{
	static const struct {
		enum behaviour behaviour;
		enum err err;
		const char *text;
	} cases[] = {
		{ IS_SILENT, ERR_TIMEOUT, "no answer within" },
		{ CLOSES, ERR_CLOSED, "the connection broke" },
		{ TALKS_RUBBISH, ERR_MESSAGE, "not KMIP" },
		{ ANSWERS_TWICE, ERR_MESSAGE, "more than it was asked for" },
		{ FAILS, ERR_UNAVAILABLE, "General Failure" },
	};
	struct probe_task task;
	struct probe_answer answered;

	probe_task_begin(&task, &world.probe, 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		world.servers[0].behaviour = (int) cases[i].behaviour;
		cr_assert_eq(probe_task_ask(&task, &discover, &answered), cases[i].err, "%zu: %s",
			i, task.text);
		cr_assert_not_null(strstr(task.text, cases[i].text), "%s", task.text);
		cr_assert_null(task.client);
	}
	world.servers[0].behaviour = ANSWERS;
	cr_assert_eq(probe_task_ask(&task, &discover, &answered), ERR_OK, "%s", task.text);
	probe_task_end(&task);
}

/* The step goes on to the other endpoint, whether the first is down, silent or failing, also in the
 * middle of a task; and stays there. */
Test(probe_task, walks)
{
	static const enum behaviour behaviours[] = { IS_SILENT, CLOSES, FAILS };
	struct probe_answer answered;
	struct probe_task task;

	for (size_t i = 0; i < sizeof(behaviours) / sizeof(behaviours[0]); i++) {
		world.servers[0].behaviour = (int) behaviours[i];
		world.servers[0].good_requests = world.servers[0].requests + (int) i;
		probe_task_begin(&task, &world.probe, 0);
		cr_assert_eq(probe_task_step(&task, &discover, &answered), ERR_OK, "%s", task.text);
		if (i == 2)
			cr_assert_eq(probe_task_step(&task, &discover, &answered), ERR_OK, "%s",
				task.text);
		cr_assert_eq(task.endpoint, 1);
		cr_assert(task.walked);
		cr_assert_str_eq(task.text, "");
		probe_task_end(&task);
	}
	cr_assert_eq(world.probe.counts.walks, 3);
	server_stop(&world.servers[0]);
	probe_task_begin(&task, &world.probe, 0);
	cr_assert_eq(probe_task_step(&task, &discover, &answered), ERR_OK, "%s", task.text);
	cr_assert_eq(task.endpoint, 1);
	cr_assert_eq(world.probe.counts.all_failed, 0);
	probe_task_end(&task);
}

/* A refusal is an answer and no reason to walk. */
Test(probe_task, refusal_stays)
{
	struct probe_answer answered;
	struct probe_task task;

	world.servers[0].behaviour = REFUSES;
	world.servers[0].good_requests = 1;
	probe_task_begin(&task, &world.probe, 0);
	cr_assert_eq(probe_task_step(&task, &discover, &answered), ERR_OK);
	cr_assert_eq(answered.err, ERR_NOT_FOUND);
	cr_assert_eq(world.probe.counts.walks, 0);
	probe_task_end(&task);
}

/* When all fail, the text says why of each. */
Test(probe_task, all_fail)
{
	struct probe_answer answered;
	struct probe_task task;

	world.servers[0].behaviour = FAILS;
	world.servers[0].good_requests = 1;
	server_stop(&world.servers[1]);
	probe_task_begin(&task, &world.probe, 0);
	cr_assert_neq(probe_task_step(&task, &discover, &answered), ERR_OK);
	cr_assert_not_null(strstr(task.text, "General Failure"), "%s", task.text);
	cr_assert_not_null(strstr(task.text, world.servers[1].address), "%s", task.text);
	cr_assert_eq(world.probe.counts.all_failed, 1);
	probe_task_end(&task);
}

/* The seed alone decides the draws. */
Test(probe_task, draws_repeat)
{
	struct probe one = { .options = &world.options, .random = 7 }, two = one;
	size_t ones = 0;

	for (int i = 0; i < 1000; i++) {
		size_t drawn = probe_draw_endpoint(&one);
		cr_assert_eq(probe_draw_endpoint(&two), drawn);
		ones += drawn;
	}
	cr_assert(ones > 400 && ones < 600, "%zu", ones);
}
