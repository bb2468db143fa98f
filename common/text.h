/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Text of strangers that a terminal, a log, a person or a program will see: UTF-8 (RFC 3629). */
#ifndef COMMON_TEXT_H
#define COMMON_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The length of the well-formed sequence that the bytes begin with, and its code point; 0 when it is none. */
size_t text_decode(const char *bytes, size_t size, uint32_t *ret);

/* Makes bytes well-formed in their place: each that is no part of a sequence, and each NUL, becomes '?'. */
void text_mend(char *text, size_t size);

/* Well-formed, and without control characters (C0, DEL, C1), line separators and the marks that turn the direction. */
bool text_is_printable(const char *text);

/* Copies what fits of whole characters; what text_is_printable would not pass becomes a blank. text may be NULL. */
void text_copy_printable(const char *text, char *ret, size_t size);

#endif
