/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/sync.h"

#include "broker/desktop.h"
#include "broker/lifecycle.h"
#include "broker/spares.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/log.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define SYNC_RETRY_USEC UINT64_C(1000000)
#define SYNC_ABSENCE_USEC UINT64_C(5000000)

struct host_sync {
	struct broker *broker;
	sd_event_source *timer;
	bool connected, listed;
	bool sending, dirty;
};

static void arm(struct host_sync *sync, uint64_t usec);
static void ask_list(struct host_sync *sync);

static const char *desired_state(const struct desktop *desktop)
{
	if (desktop->row.wanted == WANTED_ABSENT || desktop->remake)
		return "absent";
	if (desktop->row.wanted == WANTED_STOPPED || desktop->hold || desktop_is_failed(desktop))
		return "stopped";
	return "running";
}

static const struct pool *pool_of(const struct desktop *desktop, const struct pool *pools, size_t n_pools)
{
	for (size_t i = 0; i < n_pools; i++)
		if (strcmp(pools[i].name, desktop->row.pool) == 0)
			return &pools[i];
	return NULL;
}

static int add_int(struct json_object *object, const char *key, int64_t value)
{
	struct json_object *number = json_object_new_int64(value);

	return number ? json_object_object_add(object, key, number) : -1;
}

static int add_text(struct json_object *object, const char *key, const char *value)
{
	struct json_object *text = json_object_new_string(value);

	return text ? json_object_object_add(object, key, text) : -1;
}

static int add_desired(struct json_object *array, const struct desktop *desktop, const struct pool *pool,
		       const char *network)
{
	struct json_object *object = json_object_new_object();

	if (!object || json_object_array_add(array, object) < 0) {
		json_object_put(object);
		return -ENOMEM;
	}
	if (add_text(object, "id", desktop->row.id) < 0 || add_int(object, "slot", desktop->row.slot) < 0 ||
	    add_text(object, "image", desktop->row.image) < 0 ||
	    add_int(object, "image_version", desktop->row.image_version) < 0 ||
	    add_int(object, "memory_mib", pool->memory_mib) < 0 || add_int(object, "vcpus", pool->vcpus) < 0 ||
	    add_text(object, "state", desired_state(desktop)) < 0 || add_text(object, "network", network) < 0)
		return -ENOMEM;
	return 0;
}

static int make_desired(struct host_sync *sync, struct json_object **ret)
{
	struct broker *broker = sync->broker;
	const char *network = conf_string(broker->conf, CONF_NETWORK);
	_cleanup_free_ struct pool *pools = NULL;
	struct json_object *array;
	size_t n_pools = 0;
	int r = store_pools(broker->store, &pools, &n_pools);

	if (r < 0)
		return r;
	array = json_object_new_array();
	if (!array)
		return -ENOMEM;
	for (struct desktop *at = desktops_first(broker->desktops); at && r >= 0; at = at->next) {
		const struct pool *pool = pool_of(at, pools, n_pools);

		r = pool ? add_desired(array, at, pool, network) : -ENOENT;
	}
	if (r < 0) {
		json_object_put(array);
		return r;
	}
	*ret = array;
	return 0;
}

/* The host forgets what is gone, so a Changed that was missed does not come again. */
static bool awaits_absence(struct broker *broker)
{
	for (struct desktop *at = desktops_first(broker->desktops); at; at = at->next)
		if (at->row.wanted == WANTED_ABSENT && at->state != DESKTOP_ABSENT)
			return true;
	return false;
}

static void sent(int r, struct json_object *json, int fd, const struct error *err, void *userdata)
{
	struct host_sync *sync = userdata;

	(void)json;
	closep(&fd);
	sync->sending = false;
	if (r == -ESTALE) {
		/* The store is older than what the host has seen (restored from a copy): go on from the host's number.
		 */
		ask_list(sync);
		return;
	}
	if (r < 0 && sync->connected) {
		log_warning("the host did not take the wanted desktops, trying again: %s", err->text);
		sync->dirty = true;
		arm(sync, SYNC_RETRY_USEC);
	} else if (sync->dirty) {
		arm(sync, 0);
	} else if (awaits_absence(sync->broker)) {
		arm(sync, SYNC_ABSENCE_USEC);
	}
}

/* From now on the host may have begun with what it had nothing of: whoever waits for its absence must hear it anew. */
static void forget_absence(struct broker *broker)
{
	for (struct desktop *at = desktops_first(broker->desktops); at; at = at->next)
		if (at->state == DESKTOP_ABSENT && strcmp(desired_state(at), "running") == 0)
			at->state = DESKTOP_UNKNOWN;
}

static int send_desired(struct host_sync *sync)
{
	struct json_object *desired = NULL;
	uint64_t generation = 0;
	int r = store_generation_next(sync->broker->store, &generation);

	if (r >= 0)
		r = make_desired(sync, &desired);
	if (r >= 0)
		r = host_client_set_desired(sync->broker->host, generation, desired, sent, sync);
	if (r >= 0)
		forget_absence(sync->broker);
	json_object_put(desired);
	return r;
}

static int timer_fired(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct host_sync *sync = userdata;
	int r;

	(void)source;
	(void)usec;
	if (!sync->connected || sync->sending)
		return 0;
	if (!sync->listed || !sync->dirty) {
		ask_list(sync);
		return 0;
	}
	sync->dirty = false;
	r = send_desired(sync);
	sync->sending = r >= 0;
	if (r < 0) {
		log_error("the wanted desktops cannot be sent to the host: %s", strerror(-r));
		sync->dirty = true;
		arm(sync, SYNC_RETRY_USEC);
	}
	return 0;
}

static void arm(struct host_sync *sync, uint64_t usec)
{
	broker_timer(sync->broker, &sync->timer, usec, timer_fired, sync);
}

void sync_push(struct broker *broker)
{
	broker->sync->dirty = true;
	if (broker->sync->connected && !broker->sync->sending)
		arm(broker->sync, 0);
}

bool sync_connected(const struct host_sync *sync)
{
	return sync && sync->connected;
}

static void take_report(struct host_sync *sync, struct json_object *json)
{
	struct report report;
	struct desktop *desktop;

	if (report_parse(json, &report) < 0) {
		log_warning("the host sent a desktop's state that is not understood; it is passed over");
		return;
	}
	desktop = desktop_find(sync->broker->desktops, report.id);
	if (desktop) {
		desktop->listed = true;
		lifecycle_report(desktop, &report);
	} else if (report.state != DESKTOP_ABSENT) {
		log_warning("the host has a desktop %s that no pool knows; it is left alone", report.id);
	}
}

/* What the host does not list is absent. lifecycle_report may free the desktop it is given. */
static void report_missing(struct host_sync *sync)
{
	for (struct desktop *at = desktops_first(sync->broker->desktops), *next; at; at = next) {
		struct report report = {.state = DESKTOP_ABSENT};

		next = at->next;
		if (at->listed)
			continue;
		memcpy(report.id, at->row.id, sizeof(report.id));
		lifecycle_report(at, &report);
	}
}

static void raise_generation(struct host_sync *sync, struct json_object *json)
{
	struct json_object *value = NULL;
	int r;

	if (!json_object_object_get_ex(json, "generation", &value))
		return;
	r = store_generation_raise(sync->broker->store, (uint64_t)json_object_get_int64(value));
	if (r < 0)
		log_error("the generation cannot be written to the store: %s", strerror(-r));
}

static void listed(int r, struct json_object *json, int fd, const struct error *err, void *userdata)
{
	struct host_sync *sync = userdata;
	struct json_object *list = NULL;

	closep(&fd);
	sync->sending = false;
	sync->dirty = true;
	if (r < 0 || !json_object_object_get_ex(json, "desktops", &list) ||
	    !json_object_is_type(list, json_type_array)) {
		log_warning("the host did not list its desktops: %s", r < 0 ? err->text : "answer not understood");
		arm(sync, SYNC_RETRY_USEC);
		return;
	}
	raise_generation(sync, json);
	for (struct desktop *at = desktops_first(sync->broker->desktops); at; at = at->next)
		at->listed = false;
	for (size_t i = 0; i < json_object_array_length(list); i++)
		take_report(sync, json_object_array_get_idx(list, i));
	report_missing(sync);
	sync->listed = true;
	spares_soon(sync->broker);
	arm(sync, 0);
}

static void ask_list(struct host_sync *sync)
{
	int r = host_client_list(sync->broker->host, listed, sync);

	sync->listed = false;
	sync->sending = r >= 0;
	if (r < 0) {
		sync->dirty = true;
		arm(sync, SYNC_RETRY_USEC);
	}
}

static void host_connected(void *userdata)
{
	struct host_sync *sync = userdata;

	log_notice("connected to hotdesk-host");
	sync->connected = true;
	ask_list(sync);
}

static void host_disconnected(void *userdata)
{
	struct host_sync *sync = userdata;

	log_warning("hotdesk-host is away; running desktops are not touched");
	sync->connected = false;
	sync->listed = false;
	sync->sending = false;
	host_client_forget(sync->broker->host, sync);
	lifecycle_host_away(sync->broker);
}

static void host_changed(struct json_object *desktop, void *userdata)
{
	take_report(userdata, desktop);
}

static void image_progress(const char *name, uint32_t percent, void *userdata)
{
	struct broker *broker = ((struct host_sync *)userdata)->broker;

	if (broker->image_progress)
		broker->image_progress(name, percent, broker->image_userdata);
}

static const struct host_client_ops HOST_OPS = {
    .connected = host_connected,
    .disconnected = host_disconnected,
    .changed = host_changed,
    .image_progress = image_progress,
};

int sync_new(struct broker *broker, struct host_sync **ret)
{
	struct host_sync *sync = calloc(1, sizeof(*sync));
	char path[PATH_MAX];
	int r;

	if (!sync)
		return -ENOMEM;
	sync->broker = broker;
	r = fs_path(path, sizeof(path), "%s/host/host.sock", broker->runtime_dir);
	if (r >= 0)
		r = host_client_new(broker->event, path, &HOST_OPS, sync, &broker->host);
	if (r < 0) {
		free(sync);
		return r;
	}
	*ret = sync;
	return 0;
}

void sync_free(struct host_sync *sync)
{
	if (!sync)
		return;
	sd_event_source_disable_unref(sync->timer);
	free(sync);
}
