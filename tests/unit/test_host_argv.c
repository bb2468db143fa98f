/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/argv.h"

static void assert_line(const struct argv_input *input, const char *expected)
{
	char **argv = argv_make(input), line[8192] = "";

	assert_non_null(argv);
	for (char **word = argv; *word; word++) {
		strncat(line, *word, sizeof(line) - strlen(line) - 1);
		if (word[1])
			strncat(line, "\n", sizeof(line) - strlen(line) - 1);
	}
	argv_free(argv);
	assert_string_equal(line, expected);
}

#define MACHINE(id, accel, cpu, vcpus, memory)                                                                         \
	"-name\nguest=" id ",debug-threads=on\n-no-user-config\n-nodefaults\n-msg\ntimestamp=on\n"                     \
	"-sandbox\non,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny\n"                          \
	"-machine\nq35,accel=" accel ",vmport=off,memory-backend=ram\n-cpu\n" cpu "\n-smp\n" vcpus "\n-m\n" memory     \
	"M\n-object\nmemory-backend-memfd,id=ram,size=" memory "M,share=on\n-rtc\nbase=utc\n-action\nshutdown=pause\n"

#define DEVICES                                                                                                        \
	"-chardev\nsocket,id=qmp,fd=4,server=on,wait=off\n-mon\nchardev=qmp,mode=control\n"                            \
	"-device\nvirtio-serial-pci,id=serial0\n"                                                                      \
	"-chardev\nsocket,id=agent,fd=5,server=on,wait=off\n"                                                          \
	"-device\nvirtserialport,bus=serial0.0,nr=1,chardev=agent,name=org.hotdesk.agent.0\n"                          \
	"-chardev\nsocket,id=vdagent,fd=6,server=on,wait=off\n"                                                        \
	"-device\nvirtserialport,bus=serial0.0,nr=2,chardev=vdagent,name=com.redhat.spice.0\n"                         \
	"-chardev\nnull,id=console\n-device\nisa-serial,chardev=console\n"                                             \
	"-audiodev\ndbus,id=audio0\n-display\ndbus,p2p=on,audiodev=audio0\n"                                           \
	"-device\nvirtio-vga,id=video0,max_outputs=1,xres=1280,yres=800\n"                                             \
	"-device\nvirtio-keyboard-pci,id=keyboard0\n-device\nvirtio-tablet-pci,id=tablet0\n"                           \
	"-device\nvirtio-rng-pci,id=rng0\n-device\nvmgenid,id=vmgenid0,guid=auto\n"                                    \
	"-device\nich9-intel-hda,id=sound0\n-device\nhda-output,bus=sound0.0,audiodev=audio0,mixer=off\n"              \
	"-device\npcie-root-port,id=nic-port,chassis=1\n-device\npcie-root-port,id=data-port,chassis=2\n"              \
	"-add-fd\nfd=7,set=1\n-add-fd\nfd=8,set=2\n"                                                                   \
	"-blockdev\ndriver=file,node-name=image-file,filename=/dev/fdset/1,read-only=on\n"                             \
	"-blockdev\ndriver=qcow2,node-name=image,file=image-file,read-only=on\n"                                       \
	"-blockdev\ndriver=file,node-name=overlay-file,filename=/dev/fdset/2,discard=unmap\n"                          \
	"-blockdev\ndriver=qcow2,node-name=overlay,file=overlay-file,backing=image,discard=unmap\n"                    \
	"-device\nvirtio-blk-pci,id=disk0,drive=overlay,werror=enospc,rerror=report"

static void the_emulated_desktop_with_direct_boot(void **state)
{
	const struct argv_input input = {
	    .id = "desk-1",
	    .accel = ACCEL_TCG,
	    .memory_mib = 384,
	    .vcpus = 1,
	    .direct_boot = true,
	    .append = "root=/dev/vda rw",
	};

	(void)state;
	assert_line(&input, MACHINE("desk-1", "tcg", "qemu64", "1", "384") DEVICES
		    "\n-kernel\n/proc/self/fd/9\n-initrd\n/proc/self/fd/10\n-append\nroot=/dev/vda rw");
}

static void the_kvm_desktop_from_its_own_disk_with_a_network(void **state)
{
	const struct argv_input input = {
	    .id = "a",
	    .accel = ACCEL_KVM,
	    .memory_mib = 4096,
	    .vcpus = 4,
	    .nat = true,
	};

	(void)state;
	assert_line(&input, MACHINE("a", "kvm", "host", "4", "4096") DEVICES
		    "\n-netdev\nuser,id=net0\n-device\n"
		    "virtio-net-pci,id=nic0,bus=nic-port,netdev=net0,mac=52:54:00:0c:29:2c,romfile=");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_emulated_desktop_with_direct_boot),
	    cmocka_unit_test(the_kvm_desktop_from_its_own_disk_with_a_network),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
