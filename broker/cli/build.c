/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/cli/build.h"

#include "broker/admin_json.h"
#include "broker/cli/builder.h"
#include "broker/cli/recipe.h"
#include "broker/cli/recipe_file.h"
#include "broker/cli/request.h"
#include "broker/cli/signals.h"
#include "common/cleanup.h"
#include "common/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define ARGUMENTS_MAX 4096
#define DEFAULT_RECIPE "debian-12-icewm"
#define APPEND_MAX 1000
#define LOG_MAX (64u << 20)
#define LOG_TAIL_LINES 12

struct build {
	const struct conf *conf;
	struct json_object *arguments;
	char tools[PATH_MAX];
	struct recipe_file file;
	struct recipe *recipe;
	char output[PATH_MAX];
	bool keep; /* the output stays: --to */
	char *argv[ARGUMENTS_MAX];
};

static void build_free(struct build *build)
{
	if (build->output[0] && !build->keep)
		fs_remove_tree(build->output);
	arguments_clear(build->argv);
	recipe_free(build->recipe);
	free(build->file.text);
	free(build);
}

static void build_freep(struct build **build)
{
	if (*build)
		build_free(*build);
}

/* Asks the broker for `image VERB`; *ret is the caller's. */
static int ask(const struct build *build, const char *verb, struct json_object *arguments, struct json_object **ret,
	       struct error *err)
{
	_cleanup_free_ char *reply = NULL;
	int r = request_run(build->conf, admin_find("image", verb), arguments, &reply, err);

	if (r < 0)
		return r;
	*ret = json_tokener_parse(reply);
	return *ret ? 0 : error_set(err, -EBADMSG, "the broker's reply is no JSON: use a hotdesk of its version");
}

/* The row of the image's newest version in the broker's list, or of the newest with a recipe; NULL: there is none. */
static struct json_object *newest(struct json_object *list, const char *name, bool with_recipe)
{
	struct json_object *best = NULL;
	int64_t best_version = 0;
	size_t n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;

	for (size_t i = 0; i < n; i++) {
		struct json_object *row = json_object_array_get_idx(list, i), *version = NULL;
		const char *its_name = admin_string(row, "name"), *recipe = admin_string(row, "recipe_name");

		if (!its_name || strcmp(its_name, name) != 0 || !json_object_object_get_ex(row, "version", &version) ||
		    json_object_get_int64(version) <= best_version || (with_recipe && (!recipe || !*recipe)))
			continue;
		best = row;
		best_version = json_object_get_int64(version);
	}
	return best;
}

/* The text of the recipe kept with that version. */
static int read_kept(struct build *build, const char *version, struct error *err)
{
	_cleanup_(json_putp) struct json_object *arguments = json_object_new_object();
	_cleanup_free_ char *reply = NULL;
	_cleanup_close_ int fd = -1;
	char path[64];
	int r;

	if (!arguments)
		return error_set(err, -ENOMEM, "out of memory");
	json_add_text(arguments, "name", version);
	r = request_open(build->conf, admin_find("image", "recipe"), arguments, &reply, &fd, err);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = fs_read_file(path, RECIPE_MAX, &build->file.text, NULL);
	return r < 0 ? error_set_errno(err, r, "the kept recipe could not be read") : 0;
}

static int find_kept(struct build *build, struct json_object *list, struct error *err)
{
	const char *name = admin_string(build->arguments, "name");
	struct json_object *image = newest(list, name, true), *number = NULL;
	char version[256];
	int r;

	if (!newest(list, name, false))
		return error_set(err, -ENOENT, "there is no image %s; `hotdesk image build %s` makes one", name, name);
	if (!image || !json_object_object_get_ex(image, "version", &number))
		return error_set(err, -ENOENT,
				 "no recipe is kept with image %s: it was not built by `hotdesk image build`", name);
	snprintf(version, sizeof(version), "%s:%lld", name, (long long)json_object_get_int64(number));
	r = recipe_file_locate(build->tools, admin_string(image, "recipe_name"), &build->file, err);
	return r < 0 ? r : read_kept(build, version, err);
}

/* The recipe's text; asks the broker first, which must be there for the import at the end. */
static int find_recipe(struct build *build, bool update, struct error *err)
{
	_cleanup_(json_putp) struct json_object *nothing = json_object_new_object(), *list = NULL;
	const char *recipe = admin_string(build->arguments, "recipe");
	int r = admin_string(build->arguments, "to") ? 0 : ask(build, "list", nothing, &list, err);

	if (r < 0)
		return r;
	return update ? find_kept(build, list, err)
		      : recipe_file_read(build->tools, recipe ? recipe : DEFAULT_RECIPE, &build->file, err);
}

/* --to, or a new directory under $TMPDIR that only the caller can enter. */
static int make_output(struct build *build, struct error *err)
{
	const char *to = admin_string(build->arguments, "to"), *temporary = getenv("TMPDIR");
	int r = fs_path(build->output, sizeof(build->output), "%s%s",
			to          ? to
			: temporary ? temporary
				    : "/var/tmp",
			to ? "" : "/hotdesk-image-XXXXXX");

	build->keep = to != NULL;
	if (r == 0 && !to && !mkdtemp(build->output))
		r = -errno;
	if (r < 0) {
		build->keep = true;
		return error_set_errno(err, r, "cannot make the directory %s for the image", build->output);
	}
	return 0;
}

static int add_argument(struct build *build, size_t *n, const char *text)
{
	build->argv[*n] = strdup(text);
	return build->argv[(*n)++] ? 0 : -ENOMEM;
}

/* Leaves room for what builder_run adds. */
static int make_arguments(struct build *build, struct error *err)
{
	const char *agent = admin_string(build->arguments, "agent-deb");
	char program[PATH_MAX];
	size_t n = 0;
	int r = fs_path(program, sizeof(program), "%s/build-image", build->tools);

	if (r == 0)
		r = add_argument(build, &n, program);
	if (r == 0)
		r = add_argument(build, &n, build->output);
	if (r == 0 && agent)
		r = add_argument(build, &n, "--agent-deb");
	if (r == 0 && agent)
		r = add_argument(build, &n, agent);
	if (r == 0)
		r = recipe_arguments(build->recipe, build->file.directory, build->argv, ARGUMENTS_MAX - 3);
	return r < 0 ? error_set_errno(err, r, "the recipe %s is too long", build->file.name) : 0;
}

static int in_output(const struct build *build, const char *name, char *path, size_t size)
{
	return fs_path(path, size, "%s/%s", build->output, name);
}

/* The last lines of the log, for a person to see why. */
static void print_log_tail(const struct build *build)
{
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX];
	size_t size = 0, lines = 0, at;

	if (in_output(build, "build.log", path, sizeof(path)) < 0 || fs_read_file(path, LOG_MAX, &text, &size) < 0)
		return;
	for (at = size; at > 0 && lines <= LOG_TAIL_LINES; at--)
		lines += text[at - 1] == '\n';
	fprintf(stderr, "%s", text + at + (at > 0));
}

/* Only the log is kept of a build that failed. */
static int run_builder(struct build *build, struct error *err)
{
	struct error said = {0};
	char log[PATH_MAX];
	int r = builder_run(build->argv, &said);

	error_set(err, r, "%s", said.text);
	if (r == 0 || r == -EINTR || in_output(build, "build.log", log, sizeof(log)) < 0 || access(log, F_OK) < 0)
		return r;
	print_log_tail(build);
	build->keep = true;
	return error_set(err, r, "%.300s; the log is %s", said.text, log);
}

static int write_recipe(const struct build *build, char *path, size_t size, struct error *err)
{
	int r = in_output(build, "recipe", path, size);

	if (r == 0)
		r = fs_write_atomic(path, build->file.text, strlen(build->file.text), 0644);
	return r < 0 ? error_set_errno(err, r, "cannot write the recipe to %s", build->output) : 0;
}

static int add_append(const struct build *build, struct json_object *arguments, struct error *err)
{
	_cleanup_free_ char *append = NULL;
	char path[PATH_MAX];
	int r = in_output(build, "append", path, sizeof(path));

	if (r == 0)
		r = fs_read_file(path, APPEND_MAX, &append, NULL);
	if (r < 0 || !append)
		return error_set_errno(err, r, "cannot read the kernel's command line in %s", build->output);
	append[strcspn(append, "\n")] = '\0';
	json_add_text(arguments, "append", append);
	return 0;
}

/* The arguments of `image import`. */
static int import_arguments(const struct build *build, struct json_object *arguments, struct error *err)
{
	static const struct {
		const char *key, *name;
	} files[] = {{"file", "disk.qcow2"}, {"kernel", "vmlinux"}, {"initrd", "initrd"}, {"log", "build.log"}};
	char path[PATH_MAX];
	int r = write_recipe(build, path, sizeof(path), err);

	if (r < 0)
		return r;
	json_add_text(arguments, "recipe", path);
	json_add_text(arguments, "recipe-name", build->file.name);
	json_add_text(arguments, "name", admin_string(build->arguments, "name"));
	if (!admin_given(build->arguments, "publish"))
		json_add_text(arguments, "no-publish", "yes");
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		r = in_output(build, files[i].name, path, sizeof(path));
		if (r < 0)
			return error_set_errno(err, r, "%s", build->output);
		json_add_text(arguments, files[i].key, path);
	}
	return add_append(build, arguments, err);
}

/* A finished image that could not be imported is kept: it took minutes. */
static int import(struct build *build, char **ret, struct error *err)
{
	_cleanup_(json_putp) struct json_object *arguments = json_object_new_object();
	struct error said = {0};
	int r = arguments ? import_arguments(build, arguments, &said) : error_set(&said, -ENOMEM, "out of memory");

	if (r == 0)
		r = request_run(build->conf, admin_find("image", "import"), arguments, ret, &said);
	if (r == 0)
		return 0;
	error_set(err, r, "%s", said.text);
	if (r == -EINTR)
		return r;
	build->keep = true;
	return error_set(err, r, "%.300s; the image is kept in %s for `hotdesk image import`", said.text,
			 build->output);
}

static int say_where(const struct build *build, char **ret, struct error *err)
{
	_cleanup_(json_putp) struct json_object *reply = json_object_new_object();
	char text[PATH_MAX + 128];

	snprintf(text, sizeof(text), "disk.qcow2, vmlinux, initrd and append are in %s", build->output);
	if (reply)
		json_add_text(reply, "message", text);
	*ret = reply ? strdup(json_object_to_json_string_ext(reply, JSON_C_TO_STRING_NOSLASHESCAPE)) : NULL;
	return *ret ? 0 : error_set(err, -ENOMEM, "out of memory");
}

int build_image(const struct conf *conf, const struct admin_command *command, struct json_object *arguments, char **ret,
		struct error *err)
{
	_cleanup_(build_freep) struct build *build = calloc(1, sizeof(*build));
	int r;

	if (!build)
		return error_set(err, -ENOMEM, "out of memory");
	build->conf = conf;
	build->arguments = arguments;
	/* From here on a signal is waited for, by the builder and by requests, so that build_free runs. */
	signals_block(NULL);
	r = recipe_tools(build->tools, sizeof(build->tools), err);
	if (r == 0)
		r = find_recipe(build, strcmp(command->verb, "update") == 0, err);
	if (r == 0)
		r = recipe_parse(build->file.name, build->file.text, strlen(build->file.text), &build->recipe, err);
	if (r == 0)
		r = make_output(build, err);
	if (r == 0)
		r = make_arguments(build, err);
	if (r == 0)
		r = run_builder(build, err);
	if (r < 0)
		return r;
	return build->keep ? say_where(build, ret, err) : import(build, ret, err);
}
