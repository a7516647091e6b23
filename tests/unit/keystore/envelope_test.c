/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "base/crypt.h"
#include "keystore/envelope.h"
#include "keystore/keymanager.h"

static const struct instance_id tenant = { "tenant-0001" };
static const struct instance_id other = { "tenant-0002" };

struct world {
	struct arena *arena;
	struct buf payload;
	struct object_attribute attributes[2];
	struct envelope given;
};

static void world_init(struct world *world)
{
	*world = (struct world){ 0 };
	cr_assert_eq(crypt_start(), ERR_OK);
	cr_assert_eq(arena_new(&world->arena, 1 << 20), ERR_OK);
	buf_init(&world->payload, ENVELOPE_LEN_MAX);
	/* Not in the order that an object keeps them. */
	world->attributes[0] = (struct object_attribute){ .name = slice_text("x-vendor"),
		.added = { 7, 2 },
		.index = 3,
		.value = slice_text("VMware, Inc."),
		.written = { 9, 1 } };
	world->attributes[1] = (struct object_attribute){
		.name = slice_text("Name"), .value = slice_text("n"), .written = { 9, 1 }
	};
	world->given = (struct envelope){ .kind = ENVELOPE_OBJECT,
		.instance = tenant,
		.nonce = { 0xab, 1, 2, 3 },
		.ciphertext = slice_text("eyJjaXBoZXJ0ZXh0Ijoi"),
		.type = 2,
		.format = 1,
		.initial_date = 1790000000,
		.attributes = world->attributes,
		.attribute_count = 2 };
}

static void world_free(struct world *world)
{
	buf_free(&world->payload);
	arena_free(world->arena);
}

static enum err decode(struct world *world, struct envelope *out, struct slice payload)
{
	arena_reset(world->arena);
	return envelope_decode(out, world->arena, &tenant, payload);
}

/* What goes in comes out, and makes a fresh object with sorted attributes and the payload's hash.
 */
Test(envelope, object_round_trip)
{
	struct uid key_id = { { 5, 6, 7 } };
	struct world world;
	struct envelope got;
	struct object object;
	uint8_t hash[32];

	world_init(&world);
	cr_assert_eq(envelope_encode(&world.payload, &world.given), ERR_OK);
	cr_assert(slice_equal_text(slice_cut(buf_slice(&world.payload), 0, 4), "KPE1"));
	cr_assert_eq(decode(&world, &got, buf_slice(&world.payload)), ERR_OK);
	cr_assert_eq(got.kind, ENVELOPE_OBJECT);
	cr_assert(slice_equal(got.ciphertext, world.given.ciphertext));
	cr_assert_eq(got.sealed.len, 0);
	cr_assert_eq(got.attribute_count, 2);
	cr_assert_eq(got.attributes[0].added.node, 2);

	cr_assert_eq(
		envelope_to_object(&object, world.arena, &got, &key_id, buf_slice(&world.payload)),
		ERR_OK);
	cr_assert(uid_equal(&object.uid, &key_id) && uid_equal(&object.key_id, &key_id));
	cr_assert_eq(crypt_sha256(hash, buf_slice(&world.payload)), ERR_OK);
	cr_assert(slice_equal(slice_of(hash, 32), slice_of(object.envelope_hash, 32)));
	cr_assert(slice_equal_text(object.attributes[0].name, "Name"));
	cr_assert(slice_equal_text(object.attributes[1].value, "VMware, Inc."));
	cr_assert_eq(object.dates[OBJECT_DATE_INITIAL], 1790000000);
	cr_assert_eq(object.dates[OBJECT_DATE_ACTIVATED], 0);
	cr_assert(object.has_material && !object.dead && object.life == OBJECT_PRE_ACTIVE);
	world_free(&world);
}

/* After a migration the new key's envelope speaks for the old UID. */
Test(envelope, old_uid_supersedes_key_id)
{
	struct uid key_id = { { 5 } };
	struct world world;
	struct object object;

	world_init(&world);
	world.given.old_uid = (struct uid){ { 9 } };
	cr_assert_eq(envelope_to_object(
			     &object, world.arena, &world.given, &key_id, slice_text("payload")),
		ERR_OK);
	cr_assert_eq(object.uid.bytes[0], 9);
	cr_assert_eq(object.key_id.bytes[0], 5);
	world_free(&world);
}

/* A ledger record has sealed bytes and no object. */
Test(envelope, ledger_round_trip)
{
	struct uid key_id = { { 5 } };
	struct world world;
	struct envelope got;
	struct object object;

	world_init(&world);
	world.given.kind = ENVELOPE_LEDGER;
	world.given.sealed = slice_text("sealed bytes");
	cr_assert_eq(envelope_encode(&world.payload, &world.given), ERR_OK);
	cr_assert_eq(decode(&world, &got, buf_slice(&world.payload)), ERR_OK);
	cr_assert_eq(got.kind, ENVELOPE_LEDGER);
	cr_assert(slice_equal_text(got.sealed, "sealed bytes"));
	cr_assert_eq(got.attribute_count, 0);
	cr_assert_eq(
		envelope_to_object(&object, world.arena, &got, &key_id, buf_slice(&world.payload)),
		ERR_INVALID);
	world_free(&world);
}

/* Cut anywhere, it is refused; without its magic it is not ours at all. */
Test(envelope, truncated_everywhere)
{
	struct world world;
	struct envelope got;

	world_init(&world);
	cr_assert_eq(envelope_encode(&world.payload, &world.given), ERR_OK);
	for (size_t len = 0; len < buf_slice(&world.payload).len; len++)
		cr_assert_eq(decode(&world, &got, slice_cut(buf_slice(&world.payload), 0, len)),
			len < 4 ? ERR_FOREIGN : ERR_CORRUPT, "%zu", len);
	cr_assert_eq(buf_append_u8(&world.payload, 0), ERR_OK);
	cr_assert_eq(decode(&world, &got, buf_slice(&world.payload)), ERR_CORRUPT);
	world_free(&world);
}

/* Any one bit wrong is seen. */
Test(envelope, every_bit_flip)
{
	uint8_t bytes[ENVELOPE_LEN_MAX];
	struct world world;
	struct envelope got;
	struct slice payload;

	world_init(&world);
	cr_assert_eq(envelope_encode(&world.payload, &world.given), ERR_OK);
	payload = slice_of(bytes, buf_slice(&world.payload).len);
	bytes_copy(bytes, buf_slice(&world.payload).data, payload.len);
	for (size_t bit = 0; bit < 8 * payload.len; bit++) {
		enum err expected = bit < 32 ? ERR_FOREIGN : bit < 40 ? ERR_VERSION : ERR_CORRUPT;

		bytes[bit / 8] ^= (uint8_t) (1u << bit % 8);
		cr_assert_eq(decode(&world, &got, payload), expected, "%zu", bit);
		bytes[bit / 8] ^= (uint8_t) (1u << bit % 8);
	}
	world_free(&world);
}

/* Sound, but of another tenant: foreign, never acted on (design D8). */
Test(envelope, other_instance_is_foreign)
{
	struct world world;
	struct envelope got;

	world_init(&world);
	world.given.instance = other;
	cr_assert_eq(envelope_encode(&world.payload, &world.given), ERR_OK);
	cr_assert_eq(decode(&world, &got, buf_slice(&world.payload)), ERR_FOREIGN);
	world_free(&world);
}

/* A newer version is said to be newer, whatever follows. */
Test(envelope, newer_version)
{
	struct world world;
	struct envelope got;

	world_init(&world);
	cr_assert_eq(decode(&world, &got, slice_text("KPE1\x02whatever")), ERR_VERSION);
	cr_assert_eq(decode(&world, &got, slice_text("MIIBIjANBgkqhkiG")), ERR_FOREIGN);
	cr_assert_eq(decode(&world, &got, SLICE_EMPTY), ERR_FOREIGN);
	world_free(&world);
}

/* What does not fit one standard key is ERR_LIMIT, and nothing is written. */
Test(envelope, too_long)
{
	static uint8_t large[ENVELOPE_LEN_MAX];
	struct world world;

	world_init(&world);
	world.given.sealed = slice_of(large, sizeof(large) - 100);
	cr_assert_eq(envelope_encode(&world.payload, &world.given), ERR_LIMIT);
	cr_assert_eq(buf_slice(&world.payload).len, 0);
	world.given.sealed = SLICE_EMPTY;
	world.given.ciphertext = SLICE_EMPTY;
	cr_assert_eq(envelope_encode(&world.payload, &world.given), ERR_INVALID);
	world_free(&world);
}

/* The same register twice cannot have come from us. */
Test(envelope, duplicate_register_is_corrupt)
{
	struct uid key_id = { { 5 } };
	struct world world;
	struct object object;

	world_init(&world);
	world.attributes[0] = world.attributes[1];
	cr_assert_eq(
		envelope_to_object(&object, world.arena, &world.given, &key_id, slice_text("p")),
		ERR_CORRUPT);
	world_free(&world);
}

/* Names say kind and nonce, for this instance only. */
Test(envelope, names)
{
	static const enum envelope_kind kinds[] = { ENVELOPE_OBJECT, ENVELOPE_LEDGER };
	uint8_t nonce[ENVELOPE_NONCE_LEN] = { 0xfe, 0xdc }, got[ENVELOPE_NONCE_LEN];
	char name[ENVELOPE_NAME_LEN];
	enum envelope_kind kind;

	for (size_t i = 0; i < 2; i++) {
		envelope_name(name, kinds[i], &tenant, nonce);
		cr_assert_eq(envelope_parse_name(&kind, got, &tenant, name), ERR_OK);
		cr_assert_eq(kind, kinds[i]);
		cr_assert(slice_equal(slice_of(nonce, 16), slice_of(got, 16)));
		cr_assert_eq(envelope_parse_name(&kind, got, &other, name), ERR_FOREIGN);
		name[0] = 'K';
		cr_assert_eq(envelope_parse_name(&kind, got, &tenant, name), ERR_FOREIGN);
	}
	cr_assert_eq(envelope_parse_name(&kind, got, &tenant, ""), ERR_FOREIGN);
	cr_assert_eq(envelope_parse_name(&kind, got, &tenant,
			     "kmip-tenant-0001-FEDC0000000000000000000000000000"),
		ERR_FOREIGN);
}

/* The AAD is the instance id, then the nonce in hex. */
Test(envelope, aad)
{
	uint8_t nonce[ENVELOPE_NONCE_LEN] = { 0xfe };
	char hex[2 * ENVELOPE_NONCE_LEN + 1];
	struct keymanager_aad aad;

	envelope_aad(&aad, hex, &tenant, nonce);
	cr_assert_eq(aad.count, 2);
	cr_assert(slice_equal_text(aad.parts[0], "tenant-0001"));
	cr_assert(slice_equal_text(aad.parts[1], "fe000000000000000000000000000000"));
}
