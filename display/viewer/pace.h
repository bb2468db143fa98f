/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How much may be on its way to a viewer. Fences that the viewer echoes tell how long bytes take; when that grows well
 * over the shortest time seen, a queue is building somewhere on the way and the window shrinks. Without fences the
 * requests limit by themselves, and only the size of one update is chosen here. Pure: the caller brings the clock
 * (microseconds) and the byte counts.
 */
#ifndef VIEWER_PACE_H
#define VIEWER_PACE_H

#include <stdbool.h>
#include <stdint.h>

#define PACE_PINGS 32
#define PACE_WINDOW_MIN (48u << 10)
#define PACE_WINDOW_MAX (8u << 20)
#define PACE_UPDATE_BYTES (96u << 10) /* what one update should come to on the wire */

struct pace {
	bool answered;          /* the viewer echoes fences */
	uint32_t pinged, acked; /* counts of fences */
	struct {
		uint64_t bytes, time;
	} ping[PACE_PINGS];
	uint64_t acked_bytes, shortest;
	uint32_t window;
	uint32_t bytes_per_kpixel; /* what the latest updates came to */
};

void pace_init(struct pace *pace);

/* May more be sent, after `sent` bytes in all? */
bool pace_open(const struct pace *pace, uint64_t sent);
/* The same for what may fill half of the way alone, so that it never closes it to the rest. */
bool pace_half_open(const struct pace *pace, uint64_t sent);

/* Notes that a fence goes out behind `sent` bytes; its number is in *ret. False: enough are on their way. */
bool pace_ping(struct pace *pace, uint64_t sent, uint64_t now, uint32_t *ret);
void pace_echo(struct pace *pace, uint32_t number, uint64_t now);

/* Learns from an update of `pixels` that took `bytes`, and says how many pixels the next may have. */
void pace_learn(struct pace *pace, uint64_t pixels, uint64_t bytes);
uint64_t pace_pixels(const struct pace *pace);

#endif
