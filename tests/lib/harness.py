# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole hotdesk of its own for one test: private directories, configuration, PAM service, free port, the starter.

    stack = Stack(users={"alice": "wonder", "bob": "builder"})
    stack.start()
    stack.cli("pool", "create", "desk", "image=tiny")
    ...
    stack.stop()            # asserts that nothing is left running

Environment: HOTDESK_BUILD (build directory, default build/release), HOTDESK_TINY (directory of the built tiny guest),
HOTDESK_KEEP=1 keeps the directory and prints its path, HOTDESK_ARTIFACTS (where screenshots and logs of failures go).
"""

import atexit
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from case import eventually

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("HOTDESK_BUILD", ROOT / "build/release")).resolve()


def _reachable_programs():
    """The directory of the programs; a copy where other users cannot enter it (a clone in a private directory), since the
    programs run under uids of their own."""
    programs = BUILD / "bin"
    if os.geteuid() != 0 or all(os.stat(path).st_mode & 1 for path in (programs, *programs.parents)):
        return programs
    copy = pathlib.Path(tempfile.mkdtemp(prefix="hotdesk-programs-"))
    atexit.register(shutil.rmtree, copy, ignore_errors=True)
    os.chmod(copy, 0o755)
    for program in programs.iterdir():
        if not program.name.startswith(("unit-", "fuzz-")):
            shutil.copy(program, copy)
    return copy


BIN = _reachable_programs()
PROGRAMS = ("gate", "auth", "broker", "host", "spawn")
RUN_AS = {"gate": 64101, "auth": 0, "broker": 64102, "host": 64103}


def process_alive(pid):
    """True while pid runs; a zombie is dead."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def status_of(pid, key):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1])
    raise KeyError(key)


def processes_with(text):
    """pid -> command line of each process whose command line or environment-independent argv contains text."""
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        try:
            line = pathlib.Path(f"/proc/{entry}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if text in line:
            found[int(entry)] = line
    return found


def hash_password(password):
    """A sha512-crypt hash by openssl, as passwd files hold it."""
    done = subprocess.run(["openssl", "passwd", "-6", "-stdin"], input=password + "\n", text=True, check=True,
                          capture_output=True)
    return done.stdout.strip()


class CliError(AssertionError):
    def __init__(self, arguments, done):
        super().__init__(f"hotdesk {' '.join(arguments)}: exit {done.returncode}: {done.stderr.strip()}")
        self.code = done.returncode
        self.stderr = done.stderr


class Stack:
    def __init__(self, users=None, conf=None, separate_users=None, pam=None):
        """users: name -> password (pam_pwdfile). conf: {"section": {"key": value}} over the defaults of tests.
        separate_users: programs under uids of their own (default: when the test runs as root).
        pam: the text of the PAM service file instead of pam_pwdfile's."""
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="hotdesk-test-"))
        os.chmod(self.directory, 0o755)
        self.users = dict(users or {})
        self.extra = conf or {}
        self.separate = os.geteuid() == 0 if separate_users is None else separate_users
        self.runtime = self.directory / "run"
        self.state = self.directory / "state"
        self.conf = self.directory / "hotdesk.conf"
        self.log = self.directory / "log"
        self.starter = None
        self.port = None
        self._write_pam(pam)

    # -- files ---------------------------------------------------------------------------------------------------

    def _write_pam(self, text):
        pam = self.directory / "pam.d"
        pam.mkdir()
        passwords = self.directory / "passwords"
        lines = [f"{name}:{hash_password(password)}\n" for name, password in self.users.items()]
        passwords.write_text("".join(lines))
        (pam / "hotdesk").write_text(text or (
            f"auth required pam_pwdfile.so pwdfile={passwords}\n"
            "account required pam_permit.so\n"))

    def write_conf(self):
        sections = {
            "paths": {"runtime-dir": self.runtime, "state-dir": self.state},
            "gate": {"listen": f"127.0.0.1:{self.port}"},
            "auth": {"pam-directory": self.directory / "pam.d"},
            "host": {"accel": "tcg", "network": "none"},
            "run-as": {},
        }
        if self.separate:
            sections["run-as"] = {name: uid for name, uid in RUN_AS.items()}
        for section, keys in self.extra.items():
            sections.setdefault(section, {}).update(keys)
        text = ""
        for section, keys in sections.items():
            if keys:
                text += f"[{section}]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items())
        self.conf.write_text(text)

    # -- life ----------------------------------------------------------------------------------------------------

    def start(self, without=()):
        self.port = self.port or free_port()  # the same one for a gate that is started again
        self.write_conf()
        command = [BIN / "hotdesk-starter", "--config", self.conf]
        if without:
            command += ["--without", ",".join(without)]
        with open(self.log, "ab") as log:
            self.starter = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            self._wait_ready(without)
        except AssertionError:
            print(self.log_tail())
            raise
        return self

    def _wait_ready(self, without):
        def starter_lives():
            assert self.starter.poll() is None, f"hotdesk-starter ended with {self.starter.returncode}"
            return True

        sockets = {"spawn": "spawn/spawn.sock", "auth": "auth/auth.sock", "host": "host/host.sock",
                   "broker": "broker/admin.sock"}
        for program, path in sockets.items():
            if program not in without:
                eventually(lambda p=path: starter_lives() and (self.runtime / p).exists(), f"{program} serves", 30)
        if "gate" not in without:
            port = self.runtime / "gate/port"
            eventually(lambda: starter_lives() and port.exists() and port.read_text().strip(), "gate serves", 30)
            self.port = int(port.read_text().split()[0])
            eventually(self.ca.exists, "the gate's CA", 10)
        if "host" not in without and "broker" not in without:
            eventually(lambda: self.cli("host", "show", check=False).returncode == 0, "the broker reaches the host", 30)

    @property
    def ca(self):
        return self.state / "gate/ca.pem"

    def pid_of(self, program):
        """The pid of gate, auth, broker, host or spawn as the starter recorded it."""
        return int((self.runtime / f"starter/{program}.pid").read_text())

    def kill_program(self, program, wait=True):
        """SIGKILL to one of the starter's programs; waits until the starter has put a new one in its place."""
        old = self.pid_of(program)
        os.kill(old, signal.SIGKILL)
        eventually(lambda: not process_alive(old), f"{program} {old} ends", 10)
        if wait:
            def again():
                try:
                    new = self.pid_of(program)
                except (FileNotFoundError, ValueError):
                    return None
                return new if new != old and process_alive(new) else None
            return eventually(again, f"the starter starts {program} again", 30)
        return None

    def children(self, program):
        """pid -> command line of the processes of this stack that run hotdesk-PROGRAM or qemu."""
        found = {}
        for pid in self._own_pids():
            try:
                line = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except (FileNotFoundError, ProcessLookupError):
                continue
            words = line.split()
            if words and os.path.basename(words[0]) in (f"hotdesk-{program}", program):
                found[pid] = line
        return found

    def _own_pids(self):
        """Everything below the starter, which is the sub-reaper of all that the programs leave behind."""
        parents = {}
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    stat = pathlib.Path(f"/proc/{entry}/stat").read_text()
                except (FileNotFoundError, ProcessLookupError):
                    continue
                state, parent = stat.rsplit(")", 1)[1].split()[:2]
                if state != "Z":
                    parents[int(entry)] = int(parent)
        own, grew = {self.starter.pid}, True
        while grew:
            more = {pid for pid, parent in parents.items() if parent in own and pid not in own}
            grew = bool(more)
            own |= more
        return own

    def log_tail(self, lines=60):
        if not self.log.exists():
            return ""
        return "".join(self.log.read_text(errors="replace").splitlines(keepends=True)[-lines:])

    def stop(self):
        """Ends everything; the log goes to HOTDESK_ARTIFACTS. Fails when a process of the stack survives."""
        left = {}
        if self.starter:
            own = self._own_pids() - {self.starter.pid}
            self.starter.send_signal(signal.SIGTERM)
            try:
                self.starter.wait(60)
            except subprocess.TimeoutExpired:
                self.starter.kill()
                self.starter.wait()
                left["starter"] = "did not stop within 60 s"
            end = time.monotonic() + 5
            while any(process_alive(pid) for pid in own) and time.monotonic() < end:
                time.sleep(0.05)
            for pid in own:
                if process_alive(pid):
                    left[pid] = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
                    os.kill(pid, signal.SIGKILL)
            self.starter = None
        artifacts = os.environ.get("HOTDESK_ARTIFACTS")
        if artifacts and self.log.exists():
            os.makedirs(artifacts, exist_ok=True)
            shutil.copy(self.log, pathlib.Path(artifacts) / (self.directory.name + ".log"))
        if os.environ.get("HOTDESK_KEEP") == "1":
            print(f"kept {self.directory}")
        else:
            shutil.rmtree(self.directory, ignore_errors=True)
        assert not left, f"left running after the starter stopped: {left}"

    # -- administration ------------------------------------------------------------------------------------------

    def cli(self, *arguments, check=True, timeout=300, env=None):
        """Runs `hotdesk`; returns the CompletedProcess. check: CliError when it does not exit 0."""
        arguments = [str(argument) for argument in arguments]
        # Not a copy of it: beside it stand the tools that build images.
        done = subprocess.run([BUILD / "bin/hotdesk", "--config", self.conf, *arguments], text=True, capture_output=True,
                              timeout=timeout, stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})})
        if check and done.returncode != 0:
            raise CliError(arguments, done)
        return done

    def json(self, *arguments, **options):
        return json.loads(self.cli("-o", "json", *arguments, **options).stdout)

    def desktops(self, **where):
        return [row for row in self.json("desktop", "list") if all(row.get(k) == v for k, v in where.items())]

    def import_tiny(self, name="tiny"):
        tiny = pathlib.Path(os.environ["HOTDESK_TINY"])
        return self.cli("image", "import", name, tiny / "disk.qcow2", "--kernel", tiny / "vmlinux", "--initrd",
                        tiny / "initrd")

    def tiny_pool(self, name="desk", users=(), **keys):
        """The usual set-up: the tiny image imported, one pool, users entitled."""
        if "tiny" not in [image["name"] for image in self.json("image", "list")]:
            self.import_tiny()
        settings = {"image": "tiny", "memory": "384M", "vcpus": 1, "max": 4, **keys}
        self.cli("pool", "create", name, *[f"{key.replace('_', '-')}={value}" for key, value in settings.items()])
        for user in users or self.users:
            self.cli("pool", "entitle", name, "--user", user)

    def wait_desktops(self, count, state="ready", timeout=240, **where):
        """Waits until `count` desktops are in `state` (and match where); returns them."""
        def there():
            rows = self.desktops(state=state, **where)
            return rows if len(rows) >= count else None
        return eventually(there, lambda: f"{count} desktops {state} {where}: {self.json('desktop', 'list')}\n"
                          + self.log_tail(), timeout, 0.2)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
