#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""hotdesk-host with real QEMU under TCG, and with hotdesk-spawn alone beside it: images, a desktop's whole life, crashes
and restarts."""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

from case import Skip, case, eventually, main
from harness import BUILD, Stack, process_alive

BOOT = 240


def find_tool():
    tool = BUILD / "tests/wire/host-client-tool"
    return tool if tool.exists() else BUILD / "bin/host-client-tool"


class Client:
    """host-client-tool: one connection to hotdesk-host that outlives the host."""

    def __init__(self, stack):
        self.process = subprocess.Popen([find_tool(), stack.runtime / "host/host.sock"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.lock = threading.Condition()
        self.done = {}
        self.states = {}
        self.history = {}
        self.connected = False
        self.commands = 0
        self.generation = 0
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            said = json.loads(line)
            with self.lock:
                if "done" in said:
                    self.done[said["done"]] = said
                elif "connected" in said:
                    self.connected = said["connected"]
                else:
                    desktop = said["changed"]
                    self.states[desktop["id"]] = desktop
                    seen = self.history.setdefault(desktop["id"], [])
                    if not seen or seen[-1] != desktop["state"]:
                        seen.append(desktop["state"])

    def ask(self, command, timeout=60):
        self.commands += 1
        number = self.commands
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return eventually(lambda: self.done.get(number), f"an answer to {command[:80]}", timeout)

    def good(self, command, timeout=60):
        answer = self.ask(command, timeout)
        assert answer["r"] == 0, f"{command[:80]}: {answer['text']}"
        return answer["json"]

    def refused(self, command, words, timeout=60):
        answer = self.ask(command, timeout)
        assert answer["r"] < 0 and words in answer["text"], f"{command[:80]}: {answer}"

    def want(self, *desktops):
        self.generation += 1
        return self.good(f"want {self.generation} {json.dumps(desktops)}")

    def wait(self, name, state, timeout=BOOT):
        def there():
            desktop = self.states.get(name)
            return desktop if desktop and desktop["state"] == state else None
        return eventually(there, lambda: f"{name} is {state}: {self.states.get(name)}\n{stack.log_tail()}", timeout)

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)


def desktop(name, slot=1, state="running", **keys):
    return {"id": name, "slot": slot, "image": "tiny", "image_version": 0, "memory_mib": 384, "vcpus": 1,
            "state": state, "network": "none", **keys}


def tiny():
    return pathlib.Path(os.environ["HOTDESK_TINY"])


def import_tiny():
    return client.good(f"import tiny {tiny()}/disk.qcow2 {tiny()}/vmlinux {tiny()}/initrd")


def listed(name):
    """None where it is not there, or while the host is away."""
    answer = client.ask("list")
    return next((row for row in answer["json"]["desktops"] if row["id"] == name), None) if answer["r"] == 0 else None


def files_of(name):
    return stack.state / "host/vm" / name


def sockets_of(pid):
    """The inodes of its sockets."""
    inodes = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{fd}")
        except FileNotFoundError:  # closed meanwhile
            continue
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    return inodes


stack = None
client = None


def setup():
    global stack, client
    if "HOTDESK_TINY" not in os.environ:
        raise Skip("HOTDESK_TINY is not set: the tiny guest is not built")
    if not find_tool().exists():
        raise Skip("host-client-tool is not built")
    # The broker of the configuration is this test's own user, as it plays the broker.
    stack = Stack(conf={"host": {"accel": "tcg", "network": "none", "stop-timeout": "60s"}})
    stack.start(without=("auth", "broker", "gate"))
    client = Client(stack)
    eventually(lambda: client.connected, "connected to the host", 30)


def teardown():
    if client:
        client.close()
    if stack:
        stack.stop()


@case
def an_image_is_copied_in_whole_with_its_sum_and_newer_versions_are_published():
    first = import_tiny()["version"]
    second = import_tiny()["version"]
    assert second == first + 1, (first, second)
    images = client.good("images")
    assert [image["published"] for image in images] == [False, True], images
    sum_there = subprocess.run(["sha256sum", tiny() / "disk.qcow2"], text=True, capture_output=True, check=True)
    assert images[1]["sha256"] == sum_there.stdout.split()[0], images[1]
    assert images[1]["direct_boot"] and not images[1]["in_use"], images[1]
    client.good(f"delete tiny {first}")
    assert [image["version"] for image in client.good("images")] == [second]
    leftovers = [entry for entry in os.listdir(stack.state / "host/images") if entry.startswith(".new")]
    assert not leftovers, leftovers


@case
def a_foreign_file_is_refused_with_what_to_do_and_leaves_nothing():
    directory = stack.directory / "foreign"
    directory.mkdir()
    raw = directory / "raw.img"
    raw.write_bytes(b"\0" * 4096)
    backed = directory / "backed.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", tiny() / "disk.qcow2", backed],
                   check=True)
    external = directory / "external.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-o", f"data_file={directory}/data", external, "64M"],
                   check=True)
    luks = directory / "luks.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "--object", "secret,id=s,data=x", "-f", "qcow2", "-o",
                    "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10", luks, "64M"], check=True)
    short = directory / "short.qcow2"
    shutil.copy(tiny() / "disk.qcow2", short)
    os.truncate(short, os.path.getsize(short) // 2)
    for path, words in ((raw, "qemu-img convert"), (backed, "backing file"), (external, "external"),
                        (luks, "encrypt"), (short, "cut off")):
        client.refused(f"import foreign {path}", words)
    client.refused(f"import Foreign {tiny()}/disk.qcow2", "name")
    assert "foreign" not in [image["name"] for image in client.good("images")]
    assert os.listdir(stack.state / "host/images") == ["tiny"], os.listdir(stack.state / "host/images")


@case
def a_desktop_is_cloned_boots_and_its_agent_says_ready():
    client.want(desktop("one"))
    ready = client.wait("one", "ready")
    assert client.history["one"][:4] == ["cloning", "starting", "booting", "ready"], client.history["one"]
    assert ready["agent"]["capabilities"] == ["size", "time", "hostname"] and ready["boot"] == 1, ready
    line = pathlib.Path(f"/proc/{ready['pid']}/cmdline").read_text()
    assert str(stack.state) not in line and str(stack.runtime) not in line, line
    assert subprocess.run(["qemu-img", "check", "-q", "-U", files_of("one") / "overlay.qcow2"]).returncode == 0


@case
def nothing_of_it_listens_on_a_network():
    pid = client.states["one"]["pid"]
    inodes = sockets_of(pid)
    for table in ("tcp", "tcp6", "udp", "udp6"):
        path = pathlib.Path(f"/proc/{pid}/net/{table}")
        used = {line.split()[9] for line in path.read_text().splitlines()[1:]} if path.exists() else set()
        assert not used & inodes, (table, used & inodes)


@case
def the_vdagent_port_takes_the_next_connection_when_the_last_has_closed():
    pid = client.states["one"]["pid"]
    before = sockets_of(pid)
    client.good("vdagent one")
    first = eventually(lambda: sockets_of(pid) - before, "QEMU takes the first", 30)
    client.good("vdagent one")
    client.good("hangup")
    second = eventually(lambda: sockets_of(pid) - before - first, "QEMU takes the second", 30)
    client.good("hangup")
    eventually(lambda: not sockets_of(pid) & (first | second), "both are closed", 30)
    client.refused("vdagent nobody", "no desktop")


@case
def each_display_connection_is_answered_by_qemu():
    for _ in range(3):
        assert client.good("display one") == "one"
    client.refused("display nobody", "no desktop")


@case
def an_image_in_use_is_not_deleted():
    client.refused("delete tiny 0", "in use by desktop one")
    assert client.good("images")[0]["in_use"]


@case
def an_older_wanted_set_is_refused():
    answer = client.ask("want 0 []")
    assert answer["r"] < 0 and listed("one")["state"] == "ready", answer


@case
def a_desktop_that_the_wanted_set_forgot_is_left_alone():
    client.want()
    row = listed("one")
    assert row["orphan"] and row["state"] == "ready", row
    client.want(desktop("one"))
    assert not listed("one")["orphan"]


@case
def sigkill_to_the_host_ends_no_desktop():
    pid = client.states["one"]["pid"]
    stack.kill_program("host")
    eventually(lambda: not client.connected, "the connection ends", 30)
    eventually(lambda: client.connected, "connected again", 60)
    answer = client.good("list")
    row = next(row for row in answer["desktops"] if row["id"] == "one")
    assert row["state"] == "ready" and row["pid"] == pid and row["boot"] == 1, row
    assert answer["generation"] == client.generation, answer
    assert client.good("display one") == "one"
    eventually(lambda: (listed("one") or {}).get("agent"), "the agent answers the new nonce", 60)
    client.want(desktop("one"))
    assert process_alive(pid)


@case
def sigkill_to_spawn_ends_no_desktop():
    pid = client.states["one"]["pid"]
    stack.kill_program("spawn")
    client.want(desktop("one"))
    assert listed("one")["state"] == "ready" and process_alive(pid)


@case
def a_qemu_that_is_killed_is_reported_as_a_crash_and_started_again_when_wanted():
    os.kill(client.states["one"]["pid"], signal.SIGKILL)
    stopped = client.wait("one", "stopped", 30)
    assert stopped["cause"] == "crash" and "unexpectedly" in stopped["reason"], stopped
    client.want(desktop("one"))
    assert client.wait("one", "ready")["boot"] == 2


@case
def a_graceful_stop_lets_the_guest_shut_down_and_keeps_its_files():
    client.want(desktop("one", state="stopped"))
    stopped = client.wait("one", "stopped", 120)
    assert stopped["cause"] == "asked" and not stopped["reason"], stopped
    assert (files_of("one") / "overlay.qcow2").exists()


@case
def a_crash_while_the_host_is_away_is_seen_afterwards():
    client.want(desktop("one"))
    pid = client.wait("one", "booting")["pid"]
    host = stack.pid_of("host")
    os.kill(host, signal.SIGSTOP)
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not process_alive(pid), "QEMU ends", 10)
    os.kill(host, signal.SIGKILL)
    eventually(lambda: client.connected and (listed("one") or {}).get("state") == "stopped", "the host is back", 60)
    row = listed("one")
    assert row["cause"] == "crash" and "away" in row["reason"], row


@case
def a_guest_that_shut_down_while_the_host_was_away_is_told_from_a_crash():
    client.want(desktop("one"))
    pid = client.wait("one", "ready")["pid"]
    host = stack.pid_of("host")
    os.kill(stack.starter.pid, signal.SIGSTOP)
    try:
        os.kill(host, signal.SIGKILL)
        with socket.socket(socket.AF_UNIX) as control:
            control.connect(str(stack.runtime / "host/vm-one/qmp.sock"))
            control.settimeout(120)
            control.sendall(b'{"execute":"qmp_capabilities"}{"execute":"system_powerdown"}')
            with control.makefile() as lines:
                next(line for line in lines if '"SHUTDOWN"' in line)
        assert process_alive(pid)
    finally:
        os.kill(stack.starter.pid, signal.SIGCONT)
    eventually(lambda: client.connected and (listed("one") or {}).get("state") == "stopped", "it is stopped", 60)
    row = listed("one")
    assert row["cause"] == "guest-shutdown" and not process_alive(pid), row


@case
def a_stop_by_force_ends_it_at_once():
    client.want(desktop("one"))
    client.wait("one", "booting")
    client.good("stop one 1")
    assert client.wait("one", "stopped", 30)["cause"] == "asked"


@case
def an_absent_desktop_leaves_no_file():
    client.want(desktop("one", state="absent"))
    client.wait("one", "absent", 30)
    eventually(lambda: not files_of("one").exists(), "its files are gone", 10)
    assert os.listdir(stack.state / "host/vm") == [], os.listdir(stack.state / "host/vm")
    assert not (stack.runtime / "host/vm-one").exists()
    assert listed("one") is None


@case
def a_missing_image_is_a_failure_with_its_reason():
    client.want(desktop("two", slot=2, image="nothing"))
    failed = client.wait("two", "failed", 30)
    assert "no image nothing" in failed["reason"], failed
    client.want(desktop("two", slot=2, state="absent"))
    client.wait("two", "absent", 30)


@case
def a_start_that_qemu_refuses_tells_what_qemu_said():
    client.want(desktop("three", slot=3, memory_mib=4 << 20))
    failed = client.wait("three", "failed", 120)
    assert "QEMU ended while it started: " in failed["reason"] and "qemu-system" in failed["reason"], failed
    client.want(desktop("three", slot=3, state="absent"))
    client.wait("three", "absent", 30)


@case
def nat_is_given_where_nftables_fence_it_and_else_none_with_a_warning():
    fenced = client.good("show")["nat"]
    client.want(desktop("four", slot=4, network="nat"))
    started = client.wait("four", "booting", 60)
    line = pathlib.Path(f"/proc/{started['pid']}/cmdline").read_text()
    assert ("virtio-net" in line) == fenced, line
    assert ("no network" in started["warning"]) != fenced, started
    client.want(desktop("four", slot=4, state="absent"))
    client.wait("four", "absent", 30)


@case
def show_tells_of_the_machine():
    facts = client.good("show")
    assert facts["accel"] == "tcg" and facts["accel_reason"] and facts["cpus"] >= 1, facts
    assert facts["memory_mib"] > 0 and facts["disk_free_mib"] >= 0 and facts["qemu_version"][0].isdigit(), facts


@case
def others_than_the_broker_are_refused():
    if os.geteuid() != 0:
        raise Skip("needs root to become somebody else")
    script = ("import socket, sys\n"
              "with socket.socket(socket.AF_UNIX) as peer:\n"
              "    peer.connect(sys.argv[1])\n"
              "    peer.settimeout(10)\n"
              "    try:\n"
              "        peer.send(b'\\0AUTH ANONYMOUS\\r\\n')\n"
              "        sys.exit(peer.recv(1) != b'')\n"
              "    except (BrokenPipeError, ConnectionResetError):\n"
              "        pass\n")
    subprocess.run(["/usr/bin/python3", "-c", script, stack.runtime / "host/host.sock"], user=65534, group=65534,
                   extra_groups=[], check=True, timeout=30)


@case
def the_last_image_can_be_deleted():
    client.good("delete tiny 0")
    assert client.good("images") == []


main(setup, teardown)
