/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/vm_record.h"

#include "common/fs.h"
#include "host/json.h"
#include "host/spawn/spawn_api.h"

#include <errno.h>
#include <string.h>

#define MEMORY_MIN_MIB 16
#define MEMORY_MAX_MIB (4 << 20)
#define VCPUS_MAX 255

static const char *const causes[] = {
    [VM_CAUSE_NONE] = "",
    [VM_CAUSE_ASKED] = "asked",
    [VM_CAUSE_GUEST] = "guest-shutdown",
    [VM_CAUSE_CRASH] = "crash",
};

const char *vm_cause_text(enum vm_cause cause)
{
	return causes[cause];
}

static enum vm_cause cause_of(const char *text)
{
	for (size_t i = 1; text && i < sizeof(causes) / sizeof(causes[0]); i++)
		if (strcmp(causes[i], text) == 0)
			return (enum vm_cause)i;
	return VM_CAUSE_NONE;
}

char *vm_record_text(const struct vm_record *record)
{
	_cleanup_json_ struct json_object *object = json_object_new_object();
	const char *text;
	bool good = true;
	char *copy;

	json_put(object, "id", json_object_new_string(record->id), &good);
	json_put(object, "slot", json_object_new_int64(record->slot), &good);
	json_put(object, "image", json_object_new_string(record->image), &good);
	json_put(object, "image_version", json_object_new_int64(record->image_version), &good);
	json_put(object, "memory_mib", json_object_new_int64(record->memory_mib), &good);
	json_put(object, "vcpus", json_object_new_int64(record->vcpus), &good);
	json_put(object, "network", json_object_new_string(record->nat ? "nat" : "none"), &good);
	json_put(object, "generation", json_object_new_int64((int64_t)record->generation), &good);
	json_put(object, "boot", json_object_new_int64(record->boot), &good);
	json_put(object, "running", json_object_new_boolean(record->running), &good);
	json_put(object, "ready", json_object_new_boolean(record->ready), &good);
	json_put(object, "sign_in", json_object_new_boolean(record->sign_in), &good);
	json_put(object, "cause", json_object_new_string(causes[record->cause]), &good);
	json_put(object, "reason", json_object_new_string(record->reason), &good);
	text = good ? json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY) : NULL;
	return text && asprintf(&copy, "%s\n", text) >= 0 ? copy : NULL;
}

static int take_number(struct json_object *object, const char *key, int64_t min, int64_t max, uint32_t *ret)
{
	int64_t number = json_number(object, key, -1);

	if (number < min || number > max)
		return -EINVAL;
	*ret = (uint32_t)number;
	return 0;
}

static int take_names(struct json_object *object, struct vm_record *record)
{
	const char *id = json_text(object, "id"), *image = json_text(object, "image");

	if (!id || !desktop_id_valid(id) || !image || !image_name_valid(image))
		return -EINVAL;
	snprintf(record->id, sizeof(record->id), "%s", id);
	snprintf(record->image, sizeof(record->image), "%s", image);
	return 0;
}

/* The members that SetDesired and definition.json share. */
static int take_definition(struct json_object *object, struct vm_record *record)
{
	const char *network = json_text(object, "network");

	if (take_names(object, record) < 0 || take_number(object, "slot", 0, SPAWN_SLOTS_MAX - 1, &record->slot) < 0 ||
	    take_number(object, "image_version", 0, UINT32_MAX, &record->image_version) < 0 ||
	    take_number(object, "memory_mib", MEMORY_MIN_MIB, MEMORY_MAX_MIB, &record->memory_mib) < 0 ||
	    take_number(object, "vcpus", 1, VCPUS_MAX, &record->vcpus) < 0)
		return -EINVAL;
	record->nat = network && strcmp(network, "nat") == 0;
	return 0;
}

int vm_record_parse(const char *text, size_t size, struct vm_record *ret)
{
	_cleanup_json_ struct json_object *object = json_read(text, size, json_type_object);
	struct vm_record record = {0};
	const char *reason = json_text(object, "reason");

	if (!object || take_definition(object, &record) < 0 || record.image_version == 0 ||
	    take_number(object, "boot", 0, UINT32_MAX, &record.boot) < 0)
		return -EBADMSG;
	record.generation = (uint64_t)json_number(object, "generation", 0);
	record.running = json_flag(object, "running");
	record.ready = json_flag(object, "ready");
	record.sign_in = json_flag(object, "sign_in");
	record.cause = cause_of(json_text(object, "cause"));
	snprintf(record.reason, sizeof(record.reason), "%s", reason ? reason : "");
	*ret = record;
	return 0;
}

int vm_desired_parse(struct json_object *object, struct vm_desired *ret, struct error *err)
{
	static const char *const wants[] = {"stopped", "running", "absent"};
	struct vm_desired desired = {0};
	const char *state = json_text(object, "state"), *id = json_text(object, "id");
	size_t i = 0;

	if (take_definition(object, &desired.record) < 0)
		return error_set(err, -EINVAL, "the desktop %s is described by values that cannot be", id ? id : "?");
	while (i < 3 && (!state || strcmp(wants[i], state) != 0))
		i++;
	if (i == 3)
		return error_set(err, -EINVAL, "the desktop %s is wanted in a state that is not known",
				 desired.record.id);
	desired.want = (enum vm_want)i;
	*ret = desired;
	return 0;
}
