/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What hotdesk-host and hotdesk-broker may ask of hotdesk-spawn, over SOCK_SEQPACKET at RUNTIME_DIR/spawn/spawn.sock:
 * one request, one reply, in order, both of fixed size. The peer's uid (SO_PEERCRED) decides which kinds it may ask
 * for.
 */
#ifndef SPAWN_API_H
#define SPAWN_API_H

#include <stdint.h>

#define SPAWN_API_VERSION 1
#define SPAWN_ARGS_MAX 16384 /* bytes of argv, each word with its NUL; without argv[0] */
#define SPAWN_FDS_MAX 24
#define SPAWN_SLOTS_MAX 20000
#define SPAWN_TAG_MAX 64
#define SPAWN_TEXT_MAX 256
#define SPAWN_SOUND_PROGRAM "/usr/bin/pulseaudio"

enum spawn_kind {
	SPAWN_QEMU,    /* asked by host: /usr/bin/qemu-system-x86_64 */
	SPAWN_SCREEN,  /* asked by broker: hotdesk-screen beside hotdesk-spawn's own binary */
	SPAWN_DISPLAY, /* asked by broker: hotdesk-display */
	SPAWN_SOUND,   /* asked by broker: SPAWN_SOUND_PROGRAM, told by sd_listen_fds(3) that fd 3 is its socket */
	SPAWN_KINDS,
};

enum spawn_op {
	SPAWN_START = 1, /* kind, slot, tag, args, fds -> pid and a pidfd. -EEXIST while the slot's process lives */
	SPAWN_GET,       /* kind, slot -> pid, tag and a pidfd of the live process, or -ESRCH */
	SPAWN_SIGNAL,    /* kind, slot, signal (SIGTERM or SIGKILL) */
	SPAWN_STATUS,    /* -> flags, text: why there is no SPAWN_FLAG_NAT */
};

/* Flags of the reply to SPAWN_STATUS. */
#define SPAWN_FLAG_ROOT 1u /* children get uids of their own */
#define SPAWN_FLAG_NAT 2u  /* the nftables table is loaded: user networking is safe */

struct spawn_request {
	uint32_t version, op, kind, slot;
	int32_t signal;
	uint32_t n_fds;       /* sent along; in the child the first is fd 3, the second 4, ... */
	int32_t stderr_index; /* which of the fds becomes the child's stderr instead of spawn's own, -1: none. It keeps
				 its number too */
	char tag[SPAWN_TAG_MAX]; /* the caller's note, given back by SPAWN_GET (a desktop's or viewer's id) */
	uint32_t args_size;
	char args[SPAWN_ARGS_MAX];
};

struct spawn_reply {
	uint32_t version;
	int32_t result; /* 0 or -errno */
	uint32_t flags;
	int32_t pid;  /* START, GET: one pidfd comes with the message */
	uint32_t uid; /* what the child runs as */
	char tag[SPAWN_TAG_MAX];
	char text[SPAWN_TEXT_MAX]; /* the reason of a failure */
};

#endif
