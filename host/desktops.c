/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/desktops.h"

#include "common/cleanup.h"
#include "common/fs.h"
#include "common/log.h"
#include "host/json.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

struct node {
	struct vm *vm;
	struct node *next;
	bool named; /* by the wanted set that is being taken */
};

/* Somebody who waits for a generation to be on the disk. */
struct waiter {
	uint64_t generation;
	desktops_done_fn done;
	void *userdata;
	struct waiter *next;
};

struct desktops {
	struct vm_env *env;
	const struct desktops_ops *ops;
	void *userdata;
	struct node *list;
	uint64_t generation;
	bool saving;
	struct waiter *waiters;
	size_t n_adopting;
	bool ready; /* all were told to be looked for */
};

static void dir_closep(DIR **directory)
{
	if (*directory)
		closedir(*directory);
}

static struct node *find_node(const struct desktops *desktops, const char *id)
{
	struct node *at = desktops->list;

	while (at && strcmp(vm_id(at->vm), id) != 0)
		at = at->next;
	return at;
}

struct vm *desktops_find(const struct desktops *desktops, const char *id)
{
	const struct node *node = find_node(desktops, id);

	return node ? node->vm : NULL;
}

const struct vm *desktops_with_image(const struct desktops *desktops, const char *name, uint32_t version)
{
	for (const struct node *at = desktops->list; at; at = at->next)
		if (vm_uses_image(at->vm, name, version))
			return at->vm;
	return NULL;
}

static int add_vm(struct desktops *desktops, const struct vm_record *record, bool exists, struct node **ret)
{
	struct node *node = calloc(1, sizeof(*node));
	int r;

	if (!node)
		return -ENOMEM;
	r = vm_new(desktops->env, record, exists, &node->vm);
	if (r < 0) {
		free(node);
		return r;
	}
	node->next = desktops->list;
	desktops->list = node;
	*ret = node;
	return 0;
}

static void vm_changed_op(struct vm *vm, void *userdata)
{
	struct desktops *desktops = userdata;
	_cleanup_json_ struct json_object *object = vm_json(vm);

	if (object)
		desktops->ops->changed(object, desktops->userdata);
}

static void vm_gone_op(struct vm *vm, void *userdata)
{
	struct desktops *desktops = userdata;
	struct node **at = &desktops->list;

	while (*at) {
		struct node *node = *at;

		if (node->vm == vm) {
			*at = node->next;
			vm_free(vm);
			free(node);
			return;
		}
		at = &node->next;
	}
}

static void settle(struct desktops *desktops)
{
	if (desktops->ready && desktops->n_adopting == 0)
		desktops->ops->settled(desktops->userdata);
}

static void vm_adopted_op(struct vm *vm, void *userdata)
{
	struct desktops *desktops = userdata;

	(void)vm;
	desktops->n_adopting--;
	settle(desktops);
}

static int load_one(struct desktops *desktops, const char *id)
{
	_cleanup_free_ char *text = NULL;
	struct vm_record record;
	struct node *node;
	char path[PATH_MAX];
	size_t size;
	int r = fs_path(path, sizeof(path), "%s/%s/definition.json", desktops->env->dirs.state, id);

	if (r == 0)
		r = fs_read_file(path, VM_RECORD_MAX, &text, &size);
	if (r == 0)
		r = vm_record_parse(text, size, &record);
	if (r == 0 && strcmp(record.id, id) != 0)
		r = -EBADMSG;
	return r < 0 ? r : add_vm(desktops, &record, true, &node);
}

static int load_entry(struct desktops *desktops, const char *name)
{
	char path[PATH_MAX];
	int r;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return 0;
	if (name[0] == '.') {
		/* Half made or half removed when this program was killed. */
		r = fs_path(path, sizeof(path), "%s/%s", desktops->env->dirs.state, name);
		return r < 0 ? r : fs_remove_tree(path);
	}
	return desktop_id_valid(name) ? load_one(desktops, name) : 0;
}

static int load_all(struct desktops *desktops, struct error *err)
{
	const char *path = desktops->env->dirs.state;
	_cleanup_(dir_closep) DIR *directory = NULL;
	struct dirent *entry;
	int r = fs_mkdir_p(path, 0700);

	if (r == 0 && !(directory = opendir(path)))
		r = -errno;
	if (r < 0)
		return error_set_errno(err, r, "cannot read the desktops in %s", path);
	while (directory && (entry = readdir(directory))) {
		r = load_entry(desktops, entry->d_name);
		if (r < 0)
			log_error("%s/%s is not understood and is left alone: %s", path, entry->d_name, strerror(-r));
	}
	return 0;
}

static int generation_path(const struct desktops *desktops, char path[PATH_MAX])
{
	return fs_path(path, PATH_MAX, "%s/generation", desktops->env->dirs.home);
}

static void load_generation(struct desktops *desktops)
{
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX];

	if (generation_path(desktops, path) == 0 && fs_read_file(path, 64, &text, NULL) == 0)
		desktops->generation = strtoull(text, NULL, 10);
}

struct generation_save {
	struct desktops *desktops;
	uint64_t generation;
	char path[PATH_MAX], text[32];
};

static int generation_work(void *data, struct error *err)
{
	const struct generation_save *save = data;
	int r = fs_write_atomic(save->path, save->text, strlen(save->text), 0600);

	return r < 0 ? error_set_errno(err, r, "%s cannot be written", save->path) : 0;
}

static void save_generation(struct desktops *desktops);

/* Those up to generation are told. */
static void tell_waiters(struct desktops *desktops, uint64_t generation, int r, const struct error *err)
{
	for (struct waiter **at = &desktops->waiters; *at;) {
		struct waiter *waiter = *at;

		if (waiter->generation > generation) {
			at = &waiter->next;
			continue;
		}
		*at = waiter->next;
		waiter->done(r, err, waiter->userdata);
		free(waiter);
	}
}

static void generation_done(int r, const struct error *err, void *data)
{
	struct generation_save *save = data;
	struct desktops *desktops = save->desktops;

	desktops->saving = false;
	if (r < 0)
		log_error("%s", err->text);
	tell_waiters(desktops, r < 0 ? UINT64_MAX : save->generation, r, err);
	free(save);
	if (desktops->waiters)
		save_generation(desktops);
}

static int start_generation_save(struct desktops *desktops)
{
	struct generation_save *save = calloc(1, sizeof(*save));
	int r = -ENOMEM;

	if (!save)
		return r;
	save->desktops = desktops;
	save->generation = desktops->generation;
	snprintf(save->text, sizeof(save->text), "%llu", (unsigned long long)desktops->generation);
	r = generation_path(desktops, save->path);
	if (r == 0)
		r = jobs_start(desktops->env->jobs, generation_work, generation_done, save);
	if (r < 0)
		free(save);
	return r;
}

/* One write at a time: it covers all who wait when it begins. */
static void save_generation(struct desktops *desktops)
{
	struct error err = {0};
	int r;

	if (desktops->saving)
		return;
	r = start_generation_save(desktops);
	if (r == 0) {
		desktops->saving = true;
		return;
	}
	error_set_errno(&err, r, "the generation cannot be written");
	tell_waiters(desktops, UINT64_MAX, r, &err);
}

static int add_waiter(struct desktops *desktops, desktops_done_fn done, void *userdata)
{
	struct waiter *waiter = calloc(1, sizeof(*waiter));

	if (!waiter)
		return -ENOMEM;
	*waiter = (struct waiter){desktops->generation, done, userdata, desktops->waiters};
	desktops->waiters = waiter;
	return 0;
}

int desktops_new(struct vm_env *env, const struct desktops_ops *ops, void *userdata, struct desktops **ret,
		 struct error *err)
{
	struct desktops *desktops = calloc(1, sizeof(*desktops));
	int r;

	if (!desktops)
		return error_set(err, -ENOMEM, "out of memory");
	desktops->env = env;
	desktops->ops = ops;
	desktops->userdata = userdata;
	env->changed = vm_changed_op;
	env->gone = vm_gone_op;
	env->adopted = vm_adopted_op;
	env->userdata = desktops;
	r = load_all(desktops, err);
	if (r < 0) {
		desktops_free(desktops);
		return r;
	}
	load_generation(desktops);
	*ret = desktops;
	for (struct node *at = desktops->list; at; at = at->next)
		desktops->n_adopting++;
	for (struct node *at = desktops->list; at; at = at->next)
		vm_adopt(at->vm);
	desktops->ready = true;
	settle(desktops);
	return 0;
}

void desktops_free(struct desktops *desktops)
{
	if (!desktops)
		return;
	while (desktops->list) {
		struct node *node = desktops->list;

		desktops->list = node->next;
		vm_free(node->vm);
		free(node);
	}
	free(desktops);
}

uint64_t desktops_generation(const struct desktops *desktops)
{
	return desktops->generation;
}

struct json_object *desktops_json(const struct desktops *desktops)
{
	struct json_object *list = json_object_new_array();

	for (const struct node *at = desktops->list; at && list; at = at->next) {
		struct json_object *object = vm_json(at->vm);

		if (!object || json_object_array_add(list, object) < 0) {
			json_object_put(object);
			json_object_put(list);
			return NULL;
		}
	}
	return list;
}

/* For one that is wanted absent and was never made: somebody waits to hear so. */
static void tell_absent(struct desktops *desktops, const char *id)
{
	_cleanup_json_ struct json_object *object = json_object_new_object();
	bool good = true;

	json_put(object, "id", json_object_new_string(id), &good);
	json_put(object, "state", json_object_new_string("absent"), &good);
	if (good)
		desktops->ops->changed(object, desktops->userdata);
}

static int want_one(struct desktops *desktops, const struct vm_desired *desired)
{
	struct node *node = find_node(desktops, desired->record.id);
	int r = 0;

	if (!node && desired->want == VM_WANT_ABSENT)
		tell_absent(desktops, desired->record.id);
	if (!node && desired->want != VM_WANT_RUNNING)
		return 0;
	if (!node)
		r = add_vm(desktops, &desired->record, false, &node);
	if (r < 0)
		return r;
	node->named = true;
	vm_want(node->vm, desired, desktops->generation);
	return 0;
}

static int parse_all(struct json_object *wanted, struct vm_desired *ret, size_t n, struct error *err)
{
	for (size_t i = 0; i < n; i++) {
		int r = vm_desired_parse(json_object_array_get_idx(wanted, i), &ret[i], err);

		if (r < 0)
			return r;
	}
	return 0;
}

static int want_all(struct desktops *desktops, const struct vm_desired *all, size_t n)
{
	int r = 0;

	for (struct node *at = desktops->list; at; at = at->next)
		at->named = false;
	for (size_t i = 0; i < n && r == 0; i++)
		r = want_one(desktops, &all[i]);
	for (struct node *at = desktops->list; at && r == 0; at = at->next)
		if (!at->named)
			vm_orphan(at->vm);
	return r;
}

int desktops_want(struct desktops *desktops, uint64_t generation, struct json_object *wanted, desktops_done_fn done,
		  void *userdata, struct error *err)
{
	size_t n = json_object_array_length(wanted);
	struct vm_desired *all;
	int r;

	if (generation < desktops->generation)
		return error_set(err, -ESTALE, "the wanted set is generation %llu and %llu was seen already",
				 (unsigned long long)generation, (unsigned long long)desktops->generation);
	if (n > SPAWN_SLOTS_MAX)
		return error_set(err, -E2BIG, "%zu desktops are more than one machine can have", n);
	all = calloc(n + 1, sizeof(*all));
	if (!all)
		return error_set(err, -ENOMEM, "out of memory");
	r = parse_all(wanted, all, n, err);
	if (r == 0) {
		desktops->generation = generation;
		r = want_all(desktops, all, n);
		if (r == 0)
			r = add_waiter(desktops, done, userdata);
		if (r == 0)
			save_generation(desktops);
		else
			error_set_errno(err, r, "the wanted set was taken in part");
	}
	free(all);
	return r;
}
