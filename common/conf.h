/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * hotdesk.conf: INI (inih), one table of section, key, type, range, default and help (conf_table.c), from which
 * `hotdesk check-config --help` and the man page are made. Unknown section or key, or a bad value: an error with file
 * and line.
 */
#ifndef COMMON_CONF_H
#define COMMON_CONF_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONF_DEFAULT_PATH "/etc/hotdesk/hotdesk.conf"

enum conf_id {
	CONF_RUNTIME_DIR,      /* [paths] runtime-dir = /run/hotdesk */
	CONF_STATE_DIR,        /* [paths] state-dir = /var/lib/hotdesk */
	CONF_GATE_LISTEN,      /* [gate] listen = [::]:5900 ; ADDRESS:PORT, comma separated */
	CONF_GATE_CERTIFICATE, /* [gate] certificate = (empty: own CA under state-dir/gate) PEM path */
	CONF_GATE_KEY,         /* [gate] key = PEM path */
	CONF_GATE_NAMES, /* [gate] names = extra DNS names/addresses for the own certificate's SAN, comma separated */
	CONF_GATE_MAX,   /* [gate] max-connections = 2000 */
	CONF_GATE_MAX_PER_ADDRESS, /* [gate] max-per-address = 200 */
	CONF_GATE_WAITING_SOFT, /* [gate] waiting-soft-cap = 256 : unauthenticated sockets above which some are dropped
				   at random */
	CONF_GATE_HANDSHAKE_SECONDS, /* [gate] handshake-timeout = 10 s */
	CONF_GATE_TYPING_SECONDS,    /* [gate] typing-timeout = 120 s */
	CONF_AUTH_SERVICE,           /* [auth] pam-service = hotdesk */
	CONF_AUTH_PAM_DIR,           /* [auth] pam-directory = (empty: system's) for pam_start_confdir(3) */
	CONF_AUTH_MAX_ATTEMPTS,      /* [auth] max-attempts = 32 processes at once */
	CONF_AUTH_TIMEOUT,           /* [auth] timeout = 60 s */
	CONF_AUTH_MIN_UID,           /* [auth] min-uid = 1000 ; uids below are refused (0 always unless allow-root) */
	CONF_AUTH_ALLOW_ROOT,        /* [auth] allow-root = no */
	CONF_USER_UID_FIRST,         /* [broker] user-uid-first = 200000 : for users unknown to NSS */
	CONF_USER_UID_COUNT,         /* [broker] user-uid-count = 100000 */
	CONF_CLIPBOARD_MAX,          /* [broker] clipboard-max = 8M : bytes of one text */
	CONF_ACCEL,                  /* [host] accel = auto | kvm | tcg */
	CONF_NETWORK,                /* [host] network = nat | none (default nat where nftables allow it) */
	CONF_READY_TIMEOUT, /* [host] ready-timeout = 300 s until a desktop without an agent's ready is shown as it is
			     */
	CONF_STOP_TIMEOUT,  /* [host] stop-timeout = 30 s of graceful stop before QEMU is killed */
	CONF_RUN_GATE,      /* [run-as] gate = (empty: the starter's user) name or number */
	CONF_RUN_AUTH,
	CONF_RUN_BROKER,
	CONF_RUN_HOST,
	CONF_RUN_VM_UID_FIRST, /* [run-as] vm-uid-first = 300000 ; slot N of a kind runs as first + N */
	CONF_RUN_VM_UID_COUNT, /* [run-as] vm-uid-count = 20000 */
	CONF_COUNT
};

enum conf_type { CONF_STRING, CONF_PATH, CONF_NUMBER, CONF_SECONDS, CONF_SIZE, CONF_BOOL, CONF_CHOICE };

/* In the order in which a row of the table reads. NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding) */
struct conf_key {
	enum conf_id id;
	const char *section, *name;
	enum conf_type type;
	const char *value;   /* the default, as text */
	int64_t min, max;    /* of CONF_NUMBER, CONF_SECONDS and CONF_SIZE */
	const char *choices; /* of CONF_CHOICE: "a|b|c" */
	const char *help;
};

/* CONF_COUNT rows, in order of enum conf_id. */
extern const struct conf_key conf_table[];

struct conf;

/*
 * path NULL: $HOTDESK_CONFIG, else CONF_DEFAULT_PATH where it exists, else all defaults. A path named that is not there
 * is an error. Durations: `90`, `90s`, `30m`, `2h`. Sizes, in bytes: `65536`, `64K`, `8M`, `1G`. Returns 0 or a
 * negative errno with err's text "FILE:LINE: ...".
 */
int conf_load(const char *path, struct conf **ret, struct error *err);
/* The same from memory (tests, fuzzing); `name` stands for the file in messages. */
int conf_parse(const char *name, const char *text, size_t size, struct conf **ret, struct error *err);
void conf_free(struct conf *conf);
void conf_freep(struct conf **conf);

/* Never fail: the table's type is asserted. Strings are the conf's, never NULL. */
const char *conf_string(const struct conf *conf, enum conf_id id);
int64_t conf_number(const struct conf *conf, enum conf_id id);
bool conf_bool(const struct conf *conf, enum conf_id id);

/* The configuration as INI with comments from the table (for `check-config` and the default file). Caller frees. */
char *conf_dump(const struct conf *conf);

#endif
