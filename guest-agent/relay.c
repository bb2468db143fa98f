/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "guest-agent/relay.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "guest-agent/port.h"
#include "guest-agent/vdagent_socket.h"

#include <errno.h>
#include <string.h>

#define TICK_MS 1000
#define HOST_USEC UINT64_C(10000000) /* how long a host may stop within a message */

/* Of one selection. */
struct side {
	bool grabbed; /* the user's session part has told the host of a text */
	bool asked;   /* the host waits for it */
	bool wanted;  /* the session part waits for the host's */
};

struct relay {
	struct loop *loop;
	struct port *port;
	struct vdagent_parser parser; /* of the host's bytes */
	uint64_t heard;               /* when the last of them came */
	struct watch *timer;
	uint32_t caps;               /* of the host and ours; 0: not known yet */
	struct vdagent_socket *user; /* NULL: none */
	uid_t uid;                   /* who may connect, and has */
	bool allowed;                /* anybody may */
	bool complained;             /* of a host that does not read */
	struct side sides[VDAGENT_SELECTIONS];
};

/* Takes the buffer's bytes over. r: how writing it went. */
static void send_buffer(struct relay *relay, struct vdagent_buffer *buffer, int r)
{
	if (r == 0)
		r = port_send(relay->port, (const char *)buffer->data, buffer->size);
	free(buffer->data);
	if (r < 0 && r != -ENOTCONN && !relay->complained) {
		log_warning("clipboard: messages to the host are dropped: %s", strerror(-r));
		relay->complained = true;
	}
}

static void announce(struct relay *relay, bool request)
{
	struct vdagent_buffer buffer = {0};
	int r = vdagent_write_announce(&buffer, request, CLIPBOARD_CAPS);

	send_buffer(relay, &buffer, r);
}

static bool can_share(const struct relay *relay, uint32_t selection)
{
	return (relay->caps & VDAGENT_CAP(CLIPBOARD_BY_DEMAND)) &&
	       (selection == VD_AGENT_CLIPBOARD_SELECTION_CLIPBOARD ||
		(relay->caps & VDAGENT_CAP(CLIPBOARD_SELECTION)));
}

static void to_host(struct relay *relay, uint32_t message, const struct vdagent_clipboard *what)
{
	struct vdagent_buffer buffer = {0};
	int r = vdagent_write_clipboard(&buffer, message, relay->caps, what);

	send_buffer(relay, &buffer, r);
}

static void to_user(struct relay *relay, uint32_t message, const struct vdagent_clipboard *what)
{
	vdagent_socket_clipboard(relay->user, message, relay->caps, what);
}

/* The host gets none from this guest. */
static void refuse_host(struct relay *relay, uint32_t selection)
{
	relay->sides[selection].asked = false;
	to_host(relay, VD_AGENT_CLIPBOARD,
		&(struct vdagent_clipboard){.selection = selection, .type = VD_AGENT_CLIPBOARD_NONE});
}

static void user_text(struct relay *relay, const struct vdagent_clipboard *text)
{
	if (!relay->sides[text->selection].asked)
		return;
	if (text->type != VD_AGENT_CLIPBOARD_UTF8_TEXT) {
		refuse_host(relay, text->selection);
		return;
	}
	relay->sides[text->selection].asked = false;
	to_host(relay, VD_AGENT_CLIPBOARD, text);
}

/* What is no text is none of the agent's messages. */
static void user_clipboard(struct relay *relay, uint32_t message, const struct vdagent_clipboard *what)
{
	struct side *side = &relay->sides[what->selection];

	if (message == VD_AGENT_CLIPBOARD) {
		user_text(relay, what);
		return;
	}
	if (message == VD_AGENT_CLIPBOARD_RELEASE)
		side->grabbed = false;
	else if (what->type != VD_AGENT_CLIPBOARD_UTF8_TEXT)
		return;
	else if (message == VD_AGENT_CLIPBOARD_GRAB)
		side->grabbed = true;
	else
		side->wanted = true;
	to_host(relay, message, what);
}

/* One that is too long: whose it was is not known any more. */
static void user_text_skipped(struct relay *relay)
{
	for (uint32_t i = 0; i < VDAGENT_SELECTIONS; i++)
		if (relay->sides[i].asked)
			refuse_host(relay, i);
}

static bool is_clipboard(uint32_t type)
{
	return type == VD_AGENT_CLIPBOARD || type == VD_AGENT_CLIPBOARD_GRAB || type == VD_AGENT_CLIPBOARD_REQUEST ||
	       type == VD_AGENT_CLIPBOARD_RELEASE;
}

static void on_user(const struct vdagent_message *message, void *userdata)
{
	struct relay *relay = userdata;
	struct vdagent_clipboard what;

	if (message->skipped && message->type == VD_AGENT_CLIPBOARD)
		user_text_skipped(relay);
	if (!is_clipboard(message->type) || vdagent_read_clipboard(message, relay->caps, &what) < 0 ||
	    !can_share(relay, what.selection))
		return;
	user_clipboard(relay, message->type, &what);
	/* Until the host has read it. */
	if (port_queued(relay->port) > 0)
		vdagent_socket_pause(relay->user, true);
}

/* Without its session part the guest has no text, and nobody who waits for one. */
static void user_close(struct relay *relay)
{
	if (!relay->user)
		return;
	vdagent_socket_free(steal_ptr(relay->user));
	for (uint32_t i = 0; i < VDAGENT_SELECTIONS; i++) {
		if (relay->sides[i].asked)
			refuse_host(relay, i);
		if (relay->sides[i].grabbed)
			to_host(relay, VD_AGENT_CLIPBOARD_RELEASE, &(struct vdagent_clipboard){.selection = i});
		relay->sides[i] = (struct side){0};
	}
}

static void on_user_closed(void *userdata)
{
	user_close(userdata);
}

static const struct vdagent_socket_ops user_ops = {.message = on_user, .closed = on_user_closed};

void relay_set_user(struct relay *relay, const uid_t *uid)
{
	if (!uid || !relay->allowed || relay->uid != *uid)
		user_close(relay);
	relay->allowed = uid != NULL;
	if (uid)
		relay->uid = *uid;
}

void relay_connect(struct relay *relay, int fd, uid_t uid)
{
	if (!relay->allowed || relay->uid != uid || relay->user || port_queued(relay->port) > 0) {
		close(fd);
		return;
	}
	if (vdagent_socket_new(relay->loop, fd, &user_ops, relay, &relay->user) < 0)
		return;
	/* Both ends begin anew with the host's answer: their counts of grabs, and what each of them holds. */
	announce(relay, true);
}

/* A new conversation: nothing of the former one counts. caps: of the host; 0: it has gone. */
static void host_begin(struct relay *relay, uint32_t caps)
{
	relay->caps = caps & CLIPBOARD_CAPS;
	memset(relay->sides, 0, sizeof(relay->sides));
	if (relay->user)
		vdagent_socket_announce(relay->user, relay->caps);
}

static void host_announce(struct relay *relay, const struct vdagent_message *message)
{
	bool request;
	uint32_t caps;

	if (vdagent_read_announce(message, &request, &caps) < 0)
		return;
	if (request)
		announce(relay, false);
	host_begin(relay, caps);
}

static void host_text(struct relay *relay, const struct vdagent_clipboard *text)
{
	if (!relay->sides[text->selection].wanted)
		return;
	relay->sides[text->selection].wanted = false;
	to_user(relay, VD_AGENT_CLIPBOARD, text);
}

/* Likewise. */
static void host_text_skipped(struct relay *relay)
{
	for (uint32_t i = 0; i < VDAGENT_SELECTIONS && relay->user; i++)
		host_text(relay, &(struct vdagent_clipboard){.selection = i, .type = VD_AGENT_CLIPBOARD_NONE});
}

static void host_clipboard(struct relay *relay, const struct vdagent_message *message)
{
	struct vdagent_clipboard what;

	if (message->skipped && message->type == VD_AGENT_CLIPBOARD)
		host_text_skipped(relay);
	if (vdagent_read_clipboard(message, relay->caps, &what) < 0 || !can_share(relay, what.selection))
		return;
	if (message->type == VD_AGENT_CLIPBOARD_REQUEST && !relay->user) {
		refuse_host(relay, what.selection);
	} else if (relay->user && message->type == VD_AGENT_CLIPBOARD) {
		host_text(relay, &what);
	} else if (relay->user) {
		relay->sides[what.selection].asked |= message->type == VD_AGENT_CLIPBOARD_REQUEST;
		to_user(relay, message->type, &what);
	}
}

static int on_data(const char *data, size_t size, void *userdata)
{
	struct relay *relay = userdata;
	size_t at = 0;

	relay->heard = clock_usec();
	while (at < size) {
		struct vdagent_message message;
		size_t used = 0;
		int r = vdagent_feed(&relay->parser, (const uint8_t *)data + at, size - at, &used, &message);

		if (r < 0)
			return r;
		if (r > 0 && message.type == VD_AGENT_ANNOUNCE_CAPABILITIES)
			host_announce(relay, &message);
		else if (r > 0 && is_clipboard(message.type))
			host_clipboard(relay, &message);
		at += used;
	}
	return 0;
}

/* A host that is replaced at once may not be seen to go; what the next one says would be taken for the rest of the
 * message. */
static void on_tick(uint32_t events, void *userdata)
{
	struct relay *relay = userdata;

	(void)events;
	if (!vdagent_unfinished(&relay->parser) || clock_usec() - relay->heard < HOST_USEC)
		return;
	log_info("clipboard: the host stopped within a message");
	vdagent_parser_reset(&relay->parser);
	host_begin(relay, 0);
	announce(relay, true);
}

static void on_connected(void *userdata)
{
	struct relay *relay = userdata;

	log_info("clipboard: the host is there");
	announce(relay, true);
}

static void on_drained(void *userdata)
{
	struct relay *relay = userdata;

	relay->complained = false;
	if (relay->user)
		vdagent_socket_pause(relay->user, false);
}

static void on_disconnected(void *userdata)
{
	struct relay *relay = userdata;

	log_info("clipboard: the host has gone");
	vdagent_parser_reset(&relay->parser);
	host_begin(relay, 0);
	on_drained(relay);
}

static const struct port_ops relay_port_ops = {
    .connected = on_connected,
    .disconnected = on_disconnected,
    .data = on_data,
    .drained = on_drained,
    .output_max = CLIPBOARD_QUEUE_MAX,
};

int relay_new(struct loop *loop, const char *port_path, struct relay **ret)
{
	struct relay *relay = calloc(1, sizeof(*relay));
	int r;

	if (!relay)
		return -ENOMEM;
	relay->loop = loop;
	vdagent_parser_init(&relay->parser, CLIPBOARD_TEXT_MAX);
	r = port_new(loop, VDAGENT_PORT, port_path, &relay_port_ops, relay, &relay->port);
	if (r == 0)
		r = loop_every(loop, TICK_MS, on_tick, relay, &relay->timer);
	if (r < 0) {
		relay_free(relay);
		return r;
	}
	*ret = relay;
	return 0;
}

void relay_free(struct relay *relay)
{
	if (!relay)
		return;
	watch_free(relay->timer);
	vdagent_socket_free(relay->user);
	port_free(relay->port);
	vdagent_parser_reset(&relay->parser);
	free(relay);
}
