/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/cli/recipe.h"

const struct recipe_key recipe_table[] = {
    {RECIPE_RELEASE, RECIPE_WORD, "image", "release", NULL, "-", 0, 0,
     "Code name of the Debian release, such as bookworm."},
    {RECIPE_PACKAGES, RECIPE_WORDS, "image", "packages", "", "+-.", 0, 0,
     "Packages beside those that every image has; may be given again, or go on in indented lines."},
    {RECIPE_DESKTOP, RECIPE_WORD, "image", "desktop", "x-session-manager", "_.+-/", 0, 0,
     "Command of the desktop in a session, such as startxfce4."},
    {RECIPE_LOCALE, RECIPE_WORD, "image", "locale", "C.UTF-8", "_.@-", 0, 0, "Locale, such as en_US.UTF-8."},
    {RECIPE_TIMEZONE, RECIPE_WORD, "image", "timezone", "Etc/UTC", "_+-/", 0, 0, "Time zone, such as Europe/Vienna."},
    {RECIPE_KEYBOARD, RECIPE_WORD, "image", "keyboard", "us", "_-()", 0, 0,
     "XKB layout: LAYOUT or LAYOUT(VARIANT), such as de(nodeadkeys)."},
    {RECIPE_DISK_SIZE, RECIPE_SIZE, "image", "disk-size", "16G", NULL, 4096, 2097152,
     "Size of the disk; only what is written takes room."},
    {RECIPE_KERNEL_OPTIONS, RECIPE_WORDS, "image", "kernel-options", "", "_.,:=/+-@", 0, 0,
     "Added to the kernel's command line."},
    {RECIPE_APT_SOURCE, RECIPE_TEXT, "image", "apt-source", "", NULL, 0, 0,
     "Line for /etc/apt/sources.list inside, and for the build where the machine has no source of the release. Empty: "
     "none of the machine's sources is left inside."},
    {RECIPE_COPY, RECIPE_FILES, "files", "copy", "", NULL, 0, 0,
     "File to copy in, for each a line: its path from the recipe's directory, the absolute path inside, and the mode "
     "(644)."},
    {RECIPE_RUN, RECIPE_PATHS, "scripts", "run", "", NULL, 0, 0,
     "Script to run inside as root after all else, for each a line: its path from the recipe's directory."},
};
