/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/admin_table.h"

#include <stdio.h>
#include <string.h>

const struct admin_command admin_commands[] = {
    {
	.noun = "image",
	.verb = "build",
	.arguments =
	    {
		{ADMIN_NAME, "name", "NAME", "Name of the image; one that is there gets a new version.", false, NULL},
	    },
	.options =
	    {
		{ADMIN_USER, "recipe", "RECIPE",
		 "debian-12-icewm, debian-12-xfce, or the path of a recipe file. Default: debian-12-icewm", true, NULL},
		{ADMIN_FLAG, "publish", NULL, "Let new desktops use it at once.", true, NULL},
		{ADMIN_FILE, "agent-deb", "FILE",
		 "Package of hotdesk-agent to put in. Default: the one of this release", true, NULL},
		{ADMIN_FILE, "to", "DIRECTORY", "Write disk, kernel and initrd there; nothing is imported.", true,
		 NULL},
	    },
	.flags = ADMIN_BUILDS,
	.summary = "Build a golden image from a recipe and copy it in",
	.help =
	    "Made of this machine's apt sources, as root or with user namespaces. Ctrl-C leaves nothing. Its log is "
	    "kept: `hotdesk image log`.",
    },
    {
	.noun = "image",
	.verb = "update",
	.arguments =
	    {
		{ADMIN_NAME, "name", "NAME", "Name of an image that `hotdesk image build` made.", false, NULL},
	    },
	.options =
	    {
		{ADMIN_FLAG, "publish", NULL, "Let new desktops use it at once.", true, NULL},
		{ADMIN_FILE, "agent-deb", "FILE",
		 "Package of hotdesk-agent to put in. Default: the one of this release", true, NULL},
	    },
	.flags = ADMIN_BUILDS,
	.summary = "Build an image's next version by its recipe, with the newest packages",
    },
    {
	.noun = "image",
	.verb = "import",
	.arguments =
	    {
		{ADMIN_NAME, "name", "NAME", "Name of the image; one that is there gets a new version.", false, NULL},
		{ADMIN_FILE, "file", "FILE", "The disk: a qcow2 file without a backing file.", false, NULL},
	    },
	.options =
	    {
		{ADMIN_FILE, "kernel", "FILE", "Kernel for direct boot; an uncompressed vmlinux boots fastest.", true,
		 "initrd"},
		{ADMIN_FILE, "initrd", "FILE", "Its initrd.", true, "kernel"},
		{ADMIN_TEXT, "append", "TEXT", "The kernel's command line.", true, "kernel"},
		{ADMIN_FILE, "recipe", "FILE", "Kept with the version: what it was built from.", true, "recipe-name"},
		{ADMIN_USER, "recipe-name", "NAME", "The recipe's name, as `hotdesk image list` shows it.", true,
		 "recipe"},
		{ADMIN_FILE, "log", "FILE", "Kept with the version: how it was built.", true, NULL},
		{ADMIN_FLAG, "no-publish", NULL, "Only copy it in: `hotdesk image publish` makes desktops use it.",
		 true, NULL},
	    },
	.flags = ADMIN_PROGRESS,
	.summary = "Copy a golden image in and publish it",
	.help = "The file is read, checked and copied; it is not needed afterwards. Desktops that are there keep their "
		"version.",
    },
    {
	.noun = "image",
	.verb = "list",
	.summary = "List images and their versions",
    },
    {
	.noun = "image",
	.verb = "show",
	.arguments =
	    {
		{ADMIN_NAME, "name", "NAME", "Name of the image.", false, NULL},
	    },
	.summary = "Show an image's versions and the pools that use it",
    },
    {
	.noun = "image",
	.verb = "publish",
	.arguments =
	    {
		{ADMIN_VERSION, "name", "NAME:VERSION", "The version that new desktops are made from.", false, NULL},
	    },
	.flags = ADMIN_PROGRESS,
	.summary = "Let new desktops use a version of an image",
	.help =
	    "Its files are read and compared with the sums that were taken at the import; a damaged one is refused. "
	    "Desktops that are there keep their version.",
    },
    {
	.noun = "image",
	.verb = "rollback",
	.arguments =
	    {
		{ADMIN_NAME, "name", "NAME", "Name of the image.", false, NULL},
	    },
	.flags = ADMIN_PROGRESS,
	.summary = "Publish the version that was published before",
	.help = "Once more goes back by one more. What was left is published again by `hotdesk image publish` alone.",
    },
    {
	.noun = "image",
	.verb = "verify",
	.arguments =
	    {
		{ADMIN_VERSION, "name", "NAME:VERSION", "The version to read.", false, NULL},
	    },
	.flags = ADMIN_PROGRESS,
	.summary = "Check that an image's files are those that were imported",
    },
    {
	.noun = "image",
	.verb = "prune",
	.arguments =
	    {
		{ADMIN_NAME, "name", "NAME", "Name of the image.", false, NULL},
	    },
	.options =
	    {
		{ADMIN_COUNT, "keep", "N", "How many of the newest versions to keep. Default: 3", true, NULL},
	    },
	.summary = "Delete old versions of an image that nobody needs",
	.help = "The published version and those that desktops use are kept in any case.",
    },
    {
	.noun = "image",
	.verb = "recipe",
	.arguments =
	    {
		{ADMIN_IMAGE, "name", "NAME[:VERSION]", "Name of the image; without a version, the newest.", false,
		 NULL},
	    },
	.flags = ADMIN_PRINTS,
	.summary = "Print the recipe that an image was built from",
    },
    {
	.noun = "image",
	.verb = "log",
	.arguments =
	    {
		{ADMIN_IMAGE, "name", "NAME[:VERSION]", "Name of the image; without a version, the newest.", false,
		 NULL},
	    },
	.flags = ADMIN_PRINTS,
	.summary = "Print the log of building an image",
    },
    {
	.noun = "image",
	.verb = "delete",
	.arguments =
	    {
		{ADMIN_IMAGE, "name", "NAME[:VERSION]", "Name of the image; with a version, that one alone.", false,
		 NULL},
	    },
	.summary = "Delete an image or one version of it",
	.help = "Refused while a pool or a desktop needs it, and for the published version while there are others.",
    },
    {
	.noun = "pool",
	.verb = "create",
	.arguments =
	    {
		{ADMIN_NAME, "name", "NAME", "Name of the pool.", false, NULL},
		{ADMIN_PAIRS, "keys", "image=IMAGE [KEY=VALUE]",
		 "The golden image, and settings that differ from their defaults.", false, NULL},
	    },
	.flags = ADMIN_POOL_KEYS,
	.summary = "Make a pool of desktops from an image",
    },
    {
	.noun = "pool",
	.verb = "list",
	.summary = "List pools with their desktops",
    },
    {
	.noun = "pool",
	.verb = "show",
	.arguments =
	    {
		{ADMIN_NAME, "name", "NAME", "Name of the pool.", false, NULL},
	    },
	.summary = "Show a pool's settings and who is entitled",
    },
    {
	.noun = "pool",
	.verb = "set",
	.arguments =
	    {
		{ADMIN_NAME, "name", "NAME", "Name of the pool.", false, NULL},
		{ADMIN_PAIRS, "keys", "KEY=VALUE", "Settings to change.", false, NULL},
	    },
	.flags = ADMIN_POOL_KEYS,
	.summary = "Change a pool's settings",
	.help = "New desktops get them; those that are there keep what they were made with, but for those of clipboard "
		"and sound.",
    },
    {
	.noun = "pool",
	.verb = "delete",
	.arguments =
	    {
		{ADMIN_NAME, "name", "NAME", "Name of the pool.", false, NULL},
	    },
	.summary = "Delete a pool and its spares",
	.help = "Refused while users have desktops in it.",
    },
    {
	.noun = "pool",
	.verb = "entitle",
	.arguments =
	    {
		{ADMIN_NAME, "name", "NAME", "Name of the pool.", false, NULL},
	    },
	.options =
	    {
		{ADMIN_USER, "user", "USER", "A user's name, as the login knows it.", true, NULL},
		{ADMIN_USER, "group", "GROUP", "A group's name: all its members.", true, NULL},
	    },
	.flags = ADMIN_ONE_OF,
	.summary = "Let a user or a group log in to a pool",
    },
    {
	.noun = "pool",
	.verb = "revoke",
	.arguments =
	    {
		{ADMIN_NAME, "name", "NAME", "Name of the pool.", false, NULL},
	    },
	.options =
	    {
		{ADMIN_USER, "user", "USER", "A user's name, as the login knows it.", true, NULL},
		{ADMIN_USER, "group", "GROUP", "A group's name: all its members.", true, NULL},
	    },
	.flags = ADMIN_ONE_OF,
	.summary = "Take an entitlement back",
	.help = "Sessions that are open go on; the next login is refused.",
    },
    {
	.noun = "desktop",
	.verb = "list",
	.options =
	    {
		{ADMIN_NAME, "pool", "POOL", "Those of one pool.", true, NULL},
		{ADMIN_USER, "user", "USER", "Those of one user.", true, NULL},
	    },
	.summary = "List desktops and what they do",
    },
    {
	.noun = "desktop",
	.verb = "show",
	.arguments =
	    {
		{ADMIN_DESKTOP, "id", "ID", "Desktop, as `hotdesk desktop list` shows it.", false, NULL},
	    },
	.summary = "Show all about one desktop",
    },
    {
	.noun = "desktop",
	.verb = "stop",
	.arguments =
	    {
		{ADMIN_DESKTOP, "id", "ID", "Desktop, as `hotdesk desktop list` shows it.", false, NULL},
	    },
	.options =
	    {
		{ADMIN_FLAG, "force", NULL, "Switch off at once instead of asking the guest.", true, NULL},
	    },
	.summary = "End the session and stop the desktop",
	.help = "A floating desktop is removed with its files; a dedicated one is kept and starts at the next login.",
    },
    {
	.noun = "desktop",
	.verb = "delete",
	.arguments =
	    {
		{ADMIN_DESKTOP, "id", "ID", "Desktop, as `hotdesk desktop list` shows it.", false, NULL},
	    },
	.options =
	    {
		{ADMIN_FLAG, "yes", NULL, "Confirms that all files of the desktop may be gone for ever.", false, NULL},
	    },
	.summary = "Delete a desktop with its files",
    },
    {
	.noun = "session",
	.verb = "list",
	.summary = "List open sessions and their viewers",
    },
    {
	.noun = "session",
	.verb = "kill",
	.arguments =
	    {
		{ADMIN_NUMBER, "id", "ID", "Session, as `hotdesk session list` shows it.", false, NULL},
	    },
	.summary = "End a session as by log-off",
    },
    {
	.noun = "host",
	.verb = "show",
	.summary = "Show what this machine offers to desktops",
    },
    {
	.noun = "status",
	.summary = "Show what runs: programs, desktops, sessions",
    },
    {
	.noun = "cert",
	.verb = "show",
	.flags = ADMIN_LOCAL,
	.summary = "Show the certificate that viewers are shown, and when it ends",
    },
    {
	.noun = "cert",
	.verb = "renew",
	.flags = ADMIN_LOCAL,
	.summary = "Make a new key and certificate, signed by the own CA",
	.help =
	    "The CA stays, so viewers need nothing new. With [gate] certificate in the configuration it is refused: "
	    "renew those files where they come from.",
    },
    {
	.noun = "cert",
	.verb = "export-ca",
	.arguments =
	    {
		{ADMIN_FILE, "file", "FILE", "Where to write it. Default: standard output", true, NULL},
	    },
	.options =
	    {
		{ADMIN_FLAG, "force", NULL, "Replace FILE if it is there.", true, "file"},
	    },
	.flags = ADMIN_LOCAL,
	.summary = "Print the own CA's certificate, which viewers are to trust",
    },
    {
	.noun = "doctor",
	.options =
	    {
		{ADMIN_USER, "user", "NAME",
		 "Also try this user's login; the password is asked for, or read from standard input.", true, NULL},
		{ADMIN_FLAG, "all", NULL, "Read the images that are not published too.", true, NULL},
	    },
	.flags = ADMIN_LOCAL,
	.summary = "Look for what is wrong on this machine, and say what to do",
	.help =
	    "A line for each finding: ok, note or problem. Exits 0 without a problem, 1 with one. It changes nothing; "
	    "as root it sees most. Published images are read as a whole.",
    },
    {
	.noun = "check-config",
	.arguments =
	    {
		{ADMIN_FILE, "file", "FILE", "Instead of the file that --config names.", true, NULL},
	    },
	.flags = ADMIN_LOCAL,
	.summary = "Check the configuration file and print what is in force",
    },
    {.noun = NULL},
};

static bool same(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

const struct admin_command *admin_find(const char *noun, const char *verb)
{
	for (const struct admin_command *command = admin_commands; command->noun; command++)
		if (same(command->noun, noun) && same(command->verb, verb))
			return command;
	return NULL;
}

void admin_command_name(const struct admin_command *command, char *buffer, size_t size)
{
	snprintf(buffer, size, "%s%s%s", command->noun, command->verb ? " " : "", command->verb ? command->verb : "");
}

const struct admin_command *admin_find_name(const char *name)
{
	for (const struct admin_command *command = admin_commands; command->noun; command++) {
		char full[64];

		admin_command_name(command, full, sizeof(full));
		if (strcmp(full, name) == 0)
			return command;
	}
	return NULL;
}
