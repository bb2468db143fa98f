#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""hotdesk-starter: with programs of the test's own, which say when they begin and end or die at once, and with the real
ones, whose desktops must outlive a starter that is killed."""

import os
import pathlib
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

from case import Skip, case, eventually, main  # noqa: E402
from harness import BIN, Stack, free_port, process_alive, processes_with  # noqa: E402

ORDER = ["spawn", "auth", "host", "broker", "gate"]
NOBODY = 65534
KVM_GROUP = 4711

# The child outlives the script, as a desktop outlives hotdesk-spawn.
LIVES = """#!/bin/sh
trap 'echo end {name} >> {events}; exit 0' TERM
echo begin {name} "$(cut -d ' ' -f 1 /proc/uptime)" >> {events}
while :; do sleep 1000 & wait $!; done
"""
DIES = """#!/bin/sh
echo begin {name} "$(cut -d ' ' -f 1 /proc/uptime)" >> {events}
exit 3
"""
STUBBORN = LIVES.replace("echo end {name} >> {events}; exit 0", "")


class Fake:
    """The starter in a directory of its own, beside scripts in the place of the programs."""

    def __init__(self, scripts=None, conf=""):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="hotdesk-starter-"))
        self.directory.chmod(0o755)
        self.events_file = self.directory / "events"
        self.runtime = self.directory / "run"
        self.conf = self.directory / "hotdesk.conf"
        self.conf.write_text(f"[paths]\nruntime-dir = {self.runtime}\nstate-dir = {self.directory}/state\n{conf}")
        self.log = self.directory / "log"
        self.process = None
        shutil.copy(BIN / "hotdesk-starter", self.directory)
        for name in ORDER:
            script = self.directory / f"hotdesk-{name}"
            script.write_text((scripts or {}).get(name, LIVES).format(name=name, events=self.events_file))
            script.chmod(0o755)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(60)
        shutil.rmtree(self.directory)

    def start(self, within=()):
        """within: a command that executes the one behind it."""
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([*within, self.directory / "hotdesk-starter", "--config", self.conf], stdout=log,
                                            stderr=log, stdin=subprocess.DEVNULL)
        return self

    def run(self, *arguments, **options):
        """Another starter, which is to end by itself."""
        return subprocess.run([self.directory / "hotdesk-starter", *arguments], capture_output=True, text=True,
                              timeout=60, stdin=subprocess.DEVNULL, **options)

    def events(self, kind, name=None):
        lines = self.events_file.read_text().splitlines() if self.events_file.exists() else []
        return [words for words in map(str.split, lines) if words[0] == kind and name in (None, words[1])]

    def wait_begun(self, count):
        eventually(lambda: len(self.events("begin")) >= count, lambda: f"{count} begin: {self.said()}")
        return self

    def pid_of(self, name):
        return int((self.runtime / f"starter/{name}.pid").read_text())

    def pids(self):
        """Of all programs, which may have begun a moment before their pids are written."""
        eventually(lambda: all((self.runtime / f"starter/{name}.pid").exists() for name in ORDER), self.said)
        return {name: self.pid_of(name) for name in ORDER}

    def said(self):
        return self.log.read_text()

    def end(self):
        self.process.terminate()
        assert self.process.wait(60) == 0, self.said()
        left = processes_with(str(self.directory))
        assert not left, left


def ascending(numbers):
    """But for one step back, where the kernel began again with small numbers."""
    return sum(a > b for a, b in zip(numbers, numbers[1:])) <= (max(numbers) - min(numbers) > 1000)


@case
def programs_begin_in_order_and_end_in_reverse():
    with Fake() as fake:
        fake.start().wait_begun(len(ORDER))
        pids = fake.pids()
        assert ascending([pids[name] for name in ORDER]), pids
        assert {os.stat(fake.directory / "state" / name).st_mode & 0o777 for name in ORDER} == {0o700, 0o711}
        eventually(lambda: len(children_of(pids.values())) == len(ORDER), lambda: children_of(pids.values()))
        sleepers = children_of(pids.values())
        fake.end()
        assert [words[1] for words in fake.events("end")] == ORDER[::-1], fake.events("end")
        assert not [pid for pid in sleepers if process_alive(pid)], "what the programs left behind still runs"


def children_of(pids):
    return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if parent_of(pid) in pids]


def parent_of(pid):
    try:
        return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return None


@case
def one_that_is_killed_is_started_again_and_the_others_go_on():
    with Fake() as fake:
        fake.start().wait_begun(len(ORDER))
        before = fake.pids()
        os.kill(before["host"], signal.SIGKILL)
        fake.wait_begun(len(ORDER) + 1)
        eventually(lambda: fake.pid_of("host") != before["host"], "the new pid is written")
        assert "hotdesk-host was ended by signal 9 (Killed); started again in 0.1 s" in fake.said(), fake.said()
        assert process_alive(fake.pid_of("host"))
        assert {**fake.pids(), "host": before["host"]} == before
        fake.end()


@case
def sighup_is_handed_on_to_the_gate():
    with Fake({"gate": LIVES.replace("#!/bin/sh", "#!/bin/sh\ntrap 'echo again {name} >> {events}' HUP")}) as fake:
        fake.start().wait_begun(len(ORDER))
        before = fake.pids()
        fake.process.send_signal(signal.SIGHUP)
        eventually(lambda: fake.events("again", "gate"), "the gate is told")
        assert fake.pids() == before and fake.process.poll() is None
        fake.end()


@case
def one_that_dies_at_once_is_started_ever_more_slowly():
    with Fake({"auth": DIES}) as fake:
        fake.start()
        eventually(lambda: len(fake.events("begin", "auth")) >= 5, fake.said)
        waits = re.findall(r"hotdesk-auth ended with exit code 3; started again in ([0-9.]+) s", fake.said())
        assert waits[:4] == ["0.1", "0.2", "0.4", "0.8"], waits
        begun = [float(words[2]) for words in fake.events("begin", "auth")]
        for wait, first, second in zip(waits, begun, begun[1:]):
            assert second - first >= float(wait) - 0.02, (waits, begun)
        for name in ORDER:
            assert name == "auth" or len(fake.events("begin", name)) == 1, fake.events("begin")
        fake.end()
        assert len([words for words in fake.events("end") if words[1] != "auth"]) == 4, fake.events("end")


@case
def one_that_does_not_heed_sigterm_is_killed():
    with Fake({"host": STUBBORN}) as fake:
        fake.start().wait_begun(len(ORDER))
        pid = fake.pid_of("host")
        fake.end()
        assert "hotdesk-host does not stop and will be killed" in fake.said(), fake.said()
        assert not process_alive(pid)
        assert [words[1] for words in fake.events("end")] == ["gate", "broker", "auth", "spawn"], fake.events("end")


@case
def a_starter_that_is_killed_ends_its_programs_and_another_one_can_follow():
    with Fake() as fake:
        fake.start().wait_begun(len(ORDER))
        before = fake.pids()
        fake.process.kill()
        fake.process.wait()
        eventually(lambda: len(fake.events("end")) == len(ORDER), lambda: f"the programs end: {fake.events('end')}")
        eventually(lambda: not [pid for pid in before.values() if process_alive(pid)], "the programs are gone")
        fake.start().wait_begun(2 * len(ORDER))
        eventually(lambda: not set(fake.pids().values()) & set(before.values()), "the new pids are written")
        fake.end()


@case
def a_second_one_in_the_same_directory_is_refused():
    with Fake() as fake:
        fake.start().wait_begun(len(ORDER))
        before = fake.pids()
        second = fake.run("--config", fake.conf)
        assert second.returncode == 1, second
        assert f"another hotdesk-starter runs in {fake.runtime}: stop it" in second.stderr, second.stderr
        assert fake.pids() == before and len(fake.events("begin")) == len(ORDER)
        assert all(process_alive(pid) for pid in before.values())
        fake.end()
        fake.start().wait_begun(2 * len(ORDER))
        fake.end()


def refused(fake, code, words, *arguments, **options):
    done = fake.run(*(arguments or ("--config", fake.conf)), **options)
    assert done.returncode == code and words in done.stderr, f"exit {done.returncode}, not {code}: {done.stderr}"
    assert not fake.events("begin"), fake.events("begin")


@case
def a_missing_program_is_told_before_any_is_started():
    with Fake() as fake:
        (fake.directory / "hotdesk-broker").chmod(0o644)
        refused(fake, 1, f"hotdesk-broker cannot be started: {fake.directory}/hotdesk-broker: Permission denied")
        (fake.directory / "hotdesk-broker").unlink()
        refused(fake, 1, f"hotdesk-broker cannot be started: {fake.directory}/hotdesk-broker: No such file")
        assert not fake.runtime.exists()
        subprocess.run([fake.directory / "hotdesk-starter", "--help"], check=True, capture_output=True)


@case
def a_bad_configuration_or_command_line_is_told():
    with Fake() as fake:
        good = fake.conf.read_text()
        fake.conf.write_text(good + "[gate]\nlisten-on = 5900\n")
        refused(fake, 1, f"{fake.conf}:5: unknown key listen-on in [gate]")
        fake.conf.write_text(good + "[run-as]\nhost = no-such-user\n")
        refused(fake, 1, "[run-as] host = no-such-user: there is no such user")
        fake.conf.write_text(good.replace(str(fake.runtime), f"{fake.conf}/run"))
        refused(fake, 1, f"cannot make the directory {fake.conf}/run: see [paths]: Not a directory")
        refused(fake, 1, "missing.conf", "--config", fake.directory / "missing.conf")
        refused(fake, 2, "no program screen: there are spawn, auth", "--only", "screen")
        refused(fake, 2, "now is no option", "now")
        refused(fake, 2, "usage: hotdesk-starter", "--colour")


@case
def what_need_not_run_as_root_is_warned_of():
    if os.geteuid() != 0:
        raise Skip("needs root")
    with Fake() as fake:
        fake.start().wait_begun(len(ORDER))
        fake.end()
        assert re.findall(r"hotdesk-(\w+) runs as root and need not", fake.said()) == ["host", "broker", "gate"]
    with Fake(conf="[run-as]\ngate = 64101\nbroker = 64102\nhost = 64103\n") as fake:
        fake.events_file.touch()
        fake.events_file.chmod(0o666)
        fake.start().wait_begun(len(ORDER))
        owners = {name: os.stat(f"/proc/{pid}").st_uid for name, pid in fake.pids().items()}
        assert owners == {"spawn": 0, "auth": 0, "gate": 64101, "broker": 64102, "host": 64103}, owners
        fake.end()
        assert "as root" not in fake.said(), fake.said()


@case
def the_host_may_use_kvm_where_a_group_of_the_machine_may():
    if os.geteuid() != 0 or not os.path.exists("/dev/kvm") or subprocess.run(["unshare", "--mount", "true"]).returncode != 0:
        raise Skip("needs root, /dev/kvm and mounts of its own")
    with Fake(conf="[run-as]\nbroker = 64102\nhost = 64103\n") as fake:
        fake.events_file.touch()
        fake.events_file.chmod(0o666)
        device = fake.directory / "kvm"
        os.mknod(device, stat.S_IFCHR, os.makedev(1, 3))
        os.chown(device, 0, KVM_GROUP)
        device.chmod(0o660)
        fake.start(["unshare", "--mount", "sh", "-c", f'mount --bind {device} /dev/kvm && exec "$@"', "sh"])
        fake.wait_begun(len(ORDER))
        groups = {name: groups_of(pid) for name, pid in fake.pids().items()}
        assert (groups["host"], groups["broker"]) == ([KVM_GROUP], []), groups
        fake.end()


def groups_of(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return [int(word) for line in lines if line.startswith("Groups:") for word in line.split()[1:]]


def as_nobody():
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}


@case
def all_programs_work_without_root():
    stack = Stack(users={"alice": "wonder"}, separate_users=False)
    stack.port = free_port()
    stack.write_conf()
    if os.geteuid() == 0:
        os.chown(stack.directory, NOBODY, NOBODY)
    try:
        with open(stack.log, "ab") as log:
            stack.starter = subprocess.Popen([BIN / "hotdesk-starter", "--config", stack.conf], stdout=log, stderr=log,
                                             stdin=subprocess.DEVNULL, **as_nobody())
        eventually(lambda: stack.cli("host", "show", check=False).returncode == 0, stack.log_tail, 60)
        eventually((stack.runtime / "gate/port").exists, stack.log_tail, 60)
        assert not stack.json("host", "show")["root"]
        user = NOBODY if os.geteuid() == 0 else os.geteuid()
        for name in ORDER:
            assert os.stat(f"/proc/{stack.pid_of(name)}").st_uid == user, name
            assert os.stat(stack.state / name).st_uid == user, name
        with Fake(conf="[run-as]\nhost = root\n") as fake:
            if os.geteuid() == 0:
                refused(fake, 1, "only root can start programs as others", **as_nobody())
    finally:
        stack.stop()


@case
def desktops_outlive_a_starter_that_is_killed_and_end_with_the_next_one():
    stack = Stack(conf={"host": {"stop-timeout": 2, "ready-timeout": 3600}})
    without = ("auth", "gate")
    disk = stack.directory / "disk.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", disk, "64M"], check=True)
    try:
        stack.start(without)
        stack.cli("image", "import", "empty", disk)
        stack.cli("pool", "create", "desk", "image=empty", "memory=64M", "vcpus=1", "min-spare=1")
        desktop = stack.wait_desktops(1, "booting")[0]["id"]
        (qemu,) = processes_with(f"guest={desktop},")
        programs = [stack.pid_of(name) for name in ORDER if name not in without]
        stack.starter.kill()
        stack.starter.wait()
        eventually(lambda: not [pid for pid in programs if process_alive(pid)], "the programs end", 30)
        assert process_alive(qemu)
        stack.start(without)
        assert stack.wait_desktops(1, "booting")[0]["id"] == desktop
        assert list(processes_with(f"guest={desktop},")) == [qemu]
    finally:
        stack.stop()
    assert not process_alive(qemu), "the desktop still runs"


if __name__ == "__main__":
    main()
