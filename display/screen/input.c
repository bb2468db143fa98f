/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/screen/input.h"

#include "common/clock.h"

#include <errno.h>
#include <stdlib.h>

/* Room behind the limit for the releases of what was pressed before. */
#define RING_SIZE (INPUT_QUEUE_MAX + 512)

struct input {
	sd_event_source *timer;
	void (*send)(const struct input_event *event, void *userdata);
	void *userdata;
	struct input_event ring[RING_SIZE];
	size_t first, n;
	uint64_t next; /* us: when the bucket is full again; the burst may run ahead of the clock */
};

static struct input_event *input_last(struct input *input)
{
	return &input->ring[(input->first + input->n - 1) % RING_SIZE];
}

static bool is_paced(const struct input_event *event)
{
	return event->type == INPUT_KEY || event->type == INPUT_BUTTON;
}

/* Sends what the pace allows, and wakes up for the rest. Positions cost nothing: the tablet has a queue of its own. */
static void input_flush(struct input *input)
{
	uint64_t now = clock_usec();

	if (input->next < now)
		input->next = now;
	while (input->n > 0) {
		const struct input_event *event = &input->ring[input->first];

		if (is_paced(event)) {
			if (input->next > now + (uint64_t)(INPUT_BURST - 1) * INPUT_GAP_USEC)
				break;
			input->next += INPUT_GAP_USEC;
		}
		input->send(event, input->userdata);
		input->first = (input->first + 1) % RING_SIZE;
		input->n--;
	}
	sd_event_source_set_time_relative(input->timer, INPUT_GAP_USEC);
	sd_event_source_set_enabled(input->timer, input->n > 0 ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

static int input_tick(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	input_flush(userdata);
	return 0;
}

int input_new(sd_event *event, void (*send)(const struct input_event *event, void *userdata), void *userdata,
	      struct input **ret)
{
	struct input *input = calloc(1, sizeof(*input));
	int r;

	if (!input)
		return -ENOMEM;
	input->send = send;
	input->userdata = userdata;
	/* 1 ms of accuracy: the default of 250 ms would gather the keys into bursts again. */
	r = sd_event_add_time_relative(event, &input->timer, CLOCK_MONOTONIC, 0, 1000, input_tick, input);
	if (r < 0) {
		input_free(input);
		return r;
	}
	*ret = input;
	return 0;
}

void input_free(struct input *input)
{
	if (!input)
		return;
	sd_event_source_disable_unref(input->timer);
	free(input);
}

void input_clear(struct input *input)
{
	input->n = 0;
}

/* Whether the last event that waits took this one in. */
static bool input_join(struct input *input, const struct input_event *event)
{
	struct input_event *last = input->n > 0 ? input_last(input) : NULL;

	if (!last || is_paced(event) || last->type != event->type)
		return false;
	last->a = event->type == INPUT_MOTION ? last->a + event->a : event->a;
	last->b = event->type == INPUT_MOTION ? last->b + event->b : event->b;
	return true;
}

void input_add(struct input *input, const struct input_event *event)
{
	bool release = is_paced(event) && !event->b;

	if (input_join(input, event) || input->n >= (release ? RING_SIZE : INPUT_QUEUE_MAX))
		return;
	input->n++;
	*input_last(input) = *event;
	input_flush(input);
}
