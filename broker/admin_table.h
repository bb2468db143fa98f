/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The commands of `hotdesk`, one table shared by the CLI and the broker. Usage, help and the checks of arguments are
 * made of it. On the wire a command is "NOUN VERB" with a JSON object: one string for each argument or option given,
 * under its key; a flag is "yes"; a file is the index of its fd; KEY=VALUE pairs are an object of strings.
 */
#ifndef BROKER_ADMIN_TABLE_H
#define BROKER_ADMIN_TABLE_H

#include "common/error.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#define ADMIN_ARGUMENTS_MAX 3
#define ADMIN_OPTIONS_MAX 7
#define ADMIN_FILES_MAX 5

enum admin_kind {
	ADMIN_END,     /* behind the last one */
	ADMIN_NAME,    /* of a pool or an image */
	ADMIN_IMAGE,   /* NAME[:VERSION] */
	ADMIN_VERSION, /* NAME:VERSION, of an image */
	ADMIN_DESKTOP, /* id */
	ADMIN_NUMBER,  /* of a session */
	ADMIN_COUNT,   /* 0 to 9999 */
	ADMIN_USER,    /* of a user or group */
	ADMIN_TEXT,    /* up to 1000 bytes */
	ADMIN_FILE,    /* opened by the CLI for reading */
	ADMIN_PAIRS,   /* the rest: KEY=VALUE... */
	ADMIN_FLAG,    /* an option without a value */
};

struct admin_argument {
	enum admin_kind kind;
	const char *key;   /* in JSON; an option is --KEY */
	const char *label; /* in usage; NULL for a flag */
	const char *help;
	bool optional;
	const char *needs; /* key of the option that must come with this one */
};

enum admin_flags {
	ADMIN_LOCAL = 1 << 0,     /* done by the CLI without the broker */
	ADMIN_ONE_OF = 1 << 1,    /* exactly one of the options */
	ADMIN_POOL_KEYS = 1 << 2, /* help lists the keys of a pool */
	ADMIN_PROGRESS = 1 << 3,  /* tells how far it is */
	ADMIN_PRINTS = 1 << 4,    /* a text comes with the reply and is printed as it is */
	ADMIN_BUILDS =
	    1 << 5, /* the CLI builds an image and asks the broker by other commands; help lists a recipe's keys */
};

struct admin_command {
	const char *noun, *verb; /* verb NULL: the noun alone */
	struct admin_argument arguments[ADMIN_ARGUMENTS_MAX + 1], options[ADMIN_OPTIONS_MAX + 1];
	unsigned flags;
	const char *summary; /* one line */
	const char *help;    /* what else a person has to know; may be NULL */
};

/* Ends with a row whose noun is NULL; commands of a noun stand together. */
extern const struct admin_command admin_commands[];

/* NULL: none such. name: "pool create", as on the wire. */
const struct admin_command *admin_find(const char *noun, const char *verb);
const struct admin_command *admin_find_name(const char *name);

/* "pool create" into buffer; "hotdesk pool create NAME image=IMAGE [KEY=VALUE...]" as text the caller frees. */
void admin_command_name(const struct admin_command *command, char *buffer, size_t size);
char *admin_usage(const struct admin_command *command);

/* Help texts, caller frees: of one command; of a noun's commands or all (noun NULL). */
char *admin_help(const struct admin_command *command);
char *admin_help_list(const char *noun);

/*
 * Reads the words behind noun and verb; files stay paths. -EINVAL: err says what is wrong (the usage is the caller's to
 * add).
 */
int admin_parse(const struct admin_command *command, int argc, char *const *argv, struct json_object **ret,
		struct error *err);

/* Checks arguments as admin_parse makes them, of whatever origin; n_files SIZE_MAX: files are paths, else indexes below
 * it. */
int admin_check(const struct admin_command *command, struct json_object *arguments, size_t n_files, struct error *err);

/* The string under key, NULL when not given; true for a flag that is given. */
const char *admin_string(struct json_object *arguments, const char *key);
bool admin_given(struct json_object *arguments, const char *key);

/* The word of `words` (NULL-terminated) that is nearest to a mistyped one, or NULL when none is near. */
const char *admin_nearest(const char *word, const char *const *words);

#endif
