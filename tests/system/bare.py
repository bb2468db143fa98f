#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bare Debian 12 and this source tree: quickstart installs, builds, makes the golden image and gives a desktop. With --full."""

import contextlib
import os
import pathlib
import shutil
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

from bare_debian import copy_tree, debian_12, inside, run  # noqa: E402
from case import Skip, case, eventually, main  # noqa: E402
from own_mounts import own_mounts  # noqa: E402
from quickstart_run import LOGIN, READY, Quickstart, open_terminal, viewer_of  # noqa: E402
from viewer import Screen, pictured  # noqa: E402

ALL_OF_IT = 1200

PLACES = ("/root", "/tmp", "/var/tmp", "/home", "/opt", "/srv", "/mnt", "/media")  # where packages keep nothing

made = contextlib.ExitStack()
root = None
screen = None


def setup():
    global root, screen
    if os.environ.get("HOTDESK_FULL") != "1":
        raise Skip("installs a compiler and builds a golden image; --full does it")
    root = pathlib.Path(tempfile.mkdtemp(prefix="hotdesk-bare-", dir="/var/tmp"))
    made.callback(shutil.rmtree, root, ignore_errors=True)
    debian_12(root, "--variant=minbase")
    root.chmod(0o755)
    for name in ("resolv.conf", "hosts"):
        shutil.copy(f"/etc/{name}", root / "etc" / name)
    copy_tree(root, "/root/hotdesk")
    mount("--bind", root, root)
    mount("-t", "proc", "proc", root / "proc")
    for name in ("dev", "sys"):
        mount("--rbind", f"/{name}", root / name)
    screen = Screen()
    made.callback(screen.stop)


def mount(*arguments):
    run("mount", *arguments)
    made.callback(run, "umount", "--lazy", arguments[-1])


def teardown():
    made.close()


def files_inside():
    return set(inside(root, "find", *PLACES, "-xdev").splitlines())


def processes_inside():
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.readlink(entry / "root") == str(root):
                found[entry.name] = (entry / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return found


@case
@pictured(lambda: screen)
def quickstart_leads_from_nothing_to_a_desktop():
    before = files_inside()
    with Quickstart(root / "var/lib/hotdesk-quickstart", root=root) as quickstart:
        quickstart.wait(LOGIN, ALL_OF_IT).wait(READY, ALL_OF_IT)
        viewer = viewer_of(quickstart, screen)
        try:
            viewer.wait_window()
            open_terminal(viewer)
            viewer.run_command("[ $(id -un) = demo ]", 0x00C0C0)
        finally:
            viewer.close()
        quickstart.interrupt()
        print(quickstart.text())
    eventually(lambda: not processes_inside(), lambda: f"all that ran inside has ended: {processes_inside()}")
    left = inside(root, "find", "/", "-xdev", "-name", "*hotdesk*", "-not", "-path", "/root/hotdesk*", "-not", "-path",
                  "/var/lib/hotdesk-quickstart*")
    assert left == "", left
    assert files_inside() == before, files_inside() ^ before


if __name__ == "__main__":
    own_mounts()
    main(setup, teardown)
