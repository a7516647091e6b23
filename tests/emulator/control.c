/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/emulator/control.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "tests/emulator/emulator.h"
#include "tests/emulator/handlers.h"
#include "tests/emulator/route.h"

/* A century and a day per millisecond: beyond these only overflow waits. */
#define ADVANCE_MAX_S 3.2e9
#define SCALE_MAX 8.64e7

bool control_is_for(const struct request *request)
{
	return request->segment_count > 0 && request->segments[0] != NULL &&
	       strcmp(request->segments[0], "_control") == 0;
}

static bool control_is_local(const struct request *request)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(request->http);
	char *address = NULL;
	ev_uint16_t port = 0;

	if (connection == NULL)
		return false;
	evhttp_connection_get_peer(connection, &address, &port);
	return address != NULL && (strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0);
}

static void control_done(struct request *request)
{
	request_answer(request, 200, cJSON_CreateObject());
}

static void control_bad(struct request *request, const char *why)
{
	request->status = 400;
	request->answer_text = why;
}

static void control_arm(struct request *request)
{
	enum err err = fault_arm(&request->emulator->faults, request->body);

	if (err == ERR_LIMIT)
		control_bad(request, "too many faults\n");
	else if (err != ERR_OK)
		control_bad(request, "not a fault\n");
	else
		control_done(request);
}

static void control_disarm(struct request *request)
{
	fault_clear(&request->emulator->faults);
	control_done(request);
}

static void control_mode(struct request *request)
{
	const char *bad = NULL;

	if (knobs_set(&request->world->knobs, request->body, &bad) != ERR_OK) {
		log_warning(
			"knob-refused", "name=%s", log_quoted(slice_text(bad != NULL ? bad : "")));
		control_bad(request, "no such knob, or not its value: see --help\n");
		return;
	}
	request_answer(request, 200, knobs_json(&request->world->knobs));
}

/* Back to the defaults, but for the life of tokens that the command line gave. */
static void control_reset_mode(struct request *request)
{
	struct knobs knobs = knobs_default;

	knobs.token_life_s = request->emulator->token_life_s;
	request->world->knobs = knobs;
	request_answer(request, 200, knobs_json(&request->world->knobs));
}

static void control_clock(struct request *request)
{
	struct timeline *timeline = &request->world->timeline;
	const cJSON *advance = cJSON_GetObjectItem(request->body, "advance_s");
	const cJSON *scale = cJSON_GetObjectItem(request->body, "scale");
	char now[RFC3339_TEXT_LEN + 1];

	if (cJSON_IsNumber(scale) && scale->valuedouble >= 0 && scale->valuedouble <= SCALE_MAX)
		timeline_set_scale(timeline, scale->valuedouble);
	if (cJSON_IsNumber(advance) && fabs(advance->valuedouble) <= ADVANCE_MAX_S)
		timeline_advance(timeline, (int64_t) advance->valuedouble);
	world_save_clock(request->world);
	text_rfc3339_from(now, timeline_now(timeline));
	cJSON *answer = cJSON_CreateObject();
	cJSON_AddStringToObject(answer, "now", now);
	request_answer(request, 200, answer);
}

static void control_counters(struct request *request)
{
	request_answer(request, 200, route_counters_json(request->emulator->counters));
}

static void control_reset_counters(struct request *request)
{
	bytes_zero(request->emulator->counters, sizeof(request->emulator->counters));
	control_done(request);
}

static cJSON *control_key(const struct key *key, const struct key_context *context)
{
	cJSON *out = cJSON_CreateObject();
	cJSON *aliases = cJSON_CreateArray();

	cJSON_AddStringToObject(out, "id", key->id);
	cJSON_AddStringToObject(out, "name", key->name);
	cJSON_AddStringToObject(out, "ring", key->ring);
	cJSON_AddNumberToObject(out, "state", (double) key_state_at(key, context));
	cJSON_AddBoolToObject(out, "extractable", key->extractable);
	cJSON_AddNumberToObject(out, "versions", (double) key->version_count);
	cJSON_AddNumberToObject(
		out, "payload_chars", key->payload != NULL ? (double) strlen(key->payload) : 0);
	for (size_t i = 0; i < key->alias_count; i++)
		cJSON_AddItemToArray(aliases, cJSON_CreateString(key->aliases[i].name));
	cJSON_AddItemToObject(out, "aliases", aliases);
	return out;
}

static void control_register(struct request *request)
{
	if (registration_make(request->world, request->body))
		control_done(request);
	else
		control_bad(request, "a registration has the key's id and a resource_crn\n");
}

static void control_state(struct request *request)
{
	struct world *world = request->world;
	struct key **keys = world_keys(world);
	cJSON *answer = cJSON_CreateObject();
	cJSON *list = cJSON_AddArrayToObject(answer, "keys");
	struct key_context context = world_context(world);
	char now[RFC3339_TEXT_LEN + 1];

	text_rfc3339_from(now, context.now);
	for (size_t i = 0; i < world->key_count; i++)
		cJSON_AddItemToArray(list, control_key(keys[i], &context));
	cJSON_AddItemToObject(answer, "rings", cJSON_Duplicate(world->rings, true));
	cJSON_AddStringToObject(answer, "instance", world->instance);
	cJSON_AddStringToObject(answer, "now", now);
	request_answer(request, 200, answer);
	free(keys);
}

static const struct {
	const char *method;
	const char *name;
	void (*handle)(struct request *request);
} controls[] = {
	{ "POST", "fault", control_arm },
	{ "DELETE", "fault", control_disarm },
	{ "POST", "mode", control_mode },
	{ "GET", "mode", control_mode },
	{ "DELETE", "mode", control_reset_mode },
	{ "POST", "clock", control_clock },
	{ "GET", "counters", control_counters },
	{ "DELETE", "counters", control_reset_counters },
	{ "GET", "state", control_state },
	{ "POST", "registration", control_register },
};

void control_dispatch(struct request *request)
{
	request->status = 404;
	request->answer_text = "no such control\n";
	if (!control_is_local(request)) {
		request->status = 403;
		request->answer_text = "the control endpoint is for the loopback only\n";
		return;
	}
	if (request_read_body(request) != REFUSE_NOTHING) {
		control_bad(request, "not JSON\n");
		return;
	}
	for (size_t i = 0; i < sizeof(controls) / sizeof(controls[0]); i++) {
		if (request->segment_count != 2 ||
			strcmp(controls[i].name, request->segments[1]) != 0 ||
			strcmp(controls[i].method, request->method) != 0)
			continue;
		request->answer_text = NULL;
		controls[i].handle(request);
		return;
	}
}
