/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/argv.h"

#include "common/cleanup.h"

#include <stdarg.h>
#include <string.h>

#define FIRST_FD 3

struct words {
	char **list;
	size_t n, room;
	bool failed;
};

static void __attribute__((format(printf, 2, 3))) add(struct words *words, const char *format, ...)
{
	va_list args;
	char *word = NULL;

	if (words->n + 2 > words->room) {
		size_t room = words->room ? 2 * words->room : 64;
		char **larger = realloc(words->list, room * sizeof(*larger));

		if (!larger) {
			words->failed = true;
			return;
		}
		words->list = larger;
		words->room = room;
	}
	va_start(args, format);
	if (vasprintf(&word, format, args) < 0)
		word = NULL;
	va_end(args);
	if (!word)
		words->failed = true;
	else
		words->list[words->n++] = word;
	words->list[words->n] = NULL;
}

static int fd_of(enum vm_fd fd)
{
	return FIRST_FD + (int)fd;
}

/* An option and its value. */
#define option(words, name, ...) (add(words, "%s", name), add(words, __VA_ARGS__))

static void add_machine(struct words *words, const struct argv_input *input)
{
	bool kvm = input->accel == ACCEL_KVM;

	option(words, "-name", "guest=%s,debug-threads=on", input->id);
	add(words, "-no-user-config");
	add(words, "-nodefaults");
	option(words, "-msg", "timestamp=on");
	option(words, "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
	option(words, "-machine", "q35,accel=%s,vmport=off,memory-backend=ram", kvm ? "kvm" : "tcg");
	option(words, "-cpu", "%s", kvm ? "host" : "qemu64");
	option(words, "-smp", "%u", input->vcpus);
	option(words, "-m", "%uM", input->memory_mib);
	option(words, "-object", "memory-backend-memfd,id=ram,size=%uM,share=on", input->memory_mib);
	option(words, "-rtc", "base=utc");
	/* A guest that has shut down waits for hotdesk-host, so that a restarted one still learns why it ended. */
	option(words, "-action", "shutdown=pause");
}

static void add_socket(struct words *words, const char *name, enum vm_fd fd)
{
	option(words, "-chardev", "socket,id=%s,fd=%d,server=on,wait=off", name, fd_of(fd));
}

static void add_ports(struct words *words)
{
	add_socket(words, "qmp", VM_FD_QMP);
	option(words, "-mon", "chardev=qmp,mode=control");
	option(words, "-device", "virtio-serial-pci,id=serial0");
	add_socket(words, "agent", VM_FD_AGENT);
	option(words, "-device", "virtserialport,bus=serial0.0,nr=1,chardev=agent,name=org.hotdesk.agent.0");
	add_socket(words, "vdagent", VM_FD_VDAGENT);
	option(words, "-device", "virtserialport,bus=serial0.0,nr=2,chardev=vdagent,name=com.redhat.spice.0");
	/* For kernels told to use it as their console; what they say there goes nowhere. */
	option(words, "-chardev", "null,id=console");
	option(words, "-device", "isa-serial,chardev=console");
}

static void add_devices(struct words *words)
{
	option(words, "-audiodev", "dbus,id=audio0");
	option(words, "-display", "dbus,p2p=on,audiodev=audio0");
	option(words, "-device", "virtio-vga,id=video0,max_outputs=1,xres=1280,yres=800");
	option(words, "-device", "virtio-keyboard-pci,id=keyboard0");
	option(words, "-device", "virtio-tablet-pci,id=tablet0");
	option(words, "-device", "virtio-rng-pci,id=rng0");
	option(words, "-device", "vmgenid,id=vmgenid0,guid=auto");
	/* No microphone: no viewer can feed one. No mixer either: QEMU would tell a later listener nothing of its
	 * volume, and a guest turns down what it plays by itself. */
	option(words, "-device", "ich9-intel-hda,id=sound0");
	option(words, "-device", "hda-output,bus=sound0.0,audiodev=audio0,mixer=off");
	/* Reserved also where nothing is plugged in: all desktops of a pool have the same hardware. */
	option(words, "-device", "pcie-root-port,id=nic-port,chassis=1");
	option(words, "-device", "pcie-root-port,id=data-port,chassis=2");
}

static void add_disk(struct words *words)
{
	option(words, "-add-fd", "fd=%d,set=1", fd_of(VM_FD_IMAGE));
	option(words, "-add-fd", "fd=%d,set=2", fd_of(VM_FD_OVERLAY));
	option(words, "-blockdev", "driver=file,node-name=image-file,filename=/dev/fdset/1,read-only=on");
	option(words, "-blockdev", "driver=qcow2,node-name=image,file=image-file,read-only=on");
	option(words, "-blockdev", "driver=file,node-name=overlay-file,filename=/dev/fdset/2,discard=unmap");
	option(words, "-blockdev", "driver=qcow2,node-name=overlay,file=overlay-file,backing=image,discard=unmap");
	/* A full disk pauses the guest instead of failing its writes: vm_link.c lets it go on. */
	option(words, "-device", "virtio-blk-pci,id=disk0,drive=overlay,werror=enospc,rerror=report");
}

static void add_boot(struct words *words, const struct argv_input *input)
{
	if (!input->direct_boot)
		return;
	/* Not /dev/fdset: QEMU's loaders open(2) these. */
	option(words, "-kernel", "/proc/self/fd/%d", fd_of(VM_FD_KERNEL));
	option(words, "-initrd", "/proc/self/fd/%d", fd_of(VM_FD_INITRD));
	option(words, "-append", "%s", input->append);
}

/* FNV-1a: neighbours in one network segment need different addresses, no more than that. */
static uint32_t hash(const char *text)
{
	uint32_t value = 2166136261u;

	for (; *text; text++)
		value = (value ^ (unsigned char)*text) * 16777619u;
	return value;
}

static void add_network(struct words *words, const struct argv_input *input)
{
	uint32_t unit = hash(input->id);

	if (!input->nat)
		return;
	option(words, "-netdev", "user,id=net0");
	option(words, "-device", "virtio-net-pci,id=nic0,bus=nic-port,netdev=net0,mac=52:54:00:%02x:%02x:%02x,romfile=",
	       unit >> 16 & 0xff, unit >> 8 & 0xff, unit & 0xff);
}

char **argv_make(const struct argv_input *input)
{
	struct words words = {0};

	add_machine(&words, input);
	add_ports(&words);
	add_devices(&words);
	add_disk(&words);
	add_boot(&words, input);
	add_network(&words, input);
	if (!words.failed)
		return words.list;
	argv_free(words.list);
	return NULL;
}

void argv_free(char **argv)
{
	for (char **word = argv; word && *word; word++)
		free(*word);
	free(argv);
}

void argv_freep(char ***argv)
{
	argv_free(*argv);
}
