/* SPDX-License-Identifier: Apache-2.0 */
/* key-protect-emulator: command line, data folder, listening, a clean end. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crypt.h"
#include "base/log.h"
#include "tests/emulator/certificate.h"
#include "tests/emulator/emulator.h"
#include "tests/emulator/options.h"
#include "tests/emulator/server.h"

#define API_KEY_DEFAULT "dev-manager-key=Manager"

enum { FILE_PATH_MAX = 4096 };

static void main_on_stop(evutil_socket_t signal_number, short what, void *ctx)
{
	(void) what;
	log_info("stopping", "signal=%d", (int) signal_number);
	event_base_loopbreak(ctx);
}

static enum err main_start_log(const struct options *options)
{
	int fd = STDERR_FILENO;

	if (options->log != NULL)
		fd = open(options->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0)
		return ERR_IO;
	log_start(fd, "emulator");
	return ERR_OK;
}

static enum err main_add_users(struct access *access, const struct options *options)
{
	enum err err = ERR_OK;

	for (size_t i = 0; i < options->api_key_count; i++) {
		err = access_add(access, options->api_keys[i], false);
		if (err != ERR_OK) {
			log_error("api-key-wrong", "number=%zu need=KEY=ROLE[,ROLE]", i + 1);
			return err;
		}
	}
	for (size_t i = 0; i < options->profile_count; i++) {
		err = access_add(access, options->profiles[i], true);
		if (err != ERR_OK) {
			log_error("profile-wrong", "number=%zu need=NAME=ROLE[,ROLE]", i + 1);
			return err;
		}
	}
	if (options->api_key_count == 0)
		err = access_add(access, API_KEY_DEFAULT, false);
	return err;
}

static enum err main_listen(
	struct server **out, struct emulator *emulator, const struct options *options)
{
	enum err err = ERR_OK;
	char cert[FILE_PATH_MAX];
	char key[FILE_PATH_MAX];
	struct server_options server = { .host = options->host,
		.port = options->port,
		.cert_file = options->cert,
		.key_file = options->key };

	if (!options->http && options->cert == NULL) {
		snprintf(cert, sizeof(cert), "%s/tls-cert.pem", options->data);
		snprintf(key, sizeof(key), "%s/tls-key.pem", options->data);
		TRY(certificate_ensure(cert, key, options->hosts, options->host_count));
		server.cert_file = cert;
		server.key_file = key;
	}
	if (options->http)
		server.cert_file = NULL;
	TRY(server_new(out, emulator, &server));
out:
	return err;
}

static void main_say_ready(
	const struct options *options, const struct server *server, const struct world *world)
{
	char host[OPTIONS_HOST_MAX + 2];

	if (strchr(options->host, ':') != NULL)
		snprintf(host, sizeof(host), "[%s]", options->host);
	else
		snprintf(host, sizeof(host), "%s", options->host);
	printf("ready url=%s://%s:%u instance=%s\n", options->http ? "http" : "https", host,
		server_port(server), world->instance);
	fflush(stdout);
}

/* The first of each kind. */
static void main_set_hosts(struct emulator *emulator, const struct options *options)
{
	for (size_t i = options->host_count; i-- > 0;) {
		if (strstr(options->hosts[i], "private") != NULL)
			emulator->private_host = options->hosts[i];
		else
			emulator->public_host = options->hosts[i];
	}
}

static enum err main_run(const struct options *options)
{
	enum err err;
	struct emulator emulator = { 0 };
	struct server *server = NULL;
	struct event *on_term = NULL;
	struct event *on_int = NULL;

	TRY(crypt_start());
	TRY(main_start_log(options));
	TRY(main_add_users(&emulator.access, options));
	struct world_options world = { .folder = options->data,
		.instance = options->instance,
		.region = options->region,
		.service = options->service };
	err = world_new(&emulator.world, &world);
	if (err != ERR_OK)
		fprintf(stderr, "key-protect-emulator: the folder %s cannot be used\n",
			options->data);
	TRY(err);
	main_set_hosts(&emulator, options);
	emulator.token_life_s = options->token_life_s;
	emulator.world->knobs.token_life_s = options->token_life_s;
	TRY(vault_derive(emulator.world->vault, emulator.access.token_key, "iam token"));
	emulator.base = event_base_new();
	if (emulator.base == NULL)
		TRY(ERR_NOMEM);
	TRY(main_listen(&server, &emulator, options));
	on_term = evsignal_new(emulator.base, SIGTERM, main_on_stop, emulator.base);
	on_int = evsignal_new(emulator.base, SIGINT, main_on_stop, emulator.base);
	if (on_term == NULL || on_int == NULL || evsignal_add(on_term, NULL) != 0 ||
		evsignal_add(on_int, NULL) != 0)
		TRY(ERR_SYS);
	main_say_ready(options, server, emulator.world);
	if (event_base_dispatch(emulator.base) < 0)
		TRY(ERR_SYS);
out:
	if (on_term != NULL)
		event_free(on_term);
	if (on_int != NULL)
		event_free(on_int);
	server_free(server);
	if (emulator.base != NULL)
		event_base_free(emulator.base);
	fault_clear(&emulator.faults);
	world_free(emulator.world);
	access_free(&emulator.access);
	return err;
}

int main(int argc, char **argv)
{
	struct options options;
	char why[OPTIONS_WHY_MAX];

	if (options_parse(&options, argc, argv, why) != ERR_OK) {
		fprintf(stderr, "key-protect-emulator: %s (see --help)\n", why);
		return 2;
	}
	if (options.help) {
		fputs(options_help, stdout);
		fputs(knobs_help, stdout);
		return 0;
	}
	if (options.version) {
		printf("key-protect-emulator %s\n", PAIR_VERSION);
		return 0;
	}
	/* a client that goes away must not take the emulator with it */
	signal(SIGPIPE, SIG_IGN);
	enum err err = main_run(&options);
	if (err == ERR_OK)
		return 0;
	fprintf(stderr, "key-protect-emulator: %s\n", err_text(err));
	return 1;
}
