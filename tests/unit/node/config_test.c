/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shows that a right configuration is read with its defaults, that each kind of mistake is refused
 * with file, line, key and expectation, and that the example file is itself a right configuration
 * once its open values are filled in.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "node/config.h"

static const char good[] = "name: node-a\n"
			   "node: 1\n"
			   "data-dir: data\n"
			   "admin-socket: /run/a.sock\n"
			   "kmip:\n"
			   "  listen: 127.0.0.1:5696\n"
			   "  certificate: server.pem\n"
			   "  key: /abs/server.key\n"
			   "peer:\n"
			   "  cluster: test\n"
			   "  node: 2\n"
			   "  address: 127.0.0.1:5698\n"
			   "  certificate: link.pem\n"
			   "  key: link.key\n"
			   "  peer-certificate: link-b.pem\n"
			   "instances:\n"
			   "  - id: tenant-0001\n"
			   "    url: https://127.0.0.1:8443\n"
			   "    service-instance: 87fa68d0-fa10-47d0-a201-603949808530\n"
			   "    api-key-file: key.txt\n"
			   "    root-key: crk\n";

static char folder[64], path[128];
static char why[CONFIG_WHY_MAX];
static struct config *config;

static void make_folder(void)
{
	snprintf(folder, sizeof(folder), "/tmp/config-test-XXXXXX");
	cr_assert_not_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/node.yaml", folder);
	config = NULL;
}

static void remove_folder(void)
{
	config_free(config);
	unlink(path);
	rmdir(folder);
}

static enum err load(const char *text)
{
	cr_assert_eq(file_write_atomic(path, slice_text(text), 0600), ERR_OK);
	return config_load(&config, path, why);
}

/* The good file with one line replaced; from must be in it. */
static enum err load_with(const char *from, const char *to)
{
	char text[4096];
	const char *at = strstr(good, from);
	cr_assert_not_null(at);
	snprintf(text, sizeof(text), "%.*s%s%s", (int) (at - good), good, to, at + strlen(from));
	return load(text);
}

static void refused(enum err err, const char *place, const char *words)
{
	cr_assert_eq(err, ERR_CONFIG, "%s", err_name(err));
	cr_assert_not_null(strstr(why, path), "%s", why);
	cr_assert_not_null(strstr(why, place), "%s", why);
	cr_assert_not_null(strstr(why, words), "%s", why);
}

TestSuite(config, .init = make_folder, .fini = remove_folder);

Test(config, reads_values_and_defaults)
{
	char expected[256];
	cr_assert_eq(load(good), ERR_OK, "%s", why);
	cr_assert_str_eq(config->top.name, "node-a");
	cr_assert_eq(config->top.plaintext_ttl_s, 300);
	cr_assert_eq(config->kmip.message_size_max, 1048576);
	cr_assert(!config->kmip.legacy_tls);
	cr_assert(config->has_peer);
	cr_assert_eq(config->peer.ack_wait_ms, 50);
	cr_assert_eq(config->instance_count, 1);
	cr_assert_str_eq(config->instances[0].kind, "key-protect");
	cr_assert_str_eq(config->instances[0].name, "tenant-0001");
	snprintf(expected, sizeof(expected), "%s/data", folder);
	cr_assert_str_eq(
		config->top.data_dir, expected, "relative paths belong to the file's folder");
	cr_assert_str_eq(config->kmip.key, "/abs/server.key");
}

Test(config, runs_without_peer)
{
	char text[4096];
	const char *peer = strstr(good, "peer:"), *instances = strstr(good, "instances:");
	snprintf(text, sizeof(text), "%.*s%s", (int) (peer - good), good, instances);
	cr_assert_eq(load(text), ERR_OK, "%s", why);
	cr_assert(!config->has_peer);
}

Test(config, refuses_wrong_number)
{
	refused(load_with("node: 1\n", "node: one\n"), ":2: node", "a number from 1 to 65535");
	refused(load_with("node: 1\n", "node: 0\n"), ":2: node", "a number");
}

Test(config, refuses_wrong_address)
{
	refused(load_with("127.0.0.1:5696", "5696"), ":6: kmip.listen", "HOST:PORT");
}

Test(config, refuses_unknown_key_with_its_line)
{
	refused(load_with("  key: /abs", "  kye: 1\n  key: /abs"), ":8:", "unknown key \"kye\"");
}

Test(config, refuses_missing_key)
{
	refused(load_with("    root-key: crk\n", ""), "instances.root-key", "nothing");
	refused(load_with("  certificate: server.pem\n", ""), "kmip.certificate", "nothing");
}

Test(config, refuses_wrong_choice_and_flag)
{
	refused(load_with("    url:", "    key-manager: vault\n    url:"),
		":18: instances.key-manager", "key-protect or hpcs");
	refused(load_with("  key: /abs", "  legacy-tls: maybe\n  key: /abs"), ":8: kmip.legacy-tls",
		"true or false");
}

/* A policy is kept as it was written; a word that means nothing is named. */
Test(config, reads_algorithm_policies)
{
	cr_assert_eq(load(good), ERR_OK);
	cr_assert_str_eq(config->instances[0].algorithm_policy, "all");
	config_free(config);
	config = NULL;
	cr_assert_eq(load_with("    url:", "    algorithm-policy: fips RSA:3072\n    url:"), ERR_OK,
		"%s", why);
	cr_assert_str_eq(config->instances[0].algorithm_policy, "fips RSA:3072");
	refused(load_with("    url:", "    algorithm-policy: all -3DS\n    url:"),
		":18: instances.algorithm-policy", "\"3DS\" is no algorithm");
}

/* off, recent N, all; and what is none of these. */
Test(config, reads_what_is_kept_warm)
{
	static const struct {
		const char *line;
		uint32_t keys;
	} good_lines[] = { { "", 0 }, { "keep-warm: off\n", 0 }, { "keep-warm: recent 500\n", 500 },
		{ "keep-warm: all\n", CONFIG_WARM_ALL } };
	static const char *const bad_lines[] = { "keep-warm: recent\n", "keep-warm: recent 0\n",
		"keep-warm: recent 4194305\n", "keep-warm: recent many\n", "keep-warm: 500\n",
		"keep-warm: recent -1\n", "keep-warm: All\n" };
	char text[100];

	for (size_t i = 0; i < sizeof(good_lines) / sizeof(good_lines[0]); i++) {
		snprintf(text, sizeof(text), "node: 1\n%s", good_lines[i].line);
		cr_assert_eq(load_with("node: 1\n", text), ERR_OK, "%s", why);
		cr_assert_eq(config->top.keep_warm, good_lines[i].keys);
		config_free(config);
		config = NULL;
	}
	for (size_t i = 0; i < sizeof(bad_lines) / sizeof(bad_lines[0]); i++) {
		snprintf(text, sizeof(text), "node: 1\n%s", bad_lines[i]);
		refused(load_with("node: 1\n", text), ":3: keep-warm", "off, all, or recent");
	}
}

Test(config, keeps_its_text_which_gives_the_same_without_the_file)
{
	struct config *again = NULL;
	cr_assert_eq(load(good), ERR_OK, "%s", why);
	cr_assert(slice_equal_text(buf_slice(&config->text), good));
	cr_assert_eq(file_write_atomic(path, slice_text("{"), 0600), ERR_OK);
	cr_assert_eq(config_parse(&again, buf_slice(&config->text), path, why), ERR_OK, "%s", why);
	cr_assert_str_eq(again->top.data_dir, config->top.data_dir);
	cr_assert_eq(again->instance_count, 1);
	config_free(again);
	again = NULL;
	cr_assert_eq(config_parse(&again, SLICE_EMPTY, path, why), ERR_CONFIG);
	cr_assert_eq(config_parse(&again, slice_of(good, 40), path, why), ERR_CONFIG);
	cr_assert_null(again);
}

Test(config, refuses_empty_broken_and_absent_files)
{
	refused(load(""), "node.yaml", "empty");
	cr_assert_eq(load("name: [x\n"), ERR_CONFIG);
	cr_assert_eq(load("\x01\xff\n"), ERR_CONFIG);
	unlink(path);
	cr_assert_neq(config_load(&config, path, why), ERR_OK);
	cr_assert_not_null(strstr(why, "cannot be read"));
}

/* An instance but for its id. */
#define SECOND \
	"    url: https://x\n    service-instance: 87fa68d0-fa10-47d0-a201-603949808530\n" \
	"    api-key-file: k\n    root-key: crk\n"

Test(config, refuses_what_does_not_go_together)
{
	refused(load_with("  node: 2\n", "  node: 1\n"), ":11: peer.node", "other node's number");
	refused(load_with("  address: 127.0.0.1:5698\n", ""), "peer.address", "lower number dials");
	refused(load_with("instances:\n", "instances:\n  - id: tenant-0001\n    url: https://x\n   "
					  " service-instance: "
					  "87fa68d0-fa10-47d0-a201-603949808530\n    api-key-file: "
					  "k\n    root-key: crk\n"),
		"instances.id", "another instance");
	refused(load_with("instances:\n",
			"instances:\n  - id: tenant-0002\n    name: tenant-0001\n" SECOND),
		"instances.id", "another instance");
	refused(load_with("  - id: tenant-0001\n", "  - id: tenant-0002\n    name: gold\n" SECOND
						   "  - id: tenant-0001\n    name: gold\n"),
		"instances.name", "another instance");
}

Test(config, refuses_missing_instances)
{
	char text[4096];
	snprintf(text, sizeof(text), "%.*s", (int) (strstr(good, "instances:") - good), good);
	refused(load(text), "instances", "at least one entry");
}

Test(config, example_names_every_option_and_is_loadable)
{
	struct buf example;
	buf_init(&example, 65536);
	cr_assert_eq(config_example(&example), ERR_OK);
	cr_assert_eq(buf_append_u8(&example, 0), ERR_OK);
	/* As it is, it asks for the first open value and for nothing else. */
	refused(load((const char *) buf_slice(&example).data), "name", "nothing");
	buf_free(&example);
}

Test(config, metrics_port_has_a_default_and_can_be_switched_off)
{
	cr_assert_eq(load(good), ERR_OK, "%s", why);
	cr_assert_str_eq(config->metrics.listen, "127.0.0.1:9696");
	config_free(config);
	cr_assert_eq(load_with("kmip:\n", "metrics:\n  listen: none\nkmip:\n"), ERR_OK, "%s", why);
	cr_assert_null(config->metrics.listen);
	config_free(config);
	config = NULL;
	refused(load_with("kmip:\n", "metrics:\n  listen: 9696\nkmip:\n"), "metrics.listen",
		"HOST:PORT or none");
	refused(load_with("127.0.0.1:5696", "none"), "kmip.listen", "HOST:PORT");
}
