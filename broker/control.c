/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/control.h"

#include "broker/lifecycle.h"
#include "broker/login.h"
#include "broker/sound.h"
#include "broker/spares.h"
#include "broker/sync.h"
#include "broker/viewer.h"
#include "broker/waiters.h"
#include "broker/watch.h"
#include "common/cleanup.h"
#include "common/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

sd_event *broker_event_loop(struct broker *broker)
{
	return broker->event;
}

struct store *broker_store(struct broker *broker)
{
	return broker->store;
}

const struct conf *broker_conf(struct broker *broker)
{
	return broker->conf;
}

struct host_client *broker_host(struct broker *broker)
{
	return broker->host;
}

/* NULL: err says why. */
static struct desktop *find_to_end(struct broker *broker, const char *id, struct error *err)
{
	struct desktop *desktop = desktop_find(broker->desktops, id);

	if (!desktop)
		error_set(err, -ENOENT, "There is no desktop %s: see `hotdesk desktop list`.", id);
	else if (!sync_connected(broker->sync))
		error_set(err, -ENOTCONN,
			  "hotdesk-host does not run, so no desktop can be stopped: start it and try again.");
	return err->code < 0 ? NULL : desktop;
}

static int wait_or_fail(struct broker *broker, enum waiter_kind kind, const char *id, broker_done_fn done,
			void *userdata, struct error *err)
{
	int r = waiters_add(broker, kind, id, done, userdata);

	return r < 0 ? error_set_errno(err, r, "The command cannot wait for its end") : 0;
}

/* What a viewer in it is shown, and whether the desktop's row goes too; the id is copied to `name`. */
static int end_desktop(struct broker *broker, const char *id, bool delete, const char *title, const char *detail,
		       char name[HOST_DESKTOP_ID_MAX], struct error *err)
{
	struct desktop *desktop;
	int r;

	*err = (struct error){0};
	desktop = find_to_end(broker, id, err);
	if (!desktop)
		return err->code;
	memcpy(name, desktop->row.id, HOST_DESKTOP_ID_MAX);
	r = desktop_is_leaving(desktop) ? 0 : lifecycle_end(desktop, delete, title, detail);
	return r < 0 ? error_set_errno(err, r, "Desktop %s cannot be written to the store; see the broker's log", name)
		     : 0;
}

int broker_desktop_stop(struct broker *broker, const char *id, bool force, broker_done_fn done, void *userdata,
			struct error *err)
{
	char name[HOST_DESKTOP_ID_MAX];
	int r = end_desktop(broker, id, false, "Your desktop was stopped",
			    "An administrator stopped it. Log in again to start it anew.", name, err);

	if (r < 0)
		return r;
	/* The wanted set has it stop gracefully anyway. */
	if (force && desktop_find(broker->desktops, name))
		host_client_stop(broker->host, name, true, NULL, NULL);
	return wait_or_fail(broker, WAIT_STOPPED, name, done, userdata, err);
}

int broker_desktop_delete(struct broker *broker, const char *id, broker_done_fn done, void *userdata, struct error *err)
{
	char name[HOST_DESKTOP_ID_MAX];
	int r = end_desktop(broker, id, true, "Your desktop was removed", "An administrator removed it.", name, err);

	return r < 0 ? r : wait_or_fail(broker, WAIT_GONE, name, done, userdata, err);
}

int broker_session_kill(struct broker *broker, int64_t id, const char *message, broker_done_fn done, void *userdata,
			struct error *err)
{
	struct desktop *desktop = id > 0 ? desktop_of_session(broker->desktops, id) : NULL;
	char name[HOST_DESKTOP_ID_MAX];
	int r;

	if (!desktop)
		return error_set(err, -ENOENT, "There is no open session %lld: see `hotdesk session list`.",
				 (long long)id);
	memcpy(name, desktop->row.id, sizeof(name));
	r = lifecycle_kill(desktop, message[0] ? message : "An administrator ended your session.");
	if (r < 0)
		return error_set_errno(err, r, "The end of session %lld cannot be written to the store", (long long)id);
	return wait_or_fail(broker, WAIT_LOGGED_OFF, name, done, userdata, err);
}

void broker_forget(struct broker *broker, void *userdata)
{
	waiters_forget(broker, userdata);
}

void broker_pools_changed(struct broker *broker)
{
	spares_renew(broker);
	watches_policy(broker->desktops);
	sounds_policy(broker->desktops);
	sync_push(broker);
}

int broker_desktop_view(struct broker *broker, const char *id, struct desktop_view *ret)
{
	const struct desktop *desktop = desktop_find(broker->desktops, id);
	struct desktop_view view = {0};
	const char *reason;

	if (!desktop)
		return -ENOENT;
	view.state =
	    desktop_is_failed(desktop) ? desktop_state_text(DESKTOP_FAILED) : desktop_state_text(desktop->state);
	view.progress = desktop->progress;
	/* Why it failed the last time says nothing of one that has come back. */
	reason = desktop->row.reason[0] && desktop->state != DESKTOP_READY ? desktop->row.reason : desktop->reason;
	snprintf(view.reason, sizeof(view.reason), "%s", reason);
	memcpy(view.warning, desktop->warning, sizeof(view.warning));
	view.guest = desktop->guest;
	view.viewers = desktop->n_viewers;
	view.boot = desktop->boot;
	*ret = view;
	return 0;
}

void broker_status(struct broker *broker, struct broker_status *ret)
{
	struct broker_status status = {0};

	status.host = sync_connected(broker->sync);
	for (struct desktop *at = desktops_first(broker->desktops); at; at = at->next) {
		status.desktops++;
		status.ready += at->state == DESKTOP_READY;
		status.sessions += at->session.id != 0;
	}
	status.viewers = (uint32_t)viewers_count(broker->viewers);
	status.logins = (uint32_t)logins_count(broker->logins);
	*ret = status;
}

bool broker_image_in_use(struct broker *broker, const char *image, char *who, size_t size)
{
	_cleanup_free_ struct pool *pools = NULL;
	size_t n = 0;

	if (store_pools(broker->store, &pools, &n) < 0) {
		snprintf(who, size, "the store, which cannot be read");
		return true;
	}
	for (size_t i = 0; i < n; i++)
		if (strcmp(pools[i].image, image) == 0) {
			snprintf(who, size, "pool %s", pools[i].name);
			return true;
		}
	for (struct desktop *at = desktops_first(broker->desktops); at; at = at->next)
		if (strcmp(at->row.image, image) == 0) {
			snprintf(who, size, "desktop %s", at->row.id);
			return true;
		}
	return false;
}

void broker_event(struct broker *broker, const char *kind, const char *user, const char *desktop, const char *pool,
		  const char *format, ...)
{
	struct event_row event = {.time = time(NULL)};
	va_list args;
	int r;

	snprintf(event.kind, sizeof(event.kind), "%s", kind);
	snprintf(event.user, sizeof(event.user), "%s", user);
	snprintf(event.desktop, sizeof(event.desktop), "%s", desktop);
	snprintf(event.pool, sizeof(event.pool), "%s", pool);
	va_start(args, format);
	vsnprintf(event.text, sizeof(event.text), format, args);
	va_end(args);
	log_notice("%s: user=%s desktop=%s pool=%s: %s", event.kind, event.user, event.desktop, event.pool, event.text);
	r = store_event_add(broker->store, &event);
	if (r < 0)
		log_error("the event cannot be written to the store: %s", strerror(-r));
}
