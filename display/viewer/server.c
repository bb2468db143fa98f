/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/viewer/server.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/fs.h"
#include "common/log.h"
#include "display/viewer/cut_text.h"
#include "display/viewer/server_internal.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define INNER_BUFFER (64 * 1024) /* of the socketpair: libvncserver's lead over the main thread */
#define REPLAY_SIZE 18           /* version, list of one security type, result */

static void wake(int fd)
{
	uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		log_debug("waking a thread: %s", strerror(errno));
}

static __attribute__((format(printf, 1, 2))) void library_log(const char *format, ...)
{
	char text[512];
	va_list args;
	size_t length;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	length = strlen(text);
	while (length && text[length - 1] == '\n')
		text[--length] = '\0';
	log_debug("libvncserver: %s", text);
}

/* Written, and not yet taken by the main thread. */
static size_t server_untaken(struct server *server)
{
	int untaken = 0;

	return ioctl(server->outer, FIONREAD, &untaken) < 0 ? 0 : (size_t)untaken;
}

uint64_t server_written(struct server *server)
{
	return atomic_load(&server->moved) + server_untaken(server);
}

size_t server_unsent(struct server *server)
{
	return atomic_load(&server->queued) + server_untaken(server);
}

bool server_send(struct server *server, const void *data, size_t size)
{
	if (server->client->sock == RFB_INVALID_SOCKET)
		return false;
	if (rfbWriteExact(server->client, data, (int)size) > 0)
		return true;
	rfbCloseClient(server->client);
	return false;
}

/* The socket towards libvncserver is always empty here, and a message is short: it fits. */
static void server_pass(struct server *server, const struct filter_message *message)
{
	if (write(server->outer, message->bytes, message->size) == (ssize_t)message->size)
		rfbProcessClientMessage(server->client);
	else
		rfbCloseClient(server->client);
}

static void server_echo(struct server *server, uint32_t number)
{
	pace_echo(&server->pace, number, clock_usec());
	if (number == server->flow_fence)
		sound_flow_answered(&server->flow);
}

static void server_fence(struct server *server, const struct filter_message *message)
{
	uint8_t reply[9 + FILTER_FENCE_MAX] = {SERVER_FENCE};

	if (!(message->flags & FENCE_REQUEST)) {
		if (message->payload_size == 4)
			server_echo(server, get_u32(message->payload));
		return;
	}
	put_u32(reply + 4, message->flags & FENCE_KNOWN);
	reply[8] = (uint8_t)message->payload_size;
	memcpy(reply + 9, message->payload, message->payload_size);
	server_send(server, reply, 9 + message->payload_size);
}

static void server_handle(struct server *server, const struct filter_message *message)
{
	switch (message->type) {
	case FILTER_CLIENT_INIT:
		update_begin(server);
		server_pass(server, message);
		break;
	case FILTER_RFB:
		server_pass(server, message);
		server->cursor_due = true; /* its pixels are in the viewer's format */
		break;
	case FILTER_ENCODINGS:
		server_pass(server, message);
		update_features(server, message->features);
		break;
	case FILTER_REQUEST:
		/* Outside of the picture libvncserver would make regions without width of it. */
		if (message->area.x >= server->screen->width || message->area.y >= server->screen->height)
			break;
		server_pass(server, message);
		sound_flow_answered(&server->flow);
		update_requested(server, message);
		break;
	case FILTER_FENCE:
		server_fence(server, message);
		break;
	case FILTER_CONTINUOUS:
		update_continuous(server, message);
		break;
	case FILTER_SIZE:
		update_size_asked(server, message);
		break;
	case FILTER_NONE:
	case FILTER_KEY:
	case FILTER_POINTER:
	case FILTER_CUT_TEXT:
	case FILTER_SOUND:
		break;
	}
}

/* Here, where it may take its time. */
static void server_text(struct server *server, const struct inbox_item *item)
{
	_cleanup_free_ uint8_t *message = NULL;
	size_t size = 0;

	if (item->kind == INBOX_PLAIN) {
		server_send(server, item->text, item->text_size);
		return;
	}
	message = item->kind == INBOX_PROVIDE ? cut_text_provide(item->text, item->text_size, &size)
					      : cut_text_latin1(item->text, item->text_size, &size);
	if (message)
		server_send(server, message, size);
}

static bool server_alive(struct server *server)
{
	return !atomic_load(&server->stop) && server->client->sock != RFB_INVALID_SOCKET;
}

static void server_read_inbox(struct server *server)
{
	bool any = false;

	while (server_alive(server)) {
		__attribute__((cleanup(inbox_item_freep))) struct inbox_item *item = inbox_pop(&server->inbox);

		if (!item)
			break;
		any = true;
		if (item->kind == INBOX_NO_TEXT)
			server_handle(server, &item->message);
		else
			server_text(server, item);
	}
	if (any)
		wake(server->main_wake_fd);
}

static void server_sleep(struct server *server)
{
	struct pollfd pfd = {.fd = server->wake_fd, .events = POLLIN};
	int64_t wait = update_wait(server);
	uint64_t count;

	if (poll(&pfd, 1, wait < 0 ? -1 : (int)(wait / 1000 + 1)) > 0 &&
	    read(server->wake_fd, &count, sizeof(count)) < 0)
		log_debug("reading the wake-up: %s", strerror(errno));
}

static void *server_run(void *userdata)
{
	struct server *server = userdata;

	while (server_alive(server)) {
		server_read_inbox(server);
		if (!server_alive(server))
			break;
		server_sound_step(server);
		if (server->client->state != RFB_NORMAL || !update_step(server))
			server_sleep(server);
	}
	if (server->client->sock != RFB_INVALID_SOCKET)
		rfbCloseClient(server->client);
	wake(server->main_wake_fd);
	return NULL;
}

/* Security was done by the gate: libvncserver gets "RFB 3.8, type None" as if a viewer had said it, and what it answers
 * is checked. */
static int server_replay(struct server *server, int inner)
{
	static const char said[] = "RFB 003.008\n\x01";
	static const uint8_t expected[] = {1, 1, 0, 0, 0, 0};
	uint8_t answer[REPLAY_SIZE + 1];

	/* Before rfbNewClient: it would wait 100 ms for a web socket's greeting otherwise. */
	if (write(server->outer, said, sizeof(said) - 1) != sizeof(said) - 1) {
		close(inner);
		return -EIO;
	}
	server->client = rfbNewClient(server->screen, inner);
	if (!server->client)
		return -EIO;
	for (int i = 0; i < 2 && server->client->sock != RFB_INVALID_SOCKET; i++)
		rfbProcessClientMessage(server->client);
	if (recv(server->outer, answer, sizeof(answer), MSG_DONTWAIT) != REPLAY_SIZE ||
	    memcmp(answer + 12, expected, sizeof(expected)) != 0)
		return -EPROTO;
	return 0;
}

static int server_make_screen(struct server *server, const struct server_config *config)
{
	rfbScreenInfoPtr screen;

	rfbLog = rfbErr = library_log;
	screen = rfbGetScreen(NULL, NULL, config->width, config->height, 8, 3, 4);
	if (!screen)
		return -ENOMEM;
	server->screen = screen;
	screen->port = screen->ipv6port = screen->udpPort = 0;
	screen->httpDir = NULL;
	screen->permitFileTransfer = FALSE;
	screen->alwaysShared = TRUE;
	screen->deferUpdateTime = 0;
	screen->maxRectsPerUpdate = 0;      /* else it would send the box around them all */
	screen->maxClientWait = INT_MAX;    /* a viewer may pause; the gate decides when it is gone */
	screen->cursor = NULL;              /* pointers are rectangles of our own */
	screen->desktopName = server->name; /* only read */
	update_format(screen);
	server->framebuffer = calloc((size_t)config->width * (size_t)config->height, sizeof(*server->framebuffer));
	screen->frameBuffer = (char *)server->framebuffer;
	return server->framebuffer ? 0 : -ENOMEM;
}

static int server_start(struct server *server, const struct server_config *config)
{
	int pair[2], size = INNER_BUFFER, r;

	server->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (server->wake_fd < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	server->outer = pair[0];
	setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	r = server_make_screen(server, config);
	if (r < 0) {
		close(pair[1]);
		return r;
	}
	r = server_replay(server, pair[1]);
	if (r < 0)
		return r;
	r = fd_set_nonblock(server->outer, 1);
	if (r < 0)
		return r;
	r = -pthread_create(&server->thread, NULL, server_run, server);
	server->started = r == 0;
	return r;
}

int server_new(const struct server_config *config, struct surface *surface, struct server **ret, struct error *err)
{
	struct server *server = calloc(1, sizeof(*server));
	int r;

	if (!server)
		return error_set_errno(err, -ENOMEM, "preparing RFB");
	server->surface = surface;
	server->name = config->name;
	server->main_wake_fd = config->main_wake_fd;
	server->wake_fd = server->outer = -1;
	inbox_init(&server->inbox);
	sound_queue_init(&server->sound);
	pace_init(&server->pace);
	letterbox_fit(&server->box, config->width, config->height, config->width, config->height);
	r = server_start(server, config);
	if (r < 0) {
		server_free(server);
		return error_set_errno(err, r, "preparing RFB");
	}
	*ret = server;
	return 0;
}

static void server_free_screen(struct server *server)
{
	if (server->client)
		rfbClientConnectionGone(server->client);
	if (server->screen)
		rfbScreenCleanup(server->screen);
	free(server->framebuffer);
}

void server_free(struct server *server)
{
	if (!server)
		return;
	if (server->started) {
		atomic_store(&server->stop, true);
		shutdown(server->outer, SHUT_RDWR);
		wake(server->wake_fd);
		pthread_join(server->thread, NULL);
	}
	server_free_screen(server);
	surface_state_done(&server->state);
	inbox_done(&server->inbox);
	sound_queue_done(&server->sound);
	closep(&server->outer);
	closep(&server->wake_fd);
	free(server);
}

int server_output_fd(const struct server *server)
{
	return server->outer;
}

int server_post(struct server *server, const struct filter_message *message)
{
	int r = inbox_push(&server->inbox, message);

	if (r == 0)
		wake(server->wake_fd);
	return r;
}

void server_send_text(struct server *server, enum inbox_text kind, char *text, size_t size)
{
	if (inbox_push_text(&server->inbox, kind, text, size) == 0)
		wake(server->wake_fd);
}

bool server_crowded(struct server *server)
{
	return inbox_crowded(&server->inbox);
}

void server_output_moved(struct server *server, size_t read, size_t queued)
{
	atomic_fetch_add(&server->moved, read);
	atomic_store(&server->queued, queued);
	if (queued == 0 && atomic_exchange(&server->wants_output, false))
		wake(server->wake_fd);
}

void server_wake(struct server *server)
{
	wake(server->wake_fd);
}
