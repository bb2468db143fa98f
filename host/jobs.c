/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/jobs.h"

#include "common/cleanup.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/eventfd.h>

#define THREADS_MAX 8

struct job {
	struct job *next;
	job_work_fn work;
	job_done_fn done;
	void *data;
	int result;
	struct error error;
};

struct job_list {
	struct job *first, *last;
};

struct jobs {
	pthread_mutex_t lock;
	pthread_cond_t more;
	pthread_t threads[THREADS_MAX];
	unsigned n_threads;
	struct job_list waiting, finished; /* under the lock */
	atomic_bool stopping;
	int notify;
	sd_event_source *io;
};

static void list_add(struct job_list *list, struct job *job)
{
	job->next = NULL;
	if (list->last)
		list->last->next = job;
	else
		list->first = job;
	list->last = job;
}

static struct job *list_take(struct job_list *list)
{
	struct job *job = list->first;

	if (!job)
		return NULL;
	list->first = job->next;
	if (!list->first)
		list->last = NULL;
	return job;
}

static void *jobs_thread(void *userdata)
{
	struct jobs *jobs = userdata;
	const uint64_t one = 1;

	pthread_mutex_lock(&jobs->lock);
	for (;;) {
		struct job *job;

		while (!jobs->stopping && !jobs->waiting.first)
			pthread_cond_wait(&jobs->more, &jobs->lock);
		if (jobs->stopping)
			break;
		job = list_take(&jobs->waiting);
		pthread_mutex_unlock(&jobs->lock);
		job->result = job->work(job->data, &job->error);
		pthread_mutex_lock(&jobs->lock);
		list_add(&jobs->finished, job);
		/* Cannot fail: the counter is far from its end. */
		if (write(jobs->notify, &one, sizeof(one)) < 0)
			continue;
	}
	pthread_mutex_unlock(&jobs->lock);
	return NULL;
}

static struct job *jobs_take_finished(struct jobs *jobs)
{
	struct job *job;

	pthread_mutex_lock(&jobs->lock);
	job = list_take(&jobs->finished);
	pthread_mutex_unlock(&jobs->lock);
	return job;
}

static void jobs_finish(struct jobs *jobs)
{
	struct job *job;

	while ((job = jobs_take_finished(jobs))) {
		job->done(job->result, &job->error, job->data);
		free(job);
	}
}

static int jobs_notified(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	uint64_t count;

	(void)source;
	(void)events;
	if (read(fd, &count, sizeof(count)) == (ssize_t)sizeof(count))
		jobs_finish(userdata);
	return 0;
}

static int jobs_run_threads(struct jobs *jobs, unsigned threads)
{
	for (; jobs->n_threads < threads && jobs->n_threads < THREADS_MAX; jobs->n_threads++) {
		int r = pthread_create(&jobs->threads[jobs->n_threads], NULL, jobs_thread, jobs);

		if (r != 0)
			return -r;
	}
	return 0;
}

int jobs_new(sd_event *event, unsigned threads, struct jobs **ret)
{
	struct jobs *jobs = calloc(1, sizeof(*jobs));
	int r;

	if (!jobs)
		return -ENOMEM;
	pthread_mutex_init(&jobs->lock, NULL);
	pthread_cond_init(&jobs->more, NULL);
	jobs->notify = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = jobs->notify < 0 ? -errno : 0;
	if (r == 0)
		r = sd_event_add_io(event, &jobs->io, jobs->notify, EPOLLIN, jobs_notified, jobs);
	if (r >= 0)
		r = jobs_run_threads(jobs, threads);
	if (r < 0) {
		jobs_free(jobs);
		return r;
	}
	*ret = jobs;
	return 0;
}

void jobs_free(struct jobs *jobs)
{
	struct job *job;

	if (!jobs)
		return;
	pthread_mutex_lock(&jobs->lock);
	jobs->stopping = true;
	pthread_cond_broadcast(&jobs->more);
	pthread_mutex_unlock(&jobs->lock);
	for (unsigned i = 0; i < jobs->n_threads; i++)
		pthread_join(jobs->threads[i], NULL);
	jobs_finish(jobs);
	while ((job = list_take(&jobs->waiting))) {
		error_set(&job->error, -ECANCELED, "hotdesk-host is being stopped: try again");
		job->done(job->error.code, &job->error, job->data);
		free(job);
	}
	sd_event_source_disable_unref(jobs->io);
	closep(&jobs->notify);
	pthread_cond_destroy(&jobs->more);
	pthread_mutex_destroy(&jobs->lock);
	free(jobs);
}

int jobs_start(struct jobs *jobs, job_work_fn work, job_done_fn done, void *data)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job)
		return -ENOMEM;
	job->work = work;
	job->done = done;
	job->data = data;
	pthread_mutex_lock(&jobs->lock);
	list_add(&jobs->waiting, job);
	pthread_cond_signal(&jobs->more);
	pthread_mutex_unlock(&jobs->lock);
	return 0;
}

bool jobs_stopping(const struct jobs *jobs)
{
	return jobs->stopping;
}
