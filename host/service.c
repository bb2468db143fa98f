/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/service_internal.h"

#include "common/cleanup.h"
#include "common/fs.h"
#include "common/log.h"
#include "host/host_api.h"
#include "host/json.h"

#include <errno.h>
#include <string.h>

#define SECOND UINT64_C(1000000)
#define VM_THREADS 4

struct emission {
	const char *name, *types;
	va_list args;
};

static void emit(sd_bus *bus, void *userdata)
{
	struct emission *emission = userdata;
	va_list args;
	int r;

	va_copy(args, emission->args);
	r = sd_bus_emit_signalv(bus, HOST_API_PATH, HOST_API_INTERFACE, emission->name, emission->types, args);
	va_end(args);
	if (r < 0)
		log_warning("the signal %s could not be sent: %s", emission->name, strerror(-r));
}

void service_signal(struct service *service, const char *name, const char *types, ...)
{
	struct emission emission = {.name = name, .types = types};

	if (!service->bus)
		return;
	va_start(emission.args, types);
	bus_server_each(service->bus, emit, &emission);
	va_end(emission.args);
}

static const char *plain(struct json_object *json)
{
	return json ? json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN) : NULL;
}

int service_reply_json(sd_bus_message *call, struct json_object *json)
{
	const char *text = plain(json);

	return text ? sd_bus_reply_method_return(call, "s", text) : -ENOMEM;
}

static int method_hello(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	(void)userdata;
	(void)ret_error;
	return bus_method_hello(call, HOST_API_VERSION);
}

/* The end of a call that has nothing to return. */
static void done(int r, const struct error *err, void *userdata)
{
	sd_bus_message *call = userdata;

	if (r < 0)
		bus_reply_with_error(call, err);
	else
		sd_bus_reply_method_return(call, "");
	sd_bus_message_unref(call);
}

static int method_set_desired(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	struct service *service = userdata;
	_cleanup_json_ struct json_object *wanted = NULL;
	struct error err = {0};
	uint64_t generation;
	const char *text;
	size_t size;
	int r = sd_bus_message_read(call, "ts", &generation, &text);

	(void)ret_error;
	if (r < 0)
		return r;
	size = strlen(text);
	wanted = size <= HOST_JSON_MAX ? json_read(text, size, json_type_array) : NULL;
	if (!wanted) {
		error_set(&err, -EINVAL, "the wanted set is not a JSON array");
		return bus_reply_with_error(call, &err);
	}
	sd_bus_message_ref(call);
	r = desktops_want(service->desktops, generation, wanted, done, call, &err);
	if (r == 0)
		return 1;
	sd_bus_message_unref(call);
	return bus_reply_with_error(call, &err);
}

static int method_list(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	struct service *service = userdata;
	_cleanup_json_ struct json_object *list = desktops_json(service->desktops);
	const char *text = plain(list);

	(void)ret_error;
	return text ? sd_bus_reply_method_return(call, "ts", desktops_generation(service->desktops), text) : -ENOMEM;
}

static struct vm *find(struct service *service, const char *id, struct error *err)
{
	struct vm *vm = desktops_find(service->desktops, id);

	if (!vm)
		error_set(err, -ENOENT,
			  "there is no desktop %s on this host: `hotdesk desktop list` shows those that are there", id);
	return vm;
}

static void display_opened(int r, int fd, const struct error *err, void *userdata)
{
	sd_bus_message *call = userdata;

	if (r < 0)
		bus_reply_with_error(call, err);
	else
		sd_bus_reply_method_return(call, "h", fd);
	closep(&fd);
	sd_bus_message_unref(call);
}

static int method_open_display(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	struct error err = {0};
	const char *id;
	struct vm *vm;
	int r = sd_bus_message_read(call, "s", &id);

	(void)ret_error;
	if (r < 0)
		return r;
	vm = find(userdata, id, &err);
	if (!vm || vm_open_display(vm, display_opened, call, &err) < 0)
		return bus_reply_with_error(call, &err);
	sd_bus_message_ref(call);
	return 1;
}

static int method_open_vdagent(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	_cleanup_close_ int fd = -1;
	struct error err = {0};
	const char *id;
	struct vm *vm;
	int r = sd_bus_message_read(call, "s", &id);

	(void)ret_error;
	if (r < 0)
		return r;
	vm = find(userdata, id, &err);
	fd = vm ? vm_open_vdagent(vm, &err) : -1;
	return fd < 0 ? bus_reply_with_error(call, &err) : sd_bus_reply_method_return(call, "h", fd);
}

static int method_agent_call(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	_cleanup_json_ struct json_object *fields = NULL;
	const char *id, *request, *text;
	struct error err = {0};
	struct vm *vm;
	int r = sd_bus_message_read(call, "sss", &id, &request, &text);

	(void)ret_error;
	if (r < 0)
		return r;
	fields = strlen(text) <= HOST_JSON_MAX ? json_read(text, strlen(text), json_type_object) : NULL;
	if (!fields) {
		error_set(&err, -EINVAL, "the request's fields are not a JSON object");
		return bus_reply_with_error(call, &err);
	}
	vm = find(userdata, id, &err);
	if (!vm || vm_agent_call(vm, request, fields, done, call, &err) < 0)
		return bus_reply_with_error(call, &err);
	sd_bus_message_ref(call);
	return 1;
}

static int method_stop(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	struct error err = {0};
	const char *id;
	struct vm *vm;
	int force, r = sd_bus_message_read(call, "sb", &id, &force);

	(void)ret_error;
	if (r < 0)
		return r;
	vm = find(userdata, id, &err);
	if (!vm)
		return bus_reply_with_error(call, &err);
	vm_stop(vm, force);
	return sd_bus_reply_method_return(call, "");
}

struct show {
	struct service *service;
	sd_bus_message *call;
};

static void spawn_told(int r, const struct spawn_reply *reply, int pidfd, const struct error *err, void *userdata)
{
	struct show *show = userdata;
	const struct service *service = show->service;
	const struct facts facts = {
	    .accel = service->env.accel,
	    .accel_reason = service->env.accel_reason,
	    .state_dir = service->env.dirs.state,
	    .qemu_version = service->qemu_version,
	    .spawn_flags = r < 0 ? 0 : reply->flags,
	};
	_cleanup_json_ struct json_object *json = facts_json(&facts);

	closep(&pidfd);
	if (r < 0)
		bus_reply_with_error(show->call, err);
	else
		service_reply_json(show->call, json);
	sd_bus_message_unref(show->call);
	free(show);
}

static int method_show(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	struct service *service = userdata;
	struct show *show = calloc(1, sizeof(*show));
	int r;

	(void)ret_error;
	if (!show)
		return -ENOMEM;
	*show = (struct show){service, sd_bus_message_ref(call)};
	r = spawn_client_status(service->env.spawn, spawn_told, show);
	if (r >= 0)
		return 1;
	sd_bus_message_unref(call);
	free(show);
	return r;
}

static const sd_bus_vtable host_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("Hello", "u", "u", method_hello, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("ImageImport", "ssah", "u", service_image_import, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("ImageList", "", "s", service_image_list, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("ImagePublish", "su", "u", service_image_publish, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("ImageRollback", "s", "u", service_image_rollback, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("ImageVerify", "su", "u", service_image_verify, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("ImageOpen", "sus", "uh", service_image_open, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("ImageDelete", "su", "", service_image_delete, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("SetDesired", "ts", "", method_set_desired, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("List", "", "ts", method_list, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("OpenDisplay", "s", "h", method_open_display, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("OpenVdagent", "s", "h", method_open_vdagent, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("AgentCall", "sss", "", method_agent_call, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Stop", "sb", "", method_stop, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Show", "", "s", method_show, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_SIGNAL("Changed", "s", 0),
    SD_BUS_SIGNAL("ImageProgress", "su", 0),
    SD_BUS_VTABLE_END,
};

static int peer_connected(sd_bus *bus, uid_t uid, void *userdata)
{
	const struct service *service = userdata;

	if (uid != 0 && uid != service->broker_uid) {
		log_warning("uid %u is not the broker and is refused", uid);
		return -EPERM;
	}
	return sd_bus_add_object_vtable(bus, NULL, HOST_API_PATH, HOST_API_INTERFACE, host_vtable, userdata);
}

static void desktop_changed(struct json_object *desktop, void *userdata)
{
	const char *text = plain(desktop);

	if (text)
		service_signal(userdata, "Changed", "s", text);
}

/* Only now the answers are right: a broker that asked before would take running desktops for crashed ones. */
static void desktops_settled(void *userdata)
{
	static const struct bus_server_ops ops = {peer_connected, NULL};
	struct service *service = userdata;
	char path[PATH_MAX];
	int fd, r = fs_path(path, sizeof(path), "%s/host.sock", service->env.dirs.runtime);

	if (service->bus)
		return;
	fd = r < 0 ? r : bus_listen(path, 0666);
	r = fd < 0 ? fd : bus_server_new(service->event, fd, &ops, service, &service->bus);
	if (r < 0) {
		log_error("cannot listen at %s: %s", path, strerror(-r));
		sd_event_exit(service->event, r);
		return;
	}
	log_notice("ready");
}

struct version {
	struct service *service;
	char text[FACTS_VERSION_SIZE];
};

static int version_work(void *data, struct error *err)
{
	(void)err;
	facts_qemu_version(((struct version *)data)->text);
	return 0;
}

static void version_done(int r, const struct error *err, void *data)
{
	struct version *version = data;

	(void)err;
	if (r == 0 && version->text[0] == '\0')
		log_warning("qemu-system-x86_64 does not run: install the package qemu-system-x86");
	memcpy(version->service->qemu_version, version->text, sizeof(version->text));
	free(version);
}

static int ask_version(struct service *service)
{
	struct version *version = calloc(1, sizeof(*version));
	int r;

	if (!version)
		return -ENOMEM;
	version->service = service;
	r = jobs_start(service->env.jobs, version_work, version_done, version);
	if (r < 0)
		free(version);
	return r;
}

static int fill_dirs(struct vm_dirs *dirs, const struct conf *conf)
{
	const char *state = conf_string(conf, CONF_STATE_DIR), *runtime = conf_string(conf, CONF_RUNTIME_DIR);
	int r = fs_path(dirs->home, sizeof(dirs->home), "%s/host", state);

	if (r == 0)
		r = fs_path(dirs->state, sizeof(dirs->state), "%s/host/vm", state);
	if (r == 0)
		r = fs_path(dirs->images, sizeof(dirs->images), "%s/host/images", state);
	return r < 0 ? r : fs_path(dirs->runtime, sizeof(dirs->runtime), "%s/host", runtime);
}

static void choose_accel(struct vm_env *env, const struct conf *conf)
{
	struct accel_probe probe;

	accel_probe(&probe);
	env->accel = accel_choose(conf_string(conf, CONF_ACCEL), &probe, env->accel_reason);
	log_write(env->accel == ACCEL_KVM ? LOG_INFO : LOG_WARNING, "%s", env->accel_reason);
}

static int fill_env(struct service *service)
{
	struct vm_env *env = &service->env;
	char path[PATH_MAX];
	int r = fill_dirs(&env->dirs, service->conf);

	env->event = service->event;
	env->ready_usec = (uint64_t)conf_number(service->conf, CONF_READY_TIMEOUT) * SECOND;
	env->stop_usec = (uint64_t)conf_number(service->conf, CONF_STOP_TIMEOUT) * SECOND;
	choose_accel(env, service->conf);
	if (r == 0)
		r = fs_path(path, sizeof(path), "%s/spawn/spawn.sock", conf_string(service->conf, CONF_RUNTIME_DIR));
	if (r == 0)
		r = spawn_client_new(service->event, path, &env->spawn);
	if (r >= 0)
		r = jobs_new(service->event, VM_THREADS, &env->jobs);
	if (r >= 0)
		r = jobs_new(service->event, 1, &service->image_jobs);
	return r;
}

int service_new(sd_event *event, const struct conf *conf, uid_t broker_uid, struct service **ret, struct error *err)
{
	static const struct desktops_ops ops = {desktop_changed, desktops_settled};
	struct service *service = calloc(1, sizeof(*service));
	int r;

	if (!service)
		return error_set(err, -ENOMEM, "out of memory");
	service->event = sd_event_ref(event);
	service->conf = conf;
	service->broker_uid = broker_uid;
	r = fill_env(service);
	if (r < 0)
		error_set_errno(err, r, "hotdesk-host cannot be set up");
	else
		r = image_store_new(service->env.dirs.images, &service->images, err);
	if (r >= 0) {
		service->env.images = service->images;
		r = ask_version(service);
	}
	if (r >= 0)
		r = desktops_new(&service->env, &ops, service, &service->desktops, err);
	if (r < 0) {
		service_free(service);
		return r;
	}
	*ret = service;
	return 0;
}

void service_free(struct service *service)
{
	if (!service)
		return;
	/* Their ends still find everything there. */
	jobs_free(service->image_jobs);
	jobs_free(service->env.jobs);
	desktops_free(service->desktops);
	bus_server_free(service->bus);
	spawn_client_free(service->env.spawn);
	image_store_free(service->images);
	sd_event_unref(service->event);
	free(service);
}
