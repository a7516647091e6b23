/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/keystore/scripted_service.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "base/text.h"

enum { DEADLINE_MS = 2500 };

static void answered(struct service *service, enum err err, const char *why)
{
	cr_assert_not(service->in_start, "called back from inside the start");
	service->answers++;
	service->err = err;
	(void) snprintf(service->why, sizeof(service->why), "%s", why == NULL ? "" : why);
	if (service->waiting != 0 && service->answers >= service->waiting)
		loop_stop(service->loop);
}

static void keep(char out[512], struct slice text)
{
	cr_assert_eq(text_copy(out, 512, text), ERR_OK);
}

static void service_on_wrapped(void *ctx, const struct keymanager_wrapped *result)
{
	struct service *service = ctx;

	keep(service->text[0], result->ciphertext);
	keep(service->text[2], result->key_version);
	service->crk = result->crk;
	answered(service, result->err, result->why);
}

static void service_on_unwrapped(void *ctx, const struct keymanager_unwrapped *result)
{
	struct service *service = ctx;

	keep(service->text[0], result->plaintext);
	keep(service->text[1], result->rewrapped);
	keep(service->text[2], result->key_version);
	service->crk = result->crk;
	answered(service, result->err, result->why);
}

static void service_on_got(void *ctx, const struct keymanager_got *result)
{
	struct service *service = ctx;

	service->has_key = result->key != NULL;
	if (result->key != NULL) {
		service->key = *result->key;
		keep(service->text[0], result->key->payload);
	}
	answered(service, result->err, result->why);
}

static void service_on_created(void *ctx, const struct keymanager_created *result)
{
	struct service *service = ctx;

	service->created = result->id;
	answered(service, result->err, result->why);
}

static void service_on_done(void *ctx, const struct keymanager_done *result)
{
	answered(ctx, result->err, result->why);
}

static void service_on_listed(void *ctx, const struct keymanager_listed *result)
{
	struct service *service = ctx;

	service->key_count = result->count;
	for (size_t i = 0; i < result->count && i < 4; i++)
		service->keys[i] = result->keys[i];
	answered(service, result->err, result->why);
}

static void service_on_root(void *ctx, const struct keymanager_root *result)
{
	struct service *service = ctx;

	service->root = *result;
	keep(service->text[2], result->key_version);
	answered(service, result->err, result->why);
}

static const struct keymanager_aad aad = { .parts = { { (const uint8_t *) "tenant-0001", 11 },
						   { (const uint8_t *) "00ff", 4 } },
	.count = 2 };

static struct keymanager_call call_of(struct service *service, uint32_t deadline_ms)
{
	service->in_start = true;
	return (struct keymanager_call){ .ctx = service, .deadline_ms = deadline_ms };
}

static struct keymanager_pending *started(
	struct service *service, enum err err, struct keymanager_pending **pending)
{
	service->in_start = false;
	cr_assert_eq(err, ERR_OK, "%s", err_name(err));
	cr_assert_not_null(*pending);
	return *pending;
}

static struct uid key_id(void)
{
	struct uid id;

	cr_assert_eq(uid_parse(&id, slice_text(SERVICE_KEY_ID)), ERR_OK);
	return id;
}

struct keymanager_pending *service_wrap(struct service *service, uint32_t deadline_ms)
{
	struct keymanager_call call = call_of(service, deadline_ms);
	struct keymanager_pending *pending = NULL;

	return started(service,
		keymanager_wrap_start(&pending, service->keymanager,
			slice_text("0123456789abcdef0123456789abcdef"), &aad, service_on_wrapped,
			&call),
		&pending);
}

struct keymanager_pending *service_unwrap(struct service *service)
{
	struct keymanager_call call = call_of(service, DEADLINE_MS);
	struct keymanager_pending *pending = NULL;

	return started(service,
		keymanager_unwrap_start(&pending, service->keymanager,
			slice_text("eyJ3cmFwcGVkIn0="), &aad, service_on_unwrapped, &call),
		&pending);
}

struct keymanager_pending *service_rewrap(struct service *service)
{
	struct keymanager_call call = call_of(service, DEADLINE_MS);
	struct keymanager_pending *pending = NULL;

	return started(service,
		keymanager_rewrap_start(&pending, service->keymanager,
			slice_text("eyJ3cmFwcGVkIn0="), &aad, service_on_wrapped, &call),
		&pending);
}

struct keymanager_pending *service_get(struct service *service)
{
	struct keymanager_call call = call_of(service, DEADLINE_MS);
	struct keymanager_pending *pending = NULL;
	struct uid id = key_id();

	return started(service,
		keymanager_get_start(&pending, service->keymanager, &id, service_on_got, &call),
		&pending);
}

struct keymanager_pending *service_create(struct service *service, uint32_t deadline_ms)
{
	struct keymanager_call call = call_of(service, deadline_ms);
	struct keymanager_pending *pending = NULL;

	return started(service,
		keymanager_create_start(&pending, service->keymanager, "kmip-tenant-0001-00ff",
			slice_text("KPE1 payload"), service_on_created, &call),
		&pending);
}

struct keymanager_pending *service_delete(struct service *service)
{
	struct keymanager_call call = call_of(service, DEADLINE_MS);
	struct keymanager_pending *pending = NULL;
	struct uid id = key_id();

	return started(service,
		keymanager_delete_start(&pending, service->keymanager, &id, service_on_done, &call),
		&pending);
}

struct keymanager_pending *service_list(
	struct service *service, const struct keymanager_list_query *query)
{
	struct keymanager_call call = call_of(service, DEADLINE_MS);
	struct keymanager_pending *pending = NULL;

	return started(service,
		keymanager_list_start(
			&pending, service->keymanager, query, service_on_listed, &call),
		&pending);
}

static struct keymanager_pending *root_start(struct service *service, bool background)
{
	struct keymanager_call call = call_of(service, DEADLINE_MS);
	struct keymanager_pending *pending = NULL;

	call.background = background;
	return started(service,
		keymanager_root_start(
			&pending, service->keymanager, KEYMANAGER_CRK, service_on_root, &call),
		&pending);
}

struct keymanager_pending *service_root(struct service *service)
{
	return root_start(service, false);
}

struct keymanager_pending *service_root_background(struct service *service)
{
	return root_start(service, true);
}

struct keymanager_pending *service_prepare(struct service *service)
{
	struct keymanager_call call = call_of(service, DEADLINE_MS);
	struct keymanager_pending *pending = NULL;

	return started(service,
		keymanager_prepare_start(&pending, service->keymanager, service_on_done, &call),
		&pending);
}
