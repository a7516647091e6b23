/* SPDX-License-Identifier: Apache-2.0 */
#include "node/kmipctl_words.h"

#include <getopt.h>
#include <stdarg.h>
#include <string.h>

static const char usage_head[] =
	"usage: kmipctl [--socket PATH] [--json] COMMAND\n"
	"\n"
	"Asks a node of a kmip-pair through its socket (the admin-socket of its configuration).\n"
	"The socket is taken from --socket, else from the environment variable KMIPCTL_SOCKET, "
	"else /run/kmip-pair/kmipd.sock.\n"
	"\n";

static const struct option options[] = { { "socket", required_argument, NULL, 's' },
	{ "instance", required_argument, NULL, 'i' }, { "name", required_argument, NULL, 'n' },
	{ "json", no_argument, NULL, 'j' }, { "rate", required_argument, NULL, 'r' },
	{ "older", no_argument, NULL, 'o' }, { "unclaimed", no_argument, NULL, 'u' },
	{ "missing", no_argument, NULL, 'm' }, { "delete-old", no_argument, NULL, 'd' },
	{ "alone", no_argument, NULL, 'a' }, { "stop", no_argument, NULL, 'S' },
	{ "yes", no_argument, NULL, 'y' }, { "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'v' }, { NULL, 0, NULL, 0 } };
static const char options_of_all[] = "sjhv";

__attribute__((format(printf, 2, 3))) static enum err wrong(
	char why[WORDS_WHY_MAX], const char *format, ...)
{
	va_list values;

	va_start(values, format);
	(void) vsnprintf(why, WORDS_WHY_MAX, format, values);
	va_end(values);
	return ERR_CONFIG;
}

static void take(struct arguments *arguments, int option)
{
	arguments->socket = option == 's' ? optarg : arguments->socket;
	arguments->instance = option == 'i' ? optarg : arguments->instance;
	arguments->name = option == 'n' ? optarg : arguments->name;
	arguments->rate = option == 'r' ? optarg : arguments->rate;
	arguments->older |= option == 'o';
	arguments->delete_old |= option == 'd';
	arguments->alone |= option == 'a';
	arguments->stop |= option == 'S';
	arguments->json |= option == 'j';
	arguments->unclaimed |= option == 'u';
	arguments->missing |= option == 'm';
	arguments->yes |= option == 'y';
	arguments->help |= option == 'h';
	arguments->version |= option == 'v';
	for (size_t i = 0; options[i].name != NULL; i++)
		arguments->given |= options[i].val == option ? 1U << i : 0;
}

enum err words_read(struct arguments *arguments, int argc, char **argv, char why[WORDS_WHY_MAX])
{
	int option;

	/* A leading colon makes getopt leave the words to us. */
	while ((option = getopt_long(argc, argv, ":s:i:n:jh", options, NULL)) != -1) {
		if (option == ':')
			return wrong(why, "%.100s needs a value", argv[optind - 1]);
		if (option == '?')
			return wrong(why, "\"%.100s\" is not an option", argv[optind - 1]);
		take(arguments, option);
	}
	arguments->words = argv + optind;
	arguments->word_count = argc - optind;
	return ERR_OK;
}

static int word_count_of(const struct command *command)
{
	return command->words[1] == NULL ? 1 : 2;
}

static void name_of(char out[64], const struct command *command)
{
	bool is_one = command->words[1] == NULL;

	(void) snprintf(out, 64, "%s%s%s", command->words[0], is_one ? "" : " ",
		is_one ? "" : command->words[1]);
}

/* The row whose words were typed; the longest one. */
static const struct command *find_row(
	const struct command_list *list, const struct arguments *arguments)
{
	const struct command *found = NULL;

	for (size_t i = 0; i < list->count; i++) {
		const struct command *row = &list->items[i];
		int words = word_count_of(row);

		if (arguments->word_count < words ||
			strcmp(arguments->words[0], row->words[0]) != 0 ||
			(words == 2 && strcmp(arguments->words[1], row->words[1]) != 0))
			continue;
		if (found == NULL || words > word_count_of(found))
			found = row;
	}
	return found;
}

static enum err no_row(
	const struct command_list *list, const struct arguments *arguments, char why[WORDS_WHY_MAX])
{
	char second[200] = "";
	size_t len = 0;

	if (arguments->word_count == 0)
		return wrong(why, "a command is needed");
	for (size_t i = 0; i < list->count; i++) {
		if (strcmp(list->items[i].words[0], arguments->words[0]) != 0)
			continue;
		(void) snprintf(second + len, sizeof(second) - len, "%s%s", len == 0 ? "" : ", ",
			list->items[i].words[1]);
		len = strlen(second);
	}
	if (len > 0)
		return wrong(why, "%s needs one of: %s", arguments->words[0], second);
	return wrong(why, "there is no command \"%.100s\"", arguments->words[0]);
}

/* Help is what the operator reads of a command: what it does not name is not taken. */
static bool takes_option(const struct command *command, const struct option *option)
{
	char text[32];

	(void) snprintf(text, sizeof(text), "--%s", option->name);
	return strchr(options_of_all, option->val) != NULL || strstr(command->help, text) != NULL;
}

enum err words_find(const struct command **out, const struct command_list *list,
	const struct arguments *arguments, char why[WORDS_WHY_MAX])
{
	const struct command *row = find_row(list, arguments);
	char name[64];

	if (row == NULL)
		return no_row(list, arguments, why);
	name_of(name, row);
	int wanted = word_count_of(row) + (row->argument == NULL ? 0 : 1);
	if (arguments->word_count < wanted)
		return wrong(why, "%s needs %s", name, row->argument);
	if (arguments->word_count > wanted)
		return wrong(why, "%s does not take \"%.100s\"", name, arguments->words[wanted]);
	for (size_t i = 0; options[i].name != NULL; i++)
		if ((arguments->given & 1U << i) != 0 && !takes_option(row, &options[i]))
			return wrong(why, "%s does not take --%s", name, options[i].name);
	*out = row;
	return ERR_OK;
}

const char *words_argument(const struct arguments *arguments, const struct command *command)
{
	return command->argument == NULL ? NULL : arguments->words[word_count_of(command)];
}

void words_print_help(FILE *out, const struct command_list *list)
{
	char name[64], words[128];

	fprintf(out, "%s", usage_head);
	for (size_t i = 0; i < list->count; i++) {
		const struct command *command = &list->items[i];

		name_of(name, command);
		(void) snprintf(words, sizeof(words), "%s %s", name,
			command->argument == NULL ? "" : command->argument);
		fprintf(out, "  %-34s%s\n", words, command->help);
	}
	fprintf(out, "\n  --json     print JSON for programs instead of tables\n  --version  print "
		     "the version\n");
}
