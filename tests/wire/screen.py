#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real hotdesk-screen between fake-qemu-display (or a real QEMU) and screen-tool, which plays the broker and displays."""

import contextlib
import os
import pathlib
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from case import case, eventually, main
from harness import BIN
from screen_qemu import Qemu, qemu_10

work = None


class Lines:
    """A program that takes commands by lines on stdin and prints lines of what happened."""

    def __init__(self, *command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self.name = pathlib.Path(command[0]).name
        self.lines = []
        self.rest = b""

    def read(self, timeout):
        if select.select([self.process.stdout], [], [], timeout)[0]:
            self.rest += os.read(self.process.stdout.fileno(), 65536)
            *lines, self.rest = self.rest.split(b"\n")
            self.lines += [line.decode() for line in lines]

    def expect(self, *wanted, timeout=30.0):
        """Waits for a line that begins with one of the wanted texts and returns it; it alone is taken out."""
        deadline = time.monotonic() + timeout
        while True:
            for i, line in enumerate(self.lines):
                if line.startswith(wanted):
                    return self.lines.pop(i)
            assert time.monotonic() < deadline, f"{self.name} did not say {wanted}: {self.lines[-20:]}"
            self.read(0.1)

    def tell(self, command):
        self.process.stdin.write(command.encode() + b"\n")

    def ask(self, command):
        self.tell(command)
        name = command.split()[0]
        return self.expect(f"{name} ok", f"{name} error")

    def do(self, *commands):
        for command in commands:
            answer = self.ask(command)
            assert answer.endswith(" ok"), f"{self.name}: {command}: {answer}"

    def refused(self, command):
        assert " error " in self.ask(command), command

    def take(self, *begin):
        """The lines there are that begin so, in order; they are taken out."""
        while select.select([self.process.stdout], [], [], 0)[0]:
            self.read(0)
        found = [line for line in self.lines if line.startswith(begin)]
        self.lines = [line for line in self.lines if not line.startswith(begin)]
        return found

    def close(self):
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()


class Screen:
    """A hotdesk-screen with a fake QEMU and the tool."""

    def __init__(self, linger=60):
        self.directory = pathlib.Path(tempfile.mkdtemp(dir=work))
        control = self.directory / "control"
        environment = dict(os.environ)
        # What is freed must not count as memory that grows.
        environment["ASAN_OPTIONS"] = environment.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1"
        with socket.socket(socket.AF_UNIX) as listener, open(self.directory / "log", "w") as log:
            listener.bind(str(control))
            listener.listen(8)
            self.process = subprocess.Popen(
                [BIN / "hotdesk-screen", "--control-fd", str(listener.fileno()), "--id", "d1", "--linger",
                 str(linger)], pass_fds=[listener.fileno()], stderr=log, env=environment)
        self.qemu_path = self.directory / "qemu"
        self.qemu = Lines(BIN / "fake-qemu-display", "--listen", self.qemu_path)
        self.qemu.expect("serving")
        self.tool = Lines(BIN / "screen-tool", control)
        self.tool.do("hello")

    def log(self):
        return (self.directory / "log").read_text()

    def source(self, width=64, height=48, share=0):
        self.qemu.do(f"map {share}", f"surface {width} {height}")
        self.tool.do(f"source {self.qemu_path}")
        self.qemu.expect("ready")
        self.tool.expect(f"picture {width} {height}")

    def display(self, number=0):
        self.tool.do(f"add {number}", f"listen {number}")

    def status(self):
        self.tool.do("status")
        return tuple(int(word) for word in self.tool.expect("status ").split()[1:])

    def pixels(self, display=0):
        """None before the display was told of a picture."""
        path = self.directory / "dump"
        return path.read_bytes() if self.tool.ask(f"dump {display} {path}").endswith(" ok") else None

    def truth(self):
        path = self.directory / "truth"
        self.qemu.do(f"dump {path}")
        return path.read_bytes()

    def exact(self, display=0):
        """The display's shared memory becomes the surface to the byte."""
        truth = self.truth()
        eventually(lambda: self.pixels(display) == truth, f"display {display} has the exact picture")

    def memory(self):
        for line in open(f"/proc/{self.process.pid}/status"):
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no VmRSS")

    def maps(self):
        """What of QEMU's memory is mapped."""
        lines = pathlib.Path(f"/proc/{self.process.pid}/maps").read_text().splitlines()
        return [line for line in lines if "memfd:" in line and "hotdesk-framebuffer" not in line]

    def registered_again(self):
        self.qemu.expect("listener")
        self.qemu.expect("ready")

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(30)
        self.tool.close()
        self.qemu.close()
        assert "Sanitizer" not in self.log() and "runtime error" not in self.log(), self.log()
        assert status == 0, f"exit {status}: {self.log()}"


@contextlib.contextmanager
def screen(**options):
    made = Screen(**options)
    try:
        yield made
    except BaseException:
        sys.stderr.write(made.log())
        for process in (made.process, made.tool.process, made.qemu.process):
            process.kill()
            process.wait()
        raise
    made.close()


def setup():
    global work
    work = pathlib.Path(tempfile.mkdtemp(prefix="hotdesk-screen-"))


def teardown():
    if work and not os.environ.get("HOTDESK_KEEP"):
        shutil.rmtree(work, ignore_errors=True)


def shown(share):
    with screen() as s:
        s.display()
        s.source(64, 48, share)
        s.tool.expect("display 0 scanout 64 48")
        s.qemu.expect("listener")
        s.qemu.do("pattern 3")
        s.tool.expect("display 0 update 0 0 64 48")
        s.exact()
        s.qemu.do("fill 5 6 7 8 112233")
        s.tool.expect("display 0 update 5 6 7 8")
        s.exact()
        s.qemu.do("scanout 300 200", "pattern 4")
        s.tool.expect("display 0 scanout 300 200")
        s.exact()
        s.qemu.do("pattern 5", "scanout")
        s.exact()
        s.display(1)
        s.tool.expect("display 1 scanout 300 200")
        s.exact(1)
        assert s.status() == (1, 300, 200, 2)
        assert not s.qemu.take("refused", "listener"), "one listener did"
        assert not s.tool.take("display 0 disable"), "a new size is no lack of a picture"


@case
def inline_pixels_arrive_exactly():
    shown(0)


@case
def mapped_pixels_arrive_exactly():
    shown(1)


@case
def a_map_cut_short_is_survived_and_left():
    with screen() as s:
        s.source(200, 100, 1)
        s.display()
        s.qemu.expect("listener")
        s.qemu.do("pattern 1")
        s.exact()
        s.qemu.do("shrink 100", "pattern 2")
        s.registered_again()
        s.qemu.expect("refused")  # the same short map again: pixels come inline then
        s.exact()
        s.qemu.do("fill 1 1 30 30 ff0000")
        s.exact()
        assert s.status() == (1, 200, 100, 1)
        s.qemu.do("scanout 210 110", "pattern 8")
        s.exact()


@case
def an_answer_to_a_map_that_comes_too_late():
    with screen() as s:
        s.source(64, 48, 1)
        s.display()
        s.qemu.expect("listener")
        for seed in (2, 4):
            s.qemu.do("overdue")
            s.registered_again()
            s.qemu.do(f"pattern {seed}")
            s.exact()
            assert s.maps(), "pixels come by shared memory again"
        assert not s.qemu.take("refused", "listener") and not s.tool.take("lost")


@case
def maps_of_impossible_geometry_are_refused():
    with screen() as s:
        s.source(64, 48, 1)
        s.display()
        s.exact()
        for geometry in ("0 64 49 256", "1 64 48 256", "4294967295 64 48 256", "0 65 48 256", "0 0 48 256",
                         "0 64 0 256", "0 64 48 4294967295", "0 4294967295 4294967295 4294967295", "0 8193 1 32772"):
            s.qemu.do(f"raw-map {geometry}")
            s.qemu.expect("refused")
        s.qemu.do("map 1", "pattern 9")
        s.exact()
        assert s.status() == (1, 64, 48, 1)


@case
def updates_outside_of_a_map_register_again():
    with screen() as s:
        s.source(64, 48, 1)
        s.display()
        s.qemu.expect("listener")
        for rectangle in ("0 0 65 48", "-1 0 5 5", "60 40 5 9", "0 0 0 1", "2147483647 1 2147483647 1", "1 1 -1 -1"):
            s.qemu.do(f"raw-update-map {rectangle}")
            s.registered_again()
        s.qemu.do("pattern 2")
        s.exact()


@case
def updates_outside_of_the_surface_register_again():
    with screen() as s:
        s.source(64, 48)
        s.display()
        s.qemu.expect("listener")
        s.qemu.do("surface 128 96", "pattern 7")  # told by an update alone, as QEMU 7.2 may
        s.registered_again()
        s.tool.expect("display 0 scanout 128 96")
        s.exact()
        for rectangle in ("-1 0 5 5 20 100", "0 0 129 1 516 516", "127 95 2147483647 2147483647 4 4"):
            s.qemu.do(f"raw-update {rectangle}")
            s.registered_again()
        s.exact()


@case
def pixels_that_do_not_fit_give_the_source_up():
    with screen() as s:
        s.display()
        for bad in ("raw-scanout 64 48 256 20020888 12287", "raw-scanout 64 48 255 20020888 12288",
                    "raw-scanout 64 48 256 10020565 12288", "raw-scanout 0 0 0 20020888 0",
                    "raw-scanout 4294967295 4294967295 4294967292 20020888 16", "raw-scanout 8193 1 32772 20020888 32772",
                    "raw-update 0 0 64 48 255 12288", "raw-update 0 0 64 48 256 12287"):
            s.source(64, 48)
            s.qemu.do(bad)
            s.tool.expect("lost")
            assert s.status() == (0, 64, 48, 1), "the last picture stays"
        s.source(64, 48)
        s.qemu.do("pattern 1")
        s.exact()


@case
def a_qemu_that_registers_late():
    with screen() as s:
        s.qemu.do("late 1")
        s.source(64, 48)
        s.display()
        s.qemu.do("pattern 5")
        s.exact()
        s.tool.do("key 0 30 1", "uiinfo 0 800 600")
        s.qemu.expect("Keyboard Press 30")
        s.qemu.expect("uiinfo 800 600")
        s.qemu.do("late 0", "pattern 6")
        s.exact()


@case
def a_qemu_that_answers_nothing_holds_up_nobody():
    with screen() as s, socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(s.directory / "silent"))
        silent.listen(1)
        s.display()
        s.tool.do(f"source {s.directory / 'silent'}")
        for key in range(50):
            s.tool.do(f"key 0 {key} 1")
        assert s.status() == (1, 0, 0, 1)
        s.source(64, 48)
        s.exact()


@case
def a_listener_that_is_closed_registers_again():
    with screen() as s:
        s.source(64, 48)
        s.display()
        s.qemu.expect("listener")
        s.qemu.do("evict")
        s.registered_again()
        s.qemu.do("pattern 3")
        s.exact()
        assert not s.tool.take("lost")


@case
def a_qemu_that_always_cuts_the_picture_is_given_up():
    with screen() as s:
        s.source(64, 48, 1)
        for _ in range(1000):
            s.qemu.tell("raw-update-map 0 0 999 999")
            if s.qemu.expect("ready", "gone") == "gone":
                break
        else:
            raise AssertionError("registered again 1000 times")
        s.tool.expect("lost")
        assert s.status()[0] == 0
        s.source(64, 48)


@case
def a_qemu_that_reads_no_answers_is_given_up():
    with screen() as s:
        s.source(64, 48)
        s.display()
        before = s.memory()
        s.qemu.do("stop 1")
        s.qemu.tell("flood 1000000")
        s.tool.expect("lost")
        assert s.memory() < before + (48 << 20)
        s.qemu.expect("flood error")
        s.source(64, 48)
        s.exact()


@case
def cursor_and_pointer_reach_displays_that_come_later_too():
    with screen() as s:
        s.source()
        s.display()
        s.qemu.do("cursor 8 4 1 2 80ff0000 32", "mouse 10 20 1")
        s.tool.expect("display 0 cursor 8 4 1 2 80ff0000")
        s.tool.expect("display 0 mouse 10 20 1")
        for bad in ("8 4 8 2 1 32", "8 4 1 2 2 31", "0 0 0 0 3 0", "-1 4 0 0 4 4", "513 1 0 0 5 513",
                    "65536 65536 0 0 6 1"):
            s.qemu.do(f"cursor {bad}")
        s.qemu.do("mouse -5 -6 0")
        s.tool.expect("display 0 mouse -5 -6 0")
        others = [line for line in s.tool.take("display 0 cursor") if not line.endswith(" 80ff0000")]
        assert not others, "impossible cursors go nowhere"
        s.display(1)
        s.tool.expect("display 1 cursor 8 4 1 2 80ff0000")
        s.tool.expect("display 1 mouse -5 -6 0")


@case
def a_disabled_display_and_its_return():
    with screen() as s:
        s.source()
        s.display()
        s.tool.expect("display 0 scanout")
        s.qemu.do("disable")
        s.tool.expect("display 0 disable")
        assert s.status() == (1, 0, 0, 1)
        s.display(1)
        s.qemu.do("scanout", "pattern 6")
        s.tool.expect("display 0 scanout 64 48")
        s.tool.expect("display 1 scanout 64 48")
        s.exact(0)
        s.exact(1)


@case
def the_newest_listener_of_a_display_wins():
    with screen() as s:
        s.source()
        s.display()
        s.tool.expect("display 0 scanout")
        s.tool.do("listen 0")
        s.tool.expect("display 0 scanout 64 48")
        s.qemu.do("fill 1 2 3 4 abcdef")
        s.tool.expect("display 0 update 1 2 3 4")
        s.exact()
        assert s.status() == (1, 64, 48, 1)


@case
def a_storm_of_sizes_ends_with_the_last_one():
    with screen() as s:
        for share in (0, 1):
            s.source(64, 48, share)
            if not share:
                s.display()
            before = s.memory()
            s.qemu.do(*["storm 20"] * 25, "scanout 333 222", "pattern 9")
            eventually(lambda: s.status()[1:3] == (333, 222), "the last size")
            s.exact()
            assert s.memory() < before + (48 << 20)
            assert len(os.listdir(f"/proc/{s.process.pid}/fd")) < 40, "no fd is left behind"


@case
def a_display_that_never_answers_costs_nobody_anything():
    with screen() as s:
        s.source(256, 256)
        s.display(0)
        s.tool.expect("display 0 scanout")
        s.tool.do("hold 0 1")
        s.display(1)
        s.qemu.do("flood 1000")
        before = s.memory()
        s.qemu.do(*["flood 500"] * 40, *["storm 20"] * 10, "scanout 256 256", "pattern 2")
        eventually(lambda: s.status()[1:3] == (256, 256), "the last size")
        s.exact(1)
        assert s.memory() < before + (32 << 20), "what waits for a display is bounded"
        assert len(s.tool.take("display 0 update", "display 0 scanout")) < 20, "it is sent nothing more"


@case
def a_display_whose_listener_says_nothing_holds_up_nobody():
    with screen() as s:
        s.source()
        s.tool.do("add 0", "mute 0")
        s.display(1)
        s.qemu.do("pattern 4")
        s.exact(1)
        s.tool.do("key 1 30 1")
        s.qemu.expect("Keyboard Press 30")  # and the program ends when it is told to


@case
def a_display_that_reads_no_answers_is_cut_off():
    with screen() as s:
        s.source()
        s.display(0)
        s.display(1)
        before = s.memory()
        s.tool.tell("flood 0 1000000")
        s.tool.expect("flood error")
        eventually(lambda: s.status()[3] == 1, "only that display is gone")
        assert s.memory() < before + (48 << 20)
        s.qemu.do("pattern 4")
        s.exact(1)


@case
def displays_cannot_change_the_picture():
    with screen() as s:
        s.source()
        s.display()
        s.tool.expect("display 0 scanout")
        s.tool.do("attack 0")
        attempts = s.tool.expect("display 0 attack").split()[3:]
        assert attempts[1::2] == ["refused"] * 7, attempts
        s.qemu.do("pattern 1")
        s.exact()


@case
def more_displays_than_there_is_room_for_are_refused():
    with screen() as s:
        s.source()
        for number in range(64):
            s.tool.do(f"add {number}")
        s.tool.refused("add 64")
        assert s.status()[3] == 64
        s.tool.do("drop 63")
        eventually(lambda: s.status()[3] == 63, "one left")
        s.display(64)
        s.exact(64)


@case
def another_source_keeps_the_displays():
    with screen() as s:
        s.source()
        s.display()
        s.tool.do("uiinfo 0 1024 768")
        s.qemu.expect("uiinfo 1024 768")
        s.qemu.do("pattern 1")
        s.exact()
        s.source(80, 60)
        s.qemu.expect("uiinfo 1024 768")
        s.qemu.do("pattern 2")
        s.exact()
        assert s.status() == (1, 80, 60, 1)
        s.tool.do("key 0 30 1")
        s.qemu.expect("Keyboard Press 30")


@case
def a_lost_source_is_told_and_replaced():
    with screen() as s:
        s.source()
        s.display()
        s.qemu.do("pattern 1")
        s.exact()
        last = s.pixels()
        s.tool.do("key 0 30 1", "key 0 31 1", "button 0 0 1")
        s.qemu.do("close")
        s.tool.expect("lost")
        assert s.status() == (0, 64, 48, 1) and s.pixels() == last, "the last picture stays"
        s.tool.do("key 0 30 0", "button 0 0 0", "move 0 1 1", "uiinfo 0 640 480")
        s.source()
        s.qemu.expect("Keyboard Release 30")
        s.qemu.expect("Mouse Release 0")
        s.qemu.expect("uiinfo 640 480")
        s.exact()
        assert not s.qemu.take("Keyboard Release 31"), "what is held down still is not released"
        s.tool.do("drop 0")
        s.qemu.expect("Keyboard Release 31")


@case
def input_arrives_in_order():
    with screen() as s:
        s.source()
        s.display()
        sent, wanted = [], []
        for i in range(60):
            sent += [f"key 0 {i} 1", f"move 0 {i} {i // 2}", "button 0 1 1", f"motion 0 {i} -{i + 1}", "button 0 1 0",
                     f"key 0 {i} 0"]
            wanted += [f"Keyboard Press {i}", f"at {i} {i // 2}", "Mouse Press 1", f"by {i} -{i + 1}", "Mouse Release 1",
                       f"Keyboard Release {i}"]
        s.tool.do(*sent)
        s.qemu.expect("Keyboard Release 59")
        got = s.qemu.take("Keyboard", "Mouse", "at", "by")
        assert got == wanted[:-1], got
        s.tool.do("move 0 1000 4294967295")
        s.qemu.expect("at 63 47")
        for bad in ("key 0 256 1", "key 0 4294967295 1", "button 0 8 1"):
            s.tool.refused(bad)


@case
def what_a_display_pressed_is_released_when_it_goes():
    with screen() as s:
        s.source()
        s.display(0)
        s.display(1)
        s.tool.do("key 0 42 1", "key 0 30 1", "key 0 30 0", "button 0 0 1", "key 1 57 1")
        s.qemu.expect("Keyboard Press 57")
        s.tool.do("drop 0")
        s.qemu.expect("Keyboard Release 42")
        s.qemu.expect("Mouse Release 0")
        assert s.qemu.take("Keyboard Release") == ["Keyboard Release 30"], "only what was down, and nobody else's"


@case
def the_newest_size_wins_and_is_clamped():
    with screen() as s:
        s.source()
        s.display(0)
        s.display(1)
        s.tool.do("uiinfo 0 1000 700", "uiinfo 1 1280 720", "uiinfo 0 4294967295 1", "uiinfo 1 0 65535")
        for size in ("1000 700", "1280 720", "8192 64", "64 8192"):
            assert s.qemu.expect("uiinfo") == f"uiinfo {size}"


@case
def a_broker_that_comes_back_finds_everything():
    with screen() as s:
        s.source()
        s.display()
        again = Lines(BIN / "screen-tool", s.directory / "control")
        again.do("hello", "status")
        assert again.expect("status ") == "status 1 64 48 1"
        s.qemu.do("close")
        again.expect("lost")
        s.tool.expect("lost")
        again.close()
        s.source()
        s.exact()


@case
def nobody_watching_ends_the_program():
    with screen(linger=1) as s:
        s.source()
        assert s.process.wait(30) == 0
        s.qemu.expect("gone")
    with screen(linger=1) as s:
        s.display()
        s.source()
        time.sleep(1.5)  # longer than the linger, which must not run
        assert s.process.poll() is None
        s.tool.do("drop 0")
        assert s.process.wait(30) == 0


@case
def arguments_that_are_wrong():
    for arguments in ((), ("--control-fd", "3"), ("--id", "x"), ("--control-fd", "2", "--id", "x"),
                      ("--control-fd", "x", "--id", "x"), ("--control-fd", "3", "--id", "x", "--linger", "soon"),
                      ("--control-fd", "3", "--id", "x", "more"), ("--nonsense",)):
        done = subprocess.run([BIN / "hotdesk-screen", *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 2 and "usage:" in done.stderr, (arguments, done)
    assert "usage:" in subprocess.run([BIN / "hotdesk-screen", "--help"], capture_output=True, text=True,
                                      check=True).stdout


def real(qemu, want_map):
    """A real QEMU's firmware screen; the picture is the one QEMU itself dumps."""
    with screen() as s, qemu:
        s.display()
        for _ in range(2):
            with qemu.display_at(s.directory / "real") as path:
                s.tool.do(f"source {path}")
                qemu.attach()
            s.tool.expect("picture ")
            eventually(lambda: s.pixels() == qemu.screendump(), "the picture QEMU dumps", timeout=60, interval=0.2)
        s.tool.do("uiinfo 0 1111 777", "key 0 30 1", "key 0 30 0", "move 0 5 5", "button 0 0 1", "button 0 0 0")
        assert s.status()[0] == 1 and s.status()[1] > 0
        qemu.execute("query-status")
        if want_map:
            assert s.maps(), "pixels come by shared memory"
        assert not s.tool.take("lost")[1:], s.log()


@case
def a_real_qemu():
    real(Qemu("qemu-system-x86_64", work / "real"), False)


@case
def a_real_qemu_10_with_shared_memory():
    binary, environment = qemu_10()
    real(Qemu(binary, work / "real10", environment), True)


if __name__ == "__main__":
    main(setup, teardown)
