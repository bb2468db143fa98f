/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One immutable version of a golden image: what its manifest.json says. */
#ifndef HOST_IMAGE_H
#define HOST_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMAGE_NAME_SIZE 33     /* with the NUL */
#define IMAGE_APPEND_SIZE 2048 /* QEMU's x86 loader and the kernel take this much */
#define IMAGE_SHA256_SIZE 65
#define IMAGE_RECIPE_NAME_SIZE 256
#define IMAGE_DEFAULT_APPEND "root=/dev/vda rw quiet console=ttyS0"
#define IMAGE_MANIFEST_MAX (64u << 10)

struct image {
	char name[IMAGE_NAME_SIZE];
	uint32_t version;
	uint64_t size, virtual_size; /* bytes of the file, of the disk in it */
	char sha256[IMAGE_SHA256_SIZE];
	/* Of vmlinux and initrd; "" where there are none, or from before they were taken. */
	char kernel_sha256[IMAGE_SHA256_SIZE], initrd_sha256[IMAGE_SHA256_SIZE];
	char created[32]; /* UTC, RFC 3339 */
	bool direct_boot; /* vmlinux and initrd lie beside it */
	char append[IMAGE_APPEND_SIZE];
	char recipe_name[IMAGE_RECIPE_NAME_SIZE]; /* "": no recipe lies beside it */
	bool log;                                 /* build.log lies beside it */
	bool published;                           /* image_store's, not the manifest's */
	struct image *next;
};

/* [a-z0-9][a-z0-9-]{0,31} */
bool image_name_valid(const char *name);
/* [a-z0-9-]{1,48} */
bool desktop_id_valid(const char *id);
/* Printable ASCII that fits. */
bool image_append_valid(const char *append);

/* Up to 255 bytes without control characters. */
bool image_recipe_name_valid(const char *name);

/* The manifest's text; the caller's (free). NULL: out of memory. */
char *image_manifest(const struct image *image);
/* -EBADMSG: not a manifest, or one with impossible values. Name and version are the directory's. */
int image_manifest_parse(const char *text, size_t size, struct image *ret);

#endif
