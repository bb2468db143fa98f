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

from case import Skip, eventually

MACHINE = ("-machine", "q35,accel=tcg", "-cpu", "qemu64", "-m", "64", "-nodefaults", "-device", "virtio-vga", "-device",
           "virtio-keyboard-pci", "-device", "virtio-tablet-pci", "-display", "dbus,p2p=on")


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


def _cache():
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.environ.get("HOME", "/root"), ".cache")
    return pathlib.Path(os.environ.get("HOTDESK_CACHE") or os.path.join(home, "hotdesk"))


class PrivateApt:
    """The machine's own Debian 12 with its backports, in lists apart: the system's apt and packages stay as they are."""

    SUITES = ("bookworm", "bookworm-backports")
    # A network that is not there is not waited for.
    OPTIONS = {"APT::Sandbox::User": "root", "Acquire::Retries": "0", "Acquire::http::Timeout": "20",
               "Acquire::Languages": "none", "Dir::Etc::SourceParts": "-"}

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        for name in ("lists/partial", "cache/archives/partial"):
            (self.directory / name).mkdir(parents=True)
        sources = self.directory / "sources.list"
        sources.write_text("".join(f"deb {self._archive()} {suite} main\n" for suite in self.SUITES))
        options = {**self.OPTIONS, "Dir::Etc::SourceList": sources, "Dir::State::Lists": self.directory / "lists",
                   "Dir::Cache": self.directory / "cache"}
        self.options = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]

    def _archive(self):
        """Where this machine has Debian 12 from."""
        listed = subprocess.run(["apt-get", "indextargets", "--format", "$(RELEASE) $(REPO_URI)", "Created-By: Packages"],
                                capture_output=True, text=True, check=False)
        for line in listed.stdout.splitlines():
            release, _, archive = line.partition(" ")
            if release == self.SUITES[0]:
                return archive
        raise Skip(f"QEMU 10 is not installed, and no apt source of this machine names {self.SUITES[0]}")

    def get(self, *arguments, patience=120):
        """What apt-get says; Skip when it cannot."""
        try:
            done = subprocess.run(["apt-get", *self.options, *arguments], cwd=self.directory, capture_output=True,
                                  text=True, check=False, timeout=patience)
        except subprocess.TimeoutExpired:
            raise Skip(f"{self.SUITES[-1]} did not answer in {patience} s") from None
        lines = [line for line in done.stderr.splitlines() if line.startswith(("E:", "W: Failed"))]
        if done.returncode != 0 or lines:
            raise Skip(f"QEMU 10 cannot be had from {self.SUITES[-1]}: {' '.join(lines[:1])}")
        return done.stdout

    def unpack(self, target, *packages):
        """The packages of the backports, with those they need and this machine lacks, below target."""
        self.get("update")
        plan = self.get("install", "--simulate", "--no-install-recommends", "-t", self.SUITES[-1], *packages)
        wanted = re.findall(r"^Inst (\S+) (?:\[\S+\] )?\((\S+)", plan, re.MULTILINE)
        self.get("download", *(f"{name}={version}" for name, version in wanted))
        for package in self.directory.glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", package, target], check=True)


def _unpacked():
    """The directory of an unpacked QEMU 10; kept in the cache, whole or not at all."""
    kept = _cache() / "qemu-10"
    if not (kept / "usr/bin/qemu-system-x86_64").exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="qemu-10-", dir=kept.parent) as work:
            root = pathlib.Path(work) / "root"
            root.mkdir()
            PrivateApt(pathlib.Path(work) / "apt").unpack(root, "qemu-system-x86", "qemu-system-modules-opengl")
            shutil.rmtree(kept, ignore_errors=True)
            root.rename(kept)
    return kept


def qemu_10():
    """(binary, environment) of a QEMU of at least 10: the installed one, or that of Debian 12's backports, unpacked."""
    if _version("qemu-system-x86_64") >= 10:
        return "qemu-system-x86_64", None
    if not shutil.which("apt-get"):
        raise Skip("QEMU 10 is not installed, and there is no apt to have it from")
    root = _unpacked()
    libraries = root / "usr/lib/x86_64-linux-gnu"
    environment = {**os.environ, "LD_LIBRARY_PATH": f"{libraries}:{libraries}/pulseaudio",
                   "QEMU_MODULE_DIR": str(libraries / "qemu"), "HOTDESK_QEMU_DATA": str(root / "usr/share")}
    binary = str(root / "usr/bin/qemu-system-x86_64")
    if subprocess.run([binary, "--version"], env=environment, capture_output=True, check=False).returncode != 0:
        raise Skip("the unpacked QEMU 10 does not start here")
    return binary, environment
