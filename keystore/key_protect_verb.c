/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/secret.h"
#include "keystore/key_protect_json.h"
#include "keystore/key_protect_private.h"

enum { RINGS_LIMIT = 5000 };

static const char unreserved[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

static void escape(char *out, size_t size, const char *text)
{
	size_t len = 0;
	for (; *text != '\0' && len + 4 <= size; text++) {
		if (strchr(unreserved, *text) != NULL)
			out[len++] = *text;
		else
			len += (size_t) snprintf(
				out + len, size - len, "%%%02X", (unsigned) (unsigned char) *text);
	}
	out[len] = '\0';
}

static void set_request(struct call *call, const char *method, const char *path)
{
	call->method = method;
	int len = snprintf(call->url, sizeof(call->url), "%s/api/v2/%s", call->km->url, path);
	ASSERT(len > 0 && (size_t) len < sizeof(call->url));
}

static void set_root_request(struct call *call, const char *method, const char *action)
{
	char root[3 * KEY_PROTECT_TEXT_MAX];
	char path[3 * KEY_PROTECT_TEXT_MAX + 40];
	escape(root, sizeof(root), call->root_key);
	snprintf(path, sizeof(path), "keys/%s/%s", root, action);
	set_request(call, method, path);
}

void key_protect_root_url(
	char url[KEY_PROTECT_URL_MAX], const struct key_protect *km, const char *what)
{
	char root[3 * KEY_PROTECT_TEXT_MAX];
	escape(root, sizeof(root), km->root_keys[KEYMANAGER_CRK]);
	int len = snprintf(url, KEY_PROTECT_URL_MAX, "%s/api/v2/keys/%s/%s", km->url, root, what);
	ASSERT(len > 0 && len < KEY_PROTECT_URL_MAX);
}

static void set_key_request(struct call *call, const char *method)
{
	char id[UUID_TEXT_LEN + 1];
	char path[UUID_TEXT_LEN + 8];
	uid_text(id, &call->id);
	snprintf(path, sizeof(path), "keys/%s", id);
	set_request(call, method, path);
}

static size_t append_since(char *path, size_t size, const char *property, int64_t since)
{
	char date[RFC3339_TEXT_LEN + 1];
	char filter[64];
	char escaped[3 * sizeof(filter)];
	text_rfc3339_from(date, since);
	snprintf(filter, sizeof(filter), "%s=gte:\"%s\"", property, date);
	escape(escaped, sizeof(escaped), filter);
	return (size_t) snprintf(path, size, "%s", escaped);
}

static const char *list_states(const struct keymanager_list_query *query)
{
	if (query->only_destroyed)
		return "5";
	return query->with_destroyed ? "0,1,2,3,5" : "0,1,2,3";
}

static const char *list_order(const struct keymanager_list_query *query)
{
	if (query->only_destroyed)
		return "-deletionDate";
	return query->newest_first ? "-creationDate" : "id";
}

static void set_list_request(struct call *call, const struct keymanager_list_query *query)
{
	char path[512];
	size_t len =
		(size_t) snprintf(path, sizeof(path), "keys?limit=%u&offset=%u&state=%s&sort=%s",
			query->limit, query->offset, list_states(query), list_order(query));
	if (query->created_since > 0 || query->updated_since > 0)
		len += (size_t) snprintf(path + len, sizeof(path) - len, "&filter=");
	if (query->created_since > 0)
		len += append_since(
			path + len, sizeof(path) - len, "creationDate", query->created_since);
	if (query->created_since > 0 && query->updated_since > 0)
		len += (size_t) snprintf(path + len, sizeof(path) - len, "%%20");
	if (query->updated_since > 0)
		append_since(
			path + len, sizeof(path) - len, "lastUpdateDate", query->updated_since);
	set_request(call, "GET", path);
	call->with_ring = !query->any_ring;
}

static void set_rings_request(struct call *call)
{
	char path[40];
	snprintf(path, sizeof(path), "key_rings?limit=%d", RINGS_LIMIT);
	set_request(call, "GET", path);
	call->step = STEP_RINGS;
}

static void set_make_ring_request(struct call *call)
{
	char ring[3 * KEY_PROTECT_TEXT_MAX];
	char path[3 * KEY_PROTECT_TEXT_MAX + 12];
	escape(ring, sizeof(ring), call->km->key_ring);
	snprintf(path, sizeof(path), "key_rings/%s", ring);
	set_request(call, "POST", path);
	call->step = STEP_MAKE_RING;
}

static void set_policies_request(struct call *call)
{
	set_request(call, "GET", "instance/policies");
	call->step = STEP_POLICIES;
}

static void copy_root(
	char out[KEY_PROTECT_TEXT_MAX], const struct call *call, enum keymanager_crk crk)
{
	(void) !text_copy(out, KEY_PROTECT_TEXT_MAX, slice_text(call->km->root_keys[crk]));
}

static enum keymanager_crk other_crk(enum keymanager_crk crk)
{
	return crk == KEYMANAGER_CRK ? KEYMANAGER_OTHER_CRK : KEYMANAGER_CRK;
}

static const char *unwrap_action(const struct call *call)
{
	return call->verb == KEYMANAGER_REWRAP ? "actions/rewrap" : "actions/unwrap";
}

/* Which root key wrapped it is not told: the one that opened the last one is the better guess. */
static void set_unwrap_request(struct call *call)
{
	enum keymanager_crk first = call->km->opened_last;
	copy_root(call->root_key, call, first);
	copy_root(call->next_root_key, call, other_crk(first));
	set_root_request(call, "POST", unwrap_action(call));
}

enum err call_prepare(struct call *call, const struct keymanager_order *order)
{
	switch (order->verb) {
	case KEYMANAGER_WRAP:
		copy_root(call->root_key, call, KEYMANAGER_CRK);
		set_root_request(call, "POST", "actions/wrap");
		return key_protect_write_wrap(&call->body, order->bytes, order->aad);
	case KEYMANAGER_UNWRAP:
		set_unwrap_request(call);
		return key_protect_write_unwrap(&call->body, order->bytes, order->aad);
	case KEYMANAGER_REWRAP:
		set_unwrap_request(call);
		return key_protect_write_unwrap(&call->body, order->bytes, order->aad);
	case KEYMANAGER_GET:
		set_key_request(call, "GET");
		return ERR_OK;
	case KEYMANAGER_CREATE:
		set_request(call, "POST", "keys");
		call->with_ring = true;
		return key_protect_write_create(&call->body, order->name, order->bytes);
	case KEYMANAGER_DELETE:
		set_key_request(call, "DELETE");
		return ERR_OK;
	case KEYMANAGER_LIST:
		set_list_request(call, order->query);
		return ERR_OK;
	case KEYMANAGER_ROOT:
		copy_root(call->root_key, call, order->crk);
		set_root_request(call, "GET", "metadata");
		return ERR_OK;
	case KEYMANAGER_PREPARE:
		set_rings_request(call);
		return ERR_OK;
	}
	return ERR_INTERNAL;
}

bool call_is_once(const struct call *call)
{
	return call->verb == KEYMANAGER_CREATE;
}

/* ---- answers ---- */

static enum err read_got(struct call *call, struct slice body)
{
	enum err err;
	TRY(key_protect_read_key(&call->result.key, call->arena, body));
	if (!uid_equal(&call->result.key.id, &call->id))
		err = ERR_UNAVAILABLE;
	else if (call->result.key.deleted)
		err = ERR_DESTROYED;
out:
	return err;
}

static enum err read_rings(struct call *call, struct slice body)
{
	enum err err;
	TRY(key_protect_read_rings(&call->result.ring_found, body, call->km->key_ring));
	err = ERR_AGAIN;
	if (call->result.ring_found) {
		set_policies_request(call);
	} else if (call->step == STEP_RINGS) {
		set_make_ring_request(call);
	} else {
		snprintf(call->why, sizeof(call->why), "the service does not make the key ring");
		err = ERR_FIELD;
	}
out:
	return err;
}

static enum err read_prepared(struct call *call, struct slice body)
{
	switch (call->step) {
	case STEP_RINGS:
	case STEP_RINGS_AGAIN:
		return read_rings(call, body);
	case STEP_MAKE_RING:
		set_policies_request(call);
		return ERR_AGAIN;
	default:
		return key_protect_read_policies(call->why, body);
	}
}

/* Another root key may have wrapped it: a refusal of this one says nothing of that. */
static bool goes_on_with_other_root(struct call *call, long status, enum err err)
{
	if (call->next_root_key[0] == '\0' || (err == ERR_UNAVAILABLE && status != 404) ||
		err == ERR_THROTTLED)
		return false;
	call->first_err = err;
	bytes_copy(call->root_key, call->next_root_key, sizeof(call->root_key));
	call->next_root_key[0] = '\0';
	set_root_request(call, "POST", unwrap_action(call));
	return true;
}

/* The other node may have made the ring since we looked. */
bool call_goes_on(struct call *call, long status, enum err err)
{
	if (call->verb == KEYMANAGER_UNWRAP || call->verb == KEYMANAGER_REWRAP)
		return goes_on_with_other_root(call, status, err);
	if (call->step != STEP_MAKE_RING || (status != 400 && status != 409))
		return false;
	set_rings_request(call);
	call->step = STEP_RINGS_AGAIN;
	return true;
}

const char *call_finding(const struct call *call)
{
	return call->step == STEP_POLICIES ? "the role may not read the instance's policies, which "
					     "Manager may: whether "
					     "they allow creating and deleting keys is not known"
					   : "";
}

enum err call_read(struct call *call, struct slice body)
{
	switch (call->verb) {
	case KEYMANAGER_WRAP:
		return key_protect_read_wrapped(&call->result.wrapped, call->arena, body);
	case KEYMANAGER_UNWRAP:
		return key_protect_read_unwrapped(&call->result.unwrapped, call->arena, body);
	case KEYMANAGER_REWRAP:
		return key_protect_read_rewrapped(&call->result.wrapped, call->arena, body);
	case KEYMANAGER_GET:
		return read_got(call, body);
	case KEYMANAGER_CREATE:
		return key_protect_read_key(&call->result.key, call->arena, body);
	case KEYMANAGER_DELETE:
		return ERR_OK;
	case KEYMANAGER_LIST:
		return key_protect_read_list(&call->result.listed, call->arena, body);
	case KEYMANAGER_ROOT:
		return key_protect_read_root(&call->result.root, call->arena, body);
	case KEYMANAGER_PREPARE:
		return read_prepared(call, body);
	}
	return ERR_INTERNAL;
}

/* Wrap, unwrap, rewrap: the id is the root key's, whose state is not the object's. */
static enum err classify_root_action(const struct call *call, long status, const char *code)
{
	if (status == 409 || status == 410)
		return ERR_ROOT_DISABLED;
	if (status == 404)
		return ERR_UNAVAILABLE;
	if (status == 422)
		return ERR_CORRUPT;
	if (status == 400 && call->verb != KEYMANAGER_WRAP &&
		strcmp(code, "INVALID_FIELD_ERR") == 0)
		return ERR_CORRUPT; /* the stored ciphertext is not even base64 */
	return ERR_FIELD;
}

static enum err classify_key(const struct call *call, long status, const char *code)
{
	if (status == 410)
		return call->verb == KEYMANAGER_DELETE ? ERR_OK : ERR_DESTROYED;
	if (status != 404)
		return ERR_FIELD;
	return strcmp(code, "KEY_NOT_FOUND_ERR") == 0 ? ERR_NOT_FOUND : ERR_UNAVAILABLE;
}

enum err call_classify(const struct call *call, long status, const char *code)
{
	if (status == 401 || status == 403)
		return call->step == STEP_POLICIES ? ERR_OK : ERR_REFUSED;
	if (status == 429)
		return ERR_THROTTLED;
	if (status < 400 || status >= 500 || status == 408)
		return ERR_UNAVAILABLE;
	/* Without a reason of the service it is a gateway's own, and proves nothing about a key. */
	if (code[0] == '\0' && (status == 404 || status == 409 || status == 410))
		return ERR_UNAVAILABLE;
	switch (call->verb) {
	case KEYMANAGER_WRAP:
	case KEYMANAGER_UNWRAP:
	case KEYMANAGER_REWRAP:
		return classify_root_action(call, status, code);
	case KEYMANAGER_GET:
	case KEYMANAGER_DELETE:
		return classify_key(call, status, code);
	case KEYMANAGER_ROOT:
		if (status == 410)
			return ERR_DESTROYED;
		return status == 404 ? ERR_UNAVAILABLE : ERR_FIELD;
	default:
		return ERR_FIELD;
	}
}

static void deliver_root(struct call *call, enum err err)
{
	struct keymanager_root result = { 0 };
	if (err == ERR_OK)
		result = call->result.root;
	if (err == ERR_DESTROYED) {
		result.state = KEYMANAGER_ROOT_DELETED;
		err = ERR_OK;
	}
	result.err = err;
	result.is_unknown = err == ERR_UNAVAILABLE && call->key_unknown;
	result.why = call->why;
	call->callback.on_root(call->ctx, &result);
}

static void deliver_got(struct call *call, enum err err)
{
	struct keymanager_got result = { .err = err, .why = call->why };
	/* An earlier attempt may have told of another key: that one's dates are not this one's. */
	if (err == ERR_OK || (err == ERR_DESTROYED && uid_equal(&call->result.key.id, &call->id)))
		result.key = &call->result.key;
	call->callback.on_got(call->ctx, &result);
}

static void deliver_wrapped(struct call *call, enum err err)
{
	struct keymanager_wrapped result = { 0 };
	if (err == ERR_OK)
		result = call->result.wrapped;
	result.err = err;
	result.why = call->why;
	call->callback.on_wrapped(call->ctx, &result);
}

/* As the root keys stand now: they may have been set anew while the call was under way. */
static enum keymanager_crk crk_of_call(const struct call *call)
{
	return strcmp(call->root_key, call->km->root_keys[KEYMANAGER_OTHER_CRK]) == 0
		       ? KEYMANAGER_OTHER_CRK
		       : KEYMANAGER_CRK;
}

/* What two refusals say together: that neither root key opens it only if both said so. */
static enum err both_say(const struct call *call, enum err err, enum keymanager_crk *crk)
{
	static const enum err weightier[] = { ERR_UNAVAILABLE, ERR_THROTTLED, ERR_ROOT_DISABLED,
		ERR_REFUSED, ERR_FIELD };
	for (size_t i = 0; i < sizeof(weightier) / sizeof(weightier[0]); i++) {
		if (err == weightier[i])
			return err;
		if (call->first_err == weightier[i]) {
			*crk = other_crk(*crk);
			return call->first_err;
		}
	}
	return err;
}

/* The root key that opened it, or whose refusal counts; *err is what the two say together. */
static enum keymanager_crk opened_by(const struct call *call, enum err *err)
{
	enum keymanager_crk crk = crk_of_call(call);
	if (*err == ERR_OK)
		call->km->opened_last = crk;
	else if (*err == ERR_CORRUPT || call->first_err != ERR_OK)
		*err = both_say(call, *err, &crk);
	return crk;
}

static void deliver_rewrapped(struct call *call, enum err err)
{
	struct keymanager_wrapped result = { 0 };
	if (err == ERR_OK)
		result = call->result.wrapped;
	result.crk = opened_by(call, &err);
	result.err = err;
	result.why = call->why;
	call->callback.on_wrapped(call->ctx, &result);
}

static void deliver_unwrapped(struct call *call, enum err err)
{
	struct keymanager_unwrapped result = { 0 };
	if (err == ERR_OK)
		result = call->result.unwrapped;
	result.crk = opened_by(call, &err);
	result.err = err;
	result.why = call->why;
	call->callback.on_unwrapped(call->ctx, &result);
}

static void deliver_listed(struct call *call, enum err err)
{
	struct keymanager_listed result = { 0 };
	if (err == ERR_OK)
		result = call->result.listed;
	result.err = err;
	result.why = call->why;
	call->callback.on_listed(call->ctx, &result);
}

static void deliver_created(struct call *call, enum err err)
{
	struct keymanager_created result = { .err = err, .why = call->why };
	if (err == ERR_OK)
		result.id = call->result.key.id;
	call->callback.on_created(call->ctx, &result);
}

void call_deliver(struct call *call, enum err err)
{
	struct keymanager_done done = { .err = err, .why = call->why };
	switch (call->verb) {
	case KEYMANAGER_WRAP:
		deliver_wrapped(call, err);
		return;
	case KEYMANAGER_REWRAP:
		deliver_rewrapped(call, err);
		return;
	case KEYMANAGER_UNWRAP:
		deliver_unwrapped(call, err);
		return;
	case KEYMANAGER_GET:
		deliver_got(call, err);
		return;
	case KEYMANAGER_CREATE:
		deliver_created(call, err);
		return;
	case KEYMANAGER_LIST:
		deliver_listed(call, err);
		return;
	case KEYMANAGER_ROOT:
		deliver_root(call, err);
		return;
	case KEYMANAGER_DELETE:
	case KEYMANAGER_PREPARE:
		call->callback.on_done(call->ctx, &done);
		return;
	}
}
