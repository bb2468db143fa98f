/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An error a person reads: a negative errno for the program and one sentence that says what to do next. */
#ifndef COMMON_ERROR_H
#define COMMON_ERROR_H

#define ERROR_TEXT_MAX 480 /* bytes with the NUL; longer texts are cut at a UTF-8 boundary */

struct error {
	int code; /* 0 or a negative errno */
	char text[ERROR_TEXT_MAX];
};

/* Fills err (may be NULL) and returns code, so that `return error_set(err, -EINVAL, "...")` is one line. */
int error_set(struct error *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* As error_set; ": " and strerror(-code) are appended. */
int error_set_errno(struct error *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Puts "PREFIX: " in front of the text of a filled err; returns its code. */
int error_prefix(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
