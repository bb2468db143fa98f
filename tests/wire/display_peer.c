/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The broker and the desktop of one hotdesk-display, driven by lines on stdin: display-peer CONTROL_SOCKET
 *   hello | state | clear | status TITLE|DETAIL|PERCENT|FAILED | close TITLE|DETAIL|MS
 *   source map|plain|inline W H    attaches a desktop of its own (plain: a memfd that is not sealed)
 *   size W H                       the desktop changes its size; follow 1: it does so by itself when asked
 *   fill X Y W H RRGGBB | noise SEED | churn 0|1 (rewrites the picture all the time, also without telling)
 *   cursor W H AARRGGBB | mouse X Y ON | stop 0|1 (reads nothing any more) | drop | dump FILE
 * What happens is printed, one line each.
 */
#include "common/bus.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "display/viewer/viewer_api.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define FORMAT 0x20020888u
#define CHURN_USEC 1000
#define LISTENER "/org/qemu/Display1/Listener"
#define LISTENER_INTERFACE "org.qemu.Display1.Listener"
#define MAP_INTERFACE "org.qemu.Display1.Listener.Unix.Map"
#define CONSOLE "/org/qemu/Display1/Console_0"

struct peer {
	sd_event *event;
	sd_bus *control, *main, *listener;
	sd_event_source *churn;
	char mode; /* m, p, i */
	int fd;
	uint32_t width, height, *pixels;
	bool follow, ready;
	uint64_t random;
	char line[4096];
	size_t have;
};

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

/* Reads `count` numbers, separated by spaces; returns the rest of the text, NULL when there are fewer. */
static const char *numbers(const char *text, size_t count, int *ret)
{
	for (size_t i = 0; i < count; i++) {
		char *end;

		ret[i] = (int)strtol(text, &end, 10);
		if (end == text)
			return NULL;
		text = end;
	}
	return text;
}

static uint32_t next_random(struct peer *peer)
{
	peer->random = peer->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(peer->random >> 33);
}

static int make_pixels(struct peer *peer, uint32_t width, uint32_t height)
{
	size_t size = (size_t)width * height * 4;

	if (peer->pixels)
		munmap(peer->pixels, (size_t)peer->width * peer->height * 4);
	closep(&peer->fd);
	peer->fd = memfd_create("display", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (peer->fd < 0 || ftruncate(peer->fd, (off_t)size) < 0)
		return -errno;
	if (peer->mode == 'm' && fcntl(peer->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0)
		return -errno;
	peer->pixels = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, peer->fd, 0);
	peer->width = width;
	peer->height = height;
	return peer->pixels == MAP_FAILED ? -errno : 0;
}

static void send_scanout_inline(struct peer *peer)
{
	sd_bus_message *message = NULL;
	int r = sd_bus_message_new_method_call(peer->listener, &message, NULL, LISTENER, LISTENER_INTERFACE, "Scanout");

	if (r >= 0)
		r = sd_bus_message_append(message, "uuuu", peer->width, peer->height, peer->width * 4, FORMAT);
	if (r >= 0)
		r = sd_bus_message_append_array(message, 'y', peer->pixels, (size_t)peer->width * peer->height * 4);
	if (r >= 0)
		r = sd_bus_send(peer->listener, message, NULL);
	if (r < 0)
		say("scanout error %s", strerror(-r));
	sd_bus_message_unref(message);
}

static int on_mapped(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	struct peer *peer = userdata;

	(void)ret_error;
	if (!sd_bus_message_is_method_error(reply, NULL)) {
		say("mapped");
		return 0;
	}
	say("map refused");
	peer->mode = 'i';
	send_scanout_inline(peer);
	return 0;
}

static void send_scanout(struct peer *peer)
{
	if (!peer->ready)
		return;
	if (peer->mode == 'i')
		send_scanout_inline(peer);
	else
		sd_bus_call_method_async(peer->listener, NULL, NULL, LISTENER, MAP_INTERFACE, "ScanoutMap", on_mapped,
					 peer, "huuuuu", peer->fd, 0, peer->width, peer->height, peer->width * 4,
					 FORMAT);
}

static void send_inline_update(struct peer *peer, int x, int y, int w, int h)
{
	_cleanup_free_ uint32_t *part = malloc((size_t)w * (size_t)h * 4);
	sd_bus_message *message = NULL;
	int r = sd_bus_message_new_method_call(peer->listener, &message, NULL, LISTENER, LISTENER_INTERFACE, "Update");

	for (int line = 0; line < h; line++)
		memcpy(part + (size_t)line * (size_t)w, peer->pixels + (size_t)(y + line) * peer->width + x,
		       (size_t)w * 4);
	if (r >= 0)
		r = sd_bus_message_append(message, "iiiiuu", x, y, w, h, (uint32_t)w * 4, FORMAT);
	if (r >= 0)
		r = sd_bus_message_append_array(message, 'y', part, (size_t)w * (size_t)h * 4);
	if (r >= 0)
		r = sd_bus_message_set_expect_reply(message, 0);
	if (r >= 0)
		sd_bus_send(peer->listener, message, NULL);
	sd_bus_message_unref(message);
}

static void send_update(struct peer *peer, int x, int y, int w, int h)
{
	if (!peer->ready)
		return;
	if (peer->mode == 'i')
		send_inline_update(peer, x, y, w, h);
	else
		sd_bus_call_method_async(peer->listener, NULL, NULL, LISTENER, MAP_INTERFACE, "UpdateMap", NULL, NULL,
					 "iiii", x, y, w, h);
}

static void fill(struct peer *peer, uint32_t x, uint32_t y, uint32_t w, uint32_t h, uint32_t colour)
{
	for (uint32_t row = y; row < y + h && row < peer->height; row++)
		for (uint32_t column = x; column < x + w && column < peer->width; column++)
			peer->pixels[(size_t)row * peer->width + column] = colour;
}

/* Few colours here, many there, flat parts: each encoder finds all its cases. */
static void scribble(struct peer *peer)
{
	uint32_t x = next_random(peer) % peer->width, y = next_random(peer) % peer->height;
	uint32_t w = 1 + next_random(peer) % (peer->width - x), h = 1 + next_random(peer) % (peer->height - y);
	uint32_t kind = next_random(peer) % 4, base = next_random(peer);

	w = w > 200 ? 200 : w;
	h = h > 100 ? 100 : h;
	for (uint32_t row = y; row < y + h; row++)
		for (uint32_t column = x; column < x + w; column++) {
			uint32_t value = kind == 0   ? base
					 : kind == 1 ? base ^ (next_random(peer) % 2 * 0xffffffu)
					 : kind == 2 ? base + next_random(peer) % 20 * 0x10101u
						     : next_random(peer);
			peer->pixels[(size_t)row * peer->width + column] = value;
		}
	if (next_random(peer) % 2)
		send_update(peer, (int)x, (int)y, (int)w, (int)h);
}

static int on_churn(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct peer *peer = userdata;
	uint64_t queued = 0;

	(void)usec;
	sd_event_source_set_time_relative(source, CHURN_USEC);
	if (!peer->ready || sd_bus_get_n_queued_write(peer->listener, &queued) < 0 || queued > 16)
		return 0;
	for (int i = 0; i < 4; i++)
		scribble(peer);
	return 0;
}

/* As QEMU does: nothing is sent, least of all an fd, before the listener has answered what it understands. */
static int on_interfaces(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	struct peer *peer = userdata;

	(void)ret_error;
	if (sd_bus_message_is_method_error(reply, NULL)) {
		say("listener error %s", sd_bus_message_get_error(reply)->message);
		return 0;
	}
	say("registered");
	peer->ready = true;
	send_scanout(peer);
	return 0;
}

static int on_register(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	struct peer *peer = userdata;
	int fd, r = sd_bus_message_read(call, "h", &fd);

	(void)ret_error;
	if (r < 0)
		return r;
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	peer->ready = false;
	peer->listener = sd_bus_close_unref(peer->listener);
	r = bus_serve_fd(peer->event, fd, NULL, NULL, &peer->listener);
	if (r >= 0)
		r = sd_bus_call_method_async(peer->listener, NULL, NULL, LISTENER, "org.freedesktop.DBus.Properties",
					     "GetAll", on_interfaces, peer, "s", LISTENER_INTERFACE);
	return r < 0 ? r : sd_bus_reply_method_return(call, NULL);
}

static int on_ui_info(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	struct peer *peer = userdata;
	uint32_t width, height;
	int r = sd_bus_message_skip(call, "qqii");

	(void)ret_error;
	if (r >= 0)
		r = sd_bus_message_read(call, "uu", &width, &height);
	if (r < 0)
		return r;
	say("uiinfo %u %u", width, height);
	if (peer->follow && make_pixels(peer, width, height) >= 0) {
		fill(peer, 0, 0, width, height, 0x00336699);
		send_scanout(peer);
	}
	return sd_bus_reply_method_return(call, NULL);
}

static int on_input(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	const char *interface = strrchr(sd_bus_message_get_interface(call), '.') + 1;
	uint32_t value;
	int r = sd_bus_message_read(call, "u", &value);

	(void)userdata;
	(void)ret_error;
	if (r >= 0)
		say("%s %s %u", interface, sd_bus_message_get_member(call), value);
	return r < 0 ? r : sd_bus_reply_method_return(call, NULL);
}

static int on_position(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	uint32_t x, y;
	int r = sd_bus_message_read(call, "uu", &x, &y);

	(void)userdata;
	(void)ret_error;
	if (r >= 0)
		say("at %u %u", x, y);
	return r < 0 ? r : sd_bus_reply_method_return(call, NULL);
}

static const sd_bus_vtable console_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("RegisterListener", "h", "", on_register, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("SetUIInfo", "qqiiuu", "", on_ui_info, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

static const sd_bus_vtable keyboard_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("Press", "u", "", on_input, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Release", "u", "", on_input, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

static const sd_bus_vtable mouse_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("Press", "u", "", on_input, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Release", "u", "", on_input, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("SetAbsPosition", "uu", "", on_position, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

static int setup_main(sd_bus *bus, void *userdata)
{
	int r = sd_bus_add_object_vtable(bus, NULL, CONSOLE, "org.qemu.Display1.Console", console_vtable, userdata);

	if (r >= 0)
		r = sd_bus_add_object_vtable(bus, NULL, CONSOLE, "org.qemu.Display1.Keyboard", keyboard_vtable,
					     userdata);
	if (r >= 0)
		r = sd_bus_add_object_vtable(bus, NULL, CONSOLE, "org.qemu.Display1.Mouse", mouse_vtable, userdata);
	return r;
}

static int on_answer(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	(void)ret_error;
	if (sd_bus_message_is_method_error(reply, NULL))
		say("%s error %s", (const char *)userdata, sd_bus_message_get_error(reply)->message);
	else
		say("%s done", (const char *)userdata);
	return 0;
}

static int on_state(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	uint32_t width, height;
	int source;

	(void)userdata;
	(void)ret_error;
	if (sd_bus_message_read(reply, "buu", &source, &width, &height) >= 0)
		say("state %d %u %u", source, width, height);
	return 0;
}

static int on_signal(sd_bus_message *signal, void *userdata, sd_bus_error *ret_error)
{
	uint32_t width = 0, height = 0;

	(void)userdata;
	(void)ret_error;
	if (sd_bus_message_is_signal(signal, VIEWER_API_INTERFACE, "Wanted") &&
	    sd_bus_message_read(signal, "uu", &width, &height) >= 0)
		say("wanted %u %u", width, height);
	else
		say("lost");
	return 0;
}

static void drop(struct peer *peer)
{
	peer->ready = false;
	peer->listener = sd_bus_close_unref(peer->listener);
	peer->main = sd_bus_close_unref(peer->main);
}

static int do_source(struct peer *peer, const char *args)
{
	_cleanup_close_ int theirs = -1;
	const char *space = strchr(args, ' ');
	int size[2], pair[2], r;

	if (!space || !numbers(space, 2, size))
		return -EINVAL;
	drop(peer);
	peer->mode = args[0];
	r = make_pixels(peer, (uint32_t)size[0], (uint32_t)size[1]);
	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -errno;
	theirs = pair[1];
	r = bus_serve_fd(peer->event, pair[0], setup_main, peer, &peer->main);
	if (r < 0)
		return r;
	return sd_bus_call_method_async(peer->control, NULL, NULL, VIEWER_API_PATH, VIEWER_API_INTERFACE, "SetSource",
					on_answer, (void *)"source", "h", theirs);
}

static int do_text(struct peer *peer, const char *method, const char *args)
{
	char title[512] = "", detail[1024] = "", last[64] = "";
	const char *failed;
	int number;

	if (sscanf(args, "%511[^|]|%1023[^|]|%63[^\n]", title, detail, last) < 3)
		return -EINVAL;
	if (strcmp(method, "Close") == 0)
		return sd_bus_call_method_async(peer->control, NULL, NULL, VIEWER_API_PATH, VIEWER_API_INTERFACE,
						"Close", on_answer, (void *)"close", "ssu", title, detail,
						(uint32_t)strtoul(last, NULL, 10));
	failed = numbers(last, 1, &number);
	if (!failed)
		return -EINVAL;
	return sd_bus_call_method_async(peer->control, NULL, NULL, VIEWER_API_PATH, VIEWER_API_INTERFACE, "SetStatus",
					on_answer, (void *)"status", "ssib", title, detail, number,
					failed[0] == '|' && failed[1] == '1');
}

static int do_hello(struct peer *peer, const char *args)
{
	(void)args;
	return sd_bus_call_method_async(peer->control, NULL, NULL, VIEWER_API_PATH, VIEWER_API_INTERFACE, "Hello",
					on_answer, (void *)"hello", "u", VIEWER_API_VERSION);
}

static int do_state(struct peer *peer, const char *args)
{
	(void)args;
	return sd_bus_call_method_async(peer->control, NULL, NULL, VIEWER_API_PATH, VIEWER_API_INTERFACE, "Status",
					on_state, NULL, "");
}

static int do_clear(struct peer *peer, const char *args)
{
	(void)args;
	return sd_bus_call_method_async(peer->control, NULL, NULL, VIEWER_API_PATH, VIEWER_API_INTERFACE, "ClearSource",
					on_answer, (void *)"clear", "");
}

static int do_status(struct peer *peer, const char *args)
{
	return do_text(peer, "SetStatus", args);
}

static int do_close(struct peer *peer, const char *args)
{
	return do_text(peer, "Close", args);
}

static int do_size(struct peer *peer, const char *args)
{
	int size[2], r = -EINVAL;

	if (numbers(args, 2, size))
		r = make_pixels(peer, (uint32_t)size[0], (uint32_t)size[1]);

	if (r >= 0)
		send_scanout(peer);
	return r;
}

static int do_follow(struct peer *peer, const char *args)
{
	peer->follow = args[0] == '1';
	return 0;
}

static int do_fill(struct peer *peer, const char *args)
{
	int at[4];
	const char *colour = numbers(args, 4, at);

	if (!colour)
		return -EINVAL;
	fill(peer, (uint32_t)at[0], (uint32_t)at[1], (uint32_t)at[2], (uint32_t)at[3],
	     (uint32_t)strtoul(colour, NULL, 16));
	send_update(peer, at[0], at[1], at[2], at[3]);
	return 0;
}

static int do_noise(struct peer *peer, const char *args)
{
	peer->random = strtoul(args, NULL, 10);
	for (size_t i = 0; i < (size_t)peer->width * peer->height; i++)
		peer->pixels[i] = next_random(peer) & 0xffffff;
	send_update(peer, 0, 0, (int)peer->width, (int)peer->height);
	return 0;
}

static int do_churn(struct peer *peer, const char *args)
{
	sd_event_source_set_enabled(peer->churn, args[0] == '1' ? SD_EVENT_ON : SD_EVENT_OFF);
	if (args[0] != '1')
		send_update(peer, 0, 0, (int)peer->width, (int)peer->height);
	return 0;
}

static int do_cursor(struct peer *peer, const char *args)
{
	_cleanup_free_ uint32_t *argb = NULL;
	sd_bus_message *message = NULL;
	int size[2], r;
	const char *colour = numbers(args, 2, size);
	size_t n = colour ? (size_t)size[0] * (size_t)size[1] : 0;

	argb = calloc(n + 1, sizeof(*argb));
	if (!n || !argb)
		return -EINVAL;
	for (size_t i = 0; i < n; i++)
		argb[i] = (uint32_t)strtoul(colour, NULL, 16);
	r = sd_bus_message_new_method_call(peer->listener, &message, NULL, LISTENER, LISTENER_INTERFACE,
					   "CursorDefine");
	if (r >= 0)
		r = sd_bus_message_append(message, "iiii", size[0], size[1], 1, 2);
	if (r >= 0)
		r = sd_bus_message_append_array(message, 'y', argb, n * 4);
	if (r >= 0)
		r = sd_bus_send(peer->listener, message, NULL);
	sd_bus_message_unref(message);
	return r;
}

static int do_mouse(struct peer *peer, const char *args)
{
	int at[3];

	if (!numbers(args, 3, at))
		return -EINVAL;
	return sd_bus_call_method_async(peer->listener, NULL, NULL, LISTENER, LISTENER_INTERFACE, "MouseSet", NULL,
					NULL, "iii", at[0], at[1], at[2]);
}

static int do_stop(struct peer *peer, const char *args)
{
	return args[0] == '1' ? sd_bus_detach_event(peer->main)
			      : sd_bus_attach_event(peer->main, peer->event, SD_EVENT_PRIORITY_NORMAL);
}

static int do_drop(struct peer *peer, const char *args)
{
	(void)args;
	drop(peer);
	return 0;
}

static int do_dump(struct peer *peer, const char *args)
{
	return fs_write_atomic(args, peer->pixels, (size_t)peer->width * peer->height * 4, 0600);
}

static const struct {
	const char *name;
	int (*run)(struct peer *peer, const char *args);
	bool answers; /* by itself, later */
} commands[] = {
    {"hello", do_hello, true},  {"state", do_state, true},   {"clear", do_clear, true},  {"status", do_status, true},
    {"close", do_close, true},  {"source", do_source, true}, {"size", do_size, false},   {"follow", do_follow, false},
    {"fill", do_fill, false},   {"noise", do_noise, false},  {"churn", do_churn, false}, {"cursor", do_cursor, false},
    {"mouse", do_mouse, false}, {"stop", do_stop, false},    {"drop", do_drop, false},   {"dump", do_dump, false},
};

static void run_line(struct peer *peer, char *line)
{
	char *args = strchr(line, ' ');
	int r = -ENOSYS;

	if (args)
		*args++ = '\0';
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(commands[i].name, line) != 0)
			continue;
		r = commands[i].run(peer, args ? args : "");
		if (r >= 0 && !commands[i].answers)
			say("%s done", line);
	}
	if (r < 0)
		say("%s error %s", line, strerror(-r));
}

static int on_stdin(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct peer *peer = userdata;
	ssize_t n = read(fd, peer->line + peer->have, sizeof(peer->line) - 1 - peer->have);
	char *end;

	(void)events;
	if (n <= 0)
		return sd_event_exit(sd_event_source_get_event(source), 0);
	peer->have += (size_t)n;
	peer->line[peer->have] = '\0';
	while ((end = strchr(peer->line, '\n'))) {
		*end = '\0';
		run_line(peer, peer->line);
		peer->have -= (size_t)(end + 1 - peer->line);
		memmove(peer->line, end + 1, peer->have + 1);
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct peer peer = {.fd = -1, .random = 1};
	int r = argc == 2 ? sd_event_default(&peer.event) : -EINVAL;

	if (r >= 0)
		r = bus_connect(peer.event, argv[1], &peer.control);
	if (r >= 0)
		r = sd_bus_match_signal(peer.control, NULL, NULL, VIEWER_API_PATH, VIEWER_API_INTERFACE, NULL,
					on_signal, NULL);
	if (r >= 0)
		r = sd_event_add_io(peer.event, NULL, STDIN_FILENO, EPOLLIN, on_stdin, &peer);
	if (r >= 0)
		r = sd_event_add_time_relative(peer.event, &peer.churn, CLOCK_MONOTONIC, 0, 1, on_churn, &peer);
	if (r >= 0)
		r = sd_event_source_set_enabled(peer.churn, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_loop(peer.event);
	if (r < 0)
		fprintf(stderr, "display-peer: %s\n", strerror(-r));
	sd_event_source_unref(peer.churn);
	drop(&peer);
	sd_bus_close_unref(peer.control);
	sd_event_unref(peer.event);
	if (peer.pixels)
		munmap(peer.pixels, (size_t)peer.width * peer.height * 4);
	closep(&peer.fd);
	return r < 0;
}
