/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * org.hotdesk.Host1 at RUNTIME_DIR/host/host.sock, object /org/hotdesk/Host1. JSON texts are UTF-8 by json-c. Desktops'
 * ids: [a-z0-9-]{1,48}. Errors: org.hotdesk.Error.* with the person's text (common/bus.h).
 *
 *   Hello(u version) -> (u version)
 *   ImageImport(s name, s json, ah files) -> (u version)   replies when it is whole
 *       {"append", "publish", "recipe_name" ("": no recipe), "files": what each fd is:
 *        "disk", "kernel" and "initrd", "recipe" (256 KiB), "log" (64 MiB)}
 *   signal ImageProgress(s name, u percent)
 *   ImageList() -> (s json)                  [{"name", "version", "published", "size", "virtual_size", "sha256",
 *                                              "created", "direct_boot", "in_use", "recipe_name", "log"}]
 *   ImageDelete(s name, u version)           version 0: all; refused while in use, and of the
 *                                            published one (-EBUSY) while there are others
 *   ImagePublish(s name, u version) -> (u version)   checks the files' sums first; ImageProgress meanwhile
 *   ImageRollback(s name) -> (u version)     the same, of the version that was published before
 *   ImageVerify(s name, u version) -> (u version)    checks the files' sums alone
 *   ImageOpen(s name, u version, s what) -> (u version, h file)   "recipe" or "log", to read; version 0: the newest
 *   SetDesired(t generation, s json)         the whole wanted set, idempotent; an older generation is refused (-ESTALE)
 *       [{"id", "slot", "image", "image_version" (0: published), "memory_mib", "vcpus",
 *         "state": "running|stopped|absent", "network": "nat|none"}]
 *   List() -> (t generation, s json)         an array of the objects that Changed gives
 *   signal Changed(s json)
 *       {"id", "slot", "state", "progress" (0..100), "reason", "cause", "warning", "image", "image_version",
 *        "memory_mib", "vcpus", "agent": {"version", "os", "capabilities", "missing"} or null, "sign_in",
 *        "session": {"state", "user", "uid", "reason"} or null, "boot", "pid", "orphan"}
 *   AgentCall(s id, s request, s json)       asks the guest's agent (guest-agent/README.md), json: the request's
 *                                            fields; replies with its answer, -ENOTCONN while none answers
 *   OpenDisplay(s id) -> (h socket)          a new D-Bus display connection of QEMU (add_client @dbus-display)
 *   OpenVdagent(s id) -> (h socket)          a new connection to the desktop's com.redhat.spice.0 port; QEMU takes
 *                                            one at a time, and the next one when the last has closed
 *   Stop(s id, b force)                      graceful (power button, then kill after stop-timeout) or at once
 *   Show() -> (s json)                       {"accel", "accel_reason", "cpus", "memory_mib", "memory_free_mib",
 *                                            "disk_free_mib", "nat", "root", "qemu_version"}
 *
 * state: absent, cloning, starting, booting, ready (the agent's ready, or ready-timeout is over), stopping, stopped or
 * failed (a start that came to nothing). "cause" of stopped: asked, guest-shutdown or crash. "reason": the person's
 * sentence for failed and for an unwanted end or pause. "warning": what it has to do without. "boot" counts the
 * guest's starts. "orphan": the wanted set does not name it; it is left alone, as nothing a user is in may end by a
 * lost row. Of one that is absent only id and state are sure.
 *
 * "missing": capabilities that this release knows and the agent lacks. "sign_in": in this boot users are signed in by
 * the agent, also while it does not answer; then ready means that it can be done, and a reboot from inside is told as
 * booting with the next boot. "session": what the agent said last, null while nobody is signed in or no agent has said
 * hello.
 */
#ifndef HOST_API_H
#define HOST_API_H

#define HOST_API_VERSION 4
#define HOST_API_PATH "/org/hotdesk/Host1"
#define HOST_API_INTERFACE "org.hotdesk.Host1"
#define HOST_DESKTOP_ID_MAX 49 /* with the NUL */
#define HOST_JSON_MAX (16u << 20)

#endif
