/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/cli/recipe_file.h"

#include "broker/cli/recipe.h"
#include "common/fs.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int recipe_tools(char *buffer, size_t size, struct error *err)
{
	char self[PATH_MAX], program[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	int r;

	if (length < 0)
		return error_set_errno(err, -errno, "cannot find build-image");
	self[length] = '\0';
	*strrchr(self, '/') = '\0';
	r = fs_path(buffer, size, "%s/../libexec/hotdesk/image", self);
	if (r == 0)
		r = fs_path(program, sizeof(program), "%s/build-image", buffer);
	if (r == 0 && access(program, X_OK) < 0)
		r = -errno;
	return r < 0 ? error_set_errno(err, r, "%s/../libexec/hotdesk/image/build-image cannot be run", self) : 0;
}

static bool is_path(const char *name)
{
	size_t length = strlen(name), ending = strlen(".recipe");

	return strchr(name, '/') || (length > ending && strcmp(name + length - ending, ".recipe") == 0);
}

static int locate_path(const char *path, struct recipe_file *ret, struct error *err)
{
	char real[PATH_MAX];

	/* Of a recipe kept with an image, only the directory is needed. */
	if (!realpath(path, real) && (path[0] != '/' || fs_path(real, sizeof(real), "%s", path) < 0))
		return error_set_errno(err, -errno, "cannot find the recipe %s", path);
	if (fs_path(ret->name, sizeof(ret->name), "%s", real) < 0)
		return error_set(err, -ENAMETOOLONG, "the path of the recipe %s is longer than %d bytes", path,
				 RECIPE_NAME_SIZE - 1);
	*strrchr(real, '/') = '\0';
	return fs_path(ret->directory, sizeof(ret->directory), "%s", real);
}

int recipe_file_locate(const char *tools, const char *name, struct recipe_file *ret, struct error *err)
{
	if (is_path(name))
		return locate_path(name, ret, err);
	if (fs_path(ret->name, sizeof(ret->name), "%s", name) < 0 ||
	    fs_path(ret->directory, sizeof(ret->directory), "%s/recipes", tools) < 0)
		return error_set(err, -ENAMETOOLONG, "the recipe's name is too long");
	return 0;
}

int recipe_file_read(const char *tools, const char *name, struct recipe_file *ret, struct error *err)
{
	char path[PATH_MAX];
	int r = recipe_file_locate(tools, name, ret, err);

	if (r < 0)
		return r;
	r = is_path(name) ? fs_path(path, sizeof(path), "%s", ret->name)
			  : fs_path(path, sizeof(path), "%s/%s.recipe", ret->directory, name);
	if (r == 0)
		r = fs_read_file(path, RECIPE_MAX, &ret->text, NULL);
	if (r == -ENOENT)
		return error_set(err, r,
				 "there is no recipe %s: give the name of one in %s, or the path of a file (./%s)",
				 name, ret->directory, name);
	return r < 0 ? error_set_errno(err, r, "cannot read the recipe %s", name) : 0;
}
