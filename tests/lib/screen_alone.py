# SPDX-License-Identifier: GPL-3.0-or-later
"""A hotdesk-screen alone, between fake-qemu-display and screen-tool, which plays the broker and displays.

    with screen() as s:
        s.source(64, 48)
        s.display()
"""

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

from case import eventually
from harness import BIN, status_of
from lines import Lines


class Screen:
    """A hotdesk-screen with a fake QEMU and the tool."""

    def __init__(self, linger=60):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="hotdesk-screen-"))
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
        return status_of(self.process.pid, "VmRSS") * 1024

    def maps(self):
        """What of QEMU's memory is mapped."""
        lines = pathlib.Path(f"/proc/{self.process.pid}/maps").read_text().splitlines()
        return [line for line in lines if "memfd:" in line and "hotdesk-framebuffer" not in line]

    def registered_again(self):
        self.qemu.expect("listener")
        self.qemu.expect("ready")

    def remove(self):
        if not os.environ.get("HOTDESK_KEEP"):
            shutil.rmtree(self.directory, ignore_errors=True)

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
    else:
        made.close()
    finally:
        made.remove()
