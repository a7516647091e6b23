/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as an envelope: nothing is read beyond their end, and what decodes is encoded to the
 * very same bytes and makes an object or is refused. Inputs are tried as they come and with the
 * checksum put right, since a random one never is.
 */
#include "base/crypt.h"
#include "keystore/envelope.h"

#include <stdlib.h>

enum { ARENA_MAX = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void payload_try(struct arena *arena, struct slice payload)
{
	struct instance_id instance = { "tenant-0001" };
	struct uid key_id = { { 1 } };
	struct envelope envelope;
	struct object object;
	struct buf again;

	arena_reset(arena);
	if (envelope_decode(&envelope, arena, &instance, payload) != ERR_OK)
		return;
	buf_init(&again, ENVELOPE_LEN_MAX);
	require(envelope_encode(&again, &envelope) == ERR_OK);
	require(slice_equal(buf_slice(&again), payload));
	buf_free(&again);
	if (envelope_to_object(&object, arena, &envelope, &key_id, payload) == ERR_OK)
		require(object.has_material);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice payload = slice_of(data, size);
	struct arena *arena;
	struct buf fixed;

	if (crypt_start() != ERR_OK || arena_new(&arena, ARENA_MAX) != ERR_OK)
		return 0;
	payload_try(arena, payload);
	buf_init(&fixed, ENVELOPE_LEN_MAX + 8);
	if (buf_append(&fixed, payload) == ERR_OK &&
		buf_append_be32(&fixed, crypt_crc32c(payload)) == ERR_OK)
		payload_try(arena, buf_slice(&fixed));
	buf_free(&fixed);
	arena_free(arena);
	return 0;
}
