#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""packaging/quickstart on a terminal, as a newcomer calls it: what it prints is typed, a desktop is used, Ctrl-C ends all.

It runs here with the programs and the golden image that tests/run has built; that it builds both itself is seen where it runs
in a bare machine."""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

import rfb  # noqa: E402
from accounts import Account, Accounts  # noqa: E402
from case import case, eventually, main  # noqa: E402
from harness import ROOT, free_port, hash_password, processes_with  # noqa: E402
from own_mounts import own_mounts  # noqa: E402
from quickstart_run import LOGIN, READY, SCRIPT, OwnPlace, Quickstart, open_terminal, viewer_of  # noqa: E402
from viewer import Screen, pictured  # noqa: E402

BOOT_TIMEOUT = 400

place = None
screen = None


def setup():
    global place, screen
    place = OwnPlace()
    screen = Screen()


def teardown():
    if screen:
        screen.stop()
    if place:
        place.remove()


def outside():
    """Where a program that is careless would leave something, but /tmp, which other tests use at this moment."""
    places = ["/etc", "/etc/pam.d", "/run", "/var/lib", "/var/cache", "/root", "/root/.cache", ROOT, ROOT / "packaging"]
    found = {os.path.join(place, name) for place in places if os.path.isdir(place) for name in os.listdir(place)}
    tables = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True).stdout.splitlines()
    return {path for path in found if not re.search(r"/hotdesk-quickstart-", path)} | set(tables)


def quickstart_case(function):
    return case(pictured(lambda: screen)(function))


@quickstart_case
def what_is_printed_leads_to_a_desktop_and_ctrl_c_ends_all():
    before = outside()
    with Quickstart(place.path) as run:
        run.wait(LOGIN)
        user, password = run.login
        assert user == "demo" and re.fullmatch(r"([a-km-np-z2-9]{4}-){2}[a-km-np-z2-9]{4}", password), run.login
        assert run.ca.read_text().startswith("-----BEGIN CERTIFICATE-----")
        assert (place.path / "password").stat().st_mode & 0o777 == 0o600
        if pathlib.Path("/proc/net/if_inet6").exists():
            socket.create_connection(("::1", run.port)).close()
        run.wait(READY, BOOT_TIMEOUT)
        assert "programs" in run.cli("status")
        spare = run.cli("desktop", "list").splitlines()[1].split()
        assert spare[2:4] == ["-", "ready"], spare
        viewer = viewer_of(run, screen)
        try:
            viewer.wait_window()
            mine = [line.split() for line in run.cli("desktop", "list").splitlines() if " demo " in line]
            assert [row[0] for row in mine] == [spare[0]], f"{spare} is now {mine}"
            open_terminal(viewer)
            viewer.run_command("[ $(id -un) = demo ]", 0x00C0C0)
        finally:
            viewer.close()
        run.interrupt()
        assert f"--port {run.port}" in run.text().split("start it again by:")[1], "the way back to the same desktop"
    assert outside() == before, outside() ^ before


@quickstart_case
def the_second_start_has_the_image_and_the_password_already():
    if not place.path.exists():  # where this case is run alone
        with Quickstart(place.path) as run:
            run.wait(LOGIN).interrupt()
    password = (place.path / "password").read_text().strip()
    with Quickstart(place.path) as run:
        run.wait(LOGIN)
        assert run.login == ("demo", password)
        assert "copying the golden image" not in run.text() and "--rebuild" not in run.text(), run.text()
        rfb.login(run.port, *run.login, ca=run.ca).close()
        # Another one in the same place does nothing, and says why.
        refused(1, "a quickstart runs in", "--directory", place.path, "--port", free_port())
        run.interrupt()


@quickstart_case
def what_a_killed_quickstart_leaves_is_stopped_by_the_next():
    before = outside()
    with Quickstart(place.path) as run:
        run.wait(LOGIN)
        pid = int(subprocess.run(["pgrep", "-P", str(run.process.pid)], capture_output=True, check=True).stdout)
        os.kill(pid, signal.SIGKILL)
        run.process.wait(30)
    assert processes_with(f"{place.path}/hotdesk.conf"), "the programs live on"
    with Quickstart(place.path, "--rebuild") as run:
        run.wait("stopping what an earlier quickstart left")
        run.wait(LOGIN)
        versions = [line.split()[1:3] for line in run.cli("image", "list").splitlines()[1:]]
        assert any(int(number) > 1 and published == "yes" for number, published in versions), versions
        run.interrupt()
    assert outside() == before, outside() ^ before


@quickstart_case
def the_users_of_this_machine_log_in_with_their_passwords():
    with tempfile.TemporaryDirectory() as work, contextlib.ExitStack() as stack:
        accounts = Accounts(work, [Account("alice", 5001, hash_password("wonder land"))])
        stack.callback(accounts.remove)
        run = stack.enter_context(Quickstart(place.path, "--accounts", "system"))
        run.wait(LOGIN)
        user, password = run.login
        assert "alice" in user.split() and password == "as on this machine", run.login
        with contextlib.suppress(rfb.Refused):
            rfb.login(run.port, "alice", "wrong", ca=run.ca)
            raise AssertionError("a wrong password")
        rfb.login(run.port, "alice", "wonder land", ca=run.ca).close()
        run.interrupt()


@quickstart_case
def the_viewer_is_opened_where_that_is_asked_for():
    """As who called sudo."""
    caller = "nobody"
    with Quickstart(place.path, "--viewer", env={**screen.env, "SUDO_USER": caller}) as run:
        run.wait(LOGIN)
        eventually(lambda: screen.run("xdotool", "search", "--onlyvisible", "--name", "demo.*TigerVNC", check=False),
                   lambda: f"the viewer's window\n{run.text()[-1500:]}", 60)
        viewers = processes_with(f"localhost::{run.port}")
        owners = {pathlib.Path(f"/proc/{pid}").owner() for pid in viewers}
        assert owners == {caller}, f"{owners}: {viewers}"
        run.interrupt()


@quickstart_case
def ctrl_c_while_it_prepares_ends_it_and_keeps_what_is_done():
    where = pathlib.Path(str(place.path) + "-early")
    try:
        with Quickstart(where) as run:
            run.wait("configuring the build: ")
            run.interrupt()
            assert "the next start goes on from there" in run.text(), run.text()
            assert "building hotdesk" not in run.text() and LOGIN not in run.text(), run.text()
    finally:
        shutil.rmtree(where, ignore_errors=True)


def refused(code, words, *options, prefix=(), env=None):
    done = subprocess.run([*prefix, SCRIPT, *(str(option) for option in options)], capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})})
    assert done.returncode == code and words in done.stderr, f"{options}: exit {done.returncode}: {done.stderr}"


@quickstart_case
def what_cannot_work_is_said_before_anything_is_done():
    new = pathlib.Path(str(place.path) + "-new")
    for port in ("0", "65536", "vnc", ""):
        refused(2, "a port is a number", "--directory", new, "--port", port)
    refused(2, "no option --colour", "--colour")
    refused(2, "--image needs a value", "--image")
    refused(2, "there are demo and system", "--accounts", "ldap")
    refused(1, "debian-12-icewm debian-12-xfce", "--directory", new, "--image", "windows-95")
    refused(1, "no such file", "--directory", new, "--image", "./nothing.recipe")
    refused(1, "DISPLAY is not set", "--directory", new, "--viewer", env={"DISPLAY": ""})
    refused(1, "a path of at most 60", "--directory", "/var/lib/" + "a" * 60)
    if reachable():
        refused(1, "call it by sudo", "--directory", new,
                prefix=["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"])
    with tempfile.TemporaryDirectory() as other:
        pathlib.Path(other, "thesis").write_text("years of work")
        refused(1, "there is something else in it", "--directory", other)
        assert os.listdir(other) == ["thesis"]
        refused(1, "other users cannot enter", "--directory", f"{other}/below")
        assert os.listdir(other) == ["thesis"]
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        refused(1, f"listens on port {taken}", "--directory", new, "--port", taken)
    shutil.rmtree(new, ignore_errors=True)


def reachable():
    return all(os.stat(path).st_mode & 1 for path in SCRIPT.parents)


if __name__ == "__main__":
    own_mounts(network=True)
    main(setup, teardown)
