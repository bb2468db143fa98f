/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/screen/wake.h"

#include <systemd/sd-event.h>

#define LEFT_MAX 32 /* messages that fit into what sd-bus reads while it authenticates */

static void release(void *userdata)
{
	sd_bus_unref(userdata);
}

/* Runs after each turn of the loop until the connection stands or is gone. */
static int on_turn(sd_event_source *source, void *userdata)
{
	sd_bus *bus = userdata;

	if (sd_bus_is_open(bus) > 0 && sd_bus_is_ready(bus) == 0)
		return 0;
	for (int i = 0; i < LEFT_MAX && sd_bus_is_open(bus) > 0 && sd_bus_process(bus, NULL) > 0; i++)
		;
	sd_event_source_set_floating(source, 0); /* the loop's reference was the last */
	return 0;
}

int wake_when_connected(sd_bus *bus)
{
	sd_event_source *source;
	int r = sd_event_add_post(sd_bus_get_event(bus), &source, on_turn, bus);

	if (r < 0)
		return r;
	sd_bus_ref(bus);
	sd_event_source_set_destroy_callback(source, release);
	r = sd_event_source_set_floating(source, 1);
	sd_event_source_unref(source);
	return r < 0 ? r : 0;
}
