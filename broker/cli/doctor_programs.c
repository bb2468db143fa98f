/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who serves, and whether they speak this release's language. */
#include "auth/auth_api.h"
#include "broker/admin_json.h"
#include "broker/admin_probe.h"
#include "broker/broker_api.h"
#include "broker/cli/doctor.h"
#include "broker/cli/request.h"
#include "common/bus.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/user.h"
#include "host/host_api.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#define HELLO_USEC (5 * UINT64_C(1000000))
#define START "start it by `systemctl start`, or hotdesk-starter where there is no systemd"

static const struct speaker {
	const char *name, *socket, *path, *interface;
	uint32_t version;
} speakers[] = {
    /* auth first: the others are what has to answer for the questions behind. */
    {"auth", "auth/auth.sock", AUTH_API_PATH, AUTH_API_INTERFACE, AUTH_API_VERSION},
    {"host", "host/host.sock", HOST_API_PATH, HOST_API_INTERFACE, HOST_API_VERSION},
    {"broker", "broker/admin.sock", BROKER_API_PATH, BROKER_API_INTERFACE, BROKER_API_VERSION},
};

struct hello {
	sd_event *event;
	int result;
	struct error err;
};

static void said(int r, const struct error *err, void *userdata)
{
	struct hello *hello = userdata;

	hello->result = r;
	if (err)
		hello->err = *err;
	(void)sd_event_exit(hello->event, 0);
}

static int too_late(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct hello *hello = userdata;

	(void)source;
	(void)usec;
	return sd_event_exit(hello->event, 0);
}

static int gone(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	struct hello *hello = userdata;

	(void)message;
	(void)ret_error;
	hello->result = -ECONNRESET;
	return sd_event_exit(hello->event, 0);
}

/* 0: it answers with our version. */
static int ask_hello(const char *socket, const struct speaker *speaker, struct error *ret)
{
	struct hello hello = {.result = -ETIMEDOUT};
	sd_bus *bus = NULL;
	int r = sd_event_new(&hello.event);

	if (r >= 0)
		r = bus_connect(hello.event, socket, &bus);
	/* Else the loop's end would wait for a peer that hangs. */
	if (r >= 0)
		r = sd_bus_set_close_on_exit(bus, 0);
	if (r >= 0)
		r = bus_on_disconnect(bus, gone, &hello, NULL);
	if (r >= 0)
		r = bus_hello(bus, speaker->path, speaker->interface, speaker->version, said, &hello);
	if (r >= 0)
		r = sd_event_add_time_relative(hello.event, NULL, CLOCK_MONOTONIC, HELLO_USEC, 0, too_late, &hello);
	if (r >= 0)
		r = sd_event_loop(hello.event);
	sd_bus_close_unref(bus);
	sd_event_unref(hello.event);
	*ret = hello.err;
	return r < 0 ? r : hello.result;
}

/* Every socket takes a connection; the programs end it for others than these. */
static bool may_ask(const struct doctor *doctor)
{
	uid_t broker;

	return geteuid() == 0 ||
	       (user_resolve(conf_string(doctor->conf, CONF_RUN_BROKER), &broker, NULL) == 0 && geteuid() == broker);
}

static void judge(struct doctor *doctor, const char *name, int r, const struct error *err)
{
	if (r == 0)
		findings_add(doctor->findings, FINDING_OK, "programs", NULL, "hotdesk-%s answers", name);
	else if (r == -EPROTO)
		findings_add(doctor->findings, FINDING_PROBLEM, "programs", "restart all of one release",
			     "hotdesk-%s: %s", name, err->text);
	else if (r == -ENOENT || r == -ECONNREFUSED)
		findings_add(doctor->findings, FINDING_PROBLEM, "programs", START, "hotdesk-%s does not run", name);
	else if (!may_ask(doctor))
		findings_add(doctor->findings, FINDING_NOTE, "programs", "run it as root",
			     "hotdesk-%s may not be asked by this user", name);
	else
		findings_add(doctor->findings, FINDING_PROBLEM, "programs", "see its log; restart it",
			     "hotdesk-%s does not answer: %s", name, strerror(-r));
}

/* For those without a Hello: that they take a connection. */
static void judge_listening(struct doctor *doctor, const char *name, bool listens)
{
	judge(doctor, name, listens ? 0 : -ECONNREFUSED, NULL);
}

static void ask_host(struct doctor *doctor)
{
	struct json_object *arguments = json_object_new_object();
	_cleanup_free_ char *reply = NULL;
	struct error err = {0};

	if (request_run(doctor->conf, admin_find("host", "show"), arguments, &reply, &err) == 0)
		doctor->host = json_tokener_parse(reply);
	else
		findings_add(doctor->findings, FINDING_PROBLEM, "programs", "see the logs of both",
			     "hotdesk-broker cannot ask hotdesk-host: %s", err.text);
	json_object_put(arguments);
}

void doctor_programs(struct doctor *doctor)
{
	const char *runtime = conf_string(doctor->conf, CONF_RUNTIME_DIR);
	size_t n = sizeof(speakers) / sizeof(speakers[0]), answered = 0;

	for (size_t i = 0; i < n; i++) {
		struct error err = {0};
		char path[PATH_MAX];
		int r = fs_path(path, sizeof(path), "%s/%s", runtime, speakers[i].socket);

		if (r == 0)
			r = ask_hello(path, &speakers[i], &err);
		judge(doctor, speakers[i].name, r, &err);
		answered += r == 0 && i > 0;
	}
	judge_listening(doctor, "spawn", admin_probe_socket(runtime, "spawn/spawn.sock", SOCK_SEQPACKET));
	judge_listening(doctor, "gate", admin_probe_gate(runtime, conf_string(doctor->conf, CONF_GATE_LISTEN)));
	if (answered == n - 1)
		ask_host(doctor);
}
