#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the host and the broker make of agents that sign users in: the tiny guest with an agent that says what a test wants it
to (tests/fakes/scripted-agent), in QEMU, from an honest one to one that never stops talking."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

import rfb  # noqa: E402
from case import Skip, case, eventually, main  # noqa: E402
from harness import Stack  # noqa: E402
from scripted_guest import build, import_as  # noqa: E402
from session import Session  # noqa: E402

HOSTILE = ["refuse", "liar", "silent", "flood"]
BOOT = 240

stack = None


def setup():
    global stack
    guest = build()
    if not guest:
        raise Skip("HOTDESK_TINY is not set: the tiny guest is not built")
    stack = Stack(users={"alice": "wonder", **{word: "builder" for word in HOSTILE}})
    stack.start()
    for word in ["honest", *HOSTILE]:
        import_as(stack, guest, word)
    make_pool("honest", "alice")


def teardown():
    if stack:
        stack.stop()


def make_pool(image, user, kind="floating"):
    stack.cli("pool", "create", image, f"image={image}", f"kind={kind}", "memory=384M", "vcpus=1", "max=1")
    stack.cli("pool", "entitle", image, "--user", user)


def own(user):
    return stack.desktops(owner=user)[0]


def shown(user):
    return stack.json("desktop", "show", own(user)["id"])


def logged(*words):
    return any(all(word in line for word in words) for line in stack.log.read_text(errors="replace").splitlines())


def wait_logged(*words, timeout=BOOT):
    eventually(lambda: logged(*words), lambda: f"the log has {words}\n{stack.log_tail()}", timeout)


def guest_says(session, text, condition, what):
    """By a command in the guest, which has a fifo for that."""
    session.until(f"echo '{text}' >/run/say", condition, what, again=0)


def watch(user):
    viewer = rfb.login(stack.port, user, stack.users[user], ca=stack.ca)
    viewer.start()
    return viewer


@case
def a_user_is_signed_in_and_sees_her_desktop():
    session = Session(stack, "alice")
    wait_logged("ready: user=alice")
    desktop = shown("alice")
    assert desktop["os"] == "Scripted honest" and "sign-in" in desktop["capabilities"], desktop
    assert desktop["missing"] == ["machine-id"], desktop
    # The host has told the guest its name.
    session.until(f"test $(hostname) = {desktop['id']} && printf '\\033]11;#00ff01\\007'", lambda: session.colour() == (0, 255, 1),
                  "the terminal is green")
    session.close()


@case
def a_restarted_host_and_broker_lose_no_session():
    session = Session(stack, "alice")
    before = own("alice")["id"]
    for program in ["host", "broker", "host"]:
        stack.kill_program(program)
        eventually(lambda: stack.cli("desktop", "list", check=False).returncode == 0 and own("alice")["state"] == "ready",
                   lambda: f"all is there again\n{stack.log_tail()}", 60)
        session.paint()
    eventually(lambda: shown("alice")["agent"] == "0-scripted", "the agent is heard again", 60)
    session.paint()
    assert own("alice")["id"] == before
    assert not logged("session-end")
    session.close()


@case
def a_reboot_from_inside_signs_her_in_again():
    session = Session(stack, "alice")
    before, boot = own("alice")["id"], shown("alice")["boot"]
    session.until("reboot -f", lambda: shown("alice")["boot"] == boot + 1, lambda: f"the next boot\n{stack.log_tail()}")
    session.viewer.wait(lambda: not session.shows_desktop(), "a picture says so", 60)
    session.wait_desktop()
    assert own("alice")["id"] == before
    assert not logged("session-end")
    session.close()


@case
def leaving_the_session_closes_the_viewer_and_removes_the_floating_desktop():
    session = Session(stack, "alice")
    uid = stack.json("session", "list")[0]["uid"]
    guest_says(session, '{"type":"session","state":"ended","user":"user","uid":%d}' % uid, lambda: session.viewer.ended(15),
               "the viewer is closed")
    eventually(lambda: not stack.desktops(owner="alice"), lambda: f"no desktop of alice\n{stack.log_tail()}", 60)
    assert logged("session-end: user=alice")
    session.close()


@case
def hostile_agents_cost_only_their_own_desktops():
    alice = Session(stack, "alice")
    for word in ["refuse", "liar"]:
        make_pool(word, word)
        viewer = watch(word)
        reason = {"refuse": "this desktop takes nobody in", "liar": "Somebody else is signed in"}[word]
        wait_logged("sign-in-failed", f"user={word}", reason)
        alice.paint()
        viewer.close()
        stack.cli("desktop", "delete", own(word)["id"], "--yes")
    for word in ["silent", "flood"]:
        make_pool(word, word)
        viewer = watch(word)
        eventually(lambda: stack.desktops(owner=word, state="ready"), lambda: f"{word} is ready\n{stack.log_tail()}", BOOT)
        for _ in range(5):
            alice.paint()
        viewer.close()
        stack.cli("desktop", "delete", own(word)["id"], "--yes")
    # Neither has grown by what they were told.
    for program in ["host", "broker"]:
        resident = int(pathlib.Path(f"/proc/{stack.pid_of(program)}/statm").read_text().split()[1]) * 4
        assert resident < 100_000, f"{program} has {resident} KiB"
    alice.close()


main(setup, teardown)
