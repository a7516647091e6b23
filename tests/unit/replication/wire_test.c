/* SPDX-License-Identifier: Apache-2.0 */
/* Frames survive the way to bytes and back; every truncation and every excess is refused. */
#include "replication/wire.h"
#include <criterion/criterion.h>
#include "base/crypt.h"
#include "base/text.h"

static uint8_t instance[WIRE_INSTANCE_LEN] = "tenant-one";

static const uint8_t digests[256 * WIRE_DIGEST_LEN] = { 1, 2, 3 };

static struct wire_position position_of(uint64_t seq)
{
	struct wire_position position = { .seq = seq };

	position.incarnation[3] = 7;
	position.hash[31] = (uint8_t) seq;
	return position;
}

static const struct slice sent_records[] = { { (const uint8_t *) "first", 5 },
	{ (const uint8_t *) "second", 6 } };

static void make(struct wire_frame *out, enum wire_type type)
{
	*out = (struct wire_frame){ .type = type };
	if (type == WIRE_HELLO) {
		out->hello.version_min = 1;
		out->hello.version_max = WIRE_VERSION_MAX;
		out->hello.node = 2;
		out->hello.cluster = slice_text("eu-de");
		out->hello.software = slice_text("1.2.3");
		out->hello.own = position_of(9);
		out->hello.applied.position = position_of(4);
		out->hello.applied.scope[5] = 5;
		out->hello.instances = slice_of(instance, sizeof(instance));
		out->hello.seen = position_of(6);
	} else if (type == WIRE_DATA) {
		out->data.seq = 11;
		out->data.hash[0] = 1;
		out->data.record = slice_text("record");
	} else if (type == WIRE_PING) {
		out->ping_ms = 123456789;
	} else if (type == WIRE_GRANT) {
		out->grant = (struct wire_grant){ 5000, 2000 };
	} else if (type == WIRE_DIGEST) {
		out->digest.first = 3840;
		out->digest.last = true;
		out->digest.own = position_of(5);
		out->digest.applied = position_of(6);
		out->digest.cut = -3;
		out->digest.digests = slice_of(digests, sizeof(digests));
	} else if (type == WIRE_DIFFER) {
		out->differ = (struct wire_differ){ .first = 7, .count = 9, .sure = true };
		out->differ.cut = 1700000000;
		out->differ.bits = slice_of(digests, 2);
	} else if (type == WIRE_SNAP || type == WIRE_REPAIR) {
		out->snap = (struct wire_snap){ sent_records, 2 };
	} else if (type == WIRE_BYE) {
		out->bye = (struct wire_bye){ WIRE_BYE_REFUSED, slice_text("because") };
	} else {
		out->position = position_of(77);
	}
}

/* Each frame, encoded, split, decoded and encoded again, gives the same bytes. */
Test(wire, round_trip)
{
	for (uint8_t t = WIRE_HELLO; t < WIRE_TYPE_END; t++) {
		struct wire_frame frame, back;
		struct slice records[WIRE_RECORDS_MAX];
		struct buf one, two;
		struct slice body;
		size_t len;
		uint8_t type;

		buf_init(&one, WIRE_BODY_MAX);
		buf_init(&two, WIRE_BODY_MAX);
		make(&frame, (enum wire_type) t);
		cr_assert_eq(wire_encode(&one, &frame), ERR_OK);
		cr_assert_eq(wire_split(buf_slice(&one), &type, &body, &len), ERR_OK);
		cr_assert_eq(type, t);
		cr_assert_eq(len, buf_slice(&one).len);
		cr_assert_eq(wire_decode(&back, records, type, body), ERR_OK, "type %d", t);
		cr_assert_eq(wire_encode(&two, &back), ERR_OK);
		cr_assert(slice_equal(buf_slice(&one), buf_slice(&two)), "type %d", t);
		buf_free(&one);
		buf_free(&two);
	}
}

/* A body that is shorter is refused, and one that is longer, too: but for HELLO, whose later
 * versions append. */
Test(wire, truncated_and_oversized)
{
	for (uint8_t t = WIRE_HELLO; t < WIRE_TYPE_END; t++) {
		struct wire_frame frame, back;
		struct slice records[WIRE_RECORDS_MAX];
		struct buf bytes;
		struct slice body;

		buf_init(&bytes, WIRE_BODY_MAX);
		make(&frame, (enum wire_type) t);
		cr_assert_eq(wire_encode(&bytes, &frame), ERR_OK);
		body = slice_cut(buf_slice(&bytes), WIRE_HEAD_LEN, SIZE_MAX);
		for (size_t len = 0; len < body.len; len++)
			cr_assert_eq(wire_decode(&back, records, t, slice_cut(body, 0, len)),
				ERR_INVALID, "type %d length %zu", t, len);
		cr_assert_eq(buf_append_u8(&bytes, 0), ERR_OK);
		body = slice_cut(buf_slice(&bytes), WIRE_HEAD_LEN, SIZE_MAX);
		cr_assert_eq(wire_decode(&back, records, t, body),
			t == WIRE_HELLO ? ERR_OK : ERR_INVALID, "type %d", t);
		buf_free(&bytes);
	}
}

static enum err decode_bytes(uint8_t type, const uint8_t *bytes, size_t len)
{
	struct slice records[WIRE_RECORDS_MAX];
	struct wire_frame frame;

	return wire_decode(&frame, records, type, slice_of(bytes, len));
}

/* Buckets that do not exist, none at all, and flags that are neither yes nor no are refused. */
Test(wire, impossible_buckets)
{
	uint8_t differ[2 + 2 + 1 + 8 + 32] = { 0, 0, 0, 1 };
	uint8_t digest[2 + 1 + 56 + 56 + 8 + 2 + 32] = { 0 };
	const size_t count_at = sizeof(digest) - 32 - 2;

	digest[count_at + 1] = 1;
	cr_assert_eq(decode_bytes(WIRE_DIGEST, digest, sizeof(digest)), ERR_OK);
	digest[0] = 0x10;
	cr_assert_eq(decode_bytes(WIRE_DIGEST, digest, sizeof(digest)), ERR_INVALID);
	digest[0] = 0;
	digest[2] = 2;
	cr_assert_eq(decode_bytes(WIRE_DIGEST, digest, sizeof(digest)), ERR_INVALID);
	digest[2] = 0;
	digest[count_at + 1] = 0;
	cr_assert_eq(decode_bytes(WIRE_DIGEST, digest, sizeof(digest) - 32), ERR_INVALID);
	cr_assert_eq(decode_bytes(WIRE_DIFFER, differ, 14), ERR_OK);
	be16_put(differ + 2, 257);
	cr_assert_eq(decode_bytes(WIRE_DIFFER, differ, sizeof(differ)), ERR_INVALID);
	be16_put(differ + 2, 2);
	be16_put(differ, 4095);
	cr_assert_eq(decode_bytes(WIRE_DIFFER, differ, 14), ERR_INVALID);
}

/* SHA-256 over the first frames of this file, as a node says them that speaks no later version. */
static void expect_frozen(uint8_t version, enum wire_type last, const char *expected)
{
	struct buf bytes;
	uint8_t hash[CRYPT_SHA256_LEN];
	char text[2 * CRYPT_SHA256_LEN + 1];

	buf_init(&bytes, WIRE_BODY_MAX);
	for (uint8_t t = WIRE_HELLO; t <= last; t++) {
		struct wire_frame frame;

		make(&frame, (enum wire_type) t);
		if (t == WIRE_HELLO)
			frame.hello.version_max = version;
		cr_assert_leq(wire_since((enum wire_type) t), version);
		cr_assert_eq(wire_encode(&bytes, &frame), ERR_OK);
	}
	cr_assert_gt(wire_since((enum wire_type)(last + 1)), version);
	cr_assert_eq(crypt_sha256(hash, buf_slice(&bytes)), ERR_OK);
	text_hex(text, slice_of(hash, sizeof(hash)));
	cr_assert_str_eq(text, expected);
	buf_free(&bytes);
}

/* The versions as their releases wrote them: a changed byte would part a pair in the midst of an
 * upgrade. */
Test(wire, earlier_versions_are_frozen)
{
	expect_frozen(
		1, WIRE_BYE, "b019d6c9fef8dee17eb8d2ba36fb542de948e135175811986ab69841c296691b");
	expect_frozen(
		2, WIRE_REPAIR, "f4ef4f5bb1701870c39df01b3afea9f121094f7d7e352aa0cc3176a05d6f3558");
}

/* What an earlier version appends to its HELLO is none of ours. */
Test(wire, seen_is_of_version_3)
{
	struct slice records[WIRE_RECORDS_MAX];
	struct wire_frame frame, back;
	struct buf bytes;

	buf_init(&bytes, WIRE_BODY_MAX);
	make(&frame, WIRE_HELLO);
	frame.hello.version_max = 2;
	cr_assert_eq(wire_encode(&bytes, &frame), ERR_OK);
	for (size_t i = 0; i < WIRE_POSITION_LEN; i++)
		cr_assert_eq(buf_append_u8(&bytes, 9), ERR_OK);
	cr_assert_eq(wire_decode(&back, records, WIRE_HELLO,
			     slice_cut(buf_slice(&bytes), WIRE_HEAD_LEN, SIZE_MAX)),
		ERR_OK);
	cr_assert_eq(back.hello.seen.seq, 0);
	buf_clear(&bytes);
	frame.hello.version_max = 3;
	cr_assert_eq(wire_encode(&bytes, &frame), ERR_OK);
	cr_assert_eq(wire_decode(&back, records, WIRE_HELLO,
			     slice_cut(buf_slice(&bytes), WIRE_HEAD_LEN, SIZE_MAX)),
		ERR_OK);
	cr_assert_eq(back.hello.seen.seq, 6);
	buf_free(&bytes);
}

/* Heads: incomplete ones wait, impossible ones are refused before the body has come. */
Test(wire, split)
{
	uint8_t head[WIRE_HEAD_LEN + 1] = { 0, 0, 0, 2, WIRE_PING, 0 };
	struct slice body;
	size_t len;
	uint8_t type;

	for (size_t n = 0; n <= sizeof(head); n++)
		cr_assert_eq(wire_split(slice_of(head, n), &type, &body, &len), ERR_TRUNCATED);
	head[4] = WIRE_TYPE_END;
	cr_assert_eq(wire_split(slice_of(head, sizeof(head)), &type, &body, &len), ERR_INVALID);
	head[4] = 0;
	cr_assert_eq(wire_split(slice_of(head, sizeof(head)), &type, &body, &len), ERR_INVALID);
	head[4] = WIRE_PING;
	head[0] = 1;
	cr_assert_eq(wire_split(slice_of(head, sizeof(head)), &type, &body, &len), ERR_INVALID);
}

/* The fact comes back as it was; anything else is no position at all. */
Test(wire, applied_fact)
{
	struct wire_applied applied = { .position = position_of(5), .scope = { 1, 2 } };
	struct wire_applied back;
	uint8_t bytes[WIRE_APPLIED_LEN];

	wire_applied_put(bytes, &applied);
	cr_assert_eq(wire_applied_get(&back, slice_of(bytes, sizeof(bytes))), ERR_OK);
	cr_assert_eq(back.position.seq, 5);
	cr_assert(slice_equal(slice_of(back.scope, 32), slice_of(applied.scope, 32)));
	cr_assert_eq(wire_applied_get(&back, slice_of(bytes, sizeof(bytes) - 1)), ERR_INVALID);
	cr_assert_eq(back.position.seq, 0);
}

Test(wire, position_fact)
{
	const struct wire_position position = position_of(8);
	struct wire_position back;
	uint8_t bytes[WIRE_POSITION_LEN + 1];

	wire_position_put(bytes, &position);
	cr_assert_eq(wire_position_get(&back, slice_of(bytes, WIRE_POSITION_LEN)), ERR_OK);
	cr_assert_eq(back.seq, 8);
	cr_assert(wire_incarnation_equal(&back, &position));
	cr_assert_eq(back.hash[31], 8);
	cr_assert_eq(wire_position_get(&back, slice_of(bytes, sizeof(bytes))), ERR_INVALID);
	cr_assert_eq(back.seq, 0);
}
