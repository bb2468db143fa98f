/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "guest-agent/follow.h"

#include "common/cleanup.h"

#include <errno.h>
#include <xcb/randr.h>

#define FOLLOW_DPI 96

typedef xcb_randr_get_screen_resources_reply_t resources_t;
typedef xcb_randr_get_output_info_reply_t output_t;
typedef xcb_randr_get_crtc_info_reply_t crtc_t;

/* What is to be set, all from one answer of the server. */
struct wanted {
	xcb_timestamp_t time; /* of the configuration; the server refuses one that is over */
	xcb_randr_crtc_t crtc;
	xcb_randr_output_t output;
	xcb_randr_mode_t mode, mode_now;
	uint16_t width, height;
};

int follow_start(xcb_connection_t *connection, xcb_screen_t *screen)
{
	const xcb_query_extension_reply_t *extension = xcb_get_extension_data(connection, &xcb_randr_id);
	_cleanup_free_ xcb_randr_query_version_reply_t *version = NULL;

	if (!extension)
		return -EIO;
	if (!extension->present)
		return -ENOTSUP;
	version = xcb_randr_query_version_reply(connection, xcb_randr_query_version(connection, 1, 3), NULL);
	if (!version)
		return -EIO;
	if (version->major_version != 1 || version->minor_version < 3)
		return -ENOTSUP;
	xcb_randr_select_input(connection, screen->root,
			       XCB_RANDR_NOTIFY_MASK_SCREEN_CHANGE | XCB_RANDR_NOTIFY_MASK_OUTPUT_CHANGE);
	return xcb_flush(connection) > 0 ? 0 : -EIO;
}

bool follow_is_event(xcb_connection_t *connection, const xcb_generic_event_t *event)
{
	const xcb_query_extension_reply_t *extension = xcb_get_extension_data(connection, &xcb_randr_id);
	int kind = (event->response_type & 0x7f) - extension->first_event;

	return kind == XCB_RANDR_SCREEN_CHANGE_NOTIFY || kind == XCB_RANDR_NOTIFY;
}

static const xcb_randr_mode_info_t *mode_info(resources_t *resources, xcb_randr_mode_t mode)
{
	const xcb_randr_mode_info_t *modes = xcb_randr_get_screen_resources_modes(resources);
	int count = xcb_randr_get_screen_resources_modes_length(resources);

	for (int i = 0; i < count; i++)
		if (modes[i].id == mode)
			return &modes[i];
	return NULL;
}

/* The crtc that drives the output, or the first that can. */
static xcb_randr_crtc_t output_crtc(const output_t *output)
{
	if (output->crtc != XCB_NONE)
		return output->crtc;
	return xcb_randr_get_output_info_crtcs_length(output) > 0 ? xcb_randr_get_output_info_crtcs(output)[0]
								  : XCB_NONE;
}

/* 1: filled in. 0: this output is not connected or has no preferred mode. */
static int want_output(xcb_connection_t *connection, resources_t *resources, xcb_randr_output_t id, struct wanted *ret)
{
	_cleanup_free_ output_t *output = NULL;
	_cleanup_free_ crtc_t *crtc = NULL;
	const xcb_randr_mode_info_t *info;
	xcb_randr_crtc_t crtc_id;

	output = xcb_randr_get_output_info_reply(
	    connection, xcb_randr_get_output_info(connection, id, resources->config_timestamp), NULL);
	if (!output || output->status != XCB_RANDR_SET_CONFIG_SUCCESS)
		return -EAGAIN;
	crtc_id = output_crtc(output);
	if (output->connection != XCB_RANDR_CONNECTION_CONNECTED || output->num_preferred == 0 || crtc_id == XCB_NONE)
		return 0;
	/* The preferred modes come first, the newest EDID's own timing before all. */
	info = mode_info(resources, xcb_randr_get_output_info_modes(output)[0]);
	crtc = xcb_randr_get_crtc_info_reply(
	    connection, xcb_randr_get_crtc_info(connection, crtc_id, resources->config_timestamp), NULL);
	if (!info || !crtc || crtc->status != XCB_RANDR_SET_CONFIG_SUCCESS)
		return -EAGAIN;
	*ret = (struct wanted){
	    .time = resources->config_timestamp,
	    .crtc = crtc_id,
	    .output = id,
	    .mode = info->id,
	    .mode_now = crtc->mode,
	    .width = info->width,
	    .height = info->height,
	};
	return 1;
}

static int want(xcb_connection_t *connection, xcb_screen_t *screen, struct wanted *ret)
{
	_cleanup_free_ resources_t *resources = NULL;
	const xcb_randr_output_t *outputs;
	int count;

	/* Not the "current" variant: this one makes the server probe, which nothing else does where there is no udev.
	 */
	resources = xcb_randr_get_screen_resources_reply(
	    connection, xcb_randr_get_screen_resources(connection, screen->root), NULL);
	if (!resources)
		return -EIO;
	outputs = xcb_randr_get_screen_resources_outputs(resources);
	count = xcb_randr_get_screen_resources_outputs_length(resources);
	for (int i = 0; i < count; i++) {
		int r = want_output(connection, resources, outputs[i], ret);

		if (r != 0)
			return r;
	}
	return 0;
}

static int set_crtc(xcb_connection_t *connection, const struct wanted *wanted, xcb_randr_mode_t mode)
{
	_cleanup_free_ xcb_randr_set_crtc_config_reply_t *reply = NULL;
	uint32_t outputs = mode == XCB_NONE ? 0 : 1;

	reply = xcb_randr_set_crtc_config_reply(
	    connection,
	    xcb_randr_set_crtc_config(connection, wanted->crtc, XCB_CURRENT_TIME, wanted->time, 0, 0, mode,
				      XCB_RANDR_ROTATION_ROTATE_0, outputs, &wanted->output),
	    NULL);
	return reply && reply->status == XCB_RANDR_SET_CONFIG_SUCCESS ? 0 : -EAGAIN;
}

static int set_screen_size(xcb_connection_t *connection, xcb_screen_t *screen, uint16_t width, uint16_t height)
{
	_cleanup_free_ xcb_generic_error_t *error = NULL;
	uint32_t mm_width = width * 254u / (FOLLOW_DPI * 10u), mm_height = height * 254u / (FOLLOW_DPI * 10u);

	error = xcb_request_check(connection, xcb_randr_set_screen_size_checked(connection, screen->root, width, height,
										mm_width, mm_height));
	return error ? -EINVAL : 0;
}

/* A screen smaller than what a crtc shows is an error, so the crtc is off while the screen changes. */
static int switch_mode(xcb_connection_t *connection, xcb_screen_t *screen, const struct wanted *wanted)
{
	int r = set_crtc(connection, wanted, XCB_NONE);

	if (r < 0)
		return r;
	r = set_screen_size(connection, screen, wanted->width, wanted->height);
	if (r < 0) {
		set_crtc(connection, wanted, wanted->mode_now);
		return r;
	}
	return set_crtc(connection, wanted, wanted->mode);
}

int follow_apply(xcb_connection_t *connection, xcb_screen_t *screen)
{
	_cleanup_free_ xcb_get_geometry_reply_t *root = NULL;
	struct wanted wanted;
	int r = want(connection, screen, &wanted);

	if (r <= 0)
		return r;
	root = xcb_get_geometry_reply(connection, xcb_get_geometry(connection, screen->root), NULL);
	if (!root)
		return -EIO;
	if (wanted.mode == wanted.mode_now && root->width == wanted.width && root->height == wanted.height)
		return 0;
	/* Grabbed, so that no client draws for the moments between. */
	xcb_grab_server(connection);
	r = switch_mode(connection, screen, &wanted);
	xcb_ungrab_server(connection);
	return xcb_flush(connection) > 0 ? r : -EIO;
}
