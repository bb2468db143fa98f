/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/gate/handshake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define TO_TLS "RFB 003.008\n\x13\0\2\0\0\1\6"

/* Feeds a whole transcript, TLS included; what the server answers gathers in `out`. */
static enum handshake_state play(struct handshake *handshake, const void *transcript, size_t size, char *out,
				 size_t *ret_out)
{
	const uint8_t *at = transcript;

	*ret_out = 0;
	handshake_init(handshake);
	while (handshake->need <= size) {
		if (handshake->state == HANDSHAKE_START_TLS)
			handshake_secured(handshake);
		if (handshake->need == 0 || handshake->need > size)
			break;
		at += handshake->need;
		size -= handshake->need;
		handshake_feed(handshake, at - handshake->need);
		memcpy(out + *ret_out, handshake->out, handshake->out_size);
		*ret_out += handshake->out_size;
		handshake->out_size = 0;
	}
	return handshake->state;
}

/* A refusal whose answer ends with a length and a text that holds `word`; returns where the length is. */
static size_t refused(const void *transcript, size_t size, const char *word)
{
	struct handshake handshake;
	char out[1024];
	size_t n, text = 0;

	assert_int_equal(play(&handshake, transcript, size, out, &n), HANDSHAKE_FAILED);
	assert_non_null(handshake.reason);
	handshake_clear(&handshake);
	if (!word)
		return n;
	for (text = 4; text < n; text++)
		if (((size_t)(uint8_t)out[text - 2] << 8 | (uint8_t)out[text - 1]) == n - text)
			break;
	assert_true(text < n);
	assert_non_null(memmem(out + text, n - text, word, strlen(word)));
	return text - 4;
}

static void a_login_gives_name_and_password(void **state)
{
	static const char login[] = TO_TLS "\0\0\0\5\0\0\0\6alicewonder";
	static const char answer[] = "\1\x13\0\2\0\1\0\0\1\6\1";
	struct handshake handshake;
	char out[64];
	size_t n;

	(void)state;
	assert_int_equal(play(&handshake, login, sizeof(login) - 1, out, &n), HANDSHAKE_DONE);
	assert_int_equal(n, sizeof(answer) - 1);
	assert_memory_equal(out, answer, n);
	assert_string_equal(handshake.name, "alice");
	assert_string_equal(handshake.password->data, "wonder");
	assert_int_equal(handshake.password->length, 6);
	handshake_clear(&handshake);
	assert_null(handshake.password);
}

static void no_byte_behind_the_subtype_is_asked_for_before_tls(void **state)
{
	struct handshake handshake;
	char out[64];
	size_t n;

	(void)state;
	handshake_init(&handshake);
	play(&handshake, TO_TLS, sizeof(TO_TLS) - 1, out, &n);
	assert_int_equal(handshake.state, HANDSHAKE_PLAIN_LENGTHS);
	assert_int_equal(handshake.need, 8);
	handshake_clear(&handshake);
}

static void older_versions_get_the_reason_in_their_form(void **state)
{
	(void)state;
	/* 3.3: a security type of 4 zero bytes; 3.7: a list of no types (RFC 6143 section 7.1.2). */
	assert_int_equal(refused("RFB 003.003\n", 12, "3.8"), 4);
	assert_int_equal(refused("RFB 003.005\n", 12, "3.8"), 4);
	assert_int_equal(refused("RFB 003.007\n", 12, "3.8"), 1);
	assert_int_equal(refused("GET / HTTP/1", 12, NULL), 0);
	assert_int_equal(refused("RFB 003.008\r", 12, NULL), 0);
}

static void only_vencrypt_with_x509plain_is_taken(void **state)
{
	(void)state;
	for (int type = 0; type < 256; type++) {
		char transcript[] = "RFB 003.008\n?";

		transcript[12] = (char)type;
		if (type != 19)
			refused(transcript, 13, "VeNCrypt");
	}
	/* VeNCrypt 0.1 and 1.2, Plain, TLSPlain, X509None. */
	refused("RFB 003.008\n\x13\0\1", 15, NULL);
	refused("RFB 003.008\n\x13\1\2", 15, NULL);
	refused("RFB 003.008\n\x13\0\2\0\0\1\0", 19, NULL);
	refused("RFB 003.008\n\x13\0\2\0\0\1\3", 19, NULL);
	refused("RFB 003.008\n\x13\0\2\0\0\1\4", 19, NULL);
}

static void sizes_are_checked_before_anything_is_read(void **state)
{
	(void)state;
	refused(TO_TLS "\0\0\1\0\0\0\0\1", 27, "too long");
	refused(TO_TLS "\0\0\0\1\0\0\4\1", 27, "too long");
	refused(TO_TLS "\xff\xff\xff\xff\xff\xff\xff\xff", 27, "too long");
	refused(TO_TLS "\0\0\0\0\0\0\0\1", 27, "user name");
	refused(TO_TLS "\0\0\0\3\0\0\0\1a\0bx", 31, "user name");
}

static void the_result_is_ok_or_a_reason_cut_to_fit(void **state)
{
	struct handshake handshake;
	char longest[1024];

	(void)state;
	handshake_init(&handshake);
	handshake_security_result(&handshake, NULL);
	assert_int_equal(handshake.out_size, 4);
	assert_memory_equal(handshake.out, "\0\0\0\0", 4);

	handshake.out_size = 0;
	handshake_security_result(&handshake, "no");
	assert_int_equal(handshake.out_size, 10);
	assert_memory_equal(handshake.out, "\0\0\0\1\0\0\0\2no", 10);

	/* Two bytes a letter: the cut must not fall between them. */
	for (size_t i = 0; i < sizeof(longest) - 1; i++)
		longest[i] = i % 2 ? (char)0xa9 : (char)0xc3;
	longest[sizeof(longest) - 1] = '\0';
	handshake.out_size = 0;
	handshake_security_result(&handshake, longest + 0);
	assert_true(handshake.out_size > 300);
	assert_int_equal(handshake.out[handshake.out_size - 1], 0xa9);
	handshake.out_size = 0;
	longest[0] = 'x';
	handshake_security_result(&handshake, longest);
	assert_int_equal((handshake.out[6] << 8 | handshake.out[7]), handshake.out_size - 8);
	handshake_clear(&handshake);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_login_gives_name_and_password),
	    cmocka_unit_test(no_byte_behind_the_subtype_is_asked_for_before_tls),
	    cmocka_unit_test(older_versions_get_the_reason_in_their_form),
	    cmocka_unit_test(only_vencrypt_with_x509plain_is_taken),
	    cmocka_unit_test(sizes_are_checked_before_anything_is_read),
	    cmocka_unit_test(the_result_is_ok_or_a_reason_cut_to_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
