/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "guest-agent/link.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "guest-agent/codec.h"
#include "guest-agent/port.h"

#include <errno.h>
#include <string.h>

#define LINK_HEARTBEAT_MS 5000

struct host_link {
	struct port *port;
	struct watch *heartbeat;
	struct lines lines;
	bool ready;
	bool complained; /* about a version of the host's; once a connection */
};

static void link_send(struct host_link *link, const struct message *message)
{
	_cleanup_free_ char *line = NULL;
	size_t size;
	int r = message_write(message, link->ready, &line, &size);

	if (r == 0)
		r = port_send(link->port, line, size);
	if (r < 0 && r != -ENOTCONN)
		log_warning("host: a message was dropped: %s", strerror(-r));
}

static void link_hello(struct host_link *link, const char *nonce)
{
	struct message hello = {.type = MESSAGE_HELLO, .version = AGENT_PROTOCOL_VERSION};

	memcpy(hello.nonce, nonce, strlen(nonce) + 1);
	link_send(link, &hello);
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

static void on_line(const char *line, size_t size, void *userdata)
{
	struct host_link *link = userdata;
	struct message message;

	if (message_parse(line, size, &message) < 0) {
		log_debug("host: a line of %zu bytes is not understood", size);
		return;
	}
	switch (message.type) {
	case MESSAGE_HELLO:
		link_on_hello(link, &message);
		break;
	case MESSAGE_READY:
	case MESSAGE_HEARTBEAT:
	case MESSAGE_SESSION:
	case MESSAGE_UNKNOWN:
		break;
	}
}

static void on_data(const char *data, size_t size, void *userdata)
{
	struct host_link *link = userdata;

	if (lines_feed(&link->lines, data, size, on_line, link) < 0)
		lines_reset(&link->lines);
}

static void on_heartbeat(uint32_t events, void *userdata)
{
	(void)events;
	link_send(userdata, &(struct message){.type = MESSAGE_HEARTBEAT});
}

static const struct port_ops link_port_ops = {
    .connected = on_connected,
    .disconnected = on_disconnected,
    .data = on_data,
};

int link_new(struct loop *loop, const char *port_path, struct host_link **ret)
{
	_cleanup_(link_freep) struct host_link *link = calloc(1, sizeof(*link));
	int r;

	if (!link)
		return -ENOMEM;
	r = loop_every(loop, LINK_HEARTBEAT_MS, on_heartbeat, link, &link->heartbeat);
	if (r < 0)
		return r;
	r = port_new(loop, LINK_PORT_NAME, port_path, &link_port_ops, link, &link->port);
	if (r < 0)
		return r;
	*ret = steal_ptr(link);
	return 0;
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

void link_freep(struct host_link **link)
{
	link_free(*link);
}

void link_set_ready(struct host_link *link, bool ready)
{
	if (link->ready == ready)
		return;
	link->ready = ready;
	if (ready)
		link_send(link, &(struct message){.type = MESSAGE_READY});
}
