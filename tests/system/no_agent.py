#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest in which no agent runs, in QEMU: what its user has all the same, and what its administrator is told."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

from case import Skip, case, eventually, main  # noqa: E402
from harness import Stack  # noqa: E402
from scripted_guest import build, import_as  # noqa: E402
from session import PROBE, Session  # noqa: E402

SIZE = (1000, 712)
READY_TIMEOUT = 20

stack = None
session = None


def setup():
    global stack, session
    guest = build()
    if not guest:
        raise Skip("HOTDESK_TINY is not set: the tiny guest is not built")
    stack = Stack(users={"alice": "wonder"}, conf={"host": {"ready-timeout": READY_TIMEOUT}})
    stack.start()
    import_as(stack, guest, "none")
    stack.cli("pool", "create", "desk", "image=none", "memory=384M", "vcpus=1", "max=1")
    stack.cli("pool", "entitle", "desk", "--user", "alice")
    session = Session(stack, "alice")


def teardown():
    if session:
        session.close()
    if stack:
        stack.stop()


@case
def picture_keys_and_pointer_work():
    session.paint()
    before = session.viewer.pixel(*PROBE)
    x, y = PROBE
    session.viewer.click(x - 20, y - 10, button=4)
    session.viewer.wait(lambda: session.viewer.pixel(*PROBE) != before, "the menu of a right click", 30)

    def closed():
        session.viewer.key(0xff1b)  # again, as a menu takes keys a moment after it is drawn
        session.viewer.pump(1.0)
        return session.viewer.pixel(*PROBE) == before
    eventually(closed, "Escape closes the menu", 60)


@case
def the_guest_is_told_the_viewer_s_size_by_its_screen():
    """By the EDID's preferred mode, which a desktop of its own accord may follow; this one does not."""
    width, height = session.viewer.width, session.viewer.height
    session.viewer.set_desktop_size(*SIZE)
    session.succeeds("cd /sys/class/drm/card0-Virtual-1; echo detect >status; head -n 1 modes | grep -q %dx%d" % SIZE, (0, 255, 2))
    assert (session.viewer.width, session.viewer.height) == (width, height), "no follower runs in this guest"


@case
def the_administrator_sees_that_there_is_none():
    row = stack.json("desktop", "show", session.desktop["id"])
    assert row["state"] == "ready" and row["agent"] == "" and row["capabilities"] == [], row


@case
def logging_in_again_gives_the_same_picture():
    global session
    session.close()
    eventually(lambda: session.desktop["viewers"] == 0, "the viewer is gone", 30)
    session = Session(stack, "alice")


if __name__ == "__main__":
    main(setup, teardown)
