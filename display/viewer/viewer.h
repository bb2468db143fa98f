/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One viewer's connection, on the main thread: its stream through the filter, the source or the drawn picture into the
 * surface. */
#ifndef VIEWER_VIEWER_H
#define VIEWER_VIEWER_H

#include "common/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

struct viewer;

struct viewer_config {
	int stream_fd; /* stays the caller's; made non-blocking */
	const char *name, *keyboard, *title, *detail;
	int width, height, max_width, max_height;
	size_t clipboard_max; /* bytes of a text */
};

struct viewer_ops {
	void (*source_lost)(void *userdata);
	void (*wanted)(uint32_t width, uint32_t height, void *userdata);
	void (*sound)(bool wanted, void *userdata);
};

/* Strings of config are kept, not copied. The event loop is left (sd_event_exit) when the viewer is gone. */
int viewer_new(sd_event *event, const struct viewer_config *config, const struct viewer_ops *ops, void *userdata,
	       struct viewer **ret, struct error *err);
void viewer_free(struct viewer *viewer);

/* The calls of viewer_api.h. fd is taken over, also on failure. */
int viewer_set_source(struct viewer *viewer, int fd);
void viewer_clear_source(struct viewer *viewer);
int viewer_set_status(struct viewer *viewer, const char *title, const char *detail, int percent, bool failed);
void viewer_set_sound(struct viewer *viewer, bool allowed, int fd);
int viewer_close(struct viewer *viewer, const char *title, const char *detail, uint32_t linger_ms);
void viewer_status(struct viewer *viewer, bool *source, uint32_t *width, uint32_t *height);

#endif
