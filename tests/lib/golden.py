# SPDX-License-Identifier: GPL-3.0-or-later
"""A golden image's guest under QEMU alone, with the test as the agent's host and a root shell of the test's own in it.

    with Guest() as guest:
        guest.wait(type="ready")
        guest.ask("sign-in", name="alice", uid=2001, gid=2001, full_name="Alice", groups=[])
        guest.shell("loginctl list-sessions")

The image stays as it is: an overlay takes the writes, and the shell comes by an initrd of the test's, which puts its unit into
/run. Environment: HOTDESK_GOLDEN (directory with disk.qcow2, vmlinux, initrd, append).
"""

import json
import os
import pathlib
import re
import select
import shutil
import socket
import subprocess
import tempfile
import time

from case import Skip, eventually

BOOT_SECONDS = 240  # under TCG on a machine that does other things as well
TAIL = 400

SHELL_UNIT = """[Unit]
Description=shell of the test
DefaultDependencies=no
After=dev-ttyS0.device
[Service]
ExecStart=/bin/sh -c 'stty raw -echo; echo shell-is-there; exec /bin/bash'
StandardInput=tty-force
StandardOutput=tty
StandardError=journal
TTYPath=/dev/ttyS0
Environment=HOME=/root TERM=dumb
"""

# initramfs-tools' init reads ORDER as a shell script; /run is there by then and becomes that of the guest.
EARLY = f"""for script in /scripts/init-top/*; do
	[ "$script" = /scripts/init-top/ORDER ] || "$script"
done
[ ! -e /conf/param.conf ] || . /conf/param.conf
mkdir -p /run/systemd/system/sysinit.target.wants
cat >/run/systemd/system/test-shell.service <<'END'
{SHELL_UNIT}END
ln -s ../test-shell.service /run/systemd/system/sysinit.target.wants/
"""
EARLY_PATH = "scripts/init-top/ORDER"


def golden_directory():
    directory = os.environ.get("HOTDESK_GOLDEN")
    if not directory:
        raise Skip("no golden image was built (HOTDESK_GOLDEN)")
    return pathlib.Path(directory)


def _initrd(golden, work):
    """The image's own and behind it one more archive, which the kernel unpacks over it."""
    early = work / "early" / EARLY_PATH
    early.parent.mkdir(parents=True)
    early.write_text(EARLY)
    parts = pathlib.PurePath(EARLY_PATH)
    names = "\n".join(str(path) for path in [*reversed(parts.parents), parts][1:])
    archive = subprocess.run(["cpio", "--quiet", "-o", "-H", "newc"], input=names.encode(), cwd=work / "early", check=True,
                             capture_output=True).stdout
    own = (golden / "initrd").read_bytes()
    path = work / "initrd"
    path.write_bytes(own + b"\0" * (-len(own) % 4) + archive)
    return path


class Channel:
    """A Unix stream socket, line by line or up to a mark."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        self.buffer = b""

    def send(self, data):
        self.socket.sendall(data)

    def until(self, mark, end):
        """What came before the mark; None when it is not there at the time `end`."""
        while mark not in self.buffer:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.socket], [], [], left)[0]:
                return None
            data = self.socket.recv(65536)
            if not data:
                raise AssertionError("QEMU has gone")
            self.buffer += data
        text, self.buffer = self.buffer.split(mark, 1)
        return text

    def close(self):
        self.socket.close()


class Guest:
    def __init__(self, golden=None, nonce="00", firmware=None):
        """firmware: QEMU's options to boot the disk by it instead of the kernel directly; there is no shell then."""
        self.golden = pathlib.Path(golden) if golden else golden_directory()
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="hotdesk-guest-"))
        self.qemu = self.agent = self.tty = None
        self.said = []  # every message of the agent's but heartbeats
        self.last_id = 0
        self.marks = 0
        self.nonce = nonce
        try:
            self._start(firmware)
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for channel in (self.agent, self.tty):
            if channel:
                channel.close()
        if self.qemu:
            self.qemu.kill()
            self.qemu.wait()
        shutil.rmtree(self.work, ignore_errors=True)

    def _kernel(self):
        return ["-kernel", self.golden / "vmlinux", "-initrd", _initrd(self.golden, self.work), "-append",
                (self.golden / "append").read_text().strip()]

    def _start(self, firmware):
        disk = self.work / "disk.qcow2"
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", (self.golden / "disk.qcow2").resolve(), "-F", "qcow2",
                        disk], check=True)
        ports = {name: self.work / name for name in ("agent", "tty", "qmp")}
        self.qemu = subprocess.Popen([
            "qemu-system-x86_64", "-machine", "q35,accel=tcg", "-cpu", "qemu64", "-m", "1024", "-smp", "2", "-nodefaults",
            "-display", "none", *(self._kernel() if firmware is None else firmware),
            "-drive", f"file={disk},if=virtio,format=qcow2",
            "-device", "virtio-vga", "-device", "virtio-keyboard-pci", "-device", "virtio-tablet-pci", "-device",
            "virtio-rng-pci", "-device", "virtio-serial-pci",
            "-chardev", f"socket,id=agent,path={ports['agent']},server=on,wait=off",
            "-device", "virtserialport,chardev=agent,name=org.hotdesk.agent.0",
            "-chardev", f"socket,id=tty,path={ports['tty']},server=on,wait=off", "-serial", "chardev:tty",
            "-qmp", f"unix:{ports['qmp']},server=on,wait=off"], stdin=subprocess.DEVNULL)
        for path in ports.values():
            eventually(lambda p=path: p.exists() or self._has_ended(), "QEMU listens", 30)
        self.tty = Channel(ports["tty"])
        self.connect()

    def _has_ended(self):
        assert self.qemu.poll() is None, f"QEMU ended with {self.qemu.returncode}"

    # -- the agent's host --------------------------------------------------------------------------------------------

    def said_on_serial(self):
        """What has come on the serial line of a guest without the shell."""
        while select.select([self.tty.socket], [], [], 0)[0]:
            self.tty.buffer += self.tty.socket.recv(65536)
        return self.tty.buffer

    def connect(self):
        """As a (restarted) host: connects and says hello."""
        if self.agent:
            self.agent.close()
        self.agent = Channel(self.work / "agent")
        self.send({"type": "hello", "version": 1, "nonce": self.nonce})

    def send(self, message):
        self.agent.send(b"\n" + json.dumps(message).encode() + b"\n")

    def wait(self, seconds=BOOT_SECONDS, **wanted):
        """The next message with these fields; others that come before are kept in `said`."""
        end = time.monotonic() + seconds * float(os.environ.get("HOTDESK_TEST_PATIENCE", "1"))
        while True:
            line = self.agent.until(b"\n", end)
            assert line is not None, f"the agent did not say {wanted} but {self.said[-8:]}"
            message = json.loads(line)
            if message["type"] != "heartbeat":
                self.said.append(message)
            if all(message.get(key) == value for key, value in wanted.items()):
                return message

    def ask(self, kind, **fields):
        """Sends a request; returns None, or the error that was answered. What the agent says before its answer is kept in
        `said` from `asked_at` on."""
        self.last_id += 1
        self.asked_at = len(self.said)
        self.send({"type": kind, "id": self.last_id, **fields})
        answer = self.wait(type="result", id=self.last_id)
        assert answer["ok"] or answer["error"]
        return None if answer["ok"] else answer["error"]

    def state(self, wanted, seconds=BOOT_SECONDS):
        """Waits until the session is in this state, which it may have reached while the last request was answered."""
        for message in self.said[getattr(self, "asked_at", 0):]:
            if message["type"] == "session" and message["state"] == wanted:
                return message
        return self.wait(seconds, type="session", state=wanted)

    def now(self):
        """The agent's hello of this moment."""
        self.send({"type": "hello", "version": 1, "nonce": self.nonce})
        return self.wait(type="hello", nonce=self.nonce)

    # -- inside ------------------------------------------------------------------------------------------------------

    def shell(self, command, check=True, seconds=120):
        """What a command prints that root runs in the guest."""
        end = time.monotonic() + seconds
        if self.marks == 0:
            assert self.tty.until(b"shell-is-there", time.monotonic() + BOOT_SECONDS) is not None, "no shell in the guest"
        self.marks += 1
        mark = f"end-of-{self.marks}"
        # The mark is not to be found in an echo of the command.
        self.tty.send(f"( {command}\n) </dev/null 2>&1; echo \"end-of\"-{self.marks} $?\n".encode())
        text = self.tty.until(mark.encode(), end)
        assert text is not None, f"{command}: not done after {seconds} s: {self.tty.buffer[-TAIL:]!r}"
        code = self.tty.until(b"\n", end)
        text = text.decode(errors="replace").replace("\r", "")
        assert not check or int(code) == 0, f"{command}: exit {int(code)}: {text[-TAIL:]}"
        return text.strip()

    def shell_eventually(self, command, pattern, seconds=120):
        """Runs the command until its output matches."""
        text = [""]

        def matches():
            text[0] = self.shell(command, check=False)
            return re.search(pattern, text[0])
        return eventually(matches, lambda: f"{command} prints {pattern}; last: {text[0][-TAIL:]}", seconds, 0.3)

    def forget_shell(self):
        """The guest boots again: the next command waits for the new shell."""
        self.marks = 0

    # -- outside -----------------------------------------------------------------------------------------------------

    def qmp(self, command, **arguments):
        channel = Channel(self.work / "qmp")
        try:
            answer = None
            for request in ({"execute": "qmp_capabilities"}, {"execute": command, "arguments": arguments}):
                channel.send(json.dumps(request).encode() + b"\n")
                answer = None
                while answer is None or not {"return", "error"} & set(answer):
                    answer = json.loads(channel.until(b"\n", time.monotonic() + 60))
            assert "return" in answer, f"{command}: {answer}"
            return answer["return"]
        finally:
            channel.close()

    def screenshot(self, path):
        """A PNG of the guest's screen."""
        self.qmp("screendump", filename=str(path), format="png")

    def keys(self, *names):
        """Presses keys (QKeyCode names) together."""
        self.qmp("send-key", keys=[{"type": "qcode", "data": name} for name in names])

    def has_powered_off(self):
        return self.qemu.poll() is not None
