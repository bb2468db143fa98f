# SPDX-License-Identifier: GPL-3.0-or-later
"""A real QEMU without a guest (its firmware's screen) with a peer-to-peer D-Bus display, under TCG."""

import array
import contextlib
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile

import backports
import cache
from case import Skip, eventually

MACHINE = ("-machine", "q35,accel=tcg", "-cpu", "qemu64", "-m", "64", "-nodefaults", "-device", "virtio-vga", "-device",
           "virtio-keyboard-pci", "-device", "virtio-tablet-pci", "-audiodev", "dbus,id=audio0", "-display",
           "dbus,p2p=on,audiodev=audio0", "-device", "ich9-intel-hda,id=sound0", "-device",
           "hda-output,bus=sound0.0,audiodev=audio0,mixer=off")


class Qemu:
    def __init__(self, binary, directory, environment=None):
        if not shutil.which(binary):
            raise Skip(f"no {binary}: install qemu-system-x86")
        self.directory = pathlib.Path(directory)
        self.directory.mkdir()
        self.log = self.directory / "log"
        with open(self.log, "w") as log:
            data = pathlib.Path(environment["HOTDESK_QEMU_DATA"]) if environment else None
            extra = ("-L", str(data / "qemu"), "-L", str(data / "seabios")) if data else ()
            self.process = subprocess.Popen(
                [binary, *MACHINE, *extra, "-qmp", f"unix:{self.directory}/qmp,server=on,wait=off"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        self.waiting = None

    def __enter__(self):
        self.qmp = socket.socket(socket.AF_UNIX)
        path = str(self.directory / "qmp")
        eventually(lambda: self.process.poll() is not None or os.path.exists(path), "QEMU's QMP socket")
        assert self.process.poll() is None, self.log.read_text()
        eventually(lambda: self.qmp.connect_ex(path) == 0, "QMP answers")
        self.qmp.settimeout(60)
        self.stream = self.qmp.makefile("r")
        json.loads(self.stream.readline())
        self.execute("qmp_capabilities")
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.stream.close()
        self.qmp.close()

    def execute(self, command, fd=None, **arguments):
        line = json.dumps({"execute": command, "arguments": arguments}).encode()
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))] if fd is not None else []
        self.qmp.sendmsg([line], ancillary)
        while True:
            answer = json.loads(self.stream.readline())
            if "event" in answer:
                continue
            assert "return" in answer, f"{command}: {answer}"
            return answer["return"]

    @contextlib.contextmanager
    def display_at(self, path):
        """A socket path whose next connection attach() gives to QEMU as its display's main connection."""
        with socket.socket(socket.AF_UNIX) as self.waiting:
            self.waiting.bind(str(path))
            self.waiting.listen(1)
            yield path
        os.unlink(path)

    def attach(self):
        self.waiting.settimeout(30)
        connection = self.waiting.accept()[0]
        with connection:
            self.execute("getfd", fd=connection.fileno(), fdname="display")
            self.execute("add_client", protocol="@dbus-display", fdname="display")

    def screendump(self):
        """What QEMU says its surface holds, as x8r8g8b8 with x zero."""
        path = self.directory / "dump.ppm"
        self.execute("screendump", filename=str(path))
        magic, width, height, _, pixels = re.fullmatch(rb"(P6)\n(\d+) (\d+)\n(\d+)\n(.*)", path.read_bytes(),
                                                       re.DOTALL).groups()
        assert magic == b"P6" and len(pixels) == int(width) * int(height) * 3
        result = bytearray(int(width) * int(height) * 4)
        for colour in range(3):
            result[colour::4] = pixels[2 - colour::3]
        return bytes(result)


def _version(binary):
    text = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"version (\d+)", text)
    return int(found.group(1)) if found else 0


def _unpacked():
    """The directory of an unpacked QEMU 10; kept in the cache, whole or not at all."""
    kept = cache.DIRECTORY / "qemu-10"
    if not (kept / "usr/bin/qemu-system-x86_64").exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="qemu-10-", dir=kept.parent) as work:
            root = pathlib.Path(work) / "root"
            root.mkdir()
            backports.unpack(pathlib.Path(work) / "apt", root, "qemu-system-x86", "qemu-system-modules-opengl")
            shutil.rmtree(kept, ignore_errors=True)
            root.rename(kept)
    return kept


def qemu_10():
    """(binary, environment) of a QEMU of at least 10: the installed one, or that of Debian 12's backports, unpacked."""
    if _version("qemu-system-x86_64") >= 10:
        return "qemu-system-x86_64", None
    root = _unpacked()
    libraries = root / "usr/lib/x86_64-linux-gnu"
    environment = {**os.environ, "LD_LIBRARY_PATH": f"{libraries}:{libraries}/pulseaudio",
                   "QEMU_MODULE_DIR": str(libraries / "qemu"), "HOTDESK_QEMU_DATA": str(root / "usr/share")}
    binary = str(root / "usr/bin/qemu-system-x86_64")
    if subprocess.run([binary, "--version"], env=environment, capture_output=True, check=False).returncode != 0:
        raise Skip("the unpacked QEMU 10 does not start here")
    return binary, environment
