/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hotdesk: reads a command by the table, asks the broker, prints what it says. Exit 0: done, 1: refused or failed, 2:
 * usage. */
#include "broker/admin_json.h"
#include "broker/admin_table.h"
#include "broker/cli/build.h"
#include "broker/cli/cert.h"
#include "broker/cli/config.h"
#include "broker/cli/doctor.h"
#include "broker/cli/kept.h"
#include "broker/cli/options.h"
#include "broker/cli/recipe.h"
#include "broker/cli/request.h"
#include "broker/cli/view.h"
#include "common/cleanup.h"

#include <errno.h>
#include <locale.h>
#include <string.h>

#define EXIT_REFUSED 1
#define EXIT_USAGE 2
#define NOUNS_MAX 32

static int refused(const struct error *err)
{
	fprintf(stderr, "hotdesk: %s\n", err->text);
	return EXIT_REFUSED;
}

static void print_help_list(FILE *out, const char *noun)
{
	_cleanup_free_ char *list = admin_help_list(noun);

	fprintf(out, "Usage: hotdesk %s [ARGUMENTS]\n\nCommands:\n%s\n" OPTIONS_HELP, noun ? noun : "COMMAND",
		list ? list : "");
}

static int print_help(const struct admin_command *command)
{
	_cleanup_free_ char *help = admin_help(command);

	fputs(help ? help : "", stdout);
	if (command->flags & ADMIN_BUILDS) {
		fputs("\nA recipe:\n", stdout);
		recipe_print_keys(stdout);
	}
	fputs("\n" OPTIONS_HELP, stdout);
	return EXIT_SUCCESS;
}

/* The nouns, or the verbs of one, each once. */
static void list_words(const char *noun, const char **words)
{
	size_t n = 0;

	for (const struct admin_command *command = admin_commands; command->noun && n + 1 < NOUNS_MAX; command++) {
		const char *word = noun ? command->verb : command->noun;

		if (noun && (strcmp(command->noun, noun) != 0 || !word))
			continue;
		if (n == 0 || strcmp(words[n - 1], word) != 0)
			words[n++] = word;
	}
	words[n] = NULL;
}

static int unknown_word(const char *noun, const char *word)
{
	const char *words[NOUNS_MAX] = {NULL};
	const char *near;

	list_words(noun, words);
	near = admin_nearest(word, words);
	fprintf(stderr, "hotdesk: there is no command `%s%s%.64s`", noun ? noun : "", noun ? " " : "", word);
	if (near)
		fprintf(stderr, "; did you mean `hotdesk %s%s%s`?", noun ? noun : "", noun ? " " : "", near);
	fprintf(stderr, " `hotdesk %s%s--help` lists the commands\n", noun ? noun : "", noun ? " " : "");
	return EXIT_USAGE;
}

static int bad_usage(const struct admin_command *command, const struct error *err)
{
	_cleanup_free_ char *usage = admin_usage(command);
	char name[64];

	admin_command_name(command, name, sizeof(name));
	fprintf(stderr, "hotdesk: %s\nUsage: %s\n`hotdesk %s --help` explains it\n", err->text, usage ? usage : "",
		name);
	return EXIT_USAGE;
}

static int print_reply(const struct admin_command *command, const char *reply, bool json)
{
	_cleanup_(json_putp) struct json_object *object = NULL;
	char name[64];

	if (json) {
		printf("%s\n", reply);
		return EXIT_SUCCESS;
	}
	object = json_tokener_parse(reply);
	if (!object) {
		fprintf(stderr, "hotdesk: the broker's reply is no JSON: use a hotdesk of its version\n");
		return EXIT_REFUSED;
	}
	admin_command_name(command, name, sizeof(name));
	view_print(name, object, stdout, stderr);
	return EXIT_SUCCESS;
}

static int run_printing(const struct options *options, const struct conf *conf, const struct admin_command *command,
			struct json_object *arguments)
{
	_cleanup_free_ char *reply = NULL;
	_cleanup_close_ int fd = -1;
	struct error err = {0};
	int r = request_open(conf, command, arguments, &reply, &fd, &err);

	if (r == 0 && (r = kept_print(fd, reply, options->json)) < 0)
		error_set_errno(&err, r, "the text could not be printed");
	return r < 0 ? refused(&err) : EXIT_SUCCESS;
}

static int run_cert(const struct options *options, const struct conf *conf, const struct admin_command *command,
		    struct json_object *arguments)
{
	_cleanup_free_ char *reply = NULL;
	struct error err = {0};
	int r = cert_run(conf, command, arguments, &reply, &err);

	if (r < 0)
		return refused(&err);
	return reply ? print_reply(command, reply, options->json) : EXIT_SUCCESS;
}

static int run(const struct options *options, const struct admin_command *command, struct json_object *arguments)
{
	bool check = strcmp(command->noun, "check-config") == 0;
	const char *file = check ? admin_string(arguments, "file") : NULL;
	_cleanup_(conf_freep) struct conf *conf = NULL;
	_cleanup_free_ char *reply = NULL;
	struct error err = {0};
	int r = conf_load(file ? file : options->config, &conf, &err);

	if (r < 0)
		return refused(&err);
	if (check)
		return config_print(conf, options->json) < 0 ? EXIT_REFUSED : EXIT_SUCCESS;
	if (strcmp(command->noun, "doctor") == 0)
		return doctor_run(conf, admin_string(arguments, "user"), admin_given(arguments, "all"), options->json);
	if (strcmp(command->noun, "cert") == 0)
		return run_cert(options, conf, command, arguments);
	if (command->flags & ADMIN_PRINTS)
		return run_printing(options, conf, command, arguments);
	r = command->flags & ADMIN_BUILDS ? build_image(conf, command, arguments, &reply, &err)
					  : request_run(conf, command, arguments, &reply, &err);
	return r < 0 ? refused(&err) : print_reply(command, reply, options->json);
}

/* The command that the words name, and how many of them do; NULL when they name none. */
static const struct admin_command *find_command(const struct options *options, int *ret_used)
{
	const char *noun = options->words[0], *verb = options->n_words > 1 ? options->words[1] : NULL;
	const struct admin_command *command = admin_find(noun, NULL);

	*ret_used = 1;
	if (!command && verb) {
		command = admin_find(noun, verb);
		*ret_used = 2;
	}
	return command;
}

static int no_command(const struct options *options)
{
	const char *noun = options->n_words > 0 ? options->words[0] : NULL;
	const char *verbs[NOUNS_MAX] = {NULL};

	if (noun) {
		list_words(noun, verbs);
		if (!verbs[0])
			return unknown_word(NULL, noun);
	}
	if (noun && options->n_words > 1)
		return unknown_word(noun, options->words[1]);
	if (!options->help)
		fprintf(stderr, "hotdesk: say what to do%s%s\n", noun ? " with " : "", noun ? noun : "");
	print_help_list(options->help ? stdout : stderr, noun);
	return options->help ? EXIT_SUCCESS : EXIT_USAGE;
}

static int dispatch(const struct options *options)
{
	_cleanup_(json_putp) struct json_object *arguments = NULL;
	const struct admin_command *command;
	struct error err = {0};
	int used = 0;

	if (options->version) {
		printf("hotdesk %s\n", HOTDESK_VERSION);
		return EXIT_SUCCESS;
	}
	command = options->n_words > 0 ? find_command(options, &used) : NULL;
	if (!command)
		return no_command(options);
	if (options->help)
		return print_help(command);
	if (admin_parse(command, options->n_words - used, options->words + used, &arguments, &err) < 0)
		return bad_usage(command, &err);
	return run(options, command, arguments);
}

int main(int argc, char **argv)
{
	struct options options;
	struct error err = {0};
	int status;

	/* Names are UTF-8 whatever the terminal's locale is. */
	setlocale(LC_CTYPE, "C.UTF-8");
	if (options_parse(argc, argv, &options, &err) < 0) {
		fprintf(stderr, "hotdesk: %s; `hotdesk --help` lists commands and options\n", err.text);
		return EXIT_USAGE;
	}
	status = dispatch(&options);
	options_clear(&options);
	if (fflush(stdout) != 0) {
		fprintf(stderr, "hotdesk: the output could not be written: %s\n", strerror(errno));
		return EXIT_REFUSED;
	}
	return status;
}
