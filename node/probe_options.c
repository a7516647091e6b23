/* SPDX-License-Identifier: Apache-2.0 */
#include "node/probe_options.h"

#include <getopt.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <string.h>

#include "base/address.h"
#include "base/rand.h"
#include "base/text.h"

enum {
	TIMEOUT_MS = 4000,
	RETRY_MS = 5000,
	LOAD_SECONDS = 5,
	LOAD_CONNECTIONS = 4,
	WAIT_MS_MAX = 600000,
	SECONDS_MAX = 86400,
	LOAD_SECONDS_MAX = 600,
	COUNT_MAX = 1000000,
	CONNECTIONS_MAX = 512,
	/* getopt's codes: beyond any character */
	OPTION_FIRST = 1000
};

static const struct probe_command commands[] = {
	{ "check", probe_check, NULL,
		"does each endpoint answer? TLS, certificate, KMIP versions, vendor (the "
		"default)" },
	{ "vsphere", probe_vsphere, NULL,
		"makes a key as vCenter does, each connection to an endpoint drawn at random" },
	{ "walk", probe_walk, NULL,
		"a stream of keys for failover tests, walking to the other endpoint on failures" },
	{ "verify", probe_verify, "facts",
		"is all that a walk recorded still true on every endpoint?" },
	{ "load", probe_load, "mode", "a small load test with rate and latencies" },
};

/* ---- what options there are ---- */

enum kind { FLAG, TEXT, NUMBER32, NUMBER64, ENDPOINT };

struct option_row {
	const char *name, *argument;
	enum kind kind;
	size_t offset; /* in struct probe_options */
	uint64_t min, max;
	const char *help;
};

#define AT(member) offsetof(struct probe_options, member)
static const struct option_row rows[] = {
	{ "endpoint", "HOST:PORT", ENDPOINT, 0, 0, 0, "a server; once or twice" },
	{ "ca", "FILE", TEXT, AT(ca_file), 0, 0,
		"PEM certificates of the authorities that vouch for the servers" },
	{ "no-verify", NULL, FLAG, AT(no_verify), 0, 0, "believe any server certificate" },
	{ "cert", "FILE", TEXT, AT(cert_file), 0, 0, "our client certificate, PEM" },
	{ "key", "FILE", TEXT, AT(key_file), 0, 0, "its private key, PEM" },
	{ "json", NULL, FLAG, AT(json), 0, 0, "print one JSON object for each line" },
	{ "timeout-ms", "N", NUMBER32, AT(timeout_ms), 1, WAIT_MS_MAX,
		"for an answer, connecting included (4000)" },
	{ "count", "N", NUMBER32, AT(count), 1, COUNT_MAX, "vsphere, walk: how many keys (1)" },
	{ "seed", "N", NUMBER64, AT(seed), 0, UINT64_MAX,
		"vsphere, walk: repeats the draws of endpoints" },
	{ "cleanup", NULL, FLAG, AT(cleanup), 0, 0,
		"vsphere: revoke and destroy the keys; walk: every second one" },
	{ "seconds", "S", NUMBER32, AT(seconds), 1, SECONDS_MAX,
		"walk: how long, instead of --count; load: how long (5)" },
	{ "facts", "FILE", TEXT, AT(facts_file), 0, 0,
		"walk: append what was acknowledged; verify: check it" },
	{ "retry-ms", "N", NUMBER32, AT(retry_ms), 0, WAIT_MS_MAX,
		"walk: how long a step is tried again when all endpoints fail (5000)" },
	{ "mode", "MODE", TEXT, AT(mode), 0, 0, "load: get, connect-get, create or discover" },
	{ "connections", "C", NUMBER32, AT(connections), 1, CONNECTIONS_MAX,
		"load: how many at a time (4)" },
	{ "allow-remote", NULL, FLAG, AT(allow_remote), 0, 0,
		"load: also servers on other machines" },
};
enum { ROW_COUNT = sizeof(rows) / sizeof(rows[0]) };

static const char help_head[] =
	"usage: kmip-probe [COMMAND] --endpoint HOST:PORT [--endpoint HOST:PORT]\n"
	"                  --ca FILE|--no-verify --cert FILE --key FILE [OPTIONS]\n"
	"\n"
	"A KMIP client that asks one server, or the two of a pair, as vCenter does.\n"
	"\n"
	"commands:\n";
static const char help_tail[] =
	"  --help                    this text\n"
	"  --version                 the version\n"
	"\n"
	"Keys that vsphere, walk and load --mode create make stay, unless --cleanup takes them "
	"away.\n"
	"Exit status: 0 all is well, 1 something failed, 2 the command line cannot be understood.\n"
	"\n"
	"examples (PAIR stands for the two endpoints and the certificates):\n"
	"  kmip-probe PAIR                                     are both nodes well?\n"
	"  kmip-probe vsphere PAIR --count 10 --cleanup        does the pair behave as one?\n"
	"  kmip-probe walk PAIR --seconds 60 --facts f.txt     now take a node down and up again,\n"
	"  kmip-probe verify PAIR --facts f.txt                and nothing may be missing\n";

void probe_options_print_help(FILE *out)
{
	fputs(help_head, out);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		fprintf(out, "  %-9s%s\n", commands[i].name, commands[i].help);
	fputs("\noptions:\n", out);
	for (size_t i = 0; i < ROW_COUNT; i++) {
		char words[32];

		(void) snprintf(words, sizeof(words), "%s %s", rows[i].name,
			rows[i].argument == NULL ? "" : rows[i].argument);
		fprintf(out, "  --%-24s%s\n", words, rows[i].help);
	}
	fputs(help_tail, out);
}

/* ---- reading ---- */

__attribute__((format(printf, 2, 3))) static enum err wrong(
	char why[PROBE_WHY_SIZE], const char *format, ...)
{
	va_list list;

	va_start(list, format);
	(void) vsnprintf(why, PROBE_WHY_SIZE, format, list);
	va_end(list);
	return ERR_CONFIG;
}

/* The host part without port and brackets: the name that the certificate must vouch for. */
static enum err take_endpoint(
	struct probe_options *options, const char *text, char why[PROBE_WHY_SIZE])
{
	struct probe_endpoint *endpoint = &options->endpoints[options->endpoint_count];
	struct address address;
	const char *colon = strrchr(text, ':');
	struct slice host;

	if (options->endpoint_count == PROBE_ENDPOINTS_MAX)
		return wrong(why, "at most %d endpoints can be given", PROBE_ENDPOINTS_MAX);
	if (colon == NULL || address_resolve(&address, text) == ERR_CONFIG)
		return wrong(why, "the endpoint \"%.100s\" is not of the form HOST:PORT", text);
	host = slice_of(text, (size_t) (colon - text));
	if (host.len >= 2 && host.data[0] == '[')
		host = slice_cut(host, 1, host.len - 2);
	endpoint->address = text;
	if (text_copy(endpoint->name, sizeof(endpoint->name), host) != ERR_OK)
		return wrong(why, "the endpoint \"%.100s...\" is too long", text);
	options->endpoint_count++;
	return ERR_OK;
}

static enum err take_number(
	uint64_t *out, const struct option_row *row, const char *text, char why[PROBE_WHY_SIZE])
{
	if (text_u64(out, slice_text(text), row->max) != ERR_OK || *out < row->min)
		return wrong(why, "--%s takes a number from %llu to %llu, not \"%.50s\"", row->name,
			(unsigned long long) row->min, (unsigned long long) row->max, text);
	return ERR_OK;
}

static enum err take(struct probe_options *options, const struct option_row *row, char *text,
	char why[PROBE_WHY_SIZE])
{
	enum err err = ERR_OK;
	uint8_t *member = (uint8_t *) options + row->offset;
	uint64_t number;

	switch (row->kind) {
	case FLAG:
		*(bool *) member = true;
		break;
	case TEXT:
		*(const char **) (void *) member = text;
		break;
	case NUMBER32:
		TRY(take_number(&number, row, text, why));
		*(uint32_t *) (void *) member = (uint32_t) number;
		break;
	case NUMBER64:
		TRY(take_number((uint64_t *) (void *) member, row, text, why));
		break;
	case ENDPOINT:
		TRY(take_endpoint(options, text, why));
		break;
	}
out:
	return err;
}

static void list_options(struct option list[ROW_COUNT + 3])
{
	for (int i = 0; i < ROW_COUNT; i++)
		list[i] = (struct option){ rows[i].name,
			rows[i].argument == NULL ? no_argument : required_argument, NULL,
			OPTION_FIRST + i };
	list[ROW_COUNT] = (struct option){ "help", no_argument, NULL, 'h' };
	list[ROW_COUNT + 1] = (struct option){ "version", no_argument, NULL, 'v' };
	list[ROW_COUNT + 2] = (struct option){ NULL, 0, NULL, 0 };
}

static enum err read_options(
	struct probe_command_line *out, int argc, char **argv, char why[PROBE_WHY_SIZE])
{
	struct option list[ROW_COUNT + 3];
	int option;
	enum err err = ERR_OK;

	list_options(list);
	/* Zero makes getopt start afresh; a leading colon makes it leave the words to us. */
	optind = 0;
	while ((option = getopt_long(argc, argv, ":h", list, NULL)) != -1) {
		if (option == ':')
			return wrong(why, "%s needs a value", argv[optind - 1]);
		if (option == '?')
			return wrong(why, "\"%.100s\" is not an option", argv[optind - 1]);
		out->wants_help |= option == 'h';
		out->wants_version |= option == 'v';
		if (option >= OPTION_FIRST)
			TRY(take(&out->options, &rows[option - OPTION_FIRST], optarg, why));
	}
out:
	return err;
}

static enum err read_command(
	struct probe_command_line *out, int argc, char **argv, char why[PROBE_WHY_SIZE])
{
	const char *name = optind < argc ? argv[optind] : commands[0].name;

	if (argc - optind > 1)
		return wrong(why, "\"%.100s\" is one word too many", argv[optind + 1]);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(commands[i].name, name) == 0)
			out->command = &commands[i];
	if (out->command == NULL)
		return wrong(why, "there is no command \"%.100s\"", name);
	return ERR_OK;
}

/* ---- judging ---- */

static bool is_loopback(const char *text)
{
	struct address address;
	const struct sockaddr_in *four = (const void *) &address.storage;
	const struct sockaddr_in6 *six = (const void *) &address.storage;

	if (address_resolve(&address, text) != ERR_OK)
		return false;
	if (address.storage.ss_family == AF_INET)
		return ntohl(four->sin_addr.s_addr) >> 24 == 127;
	return address.storage.ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
}

static enum err judge_load(struct probe_options *options, char why[PROBE_WHY_SIZE])
{
	if (!probe_load_mode_exists(options->mode))
		return wrong(why, "--mode is get, connect-get, create or discover, not \"%.50s\"",
			options->mode);
	if (options->seconds > LOAD_SECONDS_MAX)
		return wrong(why, "load runs for at most %d seconds", LOAD_SECONDS_MAX);
	for (size_t i = 0; i < options->endpoint_count && !options->allow_remote; i++)
		if (!is_loopback(options->endpoints[i].address))
			return wrong(why,
				"%.100s is not on this machine; to put load on others, add "
				"--allow-remote",
				options->endpoints[i].address);
	if (options->seconds == 0)
		options->seconds = LOAD_SECONDS;
	return ERR_OK;
}

static enum err judge(struct probe_command_line *line, char why[PROBE_WHY_SIZE])
{
	struct probe_options *options = &line->options;
	const char *needs = line->command->needs;

	if (options->endpoint_count == 0)
		return wrong(why, "--endpoint HOST:PORT is needed");
	if (options->cert_file == NULL || options->key_file == NULL)
		return wrong(why, "--cert FILE and --key FILE are needed");
	if ((options->ca_file == NULL) != options->no_verify)
		return wrong(why, "either --ca FILE or --no-verify is needed");
	if (needs != NULL && strcmp(needs, "facts") == 0 && options->facts_file == NULL)
		return wrong(why, "verify needs --facts FILE");
	if (needs != NULL && strcmp(needs, "mode") == 0 && options->mode == NULL)
		return wrong(why, "load needs --mode get, connect-get, create or discover");
	return line->command->run == probe_load ? judge_load(options, why) : ERR_OK;
}

enum err probe_options_parse(
	struct probe_command_line *out, int argc, char **argv, char why[PROBE_WHY_SIZE])
{
	enum err err;

	*out = (struct probe_command_line){ .options = { .timeout_ms = TIMEOUT_MS,
						    .retry_ms = RETRY_MS,
						    .count = 1,
						    .connections = LOAD_CONNECTIONS,
						    .seed = rand_u64() } };
	why[0] = '\0';
	TRY(read_options(out, argc, argv, why));
	if (out->wants_help || out->wants_version)
		return ERR_OK;
	TRY(read_command(out, argc, argv, why));
	TRY(judge(out, why));
out:
	return err;
}
