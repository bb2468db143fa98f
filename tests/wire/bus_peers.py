#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""D-Bus peers that turn on the program they are connected to: a display on its screen, a display on the broker, any local
user on the sockets that are open to all. None gets more than its own connection cut."""

import array
import contextlib
import os
import pathlib
import socket
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

import rfb  # noqa: E402
from case import Skip, case, eventually, main  # noqa: E402
from harness import BIN, Stack  # noqa: E402

SCREEN = ("/org/hotdesk/Screen1", "org.hotdesk.Screen1")
CONSOLE = ("/org/qemu/Display1/Console_0", "org.qemu.Display1.Console")
KEYBOARD = ("/org/qemu/Display1/Console_0", "org.qemu.Display1.Keyboard")
USERS = {"alice": "wonder", "bob": "builder"}
STRANGER = 64999
FDS = 200           # in each message of a flood
FLOOD = 100         # messages after which a flood counts as endured
OWN_FDS = 20        # what a program may have more for a peer while it is flooded

stack = None


def message(member, target, serial=1, body=b"", signature=b"", fds=0, announced=None):
    """A method call; `announced` is the size of the body that its header tells."""
    fields = b""
    path, interface = (text.encode() for text in target)
    for code, kind, text in ((1, b"o", path), (2, b"s", interface), (3, b"s", member.encode())):
        fields += bytes(-len(fields) % 8) + bytes([code, 1]) + kind + b"\0" + struct.pack("<I", len(text)) + text + b"\0"
    if signature:
        fields += bytes(-len(fields) % 8) + b"\x08\x01g\0" + bytes([len(signature)]) + signature + b"\0"
    if fds:
        fields += bytes(-len(fields) % 8) + b"\x09\x01u\0" + struct.pack("<I", fds)
    size = len(body) if announced is None else announced
    head = b"l\1\0\1" + struct.pack("<III", size, serial, len(fields)) + fields
    return head + bytes(-len(head) % 8) + body


def send_with_fds(connection, data, fds):
    connection.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))])


def receive_until(connection, wanted):
    got = b""
    while wanted not in got:
        more = connection.recv(65536)
        assert more, f"the connection ended before {wanted}: {got}"
        got += more
    return got


def as_client(connection):
    connection.settimeout(60)
    connection.sendall(b"\0AUTH ANONYMOUS 30\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n")
    receive_until(connection, b"AGREE_UNIX_FD\r\n")
    return connection


def as_server(connection):
    connection.settimeout(60)
    receive_until(connection, b"BEGIN\r\n")
    connection.sendall(b"DATA\r\nOK 0123456789abcdef0123456789abcdef\r\nAGREE_UNIX_FD\r\n")
    return connection


def answered(connection):
    """Waits for the reply to a call."""
    reply = connection.recv(65536)
    assert reply[1:2] == b"\2", f"no reply but {reply}"


def give(connection, member, target, serial):
    """A call with one fd, which is answered; its other end is returned."""
    ours, theirs = socket.socketpair()
    with theirs:
        data = message(member, target, serial, struct.pack("<I", 0), b"h", 1)
        send_with_fds(connection, data, [theirs.fileno()])
    answered(connection)
    return ours


def files_of(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def ended(connection):
    """Waits for the end of a connection."""
    with contextlib.suppress(ConnectionResetError):
        while connection.recv(65536):
            pass


def flood(connection, pid, member="Press", target=KEYBOARD):
    """Fds without end in a message without end, until the connection is cut."""
    before = files_of(pid)
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        connection.sendall(message(member, target, 9, announced=1 << 20))
        for _ in range(FLOOD):
            send_with_fds(connection, b"x", [0] * FDS)
            now = files_of(pid)
            assert now <= before + OWN_FDS, f"{before} fds became {now}"
        ended(connection)
        return
    assert files_of(pid) <= before + OWN_FDS


# -- hotdesk-screen ----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def screen():
    """A hotdesk-screen without a source: its process and a connection to its control socket."""
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as ends:
        log = pathlib.Path(directory, "log")
        listener = ends.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(f"{directory}/control")
        listener.listen(1)
        with open(log, "w") as to:
            process = subprocess.Popen([BIN / "hotdesk-screen", "--control-fd", str(listener.fileno()), "--id", "d1",
                                        "--linger", "60"], pass_fds=[listener.fileno()], stderr=to)
        try:
            control = ends.enter_context(socket.socket(socket.AF_UNIX))
            control.connect(f"{directory}/control")
            yield process, as_client(control)
            assert process.poll() is None, log.read_text()
            process.terminate()
            assert process.wait(30) == 0, log.read_text()
        finally:
            process.kill()
            process.wait()
        assert "Sanitizer" not in log.read_text() and "runtime error" not in log.read_text(), log.read_text()


def add_display(control, serial):
    return as_client(give(control, "AddDisplay", SCREEN, serial))


def served(display):
    """The screen answers a display."""
    display.sendall(message("Ping", (CONSOLE[0], "org.freedesktop.DBus.Peer"), 90))
    answered(display)


@case
def a_display_that_sends_fds_without_end():
    with screen() as (process, control):
        hostile, good = add_display(control, 1), add_display(control, 2)
        before = files_of(process.pid)
        flood(hostile, process.pid)
        served(good)
        eventually(lambda: files_of(process.pid) < before, "what the display had is closed")
        served(add_display(control, 3))


@case
def a_listener_that_sends_an_fd():
    """A display's listener is only ever told: the first fd is one too many, and costs the listener alone."""
    with screen() as (process, control):
        display = add_display(control, 1)
        listener = give(display, "RegisterListener", CONSOLE, 1)
        flood(as_client(listener), process.pid)
        served(display)
        as_client(give(display, "RegisterListener", CONSOLE, 2))


# -- the whole product -------------------------------------------------------------------------------------------------


def need_stack():
    global stack
    if stack:
        return
    stack = Stack(users=USERS, conf={"host": {"stop-timeout": 2, "ready-timeout": 3600}})
    disk = stack.directory / "disk.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", disk, "64M"], check=True)
    stack.start()
    stack.cli("image", "import", "empty", disk)
    stack.cli("pool", "create", "desk", "image=empty", "memory=64M", "vcpus=1")
    for user in USERS:
        stack.cli("pool", "entitle", "desk", "--user", user)


def teardown():
    if not stack:
        return
    with open(stack.log, errors="replace") as log:
        stack.stop()
        found = [line for line in log if "Sanitizer" in line or "runtime error:" in line]
    assert not found, f"a sanitizer found: {found}"


def try_login(user):
    try:
        return rfb.login(stack.port, user, USERS[user], ca=stack.ca)
    except (rfb.Refused, OSError):
        return None


def good_login(user):
    eventually(lambda: try_login(user), f"a login of {user}", 60, 0.2).close()


@case
def a_display_that_turns_on_the_broker():
    """The broker connects to a display again after its own restart: by then another listens there."""
    need_stack()
    viewer = rfb.login(stack.port, "alice", USERS["alice"], ca=stack.ca)
    directory = stack.runtime / "broker"
    path = eventually(lambda: next(directory.glob("display*.sock"), None),
                      lambda: f"the socket of a display in {os.listdir(directory)}")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.settimeout(60)
        listener.bind(f"{path}.new")
        listener.listen(8)
        os.chmod(f"{path}.new", 0o666)
        os.rename(f"{path}.new", path)
        stack.kill_program("broker")
        hostile = as_server(listener.accept()[0])
        pid = stack.pid_of("broker")
        flood(hostile, pid, "Wanted", ("/org/hotdesk/Viewer1", "org.hotdesk.Viewer1"))
        good_login("bob")
        assert stack.pid_of("broker") == pid, stack.log_tail()
    viewer.close()


def as_stranger(path):
    """What a local user comes to at a socket: the exit code of a process of that user, 0 when nobody listened."""
    code = ("import array, os, socket, sys\n"
            f"os.setgroups([]); os.setgid({STRANGER}); os.setuid({STRANGER})\n"
            "peer = socket.socket(socket.AF_UNIX)\n"
            "try:\n"
            "    peer.connect(sys.argv[1])\n"
            "    peer.settimeout(60)\n"
            "    peer.sendall(b'\\0AUTH ANONYMOUS 30\\r\\nNEGOTIATE_UNIX_FD\\r\\nBEGIN\\r\\n')\n"
            "    if not peer.recv(4096):\n"
            "        sys.exit(0)\n"
            "    peer.sendall(bytes.fromhex(sys.argv[2]))\n"
            f"    for _ in range({FLOOD}):\n"
            f"        peer.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [0] * {FDS}))])\n"
            "    sys.exit(1)\n"
            "except (PermissionError, BrokenPipeError, ConnectionResetError):\n"
            "    sys.exit(0)\n")
    unfinished = message("Hello", ("/org/hotdesk/Broker1", "org.hotdesk.Broker1"), announced=1 << 20).hex()
    return subprocess.run([sys.executable, "-c", code, path, unfinished], timeout=120, check=False).returncode


@case
def strangers_at_the_sockets_of_the_programs():
    """Whoever is not the broker, or root, is not listened to."""
    if os.geteuid() != 0:
        raise Skip("needs root to connect as another user")
    need_stack()
    for program, name in (("broker", "admin.sock"), ("host", "host.sock"), ("auth", "auth.sock")):
        before = files_of(stack.pid_of(program))
        assert as_stranger(stack.runtime / program / name) == 0, f"{program} listened"
        now = files_of(stack.pid_of(program))
        assert now <= before + OWN_FDS, f"{program}: {before} fds became {now}"
    good_login("bob")


if __name__ == "__main__":
    main(None, teardown)
