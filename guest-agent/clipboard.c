/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "guest-agent/clipboard.h"

#include "common/cleanup.h"
#include "guest-agent/root_socket.h"
#include "guest-agent/selection.h"
#include "guest-agent/vdagent_socket.h"

#include <errno.h>

#define RETRY_MS 1000

struct side {
	uint32_t serial; /* of the next grab of either end */
	bool held;       /* a program of the session has a text */
	bool said;       /* and the host knows */
	bool asked;      /* the host wants it */
};

struct clipboard {
	struct loop *loop;
	const char *socket_path;
	struct watch *timer;
	struct vdagent_socket *root; /* NULL: not there */
	struct selections *selections;
	uint32_t caps; /* of the host and ours; 0: nobody to share with */
	struct side sides[SELECTION_COUNT];
};

static bool can_share(const struct clipboard *clipboard, uint32_t which)
{
	return clipboard->root && (clipboard->caps & VDAGENT_CAP(CLIPBOARD_BY_DEMAND)) &&
	       (which == SELECTION_CLIPBOARD || (clipboard->caps & VDAGENT_CAP(CLIPBOARD_SELECTION)));
}

static void say(struct clipboard *clipboard, uint32_t message, const struct vdagent_clipboard *what)
{
	vdagent_socket_clipboard(clipboard->root, message, clipboard->caps, what);
}

static void say_grab(struct clipboard *clipboard, uint32_t which)
{
	struct side *side = &clipboard->sides[which];

	if (!side->held || !can_share(clipboard, which))
		return;
	say(clipboard, VD_AGENT_CLIPBOARD_GRAB,
	    &(struct vdagent_clipboard){
		.selection = which, .serial = side->serial++, .type = VD_AGENT_CLIPBOARD_UTF8_TEXT});
	side->said = true;
}

/* text NULL: there is none. */
static void say_text(struct clipboard *clipboard, uint32_t which, const char *text, size_t size)
{
	clipboard->sides[which].asked = false;
	say(clipboard, VD_AGENT_CLIPBOARD,
	    &(struct vdagent_clipboard){.selection = which,
					.type = text ? VD_AGENT_CLIPBOARD_UTF8_TEXT : VD_AGENT_CLIPBOARD_NONE,
					.data = (const uint8_t *)text,
					.size = size});
}

static void on_held(enum selection which, bool held, void *userdata)
{
	struct clipboard *clipboard = userdata;
	struct side *side = &clipboard->sides[which];

	side->held = held;
	if (held) {
		say_grab(clipboard, which);
	} else if (side->said && can_share(clipboard, which)) {
		say(clipboard, VD_AGENT_CLIPBOARD_RELEASE, &(struct vdagent_clipboard){.selection = which});
		side->said = false;
	}
}

static void on_fetched(enum selection which, const char *text, size_t size, void *userdata)
{
	struct clipboard *clipboard = userdata;

	if (clipboard->sides[which].asked && can_share(clipboard, which))
		say_text(clipboard, which, text, size);
}

static void on_wanted(enum selection which, void *userdata)
{
	struct clipboard *clipboard = userdata;

	if (can_share(clipboard, which))
		say(clipboard, VD_AGENT_CLIPBOARD_REQUEST,
		    &(struct vdagent_clipboard){.selection = which, .type = VD_AGENT_CLIPBOARD_UTF8_TEXT});
	else
		selection_give(clipboard->selections, which, NULL, 0);
}

static void on_lost(void *userdata)
{
	struct clipboard *clipboard = userdata;

	loop_stop(clipboard->loop);
}

static const struct selections_ops selections_ops = {
    .held = on_held, .fetched = on_fetched, .wanted = on_wanted, .lost = on_lost};

/* Nothing that was said before counts any more. caps: what can be said from now on. */
static void begin(struct clipboard *clipboard, uint32_t caps)
{
	clipboard->caps = caps & CLIPBOARD_CAPS;
	for (int i = 0; i < SELECTION_COUNT; i++) {
		struct side *side = &clipboard->sides[i];

		*side = (struct side){.held = side->held};
		selection_disown(clipboard->selections, (enum selection)i);
		say_grab(clipboard, (uint32_t)i);
	}
}

static void heard_announce(struct clipboard *clipboard, const struct vdagent_message *message)
{
	bool request;
	uint32_t caps;

	if (vdagent_read_announce(message, &request, &caps) == 0)
		begin(clipboard, caps);
}

/* Both ends count grabs. Of two that crossed the host's counts; others that do not fit are of a former time. */
static bool grab_counts(const struct clipboard *clipboard, struct side *side, uint32_t serial)
{
	if (!(clipboard->caps & VDAGENT_CAP(CLIPBOARD_GRAB_SERIAL)))
		return true;
	if (serial == side->serial)
		side->serial++;
	return serial + 1 == side->serial;
}

static void heard_grab(struct clipboard *clipboard, const struct vdagent_clipboard *grab)
{
	struct side *side = &clipboard->sides[grab->selection];

	if (!grab_counts(clipboard, side, grab->serial))
		return;
	if (grab->type == VD_AGENT_CLIPBOARD_UTF8_TEXT) {
		selection_own(clipboard->selections, (enum selection)grab->selection);
		side->held = false;
	} else {
		selection_disown(clipboard->selections, (enum selection)grab->selection);
	}
	side->said = false;
}

static void heard_request(struct clipboard *clipboard, const struct vdagent_clipboard *request)
{
	clipboard->sides[request->selection].asked = true;
	if (request->type != VD_AGENT_CLIPBOARD_UTF8_TEXT ||
	    !selection_fetch(clipboard->selections, (enum selection)request->selection))
		say_text(clipboard, request->selection, NULL, 0);
}

static void heard_text(struct clipboard *clipboard, const struct vdagent_clipboard *text)
{
	bool good = text->type == VD_AGENT_CLIPBOARD_UTF8_TEXT;

	selection_give(clipboard->selections, (enum selection)text->selection, good ? (const char *)text->data : NULL,
		       text->size);
}

static void heard_clipboard(struct clipboard *clipboard, const struct vdagent_message *message)
{
	struct vdagent_clipboard what;

	if (vdagent_read_clipboard(message, clipboard->caps, &what) < 0 || !can_share(clipboard, what.selection))
		return;
	switch (message->type) {
	case VD_AGENT_CLIPBOARD_GRAB:
		heard_grab(clipboard, &what);
		break;
	case VD_AGENT_CLIPBOARD_REQUEST:
		heard_request(clipboard, &what);
		break;
	case VD_AGENT_CLIPBOARD:
		heard_text(clipboard, &what);
		break;
	case VD_AGENT_CLIPBOARD_RELEASE:
		selection_disown(clipboard->selections, (enum selection)what.selection);
		break;
	default:
		break;
	}
}

static void on_message(const struct vdagent_message *message, void *userdata)
{
	if (message->type == VD_AGENT_ANNOUNCE_CAPABILITIES)
		heard_announce(userdata, message);
	else
		heard_clipboard(userdata, message);
}

static void on_closed(void *userdata)
{
	struct clipboard *clipboard = userdata;

	vdagent_socket_free(steal_ptr(clipboard->root));
	begin(clipboard, 0);
}

static const struct vdagent_socket_ops root_ops = {.message = on_message, .closed = on_closed};

/* Nothing more is said until the root part has announced the host. */
static void connect_root(struct clipboard *clipboard)
{
	_cleanup_close_ int fd = root_connect(clipboard->socket_path);

	if (fd >= 0 && root_say(fd, "clipboard") == 0)
		vdagent_socket_new(clipboard->loop, steal_fd(&fd), &root_ops, clipboard, &clipboard->root);
}

static void on_timer(uint32_t events, void *userdata)
{
	struct clipboard *clipboard = userdata;

	(void)events;
	if (!clipboard->root)
		connect_root(clipboard);
}

int clipboard_new(struct loop *loop, const char *socket_path, struct clipboard **ret)
{
	struct clipboard *clipboard = calloc(1, sizeof(*clipboard));
	int r;

	if (!clipboard)
		return -ENOMEM;
	*clipboard = (struct clipboard){.loop = loop, .socket_path = socket_path};
	r = selections_new(loop, CLIPBOARD_TEXT_MAX, &selections_ops, clipboard, &clipboard->selections);
	if (r == 0)
		r = loop_every(loop, RETRY_MS, on_timer, clipboard, &clipboard->timer);
	if (r < 0) {
		clipboard_free(clipboard);
		return r;
	}
	connect_root(clipboard);
	*ret = clipboard;
	return 0;
}

void clipboard_free(struct clipboard *clipboard)
{
	if (!clipboard)
		return;
	watch_free(clipboard->timer);
	vdagent_socket_free(clipboard->root);
	selections_free(clipboard->selections);
	free(clipboard);
}
