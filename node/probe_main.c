/* SPDX-License-Identifier: Apache-2.0 */
/* kmip-probe: a KMIP client that checks, tests and loads the two servers of a pair. */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/crypt.h"
#include "base/log.h"
#include "base/secret.h"
#include "node/probe_options.h"

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

static void on_signal(void *ctx)
{
	struct probe *probe = ctx;

	probe->interrupted = true;
	loop_stop(probe->loop);
}

static enum err open_tls(struct probe *probe, char why[TLS_WHY_MAX])
{
	const struct probe_options *options = probe->options;
	const struct tls_options tls = { .role = TLS_KMIP_CLIENT,
		.cert_file = options->cert_file,
		.key_file = options->key_file,
		.ca_file = options->ca_file };

	return tls_context_new(&probe->tls, &tls, why);
}

static int run(const struct probe_command_line *line)
{
	enum err err;
	struct probe probe = { .options = &line->options, .random = line->options.seed };
	struct loop_signal *interrupt = NULL, *terminate = NULL;
	char why[TLS_WHY_MAX] = "";
	int status = EXIT_FAILED;

	TRY(crypt_start());
	TRY(loop_new(&probe.loop));
	TRY(arena_new(&probe.arena, PROBE_ARENA_MAX));
	TRY(loop_signal_new(&interrupt, probe.loop, SIGINT, on_signal, &probe));
	TRY(loop_signal_new(&terminate, probe.loop, SIGTERM, on_signal, &probe));
	TRY(open_tls(&probe, why));
	status = line->command->run(&probe);
out:
	if (err != ERR_OK)
		probe_complain("%s", why[0] != '\0' ? why : err_text(err));
	tls_context_free(probe.tls);
	loop_signal_free(terminate);
	loop_signal_free(interrupt);
	arena_free(probe.arena);
	loop_free(probe.loop);
	return status;
}

int main(int argc, char **argv)
{
	struct probe_command_line line;
	char why[PROBE_WHY_SIZE];

	if (!secret_harden_process()) {
		probe_complain("this process cannot be protected from others");
		return EXIT_FAILED;
	}
	log_start(STDERR_FILENO, "probe");
	log_set_level(LOG_ERROR);
	if (probe_options_parse(&line, argc, argv, why) != ERR_OK) {
		probe_complain("%s", why);
		fputs("kmip-probe --help shows commands and options\n", stderr);
		return EXIT_USAGE;
	}
	if (line.wants_help)
		probe_options_print_help(stdout);
	else if (line.wants_version)
		printf("kmip-probe %s\n", PAIR_VERSION);
	else
		return run(&line);
	return 0;
}
