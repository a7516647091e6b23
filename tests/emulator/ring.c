/* SPDX-License-Identifier: Apache-2.0 */
/* Key rings: named groups of keys. */
#include <stdlib.h>
#include <string.h>

#include "tests/emulator/collection.h"
#include "tests/emulator/handlers.h"

static const struct collection rings = { "application/vnd.ibm.kms.key_ring+json", 100, 5000 };

enum { RING_LEN_MIN = 2, RING_LEN_MAX = 100 };

static cJSON *ring_default(void)
{
	cJSON *ring = cJSON_CreateObject();

	cJSON_AddStringToObject(ring, "id", WORLD_RING_DEFAULT);
	return ring;
}

enum refusal ring_check_list(struct request *request)
{
	return collection_check(request, &rings);
}

enum refusal ring_list(struct request *request)
{
	cJSON *all = cJSON_CreateArray();
	const cJSON *ring;

	cJSON_AddItemToArray(all, ring_default());
	cJSON_ArrayForEach(ring, request->world->rings)
		cJSON_AddItemToArray(all, cJSON_Duplicate(ring, true));
	return collection_answer(request, &rings, all);
}

static bool ring_is_valid(const char *ring)
{
	size_t len = strlen(ring);

	/* the documents say alphanumeric, their samples and the official tests are laxer */
	return len >= RING_LEN_MIN && len <= RING_LEN_MAX &&
	       strspn(ring, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_ ") ==
		       len;
}

enum refusal ring_create(struct request *request)
{
	const char *ring = request->segments[3];

	if (!ring_is_valid(ring))
		return request_bad_param(
			request, "id", "2 to 100 letters, digits, blanks, - and _");
	if (world_has_ring(request->world, ring))
		return REFUSE_KEY_RING_NOT_UNIQUE_ERR;
	if (cJSON_GetArraySize(request->world->rings) + 1 >= request->world->knobs.rings_max)
		return REFUSE_KEY_RING_QUOTA_ERR;
	world_add_ring(request->world, ring, request->user->id);
	return request_answer_empty(request, 201);
}

/* What is left in a ring. */
static void ring_count(const struct world *world, const char *ring, size_t *live, size_t *destroyed)
{
	struct key **keys = world_keys(world);

	for (size_t i = 0; i < world->key_count; i++) {
		if (strcmp(keys[i]->ring, ring) != 0)
			continue;
		if (keys[i]->state == KEY_DESTROYED)
			(*destroyed)++;
		else
			(*live)++;
	}
	free(keys);
}

enum refusal ring_delete(struct request *request)
{
	const char *ring = request->segments[3];
	size_t live = 0;
	size_t destroyed = 0;

	if (strcmp(ring, WORLD_RING_DEFAULT) == 0)
		return request_bad_param(request, "id", "another than the default key ring");
	if (!world_has_ring(request->world, ring))
		return REFUSE_KEY_RING_NOT_FOUND_ERR;
	ring_count(request->world, ring, &live, &destroyed);
	if (live > 0)
		return REFUSE_KEY_RING_NOT_EMPTY_ERR;
	if (destroyed > 0 && !request_param_is_true(request, "force"))
		return REFUSE_KEY_RING_KEYS_NOT_DELETED_ERR;
	world_drop_ring(request->world, ring);
	return request_answer_empty(request, 204);
}

enum refusal ring_check_move(struct request *request)
{
	enum refusal refusal = request_read_body(request);

	if (refusal != REFUSE_NOTHING)
		return refusal;
	if (request->body == NULL)
		return REFUSE_NO_BODY_ERR;
	if (request_text(request->body, "keyRingID") == NULL)
		return request_bad_field(request, "keyRingID", "the id of a key ring");
	return REFUSE_NOTHING;
}

enum refusal ring_move(struct request *request)
{
	const char *ring = request_text(request->body, "keyRingID");

	if (!world_has_ring(request->world, ring))
		return REFUSE_KEY_RING_NOT_FOUND_ERR;
	key_move(request->key, ring, world_now(request->world));
	request->key->updated = world_now(request->world);
	world_save_key(request->world, request->key);
	return request_answer_key(request, 200, KEY_VIEW_FULL);
}
