/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/service_internal.h"

#define PROGRESS_USEC UINT64_C(200000)

void progress_tell(struct progress *progress)
{
	unsigned percent = *progress->percent;

	if (percent == progress->told)
		return;
	progress->told = percent;
	service_signal(progress->service, "ImageProgress", "su", progress->name, percent);
}

static int fired(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)usec;
	progress_tell(userdata);
	sd_event_source_set_time_relative(source, PROGRESS_USEC);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int progress_start(struct progress *progress, struct service *service, const char *name, const atomic_uint *percent)
{
	int r;

	*progress = (struct progress){.service = service, .name = name, .percent = percent};
	r = sd_event_add_time_relative(service->event, &progress->timer, CLOCK_MONOTONIC, PROGRESS_USEC, 0, fired,
				       progress);
	return r < 0 ? r : 0;
}

void progress_stop(struct progress *progress)
{
	progress->timer = sd_event_source_disable_unref(progress->timer);
}
