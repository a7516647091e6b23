/* SPDX-License-Identifier: Apache-2.0 */
/* POST /keys: one key, generated or imported, with everything that is fixed at its birth. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/rand.h"
#include "base/secret.h"
#include "tests/emulator/handlers.h"

enum {
	NAME_LEN_MIN = 2,
	NAME_LEN_MAX = 90,
	DESCRIPTION_LEN_MAX = 240,
	TAG_LEN_MAX = 30,
	STANDARD_PAYLOAD_MAX = 7500,
	GENERATED_LEN = 32
};

static bool length_within(const char *text, size_t min, size_t max)
{
	return text != NULL && strlen(text) >= min && strlen(text) <= max;
}

static enum refusal check_names(struct request *request)
{
	const cJSON *resource = request->resource;
	const cJSON *description = cJSON_GetObjectItem(resource, "description");
	const char *type = request_text(resource, "type");

	if (type == NULL || strcmp(type, KEY_TYPE) != 0)
		return request_bad_field(request, "type", KEY_TYPE);
	if (!length_within(request_text(resource, "name"), NAME_LEN_MIN, NAME_LEN_MAX))
		return request_bad_field(
			request, "name", "a string between 2 and 90 characters (inclusive)");
	if (description != NULL && !cJSON_IsNull(description) &&
		!length_within(
			cJSON_GetStringValue(description), NAME_LEN_MIN, DESCRIPTION_LEN_MAX))
		return request_bad_field(request, "description",
			"a string between 2 and 240 characters (inclusive)");
	return REFUSE_NOTHING;
}

static enum refusal check_aliases(struct request *request)
{
	const cJSON *aliases = cJSON_GetObjectItem(request->resource, "aliases");
	const cJSON *alias;

	if (aliases == NULL || cJSON_IsNull(aliases))
		return REFUSE_NOTHING;
	if (!cJSON_IsArray(aliases) || cJSON_GetArraySize(aliases) > KEY_ALIASES_MAX)
		return request_bad_field(request, "aliases", "an array of at most 5 aliases");
	cJSON_ArrayForEach(alias, aliases)
	{
		const char *text = cJSON_GetStringValue(alias);
		if (text == NULL || !alias_is_valid(text))
			return request_bad_field(request, "aliases",
				"2 to 90 characters of letters, digits, - and _, neither a UUID "
				"nor "
				"a reserved word");
		for (const cJSON *later = alias->next; later != NULL; later = later->next) {
			const char *other = cJSON_GetStringValue(later);
			if (other != NULL && strcmp(other, text) == 0)
				return request_bad_field(request, "aliases", "all different");
		}
	}
	return REFUSE_NOTHING;
}

static enum refusal check_tags(struct request *request)
{
	const cJSON *tags = cJSON_GetObjectItem(request->resource, "tags");
	const cJSON *tag;

	if (tags == NULL || cJSON_IsNull(tags))
		return REFUSE_NOTHING;
	if (!cJSON_IsArray(tags) || cJSON_GetArraySize(tags) > KEY_TAGS_MAX)
		return request_bad_field(request, "tags", "an array of at most 30 tags");
	cJSON_ArrayForEach(tag, tags)
	{
		const char *text = cJSON_GetStringValue(tag);
		if (!length_within(text, 0, TAG_LEN_MAX) || strpbrk(text, "<>,:&|") != NULL)
			return request_bad_field(request, "tags",
				"at most 30 characters each and none of < > , : & |");
	}
	return REFUSE_NOTHING;
}

static enum refusal check_expiry(struct request *request)
{
	const cJSON *item = cJSON_GetObjectItem(request->resource, "expirationDate");
	const char *text = cJSON_GetStringValue(item);
	int64_t expires = 0;

	if (item == NULL || cJSON_IsNull(item))
		return REFUSE_NOTHING;
	if (text == NULL || text_rfc3339(&expires, slice_text(text)) != ERR_OK)
		return request_bad_field(request, "expirationDate", "a date in RFC 3339 format");
	if (expires <= world_now(request->world))
		return request_bad_field(request, "expirationDate", "in the future");
	return REFUSE_NOTHING;
}

static bool is_extractable(const cJSON *resource)
{
	const cJSON *extractable = cJSON_GetObjectItem(resource, "extractable");

	return extractable == NULL || cJSON_IsNull(extractable) || cJSON_IsTrue(extractable);
}

/* Four letters or digits in front are what an envelope begins with; they are no secret. */
static void note_payload(struct request *request, struct slice payload)
{
	enum { MAGIC_LEN = 4 };
	bool named = payload.len >= MAGIC_LEN;

	for (size_t i = 0; named && i < MAGIC_LEN; i++)
		named = isalnum(payload.data[i]);
	request->payload_len = payload.len;
	if (named)
		snprintf(request->payload_kind, sizeof(request->payload_kind), "%.4s",
			(const char *) payload.data);
	else
		snprintf(request->payload_kind, sizeof(request->payload_kind), "opaque");
}

static enum refusal check_payload_len(struct request *request, struct slice payload)
{
	bool standard = is_extractable(request->resource);

	if (standard)
		note_payload(request, payload);
	if (standard && (payload.len == 0 || payload.len > STANDARD_PAYLOAD_MAX))
		return request_bad_field(
			request, "payload", "between 1 and 7500 bytes before it is encoded");
	if (!standard && payload.len != 16 && payload.len != 24 && payload.len != 32)
		return request_bad_field(
			request, "payload", "16, 24 or 32 bytes before it is encoded");
	return REFUSE_NOTHING;
}

static enum refusal check_payload(struct request *request)
{
	const cJSON *extractable = cJSON_GetObjectItem(request->resource, "extractable");
	const cJSON *item = cJSON_GetObjectItem(request->resource, "payload");
	const char *text = cJSON_GetStringValue(item);
	struct buf payload;

	if (extractable != NULL && !cJSON_IsBool(extractable) && !cJSON_IsNull(extractable))
		return request_bad_body(request, "json: extractable must be a boolean");
	if (import_token_is_used(request->resource)) {
		if (is_extractable(request->resource))
			return request_bad_field(request, "encryptedNonce",
				"absent: import tokens are for root keys");
		enum refusal opened = import_token_open(request, request->resource);
		if (opened != REFUSE_NOTHING)
			return opened;
		text = request->material;
	}
	if (item == NULL || cJSON_IsNull(item) || (text != NULL && *text == '\0'))
		return REFUSE_NOTHING;
	if (text == NULL)
		return request_bad_field(request, "payload", "a base64 encoded key material");
	/* room for more than is allowed, so that the length is judged by its own rule */
	buf_init(&payload, (size_t) 1 << 20);
	enum refusal refusal = request_base64(request, &payload, "payload", text);
	if (refusal == REFUSE_NOTHING)
		refusal = check_payload_len(request, buf_slice(&payload));
	buf_free(&payload);
	return refusal;
}

static handler *const field_checks[] = {
	check_names,
	check_aliases,
	check_tags,
	check_expiry,
	check_payload,
};

enum refusal create_check(struct request *request)
{
	enum refusal refusal = request_read_body(request);

	if (refusal == REFUSE_NOTHING)
		refusal = request_read_envelope(request);
	if (refusal != REFUSE_NOTHING)
		return refusal;
	if (cJSON_GetArraySize(cJSON_GetObjectItem(request->body, "resources")) != 1)
		return request_bad_body(
			request, "Only creation of one key per request is supported");
	for (size_t i = 0; i < sizeof(field_checks) / sizeof(field_checks[0]); i++) {
		refusal = field_checks[i](request);
		if (refusal != REFUSE_NOTHING)
			return refusal;
	}
	return REFUSE_NOTHING;
}

/* The one form of create in which a key is born with policies of its own. */
enum refusal create_check_overrides(struct request *request)
{
	enum refusal refusal = create_check(request);

	if (refusal == REFUSE_NOTHING)
		refusal = policy_check_settings(request, request->resource);
	bool rotated = cJSON_GetObjectItem(request->resource, "rotation") != NULL;
	if (refusal == REFUSE_NOTHING && rotated && is_extractable(request->resource))
		refusal = REFUSE_KEY_ROOT_REQ_ERR;
	request->overrides = true;
	return refusal;
}

static bool has_payload(const cJSON *resource)
{
	const char *payload = request_text(resource, "payload");

	return payload != NULL && *payload != '\0';
}

/* The four switches of the policy keyCreateImportAccess, each true unless it says otherwise. */
static bool policy_permits(const struct request *request)
{
	static const char *const switches[2][2] = {
		{ "create_root_key", "import_root_key" },
		{ "create_standard_key", "import_standard_key" },
	};
	const cJSON *attributes = instance_policy_enabled(request->world, "keyCreateImportAccess");
	bool standard = is_extractable(request->resource);
	bool imported = has_payload(request->resource);

	if (attributes == NULL)
		return true;
	if (imported && request->material == NULL &&
		cJSON_IsTrue(cJSON_GetObjectItem(attributes, "enforce_token")))
		return false;
	return !cJSON_IsFalse(cJSON_GetObjectItem(attributes, switches[standard][imported]));
}

/* An alias so fresh that the race window still runs does not show yet. */
static bool alias_is_taken(struct request *request, const char *alias)
{
	const struct key *owner = world_key_by_alias(request->world, alias);
	int64_t fresh = world_now(request->world) - request->world->knobs.alias_race_s;

	for (size_t i = 0; owner != NULL && i < owner->alias_count; i++) {
		if (strcmp(owner->aliases[i].name, alias) == 0)
			return request->world->knobs.alias_race_s == 0 ||
			       owner->aliases[i].created < fresh;
	}
	return owner != NULL;
}

/* Who came second in the race window has heard of success, and is without the alias. */
static void lose_races(struct world *world, struct key *key)
{
	for (size_t i = key->alias_count; i-- > 0;) {
		if (world_key_by_alias(world, key->aliases[i].name) != NULL)
			ASSERT(key_drop_alias(key, key->aliases[i].name));
	}
}

static enum refusal check_uniqueness(struct request *request)
{
	const cJSON *aliases = cJSON_GetObjectItem(request->resource, "aliases");
	const cJSON *alias;
	size_t count = (size_t) cJSON_GetArraySize(aliases);

	if ((int64_t) (request->world->alias_count + count) > request->world->knobs.aliases_max)
		return REFUSE_KEY_ALIAS_QUOTA_ERR;
	cJSON_ArrayForEach(alias, aliases)
	{
		if (alias_is_taken(request, cJSON_GetStringValue(alias)))
			return REFUSE_KEY_ALIAS_NOT_UNIQUE_ERR;
	}
	return REFUSE_NOTHING;
}

static enum err seal_material(struct world *world, char **out, const char *payload)
{
	enum err err;
	struct buf material;
	uint8_t fresh[GENERATED_LEN];
	uint8_t *room = NULL;
	size_t len = 0;

	buf_init(&material, 64);
	rand_bytes(fresh, sizeof(fresh));
	if (payload == NULL) {
		TRY(buf_append(&material, slice_of(fresh, sizeof(fresh))));
	} else {
		TRY(buf_reserve(&material, text_unbase64_size(strlen(payload)), &room));
		TRY(text_unbase64(room, &len, slice_text(payload)));
		buf_commit(&material, len);
	}
	TRY(vault_seal(world->vault, out, buf_slice(&material)));
out:
	secret_wipe(fresh, sizeof(fresh));
	buf_free(&material);
	return err;
}

static void generate_payload(struct key *key)
{
	uint8_t fresh[GENERATED_LEN];
	char text[64];

	rand_bytes(fresh, sizeof(fresh));
	text_base64(text, slice_of(fresh, sizeof(fresh)));
	key_set_text(&key->payload, text);
	secret_wipe(fresh, sizeof(fresh));
	secret_wipe(text, sizeof(text));
}

static enum err fill_material(const struct request *request, struct key *key)
{
	enum err err = ERR_OK;
	char *sealed = NULL;
	struct world *world = request->world;
	const cJSON *resource = request->resource;
	const char *payload = has_payload(resource) ? request_text(resource, "payload") : NULL;

	if (request->material != NULL)
		payload = request->material;
	key->extractable = is_extractable(resource);
	key->imported = payload != NULL;
	if (!key->extractable)
		TRY(seal_material(world, &sealed, payload));
	else if (payload != NULL)
		key_set_text(&key->payload, payload);
	else
		generate_payload(key);
	key_add_version(key, key->created, sealed);
out:
	return err;
}

static void fill_attributes(struct request *request, struct key *key, const char *ring)
{
	const cJSON *resource = request->resource;
	const char *expires = request_text(resource, "expirationDate");
	const cJSON *tags = cJSON_GetObjectItem(resource, "tags");
	const cJSON *alias;

	key->created = key->updated = world_now(request->world);
	key_set_text(&key->name, request_text(resource, "name"));
	key_set_text(&key->description, request_text(resource, "description"));
	key_set_text(&key->ring, ring);
	key_set_text(&key->created_by, request->user->id);
	if (expires != NULL)
		ASSERT(text_rfc3339(&key->expires, slice_text(expires)) == ERR_OK);
	if (cJSON_IsArray(tags))
		key->tags = cJSON_Duplicate(tags, true);
	cJSON_ArrayForEach(alias, cJSON_GetObjectItem(resource, "aliases"))
		key_add_alias(key, cJSON_GetStringValue(alias), key->created_by, key->created);
}

/* The instance's default for generated root keys. */
static void fill_default_rotation(struct request *request, struct key *key)
{
	const cJSON *attributes = instance_policy_enabled(request->world, "rotation");
	const cJSON *months = cJSON_GetObjectItem(attributes, "interval_month");

	if (months == NULL || key->extractable || key->imported)
		return;
	cJSON *setting = cJSON_CreateObject();
	cJSON_AddBoolToObject(setting, "enabled", true);
	cJSON_AddNumberToObject(setting, "interval_month", months->valuedouble);
	policy_set(request, key, "rotation", setting);
	cJSON_Delete(setting);
}

/* The policies that a key is born with: its own, else the instance's. */
static void fill_policies(struct request *request, struct key *key)
{
	const cJSON *own = request->overrides ? request->resource : NULL;
	const cJSON *rotation = cJSON_GetObjectItem(own, "rotation");
	const cJSON *dual = cJSON_GetObjectItem(own, "dualAuthDelete");

	if (rotation != NULL)
		policy_set(request, key, "rotation", rotation);
	else
		fill_default_rotation(request, key);
	if (dual != NULL)
		policy_set(request, key, "dualAuthDelete", dual);
	else
		key->dual_auth = instance_policy_enabled(request->world, "dualAuthDelete") != NULL;
}

enum refusal create_key(struct request *request)
{
	const char *ring = request_header(request, "X-Kms-Key-Ring");
	unsigned views = KEY_VIEW_MINIMAL;

	if (ring == NULL)
		ring = WORLD_RING_DEFAULT;
	if (!world_has_ring(request->world, ring))
		return REFUSE_KEY_RING_NOT_FOUND_ERR;
	if (!policy_permits(request))
		return REFUSE_KEY_CREATE_IMPORT_ACCESS_ERR;
	enum refusal refusal = check_uniqueness(request);
	if (refusal != REFUSE_NOTHING)
		return refusal;
	struct key *key = key_new();
	fill_attributes(request, key, ring);
	if (fill_material(request, key) != ERR_OK) {
		key_free(key);
		return REFUSE_INTERNAL;
	}
	fill_policies(request, key);
	request->key = key;
	if (request_wants_representation(request))
		views = KEY_VIEW_FULL | KEY_VIEW_PAYLOAD;
	request_answer_key(request, 201, views);
	lose_races(request->world, key);
	world_add_key(request->world, key);
	return REFUSE_NOTHING;
}
