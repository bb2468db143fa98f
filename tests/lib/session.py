# SPDX-License-Identifier: GPL-3.0-or-later
"""A user's session on the tiny guest, by the scripted viewer: what a person would see and type."""

import time

import rfb
from case import eventually

BACKGROUND = (0x20, 0x40, 0x60)  # of the tiny guest's desktop
SPOT = (300, 300)                # inside of its terminal, away from text
PROBE = (1000, 500)              # on its desktop, away from windows
BOOT_TIMEOUT = 240
CONTROL = 0xFFE3


class Terminal:
    """The tiny guest's desktop and its terminal in a viewer that is there."""

    def __init__(self, viewer, timeout=BOOT_TIMEOUT):
        self.viewer, self.shade = viewer, 0
        self.wait_desktop(timeout)

    def shows_desktop(self):
        return self.viewer.pixel(*PROBE) == BACKGROUND

    def wait_desktop(self, timeout=BOOT_TIMEOUT):
        """The desktop is drawn and its terminal has a prompt."""
        self.viewer.wait(self.shows_desktop, "the desktop is drawn", timeout)
        self.viewer.wait(lambda: self.viewer.pixel(*SPOT) != BACKGROUND, "the terminal is drawn", 60)
        self.paint(timeout=90, again=2.0)

    def run(self, command):
        self.viewer.type(command + "\n")

    def paint(self, timeout=60.0, again=10.0):
        """Types a command that gives the terminal a new background, and waits until it is seen: the way to QEMU and back works.

        again: seconds after which it is typed once more: a shell may not read yet, and a guest that gets no processor for long
        takes no keys, which QEMU drops then."""
        self.shade = self.shade % 200 + 20
        wanted = (self.shade, 0, 255 - self.shade)
        left = timeout
        while True:
            self.run("printf '\\033]11;#%02x%02x%02x\\007'" % wanted)
            step = min(again, left)
            try:
                self.viewer.wait(lambda: self.viewer.pixel(*SPOT) == wanted, "the terminal has the new colour", step)
                return wanted
            except (TimeoutError, AssertionError):
                left -= step
                if left <= 0:
                    raise

    def until(self, command, condition, what, timeout=90.0, again=15.0, interrupt=False):
        """Types a command until condition() comes true; the same holds of its keys. A condition may wait by itself.

        interrupt: the command that was typed first may be something else, without some of its keys, and wait for ever."""
        end = time.monotonic() + timeout
        while True:
            self.run(command)
            retry = min(time.monotonic() + again, end)
            while True:
                if condition():
                    return
                if time.monotonic() >= retry:
                    break
                self.viewer.pump(0.2)
            assert time.monotonic() < end, f"did not happen within {timeout} s: {what() if callable(what) else what}"
            if interrupt:
                self.viewer.key(CONTROL, True)
                self.viewer.key(ord("c"))
                self.viewer.key(CONTROL, False)

    def colour(self):
        return self.viewer.pixel(*SPOT)

    def sees(self, colour, timeout=30.0):
        self.viewer.wait(lambda: self.colour() == colour, f"the terminal is {colour}", timeout)

    def succeeds(self, command, colour=None):
        """A command that may be typed more than once and gives the terminal this background, or a new one, when it succeeds."""
        if not colour:
            self.shade = self.shade % 200 + 20
            colour = (0, self.shade, 255 - self.shade)
        self.until(f"{command} && printf '\\033]11;#%02x%02x%02x\\007'" % colour, lambda: self.colour() == colour,
                   lambda: f"`{command}`: the terminal is {colour}, not {self.colour()}", interrupt=True)

    def close(self):
        self.viewer.close()


class Session(Terminal):
    """A viewer of one user with the desktop in it."""

    def __init__(self, stack, user, timeout=BOOT_TIMEOUT):
        self.stack, self.user = stack, user
        super().__init__(rfb.login(stack.port, user, stack.users[user], ca=stack.ca).start(), timeout)

    @property
    def desktop(self):
        """The row of `hotdesk desktop list` of the user's desktop."""
        return self.stack.desktops(owner=self.user)[0]


def pids_of_connections(stack):
    """The gate's connection processes."""
    return [pid for pid, line in stack.children("gate").items() if "--connection" in line]


def qemu_pid(stack, desktop_id):
    """The pid of the QEMU that runs a desktop."""
    def find():
        for pid, line in stack.children("qemu-system-x86_64").items():
            if desktop_id in line:
                return pid
        return None
    return eventually(find, f"a QEMU for {desktop_id}", 30)
