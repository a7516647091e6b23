/* SPDX-License-Identifier: Apache-2.0 */
/* What is under way between two requests, within its bounds. */
#include "kmip/streams.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include "kmip/spec.h"

/* A stream that holds as much as it may. */
static struct run *holding(void)
{
	static uint8_t bytes[CIPHER_GATHERED_MAX];
	struct cipher_options options = { .algorithm = "AES-128-GCM",
		.key = slice_of(bytes, 16),
		.iv = slice_of(bytes, 12),
		.tag = slice_of(bytes, 16) };
	struct run *run = calloc(1, sizeof(*run));
	struct buf out;

	cr_assert_not_null(run);
	buf_init(&out, 1);
	cr_assert_eq(cipher_new(&run->cipher, &options), ERR_OK);
	cr_assert_eq(run_update(run, slice_of(bytes, sizeof(bytes)), &out), ERR_OK);
	return run;
}

/* All clients' streams together hold no more than STREAMS_HELD_MAX. */
Test(streams, hold_so_much)
{
	struct stream_owner owner = { .operation = KMIP_OPERATION_DECRYPT };
	uint8_t id[STREAM_ID_LEN];
	struct streams *streams;
	struct run *run;

	cr_assert_eq(streams_new(&streams), ERR_OK);
	for (size_t i = 0; i < STREAMS_HELD_MAX / CIPHER_GATHERED_MAX; i++)
		cr_assert_eq(streams_put(streams, &owner, holding(), id), ERR_OK, "%zu", i);
	cr_assert_eq(streams_put(streams, &owner, holding(), id), ERR_UNAVAILABLE);
	cr_assert_eq(streams_take(streams, &owner, slice_of(id, sizeof(id)), &run), ERR_OK);
	run_free(run);
	cr_assert_eq(streams_put(streams, &owner, holding(), id), ERR_OK);
	streams_free(streams);
}
