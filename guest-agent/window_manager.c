/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "guest-agent/window_manager.h"

#include "common/cleanup.h"

#include <errno.h>
#include <string.h>

int window_manager_start(xcb_connection_t *connection, xcb_screen_t *screen, xcb_atom_t *ret)
{
	static const char name[] = "_NET_SUPPORTING_WM_CHECK";
	const uint32_t mask = XCB_EVENT_MASK_PROPERTY_CHANGE;
	_cleanup_free_ xcb_intern_atom_reply_t *atom =
	    xcb_intern_atom_reply(connection, xcb_intern_atom(connection, 0, (uint16_t)strlen(name), name), NULL);

	if (!atom)
		return -EIO;
	xcb_change_window_attributes(connection, screen->root, XCB_CW_EVENT_MASK, &mask);
	*ret = atom->atom;
	return 0;
}

bool window_manager_is_event(const xcb_generic_event_t *event, xcb_atom_t atom)
{
	return (event->response_type & 0x7f) == XCB_PROPERTY_NOTIFY &&
	       ((const xcb_property_notify_event_t *)event)->atom == atom;
}

bool window_manager_is_there(xcb_connection_t *connection, xcb_screen_t *screen, xcb_atom_t atom)
{
	_cleanup_free_ xcb_get_property_reply_t *window = xcb_get_property_reply(
	    connection, xcb_get_property(connection, 0, screen->root, atom, XCB_ATOM_WINDOW, 0, 1), NULL);

	return window && xcb_get_property_value_length(window) == (int)sizeof(xcb_window_t);
}
