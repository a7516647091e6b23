/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands against two servers over one small store of keys: a pair that behaves passes, and
 * each way in which it could cheat or lose something is noticed.
 */
#include "kmip/attribute.h"
#include "node/probe_facts.h"
#include "tests/unit/node/probe_server.h"

enum { KEYS_MAX = 32, KEY_LEN = 32, TAGS_MAX = 8 };

enum cheat {
	HONEST,
	OTHER_BYTES, /* the second server returns another key */
	FORGETS_STATE, /* the second server says Pre-Active for ever */
	FORGETS_KEYS, /* the second server does not know any key */
	KEEPS_DESTROYED, /* the second server still returns destroyed keys */
	LOSES_CHANGES_HEARD /* the first server carries changes out and then closes */
};

struct stored {
	char uid[16];
	uint32_t state;
	char tags[TAGS_MAX][32];
	size_t tag_count;
};

static struct stored stored[KEYS_MAX];
static size_t stored_count;

/* ---- operations ---- */

struct asked {
	struct server *server;
	struct codec codec;
	const struct kmip_request_item *item;
	const void *request;
	struct slice response;
	struct stored *key;
};

static bool cheats(const struct asked *asked, enum cheat cheat)
{
	return asked->server == &world.servers[1] && asked->server->behaviour == (int) cheat;
}

static enum err give(struct asked *asked, const void *payload)
{
	return kmip_payload_encode(&asked->response, &asked->codec,
		kmip_operation_find(asked->item->operation.value, KMIP_1_1)->response, payload);
}

static enum err do_discover(struct asked *asked)
{
	struct kmip_protocol_version version = kmip_protocol_version(KMIP_1_1);
	const struct kmip_discover_versions_response payload = { .versions = { &version, 1 } };

	return give(asked, &payload);
}

static enum err do_query(struct asked *asked)
{
	const struct kmip_query_response payload = { .vendor = slice_text("test vendor") };

	return give(asked, &payload);
}

static enum err do_create(struct asked *asked)
{
	struct stored *key = &stored[stored_count];
	struct kmip_create_response payload = { .object_type =
							KMIP_UINT(KMIP_OBJECT_TYPE_SYMMETRIC_KEY) };

	cr_assert_lt(stored_count, KEYS_MAX);
	*key = (struct stored){ .state = KMIP_STATE_PRE_ACTIVE };
	(void) snprintf(key->uid, sizeof(key->uid), "key-%zu", stored_count++);
	payload.unique_identifier = slice_text(key->uid);
	return give(asked, &payload);
}

static enum err do_get(struct asked *asked)
{
	uint8_t bytes[KEY_LEN] = { (uint8_t) (asked->key - stored), cheats(asked, OTHER_BYTES) };
	struct kmip_key_value value = { .material = slice_of(bytes, KEY_LEN) };
	struct kmip_key_block block = { .format = KMIP_UINT(KMIP_KEY_FORMAT_TYPE_RAW),
		.value = &value };
	struct kmip_symmetric_key key = { .key_block = &block };
	const struct kmip_get_response payload = { .object_type = KMIP_UINT(
							   KMIP_OBJECT_TYPE_SYMMETRIC_KEY),
		.unique_identifier = slice_text(asked->key->uid),
		.object.symmetric_key = &key };

	if (asked->key->state == KMIP_STATE_DESTROYED && !cheats(asked, KEEPS_DESTROYED))
		return ERR_ILLEGAL;
	return give(asked, &payload);
}

static bool has_tag(const struct stored *key, struct slice name)
{
	for (size_t i = 0; i < key->tag_count; i++)
		if (slice_equal_text(name, key->tags[i]))
			return true;
	return false;
}

static enum err do_get_attributes(struct asked *asked)
{
	const struct kmip_get_attributes_request *request = asked->request;
	struct slice name = request->attribute_names.items[0];
	bool is_state = slice_equal_text(name, "State");
	bool forgets = cheats(asked, FORGETS_STATE);
	struct kmip_attribute attribute = { .name = name,
		.value = is_state ? kmip_value_enum(
					    forgets ? KMIP_STATE_PRE_ACTIVE : asked->key->state)
				  : kmip_value_text(slice_text("x")) };
	struct kmip_get_attributes_response payload = { .unique_identifier =
								slice_text(asked->key->uid) };

	payload.attributes.items = &attribute;
	payload.attributes.count = is_state || has_tag(asked->key, name);
	return give(asked, &payload);
}

static enum err do_add_attribute(struct asked *asked)
{
	const struct kmip_add_attribute_request *request = asked->request;
	const struct kmip_add_attribute_response payload = {
		.unique_identifier = slice_text(asked->key->uid), .attribute = request->attribute
	};

	cr_assert_lt(asked->key->tag_count, TAGS_MAX);
	(void) snprintf(asked->key->tags[asked->key->tag_count++], sizeof(asked->key->tags[0]),
		"%.*s", (int) request->attribute->name.len,
		(const char *) request->attribute->name.data);
	return give(asked, &payload);
}

static enum err move_state(struct asked *asked, uint32_t from, uint32_t to)
{
	const struct kmip_activate_response payload = { .unique_identifier =
								slice_text(asked->key->uid) };

	if (asked->key->state != from)
		return ERR_DENIED;
	asked->key->state = to;
	return give(asked, &payload);
}

static enum err do_activate(struct asked *asked)
{
	return move_state(asked, KMIP_STATE_PRE_ACTIVE, KMIP_STATE_ACTIVE);
}

static enum err do_revoke(struct asked *asked)
{
	return move_state(asked, KMIP_STATE_ACTIVE, KMIP_STATE_DEACTIVATED);
}

static enum err do_destroy(struct asked *asked)
{
	return move_state(asked, KMIP_STATE_DEACTIVATED, KMIP_STATE_DESTROYED);
}

static const struct served_operation {
	uint32_t operation;
	bool is_change;
	enum err (*run)(struct asked *asked);
} served_operations[] = {
	{ KMIP_OPERATION_DISCOVER_VERSIONS, false, do_discover },
	{ KMIP_OPERATION_QUERY, false, do_query },
	{ KMIP_OPERATION_CREATE, false, do_create },
	{ KMIP_OPERATION_GET, false, do_get },
	{ KMIP_OPERATION_GET_ATTRIBUTES, false, do_get_attributes },
	{ KMIP_OPERATION_ADD_ATTRIBUTE, false, do_add_attribute },
	{ KMIP_OPERATION_ACTIVATE, true, do_activate },
	{ KMIP_OPERATION_REVOKE, true, do_revoke },
	{ KMIP_OPERATION_DESTROY, true, do_destroy },
};

/* ---- the server ---- */

/* Every request with an identifier has it as its first field. */
static enum err find_key(struct asked *asked)
{
	const struct slice *uid = asked->request;

	if (asked->item->operation.value == KMIP_OPERATION_CREATE ||
		asked->item->operation.value >= KMIP_OPERATION_QUERY)
		return ERR_OK;
	for (size_t i = 0; i < stored_count; i++)
		if (slice_equal_text(*uid, stored[i].uid))
			asked->key = &stored[i];
	return asked->key == NULL || cheats(asked, FORGETS_KEYS) ? ERR_NOT_FOUND : ERR_OK;
}

static enum err serve_item(struct asked *asked, const struct served_operation **row)
{
	enum err err;
	void *request;

	for (*row = served_operations; (*row)->operation != asked->item->operation.value; ++*row)
		;
	TRY(kmip_payload_decode(&request, &asked->codec,
		kmip_operation_find((*row)->operation, KMIP_1_1)->request, asked->item->payload));
	asked->request = request;
	TRY(find_key(asked));
	TRY((*row)->run(asked));
out:
	return err;
}

static void serve(struct server *server, struct stream *stream, struct slice frame)
{
	struct arena *arena;
	struct kmip_request request;
	struct kmip_protocol_version version = kmip_protocol_version(KMIP_1_1);
	struct kmip_response_header header = { .version = &version,
		.time_stamp = KMIP_LONG(1700000000) };
	struct kmip_response_item items[PROBE_TAGS_MAX];
	const struct served_operation *row = NULL;
	struct buf bytes;

	buf_init(&bytes, 65536);
	cr_assert_eq(arena_new(&arena, 1 << 20), ERR_OK);
	cr_assert_eq(kmip_request_decode(&request, arena, frame), ERR_OK);
	for (size_t i = 0; i < request.count; i++) {
		struct asked asked = { .server = server,
			.codec = { .arena = arena, .version = KMIP_1_1 },
			.item = &request.entries[i].item };
		enum err err = serve_item(&asked, &row);

		items[i] = (struct kmip_response_item){ .operation = asked.item->operation,
			.id = asked.item->id,
			.payload = asked.response };
		kmip_result_fill(&items[i], err, KMIP_1_1);
	}
	header.batch_count = KMIP_INT((int32_t) request.count);
	cr_assert_eq(kmip_response_encode(&bytes, &header, items), ERR_OK);
	if (server->behaviour == LOSES_CHANGES_HEARD && row->is_change)
		stream_close(stream);
	else
		cr_assert_eq(stream_send(stream, buf_slice(&bytes)), ERR_OK);
	buf_free(&bytes);
	arena_free(arena);
}

/* ---- tests ---- */

static char facts_file[] = "/tmp/probe-walk-XXXXXX";

static void open_servers(void)
{
	int fd = mkstemp(facts_file);

	cr_assert_geq(fd, 0);
	close(fd);
	stored_count = 0;
	open_world(serve);
	world.options.count = 1;
	world.options.timeout_ms = 2000;
	world.options.retry_ms = 100;
	world.options.cleanup = true;
	world.options.facts_file = facts_file;
}

static void close_servers(void)
{
	(void) unlink(facts_file);
	close_world();
}

TestSuite(probe_vsphere, .init = open_servers, .fini = close_servers, .timeout = 30);

Test(probe_vsphere, check)
{
	cr_assert_eq(probe_check(&world.probe), 0);
	server_stop(&world.servers[1]);
	cr_assert_eq(probe_check(&world.probe), 1);
}

/* An honest pair passes, and both its servers were asked. */
Test(probe_vsphere, honest)
{
	cr_assert_eq(probe_vsphere(&world.probe), 0);
	cr_assert_eq(stored[0].state, KMIP_STATE_DESTROYED);
	cr_assert_eq(stored[0].tag_count, 6);
	cr_assert_gt(world.servers[0].connections, 0);
	cr_assert_gt(world.servers[1].connections, 0);
}

Test(probe_vsphere, notices_cheats)
{
	static const enum cheat noticed[] = { OTHER_BYTES, FORGETS_STATE, FORGETS_KEYS,
		KEEPS_DESTROYED };

	for (size_t i = 0; i < sizeof(noticed) / sizeof(noticed[0]); i++) {
		world.servers[1].behaviour = (int) noticed[i];
		cr_assert_eq(probe_vsphere(&world.probe), 1, "%zu", i);
	}
}

/* What the walk was told is true on both servers. */
Test(probe_vsphere, walk_and_verify)
{
	world.options.count = 4;
	cr_assert_eq(probe_walk(&world.probe), 0);
	cr_assert_eq(stored_count, 4);
	cr_assert_eq(stored[0].state, KMIP_STATE_ACTIVE);
	cr_assert_eq(stored[1].state, KMIP_STATE_DESTROYED);
	cr_assert_eq(probe_verify(&world.probe), 0);
}

/* One server is down, or hears changes and dies: the other one makes up for it. */
Test(probe_vsphere, walk_around_failures)
{
	world.options.count = 2;
	world.servers[0].behaviour = LOSES_CHANGES_HEARD;
	cr_assert_eq(probe_walk(&world.probe), 0);
	server_stop(&world.servers[0]);
	cr_assert_eq(probe_walk(&world.probe), 0);
	cr_assert_gt(world.probe.counts.walks, 0);
	server_stop(&world.servers[1]);
	cr_assert_eq(probe_walk(&world.probe), 1);
}

Test(probe_vsphere, verify_notices_cheats)
{
	world.options.count = 2;
	cr_assert_eq(probe_walk(&world.probe), 0);
	for (int cheat = OTHER_BYTES; cheat <= KEEPS_DESTROYED; cheat++) {
		world.servers[1].behaviour = cheat;
		cr_assert_eq(probe_verify(&world.probe), 1, "%d", cheat);
	}
	world.servers[1].behaviour = HONEST;
	cr_assert_eq(probe_verify(&world.probe), 0);
	server_stop(&world.servers[1]);
	cr_assert_eq(probe_verify(&world.probe), 1);
}
