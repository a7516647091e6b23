/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: what is understood, and the sentence for what is not. */
#include <criterion/criterion.h>

#include "node/probe_options.h"

enum { WORDS_MAX = 24 };

static struct probe_command_line line;
static char why[PROBE_WHY_SIZE];

/* Parses a line with blanks between the words. */
static enum err parse(const char *text)
{
	static char copy[600];
	char *words[WORDS_MAX + 1] = { NULL };
	int count = 0;

	(void) snprintf(copy, sizeof(copy), "%s", text);
	for (char *rest = copy, *word; (word = strsep(&rest, " ")) != NULL;) {
		if (*word == '\0')
			continue;
		cr_assert_lt(count, WORDS_MAX);
		words[count++] = word;
	}
	return probe_options_parse(&line, count, words, why);
}

#define PAIR "--endpoint 127.0.0.1:5696 --endpoint [::1]:5697 --ca ca.pem --cert c.pem --key c.key "

/* The line of the quickstart, its command anywhere. */
Test(probe_options, pair)
{
	cr_assert_eq(parse("kmip-probe " PAIR "vsphere --count 3"), ERR_OK, "%s", why);
	cr_assert_str_eq(line.command->name, "vsphere");
	cr_assert_eq(line.options.endpoint_count, 2);
	cr_assert_str_eq(line.options.endpoints[0].address, "127.0.0.1:5696");
	cr_assert_str_eq(line.options.endpoints[0].name, "127.0.0.1");
	cr_assert_str_eq(line.options.endpoints[1].name, "::1");
	cr_assert_eq(line.options.count, 3);
	cr_assert_eq(line.options.timeout_ms, 4000);
}

Test(probe_options, check_is_the_default)
{
	cr_assert_eq(parse("kmip-probe " PAIR "--json"), ERR_OK, "%s", why);
	cr_assert_str_eq(line.command->name, "check");
	cr_assert(line.options.json);
}

Test(probe_options, help_needs_nothing)
{
	cr_assert_eq(parse("kmip-probe --help"), ERR_OK);
	cr_assert(line.wants_help);
}

/* Each wrong line and a part of its sentence. */
Test(probe_options, wrong_lines)
{
	static const struct {
		const char *line, *why;
	} cases[] = {
		{ "kmip-probe", "--endpoint HOST:PORT is needed" },
		{ "kmip-probe chek " PAIR, "there is no command \"chek\"" },
		{ "kmip-probe check now " PAIR, "\"now\" is one word too many" },
		{ "kmip-probe --fast " PAIR, "\"--fast\" is not an option" },
		{ "kmip-probe " PAIR "--count", "--count needs a value" },
		{ "kmip-probe " PAIR "--count 0", "from 1 to 1000000, not \"0\"" },
		{ "kmip-probe " PAIR "--timeout-ms 4s", "not \"4s\"" },
		{ "kmip-probe " PAIR "--endpoint [::1]:1", "at most 2 endpoints" },
		{ "kmip-probe --endpoint 127.0.0.1", "not of the form HOST:PORT" },
		{ "kmip-probe --endpoint 127.0.0.1:1 --ca f", "--cert FILE and --key FILE" },
		{ "kmip-probe " PAIR "--no-verify", "either --ca FILE or --no-verify" },
		{ "kmip-probe verify " PAIR, "verify needs --facts FILE" },
		{ "kmip-probe load " PAIR, "load needs --mode" },
		{ "kmip-probe load " PAIR "--mode put", "not \"put\"" },
		{ "kmip-probe load --endpoint 192.0.2.1:5696 --no-verify --cert c --key k "
		  "--mode get",
			"--allow-remote" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_assert_eq(parse(cases[i].line), ERR_CONFIG, "%s", cases[i].line);
		cr_assert_not_null(strstr(why, cases[i].why), "%s: %s", cases[i].line, why);
	}
}
