/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes from the peer: no crash, and what is accepted encodes to a frame that is accepted. */
#include <stdlib.h>
#include "replication/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void again(const struct wire_frame *frame)
{
	struct slice records[WIRE_RECORDS_MAX];
	struct wire_frame back;
	struct buf bytes;
	struct slice body;
	size_t len;
	uint8_t type;

	buf_init(&bytes, WIRE_BODY_MAX + WIRE_HEAD_LEN);
	ASSERT(wire_encode(&bytes, frame) == ERR_OK);
	ASSERT(wire_split(buf_slice(&bytes), &type, &body, &len) == ERR_OK);
	ASSERT(wire_decode(&back, records, type, body) == ERR_OK);
	buf_free(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice records[WIRE_RECORDS_MAX];
	struct slice rest = slice_of(data, size);
	struct wire_frame frame;
	struct slice body;
	size_t len;
	uint8_t type;

	while (wire_split(rest, &type, &body, &len) == ERR_OK) {
		if (wire_decode(&frame, records, type, body) == ERR_OK)
			again(&frame);
		rest = slice_cut(rest, len, SIZE_MAX);
	}
	return 0;
}
