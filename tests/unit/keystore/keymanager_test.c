/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drives the key manager client against the emulator, a process of its own found in PAIR_BIN_DIR or
 * beside the tests, with faults armed through its control endpoint. Each test has its own emulator.
 */
#include "keystore/keymanager.h"

#include "base/clock.h"
#include "base/file.h"

#include <criterion/criterion.h>
#include <curl/curl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ANSWER_MAX = 65536, TOKEN_MAX = 4096, DEADLINE_MS = 5000, LOOP_LIMIT_MS = 20000 };

struct world {
	pid_t emulator;
	char folder[64], key_file[96], url[64], instance[64], root[64];
	struct loop *loop;
	struct loop_timer *limit;
	struct keymanager *keymanager;
	struct keymanager_pending *pending;
	bool timed_out, called;
	enum err err;
	char text[8000];
	size_t text_len, count;
	bool has_key;
	struct keymanager_key key;
	struct keymanager_root root_result;
	char version[64], newest[64]; /* of the root key: of what was rewrapped; as it tells */
	struct uid id;
};

/* ---- the emulator ---- */

static size_t keep(char *data, size_t size, size_t count, void *ctx)
{
	char *out = ctx;
	size_t len = strlen(out);
	size_t fits = ANSWER_MAX - 1 - len < size * count ? ANSWER_MAX - 1 - len : size * count;
	bytes_copy(out + len, data, fits);
	out[len + fits] = '\0';
	return size * count;
}

static void ask(struct world *world, const char *method, const char *path, const char *body,
	const char *token, char *answer)
{
	char url[256];
	char line[8192];
	CURL *easy = curl_easy_init();
	struct curl_slist *headers = NULL;
	answer[0] = '\0';
	snprintf(url, sizeof(url), "%s%s", world->url, path);
	if (token != NULL) {
		snprintf(line, sizeof(line), "Authorization: Bearer %s", token);
		headers = curl_slist_append(headers, line);
		snprintf(line, sizeof(line), "Bluemix-Instance: %s", world->instance);
		headers = curl_slist_append(headers, line);
	}
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	if (body != NULL)
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, keep);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, answer);
	cr_assert_eq(curl_easy_perform(easy), CURLE_OK, "%s %s", method, path);
	curl_slist_free_all(headers);
	curl_easy_cleanup(easy);
}

static void control(struct world *world, const char *path, const char *body)
{
	static char answer[ANSWER_MAX];
	char full[64];
	snprintf(full, sizeof(full), "/_control/%s", path);
	ask(world, "POST", full, body, NULL, answer);
}

/* The text behind "name":" */
static void pick(char *out, size_t size, const char *json, const char *name)
{
	char pattern[64];
	snprintf(pattern, sizeof(pattern), "\"%s\":\"", name);
	const char *at = strstr(json, pattern);
	cr_assert_not_null(at, "%s in %s", name, json);
	at += strlen(pattern);
	snprintf(out, size, "%.*s", (int) strcspn(at, "\""), at);
}

static void find_binary(char *out, size_t size)
{
	char self[PATH_MAX] = "";
	const char *folder = getenv("PAIR_BIN_DIR");
	if (folder != NULL) {
		snprintf(out, size, "%s/key-protect-emulator", folder);
		return;
	}
	cr_assert(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	snprintf(out, size, "%s/../../bin/key-protect-emulator", dirname(self));
}

static void start_emulator(struct world *world)
{
	char binary[PATH_MAX + 64];
	char line[512] = "";
	int out[2];
	find_binary(binary, sizeof(binary));
	cr_assert_eq(pipe(out), 0);
	world->emulator = fork();
	if (world->emulator == 0) {
		dup2(out[1], STDOUT_FILENO);
		close(out[0]);
		/* a test that fails leaves no emulator behind */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl(binary, binary, "--data", world->folder, "--listen", "127.0.0.1:0", "--http",
			"--api-key", "dev-manager-key=Manager", "--api-key", "second-key=Manager",
			"--api-key", "purge-only-key=KeyPurge", (char *) NULL);
		_exit(127);
	}
	close(out[1]);
	FILE *lines = fdopen(out[0], "r");
	while (fgets(line, sizeof(line), lines) != NULL && strncmp(line, "ready ", 6) != 0)
		;
	cr_assert_eq(sscanf(line, "ready url=%63s instance=%63s", world->url, world->instance), 2);
	fclose(lines);
}

static void take_token(struct world *world, char token[TOKEN_MAX])
{
	static char answer[ANSWER_MAX];
	ask(world, "POST", "/identity/token",
		"grant_type=urn%3Aibm%3Aparams%3Aoauth%3Agrant-type%3Aapikey&apikey="
		"dev-manager-key",
		NULL, answer);
	pick(token, TOKEN_MAX, answer, "access_token");
}

/* As the owner does. */
static void rotate_root(struct world *world)
{
	static char answer[ANSWER_MAX];
	static char token[TOKEN_MAX];
	char path[128];
	take_token(world, token);
	snprintf(path, sizeof(path), "/api/v2/keys/%s/actions/rotate", world->root);
	ask(world, "POST", path, "{}", token, answer);
}

static void make_root(struct world *world)
{
	static char answer[ANSWER_MAX];
	static char token[TOKEN_MAX];
	take_token(world, token);
	ask(world, "POST", "/api/v2/keys",
		"{\"metadata\":{\"collectionType\":\"application/vnd.ibm.kms.key+json\","
		"\"collectionTotal\":1},\"resources\":[{\"name\":\"root\",\"type\":"
		"\"application/vnd.ibm.kms.key+json\",\"extractable\":false}]}",
		token, answer);
	pick(world->root, sizeof(world->root), answer, "id");
}

static void on_limit(void *ctx)
{
	struct world *world = ctx;
	world->timed_out = true;
	loop_stop(world->loop);
}

static void make_keymanager(struct world *world)
{
	char why[KEYMANAGER_WHY_MAX] = "";
	struct keymanager_options options = {
		.loop = world->loop,
		.kind = "key-protect",
		.url = world->url,
		.iam_url = world->url,
		.service_instance = world->instance,
		.api_key_file = world->key_file,
		.key_ring = "kmip",
		.root_key = world->root,
		.name = "test",
	};
	cr_assert_eq(keymanager_new(&world->keymanager, &options, why), ERR_OK, "%s", why);
}

static void prepare(struct world *world);

static void world_start(struct world *world, const char *api_key)
{
	*world = (struct world){ 0 };
	snprintf(world->folder, sizeof(world->folder), "/tmp/keymanager-test-XXXXXX");
	cr_assert_not_null(mkdtemp(world->folder));
	snprintf(world->key_file, sizeof(world->key_file), "%s/api-key", world->folder);
	cr_assert_eq(file_write_atomic(world->key_file, slice_text(api_key), 0600), ERR_OK);
	start_emulator(world);
	make_root(world);
	cr_assert_eq(loop_new(&world->loop), ERR_OK);
	cr_assert_eq(loop_timer_new(&world->limit, world->loop, on_limit, world), ERR_OK);
	make_keymanager(world);
}

static void world_stop(struct world *world)
{
	char command[128];
	keymanager_free(world->keymanager);
	loop_timer_free(world->limit);
	loop_free(world->loop);
	kill(world->emulator, SIGKILL);
	waitpid(world->emulator, NULL, 0);
	snprintf(command, sizeof(command), "rm -rf %s", world->folder);
	cr_assert_eq(system(command), 0);
}

/* ---- calls, waited for ---- */

static enum err run(struct world *world, enum err started)
{
	cr_assert_eq(started, ERR_OK);
	cr_assert_not(world->called, "called back from inside the start");
	world->timed_out = false;
	loop_timer_set(world->limit, LOOP_LIMIT_MS);
	cr_assert_eq(loop_run(world->loop), ERR_OK);
	loop_timer_stop(world->limit);
	cr_assert_not(world->timed_out);
	cr_assert(world->called);
	world->called = false;
	return world->err;
}

static void called(struct world *world, enum err err, struct slice text)
{
	cr_assert_not(world->called, "called back twice");
	world->called = true;
	world->pending = NULL;
	world->err = err;
	cr_assert(text.len < sizeof(world->text));
	world->text_len = text.len;
	if (text.len > 0)
		bytes_copy(world->text, text.data, text.len);
	loop_stop(world->loop);
}

static void on_wrapped(void *ctx, const struct keymanager_wrapped *result)
{
	called(ctx, result->err, result->ciphertext);
}

static void on_rewrapped(void *ctx, const struct keymanager_wrapped *result)
{
	struct world *world = ctx;
	if (result->err == ERR_OK)
		cr_assert_eq(text_copy(world->version, sizeof(world->version), result->key_version),
			ERR_OK);
	called(world, result->err, result->ciphertext);
}

static void on_unwrapped(void *ctx, const struct keymanager_unwrapped *result)
{
	called(ctx, result->err, result->plaintext);
}

static void on_got(void *ctx, const struct keymanager_got *result)
{
	struct world *world = ctx;
	world->has_key = result->key != NULL;
	if (world->has_key)
		world->key = *result->key;
	called(world, result->err, world->has_key ? result->key->payload : SLICE_EMPTY);
}

static void on_created(void *ctx, const struct keymanager_created *result)
{
	struct world *world = ctx;
	world->id = result->id;
	called(world, result->err, SLICE_EMPTY);
}

static void on_done(void *ctx, const struct keymanager_done *result)
{
	called(ctx, result->err, slice_text(result->why));
}

static void on_listed(void *ctx, const struct keymanager_listed *result)
{
	struct world *world = ctx;
	world->count = result->count;
	called(world, result->err, SLICE_EMPTY);
}

static void on_root(void *ctx, const struct keymanager_root *result)
{
	struct world *world = ctx;
	world->root_result = *result;
	if (result->err == ERR_OK)
		cr_assert_eq(text_copy(world->newest, sizeof(world->newest), result->key_version),
			ERR_OK);
	called(world, result->err, SLICE_EMPTY);
}

static struct keymanager_call call_of(struct world *world, uint32_t deadline_ms)
{
	return (struct keymanager_call){ .ctx = world, .deadline_ms = deadline_ms };
}

static const struct keymanager_aad aad = {
	.parts = { SLICE_LITERAL("instance-1"), SLICE_LITERAL("00ff") },
	.count = 2,
};
static const struct keymanager_aad wrong_aad = {
	.parts = { SLICE_LITERAL("instance-2"), SLICE_LITERAL("00ff") },
	.count = 2,
};

static enum err wrap(struct world *world, uint32_t deadline_ms)
{
	struct keymanager_call call = call_of(world, deadline_ms);
	return run(world, keymanager_wrap_start(&world->pending, world->keymanager,
				  SLICE_LITERAL("sixteen bytes..."), &aad, on_wrapped, &call));
}

static enum err unwrap(
	struct world *world, struct slice ciphertext, const struct keymanager_aad *with)
{
	struct keymanager_call call = call_of(world, DEADLINE_MS);
	return run(world, keymanager_unwrap_start(&world->pending, world->keymanager, ciphertext,
				  with, on_unwrapped, &call));
}

static enum err rewrap(
	struct world *world, struct slice ciphertext, const struct keymanager_aad *with)
{
	struct keymanager_call call = call_of(world, DEADLINE_MS);
	return run(world, keymanager_rewrap_start(&world->pending, world->keymanager, ciphertext,
				  with, on_rewrapped, &call));
}

static enum err get(struct world *world, const struct uid *id, uint32_t deadline_ms)
{
	struct keymanager_call call = call_of(world, deadline_ms);
	return run(
		world, keymanager_get_start(&world->pending, world->keymanager, id, on_got, &call));
}

static enum err create(struct world *world)
{
	struct keymanager_call call = call_of(world, DEADLINE_MS);
	return run(
		world, keymanager_create_start(&world->pending, world->keymanager, "kmip-test-00",
			       SLICE_LITERAL("KPE1 payload"), on_created, &call));
}

static enum err delete (struct world *world, const struct uid *id) {
	struct keymanager_call call = call_of(world, DEADLINE_MS); return run(world,
		keymanager_delete_start(&world->pending, world->keymanager, id, on_done, &call));
}

static enum err list(struct world *world, const struct keymanager_list_query *query)
{
	struct keymanager_call call = call_of(world, DEADLINE_MS);
	call.background = true;
	return run(world,
		keymanager_list_start(&world->pending, world->keymanager, query, on_listed, &call));
}

static enum err root(struct world *world)
{
	struct keymanager_call call = call_of(world, DEADLINE_MS);
	return run(world, keymanager_root_start(&world->pending, world->keymanager, KEYMANAGER_CRK,
				  on_root, &call));
}

static void prepare(struct world *world)
{
	struct keymanager_call call = call_of(world, DEADLINE_MS);
	cr_assert_eq(run(world, keymanager_prepare_start(
					&world->pending, world->keymanager, on_done, &call)),
		ERR_OK);
}

/* ---- tests ---- */

/* What was wrapped comes back under the same AAD, and under no other. */
Test(keymanager, wraps_and_unwraps)
{
	struct world world;
	static char ciphertext[8000];
	world_start(&world, "dev-manager-key\n");
	cr_assert_eq(wrap(&world, DEADLINE_MS), ERR_OK);
	size_t len = world.text_len;
	bytes_copy(ciphertext, world.text, len);
	cr_assert_eq(unwrap(&world, slice_of(ciphertext, len), &aad), ERR_OK);
	cr_assert(slice_equal_text(slice_of(world.text, world.text_len), "sixteen bytes..."));
	cr_assert_eq(unwrap(&world, slice_of(ciphertext, len), &wrong_aad), ERR_CORRUPT);
	cr_assert_eq(root(&world), ERR_OK);
	cr_assert_eq(world.root_result.state, KEYMANAGER_ROOT_ENABLED);
	world_stop(&world);
}

/* After a rotation a rewrap gives another form, of the root key's newest version, that opens to the
 * same under the same AAD. */
Test(keymanager, rewraps_after_a_rotation)
{
	struct world world;
	static char old[8000], renewed[8000];
	world_start(&world, "dev-manager-key\n");
	cr_assert_eq(wrap(&world, DEADLINE_MS), ERR_OK);
	struct slice ciphertext = slice_of(old, world.text_len);
	bytes_copy(old, world.text, world.text_len);
	rotate_root(&world);
	cr_assert_eq(rewrap(&world, ciphertext, &wrong_aad), ERR_CORRUPT);
	cr_assert_eq(rewrap(&world, ciphertext, &aad), ERR_OK);
	struct slice again = slice_of(renewed, world.text_len);
	bytes_copy(renewed, world.text, world.text_len);
	cr_assert_not(slice_equal(ciphertext, again));
	cr_assert_eq(unwrap(&world, again, &aad), ERR_OK);
	cr_assert(slice_equal_text(slice_of(world.text, world.text_len), "sixteen bytes..."));
	cr_assert_eq(root(&world), ERR_OK);
	cr_assert_str_eq(world.version, world.newest);
	world_stop(&world);
}

/* A standard key from creation to destruction, in a ring that prepare makes. */
Test(keymanager, keeps_standard_keys)
{
	struct world world;
	struct uid unknown = { { 1, 2, 3, 4, 5, 6, 0x47, 8, 0x89, 10, 11, 12, 13, 14, 15, 16 } };
	struct keymanager_list_query query = { .limit = 10,
		.newest_first = true,
		.created_since = clock_wall_seconds() - 60,
		.updated_since = clock_wall_seconds() - 60 };
	world_start(&world, "dev-manager-key");
	cr_assert_eq(create(&world), ERR_FIELD, "no ring yet");
	prepare(&world);
	prepare(&world);
	cr_assert_eq(create(&world), ERR_OK);
	struct uid id = world.id;
	cr_assert_eq(get(&world, &id, DEADLINE_MS), ERR_OK);
	cr_assert(slice_equal_text(slice_of(world.text, world.text_len), "KPE1 payload"));
	cr_assert_str_eq(world.key.name, "kmip-test-00");
	cr_assert_eq(get(&world, &unknown, DEADLINE_MS), ERR_NOT_FOUND);
	cr_assert_eq(list(&world, &query), ERR_OK);
	cr_assert_eq(world.count, 1);
	cr_assert_eq(delete (&world, &id), ERR_OK);
	cr_assert_eq(delete (&world, &id), ERR_OK, "410 is as good");
	cr_assert_eq(get(&world, &id, DEADLINE_MS), ERR_DESTROYED);
	cr_assert(world.has_key && world.key.deletion > 0);
	cr_assert_eq(list(&world, &query), ERR_OK);
	cr_assert_eq(world.count, 0);
	query.with_destroyed = true;
	cr_assert_eq(list(&world, &query), ERR_OK);
	cr_assert_eq(world.count, 1);
	world_stop(&world);
}

/* A reply that got lost after the key was made leaves exactly one key, and is told as unknown. */
Test(keymanager, never_repeats_an_ambiguous_create)
{
	struct world world;
	struct keymanager_list_query query = { .limit = 10 };
	world_start(&world, "dev-manager-key");
	prepare(&world);
	control(&world, "fault",
		"{\"path\":\"/api/v2/keys\",\"method\":\"POST\",\"kind\":\"drop_after_commit\","
		"\"count\":1}");
	cr_assert_eq(create(&world), ERR_AMBIGUOUS);
	cr_assert_eq(list(&world, &query), ERR_OK);
	cr_assert_eq(world.count, 1);
	control(&world, "fault",
		"{\"path\":\"/api/v2/keys\",\"method\":\"POST\",\"kind\":\"status\","
		"\"status\":500,\"count\":1}");
	cr_assert_eq(create(&world), ERR_AMBIGUOUS);
	world_stop(&world);
}

static enum err get_with_fault(struct world *world, const char *fault, uint32_t deadline_ms)
{
	char body[300];
	snprintf(body, sizeof(body), "{\"path\":\"/api/v2/keys\",\"method\":\"GET\",%s}", fault);
	control(world, "fault", body);
	return get(world, &world->id, deadline_ms);
}

/* Reads go on after what passes, and stop after what does not. */
Test(keymanager, retries_what_may_pass)
{
	struct world world;
	world_start(&world, "dev-manager-key");
	prepare(&world);
	cr_assert_eq(create(&world), ERR_OK);
	struct uid id = world.id;
	static const char *const passing[] = {
		"\"kind\":\"status\",\"status\":500,\"count\":1",
		"\"kind\":\"status\",\"status\":401,\"count\":1",
		"\"kind\":\"status\",\"status\":429,\"retry_after\":1,\"count\":1",
		"\"kind\":\"truncated\",\"count\":1",
		"\"kind\":\"reset\",\"count\":1",
	};
	for (size_t i = 0; i < sizeof(passing) / sizeof(passing[0]); i++) {
		world.id = id;
		cr_assert_eq(get_with_fault(&world, passing[i], DEADLINE_MS), ERR_OK, "%s: %s",
			passing[i], err_name(world.err));
	}
	cr_assert_eq(get_with_fault(
			     &world, "\"kind\":\"status\",\"status\":429,\"count\":1", DEADLINE_MS),
		ERR_THROTTLED);
	cr_assert_eq(get_with_fault(
			     &world, "\"kind\":\"status\",\"status\":404,\"count\":1", DEADLINE_MS),
		ERR_UNAVAILABLE, "a 404 without the code proves nothing");
	cr_assert_eq(
		get_with_fault(&world, "\"kind\":\"huge\",\"count\":1", 10000), ERR_UNAVAILABLE);
	cr_assert_eq(get_with_fault(
			     &world, "\"kind\":\"status\",\"status\":401,\"count\":2", DEADLINE_MS),
		ERR_REFUSED);
	world_stop(&world);
}

/* The deadline holds, also with retries, a silent service and one that is away. */
Test(keymanager, keeps_its_deadline)
{
	struct world world;
	world_start(&world, "dev-manager-key");
	cr_assert_eq(wrap(&world, DEADLINE_MS), ERR_OK);
	uint64_t start_ms = clock_boot_ms();
	cr_assert_eq(
		get_with_fault(&world, "\"kind\":\"delay\",\"delay_ms\":8000,\"count\":1", 500),
		ERR_UNAVAILABLE);
	control(&world, "mode", "{\"down\":true}");
	cr_assert_eq(wrap(&world, 700), ERR_UNAVAILABLE);
	cr_assert_lt(clock_boot_ms() - start_ms, 4000);
	struct keymanager_health health;
	keymanager_health(world.keymanager, &health);
	cr_assert_not(health.reachable);
	cr_assert_eq(health.running + health.queued, 0);
	world_stop(&world);
}

/* An API key that IAM does not know is an outage three times, then a refusal. */
Test(keymanager, gives_up_an_unknown_api_key)
{
	struct world world;
	world_start(&world, "no-such-key");
	cr_assert_eq(wrap(&world, 50), ERR_UNAVAILABLE);
	cr_assert_eq(wrap(&world, 15000), ERR_REFUSED);
	char why[KEYMANAGER_WHY_MAX];
	cr_assert_eq(
		file_write_atomic(world.key_file, slice_text("dev-manager-key"), 0600), ERR_OK);
	cr_assert_eq(keymanager_reload(world.keymanager, why), ERR_OK);
	cr_assert_eq(wrap(&world, DEADLINE_MS), ERR_OK);
	world_stop(&world);
}

static void reload_with(struct world *world, const char *api_key)
{
	char why[KEYMANAGER_WHY_MAX];
	cr_assert_eq(file_write_atomic(world->key_file, slice_text(api_key), 0600), ERR_OK);
	cr_assert_eq(keymanager_reload(world->keymanager, why), ERR_OK);
}

/* Wraps until the last reload's API key has been judged; every one of them must succeed. */
static void wrap_until_judged(struct world *world, const char *outcome_start)
{
	struct keymanager_health health;
	uint64_t limit_ms = clock_boot_ms() + LOOP_LIMIT_MS;
	do {
		cr_assert_eq(wrap(world, DEADLINE_MS), ERR_OK, "the key in use serves on");
		keymanager_health(world->keymanager, &health);
		cr_assert_lt(clock_boot_ms(), limit_ms);
	} while (strncmp(health.credential, "new API key is", 14) == 0 ||
		 strncmp(health.credential, "new API key not", 15) == 0);
	cr_assert(strncmp(health.credential, outcome_start, strlen(outcome_start)) == 0 &&
			  (health.credential[0] == '\0') == (outcome_start[0] == '\0'),
		"%s", health.credential);
}

/* A wrong new API key is refused, also one that IAM knows and the service does not let in; calls
 * go on with the one in use. A right one is taken. */
Test(keymanager, tries_a_new_api_key_before_it_is_used)
{
	struct world world;
	world_start(&world, "dev-manager-key");
	cr_assert_eq(wrap(&world, DEADLINE_MS), ERR_OK);
	reload_with(&world, "no-such-key");
	wrap_until_judged(&world, "new API key refused: IAM answered 400 BXNIM0415E");
	reload_with(&world, "purge-only-key");
	wrap_until_judged(&world, "new API key refused: the key manager answered 401");
	reload_with(&world, "dev-manager-key");
	wrap_until_judged(&world, "");
	reload_with(&world, "second-key");
	wrap_until_judged(&world, "");
	world_stop(&world);
}

/* With IAM away a new API key waits; what is in use serves on. */
Test(keymanager, a_new_api_key_waits_for_iam)
{
	struct world world;
	struct keymanager_health health;
	world_start(&world, "dev-manager-key");
	cr_assert_eq(wrap(&world, DEADLINE_MS), ERR_OK);
	control(&world, "mode", "{\"iam_down\":true}");
	reload_with(&world, "second-key");
	do {
		cr_assert_eq(wrap(&world, DEADLINE_MS), ERR_OK);
		keymanager_health(world.keymanager, &health);
	} while (strncmp(health.credential, "new API key not tried yet", 25) != 0);
	control(&world, "mode", "{\"iam_down\":false}");
	wrap_until_judged(&world, "");
	world_stop(&world);
}

/* After failures in a row calls are refused at once; a poll that is answered, or the one call that
 * goes to see, ends that. Polls are never refused. */
Test(keymanager, opens_its_circuit_and_closes_it)
{
	struct world world;
	struct keymanager_health health;
	world_start(&world, "dev-manager-key");
	cr_assert_eq(wrap(&world, DEADLINE_MS), ERR_OK);
	control(&world, "mode", "{\"down\":true}");
	do {
		cr_assert_eq(wrap(&world, 300), ERR_UNAVAILABLE);
		keymanager_health(world.keymanager, &health);
	} while (strcmp(health.circuit, "open") != 0);
	cr_assert_eq(wrap(&world, DEADLINE_MS), ERR_UNAVAILABLE, "at once, without a retry");
	control(&world, "mode", "{\"down\":false}");
	uint64_t limit_ms = clock_boot_ms() + LOOP_LIMIT_MS;
	while (wrap(&world, DEADLINE_MS) != ERR_OK)
		cr_assert_lt(clock_boot_ms(), limit_ms);
	keymanager_health(world.keymanager, &health);
	cr_assert_str_eq(health.circuit, "closed");
	world_stop(&world);
}

/* Nothing is called after a cancel, in whichever step it comes; free cancels the rest. */
Test(keymanager, cancels_in_flight)
{
	struct world world;
	struct keymanager_pending *first = NULL;
	struct keymanager_pending *second = NULL;
	world_start(&world, "dev-manager-key");
	struct keymanager_call call = call_of(&world, DEADLINE_MS);
	cr_assert_eq(
		keymanager_root_start(&first, world.keymanager, KEYMANAGER_CRK, on_root, &call),
		ERR_OK);
	keymanager_cancel(first);
	cr_assert_eq(wrap(&world, DEADLINE_MS), ERR_OK);
	control(&world, "fault",
		"{\"path\":\"/metadata\",\"method\":\"GET\",\"kind\":\"delay\",\"delay_ms\":3000}");
	control(&world, "fault",
		"{\"path\":\".*metadata\",\"method\":\"GET\",\"kind\":\"delay\",\"delay_ms\":"
		"3000}");
	cr_assert_eq(
		keymanager_root_start(&first, world.keymanager, KEYMANAGER_CRK, on_root, &call),
		ERR_OK);
	cr_assert_eq(
		keymanager_root_start(&second, world.keymanager, KEYMANAGER_CRK, on_root, &call),
		ERR_OK);
	cr_assert_eq(wrap(&world, DEADLINE_MS), ERR_OK);
	keymanager_cancel(first);
	cr_assert_eq(wrap(&world, DEADLINE_MS), ERR_OK);
	cr_assert_not(world.called);
	world_stop(&world);
}
