/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/vm_internal.h"

#include "host/json.h"

static const char *const states[] = {
    [VM_ABSENT] = "absent", [VM_CLONING] = "cloning",   [VM_STARTING] = "starting", [VM_BOOTING] = "booting",
    [VM_READY] = "ready",   [VM_STOPPING] = "stopping", [VM_STOPPED] = "stopped",   [VM_FAILED] = "failed",
};

static struct json_object *missing_json(const struct agent_message *agent)
{
	struct json_object *list = json_object_new_array();

	for (const char *const *at = agent_capabilities; list && *at; at++)
		if (!agent_has(agent, *at))
			json_object_array_add(list, json_object_new_string(*at));
	return list;
}

static struct json_object *agent_json(const struct agent_message *agent)
{
	struct json_object *object = json_object_new_object(), *list = json_object_new_array();
	bool good = true;

	for (size_t i = 0; list && i < agent->n_capabilities; i++)
		json_object_array_add(list, json_object_new_string(agent->capabilities[i]));
	json_put(object, "version", json_object_new_string(agent->agent), &good);
	json_put(object, "os", json_object_new_string(agent->os), &good);
	json_put(object, "capabilities", list, &good);
	json_put(object, "missing", missing_json(agent), &good);
	if (good)
		return object;
	json_object_put(object);
	return NULL;
}

static struct json_object *session_json(const struct agent_session *session)
{
	struct json_object *object = json_object_new_object();
	bool good = true;

	json_put(object, "state", json_object_new_string(agent_session_text(session->state)), &good);
	json_put(object, "user", json_object_new_string(session->user), &good);
	json_put(object, "uid", json_object_new_int64(session->uid), &good);
	json_put(object, "reason", json_object_new_string(session->reason), &good);
	if (good)
		return object;
	json_object_put(object);
	return NULL;
}

/* null where there is nothing to say. */
static void put_agent(struct json_object *object, const struct vm *vm, bool *good)
{
	if (vm->agent_there)
		json_put(object, "agent", agent_json(&vm->agent), good);
	else if (object)
		json_object_object_add(object, "agent", NULL);
	if (vm->session.state != AGENT_SESSION_NONE)
		json_put(object, "session", session_json(&vm->session), good);
	else if (object)
		json_object_object_add(object, "session", NULL);
	json_put(object, "sign_in", json_object_new_boolean(vm->record.sign_in), good);
}

static void put_definition(struct json_object *object, const struct vm_record *record, bool *good)
{
	json_put(object, "id", json_object_new_string(record->id), good);
	json_put(object, "slot", json_object_new_int64(record->slot), good);
	json_put(object, "image", json_object_new_string(record->image), good);
	json_put(object, "image_version", json_object_new_int64(record->image_version), good);
	json_put(object, "memory_mib", json_object_new_int64(record->memory_mib), good);
	json_put(object, "vcpus", json_object_new_int64(record->vcpus), good);
	json_put(object, "boot", json_object_new_int64(record->boot), good);
	json_put(object, "reason", json_object_new_string(record->reason), good);
}

struct json_object *vm_json(const struct vm *vm)
{
	struct json_object *object = json_object_new_object();
	bool good = true;

	put_definition(object, &vm->record, &good);
	json_put(object, "state", json_object_new_string(states[vm->state]), &good);
	json_put(object, "progress", json_object_new_int64(vm->progress), &good);
	json_put(object, "pid", json_object_new_int64(vm->pid), &good);
	json_put(object, "orphan", json_object_new_boolean(vm->orphan), &good);
	json_put(object, "warning", json_object_new_string(vm->warning), &good);
	if (vm->state == VM_STOPPED)
		json_put(object, "cause", json_object_new_string(vm_cause_text(vm->record.cause)), &good);
	put_agent(object, vm, &good);
	if (good)
		return object;
	json_object_put(object);
	return NULL;
}
