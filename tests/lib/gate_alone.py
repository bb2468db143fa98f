# SPDX-License-Identifier: GPL-3.0-or-later
"""A hotdesk-gate alone, with a fake broker behind it and private directories: for the wire tests of the gate.

    with gate(typing_timeout="2s") as served:
        viewer, display = served.session()
"""

import contextlib
import hashlib
import os
import pathlib
import random
import shutil
import signal
import subprocess
import tempfile
import threading

import rfb
from case import eventually
from fake_broker import FakeBroker
from harness import BIN, RUN_AS, process_alive

NAME, PASSWORD = "alice", "Wonder land: 42"


def children_of(pid):
    try:
        return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
                if process_alive(int(child))]
    except (FileNotFoundError, ProcessLookupError):
        return []


class Gate:
    """A gate under a uid of its own where the test may choose it, with its broker and private directories."""

    def __init__(self, directory=None, broker=True, **keys):
        self.directory = directory or pathlib.Path(tempfile.mkdtemp(prefix="hotdesk-gate-"))
        os.chmod(self.directory, 0o755)
        self.run, self.state = self.directory / "run/gate", self.directory / "state/gate"
        self.log = self.directory / "log"
        self.conf = self.directory / "hotdesk.conf"
        self.uid = RUN_AS["gate"] if os.geteuid() == 0 and os.access(BIN, os.X_OK) and self._others_may_run() else None
        for path in (self.run, self.state, self.directory / "run/broker"):
            path.mkdir(parents=True, exist_ok=True)
            if self.uid and path.name == "gate":
                os.chown(path, self.uid, self.uid)
        self.broker = FakeBroker(self.directory / "run/broker/gate.sock") if broker else None
        if broker:
            self.broker.answers[NAME] = self.broker.accept(PASSWORD)
        self.write_conf(**keys)
        self.start()

    @staticmethod
    def _others_may_run():
        return all(os.stat(path).st_mode & 1 for path in [BIN / "hotdesk-gate", *(BIN / "x").parents])

    def write_conf(self, sections="", **keys):
        keys = {"listen": "127.0.0.1:0", **{key.replace("_", "-"): value for key, value in keys.items()}}
        self.conf.write_text(f"[paths]\nruntime-dir = {self.directory}/run\nstate-dir = {self.directory}/state\n[gate]\n"
                             + "".join(f"{key} = {value}\n" for key, value in keys.items()) + sections)

    def _as_its_user(self):
        return ["setpriv", f"--reuid={self.uid}", f"--regid={self.uid}", "--clear-groups"] if self.uid else []

    def limit(self, resource, value):
        """Changes a soft limit of the running listener, as its own user may."""
        subprocess.run([*self._as_its_user(), "prlimit", "--pid", str(self.process.pid), f"--{resource}={value}:"],
                       check=True)

    def start(self):
        ready = self.log.read_text(errors="replace").count("ready on") if self.log.exists() else 0
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([*self._as_its_user(), BIN / "hotdesk-gate", "--config", self.conf], stdout=log,
                                            stderr=log, stdin=subprocess.DEVNULL)
        eventually(lambda: self.said("ready on", ready + 1) or self.process.poll() is not None, "hotdesk-gate is ready")
        if self.process.poll() is None:
            self.ports = [int(port) for port in (self.run / "port").read_text().split()]
            self.port = self.ports[0]

    def said(self, text, times=1):
        """Whether this gate's own process has logged `text`."""
        return self.log.read_text(errors="replace").count(text) >= times if self.log.exists() else False

    @property
    def ca(self):
        return self.state / "ca.pem"

    def connections(self):
        return children_of(self.process.pid)

    def login(self, name=NAME, password=PASSWORD, **options):
        return rfb.login(self.port, name, password, **{"ca": self.ca, "timeout": 30, **options})

    def session(self, **options):
        """A good login: the viewer's side and the display's."""
        viewer = self.login(**options)
        return viewer, self.broker.stream()

    def good(self):
        """A good login gets in and its bytes pass."""
        viewer, stream = self.session()
        viewer.write(b"hello")
        assert stream.recv(5) == b"hello"
        viewer.close()
        stream.close()

    def door(self, **options):
        return rfb.Door(self.port, timeout=20, **options)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(20) == 0, self.log.read_text()
        text = self.log.read_text(errors="replace")
        assert "ended by signal" not in text and "Sanitizer" not in text, text
        assert PASSWORD not in text, "the password is in the log"

    def remove(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.broker:
            self.broker.stop()
        shutil.rmtree(self.directory)


@contextlib.contextmanager
def gate(**keys):
    served = Gate(**keys)
    try:
        yield served
        served.stop()
    except BaseException:
        print(served.log.read_text(errors="replace"))
        raise
    finally:
        served.remove()


def refusal_of(action):
    try:
        action()
    except rfb.Refused as refused:
        return str(refused)
    raise AssertionError("was not refused")


def copy_both_ways(viewer, stream, size):
    """Sends size bytes each way at once and compares their digests."""
    data = random.Random(size).randbytes(size)
    up = threading.Thread(target=viewer.write, args=(data,))
    up.start()
    seen = hashlib.sha256()
    left = size
    while left:
        block = stream.recv(min(left, 1 << 16))
        seen.update(block)
        left -= len(block)
    up.join()
    assert seen.digest() == hashlib.sha256(data).digest(), "what the viewer sent"
    down = threading.Thread(target=stream.sendall, args=(data,))
    down.start()
    assert viewer.read(size) == data, "what the display sent"
    down.join()


def fingerprint(served):
    door = served.door().secure(served.ca)
    with contextlib.closing(door):
        return hashlib.sha256(door.sock.getpeercert(True)).hexdigest()


def make_pem(directory, name, days=30):
    """A self-signed pair; negative days: expired."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)

    names = directory / "names"
    names.write_text("subjectAltName = DNS:localhost, IP:127.0.0.1\n")
    openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
            "-keyout", f"{name}.key", "-out", f"{name}.csr")
    openssl("x509", "-req", "-in", f"{name}.csr", "-signkey", f"{name}.key", "-days", str(days), "-extfile", names,
            "-out", f"{name}.pem")
    os.chmod(directory / f"{name}.key", 0o644)
    return {"certificate": directory / f"{name}.pem", "key": directory / f"{name}.key"}
