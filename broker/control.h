/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the admin's commands ask of the running broker. Everything runs on its event loop. The store may be written by
 * the caller (pools, entitlements); desktops, sessions and viewers are the broker's: change them by these calls only.
 */
#ifndef BROKER_CONTROL_H
#define BROKER_CONTROL_H

#include "broker/report.h"
#include "broker/store.h"
#include "common/conf.h"
#include "common/error.h"
#include "host/host_client.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

struct broker;

/* The broker's own; borrowed. */
sd_event *broker_event_loop(struct broker *broker);
struct store *broker_store(struct broker *broker);
const struct conf *broker_conf(struct broker *broker);
struct host_client *broker_host(struct broker *broker);

/* r < 0: err->text is for the person. Called once, never from inside the call that took it. */
typedef void (*broker_done_fn)(int r, const struct error *err, void *userdata);

/*
 * Ends the desktop's session (its viewers are told and closed) and stops it: a dedicated one is kept and starts at the
 * next login, a floating one is removed with its files. force: do not wait for the guest. done: it is stopped (gone). A
 * failed dedicated desktop is cleared by this. -ENOENT: no such desktop. Returns 0 or a negative errno with err, then
 * done is not called.
 */
int broker_desktop_stop(struct broker *broker, const char *id, bool force, broker_done_fn done, void *userdata,
			struct error *err);

/* As stop, but removes it with its files in every case. done: the row is deleted. */
int broker_desktop_delete(struct broker *broker, const char *id, broker_done_fn done, void *userdata,
			  struct error *err);

/* Ends a session: its user is logged off in the guest first, where its agent can; its viewers are shown `message` ("":
 * a usual text) first. done: the session has ended.
 */
int broker_session_kill(struct broker *broker, int64_t id, const char *message, broker_done_fn done, void *userdata,
			struct error *err);

/* Drops what waits with this userdata: its done is not called; the work goes on. */
void broker_forget(struct broker *broker, void *userdata);

/* After pools or entitlements were changed in the store: spares are made or removed, limits and what may be copied
 * apply from now on. */
void broker_pools_changed(struct broker *broker);

/* What runs, beside the desktop's row. */
struct desktop_view {
	const char *state;             /* host_api.h's words, or "unknown" while the host is away */
	uint32_t progress;             /* 0..100 */
	char reason[STORE_TEXT_SIZE];  /* "" where none */
	char warning[STORE_TEXT_SIZE]; /* what it has to do without, "" where nothing */
	struct report_guest guest;     /* its agent; agent "" while none answered */
	uint32_t viewers;              /* connected now */
	uint32_t boot;                 /* counts its starts */
};

/* -ENOENT: no such desktop. */
int broker_desktop_view(struct broker *broker, const char *id, struct desktop_view *ret);

struct broker_status {
	bool host;                /* connected */
	uint32_t desktops, ready; /* all rows; those that are ready */
	uint32_t sessions, viewers;
	uint32_t logins; /* in flight */
};

void broker_status(struct broker *broker, struct broker_status *ret);

/* True where a pool or a desktop names this image; who gets "pool NAME" or "desktop ID" of the first. */
bool broker_image_in_use(struct broker *broker, const char *image, char *who, size_t size);

/* An event row and a log line; user, desktop and pool may be "". */
void broker_event(struct broker *broker, const char *kind, const char *user, const char *desktop, const char *pool,
		  const char *format, ...) __attribute__((format(printf, 6, 7)));

#endif
