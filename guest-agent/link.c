/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "guest-agent/link.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "guest-agent/port.h"

#include <errno.h>
#include <string.h>

#define LINK_HEARTBEAT_MS 5000
#define LINK_OUTPUT_MAX ((size_t)256 * 1024)

struct host_link {
	struct port *port;
	struct watch *heartbeat;
	struct lines lines;
	const struct link_ops *ops;
	void *userdata;
	bool complained; /* about a version of the host's; once a connection */
};

/* Takes the line over. */
static void link_send(struct host_link *link, char *taken)
{
	_cleanup_free_ char *line = taken;
	int r = line ? port_send(link->port, line, strlen(line)) : -ENOMEM;

	if (r < 0 && r != -ENOTCONN)
		log_warning("host: a message was dropped: %s", strerror(-r));
}

static void link_hello(struct host_link *link, const char *nonce)
{
	struct hello hello = {0};

	link->ops->hello(&hello, link->userdata);
	hello.nonce = nonce;
	link_send(link, words_hello(&hello));
}

static void on_connected(void *userdata)
{
	struct host_link *link = userdata;

	lines_reset(&link->lines);
	link->complained = false;
	log_info("host: connected");
	link_hello(link, "");
}

static void on_disconnected(void *userdata)
{
	struct host_link *link = userdata;

	lines_reset(&link->lines);
	log_info("host: disconnected");
}

/* The host's hello is answered with its nonce, whatever was said before: so a restarted host knows what is new. */
static void link_on_hello(struct host_link *link, const struct message *hello)
{
	if (hello->version != AGENT_PROTOCOL_VERSION && !link->complained) {
		log_warning("host: speaks version %u of the agent's protocol, this agent %u; install the agent of the "
			    "host's release",
			    hello->version, AGENT_PROTOCOL_VERSION);
		link->complained = true;
	}
	link_hello(link, hello->nonce);
}

static void link_on_request(struct host_link *link, const struct message *request, int r)
{
	if (request->id == 0)
		log_debug("host: a message that is not understood");
	else if (r < 0)
		link_result(link, request->id, "the request is not well-formed");
	else if (request->type == MESSAGE_UNKNOWN)
		link_result(link, request->id, "not supported");
	else
		link->ops->request(request, link->userdata);
}

static void on_line(const char *line, size_t size, void *userdata)
{
	struct host_link *link = userdata;
	struct message message;
	int r = message_parse(line, size, &message);

	if (message.type == MESSAGE_HELLO && r == 0)
		link_on_hello(link, &message);
	else
		link_on_request(link, &message, r);
}

static int on_data(const char *data, size_t size, void *userdata)
{
	struct host_link *link = userdata;

	if (lines_feed(&link->lines, data, size, on_line, link) < 0)
		lines_reset(&link->lines);
	return 0;
}

static void on_heartbeat(uint32_t events, void *userdata)
{
	(void)events;
	link_send(userdata, words_plain("heartbeat"));
}

static const struct port_ops link_port_ops = {
    .connected = on_connected,
    .disconnected = on_disconnected,
    .data = on_data,
    .output_max = LINK_OUTPUT_MAX,
};

int link_new(struct loop *loop, const char *port_path, const struct link_ops *ops, void *userdata,
	     struct host_link **ret)
{
	struct host_link *link = calloc(1, sizeof(*link));
	int r;

	if (!link)
		return -ENOMEM;
	link->ops = ops;
	link->userdata = userdata;
	*ret = link; /* before the port: requests may lie there already, and their answers go through it */
	r = loop_every(loop, LINK_HEARTBEAT_MS, on_heartbeat, link, &link->heartbeat);
	if (r == 0)
		r = port_new(loop, LINK_PORT_NAME, port_path, &link_port_ops, link, &link->port);
	if (r < 0) {
		link_free(link);
		*ret = NULL;
	}
	return r;
}

void link_free(struct host_link *link)
{
	if (!link)
		return;
	port_free(link->port);
	watch_free(link->heartbeat);
	lines_clear(&link->lines);
	free(link);
}

void link_ready(struct host_link *link)
{
	link_send(link, words_plain("ready"));
}

void link_session(struct host_link *link, const struct session_info *session)
{
	link_send(link, words_session(session));
}

void link_leaving(struct host_link *link, const char *how)
{
	link_send(link, words_leaving(how));
}

void link_result(struct host_link *link, uint32_t id, const char *error)
{
	link_send(link, words_result(id, error));
}
