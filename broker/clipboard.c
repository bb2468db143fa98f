/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/clipboard.h"

#include "broker/backoff.h"
#include "broker/copies.h"
#include "broker/watch.h"
#include "common/bus.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "display/screen/screen_api.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

_Static_assert((unsigned)POOL_CLIPBOARD_IN == SCREEN_CLIPBOARD_IN &&
		   (unsigned)POOL_CLIPBOARD_OUT == SCREEN_CLIPBOARD_OUT,
	       "a pool's word is what the screen is told");

struct clipboard {
	struct desktop *desktop;
	struct backoff backoff;
	bool port, opening; /* the screen has it; it is being asked for */
	bool unable;        /* the screen knows nothing of clipboards */
	bool told;          /* `allowed` is what the screen was told */
	uint32_t allowed;
};

/* Logs an error; -ENOSYS where the screen has no such method. */
static int screen_failed(sd_bus_message *reply, struct clipboard *clipboard)
{
	struct error err = {0};

	if (!sd_bus_message_is_method_error(reply, NULL))
		return 0;
	if (sd_bus_message_is_method_error(reply, SD_BUS_ERROR_UNKNOWN_METHOD)) {
		log_info("hotdesk-screen of %s has no clipboard", clipboard->desktop->row.id);
		clipboard->unable = true;
		return -ENOSYS;
	}
	bus_reply_error(reply, &err);
	log_warning("the clipboard of %s: %s", clipboard->desktop->row.id, err.text);
	return err.code;
}

static int port_given(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	struct clipboard *clipboard = userdata;
	int r = screen_failed(reply, clipboard);

	(void)ret_error;
	clipboard->opening = false;
	if (r < 0 && r != -ENOSYS)
		backoff_pause(&clipboard->backoff);
	/* Without a source the port may be that of a QEMU that is no more. */
	clipboard->port = r >= 0 && watch_has_source(clipboard->desktop->watch);
	return 0;
}

static void port_opened(int r, struct json_object *json, int fd, const struct error *err, void *userdata)
{
	struct clipboard *clipboard = userdata;

	(void)json;
	if (r >= 0)
		r = child_call(watch_child(clipboard->desktop->watch), port_given, clipboard, "SetVdagent", "h", fd);
	else
		log_warning("the vdagent port of %s cannot be opened: %s", clipboard->desktop->row.id, err->text);
	closep(&fd);
	if (r < 0) {
		clipboard->opening = false;
		backoff_pause(&clipboard->backoff);
	}
}

void clipboard_open(struct clipboard *clipboard)
{
	const struct desktop *desktop = clipboard->desktop;

	if (clipboard->port || clipboard->opening || clipboard->unable || clipboard->backoff.pausing ||
	    !watch_has_source(desktop->watch))
		return;
	if (host_client_open_vdagent(desktop->broker->host, desktop->row.id, port_opened, clipboard) < 0)
		backoff_pause(&clipboard->backoff);
	else
		clipboard->opening = true;
}

static int on_port_lost(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	struct clipboard *clipboard = userdata;

	(void)message;
	(void)ret_error;
	clipboard->port = false;
	backoff_pause(&clipboard->backoff);
	return 0;
}

static int on_copied(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	const struct clipboard *clipboard = userdata;
	const struct desktop *desktop = clipboard->desktop;
	uint32_t direction, bytes;

	(void)ret_error;
	if (sd_bus_message_read(message, "uu", &direction, &bytes) < 0 ||
	    (direction != SCREEN_CLIPBOARD_IN && direction != SCREEN_CLIPBOARD_OUT))
		return 0;
	copies_add(desktop->broker->copies, desktop, direction == SCREEN_CLIPBOARD_OUT, bytes);
	return 0;
}

int clipboard_setup(struct clipboard *clipboard, sd_bus *bus)
{
	int r = sd_bus_match_signal(bus, NULL, NULL, SCREEN_API_PATH, SCREEN_API_INTERFACE, "VdagentLost", on_port_lost,
				    clipboard);

	if (r >= 0)
		r = sd_bus_match_signal(bus, NULL, NULL, SCREEN_API_PATH, SCREEN_API_INTERFACE, "Clipboard", on_copied,
					clipboard);
	return r;
}

static int policy_taken(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	struct clipboard *clipboard = userdata;
	int r = screen_failed(reply, clipboard);

	(void)ret_error;
	if (r < 0 && r != -ENOSYS) {
		clipboard->told = false;
		backoff_pause(&clipboard->backoff);
	}
	return 0;
}

static uint32_t allowed_by(const struct pool *pool)
{
	if (pool->clipboard == POOL_CLIPBOARD_NONE)
		return 0;
	return (uint32_t)pool->clipboard | (pool->clipboard_primary ? SCREEN_CLIPBOARD_PRIMARY : 0);
}

void clipboard_policy(struct clipboard *clipboard)
{
	const struct desktop *desktop = clipboard->desktop;
	struct child *screen = watch_child(desktop->watch);
	struct broker *broker = desktop->broker;
	uint32_t allowed, max = (uint32_t)conf_number(broker->conf, CONF_CLIPBOARD_MAX);
	struct pool pool;
	int r;

	if (clipboard->unable || !child_bus(screen))
		return;
	r = store_pool_get(broker->store, desktop->row.pool, &pool);
	if (r < 0)
		log_error("pool %s cannot be read: %s (%s)", desktop->row.pool, strerror(-r),
			  store_message(broker->store));
	/* What is not known is not allowed. */
	allowed = r < 0 ? 0 : allowed_by(&pool);
	if (clipboard->told && clipboard->allowed == allowed)
		return;
	clipboard->told = child_call(screen, policy_taken, clipboard, "SetClipboard", "uu", allowed, max) >= 0;
	clipboard->allowed = allowed;
	if (!clipboard->told)
		backoff_pause(&clipboard->backoff);
}

void clipboard_screen_up(struct clipboard *clipboard)
{
	clipboard_reset(clipboard);
	clipboard->unable = clipboard->told = false;
	clipboard_policy(clipboard);
}

void clipboard_reset(struct clipboard *clipboard)
{
	host_client_forget(clipboard->desktop->broker->host, clipboard);
	clipboard->port = clipboard->opening = false;
	backoff_reset(&clipboard->backoff);
}

static void try_again(void *userdata)
{
	clipboard_policy(userdata);
	clipboard_open(userdata);
}

int clipboard_new(struct desktop *desktop, struct clipboard **ret)
{
	struct clipboard *clipboard = calloc(1, sizeof(*clipboard));

	if (!clipboard)
		return -ENOMEM;
	clipboard->desktop = desktop;
	clipboard->backoff = (struct backoff){.broker = desktop->broker, .over = try_again, .userdata = clipboard};
	*ret = clipboard;
	return 0;
}

void clipboard_free(struct clipboard *clipboard)
{
	if (!clipboard)
		return;
	clipboard_reset(clipboard);
	free(clipboard);
}
