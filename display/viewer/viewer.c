/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/viewer/viewer.h"

#include "common/cleanup.h"
#include "common/fs.h"
#include "common/log.h"
#include "common/text.h"
#include "display/viewer/clipboard.h"
#include "display/viewer/keymap.h"
#include "display/viewer/output.h"
#include "display/viewer/picture.h"
#include "display/viewer/server.h"
#include "display/viewer/sound.h"
#include "display/viewer/source.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#define READ_SIZE (16 * 1024)
#define PICTURE_DELAY_USEC 150000 /* how long a desktop may take before the drawn picture is shown */
#define EDGE_MIN 64               /* of a size a viewer may ask for */
#define LINGER_MAX_MS 60000u
#define BANNER_USEC 5000000 /* how long a notice is to be seen */
#define BANNER_SIZE 200     /* bytes of it */

struct viewer {
	sd_event *event;
	struct viewer_config config;
	const struct viewer_ops *ops;
	void *userdata;

	sd_event_source *stream, *woken, *delay, *linger, *banner;
	int wake_fd;
	struct surface surface;
	struct server *server;
	struct output *output;
	struct source *source;
	struct clipboard *clipboard;
	struct sound *sound;
	struct keymap *keymap;
	struct filter filter;
	uint8_t read[READ_SIZE];
	size_t at, have;

	bool started; /* ClientInit went to the RFB thread */
	bool holding; /* ClientInit waits for a picture */
	bool closing;
	struct pixels *last; /* the lost desktop's picture, shown dimmed */
	int width, height;   /* of the drawn picture */
	bool wants_size;     /* the viewer asked for it */
	char *title, *detail;
	int percent;
	bool failed;
};

static void viewer_read_on(struct viewer *viewer);

static void surface_changed(void *userdata)
{
	struct viewer *viewer = userdata;

	if (viewer->server)
		server_wake(viewer->server);
}

static void viewer_end(struct viewer *viewer, int code)
{
	sd_event_exit(viewer->event, code);
}

static void output_ended(void *userdata)
{
	viewer_end(userdata, 0);
}

static void viewer_draw(struct viewer *viewer)
{
	const struct picture_text text = {viewer->title, viewer->detail, viewer->percent, viewer->failed};
	struct pixels *pixels;
	int r;

	if (source_has_picture(viewer->source) || !(viewer->started || viewer->holding))
		return;
	r = picture_draw(&text, viewer->width, viewer->height, viewer->last, &pixels);
	if (r < 0) {
		log_error("drawing the picture: %s", strerror(-r));
		return;
	}
	surface_set_pixels(&viewer->surface, pixels);
}

static void viewer_arrow(struct viewer *viewer)
{
	struct cursor *arrow = NULL;

	if (picture_arrow(&arrow) < 0)
		return;
	surface_set_cursor(&viewer->surface, arrow);
	/* Out of sight for viewers for which it would be drawn: nobody knows yet where it is. */
	surface_move_pointer(&viewer->surface, -CURSOR_EDGE_MAX, -CURSOR_EDGE_MAX, true, false);
}

/* Lets ClientInit through: the surface has a picture now, whose size ServerInit tells. */
static void viewer_start(struct viewer *viewer)
{
	const uint8_t shared = 1;
	const struct filter_message init = {.type = FILTER_CLIENT_INIT, .bytes = &shared, .size = 1};

	viewer->delay = sd_event_source_disable_unref(viewer->delay);
	if (!source_has_picture(viewer->source))
		viewer_draw(viewer);
	viewer->holding = false;
	viewer->started = true;
	if (server_post(viewer->server, &init) < 0)
		viewer_end(viewer, EXIT_FAILURE);
}

static int on_delay(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct viewer *viewer = userdata;

	(void)source;
	(void)usec;
	viewer_start(viewer);
	viewer_read_on(viewer);
	return 0;
}

static void viewer_client_init(struct viewer *viewer)
{
	viewer->holding = true;
	if (source_has_picture(viewer->source) || viewer->closing ||
	    sd_event_add_time_relative(viewer->event, &viewer->delay, CLOCK_MONOTONIC, PICTURE_DELAY_USEC, 1000,
				       on_delay, viewer) < 0)
		viewer_start(viewer);
}

static void key_stroke(uint32_t qnum, bool down, void *userdata)
{
	struct viewer *viewer = userdata;

	if (viewer->source)
		source_key(viewer->source, qnum, down);
}

static void viewer_key(struct viewer *viewer, const struct filter_message *message)
{
	if (!source_has_picture(viewer->source))
		return;
	if (message->keycode) {
		keymap_follow(viewer->keymap, message->keycode, message->flag);
		key_stroke(message->keycode, message->flag, viewer);
	} else if (!keymap_key(viewer->keymap, message->keysym, message->flag, key_stroke, viewer)) {
		log_debug("no key for keysym 0x%x in layout %s", message->keysym, viewer->config.keyboard);
	}
}

static void viewer_pointer(struct viewer *viewer, const struct filter_message *message)
{
	struct letterbox box = surface_box(&viewer->surface);
	int x, y;

	if (!source_has_picture(viewer->source))
		return;
	letterbox_to_source(&box, message->area.x, message->area.y, &x, &y);
	source_pointer(viewer->source, x, y, message->buttons);
}

static int clamp_edge(int value, int max)
{
	return value < EDGE_MIN ? EDGE_MIN : value > max ? max : value;
}

static void viewer_size(struct viewer *viewer, struct filter_message *message)
{
	if (!(viewer->filter.features & FEATURE_EXT_DESKTOP_SIZE))
		return;
	message->flag = message->screens > 0 && message->area.w > 0 && message->area.h > 0;
	message->area.w = (uint16_t)clamp_edge(message->area.w, viewer->config.max_width);
	message->area.h = (uint16_t)clamp_edge(message->area.h, viewer->config.max_height);
	if (server_post(viewer->server, message) < 0 || !message->flag)
		return;
	viewer->wants_size = true;
	viewer->width = message->area.w;
	viewer->height = message->area.h;
	if (viewer->source)
		source_set_size(viewer->source, viewer->width, viewer->height);
	else
		viewer->ops->wanted((uint32_t)viewer->width, (uint32_t)viewer->height, viewer->userdata);
	viewer_draw(viewer);
}

static void viewer_message(struct viewer *viewer, struct filter_message *message)
{
	switch (message->type) {
	case FILTER_NONE:
		break;
	case FILTER_CLIENT_INIT:
		viewer_client_init(viewer);
		break;
	case FILTER_KEY:
		viewer_key(viewer, message);
		break;
	case FILTER_POINTER:
		viewer_pointer(viewer, message);
		break;
	case FILTER_SIZE:
		viewer_size(viewer, message);
		break;
	case FILTER_CUT_TEXT:
		clipboard_heard(viewer->clipboard, message);
		break;
	case FILTER_SOUND:
		sound_heard(viewer->sound, message);
		break;
	case FILTER_ENCODINGS:
		clipboard_features(viewer->clipboard, message->features);
		sound_features(viewer->sound, message->features);
		__attribute__((fallthrough));
	case FILTER_RFB:
	case FILTER_REQUEST:
	case FILTER_FENCE:
	case FILTER_CONTINUOUS:
		if (server_post(viewer->server, message) < 0)
			viewer_end(viewer, EXIT_FAILURE);
		break;
	}
}

static bool viewer_paused(struct viewer *viewer)
{
	return viewer->holding || server_crowded(viewer->server);
}

static void viewer_parse(struct viewer *viewer)
{
	while (viewer->at < viewer->have && !viewer_paused(viewer)) {
		struct filter_message message;
		struct error err = {0};
		size_t used;
		int r = filter_feed(&viewer->filter, viewer->read + viewer->at, viewer->have - viewer->at, &used,
				    &message, &err);

		viewer->at += used;
		if (r < 0) {
			log_warning("%s: the connection is ended", err.text);
			viewer->at = viewer->have = 0;
			viewer_end(viewer, EXIT_FAILURE);
			return;
		}
		if (r > 0)
			viewer_message(viewer, &message);
	}
}

/*
 * Goes on with what was read, and reads more only when nothing holds it up and all of it was taken: the RFB thread may
 * end a pause between two questions.
 */
static void viewer_read_on(struct viewer *viewer)
{
	bool paused;

	do {
		viewer_parse(viewer);
		paused = viewer_paused(viewer);
	} while (!paused && viewer->at < viewer->have);
	sd_event_source_set_enabled(viewer->stream, paused ? SD_EVENT_OFF : SD_EVENT_ON);
}

static int on_stream(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct viewer *viewer = userdata;
	ssize_t n = read(fd, viewer->read, sizeof(viewer->read));

	(void)source;
	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) {
		viewer_end(viewer, 0);
		return 0;
	}
	viewer->at = 0;
	viewer->have = (size_t)n;
	viewer_read_on(viewer);
	return 0;
}

/* The RFB thread took what waited. */
static int on_woken(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	uint64_t count;

	(void)source;
	(void)events;
	if (read(fd, &count, sizeof(count)) == sizeof(count))
		viewer_read_on(userdata);
	return 0;
}

static void source_pictured(void *userdata)
{
	struct viewer *viewer = userdata;
	struct pixels *pixels = surface_pixels(&viewer->surface);

	if (pixels && !viewer->wants_size) {
		viewer->width = pixels->width;
		viewer->height = pixels->height;
	}
	pixels_unref(pixels);
	pixels_unref(viewer->last);
	viewer->last = NULL;
	if (viewer->holding) {
		viewer_start(viewer);
		viewer_read_on(viewer);
	}
}

static void source_disabled(void *userdata)
{
	viewer_draw(userdata);
}

static void viewer_drop_source(struct viewer *viewer)
{
	struct source *source = viewer->source;

	viewer->source = NULL;
	(void)clipboard_set_bus(viewer->clipboard, NULL);
	source_free(source);
	keymap_reset(viewer->keymap);
}

static int viewer_set_text(struct viewer *viewer, const char *title, const char *detail, int percent, bool failed)
{
	char *new_title = strdup(title), *new_detail = strdup(detail);

	if (!new_title || !new_detail) {
		free(new_title);
		free(new_detail);
		return -ENOMEM;
	}
	free(viewer->title);
	free(viewer->detail);
	viewer->title = new_title;
	viewer->detail = new_detail;
	viewer->percent = percent;
	viewer->failed = failed;
	return 0;
}

static void source_lost(void *userdata)
{
	struct viewer *viewer = userdata;

	if (source_has_picture(viewer->source)) {
		pixels_unref(viewer->last);
		viewer->last = surface_pixels(&viewer->surface);
		viewer->width = viewer->last->width;
		viewer->height = viewer->last->height;
		viewer_set_text(viewer, "Reconnecting",
				"The connection to your desktop was lost and is being made again.", -1, false);
	}
	viewer_drop_source(viewer);
	viewer_draw(viewer);
	viewer->ops->source_lost(viewer->userdata);
}

static const struct source_ops source_ops = {source_pictured, source_disabled, source_lost};

int viewer_set_source(struct viewer *viewer, int fd)
{
	int r;

	if (viewer->closing) {
		close(fd);
		return -ESHUTDOWN;
	}
	viewer_drop_source(viewer);
	r = source_new(viewer->event, fd, &viewer->surface, &source_ops, viewer, &viewer->source);
	if (r >= 0 && clipboard_set_bus(viewer->clipboard, source_bus(viewer->source)) < 0)
		log_warning("the desktop has no clipboard: %s", strerror(ENOMEM));
	if (r >= 0 && viewer->wants_size)
		source_set_size(viewer->source, viewer->width, viewer->height);
	if (r < 0)
		viewer_draw(viewer);
	return r;
}

static void viewer_show_text(struct viewer *viewer)
{
	viewer_drop_source(viewer);
	pixels_unref(viewer->last);
	viewer->last = NULL;
	viewer_arrow(viewer);
	viewer_draw(viewer);
}

void viewer_clear_source(struct viewer *viewer)
{
	if (!viewer->closing)
		viewer_show_text(viewer);
}

int viewer_set_status(struct viewer *viewer, const char *title, const char *detail, int percent, bool failed)
{
	int r = viewer->closing ? -ESHUTDOWN : viewer_set_text(viewer, title, detail, percent, failed);

	if (r == 0)
		viewer_draw(viewer);
	return r;
}

void viewer_set_sound(struct viewer *viewer, bool allowed, int fd)
{
	sound_set(viewer->sound, allowed, fd);
}

static int on_linger(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	viewer_end(userdata, 0);
	return 0;
}

int viewer_close(struct viewer *viewer, const char *title, const char *detail, uint32_t linger_ms)
{
	uint64_t usec = UINT64_C(1000) * (linger_ms < LINGER_MAX_MS ? linger_ms : LINGER_MAX_MS);
	int r = viewer_set_text(viewer, title, detail, -1, true);

	if (r < 0)
		return r;
	viewer->closing = true;
	viewer_show_text(viewer);
	viewer->linger = sd_event_source_disable_unref(viewer->linger);
	return sd_event_add_time_relative(viewer->event, &viewer->linger, CLOCK_MONOTONIC, usec, 0, on_linger, viewer);
}

void viewer_status(struct viewer *viewer, bool *source, uint32_t *width, uint32_t *height)
{
	struct letterbox box = surface_box(&viewer->surface);

	*source = source_has_picture(viewer->source);
	*width = (uint32_t)box.view_w;
	*height = (uint32_t)box.view_h;
}

static int banner_over(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct viewer *viewer = userdata;

	(void)source;
	(void)usec;
	surface_set_banner(&viewer->surface, NULL);
	return 0;
}

static void viewer_notice(const char *sentence, void *userdata)
{
	struct viewer *viewer = userdata;
	struct cursor *banner;
	char text[BANNER_SIZE];

	text_copy_printable(sentence, text, sizeof(text));
	viewer->banner = sd_event_source_disable_unref(viewer->banner);
	if (picture_banner(text, &banner) < 0)
		return;
	if (sd_event_add_time_relative(viewer->event, &viewer->banner, CLOCK_MONOTONIC, BANNER_USEC, 0, banner_over,
				       viewer) < 0)
		cursor_unref(banner);
	else
		surface_set_banner(&viewer->surface, banner);
}

static void viewer_sound_wanted(bool wanted, void *userdata)
{
	const struct viewer *viewer = userdata;

	viewer->ops->sound(wanted, viewer->userdata);
}

static int viewer_make_server(struct viewer *viewer, struct error *err)
{
	struct server_config config = {viewer->config.name, viewer->width, viewer->height, viewer->wake_fd};
	int r = server_new(&config, &viewer->surface, &viewer->server, err);

	if (r < 0)
		return r;
	r = clipboard_new(viewer->server, viewer->config.clipboard_max, viewer_notice, viewer, &viewer->clipboard);
	if (r >= 0)
		r = sound_new(viewer->event, viewer->server, viewer_sound_wanted, viewer, &viewer->sound);
	if (r >= 0)
		r = output_new(viewer->event, viewer->config.stream_fd, viewer->server, output_ended, viewer,
			       &viewer->output);
	if (r >= 0)
		r = sd_event_add_io(viewer->event, &viewer->woken, viewer->wake_fd, EPOLLIN, on_woken, viewer);
	if (r >= 0)
		r = sd_event_add_io(viewer->event, &viewer->stream, viewer->config.stream_fd, EPOLLIN, on_stream,
				    viewer);
	return r < 0 ? error_set_errno(err, r, "watching the viewer's stream") : 0;
}

static int viewer_prepare(struct viewer *viewer, struct error *err)
{
	int r = fd_set_nonblock(viewer->config.stream_fd, 1);

	if (r < 0)
		return error_set_errno(err, r, "--stream-fd %d", viewer->config.stream_fd);
	viewer->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (viewer->wake_fd < 0)
		return error_set_errno(err, -errno, "eventfd");
	r = viewer_set_text(viewer, viewer->config.title, viewer->config.detail, -1, false);
	if (r < 0)
		return error_set_errno(err, r, "the first status");
	return keymap_new(viewer->config.keyboard, &viewer->keymap, err);
}

int viewer_new(sd_event *event, const struct viewer_config *config, const struct viewer_ops *ops, void *userdata,
	       struct viewer **ret, struct error *err)
{
	struct viewer *viewer = calloc(1, sizeof(*viewer));
	int r;

	if (!viewer)
		return error_set_errno(err, -ENOMEM, "a viewer");
	viewer->event = sd_event_ref(event);
	viewer->config = *config;
	viewer->ops = ops;
	viewer->userdata = userdata;
	viewer->wake_fd = -1;
	viewer->width = config->width;
	viewer->height = config->height;
	surface_init(&viewer->surface, surface_changed, viewer);
	filter_init(&viewer->filter);
	r = viewer_prepare(viewer, err);
	if (r >= 0)
		r = viewer_make_server(viewer, err);
	if (r < 0) {
		viewer_free(viewer);
		return r;
	}
	viewer_arrow(viewer);
	*ret = viewer;
	return 0;
}

void viewer_free(struct viewer *viewer)
{
	if (!viewer)
		return;
	if (viewer->clipboard)
		(void)clipboard_set_bus(viewer->clipboard, NULL);
	source_free(viewer->source);
	output_free(viewer->output);
	sd_event_source_disable_unref(viewer->woken);
	sd_event_source_disable_unref(viewer->stream);
	sd_event_source_disable_unref(viewer->delay);
	sd_event_source_disable_unref(viewer->linger);
	sd_event_source_disable_unref(viewer->banner);
	clipboard_free(viewer->clipboard);
	sound_free(viewer->sound);
	server_free(viewer->server);
	keymap_free(viewer->keymap);
	pixels_unref(viewer->last);
	surface_done(&viewer->surface);
	closep(&viewer->wake_fd);
	free(viewer->title);
	free(viewer->detail);
	sd_event_unref(viewer->event);
	free(viewer);
}
