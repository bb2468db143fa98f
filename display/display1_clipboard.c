/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/display1_clipboard.h"

#include "display/display1.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NOTICES_MAX 8
#define ANSWER_USEC UINT64_C(10000000)

struct display1_clipboard {
	sd_bus *bus;
	const struct display1_clipboard_ops *ops;
	void *userdata;
	bool screen;
	sd_bus_slot *vtable, *own_vtable, *registering, *telling, *asking;
	sd_bus_message *waiting; /* its Request */
	bool registered, holds;
	bool offered, due; /* to be told */
	uint32_t serial;   /* the highest of both sides */
	const char *notices[NOTICES_MAX];
};

static void peer_pump(struct display1_clipboard *peer);

static int told(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	struct display1_clipboard *peer = userdata;

	(void)reply;
	(void)ret_error;
	peer->telling = sd_bus_slot_unref(peer->telling);
	peer_pump(peer);
	return 0;
}

static void peer_pump(struct display1_clipboard *peer)
{
	int r;

	if (!peer->registered || !peer->due || peer->telling)
		return;
	peer->due = false;
	if (peer->offered)
		r = sd_bus_call_method_async(peer->bus, &peer->telling, NULL, DISPLAY1_CLIPBOARD_PATH,
					     DISPLAY1_CLIPBOARD, "Grab", told, peer, "uuas",
					     DISPLAY1_SELECTION_CLIPBOARD, ++peer->serial, 1, DISPLAY1_MIME_TEXT);
	else
		r = sd_bus_call_method_async(peer->bus, &peer->telling, NULL, DISPLAY1_CLIPBOARD_PATH,
					     DISPLAY1_CLIPBOARD, "Release", told, peer, "u",
					     DISPLAY1_SELECTION_CLIPBOARD);
	if (r < 0)
		peer->registered = false;
}

void display1_clipboard_offer(struct display1_clipboard *peer, bool offered)
{
	if (!offered && !peer->offered)
		return;
	peer->offered = offered;
	peer->holds = peer->holds && !offered;
	peer->due = true;
	peer_pump(peer);
}

static int answered(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	struct display1_clipboard *peer = userdata;
	const void *data = NULL;
	const char *mime;
	size_t size = 0;
	int r = sd_bus_message_is_method_error(reply, NULL) ? -EIO : sd_bus_message_read(reply, "s", &mime);

	(void)ret_error;
	peer->asking = sd_bus_slot_unref(peer->asking);
	if (r >= 0)
		r = sd_bus_message_read_array(reply, 'y', &data, &size);
	if (r < 0)
		peer->ops->text(peer, NULL, 0, peer->userdata);
	else
		peer->ops->text(peer, data ? data : "", size, peer->userdata);
	return 0;
}

int display1_clipboard_request(struct display1_clipboard *peer)
{
	sd_bus_message *call = NULL;
	int r;

	if (peer->asking)
		return 0;
	r = sd_bus_message_new_method_call(peer->bus, &call, NULL, DISPLAY1_CLIPBOARD_PATH, DISPLAY1_CLIPBOARD,
					   "Request");
	if (r >= 0)
		r = sd_bus_message_append(call, "uas", DISPLAY1_SELECTION_CLIPBOARD, 1, DISPLAY1_MIME_TEXT);
	if (r >= 0)
		r = sd_bus_call_async(peer->bus, &peer->asking, call, answered, peer, ANSWER_USEC);
	sd_bus_message_unref(call);
	return r;
}

static int reply_text(sd_bus_message *call, const char *data, size_t size)
{
	sd_bus_message *reply = NULL;
	int r = sd_bus_message_new_method_return(call, &reply);

	if (r >= 0)
		r = sd_bus_message_append(reply, "s", DISPLAY1_MIME_TEXT);
	if (r >= 0)
		r = sd_bus_message_append_array(reply, 'y', data, size);
	if (r >= 0)
		r = sd_bus_send(NULL, reply, NULL);
	sd_bus_message_unref(reply);
	return r;
}

void display1_clipboard_answer(struct display1_clipboard *peer, const char *data, size_t size)
{
	if (!peer->waiting)
		return;
	if (!data || reply_text(peer->waiting, data, size) < 0)
		sd_bus_reply_method_errorf(peer->waiting, SD_BUS_ERROR_FAILED, "there is no text");
	peer->waiting = sd_bus_message_unref(peer->waiting);
}

void display1_clipboard_notice(struct display1_clipboard *peer, const char *sentence)
{
	sd_bus_message *call = NULL;
	size_t i = 0;
	int r;

	while (i < NOTICES_MAX && peer->notices[i] && peer->notices[i] != sentence)
		i++;
	if (!peer->registered || i == NOTICES_MAX || peer->notices[i])
		return;
	peer->notices[i] = sentence;
	r = sd_bus_message_new_method_call(peer->bus, &call, NULL, DISPLAY1_CLIPBOARD_PATH, CLIPBOARD1, "Notice");
	if (r >= 0)
		r = sd_bus_message_append(call, "s", sentence);
	if (r >= 0)
		r = sd_bus_message_set_expect_reply(call, 0);
	if (r >= 0)
		sd_bus_send(peer->bus, call, NULL);
	sd_bus_message_unref(call);
}

bool display1_clipboard_holds(const struct display1_clipboard *peer)
{
	return peer->holds;
}

static int method_register(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	struct display1_clipboard *peer = userdata;

	(void)ret_error;
	peer->registered = true;
	if (peer->ops->registered)
		peer->ops->registered(peer, peer->userdata);
	return sd_bus_reply_method_return(message, NULL);
}

static void peer_released(struct display1_clipboard *peer)
{
	if (!peer->holds)
		return;
	peer->holds = false;
	peer->ops->released(peer, peer->userdata);
}

static int method_unregister(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	struct display1_clipboard *peer = userdata;

	(void)ret_error;
	peer->registered = false;
	peer_released(peer);
	return sd_bus_reply_method_return(message, NULL);
}

/* Whether the message's array of types, which comes next, names text. */
static int read_types(sd_bus_message *message, bool *ret)
{
	const char *type;
	int r = sd_bus_message_enter_container(message, 'a', "s");

	*ret = false;
	while (r >= 0 && (r = sd_bus_message_read(message, "s", &type)) > 0)
		*ret = *ret || strcmp(type, DISPLAY1_MIME_TEXT) == 0;
	return r < 0 ? r : sd_bus_message_exit_container(message);
}

static int method_grab(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	struct display1_clipboard *peer = userdata;
	uint32_t selection, serial;
	bool text;
	int r = sd_bus_message_read(message, "uu", &selection, &serial);

	(void)ret_error;
	if (r >= 0)
		r = read_types(message, &text);
	if (r < 0)
		return r;
	/* Of two that crossed, screen's counts. */
	if (selection == DISPLAY1_SELECTION_CLIPBOARD &&
	    (serial > peer->serial || (!peer->screen && serial == peer->serial))) {
		peer->serial = serial;
		peer->offered = peer->due = false;
		if (text) {
			peer->holds = true;
			r = peer->ops->grabbed(peer, peer->userdata);
		} else {
			peer_released(peer);
		}
	}
	return r < 0 ? r : sd_bus_reply_method_return(message, NULL);
}

static int method_release(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	uint32_t selection;
	int r = sd_bus_message_read(message, "u", &selection);

	(void)ret_error;
	if (r < 0)
		return r;
	if (selection == DISPLAY1_SELECTION_CLIPBOARD)
		peer_released(userdata);
	return sd_bus_reply_method_return(message, NULL);
}

static int method_request(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	struct display1_clipboard *peer = userdata;
	uint32_t selection;
	bool text;
	int r = sd_bus_message_read(message, "u", &selection);

	(void)ret_error;
	if (r >= 0)
		r = read_types(message, &text);
	if (r < 0)
		return r;
	/* Whoever asks again has given the first answer up. */
	display1_clipboard_answer(peer, NULL, 0);
	peer->waiting = sd_bus_message_ref(message);
	r = text && selection == DISPLAY1_SELECTION_CLIPBOARD ? peer->ops->requested(peer, peer->userdata) : -ENOENT;
	if (r < 0)
		display1_clipboard_answer(peer, NULL, 0);
	return 1;
}

static int get_interactive(sd_bus *bus, const char *path, const char *interface, const char *property,
			   sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	(void)bus, (void)path, (void)interface, (void)property, (void)userdata, (void)ret_error;
	return sd_bus_message_append(reply, "b", 0);
}

static const sd_bus_vtable clipboard_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("Register", "", "", method_register, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Unregister", "", "", method_unregister, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Grab", "uuas", "", method_grab, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Release", "u", "", method_release, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Request", "uas", "say", method_request, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_PROPERTY("Interactive", "b", get_interactive, 0, 0),
    SD_BUS_VTABLE_END,
};

static int method_notice(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	struct display1_clipboard *peer = userdata;
	const char *sentence;
	int r = sd_bus_message_read(message, "s", &sentence);

	(void)ret_error;
	if (r >= 0)
		peer->ops->notice(sentence, peer->userdata);
	return r;
}

static const sd_bus_vtable own_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("Notice", "s", "", method_notice, SD_BUS_VTABLE_UNPRIVILEGED | SD_BUS_VTABLE_METHOD_NO_REPLY),
    SD_BUS_VTABLE_END,
};

/* A display asks to be told; a screen that knows no clipboard has refused. */
static int register_done(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	struct display1_clipboard *peer = userdata;

	(void)ret_error;
	peer->registered = !sd_bus_message_is_method_error(reply, NULL);
	peer_pump(peer);
	return 0;
}

static int peer_register(struct display1_clipboard *peer)
{
	int r = sd_bus_add_object_vtable(peer->bus, &peer->own_vtable, DISPLAY1_CLIPBOARD_PATH, CLIPBOARD1, own_vtable,
					 peer);

	if (r >= 0)
		r = sd_bus_call_method_async(peer->bus, &peer->registering, NULL, DISPLAY1_CLIPBOARD_PATH,
					     DISPLAY1_CLIPBOARD, "Register", register_done, peer, NULL);
	return r;
}

int display1_clipboard_new(sd_bus *bus, bool screen, const struct display1_clipboard_ops *ops, void *userdata,
			   struct display1_clipboard **ret)
{
	struct display1_clipboard *peer = calloc(1, sizeof(*peer));
	int r;

	if (!peer)
		return -ENOMEM;
	peer->bus = bus;
	peer->screen = screen;
	peer->ops = ops;
	peer->userdata = userdata;
	r = sd_bus_add_object_vtable(bus, &peer->vtable, DISPLAY1_CLIPBOARD_PATH, DISPLAY1_CLIPBOARD, clipboard_vtable,
				     peer);
	if (r >= 0 && !screen)
		r = peer_register(peer);
	if (r < 0) {
		display1_clipboard_free(peer);
		return r;
	}
	*ret = peer;
	return 0;
}

void display1_clipboard_free(struct display1_clipboard *peer)
{
	if (!peer)
		return;
	sd_bus_slot_unref(peer->vtable);
	sd_bus_slot_unref(peer->own_vtable);
	sd_bus_slot_unref(peer->registering);
	sd_bus_slot_unref(peer->telling);
	sd_bus_slot_unref(peer->asking);
	sd_bus_message_unref(peer->waiting);
	free(peer);
}
