#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The viewers that people have, each for real: in, typing, in again, a window of another size, a wrong CA, a wrong password.

What README.md's table of viewers says of each is asserted here.
"""

import functools
import itertools
import os
import pathlib
import sys
import typing

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

from case import Skip, case, eventually, main  # noqa: E402
from gate_alone import make_pem  # noqa: E402
from harness import Stack  # noqa: E402
from novnc_bridge import Bridge, NoVnc  # noqa: E402
from other_viewers import Gvncviewer, RemoteViewer, Remmina  # noqa: E402
from own_mounts import own_mounts  # noqa: E402
from viewer import Screen, Viewer, pictured  # noqa: E402

USER, PASSWORD = "alice", "wonder land"
BACKGROUND = 0x204060  # of the tiny guest's desktop
TASK_BAR = 0xD7D7D7
BOOT_TIMEOUT = 240
LOGIN_INCORRECT = "Login incorrect"
SIZES = ((1003, 741), (1311, 902))

stack = None
screen = None
bridge = None
wrong_ca = None
shown = None  # the viewer that is there, one at a time,
shown_kind = None  # and what makes it
colours = itertools.cycle((0xC000C0, 0xC0C000, 0x00C0C0))


def setup():
    global stack, screen, wrong_ca
    if "HOTDESK_TINY" not in os.environ:
        raise Skip("HOTDESK_TINY does not name the built tiny guest (tests/run sets it)")
    stack = Stack(users={USER: PASSWORD})
    screen = Screen()
    wrong_ca = make_pem(stack.directory, "wrong-ca")["certificate"]
    stack.start()
    stack.tiny_pool(max=1)


def teardown():
    try:
        leave()
        if bridge:
            bridge.stop()
    finally:
        try:
            if stack:
                stack.stop()
        finally:
            if screen:
                screen.stop()


class Area(typing.NamedTuple):
    """Where in a viewer's window the desktop is, in the window's pixels."""
    left: int
    top: int
    right: int
    bottom: int

    @property
    def size(self):
        return self.right - self.left, self.bottom - self.top


def area(picture):
    """The part with the desktop: its background as far as it goes, and the task bar below it. None where they are not."""
    starts = range(0, picture.width * picture.height, picture.width)
    rows = [y for y, start in enumerate(starts) if BACKGROUND in picture.pixels[start:start + picture.width]]
    if not rows or picture.count(BACKGROUND) < 100_000:
        return None
    last = picture.pixels[rows[-1] * picture.width:(rows[-1] + 1) * picture.width]
    left, right = last.index(BACKGROUND), picture.width - last[::-1].index(BACKGROUND)
    bar = [y for y in range(rows[-1] + 1, min(rows[-1] + 40, picture.height)) if picture.pixel(right - 4, y) == TASK_BAR]
    return Area(left, rows[0], right, bar[-1] + 1) if bar else None


def state():
    """What a failing case tells."""
    return f"{stack.desktops()}\n{stack.log_tail(30)}\n{shown.text()[-1500:] if shown else ''}"


def leave():
    global shown
    if shown:
        shown.close()
        shown = None
        eventually(lambda: not any(desktop["viewers"] for desktop in stack.desktops()), "the viewer is off the list", 30)


def made(kind, password=PASSWORD, ca=None):
    """A new viewer of this kind, the only one."""
    global shown, shown_kind
    leave()
    shown_kind = kind
    shown = kind(screen, stack, USER, password, ca=ca or stack.ca)
    return shown


def begun(kind):
    """A new viewer with the desktop in it."""
    viewer = made(kind)
    viewer.wait_window()
    eventually(lambda: area(viewer.picture()), lambda: f"the desktop\n{state()}", BOOT_TIMEOUT, 0.2)
    viewer.settled()
    return viewer


def logged_in(kind):
    """The viewer of the case before, or a new one where a case is run alone."""
    return shown if shown and shown_kind is kind and shown.window and shown.alive() else begun(kind)


def logged_since(start):
    return stack.log.read_text(errors="replace")[start:]


def run(command):
    """Types a command, which must succeed: the terminal gets another colour than before by it."""
    shown.run_command(command, next(colours), state)


# -- what each viewer is asked to do -------------------------------------------------------------------------------


def logs_in_and_types(kind):
    begun(kind)
    run("true")


def comes_back_to_the_same_desktop(kind):
    logged_in(kind)
    run("echo kept >/root/kept")
    before = stack.desktops(owner=USER)[0]
    begun(kind)
    after = stack.desktops(owner=USER)[0]
    assert (after["id"], after["boot"]) == (before["id"], before["boot"]), f"{before} is now {after}"
    run("grep -q kept /root/kept")


def the_desktop_follows_the_window(kind):
    """Of which the viewer's own bars and frame keep as much as before."""
    viewer = logged_in(kind)
    for width, height in SIZES:
        picture = viewer.picture()
        own = [outer - inner for outer, inner in zip(picture.size, area(picture).size)]
        wanted = width - own[0], height - own[1]
        viewer.resize(width, height)

        def followed(size=(width, height), inner=wanted):
            seen = viewer.picture()
            return seen.size == size and area(seen) and area(seen).size == inner
        eventually(followed, lambda inner=wanted: f"a desktop of {inner}, not {area(viewer.picture())}\n{state()}", 60, 0.2)
    run("grep -q %dx%d /run/Xorg.log" % wanted)


def the_picture_is_scaled_to_the_window(kind):
    """In the proportions of the desktop, which are not those of the window: it keeps its size."""
    viewer = logged_in(kind)
    for width, height in SIZES:
        before = area(viewer.picture()).size
        viewer.resize(width, height)

        def scaled(size=(width, height), before=before):
            seen = viewer.picture()
            inner = area(seen).size if seen.size == size and area(seen) else before
            return inner != before and abs(inner[0] / inner[1] - before[0] / before[1]) < 0.02
        eventually(scaled, lambda before=before: f"another size than {before}: {area(viewer.picture())}\n{state()}", 60, 0.2)
    run("true")


def a_wrong_ca_gets_no_password(kind, told):
    leave()
    start = stack.log.stat().st_size
    viewer = made(kind, ca=wrong_ca)
    eventually(lambda: told(viewer), lambda: f"the viewer tells of the wrong CA\n{state()}", 60, 0.1)
    leave()
    if kind is not browser:  # which turns away from the bridge
        eventually(lambda: "no TLS" in logged_since(start) or "left before it logged in" in logged_since(start),
                   lambda: f"the gate is left\n{state()}", 60)
    log = logged_since(start)
    assert "login: " not in log and "login-refused: " not in log, log


def a_wrong_password_is_refused(kind, told):
    leave()
    start = stack.log.stat().st_size
    viewer = made(kind, password="builder")
    if isinstance(viewer, Gvncviewer):
        viewer.answer()
    eventually(lambda: told(viewer), lambda: f"the viewer tells of the wrong password\n{state()}", 60, 0.1)
    leave()
    log = logged_since(start)
    assert f"{USER} refused: {LOGIN_INCORRECT}" in log and "login: " not in log, log


# -- what each says -------------------------------------------------------------------------------------------------


def says(text):
    """On its terminal or in its window."""
    return lambda viewer: text in viewer.text()


def asks_for_an_exception(viewer):
    """Its answer by default is yes; here it is no."""
    question = viewer.find("Unknown certificate issuer")
    if question:
        screen.run("xdotool", "windowactivate", "--sync", question, "key", "Escape")
    return question


def asks_for_another_ca(viewer):
    """And says why with its debugging messages alone."""
    if not viewer.window:
        viewer.wait_window()
    return "The certificate is not trusted." in viewer.text() and viewer.asks()


def asks_again(viewer):
    """Likewise."""
    if not viewer.window:
        viewer.wait_window()
    return LOGIN_INCORRECT in viewer.text() and viewer.asks()


def browser(*arguments, **options):
    global bridge
    bridge = bridge or Bridge(stack)
    return NoVnc(*arguments, bridge=bridge, **options)


# name: (viewer, what it does with a window of another size, with a wrong CA, with a wrong password)
KINDS = {
    "tigervnc": (Viewer, the_desktop_follows_the_window, asks_for_an_exception, says(LOGIN_INCORRECT)),
    "remote_viewer": (RemoteViewer, the_desktop_follows_the_window, says("The certificate is not trusted"),
                      says(LOGIN_INCORRECT)),
    "gvncviewer": (Gvncviewer, the_desktop_follows_the_window, says("The certificate is not trusted"), says(LOGIN_INCORRECT)),
    "remmina": (Remmina, the_picture_is_scaled_to_the_window, asks_for_another_ca, asks_again),
    "novnc": (browser, the_desktop_follows_the_window, lambda viewer: viewer.find("Privacy error"),
              lambda viewer: viewer.find(f"noVNC ended: {LOGIN_INCORRECT}")),
}


def add_case(name, behaviour, *arguments):
    @functools.wraps(behaviour)
    def function():
        behaviour(*arguments)
    function.__name__ = f"{name}_{behaviour.__name__}"
    case(pictured(lambda: screen)(function))


for NAME, (KIND, RESIZED, WRONG_CA, WRONG_PASSWORD) in KINDS.items():
    for BEHAVIOUR in (logs_in_and_types, comes_back_to_the_same_desktop, RESIZED):
        add_case(NAME, BEHAVIOUR, KIND)
    add_case(NAME, a_wrong_ca_gets_no_password, KIND, WRONG_CA)
    add_case(NAME, a_wrong_password_is_refused, KIND, WRONG_PASSWORD)


if __name__ == "__main__":
    own_mounts()
    main(setup, teardown)
