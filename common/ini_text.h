/* SPDX-License-Identifier: GPL-3.0-or-later */
/* INI text (inih) as pairs, with errors that name file and line: for the configuration and the recipes of images. */
#ifndef COMMON_INI_TEXT_H
#define COMMON_INI_TEXT_H

#include "common/error.h"

#include <stddef.h>

/*
 * One `name = value` of [section], "" before the first. A value that goes on in indented lines comes once for each.
 * 0, or a negative errno with err's text, which ends the reading.
 */
typedef int (*ini_text_fn)(const char *section, const char *name, const char *value, void *userdata, struct error *err);

/* text[size] is a NUL; `name` stands for the file in messages. 0 or a negative errno with err's text "NAME:LINE: ...".
 */
int ini_text_read(const char *name, const char *text, size_t size, ini_text_fn pair, void *userdata, struct error *err);

#endif
