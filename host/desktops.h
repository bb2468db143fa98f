/* SPDX-License-Identifier: GPL-3.0-or-later */
/* All desktops of this machine: found at start, told what is wanted, listed. */
#ifndef HOST_DESKTOPS_H
#define HOST_DESKTOPS_H

#include "host/vm.h"

struct desktops;

struct desktops_ops {
	/* One desktop's object (host_api.h: Changed); borrowed. */
	void (*changed)(struct json_object *desktop, void *userdata);
	/* Every desktop that was there at start has been looked for. */
	void (*settled)(void *userdata);
};

/* env: dirs, event, spawn, jobs, images, accel and times are filled in, the rest is set here; it is kept. */
int desktops_new(struct vm_env *env, const struct desktops_ops *ops, void *userdata, struct desktops **ret,
		 struct error *err);
/* After jobs_free. */
void desktops_free(struct desktops *desktops);

/* The generation is on the disk (or r < 0): a host that is killed from here on still knows it. */
typedef void (*desktops_done_fn)(int r, const struct error *err, void *userdata);

/*
 * Takes the whole wanted set, a JSON array. -ESTALE: the generation is older than one seen before. -EINVAL: nothing of
 * it was taken. err has the text; done is called only after 0.
 */
int desktops_want(struct desktops *desktops, uint64_t generation, struct json_object *wanted, desktops_done_fn done,
		  void *userdata, struct error *err);

uint64_t desktops_generation(const struct desktops *desktops);
/* The array of List; the caller's. NULL: out of memory. */
struct json_object *desktops_json(const struct desktops *desktops);

struct vm *desktops_find(const struct desktops *desktops, const char *id);
/* A desktop that uses this version (0: any) of an image, or NULL. */
const struct vm *desktops_with_image(const struct desktops *desktops, const char *name, uint32_t version);

#endif
