#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copy and paste between people's viewers and real guests, with hotdesk-agent and with the stock spice-vdagent."""

import functools
import itertools
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

from case import Skip, case, eventually, main  # noqa: E402
from cut_text import guest_copies, guest_pastes, in_shell  # noqa: E402
from harness import Stack  # noqa: E402
from novnc_bridge import Bridge, NoVnc  # noqa: E402
from other_viewers import RemoteViewer, Remmina  # noqa: E402
from own_mounts import own_mounts  # noqa: E402
from viewer import Screen, Viewer, pictured  # noqa: E402

USER, PASSWORD = "alice", "wonder land"
BACKGROUND = 0x204060
TEXT = "€日本👍"
LINE = "äöü 0123456789 €"
LINES = 220_000  # 5 MB
BIG = f"{LINE}\n" * LINES
CARD = 0x222832  # of a notice
BOOT_TIMEOUT = 240

stack = None
screen = None
viewer = None
bridge = None
colours = itertools.cycle((0xC000C0, 0xC0C000, 0x00C0C0, 0x80C080))


def setup():
    global stack, screen
    if "HOTDESK_TINY" not in os.environ:
        raise Skip("HOTDESK_TINY does not name the built tiny guest (tests/run sets it)")
    stack = Stack(users={USER: PASSWORD})
    screen = Screen()
    stack.start()
    stack.tiny_pool(max=1)


def teardown():
    try:
        if viewer:
            viewer.close()
        if bridge:
            bridge.stop()
    finally:
        try:
            if stack:
                stack.stop()
        finally:
            if screen:
                screen.stop()


def state():
    return f"{stack.desktops()}\n{stack.log_tail(30)}\n{viewer.text()[-2000:]}"


def connect(kind=Viewer, **options):
    global viewer
    if viewer:
        viewer.close()
        eventually(lambda: not any(desktop["viewers"] for desktop in stack.desktops()), "the viewer is off the list", 30)
    viewer = kind(screen, stack, USER, PASSWORD, ca=stack.ca, **options)
    viewer.wait_window()
    eventually(lambda: viewer.picture().count(BACKGROUND) > 100_000, lambda: f"the desktop\n{state()}", BOOT_TIMEOUT, 0.2)
    viewer.settled()


def connect_tigervnc():
    connect(options=("-MaxCutText", str(64 << 20)))


def connect_novnc():
    global bridge
    bridge = bridge or Bridge(stack)
    connect(NoVnc, bridge=bridge)


def run(command):
    viewer.run_command(command, next(colours), state)


def selection(name="clipboard"):
    """What a program on the viewer's side pastes."""
    done = subprocess.run(["xclip", "-selection", name, "-o"], env=screen.env, capture_output=True, timeout=30, check=False)
    return done.stdout.decode(errors="replace") if done.returncode == 0 else None


def copy(text, name="clipboard"):
    """On the viewer's side. xsel stays to hand it over; FLTK, of which TigerVNC is made, crashes at xclip's long texts, which
    come in parts without a word of how much it will be."""
    subprocess.run(["xsel", f"--{name}", "--input"], env=screen.env, input=text.encode(), timeout=30, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def clipboard_case(function):
    return case(pictured(lambda: screen)(function))


def copy_in_guest(text):
    run(guest_copies(text))


def copy_big_in_guest():
    run(f"yes $(printf '{in_shell(LINE.replace(' ', '_'))}') | tr _ ' ' | head -n {LINES} | xclip -selection clipboard")


def arrives(text):
    eventually(lambda: selection() == text, lambda: f"{text!r}, not {selection()!r:.200}\n{state()}", 60, 0.5)


def notice_shown():
    """A sentence of hotdesk's own over the desktop."""
    return viewer.picture().count(CARD) > 3000


def logged(text, since):
    return text in stack.log.read_text(errors="replace")[since:]


def out_of_the_desktop():
    since = stack.log.stat().st_size
    copy_in_guest(TEXT)
    arrives(TEXT)
    eventually(lambda: logged(f"out {len(TEXT.encode())} bytes", since), lambda: f"it is audited\n{stack.log_tail()}")
    assert TEXT not in stack.log.read_text(errors="replace"), "contents are in no log"


def into_the_desktop():
    since = stack.log.stat().st_size
    copy(TEXT[::-1])
    viewer.activate()
    run(guest_pastes(TEXT[::-1]))
    eventually(lambda: logged(f"in {len(TEXT.encode())} bytes", since), lambda: f"it is audited\n{stack.log_tail()}")


def five_megabytes_both_ways():
    copy_big_in_guest()
    eventually(lambda: len(selection() or "") == len(BIG), lambda: f"{len(BIG)}, not {len(selection() or '')}\n{state()}", 120, 1)
    assert selection() == BIG
    copy(BIG[::-1])
    viewer.activate()
    run(guest_pastes(BIG[::-1]))


def a_new_viewer():
    connect_tigervnc()
    copy_in_guest("after it")
    arrives("after it")
    copy("and back")
    viewer.activate()
    run(guest_pastes("and back"))


def add_cases(agent):
    """Whichever agent the guest has."""
    def add(behaviour):
        @functools.wraps(behaviour)
        def function():
            behaviour()
        function.__name__ = f"{agent}_{behaviour.__name__}"
        clipboard_case(function)
    for each in (out_of_the_desktop, into_the_desktop, five_megabytes_both_ways, a_new_viewer):
        add(each)


@clipboard_case
def a_viewer_is_in_a_desktop():
    connect_tigervnc()


add_cases("hotdesk_agent")


@clipboard_case
def the_stock_agent_takes_the_port():
    run("stock-agent")


add_cases("spice_vdagent")


@clipboard_case
def each_direction_is_a_policy_that_counts_at_once():
    stack.cli("pool", "set", "desk", "clipboard=in")
    before = selection()
    copy_in_guest("for nobody")
    eventually(notice_shown, lambda: f"a notice that it is off\n{state()}", 30, 0.2)
    assert selection() == before
    copy("for the desktop")
    viewer.activate()
    run(guest_pastes("for the desktop"))
    stack.cli("pool", "set", "desk", "clipboard=out")
    copy_in_guest("for the viewer")
    arrives("for the viewer")
    eventually(lambda: not notice_shown(), "the notice has gone", 30, 0.2)
    copy("not for the desktop")
    viewer.activate()
    eventually(notice_shown, lambda: f"a notice that it is off\n{state()}", 30, 0.2)
    run("! xclip -selection clipboard -o | grep -q not")
    stack.cli("pool", "set", "desk", "clipboard=none")
    before = selection()
    copy_in_guest("at last")
    run("true")
    assert selection() == before
    stack.cli("pool", "set", "desk", "clipboard=both")
    arrives("at last")


@clipboard_case
def remote_viewer_gets_what_latin1_has():
    """It takes a text and sends none."""
    connect(RemoteViewer)
    copy_in_guest("äß€日!")
    arrives("äß??!")


@clipboard_case
def remmina_sends_what_latin1_has():
    connect(Remmina)
    copy("Grüße §")
    viewer.activate()
    run(guest_pastes("Grüße §"))


def novnc_gets(text):
    eventually(lambda: bridge.pasted == text, lambda: f"{text[:40]!r}..., not {bridge.pasted!r:.200}\n{state()}", 120, 0.5)


@clipboard_case
def novnc_copies_both_ways():
    connect_novnc()
    copy_in_guest(TEXT)
    novnc_gets(TEXT)
    bridge.copy(TEXT[::-1])
    run(guest_pastes(TEXT[::-1]))


@clipboard_case
def of_a_text_that_novnc_cuts_nothing_is_pasted():
    """Its Deflator (core/deflator.js of 1.7.0) writes 100 KB at a time and may stop once all is read, before all is written."""
    connect_novnc()
    bridge.copy("short")
    run(guest_pastes("short"))
    bridge.copy(" ".join(map(str, range(1, 800_000)))[:5_000_000])
    # In one form: xclip would ask for another after it, and each takes as long as a viewer is waited for.
    run('until test -z "$(xclip -selection clipboard -o -t UTF8_STRING | head -c 9)"; do sleep 1; done')


@clipboard_case
def novnc_copies_five_megabytes_both_ways():
    connect_novnc()
    copy_big_in_guest()
    novnc_gets(BIG)
    bridge.copy(BIG[::-1])
    run(guest_pastes(BIG[::-1]))


if __name__ == "__main__":
    own_mounts()
    main(setup, teardown)
