/* SPDX-License-Identifier: Apache-2.0 */
/* kmipctl: the operator's tool. One question to the node's socket, the answer as a table or as
 * JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/secret.h"
#include "node/kmipctl_ask.h"
#include "node/kmipctl_migrate.h"
#include "node/kmipctl_peer.h"
#include "node/kmipctl_print.h"
#include "node/kmipctl_rewrap.h"
#include "node/kmipctl_words.h"

enum { CERTIFICATE_FILE_MAX = 65536 };

static int run_status(const struct arguments *arguments, const char *argument)
{
	(void) argument;
	return run_simple(arguments, "status", print_status);
}

static int run_instance_list(const struct arguments *arguments, const char *argument)
{
	(void) argument;
	return run_simple(arguments, "instance-list", print_instances);
}

static int run_client_list(const struct arguments *arguments, const char *argument)
{
	(void) argument;
	return run_simple(arguments, "client-list", print_clients);
}

static int run_client(const struct arguments *arguments, cJSON *question, const char *done)
{
	cJSON *answer = ask(arguments, question);
	if (answer == NULL)
		return 1;
	if (arguments->json)
		print_json(answer);
	else
		printf("%s %s (instance %s, fingerprint %s)\n", done,
			cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(answer, "name")),
			cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(answer, "instance")),
			cJSON_GetStringValue(
				cJSON_GetObjectItemCaseSensitive(answer, "fingerprint")));
	cJSON_Delete(answer);
	return 0;
}

static int run_client_add(const struct arguments *arguments, const char *path)
{
	struct buf pem;
	buf_init(&pem, CERTIFICATE_FILE_MAX);
	enum err err = file_read(&pem, path);
	if (err == ERR_OK)
		err = buf_append_u8(&pem, 0);
	if (err != ERR_OK) {
		fprintf(stderr, "kmipctl: %s cannot be read: %s\n", path, err_text(err));
		buf_free(&pem);
		return 1;
	}
	const char *slash = strrchr(path, '/');
	const char *name =
		arguments->name != NULL ? arguments->name : (slash == NULL ? path : slash + 1);
	cJSON *question = question_of(arguments, "client-add");
	cJSON_AddStringToObject(question, "certificate", (const char *) buf_slice(&pem).data);
	cJSON_AddStringToObject(question, "name", name);
	buf_free(&pem);
	return run_client(arguments, question, "added");
}

static int run_client_remove(const struct arguments *arguments, const char *client)
{
	cJSON *question = question_of(arguments, "client-remove");
	cJSON_AddStringToObject(question, "client", client);
	return run_client(arguments, question, "removed");
}

/* All pages as one list. */
static cJSON *ask_keys(const struct arguments *arguments)
{
	char after[64] = "";
	cJSON *keys = cJSON_CreateArray();
	for (bool more = true; more;) {
		cJSON *question = question_of(arguments, "key-list");
		cJSON_AddBoolToObject(question, "unclaimed", arguments->unclaimed);
		cJSON_AddBoolToObject(question, "missing", arguments->missing);
		cJSON_AddBoolToObject(question, "older_version", arguments->older);
		if (after[0] != '\0')
			cJSON_AddStringToObject(question, "after", after);
		cJSON *answer = ask(arguments, question);
		if (answer == NULL) {
			cJSON_Delete(keys);
			return NULL;
		}
		cJSON *page = cJSON_GetObjectItemCaseSensitive(answer, "keys");
		for (cJSON *key; (key = cJSON_DetachItemFromArray(page, 0)) != NULL;)
			cJSON_AddItemToArray(keys, key);
		const char *last =
			cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(answer, "last"));
		snprintf(after, sizeof(after), "%s", last == NULL ? "" : last);
		more = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(answer, "more")) &&
		       after[0] != '\0';
		cJSON_Delete(answer);
	}
	return keys;
}

static void print_keys(const cJSON *keys)
{
	static const struct print_column columns[] = { { "UID", "uid" }, { "INSTANCE", "instance" },
		{ "STATE", "state" }, { "TYPE", "type" }, { "CREATED", "created" },
		{ "UNCLAIMED", "unclaimed" }, { "MISSING", "missing" },
		{ "ROOT KEY VERSION", "root_key_version" } };
	print_table(keys, columns, 8);
}

static int run_key_list(const struct arguments *arguments, const char *argument)
{
	(void) argument;
	return show(arguments, ask_keys(arguments), print_keys);
}

static int run_key_show(const struct arguments *arguments, const char *uid)
{
	cJSON *question = question_of(arguments, "key-show");
	cJSON_AddStringToObject(question, "uid", uid);
	return show(arguments, ask(arguments, question), print_key);
}

static int run_key_forget(const struct arguments *arguments, const char *uid)
{
	if (!arguments->yes) {
		fprintf(stderr,
			"kmipctl: this makes key %s destroyed on both nodes, for good: whatever it "
			"encrypts is lost unless the key manager shows it again. Say --yes if you "
			"mean it\n",
			uid);
		return EXIT_USAGE;
	}
	cJSON *question = question_of(arguments, "key-forget");
	cJSON_AddStringToObject(question, "uid", uid);
	cJSON *answer = ask(arguments, question);
	if (answer == NULL)
		return 1;
	if (arguments->json)
		print_json(answer);
	else
		printf("forgotten %s\n", uid);
	cJSON_Delete(answer);
	return 0;
}

static int end_checkpoint(const struct arguments *arguments, const cJSON *answer)
{
	const char *error = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(answer, "error"));
	bool failed = error != NULL && error[0] != '\0';
	if (arguments->json)
		print_json(answer);
	else if (!failed) {
		print_checkpoint(stdout, "checkpoint: ", answer);
		printf("\n");
	}
	if (failed)
		fprintf(stderr,
			"kmipctl: the checkpoint is not complete: %s; the rest stays in the caches "
			"and comes with the next one\n",
			error);
	return failed ? 1 : 0;
}

static int run_checkpoint(const struct arguments *arguments, const char *argument)
{
	struct timespec pause = { .tv_nsec = 200000000 };
	cJSON *answer = ask(arguments, question_of(arguments, "checkpoint"));
	bool told = false;
	(void) argument;
	while (answer != NULL &&
		cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(answer, "running"))) {
		cJSON_Delete(answer);
		nanosleep(&pause, NULL);
		answer = ask(arguments, question_of(arguments, "checkpoint-status"));
		if (answer == NULL || arguments->json || isatty(STDERR_FILENO) == 0)
			continue;
		print_checkpoint(stderr, "\r", answer);
		told = true;
	}
	fputs(told ? "\n" : "", stderr);
	int status = answer == NULL ? 1 : end_checkpoint(arguments, answer);
	cJSON_Delete(answer);
	return status;
}

static void print_reloaded(const cJSON *answer)
{
	const char *waiting = answer_text(answer, "needs_restart");
	printf("reloaded%s%s\n", waiting[0] == '\0' ? "" : "; only a restart applies ", waiting);
}

static int run_reload(const struct arguments *arguments, const char *argument)
{
	(void) argument;
	return run_simple(arguments, "reload", print_reloaded);
}

static const struct command commands[] = {
	{ { "status", NULL }, NULL, "node, peer, lag, key managers, counts", run_status },
	{ { "instance", "list" }, NULL, "the instances (tenants) of this node", run_instance_list },
	{ { "instance", "migrate" }, "INSTANCE",
		"move its keys from other-root-key to root-key, with progress [--rate N] [--alone] "
		"[--stop]; then delete the old ones: --delete-old --yes",
		run_instance_migrate },
	{ { "instance", "migration" }, "INSTANCE", "how far that is", run_instance_migration },
	{ { "client", "add" }, "CERTIFICATE.pem",
		"register a client certificate, on both nodes [--name NAME] [--instance INSTANCE]",
		run_client_add },
	{ { "client", "list" }, NULL, "the registered clients [--instance INSTANCE]",
		run_client_list },
	{ { "client", "remove" }, "NAME|FINGERPRINT", "take a client's access away, on both nodes",
		run_client_remove },
	{ { "key", "list" }, NULL,
		"the keys [--instance INSTANCE] [--unclaimed] [--missing] [--older]",
		run_key_list },
	{ { "key", "show" }, "UID", "one key with its attributes (never its bytes)", run_key_show },
	{ { "key", "forget" }, "UID",
		"give up a key that the key manager does not show any more: --yes",
		run_key_forget },
	{ { "checkpoint", NULL }, NULL,
		"write activations and attributes to the key manager, with progress",
		run_checkpoint },
	{ { "rewrap", NULL }, NULL,
		"after a rotation of the root key: bring all cached keys to its newest version\n"
		"                                      "
		"[--instance INSTANCE] [--rate KEYS-A-SECOND]; goes on when kmipctl is ended",
		run_rewrap },
	{ { "rewrap", "status" }, NULL, "how that goes [--instance INSTANCE]", run_rewrap_status },
	{ { "rewrap", "stop" }, NULL, "end it; what is done stays [--instance INSTANCE]",
		run_rewrap_stop },
	{ { "reload", NULL }, NULL, "read the configuration file again", run_reload },
	{ { "drain", NULL }, NULL,
		"stop serving clients, and tell the peer; with --yes also when nobody else serves "
		"them",
		peer_run_drain },
	{ { "undrain", NULL }, NULL, "serve them again", peer_run_undrain },
	{ { "peer", "cut" }, NULL, "close the link to the peer and keep it closed", peer_run_cut },
	{ { "peer", "heal" }, NULL, "open it again", peer_run_heal },
	{ { "peer", "fence" }, NULL,
		"state that the peer is certainly off: do not wait for it: --yes", peer_run_fence },
};

static const struct command_list all = { commands, sizeof(commands) / sizeof(commands[0]) };

int main(int argc, char **argv)
{
	const char *environment = getenv("KMIPCTL_SOCKET");
	const struct command *command = NULL;
	char why[WORDS_WHY_MAX];
	struct arguments arguments = {
		.socket = environment != NULL ? environment : "/run/kmip-pair/kmipd.sock"
	};
	enum err err = words_read(&arguments, argc, argv, why);
	if (err == ERR_OK && arguments.help) {
		words_print_help(stdout, &all);
		return 0;
	}
	if (err == ERR_OK && arguments.version) {
		printf("kmipctl %s\n", PAIR_VERSION);
		return 0;
	}
	if (err != ERR_OK || words_find(&command, &all, &arguments, why) != ERR_OK) {
		fprintf(stderr, "kmipctl: %s\nkmipctl --help shows commands and options\n", why);
		return EXIT_USAGE;
	}
	return secret_harden_process()
		       ? command->run(&arguments, words_argument(&arguments, command))
		       : 1;
}
