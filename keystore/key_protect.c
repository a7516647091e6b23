/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/key_protect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "keystore/key_protect_private.h"

enum { CONNECTIONS_DEFAULT = 16, CONNECTIONS_MAX = 128 };

static struct key_protect *key_protect_of(struct keymanager *keymanager)
{
	return (struct key_protect *) keymanager;
}

static void key_protect_free(struct keymanager *keymanager)
{
	struct key_protect *km = key_protect_of(keymanager);
	while (km->calls != NULL) {
		struct call *call = km->calls;
		km->calls = call->next;
		call_free(call);
	}
	iam_free(km->iam);
	http_free(km->http);
	free(km);
}

/* Values go into header lines and URLs. */
static enum err copy_option(
	char out[KEY_PROTECT_TEXT_MAX], const char *text, const char *name, char *why)
{
	struct slice value = slice_text(text);
	bool good = value.len > 0 && text_copy(out, KEY_PROTECT_TEXT_MAX, value) == ERR_OK;
	for (size_t i = 0; good && i < value.len; i++)
		good = value.data[i] >= ' ' && value.data[i] <= '~';
	if (good)
		return ERR_OK;
	snprintf(why, KEYMANAGER_WHY_MAX, "%s is empty, too long, or not plain text", name);
	return ERR_CONFIG;
}

static enum err key_protect_set_roots(struct keymanager *keymanager, const char *root_key,
	const char *other_root_key, char why[KEYMANAGER_WHY_MAX])
{
	enum err err;
	struct key_protect *km = key_protect_of(keymanager);
	char root[KEY_PROTECT_TEXT_MAX], other[KEY_PROTECT_TEXT_MAX] = "";
	TRY(copy_option(root, root_key, "root-key", why));
	if (other_root_key != NULL)
		TRY(copy_option(other, other_root_key, "other-root-key", why));
	bytes_copy(km->root_keys[KEYMANAGER_CRK], root, sizeof(root));
	bytes_copy(km->root_keys[KEYMANAGER_OTHER_CRK], other, sizeof(other));
	km->opened_last = KEYMANAGER_CRK;
out:
	return err;
}

static enum err copy_url(struct key_protect *km, const char *url, char *why)
{
	enum err err;
	TRY(copy_option(km->url, url, "url", why));
	if (http_check_url(url) != ERR_OK) {
		snprintf(why, KEYMANAGER_WHY_MAX, "address %.150s is not an https URL", url);
		return ERR_CONFIG;
	}
	for (size_t len = strlen(km->url); len > 0 && km->url[len - 1] == '/'; len--)
		km->url[len - 1] = '\0';
out:
	return err;
}

static enum err copy_options(
	struct key_protect *km, const struct keymanager_options *options, char *why)
{
	enum err err;
	TRY(copy_url(km, options->url, why));
	TRY(copy_option(km->service_instance, options->service_instance, "service-instance", why));
	TRY(copy_option(km->key_ring, options->key_ring, "key-ring", why));
	TRY(key_protect_set_roots(&km->base, options->root_key, options->other_root_key, why));
	TRY(copy_option(km->name, options->name, "name", why));
	if (!text_is_uuid(slice_text(km->service_instance))) {
		snprintf(why, KEYMANAGER_WHY_MAX, "service-instance is not a UUID");
		err = ERR_CONFIG;
	}
out:
	return err;
}

static uint32_t slots_of(const struct keymanager_options *options)
{
	if (options->connections_max == 0)
		return CONNECTIONS_DEFAULT;
	return options->connections_max < CONNECTIONS_MAX ? options->connections_max
							  : CONNECTIONS_MAX;
}

static enum err key_protect_new(struct keymanager **out, const struct keymanager_options *options,
	char why[KEYMANAGER_WHY_MAX])
{
	enum err err;
	char proof_url[KEY_PROTECT_URL_MAX];
	char proof_header[KEY_PROTECT_TEXT_MAX + 24];
	struct key_protect *km = calloc(1, sizeof(*km));
	if (km == NULL)
		return ERR_NOMEM;
	km->base.ops = &key_protect_ops;
	km->loop = options->loop;
	TRY(copy_options(km, options, why));
	struct http_options http = {
		.loop = options->loop,
		.ca_file = options->ca_file,
		.proxy = options->proxy,
		.client_slots = slots_of(options),
	};
	TRY(http_new(&km->http, &http, why));
	circuit_init(&km->circuit, km->name);
	struct iam_options iam = {
		.loop = options->loop,
		.http = km->http,
		.url = options->iam_url,
		.api_key_file = options->api_key_file,
		.name = km->name,
		.proof_header = proof_header,
		.proof_url = proof_url,
	};
	key_protect_root_url(proof_url, km, "metadata");
	snprintf(proof_header, sizeof(proof_header), "Bluemix-Instance: %s", km->service_instance);
	TRY(iam_new(&km->iam, &iam, why));
	*out = &km->base;
out:
	if (err != ERR_OK)
		key_protect_free(&km->base);
	return err;
}

static enum err key_protect_reload(struct keymanager *keymanager, char why[KEYMANAGER_WHY_MAX])
{
	struct key_protect *km = key_protect_of(keymanager);
	enum err err = http_reload(km->http, why);
	return err == ERR_OK ? iam_reload(km->iam, why) : err;
}

static enum err make_call(
	struct call **out, struct key_protect *km, const struct keymanager_order *order)
{
	enum err err;
	struct call *call = calloc(1, sizeof(*call));
	if (call == NULL)
		return ERR_NOMEM;
	call->base.ops = &key_protect_ops;
	call->km = km;
	call->verb = order->verb;
	call->callback = order->callback;
	call->ctx = order->call->ctx;
	call->background = order->call->background;
	if (order->id != NULL)
		call->id = *order->id;
	call->deadline_ms = loop_now_ms(km->loop) + order->call->deadline_ms;
	call->began_us = clock_boot_us();
	call->waiter = (struct iam_waiter){ .on_ready = call_on_token, .ctx = call };
	buf_init(&call->body, KEY_PROTECT_REQUEST_MAX);
	loop_task_init(&call->begin_task, call_begin, call);
	text_uuid(call->correlation);
	TRY(arena_new(&call->arena, KEY_PROTECT_ANSWER_MAX));
	TRY(loop_timer_new(&call->timer, km->loop, call_on_timer, call));
	TRY(call_prepare(call, order));
	*out = call;
out:
	if (err != ERR_OK)
		call_free(call);
	return err;
}

static enum err key_protect_start(struct keymanager_pending **out, struct keymanager *keymanager,
	const struct keymanager_order *order)
{
	enum err err;
	struct key_protect *km = key_protect_of(keymanager);
	struct call *call = NULL;
	uint32_t kept = order->call->background ? 0 : KEY_PROTECT_BACKGROUND_CALLS;
	if (km->call_count >= KEYMANAGER_CALLS_MAX - kept)
		return ERR_LIMIT;
	TRY(make_call(&call, km, order));
	call->next = km->calls;
	if (km->calls != NULL)
		km->calls->previous = call;
	km->calls = call;
	km->call_count++;
	loop_timer_set(call->timer, order->call->deadline_ms);
	loop_defer(km->loop, &call->begin_task);
	*out = &call->base;
out:
	return err;
}

static void key_protect_health(const struct keymanager *keymanager, struct keymanager_health *out)
{
	const struct key_protect *km = (const struct key_protect *) keymanager;
	uint32_t queued = 0;
	*out = km->health;
	http_count(km->http, &out->running, &queued);
	http_throttling(km->http, &out->slots, &out->throttled);
	out->circuit = sm_state_name(&km->circuit.sm);
	out->circuit_opened = km->circuit.opened;
	out->circuit_refused = km->circuit.refused;
	snprintf(out->credential, sizeof(out->credential), "%s", iam_trial_outcome(km->iam));
	/* Calls that wait for a token, a slot or their next attempt. */
	out->queued = km->call_count > out->running ? km->call_count - out->running : 0;
}

const struct keymanager_ops key_protect_ops = {
	.kinds = { "key-protect", "hpcs" },
	.create = key_protect_new,
	.free = key_protect_free,
	.reload = key_protect_reload,
	.set_roots = key_protect_set_roots,
	.start = key_protect_start,
	.cancel = call_cancel,
	.health = key_protect_health,
};
