/* SPDX-License-Identifier: GPL-3.0-or-later */
/* status and host show. */
#include "broker/admin_call.h"
#include "broker/admin_json.h"
#include "broker/admin_probe.h"

#include <errno.h>
#include <string.h>

static void count_state(struct json_object *states, const char *state)
{
	struct json_object *number = NULL;
	int64_t count = json_object_object_get_ex(states, state, &number) ? json_object_get_int64(number) : 0;

	json_add_number(states, state, count + 1);
}

static struct json_object *desktops_json(struct broker *broker, const struct desktop_row *rows, size_t n)
{
	struct json_object *object = json_object_new_object(), *states = json_object_new_object();
	int64_t spares = 0;

	if (!object || !states) {
		json_object_put(object);
		json_object_put(states);
		return NULL;
	}
	for (size_t i = 0; i < n; i++) {
		struct desktop_view view = {.state = "unknown"};

		(void)broker_desktop_view(broker, rows[i].id, &view);
		count_state(states, view.state);
		spares += rows[i].owner[0] == '\0';
	}
	json_add_number(object, "total", (int64_t)n);
	json_add_number(object, "spares", spares);
	json_add(object, "states", states);
	return object;
}

static struct json_object *pools_json(const struct pool *pools, size_t n_pools, const struct desktop_row *rows,
				      size_t n)
{
	struct json_object *list = json_object_new_array();

	for (size_t p = 0; list && p < n_pools; p++) {
		struct json_object *object = json_object_new_object();
		int64_t desktops = 0, spares = 0;

		if (!object)
			break;
		for (size_t i = 0; i < n; i++) {
			bool here = strcmp(rows[i].pool, pools[p].name) == 0;

			desktops += here;
			spares += here && rows[i].owner[0] == '\0';
		}
		json_add_text(object, "name", pools[p].name);
		json_add_number(object, "desktops", desktops);
		json_add_number(object, "spares", spares);
		json_add_number(object, "max", pools[p].max);
		json_append(list, object);
	}
	return list;
}

static struct json_object *programs_json(struct broker *broker, bool host)
{
	const struct conf *conf = broker_conf(broker);
	const char *runtime = conf_string(conf, CONF_RUNTIME_DIR);
	struct json_object *object = json_object_new_object();

	if (!object)
		return NULL;
	json_add_bool(object, "broker", true);
	json_add_bool(object, "host", host);
	json_add_bool(object, "spawn", admin_probe_socket(runtime, "spawn/spawn.sock", SOCK_SEQPACKET));
	json_add_bool(object, "auth", admin_probe_socket(runtime, "auth/auth.sock", SOCK_STREAM));
	json_add_bool(object, "gate", admin_probe_gate(runtime, conf_string(conf, CONF_GATE_LISTEN)));
	return object;
}

int admin_status(struct admin_call *call, struct error *err)
{
	_cleanup_free_ struct desktop_row *rows = NULL;
	_cleanup_free_ struct pool *pools = NULL;
	struct store *store = broker_store(call->broker);
	struct broker_status status = {0};
	struct json_object *object;
	size_t n = 0, n_pools = 0;
	int r = store_desktops(store, NULL, &rows, &n);

	if (r == 0)
		r = store_pools(store, &pools, &n_pools);
	if (r < 0)
		return admin_store_error(call, r, err);
	broker_status(call->broker, &status);
	object = json_object_new_object();
	if (object) {
		json_add_text(object, "version", HOTDESK_VERSION);
		json_add(object, "programs", programs_json(call->broker, status.host));
		json_add(object, "desktops", desktops_json(call->broker, rows, n));
		json_add(object, "pools", pools_json(pools, n_pools, rows, n));
		json_add_number(object, "sessions", status.sessions);
		json_add_number(object, "viewers", status.viewers);
		json_add_number(object, "logins", status.logins);
	}
	admin_reply(call, object);
	return 0;
}

static void host_shown(int r, struct json_object *json, int fd, const struct error *err, void *userdata)
{
	(void)fd;
	if (r < 0)
		admin_fail(userdata, err);
	else
		admin_reply(userdata, json_object_get(json));
}

int admin_host_show(struct admin_call *call, struct error *err)
{
	int r = host_client_show(broker_host(call->broker), host_shown, call);

	return r < 0 ? admin_host_error(r, err) : 0;
}
