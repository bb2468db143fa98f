#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The main job with real parts: TigerVNC's viewer, TLS, PAM, the broker, QEMU under TCG, a guest with X."""

import hashlib
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

from case import Skip, case, eventually, main  # noqa: E402
from harness import Stack  # noqa: E402
from viewer import Viewers, pictured  # noqa: E402

PASSWORDS = {"alice": "wonder land", "bob": "builder", "carol": "christmas"}
BACKGROUND = 0x204060  # of the tiny guest's desktop
TASK_BAR = 0xD7D7D7
TERMINAL = 0xFFFFFF
MENU_GREEN = 0x00C000  # of the terminal that the menu's first entry starts
BOOT_TIMEOUT = 240
JPEG = 24  # the viewer asks for it, so edges differ a little from one time to the next

stack = None
viewers = None


def sha256(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def setup():
    global stack, viewers
    if "HOTDESK_TINY" not in os.environ:
        raise Skip("HOTDESK_TINY does not name the built tiny guest (tests/run sets it)")
    stack = Stack(users=PASSWORDS)
    viewers = Viewers(stack)
    stack.start()
    stack.tiny_pool()


def teardown():
    if viewers:
        viewers.stop()


def shows_desktop(viewer):
    """The guest's background with its task bar: the window manager is there."""
    picture = viewer.picture()
    return picture.count(BACKGROUND) > 100_000 and picture.pixel(-20, -10) == TASK_BAR


def logged_in(user):
    """The user's viewer with the desktop in it; connects where a case is run alone."""
    viewer = viewers.get(user)
    if not viewer or not viewer.alive():
        viewer = viewers.connect(user)
    eventually(lambda: shows_desktop(viewer), lambda: f"the desktop of {user}\n{viewers.state(user)}", BOOT_TIMEOUT, 0.2)
    # A terminal that is drawn takes keys a moment later: its shell has started when the prompt stands still.
    viewer.settled()
    return viewer


def desktop_of(user):
    rows = stack.desktops(owner=user)
    assert len(rows) == 1, f"one desktop of {user}: {rows}"
    return rows[0]


def files_of(desktop):
    return stack.state / "host/vm" / desktop["id"]


def golden_disk():
    disks = list((stack.state / "host/images/tiny").glob("*/disk.qcow2"))
    assert len(disks) == 1, f"one version of the image: {disks}"
    return disks[0]


def is_removed(desktop):
    eventually(lambda: not stack.desktops(id=desktop["id"]), lambda: f"{desktop['id']} is off the list:"
               f" {stack.desktops()}\n{stack.log_tail()}", 90, 0.2)
    eventually(lambda: not files_of(desktop).exists(), f"the files of {desktop['id']} are removed", 30)
    eventually(lambda: not [line for line in stack.children("qemu-system-x86_64").values() if desktop["id"] in line],
               f"the QEMU of {desktop['id']} has ended", 30)


def system_case(function):
    return case(pictured(lambda: viewers.screen)(function))


@system_case
def a_cold_login_shows_the_waiting_picture_first():
    viewer = viewers.connect("alice")
    picture = viewer.picture()
    state = desktop_of("alice")["state"]
    assert state != "ready", "the desktop was there before the viewer: nothing was to wait for"
    assert not shows_desktop(viewer)

    def waiting_picture():
        seen = viewer.picture()
        return seen.colours() > 16 and not shows_desktop(viewer) and seen
    picture = eventually(waiting_picture, lambda: f"a drawn picture\n{viewers.state('alice')}", 10)
    assert picture.count(0) < picture.width * picture.height * 0.9, "an all but black picture"
    logged_in("alice")
    assert viewer.alive() and desktop_of("alice")["state"] == "ready"


@system_case
def a_typed_command_changes_the_picture():
    viewer = logged_in("alice")
    before = viewer.picture()
    colour = 0xC000C0
    assert before.count(colour) == 0
    viewers.run_command("alice", "true", colour)
    assert viewer.picture().count(TERMINAL) < 5_000, "the terminal is not white any more"
    viewers.run_command("alice", "true", TERMINAL)


@system_case
def a_menu_opens_and_its_entry_is_chosen():
    viewer = logged_in("alice")
    viewer.activate()
    before = viewer.settled()
    assert before.count(MENU_GREEN) == 0
    viewer.click(700, 480, button=3)
    eventually(lambda: viewer.picture().block(710, 485, 60, 30) != before.block(710, 485, 60, 30), "the menu opens", 30)
    viewer.click(740, 492)
    eventually(lambda: viewer.picture().count(MENU_GREEN) > 20_000, "the menu's entry started a green terminal", 60)
    # The new terminal has the focus; it goes as it came.
    viewer.settled()
    viewer.type_until("exit", lambda: viewer.picture().count(MENU_GREEN) == 0, "the green terminal is closed")


@system_case
def the_desktop_follows_the_window_to_the_pixel():
    viewer = logged_in("alice")
    corner = viewer.settled().block(-12, -32, 12, 32)  # the end of the task bar and background above it
    for width, height in ((1171, 803), (905, 677), (1366, 768)):
        viewer.resize(width, height)

        def followed():
            picture = viewer.picture()
            return picture.size == (width, height) and picture.alike(corner, -12, -32, JPEG) \
                and picture.alike([[BACKGROUND]], -3, 3, JPEG)
        eventually(followed, lambda: f"a desktop of {width}x{height}, not {viewer.picture().size}\n{viewers.state('alice')}",
                   60)
    viewers.run_command("alice", "grep -q 1366x768 /run/Xorg.log", TERMINAL)


@system_case
def after_reconnecting_the_same_desktop_and_windows_are_there():
    viewer = logged_in("alice")
    colour = 0xC0C000
    viewers.run_command("alice", "echo kept >/root/kept; sync", colour)
    desktop, before = desktop_of("alice"), viewer.settled()
    viewer.close()
    eventually(lambda: desktop_of("alice")["viewers"] == 0, "the viewer is gone from the list", 30)
    viewer = viewers.connect("alice")
    eventually(lambda: viewer.picture().difference(before, JPEG) < 0.002,
               lambda: f"the same picture again, not {viewer.picture().difference(before, JPEG):.3f} different of"
               f" {viewer.picture().size} to {before.size}\n{viewers.state('alice')}", 60)
    after = desktop_of("alice")
    assert (after["id"], after["boot"]) == (desktop["id"], desktop["boot"]), f"{desktop} is now {after}"
    viewers.run_command("alice", "grep -q kept /root/kept", TERMINAL)


@system_case
def a_second_user_gets_another_machine():
    logged_in("alice")
    logged_in("bob")
    assert desktop_of("alice")["id"] != desktop_of("bob")["id"]
    assert len(stack.children("qemu-system-x86_64")) == 2, stack.children("qemu-system-x86_64")
    viewers.run_command("bob", "[ ! -e /root/kept ]", 0x00C0C0)
    assert viewers["alice"].picture().count(0x00C0C0) == 0, "what bob does is in alice's picture"


@system_case
def logging_off_removes_a_floating_desktop():
    viewer = logged_in("alice")
    desktop = desktop_of("alice")
    assert files_of(desktop).is_dir()
    viewer.type_until("poweroff", lambda: not stack.desktops(owner="alice") or not viewer.alive(), "the guest shuts down")
    is_removed(desktop)
    viewer.wait_end()


@system_case
def stopping_removes_a_floating_desktop():
    viewer = logged_in("bob")
    desktop = desktop_of("bob")
    assert files_of(desktop).is_dir()
    stack.cli("desktop", "stop", desktop["id"])
    is_removed(desktop)
    viewer.wait_end()


@system_case
def a_written_file_is_not_in_the_next_clone_nor_in_the_image():
    golden = sha256(golden_disk())
    assert golden == sha256(pathlib.Path(os.environ["HOTDESK_TINY"]) / "disk.qcow2"), "imported as it is"
    first = logged_in("alice")
    viewers.run_command("alice", "echo kept >/root/kept; sync", 0x804000)
    desktop = desktop_of("alice")
    stack.cli("desktop", "stop", desktop["id"])
    is_removed(desktop)
    first.close()
    logged_in("alice")
    assert desktop_of("alice")["id"] != desktop["id"], "a floating desktop is a new clone"
    viewers.run_command("alice", "[ ! -e /root/kept ]", 0x408000)
    assert sha256(golden_disk()) == golden, "the golden image was written to"


@system_case
def a_login_takes_the_spare_that_is_ready():
    stack.cli("pool", "set", "desk", "min-spare=1")
    try:
        spare = stack.wait_desktops(1, owner="", pool="desk")[0]
        assert spare["agent"], f"ready without its agent: {spare}"
        viewer = viewers.connect("carol")
        taken = desktop_of("carol")
        assert (taken["id"], taken["boot"], taken["state"]) == (spare["id"], spare["boot"], "ready"), f"{spare} is now {taken}"
        logged_in("carol")
        viewers.run_command("carol", "true", 0x4080C0)
        assert viewer.alive() and desktop_of("carol")["id"] == spare["id"]
        follower = stack.wait_desktops(1, owner="", pool="desk")[0]
        assert follower["id"] != spare["id"]
    finally:
        stack.cli("pool", "set", "desk", "min-spare=0")
    is_removed(follower)


if __name__ == "__main__":
    main(setup, teardown)
