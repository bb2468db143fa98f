/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The rows of the broker's store: plain values without pointers, so that arrays of them are freed by free(). Times are
 * Unix seconds. */
#ifndef STORE_ROWS_H
#define STORE_ROWS_H

#include "host/host_api.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORE_NAME_SIZE 33      /* pool and image names with the NUL */
#define STORE_USER_SIZE 256     /* user and group names with the NUL */
#define STORE_TEXT_SIZE 512     /* reasons and events, with the NUL */
#define STORE_KEYBOARD_SIZE 48  /* XKB "LAYOUT" or "LAYOUT(VARIANT)" with the NUL */
#define STORE_GROUPS_SIZE 512   /* names of groups with commas, with the NUL */
#define STORE_PEER_SIZE 80      /* "ADDRESS PORT" with the NUL */
#define STORE_EVENTS_MAX 10000  /* older ones are dropped */
#define STORE_REFUSALS_MAX 2000 /* of refused logins, which push out no other event */
#define STORE_COPIES_MAX 10000  /* of copied texts, likewise */

enum pool_kind { POOL_FLOATING, POOL_DEDICATED };

/* Which way texts may be copied: from viewers into desktops, out of them. IN and OUT are bits. */
enum pool_clipboard {
	POOL_CLIPBOARD_NONE,
	POOL_CLIPBOARD_IN,
	POOL_CLIPBOARD_OUT,
	POOL_CLIPBOARD_BOTH = POOL_CLIPBOARD_IN | POOL_CLIPBOARD_OUT,
};

struct pool {
	char name[STORE_NAME_SIZE];
	char image[STORE_NAME_SIZE];
	enum pool_kind kind;
	uint32_t memory_mib, vcpus;
	uint32_t max;       /* desktops at most, spares included */
	uint32_t min_spare; /* desktops without an owner kept booted */
	char keyboard[STORE_KEYBOARD_SIZE];
	char guest_groups[STORE_GROUPS_SIZE]; /* of whoever signs in to a desktop, with commas */
	int64_t created;
	enum pool_clipboard clipboard;
	bool clipboard_primary; /* what is selected by mouse counts too */
	bool sound;             /* viewers may play what desktops play */
};

enum entitlement_kind { ENTITLED_USER, ENTITLED_GROUP };

struct entitlement {
	char pool[STORE_NAME_SIZE];
	enum entitlement_kind kind;
	char name[STORE_USER_SIZE];
};

/* What the host is told; a row that is wanted absent is deleted once the host has nothing of it. */
enum desktop_wanted { WANTED_RUNNING, WANTED_STOPPED, WANTED_ABSENT };

struct desktop_row {
	char id[HOST_DESKTOP_ID_MAX];
	uint32_t slot;
	char pool[STORE_NAME_SIZE];
	char owner[STORE_USER_SIZE]; /* "": a spare */
	char image[STORE_NAME_SIZE];
	uint32_t image_version;
	enum desktop_wanted wanted;
	uint32_t failures; /* starts that failed in a row */
	char reason[STORE_TEXT_SIZE];
	uint32_t width, height; /* last size, 0: none yet */
	int64_t created;
	uint32_t memory_mib, vcpus; /* the pool's when it was made */
};

/* Open: active (somebody watches) or disconnected. */
enum session_state { SESSION_ACTIVE, SESSION_DISCONNECTED, SESSION_ENDED };

struct session_row {
	int64_t id;
	char desktop[HOST_DESKTOP_ID_MAX];
	char user[STORE_USER_SIZE], full_name[STORE_USER_SIZE];
	uint32_t uid, gid; /* gid 0: none is known */
	int64_t started;
	enum session_state state;
	uint32_t boot; /* of the guest, in which her session was there last; 0: not yet */
};

struct viewer_row {
	uint32_t slot; /* of the display process */
	int64_t session;
	char desktop[HOST_DESKTOP_ID_MAX];
	char peer[STORE_PEER_SIZE];
	int64_t since;
};

struct event_row {
	int64_t id, time;
	char kind[STORE_NAME_SIZE];                                                      /* "login", "crash", ... */
	char user[STORE_USER_SIZE], desktop[HOST_DESKTOP_ID_MAX], pool[STORE_NAME_SIZE]; /* "" where none */
	char text[STORE_TEXT_SIZE];
};

/* Logins that were refused for one reason. */
struct refusal_row {
	int64_t time;
	uint32_t count;
	char user[STORE_USER_SIZE], address[STORE_PEER_SIZE], pool[STORE_NAME_SIZE]; /* "" where none */
	char reason[STORE_TEXT_SIZE];
};

/* Texts that were copied between one desktop and its viewers. */
struct copy_row {
	int64_t time;
	uint32_t count;
	int64_t bytes; /* in all */
	bool out;      /* of the desktop */
	char user[STORE_USER_SIZE], desktop[HOST_DESKTOP_ID_MAX], pool[STORE_NAME_SIZE];
};

/* The words of the enums in the database, JSON and on the command line; from_text returns -EINVAL for any other word.
 */
const char *pool_kind_text(enum pool_kind kind);
int pool_kind_from_text(const char *text, enum pool_kind *ret);
const char *pool_clipboard_text(enum pool_clipboard clipboard);
int pool_clipboard_from_text(const char *text, enum pool_clipboard *ret);
const char *entitlement_kind_text(enum entitlement_kind kind);
const char *desktop_wanted_text(enum desktop_wanted wanted);
const char *session_state_text(enum session_state state);

/* Pools and images: [a-z0-9][a-z0-9-]{0,31}. Desktops: [a-z0-9-]{1,48}. Users and groups: printable UTF-8, 1 to 255
 * bytes. */
bool name_is_valid(const char *name);
bool desktop_id_is_valid(const char *id);
bool user_is_valid(const char *name);

#endif
