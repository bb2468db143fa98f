#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The golden desktop image with two signed-in users: published, logged in to, resized, locked, left."""

import contextlib
import os
import pathlib
import random
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

import rfb  # noqa: E402
from case import Skip, case, eventually, main  # noqa: E402
from golden import golden_directory  # noqa: E402
from harness import Stack  # noqa: E402
from viewer import Viewers, pictured  # noqa: E402

PASSWORDS = {"alice": "wonder land", "bob": "builder"}
UIDS = {"alice": 70001, "bob": 70002}  # the broker gives users whom nobody else knows uids in their order
BOOT_TIMEOUT = 400
BUILD_TIMEOUT = 1200
SIZES = 50
BURST = 20
ICEWM_BLUE = 0x204060  # the recipes' backgrounds
XFCE_BLUE = 0x152233
BLACK = 0x000000  # xterm
LOCKED = 0x101820  # packaging/guest/session
PAGE, CARD = 0x161A21, 0x222832  # display/viewer/picture.c
DIALOG = 0xC0C0C0  # icewm's question

golden = None
stack = None
viewers = None


def setup():
    global golden, stack, viewers
    golden = golden_directory()
    stack = Stack(users=PASSWORDS, conf={"broker": {"user-uid-first": UIDS["alice"]}})
    viewers = Viewers(stack)
    stack.start()


def teardown():
    if viewers:
        viewers.stop()


def desktop_case(function):
    return case(pictured(lambda: viewers.screen)(function))


def open_terminal(user, background=ICEWM_BLUE, again=10):
    """The user's viewer with a terminal in her session, which takes what is typed."""
    viewer = viewers[user]

    def there():
        viewer.activate()  # nothing of another window lies over the picture
        picture = viewer.picture()
        if picture.count(background) > 100_000 and picture.count(BLACK) > 100_000:
            return True
        viewers.screen.run("xdotool", "key", "ctrl+alt+t")
        return False
    eventually(lambda: stack.desktops(owner=user, state="ready"), lambda: f"a ready desktop\n{viewers.state(user)}",
               BOOT_TIMEOUT, 0.5)
    eventually(there, lambda: f"a terminal of {user}\n{viewers.state(user)}", 180, again)
    return viewer


def keep_picture(name):
    artifacts = os.environ.get("HOTDESK_ARTIFACTS")
    if artifacts:
        viewers.screen.save(f"{artifacts}/{name}.png")


@desktop_case
def an_image_is_published_and_given_to_a_pool():
    """tests/run has built it by `hotdesk image build`, which prints the seconds of each step."""
    stack.cli("image", "import", "office", golden / "disk.qcow2", "--kernel", golden / "vmlinux", "--initrd",
              golden / "initrd", "--append", (golden / "append").read_text().strip(), "--no-publish")
    versions = stack.json("image", "show", "office")["versions"]
    assert [version["published"] for version in versions] == [False], versions
    stack.cli("image", "publish", "office:1")
    stack.cli("pool", "create", "desk", "image=office", "memory=1G", "vcpus=2", "max=3", "guest-groups=audio")
    for user in PASSWORDS:
        stack.cli("pool", "entitle", "desk", "--user", user)


@desktop_case
def two_users_are_in_sessions_of_their_own():
    for user in PASSWORDS:
        viewers.connect(user)
    for user in PASSWORDS:
        open_terminal(user)
        keep_picture(f"desktop-{user}")
        viewers.run_command(user, f"test $(id -un):$(id -u):$HOME:$PWD = {user}:{UIDS[user]}:/home/{user}:/home/{user}", 0xC000C0)
        viewers.run_command(user, "id -nG | grep -qw audio && test $(stat -c %U $HOME) = $USER", 0x00C0C0)
        viewers.run_command(user, "loginctl show-session $XDG_SESSION_ID -p Active -p Type | sort | tr '\\n' ' '"
                          " | grep -q 'Active=yes Type=x11'", 0xC0C000)
    ids = {user: stack.desktops(owner=user)[0]["id"] for user in PASSWORDS}
    assert ids["alice"] != ids["bob"], ids
    viewers.run_command("alice", f"test $(hostname) = {ids['alice'][:63]}", 0x4080C0)


@desktop_case
def the_desktop_says_what_its_agent_can_do():
    shown = stack.json("desktop", "show", stack.desktops(owner="alice")[0]["id"])
    assert "Debian" in shown["os"] and {"size", "sign-in", "lock"} <= set(shown["capabilities"]), shown
    assert shown["missing"] == [], shown


@desktop_case
def what_is_copied_outside_is_pasted_in_the_user_s_session():
    viewer = viewers["alice"]
    viewer.activate()
    before = viewer.picture().count(BLACK)
    subprocess.run(["xsel", "--clipboard", "--input"], env=viewers.screen.env, input=b"from outside", timeout=30, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    script = "until grep -qx \"from outside\" got; do read -r line; echo \"$line\" >>got; done"
    viewer.type(f"xterm -geometry 60x10-0-0 -xrm '*selectToClipboard: true' -e sh -c '{script}' &\n")
    eventually(lambda: viewer.picture().count(BLACK) > before + 30_000, lambda: f"a second terminal\n{viewers.state('alice')}", 60, 0.5)

    def pasted():
        viewers.screen.run("xdotool", "key", "shift+Insert", "Return")
        return viewer.picture().count(BLACK) < before + 10_000
    eventually(pasted, lambda: f"it has ended\n{viewers.state('alice')}", 60, 2)
    viewers.run_command("alice", "grep -qx 'from outside' got", 0x80C040)


@desktop_case
def a_locked_screen_opens_at_the_owner_s_next_login():
    viewer = viewers["bob"]
    viewer.type_until("loginctl lock-session",
                      lambda: viewer.picture().count(LOCKED) > viewer.picture().width * viewer.picture().height * 0.9,
                      lambda: f"the screen is locked\n{viewers.state('bob')}")
    viewer = viewers.connect("bob")
    eventually(lambda: viewer.picture().count(LOCKED) < 1000 and viewer.picture().colours() > 16,
               lambda: f"the screen is open again\n{viewers.state('bob')}", 60, 0.5)


@desktop_case
def the_desktop_takes_fifty_sizes_to_the_pixel():
    viewers.pop("alice").close()
    seed = random.randrange(1 << 32)
    print(f"sizes of seed {seed}")
    sizes = random.Random(seed)
    with contextlib.closing(rfb.login(stack.port, "alice", PASSWORDS["alice"], ca=stack.ca)) as viewer:
        viewer.start()
        viewer.wait(lambda: stack.desktops(owner="alice")[0]["viewers"] == 1, "the viewer is listed", 30)
        for _ in range(SIZES):
            size = sizes.randrange(640, 1921), sizes.randrange(480, 1201)
            viewer.set_desktop_size(*size)
            viewer.wait(lambda: (viewer.width, viewer.height) == size,
                        f"a desktop of {size}, seed {seed}", 60)
        burst = [(sizes.randrange(640, 1921), sizes.randrange(480, 1201)) for _ in range(BURST)]
        for size in burst:
            viewer.set_desktop_size(*size)
        viewer.wait(lambda: (viewer.width, viewer.height) == burst[-1], f"the last size {burst[-1]}, seed {seed}", 60)
        # It stays: what came before in the burst is not set late.
        viewer.pump(3.0)
        assert (viewer.width, viewer.height) == burst[-1], (viewer.width, viewer.height)
        # A size of which a terminal leaves some background, and that has room on the viewer's screen.
        viewer.set_desktop_size(1024, 768)
        viewer.wait(lambda: (viewer.width, viewer.height) == (1024, 768), "a usual size", 60)
    viewer = viewers.connect("alice")
    open_terminal("alice")
    viewer.resize(1025, 769)
    eventually(lambda: viewer.picture().size == (1025, 769), "the window has its size", 30)
    viewers.run_command("alice", "xrandr | grep -q '^ *1025x769.*[*]'", 0x80C080)


@desktop_case
def logging_off_in_the_guest_ends_the_session_and_says_so():
    viewer = viewers["alice"]
    desktop = stack.desktops(owner="alice")[0]["id"]
    viewer.type_until("icesh logout", lambda: viewer.picture().count(DIALOG) > 20_000, "icewm asks whether to log out")
    viewers.screen.run("xdotool", "key", "Tab", "Return")  # the other button, which agrees

    def told():
        return "alice" not in [session["user"] for session in stack.json("session", "list")]
    eventually(told, lambda: f"the session has ended\n{viewers.state('alice')}", 60, 0.2)
    assert viewer.alive(), "the viewer ended before it could show why"

    def page_is_shown():
        picture = viewer.picture()
        return picture.count(PAGE) > picture.width * picture.height * 0.7 and picture.count(CARD) > 20_000
    eventually(page_is_shown, "hotdesk's own page", 10, 0.1)
    keep_picture("desktop-logged-off")
    viewer.wait_end()
    eventually(lambda: not stack.desktops(id=desktop), lambda: f"{desktop} is removed\n{stack.log_tail()}", 90, 0.5)


@desktop_case
def xfce_is_built_and_logged_in_to():
    if os.environ.get("HOTDESK_FULL") != "1":
        raise Skip("only with --full")
    stack.cli("image", "build", "xfce", "--recipe", "debian-12-xfce", "--publish", timeout=BUILD_TIMEOUT)
    stack.cli("pool", "create", "big", "image=xfce", "memory=2G", "vcpus=2", "max=1")
    stack.cli("pool", "entitle", "big", "--user", "alice")
    stack.cli("pool", "revoke", "desk", "--user", "alice")
    viewers.connect("alice")
    open_terminal("alice", XFCE_BLUE, 30)
    keep_picture("desktop-xfce")
    viewers.run_command("alice", "test $(id -un) = alice && pgrep -x xfwm4", 0xC000C0)


if __name__ == "__main__":
    main(setup, teardown)
