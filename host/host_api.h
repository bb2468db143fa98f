/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * org.hotdesk.Host1 at RUNTIME_DIR/host.sock, object /org/hotdesk/Host1. JSON texts are UTF-8 objects or arrays by
 * json-c. Hello(u version) -> (u version) ImageImport(s name, h disk, b has_kernel, h kernel, h initrd, s append) -> (u
 * version)   replies when the image is whole ImageImported progress: signal ImageProgress(s name, u percent)
 *   ImageList() -> (s json)
 * [{"name","version","published","size","virtual_size","sha256","created","direct_boot","in_use"}] ImageDelete(s name,
 * u version)          version 0: all; refused while in use SetDesired(t generation, s json)        the whole wanted
 * set, idempotent; an older generation is refused (-ESTALE):
 *     [{"id","slot","image","image_version"(0:
 * published),"memory_mib","vcpus","state":"running|stopped|absent","network":"nat|none"}] ids the host has and the list
 * lacks are left alone and reported as "orphan" by List (nothing a user is in is killed by a lost row) List() -> (t
 * generation, s json)        the same objects as Changed gives signal Changed(s json)
 * {"id","state","progress","reason","image","image_version","agent":{"version","capabilities"}|null, "boot":N (counts
 * QEMU starts),"pid","owner_died":bool} state: "absent|cloning|starting|booting|ready|stopping|stopped|failed"; "ready"
 * = agent's ready, or ready-timeout over. progress 0..100; reason: the person's sentence for "failed" and for an
 * unwanted stop. A guest that shuts itself down, or a QEMU that dies, goes to "stopped" with
 * "cause":"guest-shutdown|crash|asked". OpenDisplay(s id) -> (h socket)         a new D-Bus display main connection of
 * QEMU (add_client @dbus-display) Stop(s id, b force)                     graceful (ACPI power button, then kill after
 * stop-timeout) or at once Show() -> (s json)
 * {"accel","accel_reason","cpus","memory_mib","memory_free_mib","disk_free_mib","nat","root","qemu_version"} Objects of
 * ids: [a-z0-9-]{1,48}. Errors: org.hotdesk.Error.* with the person's text (common/bus.h).
 */
#ifndef HOST_API_H
#define HOST_API_H

#define HOST_API_VERSION 1
#define HOST_API_PATH "/org/hotdesk/Host1"
#define HOST_API_INTERFACE "org.hotdesk.Host1"
#define HOST_DESKTOP_ID_MAX 49 /* with the NUL */
#define HOST_JSON_MAX (16u << 20)

#endif
