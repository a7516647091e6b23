/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/later.h"
#include <stdlib.h>
#include "base/clock.h"
#include "base/rand.h"

/*
 * What a place holds. Answers that were told are kept, too, since the client may not have got them,
 * but for as long only as nobody needs the place.
 *
 *	FREE -> RUNNING -> ENDED -> TOLD -> FREE
 *	        RUNNING -> CALLED_OFF ----> FREE
 */
enum later_state { LATER_FREE, LATER_RUNNING, LATER_ENDED, LATER_TOLD, LATER_CALLED_OFF };

struct later {
	enum later_state state;
	struct laters *laters;
	struct later_run run;
	uint8_t id[LATER_ID_LEN];
	uint64_t until_ms; /* of all but RUNNING */
	enum err err;
	struct buf payload;
};

struct laters {
	struct later places[LATERS_MAX];
	size_t bytes; /* of payloads that are not small */
};

enum err laters_new(struct laters **out)
{
	*out = calloc(1, sizeof(**out));
	return *out == NULL ? ERR_NOMEM : ERR_OK;
}

static bool is_small(size_t len)
{
	return len <= LATER_SMALL_LEN;
}

static void later_clear(struct later *later)
{
	size_t len = buf_slice(&later->payload).len;

	if (!is_small(len))
		later->laters->bytes -= len;
	buf_free(&later->payload);
	later->state = LATER_FREE;
}

void laters_free(struct laters *laters)
{
	if (laters == NULL)
		return;
	for (size_t i = 0; i < LATERS_MAX; i++) {
		if (laters->places[i].state != LATER_FREE)
			later_clear(&laters->places[i]);
	}
	free(laters);
}

static void laters_expire(struct laters *laters)
{
	uint64_t now_ms = clock_boot_ms();

	for (size_t i = 0; i < LATERS_MAX; i++) {
		struct later *later = &laters->places[i];

		if (later->state > LATER_RUNNING && later->until_ms <= now_ms)
			later_clear(later);
	}
}

static bool is_of(const struct later *later, const struct kmip_identity *client)
{
	return later->state != LATER_FREE &&
	       instance_id_equal(&later->run.client.instance, &client->instance) &&
	       fingerprint_equal(&later->run.client.client, &client->client);
}

static bool is_told(const struct later *later)
{
	return later->state == LATER_TOLD || later->state == LATER_CALLED_OFF;
}

/* A free place, else one whose answer was told longest ago; of the client's own where it has as
 * many as it may. */
static struct later *laters_place(struct laters *laters, const struct kmip_identity *client)
{
	struct later *vacant = NULL, *oldest = NULL, *own_oldest = NULL;
	size_t own = 0;

	for (size_t i = 0; i < LATERS_MAX; i++) {
		struct later *later = &laters->places[i];

		own += is_of(later, client) ? 1 : 0;
		if (later->state == LATER_FREE)
			vacant = later;
		if (!is_told(later))
			continue;
		if (oldest == NULL || later->until_ms < oldest->until_ms)
			oldest = later;
		if (is_of(later, client) &&
			(own_oldest == NULL || later->until_ms < own_oldest->until_ms))
			own_oldest = later;
	}
	if (own >= LATERS_OF_CLIENT_MAX)
		return own_oldest;
	return vacant != NULL ? vacant : oldest;
}

enum err laters_put(struct later **out, struct laters *laters, const struct later_run *run)
{
	struct later *later;

	laters_expire(laters);
	later = laters_place(laters, &run->client);
	if (later == NULL)
		return ERR_LIMIT;
	if (later->state != LATER_FREE)
		later_clear(later);
	*later = (struct later){ .state = LATER_RUNNING, .laters = laters, .run = *run };
	buf_init(&later->payload, KMIP_RESPONSE_LEN_MAX);
	rand_bytes(later->id, sizeof(later->id));
	*out = later;
	return ERR_OK;
}

struct slice later_id(const struct later *later)
{
	return slice_of(later->id, sizeof(later->id));
}

static void later_settle(struct later *later, enum later_state state)
{
	later->state = state;
	later->until_ms = clock_boot_ms() + 1000ull * LATER_KEPT_S;
}

void later_end(struct later *later, enum err err, struct slice payload)
{
	struct laters *laters = later->laters;

	ASSERT(later->state == LATER_RUNNING);
	later_settle(later, LATER_ENDED);
	later->err = err;
	if (err != ERR_OK)
		return;
	if (!is_small(payload.len) && laters->bytes + payload.len > LATERS_BYTES_MAX)
		later->err = ERR_TOO_LARGE;
	else if (buf_append(&later->payload, payload) != ERR_OK)
		later->err = ERR_TOO_LARGE;
	else if (!is_small(payload.len))
		laters->bytes += payload.len;
}

static struct later *later_find(
	struct laters *laters, const struct kmip_identity *client, struct slice id)
{
	laters_expire(laters);
	for (size_t i = 0; i < LATERS_MAX; i++) {
		struct later *later = &laters->places[i];

		if (is_of(later, client) && slice_equal(later_id(later), id))
			return later;
	}
	return NULL;
}

enum err laters_poll(struct later_answer *out, struct laters *laters,
	const struct kmip_identity *client, struct slice id)
{
	struct later *later = later_find(laters, client, id);

	if (later == NULL)
		return ERR_NOT_FOUND;
	*out = (struct later_answer){ .operation = later->run.operation,
		.is_pending = later->state == LATER_RUNNING,
		.err = later->err,
		.version = later->run.version,
		.payload = buf_slice(&later->payload) };
	if (later->state == LATER_ENDED)
		later->state = LATER_TOLD;
	return ERR_OK;
}

enum kmip_cancellation_result laters_cancel(
	struct laters *laters, const struct kmip_identity *client, struct slice id)
{
	struct later *later = later_find(laters, client, id);

	if (later == NULL)
		return KMIP_CANCELLATION_RESULT_UNAVAILABLE;
	if (later->state == LATER_RUNNING) {
		if (!later->run.call_off(later->run.ctx))
			return KMIP_CANCELLATION_RESULT_UNABLE_TO_CANCEL;
		later_settle(later, LATER_CALLED_OFF);
		later->err = ERR_CANCELLED;
	}
	if (later->state == LATER_CALLED_OFF)
		return KMIP_CANCELLATION_RESULT_CANCELED;
	return later->err == ERR_OK ? KMIP_CANCELLATION_RESULT_COMPLETED
				    : KMIP_CANCELLATION_RESULT_FAILED;
}
