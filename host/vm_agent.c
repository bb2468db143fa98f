/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A desktop's conversation with the agent in its guest: what it says becomes facts, at a pace that is ours. */
#include "host/vm_internal.h"

#include "common/clock.h"
#include "common/log.h"
#include "host/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SECOND UINT64_C(1000000)
#define NEWS_USEC (SECOND / 10)  /* between two of the agent's news that are passed on */
#define REBOOT_USEC (3 * SECOND) /* no guest starts faster; a hostile one may not keep us busy with it */
#define HOSTNAME_BYTES 63

static int news_due(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct vm *vm = userdata;

	(void)source;
	(void)usec;
	vm->news = sd_event_source_disable_unref(vm->news);
	vm->told = clock_usec();
	vm_changed(vm);
	return 0;
}

/* At once, or a little later together with what comes until then. */
static void tell_news(struct vm *vm)
{
	uint64_t now = clock_usec();

	if (vm->news)
		return;
	if (now - vm->told < NEWS_USEC &&
	    sd_event_add_time_relative(vm->env->event, &vm->news, CLOCK_MONOTONIC, NEWS_USEC - (now - vm->told), 0,
				       news_due, vm) >= 0)
		return;
	vm->told = now;
	vm_changed(vm);
}

bool vm_agent_settle(struct vm *vm)
{
	if (vm->state != VM_BOOTING || !vm->agent_ready ||
	    (vm->rebooted != 0 && clock_usec() - vm->rebooted < REBOOT_USEC))
		return false;
	vm->record.ready = true;
	vm_save(vm);
	vm_set_state(vm, VM_READY);
	return true;
}

static void told(int r, const struct error *err, void *userdata)
{
	struct vm *vm = userdata;

	if (r == -ECONNRESET)
		vm->introduced = false;
	else if (r < 0)
		log_info("desktop %s: its agent could not be told time or name: %s", vm->record.id, err->text);
}

static void tell_agent(struct vm *vm, const char *request, const char *key, struct json_object *value)
{
	_cleanup_json_ struct json_object *fields = json_object_new_object();
	struct error err = {0};
	bool good = true;
	int r;

	json_put(fields, key, value, &good);
	r = good ? agent_link_request(vm->link, request, fields, told, vm, &err) : -ENOMEM;
	if (r < 0)
		told(r, &err, vm);
}

/* Once in each boot: the guest's clock may stand where its image was made, and its name is the image's. */
static void introduce(struct vm *vm)
{
	char name[HOSTNAME_BYTES + 1];
	struct timespec now;

	if (vm->introduced || (vm->record.ready && !vm->late))
		return;
	vm->introduced = true;
	if (agent_has(&vm->agent, "time") && clock_gettime(CLOCK_REALTIME, &now) == 0)
		tell_agent(vm, "set-time", "time",
			   json_object_new_int64((int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000));
	if (agent_has(&vm->agent, "hostname")) {
		snprintf(name, sizeof(name), "%s", vm->record.id);
		tell_agent(vm, "set-hostname", "hostname", json_object_new_string(name));
	}
}

static bool same_agent(const struct agent_message *a, const struct agent_message *b)
{
	bool same =
	    strcmp(a->agent, b->agent) == 0 && strcmp(a->os, b->os) == 0 && a->n_capabilities == b->n_capabilities;

	for (size_t i = 0; same && i < a->n_capabilities; i++)
		same = strcmp(a->capabilities[i], b->capabilities[i]) == 0;
	return same;
}

/*
 * One that signs users in and says that X is not there and nobody is signed in has started with its guest, though
 * nothing was heard of that: hotdesk-host was away.
 */
static bool is_new_boot(const struct vm *vm, const struct agent_message *hello)
{
	return !vm->late && !hello->ready && hello->session.state == AGENT_SESSION_NONE && agent_has(hello, "sign-in");
}

/* A desktop that is shown as it is, as its agent had not come, stays so until the agent is ready. */
static bool set_sign_in(struct vm *vm)
{
	bool sign_in = agent_has(&vm->agent, "sign-in");

	if (vm->late && !vm->agent_ready)
		return false;
	vm->late = false;
	if (vm->record.sign_in == sign_in)
		return false;
	vm->record.sign_in = sign_in;
	vm_save(vm);
	return true;
}

static void said_hello(struct vm *vm, const struct agent_message *hello)
{
	bool news =
	    !vm->agent_there || !same_agent(&vm->agent, hello) || !agent_session_same(&vm->session, &hello->session);

	if (is_new_boot(vm, hello))
		vm_rebooted(vm);
	vm->agent = *hello;
	vm->session = hello->session;
	vm->agent_there = true;
	vm->agent_ready = hello->ready;
	introduce(vm);
	news |= set_sign_in(vm);
	if (!vm_agent_settle(vm) && news)
		tell_news(vm);
}

static void said_ready(struct vm *vm)
{
	vm->agent_ready = true;
	if (!vm_agent_settle(vm) && set_sign_in(vm))
		tell_news(vm);
}

static void said_session(struct vm *vm, const struct agent_session *session)
{
	if (agent_session_same(&vm->session, session))
		return;
	vm->session = *session;
	tell_news(vm);
}

static void agent_said(const struct agent_message *message, void *userdata)
{
	struct vm *vm = userdata;

	switch (message->type) {
	case AGENT_HELLO:
		said_hello(vm, message);
		break;
	case AGENT_READY:
		said_ready(vm);
		break;
	case AGENT_SESSION:
		said_session(vm, &message->session);
		break;
	case AGENT_LEAVING:
		/* That it switches itself off is seen when it has done so. */
		if (message->reboot)
			vm_rebooted(vm);
		break;
	case AGENT_UNKNOWN:
	case AGENT_HEARTBEAT:
	case AGENT_RESULT:
		break;
	}
}

static void agent_silent(void *userdata)
{
	struct vm *vm = userdata;

	if (!vm->agent_there)
		return;
	vm->agent_there = false;
	vm_changed(vm);
}

int vm_agent_up(struct vm *vm)
{
	static const struct agent_link_ops ops = {agent_said, agent_silent};
	char path[PATH_MAX];
	int r = vm_socket_path(&vm->env->dirs, vm->record.id, "agent", path);

	return r < 0 ? r : agent_link_new(vm->env->event, path, &ops, vm, &vm->link);
}

void vm_agent_down(struct vm *vm)
{
	struct agent_link *link = vm->link;

	vm->link = NULL;
	vm->agent_there = vm->agent_ready = vm->introduced = vm->late = false;
	vm->session = (struct agent_session){0};
	vm->rebooted = 0;
	vm->news = sd_event_source_disable_unref(vm->news);
	agent_link_free(link);
}

int vm_agent_call(struct vm *vm, const char *request, struct json_object *fields, agent_done_fn done, void *userdata,
		  struct error *err)
{
	int r;

	if (!vm->link)
		return error_set(err, -ENOTCONN, "desktop %s does not run", vm->record.id);
	r = agent_link_request(vm->link, request, fields, done, userdata, err);
	/* What is said of a session from now on is said of the new one. */
	if (r == 0 && strcmp(request, "sign-in") == 0 && vm->session.state == AGENT_SESSION_ENDED)
		vm->session = (struct agent_session){0};
	return r;
}
