/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/streams.h"
#include <stdlib.h>
#include "base/clock.h"
#include "base/rand.h"

struct stream {
	struct run *run; /* NULL: a free place */
	struct stream_owner owner;
	uint8_t id[STREAM_ID_LEN];
	uint64_t until_ms;
};

struct streams {
	struct stream places[STREAMS_MAX];
};

enum err streams_new(struct streams **out)
{
	*out = calloc(1, sizeof(**out));
	return *out == NULL ? ERR_NOMEM : ERR_OK;
}

void streams_free(struct streams *streams)
{
	if (streams == NULL)
		return;
	for (size_t i = 0; i < STREAMS_MAX; i++)
		run_free(streams->places[i].run);
	free(streams);
}

static bool is_owner(const struct stream_owner *a, const struct stream_owner *b)
{
	return instance_id_equal(&a->instance, &b->instance) &&
	       fingerprint_equal(&a->client, &b->client);
}

static void streams_expire(struct streams *streams)
{
	uint64_t now_ms = clock_boot_ms();

	for (size_t i = 0; i < STREAMS_MAX; i++) {
		struct stream *stream = &streams->places[i];

		if (stream->run != NULL && stream->until_ms <= now_ms) {
			run_free(stream->run);
			stream->run = NULL;
		}
	}
}

enum err streams_put(struct streams *streams, const struct stream_owner *owner, struct run *run,
	uint8_t id[STREAM_ID_LEN])
{
	struct stream *place = NULL;
	size_t own = 0, held = run_held(run);

	streams_expire(streams);
	for (size_t i = 0; i < STREAMS_MAX; i++) {
		struct stream *stream = &streams->places[i];

		if (stream->run == NULL) {
			place = stream;
			continue;
		}
		held += run_held(stream->run);
		own += is_owner(&stream->owner, owner) ? 1 : 0;
	}
	if (place == NULL || own >= STREAMS_OF_CLIENT_MAX || held > STREAMS_HELD_MAX) {
		run_free(run);
		return ERR_UNAVAILABLE;
	}
	place->run = run;
	place->owner = *owner;
	place->until_ms = clock_boot_ms() + 1000ull * STREAM_IDLE_S;
	rand_bytes(place->id, sizeof(place->id));
	bytes_copy(id, place->id, sizeof(place->id));
	return ERR_OK;
}

static struct stream *stream_find(
	struct streams *streams, const struct stream_owner *owner, struct slice id)
{
	streams_expire(streams);
	for (size_t i = 0; i < STREAMS_MAX; i++) {
		struct stream *stream = &streams->places[i];

		if (stream->run != NULL && is_owner(&stream->owner, owner) &&
			stream->owner.operation == owner->operation &&
			slice_equal(slice_of(stream->id, sizeof(stream->id)), id))
			return stream;
	}
	return NULL;
}

enum err streams_uid(
	struct streams *streams, const struct stream_owner *owner, struct slice id, struct uid *out)
{
	const struct stream *stream = stream_find(streams, owner, id);

	if (stream == NULL)
		return ERR_NOT_FOUND;
	*out = stream->run->uid;
	return ERR_OK;
}

enum err streams_take(struct streams *streams, const struct stream_owner *owner, struct slice id,
	struct run **out)
{
	struct stream *stream = stream_find(streams, owner, id);

	if (stream == NULL)
		return ERR_NOT_FOUND;
	*out = stream->run;
	stream->run = NULL;
	return ERR_OK;
}
