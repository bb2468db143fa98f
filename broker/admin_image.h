/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Shared by the admin_image*.c files: the host keeps the images; the broker knows who needs them. */
#ifndef BROKER_ADMIN_IMAGE_H
#define BROKER_ADMIN_IMAGE_H

#include "broker/admin_call.h"

/* "version" of a row of the host's list or of its answer; 0: none. */
uint32_t image_version_of(struct json_object *image);

/* "NAME" or "NAME:VERSION", which admin_check has seen; version 0: none given. name: STORE_NAME_SIZE. */
void image_split(const char *text, char *name, uint32_t *ret_version);

/* Asks the host for all images. 0, or negative errno with err, then done is not called. */
int image_ask_list(struct admin_call *call, host_done_fn done, struct error *err);

/* The versions of one image out of the host's list, oldest first; NULL when there is none. The caller's. */
struct json_object *image_versions(struct json_object *list, const char *name);

/* Fills err: there is no such image. */
int image_none(const char *name, struct error *err);

/* Which desktop's row names this version: its id in ret, or "". */
int image_user(struct admin_call *call, const char *name, uint32_t version, char *ret, size_t size, struct error *err);

#endif
