#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions of an image: published, rolled back, pruned, read; against the real broker, host and QEMU. The disk is an empty
one: its desktops start and never get ready, which is enough to see what they were made from."""

import hashlib
import json
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from admin import AdminStack  # noqa: E402
from case import case, eventually, main  # noqa: E402
from harness import BIN  # noqa: E402

stack = None
disk = None


def setup():
    global stack, disk
    stack = AdminStack()
    disk = stack.disk
    stack.begin()


def teardown():
    if stack:
        stack.stop()


def refused(part, *arguments, code=1):
    return stack.refused(code, part, *arguments)


def said(part, *arguments):
    return stack.said(part, *arguments)


def versions(name):
    return stack.json("image", "show", name)["versions"]


def published(name):
    return [row["version"] for row in versions(name) if row["published"]]


def make(name, n):
    """n versions, each published by its import."""
    for _ in range(n):
        stack.cli("image", "import", name, disk)


def image_file(name, version, file="disk.qcow2"):
    return stack.state / "host/images" / name / str(version) / file


def damage(name, version):
    with open(image_file(name, version), "r+b") as there:
        there.seek(1000)
        there.write(b"not what was imported")


def back_again():
    eventually(lambda: stack.cli("image", "list", check=False).returncode == 0, "the host answers again", 60)


def one_desktop(pool):
    """The pool's one desktop, once it is made from a version."""
    def there():
        rows = [row for row in stack.json("desktop", "list", "--pool", pool) if row["image_version"]]
        return rows[0] if len(rows) == 1 else None
    return eventually(there, lambda: f"a desktop of {pool}: {stack.json('desktop', 'list')}\n{stack.log_tail()}", 60)


@case
def a_version_is_published_and_rolled_back():
    make("steps", 2)
    stack.cli("image", "import", "steps", disk, "--no-publish")
    assert published("steps") == [2]
    said("image steps:3 is published", "image", "publish", "steps:3")
    assert published("steps") == [3]
    assert stack.json("image", "publish", "steps:1")["version"] == 1
    for expected in (3, 2):
        assert stack.json("image", "rollback", "steps")["version"] == expected
        assert published("steps") == [expected]
    refused("`hotdesk image publish steps:VERSION`", "image", "rollback", "steps")
    assert published("steps") == [2]


@case
def what_is_not_there_is_not_published():
    make("few", 1)
    refused("`hotdesk image show few`", "image", "publish", "few:7")
    refused("`hotdesk image list`", "image", "publish", "nothing:1")
    refused("`hotdesk image list`", "image", "rollback", "nothing")
    refused("NAME:VERSION", "image", "publish", "few", code=2)
    refused("NAME:VERSION", "image", "publish", "few:0", code=2)
    refused("`hotdesk image publish few:VERSION`", "image", "rollback", "few")
    assert published("few") == [1]


@case
def the_list_tells_what_is_published_and_its_sum():
    make("told", 2)
    row = next(row for row in stack.json("image", "list") if (row["name"], row["version"]) == ("told", 2))
    sum_there = hashlib.sha256(disk.read_bytes()).hexdigest()
    assert row["published"] and row["sha256"] == sum_there and row["created"].endswith("Z"), row
    assert row["recipe_name"] == "" and not row["log"], row
    said(sum_there[:12], "image", "list")
    said(sum_there, "image", "show", "told")


@case
def a_damaged_disk_is_refused_with_what_to_do():
    make("broken", 3)
    damage("broken", 2)
    said("broken:1 is as it was imported", "image", "verify", "broken:1")
    refused("broken:2 is damaged, its file disk.qcow2", "image", "verify", "broken:2")
    refused("`hotdesk image show broken`", "image", "verify", "broken:9")
    refused("NAME:VERSION", "image", "verify", "broken", code=2)
    refused("`hotdesk image delete broken:2`", "image", "publish", "broken:2")
    refused("broken:2 is damaged", "image", "rollback", "broken")
    assert published("broken") == [3]
    said("is deleted", "image", "delete", "broken:2")
    assert stack.json("image", "rollback", "broken")["version"] == 1


@case
def the_published_version_is_deleted_last():
    make("last", 2)
    refused("publish another version first", "image", "delete", "last:2")
    said("last:1 is deleted", "image", "delete", "last:1")
    said("last:2 is deleted", "image", "delete", "last:2")
    refused("there is no image last", "image", "show", "last")
    # The number of a version that was there is not given again.
    assert stack.json("image", "import", "last", disk)["version"] == 3
    said("image last is deleted", "image", "delete", "last")
    assert not (stack.state / "host/images/last").exists()


@case
def recipe_and_log_are_printed_as_they_are():
    recipe = stack.directory / "recipe.conf"
    log = stack.directory / "build.log"
    recipe.write_text("release = bookworm\npackages = x\ty\n")
    log.write_bytes(b"Zo\xc3\xab\n" + b"\xff\x00 raw\n" + b"line\n" * 50000)
    stack.cli("image", "import", "built", disk, "--recipe", recipe, "--recipe-name", "mine", "--log", log)
    make("built", 1)
    program = [BIN / "hotdesk", "--config", stack.conf, "image"]
    assert stack.cli("image", "recipe", "built:1").stdout == recipe.read_text()
    assert subprocess.run([*program, "log", "built:1"], capture_output=True, check=True).stdout == log.read_bytes()
    told = json.loads(stack.cli("-o", "json", "image", "recipe", "built:1").stdout)
    assert told == {"name": "built", "version": 1, "text": recipe.read_text()}, told
    told = json.loads(stack.cli("-o", "json", "image", "log", "built:1").stdout)
    assert told["text"].startswith("Zoë\n?? raw\nline\n"), told["text"][:40]
    refused("image built:2 has no recipe", "image", "recipe", "built")
    refused("image built:2 has no build log", "image", "log", "built")
    refused("`hotdesk image list`", "image", "log", "nothing")
    stack.cli("image", "delete", "built:1", check=True)
    refused("no such image", "image", "recipe", "built:1")


@case
def a_recipe_or_log_too_large_is_refused_and_leaves_nothing():
    large = stack.directory / "large"
    with open(large, "wb") as file:
        file.truncate(65 << 20)
    refused("256 KiB", "image", "import", "large", disk, "--recipe", large, "--recipe-name", "x")
    refused("64 MiB", "image", "import", "large", disk, "--log", large)
    refused("there is no image large", "image", "show", "large")


@case
def prune_keeps_what_is_needed_and_says_why():
    make("many", 1)
    stack.cli("pool", "create", "holder", "image=many", "memory=64M", "vcpus=1", "kind=dedicated", "min-spare=1", "max=1")
    user = one_desktop("holder")
    assert user["image_version"] == 1, user
    make("many", 6)
    stack.cli("image", "publish", "many:3")
    told = stack.json("image", "prune", "many", "--keep", "2")
    assert told["deleted"] == [2, 4, 5], told
    why = {row["version"]: row["why"] for row in told["kept"]}
    assert set(why) == {1, 3, 6, 7} and user["id"] in why[1] and why[3] == "it is published", why
    assert [row["version"] for row in versions("many")] == [1, 3, 6, 7]
    said("nothing was deleted", "image", "prune", "many")
    said(f"kept many:1: desktop {user['id']} uses it\nkept many:3: it is published\ndeleted many:6\ndeleted many:7",
         "image", "prune", "many", "--keep=0")
    refused("`hotdesk image list`", "image", "prune", "nothing")
    refused("0 to 9999", "image", "prune", "many", "--keep", "some", code=2)
    refused("many:1 is in use by desktop", "image", "delete", "many:1")
    stack.cli("pool", "delete", "holder")


@case
def desktops_keep_their_version_and_new_ones_get_the_published_one():
    make("moving", 2)
    keys = ("image=moving", "memory=64M", "vcpus=1", "min-spare=1", "max=1")
    stack.cli("pool", "create", "old", *keys)
    assert one_desktop("old")["image_version"] == 2
    stack.cli("image", "publish", "moving:1")
    assert one_desktop("old")["image_version"] == 2
    stack.cli("pool", "create", "new", *keys)
    assert one_desktop("new")["image_version"] == 1
    stack.cli("image", "publish", "moving:2")
    for pool in ("old", "new"):
        stack.cli("pool", "delete", pool)


@case
def a_pool_without_a_published_version_says_what_to_type():
    stack.cli("image", "import", "quiet", disk, "--no-publish")
    keys = ("memory=64M", "vcpus=1", "min-spare=1", "max=1")
    refused("`hotdesk image publish quiet:1` first", "pool", "create", "waiting", "image=quiet", *keys)
    stack.cli("image", "publish", "quiet:1")
    stack.cli("pool", "create", "waiting", "image=quiet", *keys)
    first = one_desktop("waiting")["id"]
    # As after a disk's damage: the pool is there, but nothing is published.
    (stack.state / "host/images/quiet/published").write_text("nonsense\n")
    stack.kill_program("host")
    back_again()
    assert published("quiet") == []
    stack.cli("desktop", "delete", first, "--yes")
    def failed():
        rows = stack.json("desktop", "list", "--pool", "waiting")
        return rows and "`hotdesk image publish quiet:1`" in rows[0]["reason"]
    eventually(failed, lambda: f"the reason: {stack.json('desktop', 'list')}", 60)
    stack.cli("image", "publish", "quiet:1")
    assert one_desktop("waiting")["image_version"] == 1
    stack.cli("pool", "delete", "waiting")


@case
def a_state_directory_without_the_pointer_publishes_the_newest():
    make("elder", 3)
    (stack.state / "host/images/elder/published").unlink()
    stack.kill_program("host")
    back_again()
    assert published("elder") == [3]
    stack.cli("image", "import", "elder", disk, "--no-publish")
    assert published("elder") == [3]
    assert stack.json("image", "rollback", "elder")["version"] == 2


def host_reads(name, version):
    """Whether the host has this disk open, as while it takes its sum."""
    fds = pathlib.Path(f"/proc/{stack.pid_of('host')}/fd")
    for fd in fds.iterdir():
        try:
            if os.readlink(fd) == str(image_file(name, version)):
                return True
        except FileNotFoundError:
            continue
    return False


@case
def a_host_that_is_killed_while_it_publishes_leaves_the_old_or_the_new():
    big = stack.directory / "big.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-o", "preallocation=full", big, "192M"], check=True)
    for _ in range(2):
        stack.cli("image", "import", "killed", big)
    for version in (1, 2, 1):
        before = published("killed")
        with subprocess.Popen([BIN / "hotdesk", "--config", stack.conf, "image", "publish", f"killed:{version}"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as command:
            while command.poll() is None and not host_reads("killed", version):
                pass
            stack.kill_program("host")
            out, err = command.communicate(timeout=60)
        back_again()
        now = published("killed")
        assert now in (before, [version]), (before, version, now)
        # What was said to be done is done.
        assert command.returncode == 1 and err or now == [version], (command.returncode, out, err, now)
        stack.cli("image", "publish", f"killed:{version}")
        assert published("killed") == [version]
    stack.cli("image", "delete", "killed")


main(setup, teardown)
