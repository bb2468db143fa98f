# SPDX-License-Identifier: GPL-3.0-or-later
"""A hotdesk-display alone, between a scripted viewer and display-peer, which plays the broker and the desktop.

    with Desk("--size", "640x480") as desk:
        desk.source("map", 320, 240)
        desk.start(rfb.RAW)
        desk.shows_source()
"""

import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile

import rfb
from harness import BIN, status_of
from lines import Lines

RESIZES = (rfb.DESKTOP_SIZE, rfb.EXTENDED_DESKTOP_SIZE)


class Desk:
    """A hotdesk-display with its peer and its viewer's end of the stream."""

    def __init__(self, *arguments, stream=None):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="hotdesk-display-"))
        control = self.directory / "control"
        with socket.socket(socket.AF_UNIX) as listener, open(self.directory / "log", "w") as log:
            listener.bind(str(control))
            listener.listen(8)
            ours, theirs = stream or socket.socketpair()
            self.process = subprocess.Popen(
                [BIN / "hotdesk-display", "--stream-fd", str(theirs.fileno()), "--control-fd",
                 str(listener.fileno()), "--name", "Alice's desktop", *arguments],
                pass_fds=[theirs.fileno(), listener.fileno()], stderr=log)
            theirs.close()
        self.viewer = rfb.Viewer(ours, 30)
        self.peer = Lines(BIN / "display-peer", control, ordered=True)
        self.peer.do("hello")

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.viewer.close()
        self.status = self.process.wait(20)
        self.peer.close()
        self.said = (self.directory / "log").read_text()
        sys.stderr.write(self.said)
        if not os.environ.get("HOTDESK_KEEP"):
            shutil.rmtree(self.directory, ignore_errors=True)
        assert kind or "Sanitizer" not in self.said and "runtime error" not in self.said, self.said
        assert kind or self.status in (0, 1), f"exit {self.status}"

    def offer(self, mode="map", width=320, height=240):
        """A new desktop; mode: map, inline, or plain: memory that could shrink."""
        self.peer.do(f"map {int(mode != 'inline')}", f"seal {int(mode == 'map')}")
        self.peer.do(f"surface {width} {height}", "source")

    def source(self, *what):
        """The same, and waits until the display listens to it."""
        self.offer(*what)
        self.peer.expect("ready")

    def start(self, *encodings):
        self.viewer.start(encodings or (rfb.RAW, *RESIZES))
        return self.viewer

    def shows_source(self):
        """Waits until the viewer's picture is the source's to the pixel."""
        want = self.pixels()
        self.viewer.wait(lambda: same(self.viewer.framebuffer, want), "the source's picture, exactly")

    def pixels(self):
        """The source's."""
        path = self.directory / "dump"
        self.peer.do(f"dump {path}")
        return path.read_bytes()

    def state(self):
        self.peer.tell("state")
        return tuple(int(word) for word in self.peer.expect("state 0", "state 1").split()[1:])

    def memory(self):
        try:
            return status_of(self.process.pid, "VmRSS") * 1024
        except KeyError:
            return 0  # it has ended


def same(have, want):
    if len(have) != len(want):
        return False
    return all(have[i::4] == want[i::4] for i in range(3))


def colours(viewer):
    pixels = viewer.framebuffer
    return len({bytes(pixels[i:i + 3]) for i in range(0, len(pixels), 4)})
