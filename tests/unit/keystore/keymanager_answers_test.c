/* SPDX-License-Identifier: Apache-2.0 */
/* What the service says, and what keymanager.h makes of it: the golden transcripts. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "tests/unit/keystore/scripted_service.h"

#define RESOURCE_HEAD \
	"{\"metadata\":{\"collectionType\":\"application/vnd.ibm.kms.key+json\"," \
	"\"collectionTotal\":1},\"resources\":[{\"type\":\"application/vnd.ibm.kms.key+json\"," \
	"\"unheard-of\":{\"a\":[1]},\"name\":\"kmip-tenant-0001-00ff\",\"creationDate\":" \
	"\"2026-08-01T10:00:00Z\",\"lastUpdateDate\":\"2026-08-02T10:00:00Z\","
#define STANDARD_KEY \
	RESOURCE_HEAD "\"id\":\"" SERVICE_KEY_ID "\",\"state\":1,\"extractable\":true," \
		      "\"deleted\":false,\"payload\":\"S1BFMSBwYXlsb2Fk\"}]}"
#define ROOT_KEY(state, more) \
	RESOURCE_HEAD \
	"\"id\":\"" SERVICE_ROOT_ID "\",\"state\":" state ",\"extractable\":false," \
	"\"keyVersion\":{\"id\":\"v-9\",\"creationDate\":\"2026-08-03T00:00:00Z\"}" more "}]}"

/* One line, one call, one callback. */
static void once(struct service *service, struct line line,
	struct keymanager_pending *(*call)(struct service *service))
{
	unsigned answers = service->answers + 1;

	service->line_count = 0;
	service_line(service, line);
	(void) call(service);
	service_run(service, answers);
	cr_assert_eq(service->answers, answers);
}

static struct keymanager_pending *wrap_soon(struct service *service)
{
	return service_wrap(service, 2500);
}

/* A call fetches a token first, and says who it is for and which call it is. */
Test(keymanager_answers, token_and_wrap)
{
	static const char wrap[] = "POST " SERVICE_ROOT "/actions/wrap";
	struct service service;

	service_start(&service);
	service_line(&service, (struct line){ wrap, .status = 200, .body = SERVICE_WRAPPED });
	(void) service_wrap(&service, 2500);
	service_run(&service, 1);
	cr_assert_eq(service.err, ERR_OK, "%s", service.why);
	cr_assert_str_eq(service.text[0], "eyJ3cmFwcGVkIn0=");
	cr_assert_str_eq(service.text[2], "v-1");
	cr_assert_eq(service_count(&service, "POST /identity/token"), 1);
	cr_assert(service_last_has(&service, "POST /identity",
		"grant_type=urn%3Aibm%3Aparams%3Aoauth%3Agrant-type%3Aapikey"));
	cr_assert(service_last_has(&service, wrap, "\r\nAuthorization: Bearer token-1\r\n"));
	cr_assert(service_last_has(&service, wrap, "\r\nBluemix-Instance: " SERVICE_GUID "\r\n"));
	cr_assert(service_last_has(&service, wrap, "\r\nCorrelation-Id: "));
	cr_assert(service_last_has(
		&service, wrap, "\"plaintext\":\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\""));
	cr_assert(service_last_has(&service, wrap, "\"aad\":[\"tenant-0001\",\"00ff\"]"));
	service_stop(&service);
}

static int64_t seconds_after(struct service *service, int status, const char *headers)
{
	once(service,
		(struct line){ "POST " SERVICE_ROOT "/actions/wrap", .status = status,
			.body = SERVICE_WRAPPED, .headers = headers },
		wrap_soon);
	return keymanager_seconds(service->keymanager);
}

/* The service's clock is believed where ours is ahead of it, and only as it answers what was asked
 * for: not a date of a gateway, nor one that is none. */
Test(keymanager_answers, clock)
{
	const int64_t told = 784111777;
	struct service service;
	int64_t now;

	service_start(&service);
	cr_assert_geq(seconds_after(&service, 200, NULL), clock_wall_seconds() - 10);
	now = seconds_after(&service, 200, "Date: Fri, 01 Jan 2100 00:00:00 GMT\r\n");
	cr_assert(now <= clock_wall_seconds() && now >= clock_wall_seconds() - 10);
	now = seconds_after(&service, 404, "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
	cr_assert_geq(now, clock_wall_seconds() - 10);
	now = seconds_after(&service, 200, "date:  Sun, 06 Nov 1994 08:49:37 GMT  \r\n");
	cr_assert(now >= told && now < told + 100);
	now = seconds_after(&service, 200, "Date: whenever\r\nX-Date: 1\r\n");
	cr_assert(now >= told && now < told + 100, "told before, and going on");
	service_stop(&service);
}

/* Calls that begin together share one token. */
Test(keymanager_answers, one_token_for_many)
{
	struct service service;

	service_start(&service);
	service_line(&service, (struct line){ "POST " SERVICE_ROOT "/actions/wrap", .status = 200,
				       .body = SERVICE_WRAPPED });
	for (int i = 0; i < 20; i++)
		(void) service_wrap(&service, 2500);
	service_run(&service, 20);
	cr_assert_eq(service.err, ERR_OK);
	cr_assert_eq(service_count(&service, "POST /identity/token"), 1);
	cr_assert_eq(service_count(&service, "POST " SERVICE_ROOT "/actions/wrap"), 20);
	service_stop(&service);
}

/* An unwrap tells the plaintext and, after a rotation, the new form (design D14). */
Test(keymanager_answers, unwrap)
{
	struct line line = { "POST " SERVICE_ROOT "/actions/unwrap", .status = 200,
		.body = "{\"plaintext\":\"a2V5\",\"keyVersion\":{\"id\":\"v-1\"}}" };
	struct service service;

	service_start(&service);
	once(&service, line, service_unwrap);
	cr_assert_eq(service.err, ERR_OK, "%s", service.why);
	cr_assert_str_eq(service.text[0], "key");
	cr_assert_str_eq(service.text[1], "");
	cr_assert_str_eq(service.text[2], "v-1");
	cr_assert(service_last_has(&service, line.request, "\"ciphertext\":\"eyJ3cmFwcGVkIn0=\""));
	line.body = "{\"plaintext\":\"a2V5\",\"ciphertext\":\"bmV3\",\"keyVersion\":{\"id\":"
		    "\"v-1\"},\"rewrappedKeyVersion\":{\"id\":\"v-2\"}}";
	once(&service, line, service_unwrap);
	cr_assert_str_eq(service.text[0], "key");
	cr_assert_str_eq(service.text[1], "bmV3");
	cr_assert_str_eq(service.text[2], "v-2");
	line.status = 422;
	line.body = SERVICE_REASON("UNPROCESSABLE_CIPHERTEXT_ERR");
	once(&service, line, service_unwrap);
	cr_assert_eq(service.err, ERR_CORRUPT);
	service_stop(&service);
}

/* A rewrap tells the new form and the version that it is of, and sends no plaintext; an answer that
 * does not is none. */
Test(keymanager_answers, rewrap)
{
	struct line line = { "POST " SERVICE_ROOT "/actions/rewrap", .status = 200,
		.body = "{\"ciphertext\":\"bmV3\",\"keyVersion\":{\"id\":\"v-1\"},"
			"\"rewrappedKeyVersion\":{\"id\":\"v-2\"}}" };
	struct service service;

	service_start(&service);
	once(&service, line, service_rewrap);
	cr_assert_eq(service.err, ERR_OK, "%s", service.why);
	cr_assert_str_eq(service.text[0], "bmV3");
	cr_assert_str_eq(service.text[2], "v-2");
	cr_assert(service_last_has(&service, line.request, "\"ciphertext\":\"eyJ3cmFwcGVkIn0=\""));
	cr_assert(service_last_has(&service, line.request, "\"aad\":[\"tenant-0001\",\"00ff\"]"));
	cr_assert_not(service_last_has(&service, line.request, "plaintext"));
	service_stop(&service);
}

/* A rewrap that fails: what is wrong with the ciphertext, with the root key, and with the answer.
 */
Test(keymanager_answers, rewrap_refused)
{
	static const struct {
		int status;
		const char *body;
		enum err err;
	} answers[] = {
		{ 422, SERVICE_REASON("UNPROCESSABLE_CIPHERTEXT_ERR"), ERR_CORRUPT },
		{ 400, SERVICE_REASON("INVALID_FIELD_ERR"), ERR_CORRUPT },
		{ 409, SERVICE_REASON("KEY_ACTION_INVALID_STATE_ERR"), ERR_ROOT_DISABLED },
		{ 410, SERVICE_REASON("KEY_DELETED_ERR"), ERR_ROOT_DISABLED },
		{ 400, SERVICE_REASON("BAD_BODY_ERR"), ERR_FIELD },
		{ 200, "{\"ciphertext\":\"bmV3\",\"keyVersion\":{\"id\":\"v-1\"}}",
			ERR_UNAVAILABLE },
		{ 200, "{\"rewrappedKeyVersion\":{\"id\":\"v-2\"}}", ERR_UNAVAILABLE },
	};
	struct line line = { "POST " SERVICE_ROOT "/actions/rewrap", .status = 0 };
	struct service service;

	service_start(&service);
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		line.status = answers[i].status;
		line.body = answers[i].body;
		once(&service, line, service_rewrap);
		cr_assert_eq(service.err, answers[i].err, "%zu: %s", i, err_name(service.err));
	}
	service_stop(&service);
}

/* A root key that the owner disabled or deleted is no outage. */
Test(keymanager_answers, root_key_taken_away)
{
	struct line line = { "POST " SERVICE_ROOT "/actions/unwrap", .status = 409,
		.body = SERVICE_REASON("KEY_ACTION_INVALID_STATE_ERR") };
	struct service service;

	service_start(&service);
	once(&service, line, service_unwrap);
	cr_assert_eq(service.err, ERR_ROOT_DISABLED);
	line.status = 410;
	line.body = SERVICE_REASON("KEY_DELETED_ERR");
	once(&service, line, service_unwrap);
	cr_assert_eq(service.err, ERR_ROOT_DISABLED);
	service_stop(&service);
}

/* A gateway's own 409 and 410 say nothing of root key or key. */
Test(keymanager_answers, refusals_without_a_reason)
{
	static const int statuses[] = { 404, 409, 410 };
	struct line unwrap = { "POST " SERVICE_ROOT "/actions/unwrap", .body = "Gone" };
	struct line delete = { "DELETE " SERVICE_KEY, .body = "Gone" };
	struct service service;

	service_start(&service);
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		unwrap.status = delete.status = statuses[i];
		once(&service, unwrap, service_unwrap);
		cr_assert_eq(service.err, ERR_UNAVAILABLE, "%d", statuses[i]);
		once(&service, delete, service_delete);
		cr_assert_eq(service.err, ERR_UNAVAILABLE, "%d", statuses[i]);
	}
	service_stop(&service);
}

/* A created key is a standard key in our ring, with payload and name as given. */
Test(keymanager_answers, create)
{
	static const char post[] = "POST " SERVICE_KEYS " ";
	struct service service;
	struct uid id;

	service_start(&service);
	service_line(&service, (struct line){ post, .status = 201, .body = STANDARD_KEY });
	(void) service_create(&service, 2500);
	service_run(&service, 1);
	cr_assert_eq(service.err, ERR_OK, "%s", service.why);
	cr_assert_eq(uid_parse(&id, slice_text(SERVICE_KEY_ID)), ERR_OK);
	cr_assert(uid_equal(&service.created, &id));
	cr_assert(service_last_has(&service, post, "\r\nX-Kms-Key-Ring: kmip-ring\r\n"));
	cr_assert(service_last_has(&service, post, "\"collectionTotal\":1"));
	cr_assert(service_last_has(&service, post, "\"extractable\":true"));
	cr_assert(service_last_has(&service, post, "\"name\":\"kmip-tenant-0001-00ff\""));
	cr_assert(service_last_has(&service, post, "\"payload\":\"S1BFMSBwYXlsb2Fk\""));
	service_stop(&service);
}

static struct keymanager_pending *create(struct service *service)
{
	return service_create(service, 2500);
}

/* A refusal of a create is told with its reason and is not ambiguous. */
Test(keymanager_answers, create_refused)
{
	struct line line = { "POST " SERVICE_KEYS " ", .status = 409,
		.body = SERVICE_REASON("KEY_CREATE_IMPORT_ACCESS_ERR") };
	struct service service;

	service_start(&service);
	once(&service, line, create);
	cr_assert_eq(service.err, ERR_FIELD);
	cr_assert_not_null(strstr(service.why, "KEY_CREATE_IMPORT_ACCESS_ERR"));
	line.status = 400;
	line.body = SERVICE_REASON("INVALID_FIELD_ERR");
	once(&service, line, create);
	cr_assert_eq(service.err, ERR_FIELD);
	service_stop(&service);
}

/* Deleting is done when it was done before, too. */
Test(keymanager_answers, delete)
{
	struct line line = { "DELETE " SERVICE_KEY, .status = 204 };
	struct service service;

	service_start(&service);
	once(&service, line, service_delete);
	cr_assert_eq(service.err, ERR_OK, "%s", service.why);
	line.status = 410;
	line.body = SERVICE_REASON("KEY_DELETED_ERR");
	once(&service, line, service_delete);
	cr_assert_eq(service.err, ERR_OK, "%s", service.why);
	line.status = 409;
	line.body = SERVICE_REASON("AUTHORIZATIONS_NOT_MET");
	once(&service, line, service_delete);
	cr_assert_eq(service.err, ERR_FIELD);
	line.status = 404;
	line.body = SERVICE_REASON("KEY_NOT_FOUND_ERR");
	once(&service, line, service_delete);
	cr_assert_eq(service.err, ERR_NOT_FOUND);
	service_stop(&service);
}

/* A key by id, in whichever ring it is. */
Test(keymanager_answers, get)
{
	struct line line = { "GET " SERVICE_KEY " ", .status = 200, .body = STANDARD_KEY };
	struct service service;

	service_start(&service);
	once(&service, line, service_get);
	cr_assert_eq(service.err, ERR_OK, "%s", service.why);
	cr_assert_str_eq(service.text[0], "KPE1 payload");
	cr_assert_str_eq(service.key.name, "kmip-tenant-0001-00ff");
	cr_assert(service.key.standard && !service.key.deleted && service.key.state == 1);
	cr_assert_eq(service.key.created, 1785578400);
	cr_assert_eq(service.key.updated, 1785664800);
	cr_assert_eq(service.key.deletion, 0);
	cr_assert_not(service_last_has(&service, line.request, "X-Kms-Key-Ring"));
	service_stop(&service);
}

/* What an earlier attempt told of another key is not told of the one that is gone. */
Test(keymanager_answers, another_key_before_the_end)
{
	struct service service;

	service_start(&service);
	service_line(&service, (struct line){ "GET " SERVICE_KEY, .status = 200,
				       .body = ROOT_KEY("5", ""), .times = 1 });
	service_line(&service, (struct line){ "GET " SERVICE_KEY, .status = 410,
				       .body = SERVICE_REASON("KEY_DELETED_ERR") });
	(void) service_get(&service);
	service_run(&service, 1);
	cr_assert_eq(service.err, ERR_DESTROYED);
	cr_assert_not(service.has_key);
	service_stop(&service);
}

/* Only 410 and state 5 are the end of a key; a 404 counts when the service itself says it. */
Test(keymanager_answers, get_of_what_is_not_there)
{
	struct line line = { "GET " SERVICE_KEY " ", .status = 200,
		.body = RESOURCE_HEAD "\"id\":\"" SERVICE_KEY_ID "\",\"state\":5,\"extractable\":"
				      "true,\"deleted\":true,\"deletionDate\":"
				      "\"2026-08-03T00:00:00Z\"}]}" };
	struct service service;

	service_start(&service);
	once(&service, line, service_get);
	cr_assert_eq(service.err, ERR_DESTROYED);
	cr_assert(service.has_key && service.key.deleted);
	cr_assert_eq(service.key.deletion, 1785715200);
	line.status = 410;
	line.body = SERVICE_REASON("KEY_DELETED_ERR");
	once(&service, line, service_get);
	cr_assert_eq(service.err, ERR_DESTROYED);
	line.status = 404;
	line.body = SERVICE_REASON("KEY_NOT_FOUND_ERR");
	once(&service, line, service_get);
	cr_assert_eq(service.err, ERR_NOT_FOUND);
	line.body = "default backend - 404";
	once(&service, line, service_get);
	cr_assert_eq(service.err, ERR_UNAVAILABLE);
	line.status = 410;
	line.body = "Gone";
	once(&service, line, service_get);
	cr_assert_eq(service.err, ERR_UNAVAILABLE);
	line.status = 404;
	line.body = SERVICE_REASON("KEY_RING_NOT_FOUND_ERR");
	once(&service, line, service_get);
	cr_assert_neq(service.err, ERR_NOT_FOUND);
	service_stop(&service);
}

/* A restored key keeps its deletion date but lives. */
Test(keymanager_answers, get_restored)
{
	struct line line = { "GET " SERVICE_KEY " ", .status = 200,
		.body = RESOURCE_HEAD "\"id\":\"" SERVICE_KEY_ID "\",\"state\":1,\"extractable\":"
				      "true,\"deleted\":false,\"deletionDate\":"
				      "\"2026-08-03T00:00:00Z\",\"payload\":\"a2V5\"}]}" };
	struct service service;

	service_start(&service);
	once(&service, line, service_get);
	cr_assert_eq(service.err, ERR_OK);
	cr_assert(!service.key.deleted && service.key.deletion == 1785715200);
	service_stop(&service);
}

/* A page of our ring: states, filters and order as asked. */
Test(keymanager_answers, list)
{
	struct keymanager_list_query query = { .updated_since = 1785578400,
		.with_destroyed = true,
		.newest_first = true,
		.offset = 500,
		.limit = 500 };
	static const char get[] = "GET " SERVICE_KEYS "?";
	struct service service;

	service_start(&service);
	service_line(&service,
		(struct line){ get, .status = 200,
			.body = "{\"metadata\":{\"collectionTotal\":2},\"resources\":[{\"id\":"
				"\"" SERVICE_KEY_ID "\",\"name\":\"a\",\"state\":1,"
				"\"extractable\":true,\"deleted\":false},{\"id\":"
				"\"" SERVICE_ROOT_ID "\",\"name\":\"b\",\"state\":5,"
				"\"extractable\":false,\"deleted\":true}]}" });
	(void) service_list(&service, &query);
	service_run(&service, 1);
	cr_assert_eq(service.err, ERR_OK, "%s", service.why);
	cr_assert_eq(service.key_count, 2);
	cr_assert(service.keys[0].standard && !service.keys[1].standard);
	cr_assert(service.keys[1].deleted && service.keys[1].state == 5);
	cr_assert(service_last_has(&service, get, "limit=500"));
	cr_assert(service_last_has(&service, get, "offset=500"));
	cr_assert(service_last_has(&service, get, "sort=-creationDate"));
	cr_assert(service_last_has(&service, get, "lastUpdateDate"));
	cr_assert(service_last_has(&service, get, "2026-08-01T10"));
	cr_assert(service_last_has(&service, get, "state=0,1,2,3,5") ||
		  service_last_has(&service, get, "state=0%2C1%2C2%2C3%2C5"));
	cr_assert(service_last_has(&service, get, "\r\nX-Kms-Key-Ring: kmip-ring\r\n"));
	query.any_ring = true;
	(void) service_list(&service, &query);
	service_run(&service, 2);
	cr_assert_eq(service.key_count, 2);
	cr_assert_not(service_last_has(&service, get, "X-Kms-Key-Ring"));
	service_stop(&service);
}

/* An empty answer has no resources at all. */
Test(keymanager_answers, list_empty)
{
	struct keymanager_list_query query = { .limit = 10 };
	struct service service;

	service_start(&service);
	service_line(&service, (struct line){ "GET " SERVICE_KEYS "?", .status = 200,
				       .body = "{\"metadata\":{\"collectionTotal\":0}}" });
	(void) service_list(&service, &query);
	service_run(&service, 1);
	cr_assert_eq(service.err, ERR_OK, "%s", service.why);
	cr_assert_eq(service.key_count, 0);
	cr_assert_not(service_last_has(&service, "GET " SERVICE_KEYS, "filter="));
	service_stop(&service);
}

/* The root key's state; 404 and 401 prove nothing. */
Test(keymanager_answers, root)
{
	struct line line = { "GET " SERVICE_ROOT "/metadata", .status = 200,
		.body = ROOT_KEY("1", "") };
	struct service service;

	service_start(&service);
	once(&service, line, service_root);
	cr_assert_eq(service.err, ERR_OK, "%s", service.why);
	cr_assert_eq(service.root.state, KEYMANAGER_ROOT_ENABLED);
	cr_assert_eq(service.root.version_date, 1785715200);
	cr_assert_str_eq(service.text[2], "v-9");
	line.body = ROOT_KEY("2", "");
	once(&service, line, service_root);
	cr_assert_eq(service.root.state, KEYMANAGER_ROOT_DISABLED);
	line.body = ROOT_KEY("3", "");
	once(&service, line, service_root);
	cr_assert_eq(service.root.state, KEYMANAGER_ROOT_ENABLED);
	line.body = ROOT_KEY("5", ",\"deleted\":true");
	once(&service, line, service_root);
	cr_assert_eq(service.root.state, KEYMANAGER_ROOT_DELETED);
	line.status = 404;
	line.body = SERVICE_REASON("KEY_NOT_FOUND_ERR");
	once(&service, line, service_root);
	cr_assert_neq(service.err, ERR_OK);
	cr_assert_neq(service.root.state, KEYMANAGER_ROOT_DELETED);
	service_stop(&service);
}

#define RINGS(ids) "{\"metadata\":{\"collectionTotal\":1},\"resources\":[" ids "]}"
#define POLICY(data) "{\"metadata\":{\"collectionTotal\":1},\"resources\":[" data "]}"

/* The ring is made when there is none of that name. */
Test(keymanager_answers, prepare_makes_the_ring)
{
	struct service service;

	service_start(&service);
	service_line(&service, (struct line){ "GET /api/v2/key_rings", .status = 200,
				       .body = RINGS("{\"id\":\"default\"}") });
	service_line(&service, (struct line){ "POST /api/v2/key_rings/kmip-ring", .status = 201 });
	service_line(&service, (struct line){ "GET /api/v2/instance/policies", .status = 200,
				       .body = "{\"metadata\":{\"collectionTotal\":0}}" });
	(void) service_prepare(&service);
	service_run(&service, 1);
	cr_assert_eq(service.err, ERR_OK, "%s", service.why);
	cr_assert_eq(service_count(&service, "POST /api/v2/key_rings/kmip-ring"), 1);
	cr_assert(
		service_last_has(&service, "POST /api/v2/key_rings", "\r\nContent-Length: 0\r\n"));
	cr_assert_eq(service.stray, 0);
	service_stop(&service);
}

/* Policies that would make Create or Destroy fail are named (design D24). */
Test(keymanager_answers, prepare_names_policies)
{
	struct service service;

	service_start(&service);
	service_line(&service, (struct line){ "GET /api/v2/key_rings", .status = 200,
				       .body = RINGS("{\"id\":\"kmip-ring\"}") });
	service_line(&service,
		(struct line){ "GET /api/v2/instance/policies", .status = 200,
			.body = POLICY("{\"policy_type\":\"keyCreateImportAccess\",\"policy_data\":"
				       "{\"enabled\":true,\"attributes\":{"
				       "\"create_root_key\":true,\"create_standard_key\":false,"
				       "\"import_root_key\":true,\"import_standard_key\":false,"
				       "\"enforce_token\":false}}},{\"policy_type\":"
				       "\"dualAuthDelete\",\"policy_data\":{\"enabled\":true}}") });
	(void) service_prepare(&service);
	service_run(&service, 1);
	cr_assert_eq(service.err, ERR_FIELD);
	cr_assert(strcasestr(service.why, "dual") != NULL, "%s", service.why);
	cr_assert(strcasestr(service.why, "import") != NULL, "%s", service.why);
	cr_assert_eq(service_count(&service, "POST /api/v2/key_rings"), 0);
	service_stop(&service);
}

/* The other node made the ring between our look and our try. */
Test(keymanager_answers, prepare_loses_the_race)
{
	struct service service;

	service_start(&service);
	service_line(&service, (struct line){ "GET /api/v2/key_rings", .status = 200,
				       .body = RINGS("{\"id\":\"default\"}"), .times = 1 });
	service_line(&service, (struct line){ "GET /api/v2/key_rings", .status = 200,
				       .body = RINGS("{\"id\":\"kmip-ring\"}") });
	service_line(&service, (struct line){ "POST /api/v2/key_rings/kmip-ring", .status = 409,
				       .body = SERVICE_REASON("KEY_RING_EXISTS") });
	service_line(&service, (struct line){ "GET /api/v2/instance/policies", .status = 200,
				       .body = "{\"metadata\":{\"collectionTotal\":0}}" });
	(void) service_prepare(&service);
	service_run(&service, 1);
	cr_assert_eq(service.err, ERR_OK, "%s", service.why);
	cr_assert_eq(service_count(&service, "POST /api/v2/key_rings/kmip-ring"), 1);
	service_stop(&service);
}

/* A ring that cannot be made, fifty being there, is said once. */
Test(keymanager_answers, prepare_without_a_ring)
{
	struct service service;

	service_start(&service);
	service_line(&service, (struct line){ "GET /api/v2/key_rings", .status = 200,
				       .body = RINGS("{\"id\":\"default\"}") });
	service_line(&service, (struct line){ "POST /api/v2/key_rings/kmip-ring", .status = 409,
				       .body = SERVICE_REASON("QUOTA") });
	(void) service_prepare(&service);
	service_run(&service, 1);
	cr_assert_eq(service.err, ERR_FIELD);
	cr_assert_not_null(strstr(service.why, "key ring"));
	cr_assert_eq(service_count(&service, "POST /api/v2/key_rings/kmip-ring"), 1);
	service_stop(&service);
}

/* A role that may not read policies is no reason to stop. */
Test(keymanager_answers, prepare_without_the_right)
{
	struct service service;

	service_start(&service);
	service_line(&service, (struct line){ "GET /api/v2/key_rings", .status = 200,
				       .body = RINGS("{\"id\":\"kmip-ring\"}") });
	service_line(&service, (struct line){ "GET /api/v2/instance/policies", .status = 401,
				       .body = SERVICE_UNAUTHORIZED });
	(void) service_prepare(&service);
	service_run(&service, 1);
	cr_assert_eq(service.err, ERR_OK, "%s", service.why);
	cr_assert_not_null(strstr(service.why, "policies"));
	service_stop(&service);
}

/* A configuration that cannot work is told at once, with a sentence. */
Test(keymanager_answers, options_are_checked)
{
	struct keymanager_options options;
	struct keymanager *keymanager = NULL;
	char why[KEYMANAGER_WHY_MAX];
	struct service service;
	struct keymanager_options good;

	service_start(&service);
	good = service_options(&service);
	options = good;
	options.url = "http://kms.example.com";
	why[0] = '\0';
	cr_assert_eq(keymanager_new(&keymanager, &options, why), ERR_CONFIG);
	cr_assert_neq(why[0], '\0');
	options = good;
	options.url = "http://127.0.0.1.example.com";
	cr_assert_eq(keymanager_new(&keymanager, &options, why), ERR_CONFIG);
	options = good;
	options.iam_url = "ftp://127.0.0.1";
	cr_assert_eq(keymanager_new(&keymanager, &options, why), ERR_CONFIG);
	options = good;
	options.kind = "vault";
	cr_assert_eq(keymanager_new(&keymanager, &options, why), ERR_CONFIG);
	options = good;
	options.key_ring = "ring\r\nX-Evil: 1";
	cr_assert_eq(keymanager_new(&keymanager, &options, why), ERR_CONFIG);
	options = good;
	options.api_key_file = "/nonexistent/key";
	cr_assert_neq(keymanager_new(&keymanager, &options, why), ERR_OK);
	cr_assert_null(keymanager);
	options = good;
	options.service_instance = "not a guid";
	cr_assert_eq(keymanager_new(&keymanager, &options, why), ERR_CONFIG);
	service_stop(&service);
}
