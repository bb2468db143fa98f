/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/gate/handshake.h"

#include <arpa/inet.h>
#include <string.h>

#define SECURITY_VENCRYPT 19
#define VENCRYPT_X509PLAIN 262
#define REASON_MAX 400

static const char old_viewer[] =
    "This viewer speaks an old version of RFB: use one with RFB 3.8 and VeNCrypt, such as TigerVNC.";
static const char no_vencrypt[] =
    "Only VeNCrypt (X509Plain) is offered: use a viewer with TLS and user names, such as TigerVNC.";

static void put(struct handshake *handshake, const void *data, size_t size)
{
	if (size > sizeof(handshake->out) - handshake->out_size)
		return;
	memcpy(handshake->out + handshake->out_size, data, size);
	handshake->out_size += size;
}

static void put_u8(struct handshake *handshake, uint8_t value)
{
	put(handshake, &value, 1);
}

static void put_u32(struct handshake *handshake, uint32_t value)
{
	value = htonl(value);
	put(handshake, &value, sizeof(value));
}

static void put_text(struct handshake *handshake, const char *text)
{
	size_t size = 0;

	while (size < REASON_MAX && text[size])
		size++;
	/* Not inside a UTF-8 sequence. */
	while (size > 0 && ((unsigned char)text[size] & 0xc0) == 0x80)
		size--;
	put_u32(handshake, (uint32_t)size);
	put(handshake, text, size);
}

static uint32_t get_u32(const uint8_t *data)
{
	uint32_t value;

	memcpy(&value, data, sizeof(value));
	return ntohl(value);
}

static enum handshake_state go(struct handshake *handshake, enum handshake_state state, size_t need)
{
	handshake->state = state;
	handshake->need = need;
	return state;
}

static enum handshake_state fail(struct handshake *handshake, const char *reason)
{
	handshake->reason = reason;
	return go(handshake, HANDSHAKE_FAILED, 0);
}

void handshake_init(struct handshake *handshake)
{
	memset(handshake, 0, sizeof(*handshake));
	go(handshake, HANDSHAKE_CLIENT_VERSION, HANDSHAKE_VERSION_SIZE);
}

void handshake_clear(struct handshake *handshake)
{
	secret_free(handshake->password);
	explicit_bzero(handshake, sizeof(*handshake));
}

/* An older viewer gets the reason in the form of its version: 3.7 a list of no types, 3.3 the type 0 (RFC 6143
 * section 7.1.2, appendix A). */
static enum handshake_state feed_version(struct handshake *handshake, const uint8_t *data)
{
	if (memcmp(data, HANDSHAKE_VERSION, HANDSHAKE_VERSION_SIZE) == 0) {
		put_u8(handshake, 1);
		put_u8(handshake, SECURITY_VENCRYPT);
		return go(handshake, HANDSHAKE_SECURITY_TYPE, 1);
	}
	if (memcmp(data, "RFB ", 4) != 0 || data[HANDSHAKE_VERSION_SIZE - 1] != '\n')
		return fail(handshake, "the peer does not speak RFB");
	if (memcmp(data, "RFB 003.007\n", HANDSHAKE_VERSION_SIZE) == 0)
		put_u8(handshake, 0);
	else
		put_u32(handshake, 0);
	put_text(handshake, old_viewer);
	return fail(handshake, "the viewer's version of RFB is not 3.8");
}

static enum handshake_state feed_type(struct handshake *handshake, const uint8_t *data)
{
	static const uint8_t vencrypt_version[2] = {0, 2};

	if (data[0] != SECURITY_VENCRYPT) {
		handshake_security_result(handshake, no_vencrypt);
		return fail(handshake, "the viewer chose another security type than VeNCrypt");
	}
	put(handshake, vencrypt_version, sizeof(vencrypt_version));
	return go(handshake, HANDSHAKE_VENCRYPT, 2);
}

static enum handshake_state feed_vencrypt(struct handshake *handshake, const uint8_t *data)
{
	if (data[0] != 0 || data[1] != 2) {
		put_u8(handshake, 1);
		return fail(handshake, "the viewer's version of VeNCrypt is not 0.2");
	}
	put_u8(handshake, 0);
	put_u8(handshake, 1);
	put_u32(handshake, VENCRYPT_X509PLAIN);
	return go(handshake, HANDSHAKE_SUBTYPE, 4);
}

static enum handshake_state feed_subtype(struct handshake *handshake, const uint8_t *data)
{
	bool known = get_u32(data) == VENCRYPT_X509PLAIN;

	put_u8(handshake, known);
	return known ? go(handshake, HANDSHAKE_START_TLS, 0)
		     : fail(handshake, "the viewer chose another subtype than X509Plain");
}

static enum handshake_state feed_lengths(struct handshake *handshake, const uint8_t *data)
{
	uint32_t name_size = get_u32(data), password_size = get_u32(data + 4);

	if (name_size > HANDSHAKE_NAME_MAX || password_size > SECRET_MAX) {
		handshake_security_result(
		    handshake, "The user name or password is too long: check what you typed and log in again.");
		return fail(handshake, "the user name or password is too long");
	}
	if (name_size == 0) {
		handshake_security_result(handshake, "Type your user name as well as your password.");
		return fail(handshake, "the user name is empty");
	}
	handshake->password = secret_new();
	if (!handshake->password)
		return fail(handshake, "out of memory");
	handshake->name_size = name_size;
	handshake->password->length = password_size;
	return go(handshake, HANDSHAKE_PLAIN, name_size + password_size);
}

static enum handshake_state feed_plain(struct handshake *handshake, const uint8_t *data)
{
	memcpy(handshake->name, data, handshake->name_size);
	memcpy(handshake->password->data, data + handshake->name_size, handshake->password->length);
	if (memchr(handshake->name, '\0', handshake->name_size)) {
		handshake_security_result(handshake, "The user name holds a character that no user name has.");
		return fail(handshake, "the user name holds a NUL");
	}
	return go(handshake, HANDSHAKE_DONE, 0);
}

enum handshake_state handshake_feed(struct handshake *handshake, const uint8_t *data)
{
	switch (handshake->state) {
	case HANDSHAKE_CLIENT_VERSION:
		return feed_version(handshake, data);
	case HANDSHAKE_SECURITY_TYPE:
		return feed_type(handshake, data);
	case HANDSHAKE_VENCRYPT:
		return feed_vencrypt(handshake, data);
	case HANDSHAKE_SUBTYPE:
		return feed_subtype(handshake, data);
	case HANDSHAKE_PLAIN_LENGTHS:
		return feed_lengths(handshake, data);
	case HANDSHAKE_PLAIN:
		return feed_plain(handshake, data);
	case HANDSHAKE_START_TLS:
	case HANDSHAKE_DONE:
	case HANDSHAKE_FAILED:
		break;
	}
	return handshake->state;
}

void handshake_secured(struct handshake *handshake)
{
	go(handshake, HANDSHAKE_PLAIN_LENGTHS, 8);
}

void handshake_security_result(struct handshake *handshake, const char *reason)
{
	put_u32(handshake, reason ? 1 : 0);
	if (reason)
		put_text(handshake, reason);
}
