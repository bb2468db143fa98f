/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The gate's handshake under any bytes: it never asks for more than its callers' buffer, and never gets stuck. */
#include "display/gate/handshake.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void check_end(const struct handshake *handshake)
{
	require(handshake->state == HANDSHAKE_DONE || handshake->state == HANDSHAKE_FAILED);
	if (handshake->state == HANDSHAKE_FAILED) {
		require(handshake->reason != NULL);
		return;
	}
	require(handshake->name_size > 0 && handshake->name_size <= HANDSHAKE_NAME_MAX);
	require(strlen(handshake->name) == handshake->name_size);
	require(handshake->password && handshake->password->length <= SECRET_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct handshake handshake;

	handshake_init(&handshake);
	while (handshake.state != HANDSHAKE_DONE && handshake.state != HANDSHAKE_FAILED) {
		uint8_t step[HANDSHAKE_IN_MAX];

		if (handshake.state == HANDSHAKE_START_TLS)
			handshake_secured(&handshake);
		require(handshake.need > 0 && handshake.need <= sizeof(step));
		if (size < handshake.need)
			break;
		memcpy(step, data, handshake.need);
		data += handshake.need;
		size -= handshake.need;
		handshake_feed(&handshake, step);
		require(handshake.out_size <= sizeof(handshake.out));
		handshake.out_size = 0;
	}
	if (size >= handshake.need)
		check_end(&handshake);
	handshake_clear(&handshake);
	return 0;
}
