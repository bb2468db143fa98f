/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/viewer/pace.h"

#include <string.h>

#define SLACK_USEC 20000
#define PIXELS_MIN (UINT64_C(16) << 10)

void pace_init(struct pace *pace)
{
	memset(pace, 0, sizeof(*pace));
	pace->window = 4 * PACE_WINDOW_MIN;
	pace->bytes_per_kpixel = 1024;
}

static bool fits(const struct pace *pace, uint64_t sent, uint32_t window)
{
	return !pace->answered || pace->acked == pace->pinged || sent - pace->acked_bytes < window;
}

bool pace_open(const struct pace *pace, uint64_t sent)
{
	return fits(pace, sent, pace->window);
}

bool pace_half_open(const struct pace *pace, uint64_t sent)
{
	return fits(pace, sent, pace->window / 2);
}

bool pace_ping(struct pace *pace, uint64_t sent, uint64_t now, uint32_t *ret)
{
	if (pace->pinged - pace->acked >= PACE_PINGS)
		return false;
	pace->ping[pace->pinged % PACE_PINGS].bytes = sent;
	pace->ping[pace->pinged % PACE_PINGS].time = now;
	*ret = pace->pinged++;
	return true;
}

static void pace_resize(struct pace *pace, uint64_t took, uint64_t bytes)
{
	uint64_t window = pace->window;

	if (took > 2 * pace->shortest + SLACK_USEC)
		window -= window / 4;
	else
		window += bytes;
	if (window < PACE_WINDOW_MIN)
		window = PACE_WINDOW_MIN;
	pace->window = window > PACE_WINDOW_MAX ? PACE_WINDOW_MAX : (uint32_t)window;
}

void pace_echo(struct pace *pace, uint32_t number, uint64_t now)
{
	uint64_t took, bytes;

	/* A number that was never sent, or an older one again: not ours to count. */
	if (number - pace->acked >= pace->pinged - pace->acked)
		return;
	took = now - pace->ping[number % PACE_PINGS].time;
	bytes = pace->ping[number % PACE_PINGS].bytes;
	if (!pace->answered || took < pace->shortest)
		pace->shortest = took;
	if (pace->answered)
		pace_resize(pace, took, bytes - pace->acked_bytes);
	pace->answered = true;
	pace->acked_bytes = bytes;
	pace->acked = number + 1;
}

void pace_learn(struct pace *pace, uint64_t pixels, uint64_t bytes)
{
	uint64_t now = pixels ? bytes * 1024 / pixels : 0;

	/* Rises at once, falls slowly: one easy band must not make the next a flood. */
	now = now > 8192 ? 8192 : now;
	pace->bytes_per_kpixel =
	    (uint32_t)(now > pace->bytes_per_kpixel ? now : (UINT64_C(3) * pace->bytes_per_kpixel + now) / 4);
	if (pace->bytes_per_kpixel < 8)
		pace->bytes_per_kpixel = 8;
}

uint64_t pace_pixels(const struct pace *pace)
{
	uint64_t pixels = UINT64_C(1024) * PACE_UPDATE_BYTES / pace->bytes_per_kpixel;

	return pixels < PIXELS_MIN ? PIXELS_MIN : pixels;
}
