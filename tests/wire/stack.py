#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole product against bad viewers, bad images, full disks and broken configuration: each gets a clear reason, nothing
is lost, and a good login works right after. The image is an empty disk, so that a login shows the waiting picture."""

import contextlib
import functools
import os
import pathlib
import random
import socket
import struct
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

import rfb  # noqa: E402
from accounts import GOOD, PAST, STALE, UNIX, Account, Accounts  # noqa: E402
from case import Skip, case, eventually, main  # noqa: E402
from disks import filled, mount_small, unmount  # noqa: E402
from harness import BIN, PROGRAMS, Stack, hash_password  # noqa: E402
from own_mounts import own_mounts  # noqa: E402

USERS = {"alice": "wonder", "bob": "builder", "carol": "chorus", "dave": "diver", "erin": "eager", "frank": "stranger",
         "root": "toor", "gone": "expired", "stale": "must change", "locked": "padlock"}
MEMORY_ALLOWED = 48 << 20
LARGEST_SIZE = (5120, 2880)

stack = None
disk = None
pids = {}
kept = None         # alice's desktop, which nothing may touch
mounts = []
accounts = None


def unix_accounts():
    global accounts
    accounts = Accounts(stack.directory, [
        Account(name, 0 if name == "root" else 5000 + number, ("!" if name == "locked" else "") + hash_password(password),
                ageing={"gone": PAST, "stale": STALE}.get(name, GOOD))
        for number, (name, password) in enumerate(USERS.items())])


def setup():
    global stack, disk, pids, kept
    root_here = os.geteuid() == 0
    stack = Stack(users=USERS, conf={"host": {"stop-timeout": 2, "ready-timeout": 3600}}, pam=UNIX if root_here else None)
    if root_here:
        unix_accounts()
    disk = make_disk("disk")
    if os.geteuid() == 0:
        for program, size in (("host", "16m"), ("broker", "4m")):
            mount_small(stack.state / program, size)
            mounts.append(stack.state / program)
    stack.start()
    stack.cli("image", "import", "empty", disk)
    create_pool("desk", "alice", "bob", "carol", "root", "gone", "stale", "locked")
    pids = {program: stack.pid_of(program) for program in PROGRAMS}
    good()
    kept = identity_of("alice")


def teardown():
    if not stack:
        return
    with open(stack.log, errors="replace") as log:
        stack_stop()
        found = [line for line in log if "Sanitizer" in line or "runtime error:" in line]
    assert not found, f"a sanitizer found: {found}"


def stack_stop():
    keep = os.environ.get("HOTDESK_KEEP") == "1"
    try:
        stack.stop()
    finally:
        for path in mounts:
            unmount(path)
        if accounts:
            accounts.remove()
        if not keep:
            subprocess.run(["rm", "-rf", stack.directory], check=False)


def make_disk(name, size="64M", *options):
    path = stack.directory / f"{name}.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *options, path, size], check=True)
    return path


def create_pool(name, *users, **keys):
    settings = {"image": "empty", "memory": "64M", "vcpus": 1, **keys}
    stack.cli("pool", "create", name, *[f"{key}={value}" for key, value in settings.items()])
    for user in users:
        stack.cli("pool", "entitle", name, "--user", user)


def log_in(user, password=None):
    return rfb.login(stack.port, user, USERS[user] if password is None else password, ca=stack.ca)


def refusal(user, password=None):
    """The reason of a refused login."""
    try:
        log_in(user, password).close()
    except rfb.Refused as reason:
        return str(reason)
    raise AssertionError(f"{user} was let in")


def colours(viewer):
    return len(set(memoryview(viewer.framebuffer).cast("I")))


def shown(user):
    """A viewer of the user's that shows the waiting picture."""
    viewer = log_in(user).start()
    viewer.wait(lambda: colours(viewer) > 16, "the waiting picture")
    return viewer


def desktop_of(user):
    rows = stack.desktops(owner=user)
    assert len(rows) == 1, f"desktops of {user}: {rows}\n{stack.log_tail()}"
    return rows[0]


def identity_of(user):
    desktop = desktop_of(user)
    return desktop["id"], desktop["image_version"], desktop["created"]


def good():
    """A good login; everything still runs and alice has the desktop she had."""
    viewer = shown("alice")
    viewer.close()
    eventually(lambda: desktop_of("alice")["state"] == "booting", lambda: f"alice's desktop runs: {desktop_of('alice')}\n"
               + stack.log_tail(), 60)
    assert kept in (None, identity_of("alice")), f"{kept} is now {identity_of('alice')}"
    now = {program: stack.pid_of(program) for program in PROGRAMS}
    assert now == pids, f"a program ended and was started again: {pids} {now}\n{stack.log_tail()}"


def stack_case(function):
    """A case after which a good login works."""
    @functools.wraps(function)
    def wrapped():
        function()
        good()
    return case(wrapped)


def remove_desktop(user):
    for desktop in stack.desktops(owner=user):
        stack.cli("desktop", "delete", desktop["id"], "--yes")
    eventually(lambda: not stack.desktops(owner=user), f"{user}'s desktop is removed")


def memory_of(program):
    """The bytes that the processes of a program hold, together."""
    total = 0
    for pid in stack.children(program):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith("VmRSS:"):
                    total += int(line.split()[1]) * 1024
    return total


# -- who gets in -------------------------------------------------------------------------------------------------------


@stack_case
def wrong_password_and_unknown_user():
    wrong, unknown = refusal("alice", "wonde"), refusal("nobody-here", "wonder")
    assert wrong == unknown and "password" in wrong, (wrong, unknown)
    assert refusal("alice", "") == wrong


@stack_case
def expired_and_locked_accounts():
    if not accounts:
        raise Skip("needs root: accounts of its own are mounted over /etc/passwd and /etc/shadow")
    for user in ("gone", "stale"):
        reason = refusal(user)
        assert "expired" in reason, reason
    # What is wrong with an account is told to who knows its password alone; pam_unix takes a locked one for wrong.
    assert refusal("locked") == refusal("gone", "guessed") == refusal("alice", "wonde")
    assert not [row for row in stack.json("desktop", "list") if row["owner"] in ("gone", "stale", "locked")]


@stack_case
def root():
    reason = refusal("root")
    assert not stack.desktops(owner="root") and reason, reason
    assert "may not" in reason or "administrator" in reason or "account" in reason, reason


@stack_case
def no_entitlement():
    assert "Ask your administrator to entitle you" in refusal("frank")
    assert "You may not use the pool desk" in refusal_of_name("frank+desk")
    assert not stack.desktops(owner="frank")


def refusal_of_name(name):
    try:
        rfb.login(stack.port, name, USERS[name.split("+")[0]], ca=stack.ca).close()
    except rfb.Refused as reason:
        return str(reason)
    raise AssertionError(f"{name} was let in")


@stack_case
def two_logins_at_one_instant_get_one_desktop():
    start, viewers, failures = threading.Barrier(6), [], []

    def one():
        try:
            door = rfb.Door(stack.port, timeout=60)
            door.secure(stack.ca)
            start.wait(60)
            door.credentials("carol", USERS["carol"])
            door.result()
            viewers.append(door)
        except (OSError, rfb.Refused, rfb.Closed, threading.BrokenBarrierError) as error:
            failures.append(error)

    threads = [threading.Thread(target=one) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures and len(viewers) == 6, failures
    desktop = desktop_of("carol")
    assert desktop["viewers"] == 6, desktop
    assert len([row for row in stack.json("session", "list") if row["user"] == "carol"]) == 1
    for viewer in viewers:
        viewer.close()
    remove_desktop("carol")


@stack_case
def full_pool_says_so():
    create_pool("small", "dave", "erin", max=1)
    viewer = shown("dave")
    reason = refusal("erin")
    assert "All desktops of pool small are in use (1 of 1)" in reason and "Try again later" in reason, reason
    shown("dave").close()
    viewer.close()
    remove_desktop("dave")
    shown("erin").close()
    remove_desktop("erin")
    stack.cli("pool", "delete", "small")


# -- bad viewers -------------------------------------------------------------------------------------------------------


@stack_case
def half_open_connections():
    silent = [socket.create_connection(("127.0.0.1", stack.port), source_address=(f"127.0.0.{2 + number % 5}", 0))
              for number in range(450)]
    half = [socket.create_connection(("127.0.0.1", stack.port), source_address=("127.0.0.9", 0)) for _ in range(40)]
    for sock in half:
        sock.sendall(b"RFB 003")
    typing = [rfb.Door(stack.port).secure(stack.ca) for _ in range(10)]
    good()
    for each in silent + half + typing:
        each.close()
    eventually(lambda: not [line for line in stack.children("gate").values() if "--connection" in line],
               "no connection's process is left")


@stack_case
def half_a_message():
    door = rfb.Door(stack.port)
    door.secure(stack.ca)
    door.write(struct.pack(">II", 5, 6) + b"ali")
    viewer = shown("alice")
    viewer.write(struct.pack(">BBH", 3, 0, 0))
    good()
    door.close()
    viewer.close()
    eventually(lambda: not stack.children("display"), "the display of a viewer that left within a message ends")


@stack_case
def garbage_after_the_login():
    for seed in range(5):
        viewer = log_in("alice")
        with contextlib.suppress(rfb.Closed):
            viewer.write(random.Random(seed).randbytes(1 << 16))
        assert viewer.ended(), "garbage was taken for a viewer's messages"


@stack_case
def viewer_that_never_reads():
    viewer = shown("alice")
    before = memory_of("display") + memory_of("gate")
    viewer.sock.settimeout(2)
    request = struct.pack(">BBHHHH", 3, 0, 0, 0, viewer.width, viewer.height)
    with contextlib.suppress(TimeoutError):
        for _ in range(200):
            viewer.sock.sendall(request * 500)
    grown = memory_of("display") + memory_of("gate") - before
    assert grown < MEMORY_ALLOWED, f"{grown >> 20} MiB more"
    good()
    viewer.close()
    eventually(lambda: not stack.children("display"), "the display of a viewer that never read ends")


@stack_case
def a_size_of_65535():
    viewer = shown("alice")
    before = memory_of("display")
    answers = len(viewer.size_results)
    viewer.set_desktop_size(65535, 65535)
    viewer.wait(lambda: [result for result in viewer.size_results[answers:] if result[0] == 1], "an answer to the size")
    assert (viewer.width, viewer.height) == LARGEST_SIZE, (viewer.width, viewer.height)
    assert memory_of("display") - before < 4 * MEMORY_ALLOWED, f"{memory_of('display') - before >> 20} MiB more"
    viewer.set_desktop_size(800, 600)
    viewer.wait(lambda: (viewer.width, viewer.height) == (800, 600), "a size that can be")
    viewer.close()


@stack_case
def cut_text_of_4_gib():
    for size in (0xffffffff, 0x7fffffff, 0x80000000):
        viewer = shown("alice")
        before = memory_of("display")
        with contextlib.suppress(rfb.Closed, TimeoutError):
            viewer.write(struct.pack(">BxxxI", 6, size) + bytes(1 << 20))
        assert viewer.ended(), f"a text of {size} bytes"
        assert memory_of("display") - before < MEMORY_ALLOWED


# -- bad images --------------------------------------------------------------------------------------------------------


def import_refused(part, *arguments):
    before = stack.json("image", "list")
    done = stack.cli("image", "import", "bad", *arguments, check=False)
    assert done.returncode == 1 and part in done.stderr, f"{part!r}: exit {done.returncode}: {done.stderr}"
    assert stack.json("image", "list") == before, "something was imported"
    assert not list((stack.state / "host/images").glob(".new-*")), "half an import is left"


@stack_case
def image_with_a_backing_file():
    import_refused("backing file", make_disk("backed", "64M", "-b", disk, "-F", "qcow2"))


@stack_case
def image_with_an_external_data_file():
    data = stack.directory / "data.raw"
    import_refused("external file", make_disk("external", "64M", "-o", f"data_file={data}"))


@stack_case
def truncated_image():
    whole = stack.directory / "noise.qcow2"
    raw = stack.directory / "noise.raw"
    raw.write_bytes(random.Random(1).randbytes(2 << 20))
    subprocess.run(["qemu-img", "convert", "-O", "qcow2", raw, whole], check=True)
    cut = stack.directory / "cut.qcow2"
    end = whole.stat().st_size
    for size, reason in ((60, "not a qcow2 image"), (90, "cut off"), (1000, "cut off"), (end - 100_000, "cut off")):
        cut.write_bytes(whole.read_bytes()[:size])
        import_refused(reason, cut)


@stack_case
def raw_image():
    raw = stack.directory / "raw.img"
    raw.write_bytes(bytes(1 << 20))
    import_refused("not a qcow2 image", raw)


@stack_case
def image_of_absurd_size():
    data = bytearray(disk.read_bytes())
    absurd = stack.directory / "absurd.qcow2"
    for size in (1 << 62, (1 << 64) - 1, 0, 1 << 45):
        data[24:32] = struct.pack(">Q", size)
        absurd.write_bytes(data)
        import_refused("from 1 byte to 16 TiB", absurd)
    data[24:32] = struct.pack(">Q", 64 << 20)
    data[36:40] = struct.pack(">I", 0xffffffff)
    absurd.write_bytes(data)
    import_refused("first table is impossible", absurd)


@stack_case
def image_in_use_is_not_deleted():
    stack.cli("image", "import", "empty", disk, "--no-publish")
    done = stack.cli("image", "delete", "empty:1", check=False)
    assert done.returncode == 1 and "in use by" in done.stderr, done
    done = stack.cli("image", "delete", "empty", check=False)
    assert done.returncode == 1 and "in use by" in done.stderr, done
    stack.cli("image", "delete", "empty:2")


# -- full disks --------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def full_disk(program):
    """Nothing more fits on the disk of a program's state."""
    if not mounts:
        raise Skip("needs root to mount a small disk")
    with filled(stack.state / program):
        yield


@stack_case
def disk_full_while_cloning():
    with full_disk("host"):
        viewer = shown("bob")
        before = bytes(viewer.framebuffer)
        viewer.wait(lambda: stack.desktops(owner="bob", state="failed"), lambda: f"the desktop has failed: {desktop_of('bob')}"
                    f"\n{stack.log_tail()}", 60)
        reason = desktop_of("bob")["reason"]
        assert "is full" in reason and str(stack.state) in reason, reason
        viewer.wait(lambda: bytes(viewer.framebuffer) != before, "the reason is drawn")
        if "HOTDESK_ARTIFACTS" in os.environ:
            viewer.pump(0.5)
            viewer.save_ppm(pathlib.Path(os.environ["HOTDESK_ARTIFACTS"]) / "disk-full.ppm")
        good()
    viewer.close()
    shown("bob").close()
    eventually(lambda: desktop_of("bob")["state"] == "booting", lambda: f"bob's desktop is made: {desktop_of('bob')}"
               f"\n{stack.log_tail()}")
    remove_desktop("bob")


@stack_case
def disk_full_at_import():
    large = stack.directory / "large"
    large.write_bytes(random.Random(2).randbytes(20 << 20))
    image = stack.directory / "large.qcow2"
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", large, image], check=True)
    if not mounts:
        raise Skip("needs root to mount a small disk")
    import_refused("make room there", image)
    import_refused("MiB are missing: make room there", disk, "--kernel", large, "--initrd", large)
    stack.cli("image", "import", "fits", disk)
    stack.cli("image", "delete", "fits")


def all_but_progress():
    """Pools and desktops as the broker knows them; a desktop that boots goes on booting."""
    desktops = stack.json("desktop", "list")
    for desktop in desktops:
        del desktop["progress"]
    return stack.json("pool", "list"), desktops


@stack_case
def disk_of_the_store_full():
    viewer = shown("alice")
    before = all_but_progress()
    with full_disk("broker"):
        reason = refusal("bob")
        for _ in range(200):  # the journal may have had room for some
            if "full" in reason:
                break
            reason = refusal("bob")
        assert "The disk of the broker is full" in reason and "administrator" in reason, reason
        viewer.request(incremental=False)
        seen = viewer.updates
        viewer.wait(lambda: viewer.updates > seen, "an open session goes on")
        assert all_but_progress() == before, f"{all_but_progress()} after {before}\n{stack.log_tail()}"
    shown("bob").close()
    remove_desktop("bob")
    viewer.close()


@stack_case
def full_disks_while_programs_start_again():
    """What runs is found again, and an open session goes on."""
    viewer = shown("alice")
    for program in ("host", "broker"):
        with full_disk(program):
            pids[program] = stack.kill_program(program)
            eventually(lambda: stack.cli("host", "show", check=False).returncode == 0, f"{program} serves", 60)
            eventually(lambda: desktop_of("alice")["state"] == "booting", "alice's desktop is known again", 60)
            assert identity_of("alice") == kept
            seen = viewer.updates
            viewer.request(incremental=False)
            viewer.wait(lambda: viewer.updates > seen, "an open session goes on")
    viewer.close()


# -- broken configuration ----------------------------------------------------------------------------------------------


@stack_case
def broken_configuration():
    bad = stack.directory / "bad.conf"
    paths = f"[paths]\nruntime-dir = {stack.directory}/other\n"
    for text, part in (("[host]\ncolour = red\n", "colour"), ("[host]\naccel = fast\n", "auto|kvm|tcg"),
                       ("[nowhere]\nkey = 1\n", "nowhere"), ("[gate]\nmax-connections = many\n", "max-connections"),
                       ("[gate]\nno equals sign\n", "")):
        bad.write_text(paths + text)
        for program in ("starter", "gate", "auth", "broker", "host"):
            said = refuses_to_start(program, bad)
            assert f"{bad}:4" in said and part in said, f"hotdesk-{program}: {text!r}: {said}"
        done = stack.cli("check-config", bad, check=False)
        assert done.returncode == 1 and f"{bad}:4" in done.stderr, done
    missing = stack.directory / "missing.conf"
    for program in ("starter", "gate", "auth", "broker", "host"):
        assert str(missing) in refuses_to_start(program, missing)
        assert run_program(program, "--colour", bad).returncode == 2
    assert f"state-dir = {stack.state}" in stack.cli("check-config").stdout


def run_program(program, *arguments):
    return subprocess.run([BIN / f"hotdesk-{program}", *arguments], capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL)


def refuses_to_start(program, conf):
    """Exit code 1, as `hotdesk check-config` of the same file: 2 is for a wrong command line alone."""
    done = run_program(program, "--config", conf)
    assert done.returncode == 1, f"hotdesk-{program} with {conf.read_text() if conf.exists() else conf}: {done}"
    return done.stderr


if __name__ == "__main__":
    own_mounts()
    main(setup, teardown)
