/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness/fake_keymanager.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/crypt.h"
#include "base/rand.h"
#include "base/text.h"

/* The version of a wrapped text says which root key it was, too. */
enum { FAKE_SECOND_VERSION = 0x8000, FAKE_VERSION_LEN = 4 };
enum { FAKE_AAD_HEX = 16, FAKE_MASK = 0x5a, FAKE_BYTES_MAX = 65536, FAKE_ROOT_DATE = 1700000000 };

struct keymanager {
	struct fake_service *service;
	struct loop *loop;
	struct keymanager_pending *pendings;
	bool has_other;
	bool second[KEYMANAGER_CRK_COUNT]; /* which of the two root keys it is */
};

struct keymanager_pending {
	struct keymanager *keymanager;
	struct keymanager_pending *next, *previous;
	struct loop_timer *timer;
	enum fake_call call;
	struct fake_fault fault; /* what strikes this call; err ERR_OK and no stall: nothing */
	void *ctx;
	struct buf bytes;
	char aad[FAKE_AAD_HEX + 1];
	char name[91];
	struct uid id;
	struct keymanager_list_query query;
	enum keymanager_crk crk;
	union {
		void (*wrapped)(void *, const struct keymanager_wrapped *);
		void (*unwrapped)(void *, const struct keymanager_unwrapped *);
		void (*got)(void *, const struct keymanager_got *);
		void (*created)(void *, const struct keymanager_created *);
		void (*done)(void *, const struct keymanager_done *);
		void (*listed)(void *, const struct keymanager_listed *);
		void (*root)(void *, const struct keymanager_root *);
	} on;
};

/* ---- the service ---- */

void fake_service_init(struct fake_service *service)
{
	*service = (struct fake_service){ .root = KEYMANAGER_ROOT_ENABLED,
		.second = KEYMANAGER_ROOT_ENABLED,
		.root_version = 1 };
	service->keys = calloc(FAKE_KEYS_MAX, sizeof(*service->keys));
	ASSERT(service->keys != NULL);
	snprintf(service->name, sizeof(service->name), "%p", (void *) service);
}

void fake_service_free(struct fake_service *service)
{
	free(service->keys);
}

void fake_service_fault(struct fake_service *service, struct fake_fault fault)
{
	ASSERT(service->fault_count < FAKE_FAULTS_MAX);
	service->faults[service->fault_count++] = fault;
}

static int64_t service_now(const struct fake_service *service)
{
	return clock_wall_seconds() + service->ahead_s;
}

struct uid fake_service_put(
	struct fake_service *service, const char *name, bool standard, struct slice payload)
{
	struct fake_key *key = &service->keys[service->key_count++];

	ASSERT(service->key_count <= FAKE_KEYS_MAX && payload.len <= sizeof(key->payload));
	rand_bytes(key->key.id.bytes, sizeof(key->key.id.bytes));
	ASSERT(text_copy(key->key.name, sizeof(key->key.name), slice_text(name)) == ERR_OK);
	key->key.standard = standard;
	key->key.state = 1;
	key->key.created = key->key.updated = service_now(service);
	bytes_copy(key->payload, payload.data, payload.len);
	key->payload_len = payload.len;
	return key->key.id;
}

struct fake_key *fake_service_find(struct fake_service *service, const struct uid *id)
{
	for (size_t i = 0; i < service->key_count; i++) {
		if (uid_equal(&service->keys[i].key.id, id) && !service->keys[i].purged)
			return &service->keys[i];
	}
	return NULL;
}

void fake_service_delete(struct fake_service *service, const struct uid *id, int64_t at)
{
	struct keymanager_key *key = &fake_service_find(service, id)->key;

	key->state = 5;
	key->deleted = true;
	key->deletion = key->updated = at;
}

void fake_service_restore(struct fake_service *service, const struct uid *id, int64_t at)
{
	struct keymanager_key *key = &fake_service_find(service, id)->key;

	key->state = 1;
	key->deleted = false;
	key->updated = at;
}

void fake_service_age(struct fake_service *service, int64_t seconds)
{
	for (size_t i = 0; i < service->key_count; i++) {
		service->keys[i].key.created -= seconds;
		service->keys[i].key.updated -= seconds;
	}
}

size_t fake_service_count(const struct fake_service *service, const char *prefix)
{
	size_t count = 0;

	for (size_t i = 0; i < service->key_count; i++) {
		const struct fake_key *key = &service->keys[i];

		count += !key->purged && !key->key.deleted &&
			 strncmp(key->key.name, prefix, strlen(prefix)) == 0;
	}
	return count;
}

/* ---- a call's life ---- */

static struct fake_fault service_strike(struct fake_service *service, enum fake_call call)
{
	service->calls[call]++;
	if (service->down)
		return (struct fake_fault){ .call = call, .err = ERR_UNAVAILABLE };
	for (size_t i = 0; i < service->fault_count; i++) {
		struct fake_fault *fault = &service->faults[i];

		if (fault->call != call || fault->repeat == 0)
			continue;
		if (fault->countdown > 0) {
			fault->countdown--;
			continue;
		}
		fault->repeat--;
		return *fault;
	}
	return (struct fake_fault){ .call = call, .effect = true };
}

static void pending_free(struct keymanager_pending *pending)
{
	if (pending->next != NULL)
		pending->next->previous = pending->previous;
	if (pending->previous != NULL)
		pending->previous->next = pending->next;
	else
		pending->keymanager->pendings = pending->next;
	loop_timer_free(pending->timer);
	buf_free(&pending->bytes);
	free(pending);
}

static void pending_run(void *ctx);

static struct keymanager_pending *pending_new(
	struct keymanager *keymanager, enum fake_call call, const struct keymanager_call *options)
{
	struct keymanager_pending *pending = calloc(1, sizeof(*pending));

	ASSERT(pending != NULL);
	pending->keymanager = keymanager;
	pending->call = call;
	pending->ctx = options->ctx;
	pending->fault = service_strike(keymanager->service, call);
	buf_init(&pending->bytes, FAKE_BYTES_MAX);
	ASSERT(loop_timer_new(&pending->timer, keymanager->loop, pending_run, pending) == ERR_OK);
	pending->next = keymanager->pendings;
	if (pending->next != NULL)
		pending->next->previous = pending;
	keymanager->pendings = pending;
	loop_timer_set(pending->timer, pending->fault.delay_ms);
	return pending;
}

static bool pending_works(const struct keymanager_pending *pending)
{
	return pending->fault.err == ERR_OK || pending->fault.effect;
}

/* ---- wrap and unwrap: "0001:<of the aad>:<masked hex>" ---- */

static void aad_digest(char out[FAKE_AAD_HEX + 1], const struct keymanager_aad *aad)
{
	uint8_t hash[CRYPT_SHA256_LEN];

	ASSERT(crypt_sha256_parts(hash, aad->parts, aad->count) == ERR_OK);
	text_hex(out, slice_of(hash, FAKE_AAD_HEX / 2));
}

static enum err root_usable(const struct fake_service *service, bool second)
{
	return (second ? service->second : service->root) == KEYMANAGER_ROOT_ENABLED
		       ? ERR_OK
		       : ERR_ROOT_DISABLED;
}

static unsigned root_version(const struct fake_service *service, bool second)
{
	return second ? FAKE_SECOND_VERSION : service->root_version & 0x7fffu;
}

static void wrap_text(
	struct buf *out, struct keymanager_pending *pending, bool second, struct slice plain)
{
	ASSERT(buf_printf(out, "%04x:%s:", root_version(pending->keymanager->service, second),
		       pending->aad) == ERR_OK);
	for (size_t i = 0; i < plain.len; i++)
		ASSERT(buf_printf(out, "%02x", (unsigned) (plain.data[i] ^ FAKE_MASK)) == ERR_OK);
}

static void run_wrap(struct keymanager_pending *pending, void *ctx)
{
	struct keymanager_wrapped result = { .err = pending->fault.err };
	struct buf text;

	buf_init(&text, FAKE_BYTES_MAX);
	if (result.err == ERR_OK)
		result.err = root_usable(
			pending->keymanager->service, pending->keymanager->second[KEYMANAGER_CRK]);
	if (pending->fault.alter)
		pending->bytes.data[pending->bytes.start] ^= 1;
	wrap_text(&text, pending, pending->keymanager->second[KEYMANAGER_CRK],
		buf_slice(&pending->bytes));
	result.ciphertext = buf_slice(&text);
	result.key_version = slice_cut(result.ciphertext, 0, FAKE_VERSION_LEN);
	void (*on)(void *, const struct keymanager_wrapped *) = pending->on.wrapped;
	pending_free(pending);
	on(ctx, &result);
	buf_free(&text);
}

static enum err unwrap_text(struct buf *plain, const struct keymanager_pending *pending)
{
	struct slice text = buf_slice(&pending->bytes);
	struct slice hex = slice_cut(text, 6 + FAKE_AAD_HEX, SIZE_MAX);
	uint8_t *bytes;

	if (!slice_equal_text(slice_cut(text, 5, FAKE_AAD_HEX), pending->aad) || hex.len % 2 != 0)
		return ERR_CORRUPT;
	ASSERT(buf_reserve(plain, hex.len / 2 + 1, &bytes) == ERR_OK);
	if (text_unhex(bytes, hex.len / 2, hex) != ERR_OK)
		return ERR_CORRUPT;
	for (size_t i = 0; i < hex.len / 2; i++)
		bytes[i] ^= FAKE_MASK;
	buf_commit(plain, hex.len / 2);
	return ERR_OK;
}

static enum err unwrap_crk(
	enum keymanager_crk *out, const struct keymanager *keymanager, bool second)
{
	*out = KEYMANAGER_CRK;
	if (keymanager->second[KEYMANAGER_CRK] == second)
		return ERR_OK;
	*out = KEYMANAGER_OTHER_CRK;
	return keymanager->has_other && keymanager->second[KEYMANAGER_OTHER_CRK] == second
		       ? ERR_OK
		       : ERR_CORRUPT;
}

static bool is_by_second(const struct keymanager_pending *pending)
{
	return slice_cut(buf_slice(&pending->bytes), 0, 1).data[0] == '8';
}

static void run_rewrap(struct keymanager_pending *pending, void *ctx)
{
	struct keymanager_wrapped result = { .err = pending->fault.err };
	struct fake_service *service = pending->keymanager->service;
	bool second = is_by_second(pending);
	struct buf plain, text;

	buf_init(&plain, FAKE_BYTES_MAX);
	buf_init(&text, FAKE_BYTES_MAX);
	if (result.err == ERR_OK)
		result.err = unwrap_crk(&result.crk, pending->keymanager, second);
	if (result.err == ERR_OK)
		result.err = root_usable(service, second);
	if (result.err == ERR_OK)
		result.err = unwrap_text(&plain, pending);
	if (result.err == ERR_OK) {
		wrap_text(&text, pending, second, buf_slice(&plain));
		result.ciphertext = buf_slice(&text);
		result.key_version = slice_cut(result.ciphertext, 0, FAKE_VERSION_LEN);
	}
	void (*on)(void *, const struct keymanager_wrapped *) = pending->on.wrapped;
	pending_free(pending);
	on(ctx, &result);
	buf_free(&plain);
	buf_free(&text);
}

static void run_unwrap(struct keymanager_pending *pending, void *ctx)
{
	struct keymanager_unwrapped result = { .err = pending->fault.err };
	struct fake_service *service = pending->keymanager->service;
	bool second = is_by_second(pending);
	struct buf plain, again;
	char version[FAKE_VERSION_LEN + 1];

	buf_init(&plain, FAKE_BYTES_MAX);
	buf_init(&again, FAKE_BYTES_MAX);
	if (result.err == ERR_OK)
		result.err = unwrap_crk(&result.crk, pending->keymanager, second);
	if (result.err == ERR_OK)
		result.err = root_usable(service, second);
	if (result.err == ERR_OK)
		result.err = unwrap_text(&plain, pending);
	if (result.err == ERR_OK && pending->fault.alter)
		plain.data[plain.start] ^= 1;
	result.plaintext = buf_slice(&plain);
	snprintf(version, sizeof(version), "%04x", root_version(service, second));
	result.key_version = slice_text(version);
	if (result.err == ERR_OK &&
		!slice_equal_text(slice_cut(buf_slice(&pending->bytes), 0, 4), version)) {
		wrap_text(&again, pending, second, buf_slice(&plain));
		result.rewrapped = buf_slice(&again);
	}
	void (*on)(void *, const struct keymanager_unwrapped *) = pending->on.unwrapped;
	pending_free(pending);
	on(ctx, &result);
	buf_free(&plain);
	buf_free(&again);
}

/* ---- keys ---- */

static void run_get(struct keymanager_pending *pending, void *ctx)
{
	struct fake_key *found = fake_service_find(pending->keymanager->service, &pending->id);
	struct keymanager_got result = { .err = pending->fault.err };
	struct keymanager_key key;

	if (result.err == ERR_OK && found == NULL)
		result.err = ERR_NOT_FOUND;
	if (result.err == ERR_OK) {
		key = found->key;
		if (key.standard && !key.deleted)
			key.payload = slice_of(found->payload, found->payload_len);
		result.key = &key;
		result.err = key.deleted ? ERR_DESTROYED : ERR_OK;
	}
	void (*on)(void *, const struct keymanager_got *) = pending->on.got;
	pending_free(pending);
	on(ctx, &result);
}

static void run_create(struct keymanager_pending *pending, void *ctx)
{
	struct keymanager_created result = { .err = pending->fault.err };

	if (pending_works(pending))
		result.id = fake_service_put(pending->keymanager->service, pending->name, true,
			buf_slice(&pending->bytes));
	void (*on)(void *, const struct keymanager_created *) = pending->on.created;
	pending_free(pending);
	on(ctx, &result);
}

static void run_delete(struct keymanager_pending *pending, void *ctx)
{
	struct fake_service *service = pending->keymanager->service;
	struct fake_key *found = fake_service_find(service, &pending->id);
	struct keymanager_done result = { .err = pending->fault.err };

	if (result.err == ERR_OK && found == NULL)
		result.err = ERR_NOT_FOUND;
	if (found != NULL && !found->key.deleted && pending_works(pending) && !pending->fault.alter)
		fake_service_delete(service, &pending->id, service_now(service));
	void (*on)(void *, const struct keymanager_done *) = pending->on.done;
	pending_free(pending);
	on(ctx, &result);
}

static bool list_wants(const struct keymanager_list_query *query, const struct fake_key *key)
{
	if (query->only_destroyed && !key->key.deleted)
		return false;
	return !key->purged &&
	       (query->with_destroyed || query->only_destroyed || !key->key.deleted) &&
	       key->key.created >= query->created_since && key->key.updated >= query->updated_since;
}

static int compare_ids(const void *a, const void *b)
{
	const struct keymanager_key *left = a, *right = b;

	return slice_compare(slice_of(left->id.bytes, sizeof(left->id.bytes)),
		slice_of(right->id.bytes, sizeof(right->id.bytes)));
}

static int compare_newest(const void *a, const void *b)
{
	const struct keymanager_key *left = a, *right = b;

	return left->created == right->created ? 0 : (left->created > right->created ? -1 : 1);
}

static int compare_deletions(const void *a, const void *b)
{
	const struct keymanager_key *left = a, *right = b;

	return (left->deletion < right->deletion) - (left->deletion > right->deletion);
}

static void list_sort(
	const struct keymanager_list_query *query, struct keymanager_key *keys, size_t count)
{
	if (query->only_destroyed)
		qsort(keys, count, sizeof(*keys), compare_deletions);
	else
		qsort(keys, count, sizeof(*keys),
			query->newest_first ? compare_newest : compare_ids);
}

static void run_list(struct keymanager_pending *pending, void *ctx)
{
	struct fake_service *service = pending->keymanager->service;
	const struct keymanager_list_query *query = &pending->query;
	struct keymanager_key *keys = calloc(FAKE_KEYS_MAX, sizeof(*keys));
	struct keymanager_listed result = { .err = pending->fault.err };
	size_t count = 0;

	ASSERT(keys != NULL);
	for (size_t i = 0; i < service->key_count; i++) {
		if (list_wants(query, &service->keys[i]))
			keys[count++] = service->keys[i].key;
	}
	list_sort(query, keys, count);
	result.keys = keys + (query->offset < count ? query->offset : count);
	result.count = query->offset < count ? count - query->offset : 0;
	if (result.count > query->limit)
		result.count = query->limit;
	if (result.err != ERR_OK)
		result.count = 0;
	void (*on)(void *, const struct keymanager_listed *) = pending->on.listed;
	pending_free(pending);
	on(ctx, &result);
	free(keys);
}

static void run_root(struct keymanager_pending *pending, void *ctx)
{
	struct fake_service *service = pending->keymanager->service;
	bool second = pending->keymanager->second[pending->crk];
	char version[FAKE_VERSION_LEN + 1];
	struct keymanager_root result = { .err = pending->fault.err,
		.state = second ? service->second : service->root,
		.id = { { 0xc0, second } },
		.version_date = FAKE_ROOT_DATE + (int64_t) service->root_version };

	snprintf(version, sizeof(version), "%04x", root_version(service, second));
	result.key_version = slice_text(version);
	if (service->tells_no_version) {
		result.version_date = 0;
		result.key_version = SLICE_EMPTY;
	}
	void (*on)(void *, const struct keymanager_root *) = pending->on.root;

	pending_free(pending);
	on(ctx, &result);
}

static void run_prepare(struct keymanager_pending *pending, void *ctx)
{
	enum err err = pending->fault.err;
	struct keymanager_done result = { .err = err, .why = err == ERR_OK ? "" : "a policy" };
	void (*on)(void *, const struct keymanager_done *) = pending->on.done;

	pending_free(pending);
	on(ctx, &result);
}

static void pending_run(void *ctx)
{
	struct keymanager_pending *pending = ctx;
	static void (*const runs[FAKE_CALL_COUNT])(struct keymanager_pending *, void *) = {
		[FAKE_WRAP] = run_wrap,
		[FAKE_UNWRAP] = run_unwrap,
		[FAKE_REWRAP] = run_rewrap,
		[FAKE_GET] = run_get,
		[FAKE_CREATE] = run_create,
		[FAKE_DELETE] = run_delete,
		[FAKE_LIST] = run_list,
		[FAKE_ROOT] = run_root,
		[FAKE_PREPARE] = run_prepare,
	};
	struct fake_service *service = pending->keymanager->service;

	if (!pending->fault.stall) {
		runs[pending->call](pending, pending->ctx);
		return;
	}
	/* Stalled for good, perhaps after the work was done. */
	if (pending->fault.effect && pending->call == FAKE_CREATE)
		(void) fake_service_put(service, pending->name, true, buf_slice(&pending->bytes));
	if (pending->fault.effect && pending->call == FAKE_DELETE)
		fake_service_delete(service, &pending->id, service_now(service));
}

/* ---- keymanager.h ---- */

enum err keymanager_new(struct keymanager **out, const struct keymanager_options *options,
	char why[KEYMANAGER_WHY_MAX])
{
	struct keymanager *keymanager = calloc(1, sizeof(*keymanager));
	void *service;

	ASSERT(keymanager != NULL);
	if (sscanf(options->service_instance, "%p", &service) != 1) {
		snprintf(why, KEYMANAGER_WHY_MAX, "no such service");
		free(keymanager);
		return ERR_CONFIG;
	}
	keymanager->service = service;
	keymanager->loop = options->loop;
	*out = keymanager;
	return keymanager_set_roots(keymanager, options->root_key, options->other_root_key, why);
}

static bool is_second(const char *root_key)
{
	return root_key != NULL && strcmp(root_key, FAKE_SECOND_ROOT) == 0;
}

enum err keymanager_set_roots(struct keymanager *keymanager, const char *root_key,
	const char *other_root_key, char why[KEYMANAGER_WHY_MAX])
{
	(void) why;
	keymanager->second[KEYMANAGER_CRK] = is_second(root_key);
	keymanager->second[KEYMANAGER_OTHER_CRK] = is_second(other_root_key);
	keymanager->has_other = other_root_key != NULL;
	return ERR_OK;
}

void keymanager_free(struct keymanager *keymanager)
{
	if (keymanager == NULL)
		return;
	while (keymanager->pendings != NULL)
		pending_free(keymanager->pendings);
	free(keymanager);
}

enum err keymanager_reload(struct keymanager *keymanager, char why[KEYMANAGER_WHY_MAX])
{
	(void) keymanager;
	(void) why;
	return ERR_OK;
}

void keymanager_cancel(struct keymanager_pending *pending)
{
	if (pending != NULL)
		pending_free(pending);
}

enum err keymanager_wrap_start(struct keymanager_pending **out, struct keymanager *keymanager,
	struct slice plaintext, const struct keymanager_aad *aad,
	void (*on_wrapped)(void *ctx, const struct keymanager_wrapped *result),
	const struct keymanager_call *call)
{
	struct keymanager_pending *pending = pending_new(keymanager, FAKE_WRAP, call);

	ASSERT(plaintext.len > 0 && plaintext.len <= KEYMANAGER_WRAP_LEN_MAX);
	ASSERT(buf_append(&pending->bytes, plaintext) == ERR_OK);
	aad_digest(pending->aad, aad);
	pending->on.wrapped = on_wrapped;
	*out = pending;
	return ERR_OK;
}

enum err keymanager_unwrap_start(struct keymanager_pending **out, struct keymanager *keymanager,
	struct slice ciphertext, const struct keymanager_aad *aad,
	void (*on_unwrapped)(void *ctx, const struct keymanager_unwrapped *result),
	const struct keymanager_call *call)
{
	struct keymanager_pending *pending = pending_new(keymanager, FAKE_UNWRAP, call);

	ASSERT(ciphertext.len > 0 && buf_append(&pending->bytes, ciphertext) == ERR_OK);
	aad_digest(pending->aad, aad);
	pending->on.unwrapped = on_unwrapped;
	*out = pending;
	return ERR_OK;
}

enum err keymanager_rewrap_start(struct keymanager_pending **out, struct keymanager *keymanager,
	struct slice ciphertext, const struct keymanager_aad *aad,
	void (*on_rewrapped)(void *ctx, const struct keymanager_wrapped *result),
	const struct keymanager_call *call)
{
	struct keymanager_pending *pending = pending_new(keymanager, FAKE_REWRAP, call);

	ASSERT(ciphertext.len > 0 && buf_append(&pending->bytes, ciphertext) == ERR_OK);
	aad_digest(pending->aad, aad);
	pending->on.wrapped = on_rewrapped;
	*out = pending;
	return ERR_OK;
}

enum err keymanager_get_start(struct keymanager_pending **out, struct keymanager *keymanager,
	const struct uid *id, void (*on_got)(void *ctx, const struct keymanager_got *result),
	const struct keymanager_call *call)
{
	struct keymanager_pending *pending = pending_new(keymanager, FAKE_GET, call);

	pending->id = *id;
	pending->on.got = on_got;
	*out = pending;
	return ERR_OK;
}

enum err keymanager_create_start(struct keymanager_pending **out, struct keymanager *keymanager,
	const char *name, struct slice payload,
	void (*on_created)(void *ctx, const struct keymanager_created *result),
	const struct keymanager_call *call)
{
	struct keymanager_pending *pending = pending_new(keymanager, FAKE_CREATE, call);

	ASSERT(payload.len > 0 && payload.len <= KEYMANAGER_PAYLOAD_LEN_MAX);
	ASSERT(buf_append(&pending->bytes, payload) == ERR_OK);
	ASSERT(text_copy(pending->name, sizeof(pending->name), slice_text(name)) == ERR_OK);
	pending->on.created = on_created;
	*out = pending;
	return ERR_OK;
}

enum err keymanager_delete_start(struct keymanager_pending **out, struct keymanager *keymanager,
	const struct uid *id, void (*on_deleted)(void *ctx, const struct keymanager_done *result),
	const struct keymanager_call *call)
{
	struct keymanager_pending *pending = pending_new(keymanager, FAKE_DELETE, call);

	pending->id = *id;
	pending->on.done = on_deleted;
	*out = pending;
	return ERR_OK;
}

enum err keymanager_list_start(struct keymanager_pending **out, struct keymanager *keymanager,
	const struct keymanager_list_query *query,
	void (*on_listed)(void *ctx, const struct keymanager_listed *result),
	const struct keymanager_call *call)
{
	struct keymanager_pending *pending = pending_new(keymanager, FAKE_LIST, call);

	pending->query = *query;
	pending->on.listed = on_listed;
	*out = pending;
	return ERR_OK;
}

enum err keymanager_root_start(struct keymanager_pending **out, struct keymanager *keymanager,
	enum keymanager_crk crk, void (*on_root)(void *ctx, const struct keymanager_root *result),
	const struct keymanager_call *call)
{
	struct keymanager_pending *pending = pending_new(keymanager, FAKE_ROOT, call);

	ASSERT(crk == KEYMANAGER_CRK || keymanager->has_other);
	pending->crk = crk;
	pending->on.root = on_root;
	*out = pending;
	return ERR_OK;
}

enum err keymanager_prepare_start(struct keymanager_pending **out, struct keymanager *keymanager,
	void (*on_prepared)(void *ctx, const struct keymanager_done *result),
	const struct keymanager_call *call)
{
	struct keymanager_pending *pending = pending_new(keymanager, FAKE_PREPARE, call);

	pending->on.done = on_prepared;
	*out = pending;
	return ERR_OK;
}

void keymanager_health(const struct keymanager *keymanager, struct keymanager_health *out)
{
	*out = (struct keymanager_health){ .reachable = !keymanager->service->down &&
							!keymanager->service->unheard };
}

int64_t keymanager_seconds(const struct keymanager *keymanager)
{
	int64_t ahead_s = keymanager->service->ahead_s;

	return clock_wall_seconds() + (ahead_s < 0 ? ahead_s : 0);
}

const struct keymanager_meter *keymanager_meter(const struct keymanager *keymanager)
{
	static const struct keymanager_meter nothing;

	(void) keymanager;
	return &nothing;
}
