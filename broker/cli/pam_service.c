/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/cli/pam_service.h"

#include <stdio.h>
#include <string.h>

#define BLANKS " \t"

struct reading {
	struct pam_service service;
	unsigned auth_lines, permit_lines;
	void (*module)(const char *name, void *userdata);
	void *userdata;
};

/* The next word of a line, *at behind it; one in brackets is one word. Its length, 0 at the end. */
static size_t next_word(const char **at, const char *end, const char **ret)
{
	const char *word = *at;
	size_t length = 0;

	while (word < end && strchr(BLANKS, *word))
		word++;
	if (word < end && *word == '[') {
		while (word + length < end && word[length] != ']')
			length++;
		length += word + length < end;
	} else {
		while (word + length < end && !strchr(BLANKS, word[length]))
			length++;
	}
	*ret = word;
	*at = word + length;
	return length;
}

static bool is(const char *word, size_t length, const char *text)
{
	return length == strlen(text) && strncmp(word, text, length) == 0;
}

static bool is_include(const char *word, size_t length)
{
	return is(word, length, "include") || is(word, length, "substack");
}

/* TYPE CONTROL MODULE ...; false: it is none. */
static bool read_rule(struct reading *reading, const char *type, size_t type_length, const char *at, const char *end)
{
	const char *control, *module;
	size_t control_length = next_word(&at, end, &control), module_length = next_word(&at, end, &module);
	bool auth = is(type, type_length, "auth"), include = is_include(control, control_length);
	char name[PAM_MODULE_MAX];

	if (control_length == 0 || module_length == 0 || module_length >= sizeof(name))
		return false;
	snprintf(name, sizeof(name), "%.*s", (int)module_length, module);
	reading->service.auth |= auth;
	reading->service.account |= is(type, type_length, "account");
	reading->auth_lines += auth;
	reading->permit_lines += auth && !include && strcmp(name, "pam_permit.so") == 0;
	if (!include && reading->module)
		reading->module(name, reading->userdata);
	return true;
}

static bool read_line(struct reading *reading, const char *line, size_t length)
{
	static const char *const types[] = {"auth", "account", "password", "session"};
	const char *at = line, *end = line + length, *word;
	size_t size = next_word(&at, end, &word);

	if (size == 0)
		return true;
	if (is(word, size, "@include")) {
		reading->service.auth = reading->service.account = true;
		reading->auth_lines++;
		return true;
	}
	/* "-auth": no complaint where the module is missing. */
	if (*word == '-') {
		word++;
		size--;
	}
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (is(word, size, types[i]))
			return read_rule(reading, word, size, at, end);
	return false;
}

struct pam_service pam_service_read(const char *text, void (*module)(const char *name, void *userdata), void *userdata)
{
	struct reading reading = {.module = module, .userdata = userdata};
	bool continued = false;
	unsigned number = 0;

	while (*text) {
		size_t length = strcspn(text, "\n"), used = strcspn(text, "#\n");

		number++;
		/* What goes on from the line before holds arguments of a module. */
		if (!continued && !read_line(&reading, text, used) && reading.service.wrong_line == 0)
			reading.service.wrong_line = number;
		continued = length > 0 && text[length - 1] == '\\';
		text += length + (text[length] == '\n');
	}
	reading.service.anybody = reading.auth_lines > 0 && reading.auth_lines == reading.permit_lines;
	return reading.service;
}
