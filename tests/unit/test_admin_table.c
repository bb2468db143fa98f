/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Words become the JSON that the broker takes, or an error that names what is wrong; the broker checks foreign JSON
 * alike. */
#include "broker/admin_table.h"
#include "common/cleanup.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define WORDS_MAX 16

/* Splits a line at blanks and parses what stands behind the command's name. */
static int parse(const char *line, struct json_object **ret, struct error *err)
{
	char copy[4096], *words[WORDS_MAX] = {NULL}, *save = NULL;
	const struct admin_command *command;
	int n = 0, used;

	*err = (struct error){0};
	snprintf(copy, sizeof(copy), "%s", line);
	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		assert_true(n < WORDS_MAX);
		words[n++] = word;
	}
	command = admin_find(words[0], NULL);
	used = command ? 1 : 2;
	if (!command)
		command = admin_find(words[0], words[1]);
	assert_non_null(command);
	return admin_parse(command, n - used, words + used, ret, err);
}

static void assert_parses(const char *line, const char *json)
{
	struct json_object *arguments = NULL;
	struct error err;

	if (parse(line, &arguments, &err) < 0)
		fail_msg("`%s`: %s", line, err.text);
	assert_string_equal(json_object_to_json_string_ext(arguments, JSON_C_TO_STRING_NOSLASHESCAPE), json);
	json_object_put(arguments);
}

static void assert_refused(const char *line, const char *part)
{
	struct json_object *arguments = NULL;
	struct error err;

	if (parse(line, &arguments, &err) == 0)
		fail_msg("`%s` was taken", line);
	assert_null(arguments);
	if (!strstr(err.text, part))
		fail_msg("`%s`: \"%s\" lacks \"%s\"", line, err.text, part);
}

static void good_words_become_json(void **state)
{
	(void)state;
	assert_parses("image import tiny disk.qcow2", "{\"name\":\"tiny\",\"file\":\"disk.qcow2\"}");
	assert_parses(
	    "image import tiny d --kernel k --initrd=i --append console=ttyS0",
	    "{\"name\":\"tiny\",\"file\":\"d\",\"kernel\":\"k\",\"initrd\":\"i\",\"append\":\"console=ttyS0\"}");
	assert_parses("image import tiny d --recipe r --recipe-name mine.conf --log l --no-publish",
		      "{\"name\":\"tiny\",\"file\":\"d\",\"recipe\":\"r\",\"recipe-name\":\"mine.conf\",\"log\":\"l\","
		      "\"no-publish\":\"yes\"}");
	assert_parses("image publish tiny:3", "{\"name\":\"tiny:3\"}");
	assert_parses("image prune tiny --keep 0", "{\"name\":\"tiny\",\"keep\":\"0\"}");
	assert_parses("image log tiny", "{\"name\":\"tiny\"}");
	assert_parses("image recipe tiny:2", "{\"name\":\"tiny:2\"}");
	assert_parses("image build golden --recipe ./my.recipe --publish --agent-deb a.deb",
		      "{\"name\":\"golden\",\"recipe\":\"./my.recipe\",\"publish\":\"yes\",\"agent-deb\":\"a.deb\"}");
	assert_parses("image update golden", "{\"name\":\"golden\"}");
	assert_parses("image delete tiny:12", "{\"name\":\"tiny:12\"}");
	assert_parses(
	    "pool create office image=tiny memory=2G keyboard=de(nodeadkeys)",
	    "{\"name\":\"office\",\"keys\":{\"image\":\"tiny\",\"memory\":\"2G\",\"keyboard\":\"de(nodeadkeys)\"}}");
	assert_parses("pool list", "{}");
	assert_parses("pool entitle office --group staff@example.org",
		      "{\"name\":\"office\",\"group\":\"staff@example.org\"}");
	assert_parses("pool entitle --user Zoë office", "{\"user\":\"Zoë\",\"name\":\"office\"}");
	assert_parses("pool entitle office --user=--odd", "{\"name\":\"office\",\"user\":\"--odd\"}");
	assert_parses("desktop list --pool office --user anna", "{\"pool\":\"office\",\"user\":\"anna\"}");
	assert_parses("desktop stop office-1 --force", "{\"id\":\"office-1\",\"force\":\"yes\"}");
	assert_parses("desktop delete --yes -- office-1", "{\"yes\":\"yes\",\"id\":\"office-1\"}");
	assert_parses("session kill 17", "{\"id\":\"17\"}");
	assert_parses("check-config", "{}");
	assert_parses("check-config /etc/x", "{\"file\":\"/etc/x\"}");
}

static void bad_words_are_named(void **state)
{
	(void)state;
	assert_refused("image import", "NAME is missing");
	assert_refused("image import tiny", "FILE is missing");
	assert_refused("image import Tiny d", "small letters");
	assert_refused("image import tiny d e", "\"e\" is one argument too many");
	assert_refused("image import tiny d --kernel k", "--kernel needs --initrd");
	assert_refused("image import tiny d --initrd k", "--initrd needs --kernel");
	assert_refused("image import tiny d --append x", "--append needs --kernel");
	assert_refused("image import tiny d --recipe r", "--recipe needs --recipe-name");
	assert_refused("image import tiny d --recipe-name r", "--recipe-name needs --recipe");
	assert_refused("image import tiny d --no-publish=1", "takes no value");
	assert_refused("image import tiny d --kernel", "--kernel needs a value");
	assert_refused("image import tiny d --kernal k", "did you mean --kernel?");
	assert_refused("image publish tiny", "NAME:VERSION");
	assert_refused("image publish tiny:0", "NAME:VERSION");
	assert_refused("image rollback tiny:1", "small letters");
	assert_refused("image prune tiny --keep -1", "0 to 9999");
	assert_refused("image prune tiny --keep 10000", "0 to 9999");
	assert_refused("image build", "NAME is missing");
	assert_refused("image update golden --recipe x", "--recipe");
	assert_refused("image delete tiny:", "NAME:VERSION");
	assert_refused("image delete tiny:0", "NAME:VERSION");
	assert_refused("image delete tiny:1x", "NAME:VERSION");
	assert_refused("image delete tiny:99999999999", "NAME:VERSION");
	assert_refused("pool create office", "is missing");
	assert_refused("pool create office memory", "KEY=VALUE");
	assert_refused("pool create office =2", "KEY=VALUE");
	assert_refused("pool create office image=a image=b", "image is given twice");
	assert_refused("pool set office colour=red", "there are: image, kind, memory, vcpus, max, min-spare, keyboard");
	assert_refused("pool set office memory=2", "512M or 2G");
	assert_refused("pool entitle office", "give one of --user USER and --group GROUP");
	assert_refused("pool entitle office --user a --group b", "give one of");
	assert_refused("pool entitle office --user a --user b", "given twice");
	assert_refused("pool entitle office --user a\033b", "printable");
	assert_refused("desktop stop office-1 --force=yes", "takes no value");
	assert_refused("desktop stop ../etc", "desktop list");
	assert_refused("desktop delete office-1", "--yes is missing");
	assert_refused("session kill one", "session list");
	assert_refused("session kill -1", "session list");
	assert_refused("session kill 9999999999999999999", "session list");
	assert_refused("status now", "too many");
}

static void assert_json_refused(const char *name, const char *json, size_t n_files, const char *part)
{
	struct json_object *arguments = json_tokener_parse(json);
	struct error err = {0};

	assert_int_equal(admin_check(admin_find_name(name), arguments, n_files, &err), -EINVAL);
	if (!strstr(err.text, part))
		fail_msg("%s: \"%s\" lacks \"%s\"", json, err.text, part);
	json_object_put(arguments);
}

static void foreign_json_is_checked(void **state)
{
	struct json_object *good = json_tokener_parse("{\"name\":\"tiny\",\"file\":\"0\"}");
	struct error err = {0};

	(void)state;
	assert_int_equal(admin_check(admin_find_name("image import"), good, 1, &err), 0);
	json_object_put(good);
	assert_json_refused("image import", "{\"name\":\"tiny\",\"file\":\"0\"}", 0, "no file came");
	assert_json_refused("image import", "{\"name\":\"tiny\",\"file\":\"1\"}", 1, "no file came");
	assert_json_refused("image import", "{\"name\":\"tiny\",\"file\":\"/etc/shadow\"}", 1, "no file came");
	assert_json_refused("image import", "{\"name\":\"tiny\",\"file\":0}", 1, "not a text");
	assert_json_refused("pool list", "[]", 0, "no JSON object");
	assert_json_refused("pool list", "{\"more\":\"x\"}", 0, "unknown argument \"more\"");
	assert_json_refused("pool show", "{\"name\":\"a\\u0000b\"}", 0, "not a text");
	assert_json_refused("pool show", "{\"name\":null}", 0, "not a text");
	assert_json_refused("pool set", "{\"name\":\"a\",\"keys\":\"x\"}", 0, "at least one");
	assert_json_refused("pool set", "{\"name\":\"a\",\"keys\":{}}", 0, "at least one");
	assert_json_refused("pool set", "{\"name\":\"a\",\"keys\":{\"max\":3}}", 0, "not a text");
	assert_json_refused("desktop delete", "{\"id\":\"a\",\"yes\":\"no\"}", 0, "takes no value");
}

static void every_command_has_a_usage_and_help(void **state)
{
	(void)state;
	for (const struct admin_command *command = admin_commands; command->noun; command++) {
		_cleanup_free_ char *usage = admin_usage(command), *help = admin_help(command);
		char name[64];

		admin_command_name(command, name, sizeof(name));
		assert_ptr_equal(admin_find_name(name), command);
		assert_ptr_equal(admin_find(command->noun, command->verb), command);
		assert_non_null(strstr(usage, name));
		assert_non_null(strstr(help, usage));
		assert_non_null(strstr(help, command->summary));
		for (const struct admin_argument *option = command->options; option->kind != ADMIN_END; option++)
			assert_non_null(strstr(help, option->help));
	}
	assert_null(admin_find_name("pool"));
	assert_null(admin_find("pool", NULL));
	assert_null(admin_find("status", "now"));
}

static void usages_read_as_typed(void **state)
{
	_cleanup_free_ char *create = admin_usage(admin_find("pool", "create")),
			    *keys = admin_help(admin_find("pool", "set"));
	_cleanup_free_ char *entitle = admin_usage(admin_find("pool", "entitle")), *list = admin_help_list("session");
	_cleanup_free_ char *import = admin_usage(admin_find("image", "import"));

	(void)state;
	assert_string_equal(create, "hotdesk pool create NAME image=IMAGE [KEY=VALUE]...");
	assert_string_equal(entitle, "hotdesk pool entitle NAME --user USER | --group GROUP");
	assert_string_equal(import, "hotdesk image import NAME FILE [--kernel FILE] [--initrd FILE] [--append TEXT] "
				    "[--recipe FILE] [--recipe-name NAME] [--log FILE] [--no-publish]");
	assert_non_null(strstr(keys, "min-spare=0..1000"));
	assert_non_null(strstr(list, "session kill"));
	assert_null(strstr(list, "pool"));
}

static void nearest_word_is_near(void **state)
{
	static const char *const words[] = {"create", "list", "show", "delete", NULL};

	(void)state;
	assert_string_equal(admin_nearest("crate", words), "create");
	assert_string_equal(admin_nearest("lsit", words), "list");
	assert_string_equal(admin_nearest("del", words), "delete");
	assert_null(admin_nearest("frobnicate", words));
	assert_null(admin_nearest("", words));
	assert_null(admin_nearest("0123456789012345678901234567890123456789", words));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(good_words_become_json),  cmocka_unit_test(bad_words_are_named),
	    cmocka_unit_test(foreign_json_is_checked), cmocka_unit_test(every_command_has_a_usage_and_help),
	    cmocka_unit_test(usages_read_as_typed),    cmocka_unit_test(nearest_word_is_near),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
