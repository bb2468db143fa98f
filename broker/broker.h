/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the broker's modules share. Each module's own state is behind its pointer; main.c makes and frees it. */
#ifndef BROKER_BROKER_H
#define BROKER_BROKER_H

#include "auth/auth_client.h"
#include "broker/control.h"
#include "common/spawn_client.h"

struct desktops;
struct host_sync;
struct spares;
struct viewers;
struct collector;
struct logins;
struct waiters;

struct broker {
	sd_event *event;
	const struct conf *conf;
	struct store *store;
	struct auth_client *auth;
	struct spawn_client *spawn;
	struct host_client *host;
	const char *runtime_dir; /* the conf's */
	uint32_t slots;          /* desktops, and displays likewise, have slots below this */
	struct desktops *desktops;
	struct host_sync *sync;
	struct spares *spares;
	struct viewers *viewers;
	struct collector *refusals, *copies;
	struct logins *logins;
	struct waiters *waiters;
	/* The admin server's; may be NULL. */
	void (*image_progress)(const char *image, uint32_t percent, void *userdata);
	void *image_userdata;
};

/* Opens the store, makes the clients and all modules and starts to recover what runs. err says what to do. */
int broker_new(sd_event *event, const struct conf *conf, struct broker **ret, struct error *err);
/* Leaves all processes running. */
void broker_free(struct broker *broker);
void broker_freep(struct broker **broker);

/* RUNTIME_DIR/broker/NAME into a buffer of PATH_MAX bytes. */
int broker_path(const struct broker *broker, char *buffer, size_t size, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* A one-shot timer that runs fn once after usec, in place of what *source waited for; the caller unrefs *source. */
int broker_timer(struct broker *broker, sd_event_source **source, uint64_t usec, sd_event_time_handler_t fn,
		 void *userdata);

#endif
