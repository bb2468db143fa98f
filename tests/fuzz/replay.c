/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Runs a fuzz target over the files of its corpus directory, in builds without libFuzzer. */
#include "common/cleanup.h"
#include "common/fs.h"

#include <dirent.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *directory, const char *name)
{
	_cleanup_free_ char *data = NULL;
	char path[4096];
	size_t size;

	if (fs_path(path, sizeof(path), "%s/%s", directory, name) < 0 ||
	    fs_read_file(path, 1 << 20, &data, &size) < 0) {
		fprintf(stderr, "cannot read %s/%s\n", directory, name);
		return -1;
	}
	return LLVMFuzzerTestOneInput((const uint8_t *)data, size);
}

int main(int argc, char **argv)
{
	struct dirent *entry;
	int files = 0;
	DIR *directory;

	if (argc != 2 || !(directory = opendir(argv[1]))) {
		fprintf(stderr, "usage: %s CORPUS_DIRECTORY\n", argv[0]);
		return 2;
	}
	while ((entry = readdir(directory)))
		if (entry->d_name[0] != '.') {
			if (replay_file(argv[1], entry->d_name) < 0)
				return 1;
			files++;
		}
	closedir(directory);
	printf("%d files replayed\n", files);
	return files > 0 ? 0 : 1;
}
