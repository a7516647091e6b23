/* SPDX-License-Identifier: Apache-2.0 */
/* kmipd: one node of the pair. */
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/crypt.h"
#include "base/secret.h"
#include "node/cache_guard.h"
#include "node/check.h"
#include "node/config.h"
#include "node/keeper.h"
#include "node/metrics.h"
#include "node/worker.h"

enum { MANUAL_LEN_MAX = 65536, EXIT_USAGE = 2 };

struct arguments {
	const char *config_path;
	const char *role; /* NULL: the keeper */
	bool check, example, help, metrics, version;
};

static const char usage[] =
	"usage: kmipd --config FILE [--check]\n"
	"\n"
	"Runs one node of a kmip-pair: a KMIP key server whose keys are wrapped by a root key in "
	"IBM Key Protect or\n"
	"Hyper Protect Crypto Services. Logs to standard error; stops cleanly on SIGTERM, reloads "
	"on SIGHUP.\n"
	"\n"
	"  --config FILE   the configuration of the node (YAML)\n"
	"  --check         judge the configuration and try the key managers (wrap, unwrap, role, "
	"policies), then exit\n"
	"  --example       print an example configuration\n"
	"  --metrics       print what /metrics tells, as a table\n"
	"  --version       print the version\n"
	"  --help          this text, with every option of the configuration file\n";

/* What a keeper starts this program as. */
static bool is_role(const char *name)
{
	return strcmp(name, "worker") == 0 || strcmp(name, "verify") == 0;
}

/* A sentence on standard error, and where to read on. */
__attribute__((format(printf, 1, 2))) static bool wrong(const char *format, ...)
{
	va_list values;

	fputs("kmipd: ", stderr);
	va_start(values, format);
	(void) vfprintf(stderr, format, values);
	va_end(values);
	fputs("\nkmipd --help explains every option, kmipd --example prints a configuration\n",
		stderr);
	return false;
}

static bool parse(struct arguments *arguments, int argc, char **argv)
{
	static const struct option options[] = { { "config", required_argument, NULL, 'c' },
		{ "check", no_argument, NULL, 'k' }, { "example", no_argument, NULL, 'e' },
		{ "help", no_argument, NULL, 'h' }, { "metrics", no_argument, NULL, 'm' },
		{ "version", no_argument, NULL, 'v' }, { "role", required_argument, NULL, 'r' },
		{ NULL, 0, NULL, 0 } };
	int option;
	/* A leading colon makes getopt leave the words to us. */
	while ((option = getopt_long(argc, argv, ":c:h", options, NULL)) != -1) {
		if (option == ':')
			return wrong("%s needs a value", argv[optind - 1]);
		if (option == '?' || (option == 'r' && !is_role(optarg)))
			return wrong("\"%s\" is not an option", argv[optind - 1]);
		arguments->config_path = option == 'c' ? optarg : arguments->config_path;
		arguments->check |= option == 'k';
		arguments->example |= option == 'e';
		arguments->help |= option == 'h';
		arguments->metrics |= option == 'm';
		arguments->version |= option == 'v';
		arguments->role = option == 'r' ? optarg : arguments->role;
	}
	return optind == argc || wrong("\"%s\" is one word too many", argv[optind]);
}

static int print_text(const char *head, enum err (*print)(struct buf *out))
{
	struct buf text;
	buf_init(&text, MANUAL_LEN_MAX);
	enum err err = print(&text);
	struct slice slice = buf_slice(&text);
	if (err == ERR_OK)
		printf("%s%.*s", head, (int) slice.len, (const char *) slice.data);
	buf_free(&text);
	return err == ERR_OK ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct arguments arguments = { 0 };
	if (!parse(&arguments, argc, argv))
		return EXIT_USAGE;
	if (arguments.help)
		return print_text(usage, config_manual);
	if (arguments.example)
		return print_text("", config_example);
	if (arguments.metrics)
		return print_text("", metrics_manual);
	if (arguments.version) {
		printf("kmipd %s\n", PAIR_VERSION);
		return 0;
	}
	if (arguments.config_path == NULL) {
		(void) wrong("--config FILE is needed");
		return EXIT_USAGE;
	}
	if (!secret_harden_process() || crypt_start() != ERR_OK) {
		fprintf(stderr, "kmipd: the process cannot be made safe for keys (core dumps, "
				"allocators, OpenSSL)\n");
		return 1;
	}
	cache_guard_explain_bus_errors();
	if (arguments.role != NULL && strcmp(arguments.role, "worker") == 0)
		worker_run(arguments.config_path);
	if (arguments.role != NULL)
		cache_guard_verify_run(arguments.config_path);
	return arguments.check ? check_run(arguments.config_path)
			       : keeper_run(arguments.config_path);
}
