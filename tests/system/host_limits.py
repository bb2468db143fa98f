#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the machine under hotdesk-host lacks, with real QEMU: room on the disk while an image is copied and while a guest
writes, an agent in the guest, nftables. Each is told in words that say what to do, and goes on when there is room again."""

import contextlib
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

import rfb  # noqa: E402
from case import Skip, case, eventually, main  # noqa: E402
from disks import filled, mount_small, resize, unmount, writing_guest  # noqa: E402
from harness import Stack, processes_with  # noqa: E402
from own_mounts import own_mounts  # noqa: E402

IMAGE_MIB = 96
WRITTEN_MIB = 32
NFT = pathlib.Path("/usr/sbin/nft")

stack = None


def setup():
    global stack
    if os.geteuid() != 0:
        raise Skip("needs root to mount a small disk")
    os.environ["HOTDESK_DEBUG"] = "1"  # retries are logged
    stack = Stack(users={"alice": "wonder"}, conf={"host": {"ready-timeout": 2, "stop-timeout": 7, "network": "nat"}})
    mount_small(stack.state / "host", "16m")
    stack.start()


def teardown():
    if not stack:
        return
    keep = os.environ.get("HOTDESK_KEEP") == "1"
    try:
        stack.stop()
    finally:
        unmount(stack.state / "host")
        if not keep:
            subprocess.run(["rm", "-rf", stack.directory], check=False)


def host_disk():
    return stack.state / "host"


def image_names():
    return [row["name"] for row in stack.json("image", "list")]


def shown(desktop):
    return stack.json("desktop", "show", desktop)


def noise():
    """An image of which nothing can be left out."""
    path = stack.directory / "noise.qcow2"
    if not path.exists():
        raw = stack.directory / "noise.raw"
        raw.write_bytes(random.Random(3).randbytes(IMAGE_MIB << 20))
        subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, path], check=True)
        raw.unlink()
    return path


def import_image(*arguments):
    return stack.cli("image", "import", "noise", noise(), *arguments, check=False)


def assert_refused_for_room(done):
    """Names the directory and what is missing; returns the MiB."""
    missing = re.search(r"([0-9]+) MiB are missing", done.stderr)
    assert done.returncode == 1 and str(host_disk()) in done.stderr and missing, done
    assert "make room there" in done.stderr, done.stderr
    assert "noise" not in image_names()
    assert not list((host_disk() / "images").glob(".new-*")), "half an import is left"
    return int(missing.group(1))


def import_while_the_disk_fills():
    """hotdesk-host stands still after it has begun to copy, until the disk is full. Returns how `hotdesk` ended and the MiB
    that were copied by then."""
    done, seen = [], []

    def begun():
        for path in (host_disk() / "images").glob(".new-*/disk.qcow2"):
            with contextlib.suppress(FileNotFoundError):
                seen.append(path.stat().st_blocks * 512 >> 20)
        return (seen and seen[-1]) or not importing.is_alive()

    importing = threading.Thread(target=lambda: done.append(import_image()))
    importing.start()
    eventually(begun, stack.log_tail, interval=0.0005)
    host = stack.pid_of("host")
    os.kill(host, signal.SIGSTOP)
    with contextlib.ExitStack() as full:
        try:
            full.enter_context(filled(host_disk()))
        finally:
            os.kill(host, signal.SIGCONT)
        importing.join()
    return done[0], seen[-1] if seen else 0


@case
def an_image_for_which_there_is_no_room_is_refused_before_it_is_copied():
    missing = assert_refused_for_room(import_image())
    assert IMAGE_MIB - 16 <= missing <= IMAGE_MIB + 1, missing
    resize(host_disk(), f"{IMAGE_MIB + 16}m")
    assert assert_refused_for_room(import_image("--kernel", noise(), "--initrd", noise())) > IMAGE_MIB


@case
def a_disk_that_becomes_full_within_the_copy_is_told_and_the_next_import_works():
    resize(host_disk(), f"{2 * IMAGE_MIB}m")
    done, copied = import_while_the_disk_fills()
    while done.returncode == 0:  # it was quicker than the disk filled
        stack.cli("image", "delete", "noise")
        done, copied = import_while_the_disk_fills()
    assert 0 < assert_refused_for_room(done) <= IMAGE_MIB + 1 - copied, (done, copied)
    assert import_image().returncode == 0
    stack.cli("image", "delete", "noise")


def new_desktop(pool, *keys):
    """The spare of a new pool of the guest that writes."""
    if "writer" not in image_names():
        stack.cli("image", "import", "writer", writing_guest(stack.directory / "writer.qcow2", WRITTEN_MIB))
    stack.cli("pool", "create", pool, "image=writer", "memory=64M", "vcpus=1", "min-spare=1", *keys)
    return eventually(lambda: stack.json("desktop", "list", "--pool", pool), stack.log_tail)[0]["id"]


def remove_pool(pool):
    stack.cli("pool", "set", pool, "min-spare=0")
    for row in stack.json("desktop", "list", "--pool", pool):
        stack.cli("desktop", "delete", row["id"], "--yes", check=False)  # it may be gone already, as one spare too many
    eventually(lambda: not stack.json("desktop", "list", "--pool", pool), stack.log_tail)
    stack.cli("pool", "delete", pool)
    eventually(lambda: not list((host_disk() / "vm").glob("*/overlay.qcow2")), "the disk has the room again")


def wait_shown(desktop, wanted, what, timeout=120):
    return eventually(lambda: (lambda row: row if wanted(row) else None)(shown(desktop)),
                      lambda: f"{what}: {shown(desktop)}\n{stack.log_tail()}", timeout)


def overlay_mib(desktop):
    return (host_disk() / "vm" / desktop / "overlay.qcow2").stat().st_blocks * 512 >> 20


@case
def a_guest_without_an_agent_is_ready_after_ready_timeout():
    resize(host_disk(), "128m")
    desktop = new_desktop("plain")
    ready = wait_shown(desktop, lambda row: row["state"] == "ready", "ready without an agent")
    assert ready["agent"] == "" and ready["failures"] == 0, ready
    assert f"desktop {desktop}: no agent has reported" in stack.log.read_text(), stack.log_tail()
    eventually(lambda: overlay_mib(desktop) >= WRITTEN_MIB, lambda: f"the guest writes: {overlay_mib(desktop)}", 120)
    remove_pool("plain")


def is_full(row):
    return f"disk of {host_disk()}" in row["reason"] and "is full" in row["reason"]


def retries(desktop):
    return stack.log.read_text().count(f"desktop {desktop}: tries whether there is room")


def paused_desktop(pool, *keys):
    resize(host_disk(), "16m")
    desktop = new_desktop(pool, *keys)
    wait_shown(desktop, is_full, "the reason is shown")
    assert overlay_mib(desktop) < 16
    return desktop


@case
def a_full_disk_pauses_a_desktop_with_the_reason_until_there_is_room():
    desktop = paused_desktop("paused")
    state = shown(desktop)["state"]  # a slow guest may have got ready before it filled the disk
    written = overlay_mib(desktop)
    stack.kill_program("host")
    wait_shown(desktop, is_full, "a new host tells it too")
    eventually(lambda: retries(desktop) >= 2, stack.log_tail)
    row = shown(desktop)
    assert is_full(row) and row["state"] == state, f"what is paused does not get ready: {row}"
    assert overlay_mib(desktop) == written
    assert "goes on\n" not in stack.log.read_text(), f"it is told to go on though it did not: {stack.log_tail()}"
    resize(host_disk(), "128m")
    going = wait_shown(desktop, lambda row: row["state"] == "ready" and not row["reason"], "it goes on by itself")
    eventually(lambda: overlay_mib(desktop) >= WRITTEN_MIB, lambda: f"the guest writes: {overlay_mib(desktop)}", 120)
    assert going["boot"] == 1 and going["failures"] == 0, going
    remove_pool("paused")


@case
def a_paused_desktop_can_be_stopped():
    """By the stop-timeout, as it cannot hear the power button: retries do not put it off."""
    desktop = paused_desktop("stopped", "kind=dedicated")
    stack.cli("pool", "entitle", "stopped", "--user", "alice")
    rfb.login(stack.port, "alice", "wonder", ca=stack.ca).close()
    assert shown(desktop)["owner"] == "alice", shown(desktop)
    stack.cli("desktop", "stop", desktop)
    wait_shown(desktop, lambda row: row["state"] == "stopped" and not row["reason"], "it is stopped", 60)
    assert retries(desktop) >= 1
    remove_pool("stopped")


@case
def the_log_names_files_by_plain_paths():
    with filled(host_disk()):
        stack.cli("pool", "create", "late", "image=writer", "memory=64M", "vcpus=1", "min-spare=1")
        eventually(lambda: f"{host_disk()}/generation cannot be written" in stack.log.read_text(), stack.log_tail)
    assert "/../" not in stack.log.read_text()
    remove_pool("late")


# -- nftables ----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def nft_is(program):
    """hotdesk-spawn, started again, finds this program in the place of nft."""
    if not NFT.exists():
        raise Skip("nftables is not installed")
    subprocess.run(["mount", "--bind", program, NFT], check=True)
    try:
        stack.kill_program("spawn")
        yield
    finally:
        subprocess.run(["umount", NFT], check=True)


def starts_without_network(pool, reason):
    resize(host_disk(), "128m")
    desktop = new_desktop(pool)
    row = wait_shown(desktop, lambda row: row["state"] in ("booting", "ready"), "it starts all the same")
    assert reason in row["warning"] and "the desktop has no network" in row["warning"], row
    (line,) = processes_with(f"guest={desktop},").values()
    assert "-netdev" not in line and "virtio-net" not in line, line
    assert not stack.json("host", "show")["nat"]
    remove_pool(pool)


@case
def without_nft_there_is_no_network_and_the_reason_is_told():
    nothing = stack.directory / "nothing"
    nothing.write_text("")
    with nft_is(nothing):
        starts_without_network("bare", "nft cannot be run: install the package nftables")


@case
def where_the_table_cannot_be_loaded_there_is_no_network_and_the_reason_is_told():
    with nft_is("/usr/bin/false"):
        starts_without_network("refused", "nft did not load the table")


if __name__ == "__main__":
    own_mounts()
    main(setup, teardown)
