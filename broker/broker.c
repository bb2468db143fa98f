/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/broker.h"

#include "broker/copies.h"
#include "broker/desktop.h"
#include "broker/login.h"
#include "broker/refusals.h"
#include "broker/sound.h"
#include "broker/spares.h"
#include "broker/sync.h"
#include "broker/viewer.h"
#include "broker/waiters.h"
#include "broker/watch.h"
#include "common/fs.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

int broker_path(const struct broker *broker, char *buffer, size_t size, const char *format, ...)
{
	char name[NAME_MAX];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(name, sizeof(name), format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sizeof(name))
		return -ENAMETOOLONG;
	return fs_path(buffer, size, "%s/broker/%s", broker->runtime_dir, name);
}

int broker_timer(struct broker *broker, sd_event_source **source, uint64_t usec, sd_event_time_handler_t fn,
		 void *userdata)
{
	*source = sd_event_source_disable_unref(*source);
	return sd_event_add_time_relative(broker->event, source, CLOCK_MONOTONIC, usec, 1, fn, userdata);
}

static int open_store(struct broker *broker, struct error *err)
{
	char path[PATH_MAX];
	int r = fs_path(path, sizeof(path), "%s/broker/store.db", conf_string(broker->conf, CONF_STATE_DIR));

	return r < 0 ? error_set_errno(err, r, "[paths] state-dir") : store_open(path, &broker->store, err);
}

static int make_clients(struct broker *broker)
{
	char path[PATH_MAX];
	int r = fs_path(path, sizeof(path), "%s/auth/auth.sock", broker->runtime_dir);

	if (r >= 0)
		r = auth_client_new(broker->event, path, &broker->auth);
	if (r >= 0)
		r = fs_path(path, sizeof(path), "%s/spawn/spawn.sock", broker->runtime_dir);
	if (r >= 0)
		r = spawn_client_new(broker->event, path, &broker->spawn);
	return r;
}

/* A session whose last viewer went while no broker ran. */
static void disconnect_unwatched(struct broker *broker)
{
	for (struct desktop *at = desktops_first(broker->desktops); at; at = at->next)
		if (at->n_viewers == 0)
			desktop_set_session_state(at, SESSION_DISCONNECTED);
}

static int make_modules(struct broker *broker)
{
	int r = waiters_new(broker, &broker->waiters);

	if (r >= 0)
		r = refusals_new(broker, &broker->refusals);
	if (r >= 0)
		r = copies_new(broker, &broker->copies);
	if (r >= 0)
		r = spares_new(broker, &broker->spares);
	if (r >= 0)
		r = desktops_new(broker, &broker->desktops);
	if (r >= 0)
		r = viewers_new(broker, &broker->viewers);
	if (r >= 0)
		r = sync_new(broker, &broker->sync);
	return r;
}

int broker_new(sd_event *event, const struct conf *conf, struct broker **ret, struct error *err)
{
	struct broker *broker = calloc(1, sizeof(*broker));
	int r;

	if (!broker)
		return error_set_errno(err, -ENOMEM, "the broker cannot start");
	broker->event = sd_event_ref(event);
	broker->conf = conf;
	broker->runtime_dir = conf_string(conf, CONF_RUNTIME_DIR);
	broker->slots = (uint32_t)conf_number(conf, CONF_RUN_VM_UID_COUNT) / 2;
	r = open_store(broker, err);
	if (r >= 0) {
		r = make_clients(broker);
		if (r >= 0)
			r = make_modules(broker);
		if (r < 0)
			error_set_errno(err, r, "the broker cannot start");
	}
	if (r >= 0)
		r = logins_new(broker, &broker->logins, err);
	if (r < 0) {
		broker_free(broker);
		return r;
	}
	disconnect_unwatched(broker);
	*ret = broker;
	return 0;
}

void broker_free(struct broker *broker)
{
	if (!broker)
		return;
	logins_free(broker->logins);
	collector_free(broker->refusals);
	if (broker->desktops) {
		watches_free(broker->desktops);
		sounds_free(broker->desktops);
	}
	collector_free(broker->copies);
	viewers_free(broker->viewers);
	sync_free(broker->sync);
	spares_free(broker->spares);
	waiters_free(broker->waiters);
	desktops_free(broker->desktops);
	host_client_free(broker->host);
	auth_client_free(broker->auth);
	spawn_client_free(broker->spawn);
	store_close(broker->store);
	sd_event_unref(broker->event);
	free(broker);
}

void broker_freep(struct broker **broker)
{
	broker_free(*broker);
}
