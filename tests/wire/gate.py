#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real hotdesk-gate in front of a fake broker: who gets in, who is told why not, and what cannot hurt it."""

import contextlib
import fcntl
import os
import pathlib
import random
import select
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import rfb
from case import Skip, case, eventually, main
from gate_alone import NAME, PASSWORD, copy_both_ways, gate, refusal_of
from harness import BIN, status_of


def tls(low, high=None):
    context = ssl._create_unverified_context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version, context.maximum_version = low, high or low
    return context


@case
def good_login_relays_both_ways():
    with gate() as served:
        for version, context in ((ssl.TLSVersion.TLSv1_3, None), (ssl.TLSVersion.TLSv1_2, None)):
            context = ssl.create_default_context(cafile=str(served.ca))
            context.minimum_version = context.maximum_version = version
            viewer, stream = served.session(context=context)
            assert viewer.sock.version() == {772: "TLSv1.3", 771: "TLSv1.2"}[version], viewer.sock.version()
            assert viewer.sock.compression() is None
            copy_both_ways(viewer, stream, 10 << 20)
            name, password, peer = served.broker.logins.get()
            assert (name, password) == (NAME, PASSWORD)
            assert peer == "127.0.0.1 %d" % viewer.sock.getsockname()[1], peer
            viewer.close()
            assert stream.recv(1) == b"", "the display sees that its viewer is gone"
        eventually(lambda: not served.connections(), "the connections' processes end")


def exchange(sock, data):
    """Sends data and reads as many bytes at the same time, in one thread: an SSL object is not made for two."""
    sock.setblocking(False)
    sent, got = 0, bytearray()
    while len(got) < len(data):
        wants_write = False
        if sent < len(data):
            try:
                sent += sock.send(data[sent:sent + (1 << 15)])
            except ssl.SSLWantWriteError:
                wants_write = True
            except ssl.SSLWantReadError:
                pass
        try:
            block = sock.recv(1 << 16)
            assert block, "the gate closed the connection"
            got += block
            continue
        except ssl.SSLWantReadError:
            pass
        if wants_write or sent == len(data):
            ready = select.select([sock], [sock] if wants_write else [], [], 30)
            assert ready[0] or ready[1], f"nothing moves: {sent} bytes sent, {len(got)} received"
    return bytes(got)


@case
def both_directions_at_once():
    with gate() as served:
        viewer, stream = served.session()
        data = random.Random(1).randbytes(8 << 20)

        def echo():
            left = len(data)
            while left:
                block = stream.recv(1 << 15)
                stream.sendall(block)
                left -= len(block)

        display = threading.Thread(target=echo)
        display.start()
        assert exchange(viewer.sock, data) == data
        display.join()


@case
def reason_of_a_refusal_is_readable():
    with gate() as served:
        reason = "Desktop f\u00fcr Zo\u00eb: " + "no room, " * 25
        served.broker.answers["bob"] = served.broker.refuse(reason)
        assert refusal_of(lambda: served.login("bob", "x")) == reason
        assert refusal_of(lambda: served.login(NAME, "wrong")) == "Login incorrect."
        served.good()


@case
def older_tls_is_refused():
    with gate() as served:
        for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
            try:
                served.login(context=tls(version))
            except (ssl.SSLError, rfb.Closed, ConnectionError) as error:
                assert "ALERT" in str(error).upper() or "VERSION" in str(error).upper(), error
            else:
                raise AssertionError(f"{version} was let in")
        served.good()


@case
def other_security_types_are_not_offered_nor_taken():
    with gate() as served:
        for kind in (1, 2, 5, 16, 18, 30, 255):
            door = served.door()
            door.version()
            assert door.security_types() == [rfb.VENCRYPT]
            door.write(bytes([kind]))
            assert "VeNCrypt" in refusal_of(door.result), kind
            assert door.ended()
        for subtype in (0, 1, 2, 256, 257, 259, 261, 263, 0xffffffff):
            door = served.door()
            door.version()
            door.security_types()
            assert door.vencrypt_subtypes() == [rfb.X509_PLAIN]
            refusal_of(lambda: door.choose_subtype(subtype))
            assert door.ended()
        for version in ((0, 1), (0, 3), (1, 0)):
            door = served.door()
            door.version()
            door.security_types()
            refusal_of(lambda: door.vencrypt_subtypes(version))
            assert door.ended()
        served.good()


@case
def older_rfb_gets_a_reason_in_its_own_form():
    with gate() as served:
        for version in (b"RFB 003.003\n", b"RFB 003.005\n", b"RFB 003.889\n"):
            door = served.door()
            assert door.version(version) == rfb.VERSION
            assert door.unpack("I") == 0, version
            assert "3.8" in door.text()
            assert door.ended()
        door = served.door()
        door.version(b"RFB 003.007\n")
        assert "3.8" in refusal_of(door.security_types)
        assert door.ended()
        served.good()


@case
def garbage_is_closed():
    with gate() as served:
        for data in (b"GET / HTTP/1.1\r\nHost: desk\r\n\r\n", b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + bytes(64),
                     bytes(4096), b"\xff" * 4096, b"RFB 003.008\r"):
            door = served.door()
            door.write(data)
            assert door.ended(), data[:12]
        door = served.door()
        door.version()
        door.security_types()
        door.vencrypt_subtypes()
        door.choose_subtype()
        door.write(b"this is no TLS" * 100)
        assert door.ended()
        served.good()


def stages(served):
    """Connections that stop in the middle of each part before the password."""
    for sent in (b"", b"R", rfb.VERSION[:11], rfb.VERSION, rfb.VERSION + b"\x13", rfb.VERSION + b"\x13\0",
                 rfb.VERSION + b"\x13\0\x02\0\0", rfb.VERSION + b"\x13\0\x02\0\0\x01\x06",
                 rfb.VERSION + b"\x13\0\x02\0\0\x01\x06\x16\x03\x01"):
        door = served.door()
        if sent:
            door.write(sent)
        yield door


@case
def half_a_message_and_silence_is_closed():
    with gate(handshake_timeout="2s", typing_timeout="2s") as served:
        doors = list(stages(served))
        for credentials in (b"", b"\0\0\0", struct.pack(">II", 5, 5), struct.pack(">II", 5, 5) + b"alicewo"):
            door = served.door().secure(served.ca)
            if credentials:
                door.write(credentials)
            doors.append(door)
        for door in doors:
            assert door.ended(20)
        eventually(lambda: not served.connections(), "no process is left")
        served.good()


@case
def a_late_first_byte_does_not_begin_the_deadline_anew():
    with gate(handshake_timeout="6s") as served:
        early = served.door()
        early.read(12)
        time.sleep(3)  # what the deadline counts is time itself; who is closed first decides
        late = served.door()
        late.write(b"R")
        time.sleep(1)
        early.write(b"R")
        assert early.ended(), "closed for its silence"
        assert not late.ended(0.2), "the one that came earlier goes earlier"
        assert late.ended()
        served.good()


@case
def person_may_type_longer_than_the_handshake_takes():
    with gate(handshake_timeout="1s", typing_timeout="60s") as served:
        door = served.door().secure(served.ca)
        assert not door.ended(2.5)
        door.credentials(NAME, PASSWORD)
        door.result()


@case
def half_open_connections_do_not_keep_others_out():
    with gate(handshake_timeout="600s", waiting_soft_cap=64, max_per_address=600) as served:
        silent = [socket.create_connection(("127.0.0.1", served.port), source_address=("127.0.0.2", 0))
                  for _ in range(500)]
        served.good()
        half = [served.door() for _ in range(20)]
        for door in half:
            door.write(b"RFB 003")
        served.good()
        eventually(lambda: len(os.listdir(f"/proc/{served.process.pid}/fd")) < 100, "the soft cap is kept")
        for each in silent:
            each.close()
        for door in half:
            door.close()
        eventually(lambda: not served.connections(), "no process is left")
        served.good()


@case
def caps_per_address_and_in_all():
    with gate(max_per_address=3, max_connections=5, handshake_timeout="600s") as served:
        first = [served.session() for _ in range(2)]
        waiting = served.door()
        assert waiting.read(12) == rfb.VERSION
        assert served.door().ended(), "the fourth of an address"
        other = [rfb.Stream(socket.create_connection(("127.0.0.1", served.port), source_address=(f"127.0.0.{host}", 0)))
                 for host in (2, 3)]
        assert [each.read(12) for each in other] == [rfb.VERSION] * 2, "another address"
        late = socket.create_connection(("127.0.0.1", served.port), source_address=("127.0.0.4", 0))
        assert rfb.Stream(late).ended(), "the sixth in all"
        for viewer, stream in first:
            viewer.close()
            stream.close()
        for each in (waiting, *other):
            each.close()
        eventually(lambda: not served.connections(), "the processes end")
        served.good()


@case
def want_of_files_neither_spins_nor_ends_the_gate():
    with gate() as served:
        pid = served.process.pid
        served.limit("nofile", len(os.listdir(f"/proc/{pid}/fd")))
        door = served.door()
        eventually(lambda: served.said("cannot accept connections"), "the want is logged")
        ticks = cpu_ticks(pid)
        time.sleep(1)
        assert cpu_ticks(pid) - ticks < os.sysconf("SC_CLK_TCK") // 2, "the listener spins"
        lines = served.log.read_text().count("cannot accept connections")
        assert lines < 10, f"{lines} lines in the log"
        served.limit("nofile", 1024)
        assert door.read(12) == rfb.VERSION, "who waited is served"
        served.good()


@case
def want_of_processes_does_not_flood_the_log():
    with gate() as served:
        if not served.uid:
            raise Skip("the gate has no uid of its own")
        begin = time.monotonic()
        served.limit("nproc", 0)
        for _ in range(60):
            door = served.door()
            door.write(b"R")
            assert door.ended()
        lines = served.log.read_text().count("cannot make a process")
        served.limit("nproc", 1024)
        assert 1 <= lines <= 2 + time.monotonic() - begin, f"{lines} lines in the log"
        served.good()


@case
def viewer_that_never_reads_costs_no_memory():
    with gate() as served:
        viewer, stream = served.session()
        pid = served.connections()[0]
        before, sent = status_of(pid, "VmRSS"), 0
        stream.settimeout(2)
        try:
            while sent < 256 << 20:
                sent += stream.send(bytes(1 << 16))
        except TimeoutError:
            pass
        assert sent < 64 << 20, f"{sent} bytes were taken from the display"
        assert status_of(pid, "VmRSS") - before < 4096, "memory grew"
        ticks = cpu_ticks(pid)
        time.sleep(1)
        assert cpu_ticks(pid) - ticks < os.sysconf("SC_CLK_TCK") // 2, "the relay spins"
        viewer.write(b"still heard")
        assert stream.recv(100) == b"still heard", "input passes while output is stuck"
        assert viewer.read(sent) == bytes(sent)
        served.good()


def cpu_ticks(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


@case
def display_that_never_reads_costs_no_memory():
    with gate() as served:
        viewer, stream = served.session()
        pid = served.connections()[0]
        before = status_of(pid, "VmRSS")
        viewer.sock.settimeout(2)
        with contextlib.suppress(TimeoutError):
            viewer.sock.sendall(bytes(64 << 20))
        assert status_of(pid, "VmRSS") - before < 4096, "memory grew"
        stream.sendall(b"still seen")
        assert viewer.read(10) == b"still seen"
        viewer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        viewer.close()  # a reset
        eventually(lambda: not served.connections(), "the process ends although its display does not read", 40)
        served.good()


@case
def name_and_password_that_are_too_long():
    with gate() as served:
        for name_size, password_size in ((256, 5), (5, 1025), (0xffffffff, 5), (5, 0xffffffff), (0x80000000, 0x80000000)):
            door = served.door().secure(served.ca)
            door.write(struct.pack(">II", name_size, password_size) + b"x" * 4096)
            assert "too long" in refusal_of(door.result)
        for name in ("", "a\0b"):
            assert refusal_of(lambda: served.login(name, PASSWORD))
        longest = "n" * 255
        served.broker.answers[longest] = served.broker.accept("p" * 1024)
        served.login(longest, "p" * 1024).close()
        served.broker.answers["empty"] = served.broker.accept("")
        served.login("empty", "").close()
        served.broker.stream(), served.broker.stream()
        served.good()


@case
def credentials_byte_by_byte():
    with gate() as served:
        door = served.door()
        message = struct.pack(">II", len(NAME), len(PASSWORD)) + NAME.encode() + PASSWORD.encode()
        for byte in rfb.VERSION + b"\x13\0\x02\0\0\x01\x06":
            door.write(bytes([byte]))
        assert door.read(12 + 2 + 2 + 6 + 1) == rfb.VERSION + b"\x01\x13\0\x02\0\x01\0\0\x01\x06\x01"
        door.start_tls(served.ca)
        for byte in message:
            door.write(bytes([byte]))
        door.result()


@case
def broker_that_is_away_or_dies():
    with gate() as served:
        served.broker.answers["unlucky"] = served.broker.die
        assert "try again" in refusal_of(lambda: served.login("unlucky", "x"))
        served.broker.stop()
        assert "not running" in refusal_of(served.login)
        begun = threading.Event()
        outcome = []

        def patient():
            door = served.door().secure(served.ca)
            door.credentials(NAME, PASSWORD)
            begun.set()
            door.result()
            outcome.append("in")

        login = threading.Thread(target=patient)
        login.start()
        begun.wait()
        time.sleep(0.3)  # so that the gate most likely has to wait for the broker; it is let in either way
        served.broker.start()
        login.join()
        assert outcome == ["in"], "the login waited for the broker"
        served.broker.stream()
        served.good()


def connection_alone(served, *options):
    """A connection's process as the listener executes it, with other options; the viewer's door to it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        door = rfb.Door(listening.getsockname()[1], timeout=20)
        sock = listening.accept()[0]
    sock.sendall(rfb.VERSION)
    files = [sock, *(open(served.state / name, "rb") for name in ("cert.pem", "key.pem"))]
    high = [fcntl.fcntl(file.fileno(), fcntl.F_DUPFD, 20) for file in files]
    process = subprocess.Popen(
        ["bash", "-c", 'exec "$0" "$@" 3<&%d 4<&%d 5<&%d' % tuple(high), BIN / "hotdesk-gate", "--connection",
         "--broker", served.broker.path, "--deadline", str(int((time.monotonic() + 60) * 1000)),
         "--handshake-timeout", "10", "--typing-timeout", "60", "--peer", "::1 1", *options], pass_fds=high)
    for each in high:
        os.close(each)
    for file in files:
        file.close()
    return process, door


@case
def broker_that_thinks_longer_than_it_may():
    with gate() as served:
        silence = threading.Event()
        served.broker.answers["slow"] = lambda connection, _password: silence.wait(60)
        process, door = connection_alone(served, "--answer-timeout", "1")
        door.secure(served.ca)
        door.credentials("slow", "x")
        assert "in time" in refusal_of(door.result)
        silence.set()
        assert process.wait(30) == 1
        served.good()


@case
def gate_waits_for_slow_authentication_as_long_as_the_broker():
    for seconds in (1, 600):
        with gate(sections=f"[auth]\ntimeout = {seconds}s\n") as served:
            viewer, _ = served.session()
            line = pathlib.Path(f"/proc/{served.connections()[0]}/cmdline").read_text().split("\0")
            assert int(line[line.index("--answer-timeout") + 1]) > seconds + 30, line
            viewer.close()


@case
def viewer_that_leaves_while_the_broker_thinks():
    with gate() as served:
        left = threading.Event()

        def think(connection, _password):
            assert connection.recv(1) == b"", "the gate gives up"
            left.set()

        served.broker.answers["hasty"] = think
        door = served.door().secure(served.ca)
        door.credentials("hasty", "x")
        served.broker.logins.get(timeout=20)
        door.close()
        assert left.wait(20)
        served.good()


@case
def what_the_display_said_last_is_delivered():
    with gate() as served:
        for size in (1, 65536, 3 << 20):
            viewer, stream = served.session()
            data = random.Random(size).randbytes(size)

            def say_and_leave():
                stream.sendall(data)
                stream.close()

            display = threading.Thread(target=say_and_leave)
            display.start()
            for _ in range(50):
                viewer.write(b"\x05\0\0\1\0\1")  # input that nobody reads any more
            assert viewer.read(size) == data
            assert viewer.ended()
            display.join()
        eventually(lambda: not served.connections(), "no process is left")
        served.good()


@case
def connection_process_is_in_its_sandbox_before_the_peer_is_read():
    with gate() as served:
        door = served.door()
        door.write(b"R")
        pid = eventually(served.connections, "the connection's process")[0]
        eventually(lambda: status_of(pid, "Seccomp") == 2, "the sandbox")
        assert status_of(pid, "NoNewPrivs") == 1
        door.write(rfb.VERSION[1:])
        door.read(12)
        door.security_types()
        line = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
        assert b"--connection" in line and PASSWORD.encode() not in line
        if os.geteuid() == 0:
            files = sorted(int(fd) for fd in os.listdir(f"/proc/{pid}/fd"))
            assert len(files) <= 7, f"files {files}"
        served.good()


if __name__ == "__main__":
    main()
