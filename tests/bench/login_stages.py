# SPDX-License-Identifier: GPL-3.0-or-later
"""Milliseconds of each stage from TCP connect to the desktop: for a cold clone, and for a desktop that runs."""

import time

import rfb
from case import eventually
from harness import Stack
from session import BACKGROUND, BOOT_TIMEOUT, PROBE, SPOT

USER, PASSWORD = "alice", "wonder"
ROUNDS = 5           # each: one cold login and some to the desktop that it made
LOGINS_A_ROUND = 4
QUICK_LOGINS = 3


class Watch(rfb.Viewer):
    """A viewer that knows when it has been sent a whole picture."""

    def __init__(self, door):
        super().__init__(door.sock, BOOT_TIMEOUT)
        self.buffer = door.buffer
        self.drawn = 0

    def _blit(self, x, y, width, height, pixels):
        super()._blit(x, y, width, height, pixels)
        self.drawn += width * height

    def has_picture(self):
        return self.drawn >= self.width * self.height

    def has_desktop(self):
        return self.has_picture() and self.pixel(*PROBE) == BACKGROUND


class Clock:
    """Adds the time since the last stage as a sample of the named one."""

    def __init__(self, figures, group):
        self.figures, self.group = figures, group
        self.begin = self.last = time.monotonic()

    def _add(self, stage, since):
        self.figures.add(f"{self.group}.{stage}", (time.monotonic() - since) * 1000, "ms")

    def stage(self, name):
        self._add(name, self.last)
        self.last = time.monotonic()

    def since_last(self, name):
        """A figure that overlaps with the next."""
        self._add(name, self.last)

    def total(self, name):
        self._add(name, self.begin)


def log_in(stack, clock):
    """The stages up to the ServerInit."""
    door = rfb.Door(stack.port)
    clock.stage("tcp-connect")
    door.version()
    assert door.security_types() == [rfb.VENCRYPT]
    door.vencrypt_subtypes()
    door.choose_subtype()
    clock.stage("version-and-security")
    door.start_tls(stack.ca)
    clock.stage("tls-handshake")
    door.credentials(USER, PASSWORD)
    door.result()
    clock.stage("credentials-to-result")
    viewer = Watch(door)
    viewer.client_init()
    clock.stage("client-init-to-server-init")
    return viewer


def sample(stack, figures, group, first):
    """One login; `first` names the figure of the first whole picture. Returns the viewer with the desktop in it."""
    clock = Clock(figures, group)
    viewer = log_in(stack, clock)
    viewer.set_encodings((rfb.RAW, rfb.DESKTOP_SIZE, rfb.LAST_RECT))
    viewer.request_after_update = True
    viewer.request(incremental=False)
    viewer.wait(viewer.has_picture, "a picture")
    clock.since_last(f"server-init-to-{first}")
    clock.total(f"connect-to-{first}")
    viewer.wait(viewer.has_desktop, "the desktop")
    clock.since_last("server-init-to-desktop")
    clock.total("connect-to-desktop")
    return viewer


def settled(viewer):
    """The guest has started all it starts: its terminal is drawn and nothing changes for two seconds."""
    viewer.wait(lambda: viewer.pixel(*SPOT) != BACKGROUND, "the terminal")
    seen, since = viewer.updates, time.monotonic()
    while time.monotonic() - since < 2:
        viewer.pump(0.2)
        if viewer.updates != seen:
            seen, since = viewer.updates, time.monotonic()


def nobody_watches(stack):
    eventually(lambda: not stack.children("display"), "the last viewer's display has ended")


def remove_desktop(stack):
    for desktop in stack.desktops(owner=USER):
        stack.cli("desktop", "delete", desktop["id"], "--yes")
    eventually(lambda: not stack.desktops() and not stack.children("qemu-system-x86_64"), "the desktop is removed", 60)
    nobody_watches(stack)


def one_round(stack, figures):
    viewer = sample(stack, figures, "cold", "waiting-picture")
    settled(viewer)
    viewer.close()
    for _ in range(QUICK_LOGINS if figures.quick else LOGINS_A_ROUND):
        nobody_watches(stack)
        sample(stack, figures, "running", "first-frame").close()
    remove_desktop(stack)


def measure(figures):
    stack = Stack(users={USER: PASSWORD})
    try:
        stack.start()
        stack.tiny_pool()
        for _ in figures.rounds(ROUNDS):
            one_round(stack, figures)
    finally:
        stack.stop()
