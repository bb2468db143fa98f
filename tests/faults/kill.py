#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""SIGKILL to each program while users are in their sessions: one case for each row of the design's two tables.

Sockets: QMP and the agent's port (host), the D-Bus display and the vdagent's port (screen), the viewer's TLS (gate child), its RFB stream (display).
Kills: gate listener, broker, auth, host, spawn: nothing is noticed; gate child, display: the viewer reconnects to the same desktop; screen: a
blink; QEMU: a drawn picture, then a desktop again, on the same connection.
"""

import os
import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

import rfb  # noqa: E402
from case import Skip, case, eventually, main  # noqa: E402
from cut_text import Clipboard, both_ways, guest_pastes  # noqa: E402
from harness import Stack, process_alive  # noqa: E402
from session import BOOT_TIMEOUT, PROBE, Session, pids_of_connections, qemu_pid  # noqa: E402

stack = None
sessions = {}


def setup():
    global stack
    if "HOTDESK_TINY" not in os.environ:
        raise Skip("HOTDESK_TINY does not name the built tiny guest (tests/run sets it)")
    stack = Stack(users={"alice": "wonder", "bob": "builder", "carol": "chorus"})
    stack.start()
    stack.tiny_pool("floating", users=["alice", "carol"])
    stack.tiny_pool("own", users=["bob"], kind="dedicated")


def teardown():
    for session in sessions.values():
        session.close()
    if stack:
        stack.stop()


def session_of(user):
    if user not in sessions:
        sessions[user] = Session(stack, user)
    return sessions[user]


def facts(user):
    """What must stay the same while a program dies: the desktop and its QEMU."""
    desktop = session_of(user).desktop
    return desktop["id"], qemu_pid(stack, desktop["id"]), desktop["boot"]


def unnoticed(program):
    """Kills a program; the open session goes on, and a new connection of the user lands in the same desktop."""
    session = session_of("alice")
    before = facts("alice")
    shown = session.paint()
    stack.kill_program(program)
    session.paint()
    assert facts("alice") == before
    second = eventually(lambda: try_login("alice"), f"a login after {program} was killed", 30, 0.2)
    second.start()
    second.wait(lambda: second.pixel(*PROBE) == session.viewer.pixel(*PROBE), "the second viewer has the picture", 30)
    second.close()
    assert shown != session.paint()
    assert facts("alice") == before


def try_login(user):
    """None where the person would be asked to try again."""
    try:
        return rfb.login(stack.port, user, stack.users[user], ca=stack.ca)
    except rfb.Refused as reason:
        assert "again" in str(reason), f"the reason does not say what to do: {reason}"
    except (ConnectionError, rfb.Closed):
        pass  # the listener's port was closed for a moment
    return None


def killed_in_flight(program, held, outcomes):
    """Kills a program under a login that waits because another one is held; the login ends in one of the outcomes (True: the
    person is in, False: is asked to try again), and the next one succeeds."""
    session = session_of("alice")
    pid = stack.pid_of(held)
    door = rfb.Door(stack.port)
    door.secure(stack.ca)
    os.kill(pid, signal.SIGSTOP)
    try:
        door.credentials("alice", stack.users["alice"])
        assert not door.ready(1.0), f"the login did not wait for {held}"
        stack.kill_program(program)
    finally:
        if held != program:
            os.kill(pid, signal.SIGCONT)
    try:
        door.result()
        outcome = True
    except rfb.Refused as reason:
        assert "again" in str(reason), f"the reason does not say what to do: {reason}"
        outcome = False
    assert outcome in outcomes, f"a login while {program} was killed: {'in' if outcome else 'asked to try again'}"
    if outcome:
        viewer = rfb.Viewer(door.sock)
        viewer.buffer = door.buffer
        viewer.start().wait(lambda: viewer.pixel(*PROBE) == session.viewer.pixel(*PROBE), "the desktop is shown", 60)
    door.sock.close()
    eventually(lambda: try_login("alice"), f"a login after {program} was killed", 30, 0.2).close()


@case
def gate_listener():
    unnoticed("gate")
    killed_in_flight("gate", "auth", {True})


@case
def broker():
    unnoticed("broker")
    killed_in_flight("broker", "broker", {False})


@case
def auth():
    unnoticed("auth")
    killed_in_flight("auth", "auth", {False})


@case
def host():
    """QMP and the agent's port: reconnected, and what the agent says is known again."""
    unnoticed("host")
    desktop = eventually(lambda: [row for row in stack.desktops(owner="alice") if row["agent"]], "the agent said hello again",
                         30)[0]
    assert desktop["state"] == "ready", desktop
    killed_in_flight("host", "auth", {True, False})


@case
def spawn():
    unnoticed("spawn")
    killed_in_flight("spawn", "spawn", {True, False})


def reconnects(pids, what):
    """Kills the one process of alice's connection; her next connection shows the same desktop with the same windows."""
    session = session_of("alice")
    before = facts("alice")
    shown = session.paint()
    assert len(pids()) == 1, f"not one {what}: {pids()}"
    os.kill(pids()[0], signal.SIGKILL)
    assert session.viewer.ended(30), f"the viewer was not told that its {what} is gone"
    del sessions["alice"]
    viewer = rfb.login(stack.port, "alice", stack.users["alice"], ca=stack.ca).start()
    session.viewer = viewer
    sessions["alice"] = session
    session.sees(shown)
    session.paint()
    assert facts("alice") == before


def alone(user):
    for other in list(sessions):
        if other != user:
            sessions.pop(other).close()
    session_of(user)
    eventually(lambda: len(pids_of_connections(stack)) == 1 and len(stack.children("display")) == 1,
               lambda: f"only one connection is left: {pids_of_connections(stack)} {stack.children('display')}", 30)


@case
def gate_child():
    alone("alice")
    reconnects(lambda: pids_of_connections(stack), "gate child")


@case
def display():
    alone("alice")
    reconnects(lambda: list(stack.children("display")), "display")


@case
def screen():
    """A blink: the connection stays, says that it reconnects, and shows the desktop again; input reaches it."""
    alone("alice")
    session = session_of("alice")
    before = facts("alice")
    shown = session.paint()
    pid = list(stack.children("screen"))[0]
    # Held, the broker cannot bring a new screen before the old one's end was drawn.
    os.kill(stack.pid_of("broker"), signal.SIGSTOP)
    try:
        os.kill(pid, signal.SIGKILL)
        session.viewer.wait(lambda: not session.shows_desktop(), "the lost desktop is drawn as one", 30)
    finally:
        os.kill(stack.pid_of("broker"), signal.SIGCONT)
    eventually(lambda: [other for other in stack.children("screen") if other != pid], "a new screen", 30)
    session.sees(shown)
    # Keys typed while nothing shows the desktop are lost, as in front of a screen that is dark.
    session.paint(again=1.0)
    assert facts("alice") == before


def kill_screen_over_text(session, clipboard):
    both_ways(session, clipboard, "€ before")
    clipboard.copy("over it")
    pid = list(stack.children("screen"))[0]
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: [other for other in stack.children("screen") if other != pid], "a new screen", 30)
    session.paint(again=1.0)
    session.succeeds(guest_pastes("over it"))
    both_ways(session, clipboard, "€ after")


@case
def screen_vdagent():
    """With either agent the clipboard is there again by itself, for the same viewer; what it had copied before can be pasted after."""
    alone("alice")
    session = session_of("alice")
    clipboard = Clipboard(session.viewer)
    kill_screen_over_text(session, clipboard)
    session.succeeds("stock-agent")
    kill_screen_over_text(session, clipboard)


def kill_qemu(user):
    """Kills the user's QEMU under an open connection, and waits until that connection shows a desktop again."""
    session = session_of(user)
    session.paint()
    before = session.desktop
    pid = qemu_pid(stack, before["id"])
    os.kill(pid, signal.SIGKILL)
    session.viewer.wait(lambda: not session.shows_desktop(), "a picture says that the desktop is gone", 30)
    eventually(lambda: not process_alive(pid), "QEMU ends", 10)
    session.wait_desktop(BOOT_TIMEOUT)
    return session, before


@case
def qemu_floating():
    """A new clone for the same user, on the same connection: nothing of the old one is left."""
    session = session_of("alice")
    session.succeeds("echo kept > mark; sync", (0x12, 0x34, 0x56))
    session, _ = kill_qemu("alice")
    session.succeeds("! [ -e mark ]", (0x65, 0x43, 0x21))
    assert session.desktop["state"] == "ready"


@case
def qemu_dedicated():
    """The user's own desktop is started again with all its files."""
    session = session_of("bob")
    session.succeeds("echo kept > mark; sync", (0x12, 0x34, 0x56))
    session, before = kill_qemu("bob")
    session.succeeds("[ -e mark ]", (0x65, 0x43, 0x21))
    assert session.desktop["id"] == before["id"]


if __name__ == "__main__":
    main(setup, teardown)
