/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "guest-agent/abilities.h"

#include "common/cleanup.h"
#include "common/fs.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define OS_RELEASE_MAX 65536
#define SEARCH "/usr/sbin", "/usr/bin", "/sbin", "/bin"

static bool is_installed(const char *program)
{
	static const char *const directories[] = {SEARCH};
	char path[256];

	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", directories[i], program);
		if (access(path, X_OK) == 0)
			return true;
	}
	return false;
}

static bool has_systemd(void)
{
	return access("/run/systemd/system", F_OK) == 0;
}

static bool is_root(void)
{
	return geteuid() == 0;
}

/* Its X server is not ours to attach to (hotdesk-xorg.service stays away from it as well). */
static bool has_display_manager(void)
{
	return access("/etc/systemd/system/display-manager.service", F_OK) == 0;
}

static bool can_sign_in(void)
{
	return is_root() && has_systemd() && !has_display_manager() && is_installed("useradd") &&
	       is_installed("Xorg") &&
	       (access("/usr/lib/systemd/system/hotdesk-session@.service", R_OK) == 0 ||
		access("/lib/systemd/system/hotdesk-session@.service", R_OK) == 0);
}

static bool can_lock(void)
{
	return can_sign_in() && is_installed("xss-lock") && is_installed("i3lock");
}

static bool has_power(void)
{
	return is_root() && has_systemd();
}

static bool has_machine_id(void)
{
	return is_root() && access("/etc/machine-id", F_OK) == 0;
}

static bool always(void)
{
	return true;
}

static const struct {
	const char *name;
	bool (*is_there)(void);
	enum message_type requests[3];
} all[ABILITIES_MAX] = {
    {"size", always, {0}},
    {"sign-in", can_sign_in, {MESSAGE_SIGN_IN}},
    {"log-off", can_sign_in, {MESSAGE_LOG_OFF}},
    {"lock", can_lock, {MESSAGE_LOCK, MESSAGE_UNLOCK}},
    {"power", has_power, {MESSAGE_REBOOT, MESSAGE_POWER_OFF}},
    {"time", is_root, {MESSAGE_SET_TIME}},
    {"hostname", is_root, {MESSAGE_SET_HOSTNAME}},
    {"machine-id", has_machine_id, {MESSAGE_SET_MACHINE_ID}},
};

/* Its characters are the host's to show: printable, or a byte of UTF-8. */
static void take_os_name(const char *text, char *ret)
{
	const char *at = strstr(text, "PRETTY_NAME=");
	size_t used = 0;

	if (!at)
		return;
	at += strlen("PRETTY_NAME=");
	at += *at == '"';
	for (; *at && *at != '"' && *at != '\n' && used < OS_NAME_MAX - 1; at++)
		if (!iscntrl((unsigned char)*at))
			ret[used++] = *at;
	ret[used] = '\0';
}

void abilities_find(struct abilities *ret)
{
	_cleanup_free_ char *text = NULL;
	size_t n = 0;

	*ret = (struct abilities){.os = "Linux"};
	for (size_t i = 0; i < ABILITIES_MAX; i++)
		if (all[i].is_there())
			ret->names[n++] = all[i].name;
	if (fs_read_file("/etc/os-release", OS_RELEASE_MAX, &text, NULL) == 0)
		take_os_name(text, ret->os);
}

static const char *ability_for(enum message_type request)
{
	for (size_t i = 0; i < ABILITIES_MAX; i++)
		for (size_t j = 0; j < 3 && all[i].requests[j] != MESSAGE_UNKNOWN; j++)
			if (all[i].requests[j] == request)
				return all[i].name;
	return NULL;
}

bool abilities_have(const struct abilities *abilities, enum message_type request)
{
	const char *name = ability_for(request);

	for (size_t i = 0; name && abilities->names[i]; i++)
		if (strcmp(abilities->names[i], name) == 0)
			return true;
	return false;
}
