/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The broker's neighbours in the test's own process: host, auth and spawn behind their clients' functions, displays and
 * screens as D-Bus servers on the sockets they were given. They outlive a broker, so that its restart can be tested.
 */
#ifndef BROKER_FAKES_H
#define BROKER_FAKES_H

#include "common/spawn_client.h"
#include "host/host_client.h"

#include <stdbool.h>
#include <stddef.h>

struct fake_process {
	bool alive;
	int generation; /* counts the starts in this slot */
	char tag[SPAWN_TAG_MAX];
	char arguments[1024];        /* of its start, each behind a space */
	char title[64], detail[512]; /* display: last SetStatus or Close */
	bool failed, closed;
	bool source;                     /* display or screen: has one */
	unsigned n_displays;             /* screen: AddDisplay calls */
	bool vdagent;                    /* screen: has the port */
	unsigned n_vdagents;             /* screen: SetVdagent calls */
	uint32_t allowed, clipboard_max; /* screen: last SetClipboard */
	unsigned n_policies;             /* screen: SetClipboard calls */
	unsigned n_sounds;               /* display or screen: SetSound calls; screen: ClearSound too */
	bool sound;                      /* display: allowed; screen: has a daemon to play into */
	int sound_fd;                    /* of the last SetSound; -1: none */
	bool listens;                    /* display: its viewer has sound on, which it says when it is allowed */
};

void fakes_new(sd_event *event);
void fakes_free(void);

/* Alive or not, of the last start in that slot. */
struct fake_process *fake_process(enum spawn_kind kind, uint32_t slot);
size_t fake_processes(enum spawn_kind kind);
void fake_kill(enum spawn_kind kind, uint32_t slot);

/* Screens that start from now on know nothing of clipboards. */
void fake_screens_lack_clipboards(void);
/* The next calls of SetVdagent and SetClipboard fail, so many of each. */
void fake_screen_refuses(unsigned n_vdagents, unsigned n_policies);
void fake_screen_loses_vdagent(uint32_t slot);
void fake_screen_copied(uint32_t slot, uint32_t direction, uint32_t bytes);

/* The viewer of a display switches sound on or off. */
void fake_display_listens(uint32_t slot, bool listens);
/* The listening socket of a desktop's PulseAudio. */
int fake_sound_socket(uint32_t slot);
/* The next starts of PulseAudio fail, and the next calls of a screen's SetSound, so many of each. */
void fake_sound_refuses(unsigned n_starts, unsigned n_screens);
void fake_no_pulseaudio(void);

/* The state of a wanted set that the host has not begun with; "": there is none. */
const char *fake_host_wants(const char *id);
/* "" where the host has nothing of it. Starts fail with this reason from now on; NULL: they work. */
const char *fake_host_state(const char *id);
void fake_host_fail(const char *reason);
/* QEMU died ("crash") or the guest shut down ("guest-shutdown"). */
void fake_host_stopped(const char *id, const char *cause);
size_t fake_host_desktops(void);
/* The vdagent ports asked for; the next ones are refused, so many. */
unsigned fake_host_vdagents(void);
void fake_host_refuse_vdagents(unsigned n);
void fake_host_leave(void);
void fake_host_return(void);

void fake_host_reset(void);

/* Agents of desktops that are cloned from now on sign users in. */
void fake_agents(bool there);
/* Requests fail from now on with this reason, or as if the agent were away; NULL and false: they succeed. */
void fake_agents_refuse(const char *reason, bool passing);
unsigned fake_agent_requests(void);
const char *fake_agent_request(void); /* the last one */
const char *fake_agent_person(void);  /* of the last sign-in, as JSON */
/* The guest says what has become of its session. */
void fake_guest_session(const char *id, const char *state);
void fake_guest_user(const char *id, uint32_t uid, const char *state, const char *reason);
void fake_guest_reboots(const char *id);
void fake_guest_is_up(const char *id);
/* The host has not heard of the agent since it was restarted itself; what the guest does goes on. */
void fake_agent_silent(const char *id, bool silent);

/* Answers of auth are held back, or given now. The number of attempts under way. */
void fake_auth_hold(bool hold);
size_t fake_auth_attempts(void);

#endif
