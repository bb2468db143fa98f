# SPDX-License-Identifier: GPL-3.0-or-later
"""What sound costs on the golden desktop: how much later the viewer has it than a recording of the monitor, processor and memory."""

import array
import os
import pathlib
import struct
import subprocess
import sys
import threading
import time

import cache
import rfb
from harness import ROOT, Stack
from sounds import LOUD

USER, PASSWORD = "alice", "wonder"
BOOT_TIMEOUT = 400
ROUNDS = 10       # beeps
WINDOWS = 5       # of processor time
WINDOW = 3.0      # seconds of each
QUIET = 1.2       # seconds before a beep: the stream to the viewer has ended
BLACK = bytes(4)  # a pixel of xterm
PROGRAMS = ("screen", "display", "gate", "pulseaudio")
OPERATION_ENABLE, OPERATION_FORMAT, OPERATION_DATA = 0, 2, 2
S16, CHANNELS, RATE = 3, 2, 44100


def is_loud(data):
    return len(data) > 1 and max(map(abs, array.array("h", data[:len(data) & ~1]))) > LOUD


class Ear:
    """When something loud came for the first time since it was asked to listen."""

    def __init__(self):
        self.heard = None

    def listen(self):
        self.heard = None

    def hear(self, data):
        if self.heard is None and is_loud(data):
            self.heard = time.monotonic()


class Listener(rfb.Viewer):
    """A viewer with sound."""

    def __init__(self, door):
        super().__init__(door.sock, BOOT_TIMEOUT)
        self.buffer = door.buffer
        self.ear = Ear()

    def enable_sound(self):
        self.set_encodings((*rfb.DEFAULT_ENCODINGS, rfb.QEMU_AUDIO))
        self.wait(lambda: rfb.QEMU_AUDIO in self.extensions, "sound is offered", 30)
        self.write(struct.pack(">BBHBBI", 255, 1, OPERATION_FORMAT, S16, CHANNELS, RATE))
        self.write(struct.pack(">BBH", 255, 1, OPERATION_ENABLE))

    def _qemu(self):
        kind, operation = self.unpack("BH")
        assert kind == 1, f"QEMU server message {kind}"
        if operation == OPERATION_DATA:
            self.ear.hear(self.read(self.unpack("I")))


class Direct:
    """A recording of the monitor, heard as it comes."""

    def __init__(self, server):
        self.ear = Ear()
        self.process = subprocess.Popen(["parec", f"--server={server}", "--device=vm.monitor", "--raw", "--format=s16le",
                                         f"--rate={RATE}", f"--channels={CHANNELS}", "--latency-msec=20"],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        while data := os.read(self.process.stdout.fileno(), 65536):
            self.ear.hear(data)

    def stop(self):
        self.process.terminate()
        self.process.wait(30)
        self.thread.join(30)
        self.process.stdout.close()


def golden_image():
    if "HOTDESK_GOLDEN" in os.environ:
        return pathlib.Path(os.environ["HOTDESK_GOLDEN"])
    done = subprocess.run([ROOT / "tests/lib/golden-image", "debian-12-icewm", cache.DIRECTORY], stdout=subprocess.PIPE,
                          stderr=sys.stderr, text=True, check=True)
    return pathlib.Path(done.stdout.strip())


def log_in(stack):
    door = rfb.Door(stack.port)
    door.secure(stack.ca)
    door.credentials(USER, PASSWORD)
    door.result()
    viewer = Listener(door)
    viewer.start()
    viewer.wait(lambda: stack.desktops(owner=USER, state="ready"), "the desktop is ready")
    return viewer


def open_terminal(viewer):
    def there():
        viewer.pump(10.0)
        if viewer.framebuffer.count(BLACK) > 100_000:
            return True
        for key, down in ((0xffe3, True), (0xffe9, True), (ord("t"), True), (ord("t"), False), (0xffe9, False), (0xffe3, False)):
            viewer.key(key, down)
        return False
    viewer.wait(there, "a terminal", 180)


def seconds_of(pid):
    """Processor time so far of all its threads: /proc/PID/stat would count whole ticks of the clock."""
    return sum(int(task.read_text().split()[0]) for task in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def processor_time(stack):
    return {program: sum(seconds_of(pid) for pid, line in stack.children(program).items() if program != "gate" or "--connection" in line)
            for program in PROGRAMS}


def pss(pid):
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise AssertionError(f"no Pss of {pid}")


def cost(stack, viewer, figures, group):
    """Shares of one processor, and memory."""
    for _ in range(2 if figures.quick else WINDOWS):
        before, begin = processor_time(stack), time.monotonic()
        viewer.pump(WINDOW)
        after, took = processor_time(stack), time.monotonic() - begin
        for program in PROGRAMS:
            if stack.children(program):
                figures.add(f"{group}.cpu-{program}", 100 * (after[program] - before[program]) / took, "%")
        figures.add(f"{group}.cpu-all", 100 * sum(after[program] - before[program] for program in PROGRAMS) / took, "%")
    for program in ("screen", "display", "pulseaudio"):
        for pid in stack.children(program):
            figures.add(f"{group}.pss-{program}", pss(pid), "MiB")


def latency(server, viewer, figures):
    """Beeps played into the desktop's PulseAudio, as its screen does."""
    beep = struct.pack("<480h", *([12000] * 24 + [-12000] * 24) * 10) * 20
    direct = Direct(server)
    try:
        for _ in figures.rounds(ROUNDS):
            viewer.pump(QUIET)
            for ear in (direct.ear, viewer.ear):
                ear.listen()
            subprocess.run(["pacat", f"--server={server}", "--device=vm", "--raw", "--format=s16le", "--rate=48000",
                            "--channels=1", "--latency-msec=40"], input=beep, check=True)
            viewer.wait(lambda: viewer.ear.heard and direct.ear.heard, "the beep", 30)
            figures.add("added-latency", 1000 * (viewer.ear.heard - direct.ear.heard), "ms")
    finally:
        direct.stop()


def measure_all(stack, figures):
    viewer = log_in(stack)
    open_terminal(viewer)
    viewer.pump(10.0)
    cost(stack, viewer, figures, "off")
    viewer.enable_sound()
    viewer.wait(lambda: stack.children("pulseaudio"), "a PulseAudio", 30)
    viewer.pump(5.0)
    cost(stack, viewer, figures, "silent")
    latency(f"unix:{stack.runtime}/broker/sound/{stack.desktops()[0]['id']}.sock", viewer, figures)
    viewer.pump(QUIET)  # the last beep's end
    viewer.ear.listen()
    viewer.type("perl -e 'print pack\"s<\",2e4*sin 440*6.283185307*$_/48e3 for 0..60*48e3' >tone; pacat --rate=48000 --channels=1 tone\n")
    viewer.wait(lambda: viewer.ear.heard, "the desktop's tone", 180)
    viewer.pump(3.0)
    cost(stack, viewer, figures, "playing")
    viewer.close()


def measure(figures):
    golden = golden_image()
    stack = Stack(users={USER: PASSWORD})
    try:
        stack.start()
        stack.cli("image", "import", "office", golden / "disk.qcow2", "--kernel", golden / "vmlinux", "--initrd",
                  golden / "initrd", "--append", (golden / "append").read_text().strip())
        stack.cli("pool", "create", "desk", "image=office", "memory=1G", "vcpus=2", "max=1")
        stack.cli("pool", "entitle", "desk", "--user", USER)
        measure_all(stack, figures)
    finally:
        stack.stop()
