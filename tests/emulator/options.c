/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/emulator/options.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { TOKEN_LIFE_DEFAULT_S = 3600, TOKEN_LIFE_MAX_S = 86400 };

const char options_help[] =
	"key-protect-emulator: a durable stand-in for IBM IAM and Key Protect, for tests.\n"
	"\n"
	"  --listen HOST:PORT       where to listen (default 127.0.0.1:8443; port 0: any free "
	"one)\n"
	"  --data DIR               folder of the durable state (required)\n"
	"  --cert FILE --key FILE   PEM certificate and key (default: self-signed, kept in DIR)\n"
	"  --http                   plain HTTP instead of HTTPS\n"
	"  --instance UUID          id of the instance (default: made once, kept in DIR)\n"
	"  --api-key KEY=ROLE[,ROLE]  a caller; may be repeated (default dev-manager-key=Manager)\n"
	"                           roles: Reader ReaderPlus Writer Manager KeyPurge\n"
	"                           KmipAdapterManager\n"
	"  --profile NAME=ROLE[,ROLE]  a trusted profile, for compute resources and to be assumed\n"
	"  --service KIND           key-protect, dedicated (no import tokens) or hpcs (CRNs of "
	"its\n"
	"                           own, SHA-1 imports); default key-protect\n"
	"  --region NAME            in CRNs (default us-south)\n"
	"  --host NAME              a name that the certificate of our own carries and the HPCS "
	"broker\n"
	"                           tells, as private when it has private in it; may be repeated\n"
	"  --token-life SECONDS     life of IAM tokens (default 3600)\n"
	"  --log FILE               append the request log there (default: standard error)\n"
	"  --allow-remote           listen on addresses other than the loopback; the emulator "
	"keeps\n"
	"                           keys in software and is never for production\n"
	"  --help                   this text\n"
	"  --version                the version\n"
	"\n"
	"Knobs of POST /_control/mode, with their defaults:\n";

enum {
	OPT_LISTEN = 1,
	OPT_DATA,
	OPT_CERT,
	OPT_KEY,
	OPT_HTTP,
	OPT_INSTANCE,
	OPT_API_KEY,
	OPT_PROFILE,
	OPT_SERVICE,
	OPT_REGION,
	OPT_HOST,
	OPT_TOKEN_LIFE,
	OPT_LOG,
	OPT_ALLOW_REMOTE,
	OPT_HELP,
	OPT_VERSION
};

static const struct option known[] = {
	{ "listen", required_argument, NULL, OPT_LISTEN },
	{ "data", required_argument, NULL, OPT_DATA },
	{ "cert", required_argument, NULL, OPT_CERT },
	{ "key", required_argument, NULL, OPT_KEY },
	{ "http", no_argument, NULL, OPT_HTTP },
	{ "instance", required_argument, NULL, OPT_INSTANCE },
	{ "profile", required_argument, NULL, OPT_PROFILE },
	{ "api-key", required_argument, NULL, OPT_API_KEY },
	{ "service", required_argument, NULL, OPT_SERVICE },
	{ "region", required_argument, NULL, OPT_REGION },
	{ "host", required_argument, NULL, OPT_HOST },
	{ "token-life", required_argument, NULL, OPT_TOKEN_LIFE },
	{ "log", required_argument, NULL, OPT_LOG },
	{ "allow-remote", no_argument, NULL, OPT_ALLOW_REMOTE },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 },
};

/* "127.0.0.1:8443" or "[::1]:8443" */
static enum err parse_listen(struct options *out, const char *text)
{
	enum err err;
	const char *colon = strrchr(text, ':');
	uint64_t port = 0;

	if (colon == NULL)
		return ERR_CONFIG;
	struct slice host = slice_of(text, (size_t) (colon - text));
	if (host.len > 2 && host.data[0] == '[' && host.data[host.len - 1] == ']')
		host = slice_cut(host, 1, host.len - 2);
	TRY(text_copy(out->host, sizeof(out->host), host));
	TRY(text_u64(&port, slice_text(colon + 1), UINT16_MAX));
	out->port = (uint16_t) port;
out:
	return err;
}

static enum err parse_service(enum world_service *out, const char *text)
{
	static const char *const names[] = { [WORLD_STANDARD] = "key-protect",
		[WORLD_DEDICATED] = "dedicated",
		[WORLD_HPCS] = "hpcs" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(names[i], text) != 0)
			continue;
		*out = (enum world_service) i;
		return ERR_OK;
	}
	return ERR_CONFIG;
}

static enum err parse_one(struct options *out, int option, const char *value)
{
	uint64_t number = 0;

	switch (option) {
	case OPT_LISTEN:
		return parse_listen(out, value);
	case OPT_DATA:
		out->data = value;
		return ERR_OK;
	case OPT_CERT:
		out->cert = value;
		return ERR_OK;
	case OPT_KEY:
		out->key = value;
		return ERR_OK;
	case OPT_HTTP:
		out->http = true;
		return ERR_OK;
	case OPT_INSTANCE:
		out->instance = value;
		return text_is_uuid(slice_text(value)) ? ERR_OK : ERR_CONFIG;
	case OPT_API_KEY:
		if (out->api_key_count == ACCESS_API_KEYS_MAX)
			return ERR_LIMIT;
		out->api_keys[out->api_key_count++] = value;
		return ERR_OK;
	case OPT_PROFILE:
		if (out->profile_count == ACCESS_API_KEYS_MAX)
			return ERR_LIMIT;
		out->profiles[out->profile_count++] = value;
		return ERR_OK;
	case OPT_SERVICE:
		return parse_service(&out->service, value);
	case OPT_REGION:
		out->region = value;
		return ERR_OK;
	case OPT_HOST:
		if (out->host_count == OPTIONS_HOSTS_MAX)
			return ERR_LIMIT;
		out->hosts[out->host_count++] = value;
		return ERR_OK;
	case OPT_TOKEN_LIFE:
		if (text_u64(&number, slice_text(value), TOKEN_LIFE_MAX_S) != ERR_OK)
			return ERR_CONFIG;
		out->token_life_s = (int64_t) number;
		return ERR_OK;
	case OPT_LOG:
		out->log = value;
		return ERR_OK;
	case OPT_ALLOW_REMOTE:
		out->allow_remote = true;
		return ERR_OK;
	case OPT_HELP:
		out->help = true;
		return ERR_OK;
	case OPT_VERSION:
		out->version = true;
		return ERR_OK;
	default:
		return ERR_CONFIG;
	}
}

static bool is_loopback(const char *host)
{
	return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
}

static const char *judge(const struct options *options)
{
	if (options->data == NULL)
		return "--data is required";
	if ((options->cert == NULL) != (options->key == NULL))
		return "--cert and --key go together";
	if (!is_loopback(options->host) && !options->allow_remote)
		return "only the loopback is listened on without --allow-remote (never for "
		       "production)";
	return NULL;
}

__attribute__((format(printf, 2, 3))) static enum err wrong(
	char why[OPTIONS_WHY_MAX], const char *format, ...)
{
	va_list values;

	va_start(values, format);
	(void) vsnprintf(why, OPTIONS_WHY_MAX, format, values);
	va_end(values);
	return ERR_CONFIG;
}

enum err options_parse(struct options *out, int argc, char **argv, char why[OPTIONS_WHY_MAX])
{
	int option, index = 0;

	*out = (struct options){ .host = "127.0.0.1",
		.port = 8443,
		.region = "us-south",
		.token_life_s = TOKEN_LIFE_DEFAULT_S };
	/* A leading colon makes getopt leave the words to us. */
	while ((option = getopt_long(argc, argv, ":", known, &index)) != -1) {
		if (option == ':')
			return wrong(why, "%.100s needs a value", argv[optind - 1]);
		if (option == '?')
			return wrong(why, "\"%.100s\" is not an option", argv[optind - 1]);
		if (parse_one(out, option, optarg) != ERR_OK)
			return wrong(why, "\"%.100s\" cannot be the value of --%s", optarg,
				known[index].name);
	}
	if (out->help || out->version)
		return ERR_OK;
	if (optind < argc)
		return wrong(why, "\"%.100s\" is one word too many", argv[optind]);
	const char *objection = judge(out);
	return objection == NULL ? ERR_OK : wrong(why, "%s", objection);
}
