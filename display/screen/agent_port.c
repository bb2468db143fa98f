/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/screen/agent_port.h"

#include "common/cleanup.h"
#include "common/fs.h"
#include "common/log.h"
#include "common/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_SIZE (64 * 1024)
#define STALL_USEC                                                                                                     \
	UINT64_C(10000000)    /* how long a guest may take nothing of what waits for it, or stop within a message */
#define QUEUE_ROOM (4u << 20) /* of waiting bytes, beside one text with CRLF line ends: headers, grabs */
#define QUEUE_SMALL ((size_t)64 * 1024) /* of waiting bytes above which answers without a text are dropped */
#define BUTTONS 0x7fu                   /* that the protocol knows, from VD_AGENT_LBUTTON_MASK up */
#define OUR_CAPS                                                                                                       \
	(VDAGENT_CAP(MOUSE_STATE) | VDAGENT_CAP(MONITORS_CONFIG) | VDAGENT_CAP(REPLY) |                                \
	 VDAGENT_CAP(CLIPBOARD_BY_DEMAND) | VDAGENT_CAP(CLIPBOARD_SELECTION) |                                         \
	 VDAGENT_CAP(CLIPBOARD_NO_RELEASE_ON_REGRAB) | VDAGENT_CAP(CLIPBOARD_GRAB_SERIAL))

struct agent_port {
	const struct agent_port_ops *ops;
	void *userdata;
	sd_event_source *io, *stall, *unfinished, *defer;
	int fd;
	struct vdagent_parser parser;
	struct vdagent_buffer out;
	bool up, ended;
	uint32_t caps; /* the agent's and ours */
	bool crlf;
	uint32_t serials[VDAGENT_SELECTIONS];
	uint32_t buttons; /* that the agent was told of */
	uint8_t buffer[READ_SIZE];
};

/* The loop tells: never from inside a call of our user's. */
static void port_end(struct agent_port *port, const char *why)
{
	if (port->ended)
		return;
	port->ended = true;
	log_info("the connection to the guest's vdagent ended: %s", why);
	sd_event_source_set_enabled(port->io, SD_EVENT_OFF);
	sd_event_source_set_enabled(port->stall, SD_EVENT_OFF);
	sd_event_source_set_enabled(port->unfinished, SD_EVENT_OFF);
	sd_event_source_set_enabled(port->defer, SD_EVENT_ONESHOT);
}

static int on_defer(sd_event_source *source, void *userdata)
{
	struct agent_port *port = userdata;

	(void)source;
	port->ops->lost(port->userdata);
	return 0;
}

/* QEMU does not tell that an agent was killed; the next one's first words would be taken for the rest of the message.
 */
static int on_unfinished(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	port_end(userdata, "it stopped within a message");
	return 0;
}

static int on_stall(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	port_end(userdata, "it takes nothing");
	return 0;
}

/* A text's memory is not kept until the next one. */
static void out_sent(struct agent_port *port)
{
	free(port->out.data);
	port->out = (struct vdagent_buffer){0};
	sd_event_source_set_io_events(port->io, EPOLLIN);
	sd_event_source_set_enabled(port->stall, SD_EVENT_OFF);
}

static void port_flush(struct agent_port *port)
{
	struct vdagent_buffer *out = &port->out;
	size_t before = out->at;

	while (!port->ended && out->at < out->size) {
		ssize_t n = send(port->fd, out->data + out->at, out->size - out->at, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n <= 0) {
			port_end(port, "it was closed");
			return;
		}
		out->at += (size_t)n;
	}
	if (out->at == out->size) {
		out_sent(port);
		return;
	}
	sd_event_source_set_io_events(port->io, EPOLLIN | EPOLLOUT);
	if (out->at != before || sd_event_source_get_enabled(port->stall, NULL) == 0) {
		sd_event_source_set_time_relative(port->stall, STALL_USEC);
		sd_event_source_set_enabled(port->stall, SD_EVENT_ONESHOT);
	}
}

/* r: how writing into `out` went. */
static void port_written(struct agent_port *port, int r)
{
	if (r < 0)
		port_end(port, strerror(-r));
	else if (port->out.size - port->out.at > 2 * port->parser.text_max + QUEUE_ROOM)
		port_end(port, "it takes nothing");
	else
		port_flush(port);
}

static bool port_has(const struct agent_port *port, uint32_t cap)
{
	return port && port->up && !port->ended && (port->caps & cap);
}

static bool port_can(const struct agent_port *port)
{
	return port_has(port, VDAGENT_CAP(CLIPBOARD_BY_DEMAND));
}

static void port_announce(struct agent_port *port, bool request)
{
	port_written(port, vdagent_write_announce(&port->out, request, OUR_CAPS));
}

/* An agent that asks begins anew, but may count its grabs on: spice-vdagentd does, whose session's part came anew,
 * until it is asked itself. What it answers is the beginning for both. */
static void heard_announce(struct agent_port *port, const struct vdagent_message *message)
{
	bool request;
	uint32_t caps;

	if (vdagent_read_announce(message, &request, &caps) < 0)
		return;
	port->up = !request;
	if (request) {
		port_announce(port, true);
		return;
	}
	port->caps = caps & OUR_CAPS;
	port->buttons = 0;
	port->crlf = (caps & VDAGENT_CAP(GUEST_LINEEND_CRLF)) != 0;
	memset(port->serials, 0, sizeof(port->serials));
	port->ops->up(port->userdata);
}

/* Both ends count grabs; of two that crossed, the host's counts. */
static bool grab_is_stale(struct agent_port *port, const struct vdagent_clipboard *grab)
{
	if (!(port->caps & VDAGENT_CAP(CLIPBOARD_GRAB_SERIAL)))
		return false;
	if (grab->serial != port->serials[grab->selection])
		return true;
	port->serials[grab->selection]++;
	return false;
}

/* A guest's bytes as a text with LF line ends and without NULs; the caller's, or NULL. */
static char *text_from_guest(const struct agent_port *port, const struct vdagent_clipboard *clipboard, size_t *ret_size)
{
	size_t size = clipboard->size, used = 0;
	char *text;

	while (size > 0 && clipboard->data[size - 1] == '\0')
		size--;
	text = malloc(size + 1);
	for (size_t i = 0; text && i < size; i++)
		if (!port->crlf || clipboard->data[i] != '\r' || i + 1 == size || clipboard->data[i + 1] != '\n')
			text[used++] = (char)clipboard->data[i];
	if (text)
		text_mend(text, used);
	*ret_size = used;
	return text;
}

static void heard_text(struct agent_port *port, const struct vdagent_clipboard *clipboard)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;

	if (clipboard->type == VD_AGENT_CLIPBOARD_UTF8_TEXT)
		text = text_from_guest(port, clipboard, &size);
	port->ops->text(clipboard->selection, text, size, port->userdata);
}

static void heard_clipboard(struct agent_port *port, const struct vdagent_message *message)
{
	struct vdagent_clipboard clipboard;
	bool good = vdagent_read_clipboard(message, port->caps, &clipboard) == 0;

	if (message->type == VD_AGENT_CLIPBOARD && message->skipped) {
		/* Which selection's is not known any more; only one is asked for at a time. */
		for (uint32_t i = 0; i < VDAGENT_SELECTIONS; i++)
			port->ops->text(i, NULL, port->parser.text_max + 1, port->userdata);
		return;
	}
	if (!good || !port_can(port))
		return;
	switch (message->type) {
	case VD_AGENT_CLIPBOARD_GRAB:
		if (!grab_is_stale(port, &clipboard))
			port->ops->grabbed(clipboard.selection, clipboard.type == VD_AGENT_CLIPBOARD_UTF8_TEXT,
					   port->userdata);
		break;
	case VD_AGENT_CLIPBOARD_RELEASE:
		port->ops->released(clipboard.selection, port->userdata);
		break;
	case VD_AGENT_CLIPBOARD_REQUEST:
		if (clipboard.type == VD_AGENT_CLIPBOARD_UTF8_TEXT)
			port->ops->requested(clipboard.selection, port->userdata);
		else
			agent_port_answer(port, clipboard.selection, NULL, 0);
		break;
	default:
		heard_text(port, &clipboard);
		break;
	}
}

static void heard(struct agent_port *port, const struct vdagent_message *message)
{
	switch (message->type) {
	case VD_AGENT_ANNOUNCE_CAPABILITIES:
		heard_announce(port, message);
		break;
	case VD_AGENT_CLIPBOARD_GRAB:
	case VD_AGENT_CLIPBOARD_RELEASE:
	case VD_AGENT_CLIPBOARD_REQUEST:
	case VD_AGENT_CLIPBOARD:
		heard_clipboard(port, message);
		break;
	default: /* answers to a MONITORS_CONFIG, files, volume: nobody asked */
		break;
	}
}

static void port_read(struct agent_port *port)
{
	ssize_t n = read(port->fd, port->buffer, sizeof(port->buffer));
	size_t at = 0;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		port_end(port, "it was closed");
		return;
	}
	while (at < (size_t)n && !port->ended) {
		struct vdagent_message message;
		size_t used = 0;
		int r = vdagent_feed(&port->parser, port->buffer + at, (size_t)n - at, &used, &message);

		at += used;
		if (r < 0)
			port_end(port, r == -EPROTO ? "it does not speak the vdagent protocol" : strerror(-r));
		else if (r > 0)
			heard(port, &message);
	}
	sd_event_source_set_time_relative(port->unfinished, STALL_USEC);
	sd_event_source_set_enabled(
	    port->unfinished, !port->ended && vdagent_unfinished(&port->parser) ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct agent_port *port = userdata;

	(void)source;
	(void)fd;
	if (events & EPOLLOUT)
		port_flush(port);
	if (!port->ended && (events & ~(uint32_t)EPOLLOUT))
		port_read(port);
	return 0;
}

static int port_start(struct agent_port *port, sd_event *event)
{
	int r = fd_set_nonblock(port->fd, 1);

	if (r >= 0)
		r = sd_event_add_io(event, &port->io, port->fd, EPOLLIN, on_io, port);
	if (r >= 0)
		r = sd_event_add_time_relative(event, &port->stall, CLOCK_MONOTONIC, 0, 0, on_stall, port);
	if (r >= 0)
		r = sd_event_source_set_enabled(port->stall, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_time_relative(event, &port->unfinished, CLOCK_MONOTONIC, 0, 0, on_unfinished, port);
	if (r >= 0)
		r = sd_event_source_set_enabled(port->unfinished, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_defer(event, &port->defer, on_defer, port);
	if (r >= 0)
		r = sd_event_source_set_enabled(port->defer, SD_EVENT_OFF);
	/* Pixels and input go first. */
	if (r >= 0)
		r = sd_event_source_set_priority(port->io, SD_EVENT_PRIORITY_NORMAL + 10);
	return r;
}

int agent_port_new(sd_event *event, int fd, size_t text_max, const struct agent_port_ops *ops, void *userdata,
		   struct agent_port **ret)
{
	struct agent_port *port = calloc(1, sizeof(*port));
	int r;

	if (!port) {
		close(fd);
		return -ENOMEM;
	}
	port->fd = fd;
	port->ops = ops;
	port->userdata = userdata;
	vdagent_parser_init(&port->parser, text_max);
	r = port_start(port, event);
	if (r < 0) {
		agent_port_free(port);
		return r;
	}
	/* An agent that runs answers; one that comes later announces itself. */
	port_announce(port, true);
	*ret = port;
	return 0;
}

void agent_port_free(struct agent_port *port)
{
	if (!port)
		return;
	sd_event_source_disable_unref(port->io);
	sd_event_source_disable_unref(port->stall);
	sd_event_source_disable_unref(port->unfinished);
	sd_event_source_disable_unref(port->defer);
	closep(&port->fd);
	vdagent_parser_reset(&port->parser);
	free(port->out.data);
	free(port);
}

void agent_port_set_text_max(struct agent_port *port, size_t text_max)
{
	if (port)
		port->parser.text_max = text_max;
}

static void send_clipboard(struct agent_port *port, uint32_t message, const struct vdagent_clipboard *what)
{
	port_written(port, vdagent_write_clipboard(&port->out, message, port->caps, what));
}

void agent_port_grab(struct agent_port *port, uint32_t selection)
{
	struct vdagent_clipboard grab = {.selection = selection, .type = VD_AGENT_CLIPBOARD_UTF8_TEXT};

	if (!port_can(port) || (selection && !(port->caps & VDAGENT_CAP(CLIPBOARD_SELECTION))))
		return;
	grab.serial = port->serials[selection]++;
	send_clipboard(port, VD_AGENT_CLIPBOARD_GRAB, &grab);
}

void agent_port_release(struct agent_port *port, uint32_t selection)
{
	const struct vdagent_clipboard release = {.selection = selection};

	if (port_can(port) && (!selection || (port->caps & VDAGENT_CAP(CLIPBOARD_SELECTION))))
		send_clipboard(port, VD_AGENT_CLIPBOARD_RELEASE, &release);
}

bool agent_port_request(struct agent_port *port, uint32_t selection)
{
	const struct vdagent_clipboard request = {.selection = selection, .type = VD_AGENT_CLIPBOARD_UTF8_TEXT};

	if (!port_can(port))
		return false;
	send_clipboard(port, VD_AGENT_CLIPBOARD_REQUEST, &request);
	return true;
}

/* LF to CRLF; the caller's, or NULL. */
static char *with_crlf(const char *data, size_t size, size_t *ret_size)
{
	size_t lines = 0, at = 0;
	char *text;

	for (size_t i = 0; i < size; i++)
		lines += data[i] == '\n';
	text = malloc(size + lines + 1);
	for (size_t i = 0; text && i < size; i++) {
		if (data[i] == '\n')
			text[at++] = '\r';
		text[at++] = data[i];
	}
	*ret_size = at;
	return text;
}

void agent_port_answer(struct agent_port *port, uint32_t selection, const char *data, size_t size)
{
	struct vdagent_clipboard what = {.selection = selection, .data = (const uint8_t *)data, .size = size};
	_cleanup_free_ char *converted = NULL;

	if (!port_can(port))
		return;
	/* One text at a time: a guest that asks faster than it reads gets nothing more. */
	if (port->out.size - port->out.at > QUEUE_SMALL)
		return;
	if (data && port->crlf) {
		converted = with_crlf(data, size, &what.size);
		what.data = (const uint8_t *)converted;
	}
	what.type = what.data ? VD_AGENT_CLIPBOARD_UTF8_TEXT : VD_AGENT_CLIPBOARD_NONE;
	if (!what.data)
		what.size = 0;
	send_clipboard(port, VD_AGENT_CLIPBOARD, &what);
}

bool agent_port_set_size(struct agent_port *port, uint32_t width, uint32_t height)
{
	if (!port_has(port, VDAGENT_CAP(MONITORS_CONFIG)))
		return false;
	port_written(port, vdagent_write_monitor(&port->out, width, height));
	return true;
}

bool agent_port_set_pointer(struct agent_port *port, uint32_t x, uint32_t y, uint32_t buttons)
{
	if (!port_has(port, VDAGENT_CAP(MOUSE_STATE)))
		return false;
	if (buttons == port->buttons && port->out.size - port->out.at > QUEUE_SMALL)
		return true;
	port->buttons = buttons;
	port_written(port, vdagent_write_mouse(&port->out, x, y, (buttons & BUTTONS) * VD_AGENT_LBUTTON_MASK));
	return true;
}
