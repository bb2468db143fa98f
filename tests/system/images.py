#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions of a golden image under users' desktops: who keeps which, seen from inside of the guest. The versions differ by
a word on the kernel's command line."""

import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

from case import Skip, case, eventually, main  # noqa: E402
from harness import Stack  # noqa: E402
from session import Session  # noqa: E402

stack = None
sessions = {}


def setup():
    global stack
    if "HOTDESK_TINY" not in os.environ:
        raise Skip("HOTDESK_TINY is not set: the tiny guest is not built")
    stack = Stack(users={"alice": "wonder", "bob": "builder"})
    stack.start()
    import_release()
    stack.cli("pool", "create", "own", "image=golden", "kind=dedicated", "memory=384M", "vcpus=1")
    for user in stack.users:
        stack.cli("pool", "entitle", "own", "--user", user)


def teardown():
    for session in sessions.values():
        session.close()
    if stack:
        stack.stop()


def import_release(*options):
    """The tiny guest; the word on the command line is the version that it becomes."""
    tiny = pathlib.Path(os.environ["HOTDESK_TINY"])
    known = [row["version"] for row in stack.json("image", "list")]
    append = f"root=/dev/vda rw quiet console=ttyS0 release={max(known, default=0) + 1}"
    return stack.json("image", "import", "golden", tiny / "disk.qcow2", "--kernel", tiny / "vmlinux", "--initrd",
                      tiny / "initrd", "--append", append, *options)["version"]


def published():
    return [row["version"] for row in stack.json("image", "list") if row["published"]]


def log_in(user):
    if user in sessions:
        sessions[user].close()
    sessions[user] = Session(stack, user)
    return sessions[user]


def assert_release(session, version):
    """The guest's own kernel says so."""
    session.succeeds(f"grep -q release={version} /proc/cmdline", (0, 255, version))


@case
def a_dedicated_desktop_keeps_its_version_and_new_ones_get_the_published_one():
    alice = log_in("alice")
    assert_release(alice, 1)
    assert import_release("--no-publish") == 2 and published() == [1]
    stack.cli("image", "publish", "golden:2")
    alice.paint()
    stack.cli("desktop", "stop", alice.desktop["id"], "--force")
    assert_release(log_in("alice"), 1)
    assert stack.desktops(owner="alice")[0]["image_version"] == 1
    assert_release(log_in("bob"), 2)


@case
def a_version_under_a_desktop_is_kept_also_while_that_is_stopped():
    own = stack.desktops(owner="alice")[0]["id"]
    stack.cli("desktop", "stop", own, "--force")
    eventually(lambda: stack.desktops(owner="alice")[0]["state"] == "stopped", "it is stopped", 60)
    kept = {row["version"]: row["why"] for row in stack.json("image", "prune", "golden", "--keep", "0")["kept"]}
    assert set(kept) == {1, 2} and own in kept[1], kept
    done = stack.cli("image", "delete", "golden:1", check=False)
    assert done.returncode == 1 and own in done.stderr, done
    stack.cli("desktop", "delete", own, "--yes")
    assert stack.json("image", "prune", "golden", "--keep", "0")["deleted"] == [1]


@case
def a_rollback_gives_the_version_before_to_new_desktops():
    assert import_release() == 3 and published() == [3]
    assert stack.json("image", "rollback", "golden")["version"] == 2
    assert_release(log_in("alice"), 2)


main(setup, teardown)
