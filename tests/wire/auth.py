#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real hotdesk-auth with real PAM: pam_unix accounts of a private mount namespace's passwd, shadow and group."""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from accounts import PAST, STALE, UNIX, Account, Accounts
from case import Skip, case, eventually, main
from harness import BIN, hash_password, process_alive
from own_mounts import own_mounts

OK, DENIED, EXPIRED, LOCKED, NOT_PERMITTED, BUSY, FAILED = range(7)
INCORRECT = "Login incorrect: check the user name and password, then try again."
UNKNOWN_UID = 0xffffffff
PASSWORD = "Wonder land: 42"

work = None
accounts = None


def setup():
    global work, accounts
    if os.geteuid() != 0:
        raise Skip("needs root: accounts of its own are mounted over /etc/passwd and /etc/shadow")
    work = pathlib.Path(tempfile.mkdtemp(prefix="hotdesk-auth-"))
    os.chmod(work, 0o755)
    hashed = hash_password(PASSWORD)
    crowd = ",".join(f"colleague{number}" for number in range(9000))
    accounts = Accounts(work, [
        Account("root", 0, hashed),
        Account("alice", 5001, hashed, b"Alice Liddell,Room 1,,"),
        Account("latin", 5002, hashed, "J\u00fcrgen,,,".encode("latin-1")),
        Account("gone", 5003, hashed, ageing=PAST),
        Account("stale", 5004, hashed, ageing=STALE),
        Account("locked", 5005, "!" + hashed),
        Account("system", 500, hashed),
        Account("empty", 5006, ""),
    ], f"designers:x:6001:alice,latin\neverybody:x:6002:{crowd},alice\n".encode())


def teardown():
    if accounts:
        accounts.remove()
    if work:
        shutil.rmtree(work)


class Auth:
    def __init__(self, service, environment=None, **keys):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="serve-", dir=work))
        os.chmod(self.directory, 0o755)
        (self.directory / "auth").mkdir()
        (self.directory / "hotdesk").write_text(service)
        self.log = self.directory / "log"
        self.socket = self.directory / "auth/auth.sock"
        keys = {"pam-directory": self.directory, **{key.replace("_", "-"): value for key, value in keys.items()}}
        conf = self.directory / "hotdesk.conf"
        conf.write_text(f"[paths]\nruntime-dir = {self.directory}\nstate-dir = {self.directory}\n[auth]\n"
                        + "".join(f"{key} = {value}\n" for key, value in keys.items()))
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([BIN / "hotdesk-auth", "--config", conf], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, env={**os.environ, **(environment or {})})
        eventually(lambda: self.socket.exists() or self.process.poll() is not None, "hotdesk-auth serves")
        assert self.process.poll() is None, self.log.read_text()

    def begin(self, name, password, peer="192.0.2.7 4711", wrapper=()):
        tool = subprocess.Popen([*wrapper, BIN / "auth-client-tool", self.socket, name, peer], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE)
        tool.stdin.write(password if isinstance(password, bytes) else password.encode())
        tool.stdin.close()
        return tool

    @staticmethod
    def end(tool):
        answer = {"group": []}
        for line in tool.stdout.read().decode().splitlines():
            key, _, value = line.partition(" ")
            if key == "group":
                answer["group"].append(value)
            else:
                answer[key] = int(value) if key in ("result", "uid", "gid") else value
        tool.stdout.close()
        assert tool.wait() == 0
        return answer

    def ask(self, *arguments, **options):
        return self.end(self.begin(*arguments, **options))

    def refused(self, result, name, password=PASSWORD, text=None):
        """The answer is `result` with a text and no identity, and a good login works right after."""
        answer = self.ask(name, password)
        assert answer["result"] == result, answer
        assert answer["text"] and "name" not in answer, answer
        assert text is None or answer["text"] == text, answer
        self.good()
        return answer

    def good(self, name="alice"):
        answer = self.ask(name, PASSWORD)
        assert answer["result"] == OK and answer["name"] == name, (answer, self.log.read_text())
        return answer

    def attempts(self):
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(pid) for pid in children if process_alive(int(pid))]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(20) == 0, self.log.read_text()
        text = self.log.read_text()
        assert PASSWORD not in text, "the password is in the log"
        assert "Sanitizer" not in text, text


@contextlib.contextmanager
def serving(service=UNIX, environment=None, **keys):
    auth = Auth(service, environment, **keys)
    try:
        yield auth
    except BaseException:
        print(auth.log.read_text())
        auth.process.kill()
        auth.process.wait()
        raise
    auth.stop()


@case
def identity_of_a_good_login():
    with serving() as auth:
        answer = auth.good()
        assert (answer["uid"], answer["gid"], answer["full_name"]) == (5001, 5001, "Alice Liddell"), answer
        assert sorted(answer["group"]) == ["alice", "designers", "everybody"], answer


@case
def gecos_of_another_encoding():
    with serving() as auth:
        answer = auth.good("latin")
        assert answer["full_name"] == "J?rgen" and "designers" in answer["group"], answer


@case
def wrong_password_and_unknown_user_look_the_same():
    with serving() as auth:
        wrong = auth.refused(DENIED, "alice", "wrong", INCORRECT)
        unknown = auth.refused(DENIED, "nobody-of-that-name", PASSWORD, INCORRECT)
        assert wrong == unknown
        assert auth.refused(DENIED, "alice", "", INCORRECT) == wrong
        assert auth.refused(DENIED, "alice", PASSWORD + "\0", INCORRECT) == wrong
        assert auth.refused(DENIED, "empty", "", INCORRECT) == wrong


@case
def account_without_a_password_gets_nobody_in():
    with serving("auth required pam_unix.so nullok\naccount required pam_unix.so\n") as auth:
        auth.refused(DENIED, "empty", "", INCORRECT)


@case
def names_that_are_none():
    with serving() as auth:
        for name in ("", "a" * 256, "a/b", "a:b", "a\nb", "\u009b"):
            auth.refused(DENIED, name, PASSWORD, INCORRECT)


@case
def expired_and_locked_accounts():
    with serving() as auth:
        assert "expired" in auth.refused(EXPIRED, "gone")["text"]
        assert "expired" in auth.refused(EXPIRED, "stale")["text"]
        auth.refused(DENIED, "locked", PASSWORD, INCORRECT)
        auth.refused(DENIED, "gone", "wrong", INCORRECT)


@case
def account_refused_by_the_account_stack():
    listed = "account required pam_listfile.so item=user sense=deny onerr=fail file={}\n"
    names = work / "refused-names"
    names.write_text("latin\n")
    with serving(UNIX + listed.format(names)) as auth:
        assert "locked" in auth.refused(LOCKED, "latin")["text"]
        auth.refused(DENIED, "latin", "wrong", INCORRECT)


@case
def root_and_system_accounts():
    with serving() as auth:
        auth.refused(NOT_PERMITTED, "root")
        auth.refused(NOT_PERMITTED, "system")
        auth.refused(DENIED, "root", "wrong", INCORRECT)
    with serving(min_uid=500) as auth:
        assert auth.good("system")["uid"] == 500
        auth.refused(NOT_PERMITTED, "root")
    with serving(allow_root="yes") as auth:
        assert auth.good("root")["uid"] == 0


@case
def user_that_the_name_service_does_not_know():
    passwords = work / "passwords"
    passwords.write_text(f"stranger:{hash_password(PASSWORD)}\nalice:{hash_password(PASSWORD)}\n")
    service = f"auth required pam_pwdfile.so pwdfile={passwords}\naccount required pam_permit.so\n"
    with serving(service) as auth:
        answer = auth.good("stranger")
        assert (answer["uid"], answer["group"], answer["full_name"]) == (UNKNOWN_UID, [], ""), answer
        assert auth.good("alice")["uid"] == 5001


@case
def peer_and_terminal_reach_pam():
    seen = work / "seen"
    script = work / "look"
    script.write_text(f"#!/bin/sh\necho \"$PAM_RHOST $PAM_TTY $PAM_USER\" > {seen}\n")
    script.chmod(0o755)
    with serving(f"auth required pam_exec.so quiet {script}\n" + UNIX) as auth:
        auth.good()
        assert seen.read_text().split() == ["192.0.2.7", "hotdesk", "alice"], seen.read_text()


@case
def credentials_are_deleted_and_no_session_is_opened():
    seen = work / "calls"
    record = f"{{}} required {BIN}/pam-record.so {seen}\n"
    service = UNIX + record.format("auth") + record.format("account") + record.format("session")
    with serving(service) as auth:
        auth.refused(EXPIRED, "gone")  # and a good login behind it
        assert seen.read_text() == "authenticate\nacct_mgmt\nsetcred delete\n" * 2, seen.read_text()


def waiting_service(flag):
    script = work / "wait"
    script.write_text(f"#!/bin/sh\nwhile [ -d {work} ] && [ ! -e {flag} ]; do sleep 0.05; done\n")
    script.chmod(0o755)
    return f"auth required pam_exec.so quiet {script}\n" + UNIX


@case
def more_attempts_than_allowed_are_asked_to_try_again():
    flag = work / "go"
    with serving(waiting_service(flag), max_attempts=2) as auth:
        waiting = [auth.begin("alice", PASSWORD) for _ in range(2)]
        eventually(lambda: len(auth.attempts()) == 2, "two attempts run")
        answer = auth.ask("alice", PASSWORD)
        assert answer["result"] == BUSY and "try again" in answer["text"], answer
        flag.touch()
        assert [auth.end(tool)["result"] for tool in waiting] == [OK, OK]
        eventually(lambda: not auth.attempts(), "the attempts end")
        auth.good()


@case
def module_that_hangs_is_ended_by_the_timeout():
    flag = work / "never"
    with serving(waiting_service(flag), timeout="1s") as auth:
        tool = auth.begin("alice", PASSWORD)
        attempts = eventually(auth.attempts, "the attempt runs")
        answer = auth.end(tool)
        assert answer["result"] == FAILED and answer["text"], answer
        eventually(lambda: not any(map(process_alive, attempts)), "the attempt's process ends")
        flag.touch()
        auth.good()


@case
def attempt_that_crashes_costs_one_login():
    flag = work / "after-crash"
    with serving(waiting_service(flag)) as auth:
        tool = auth.begin("alice", PASSWORD)
        os.kill(eventually(auth.attempts, "the attempt runs")[0], signal.SIGABRT)
        assert auth.end(tool)["result"] == FAILED
        flag.touch()
        auth.good()


@case
def service_that_is_missing():
    # libpam 1.5.2 loses memory of its own when pam_start fails.
    suppressions = work / "libpam.supp"
    suppressions.write_text("leak:libpam.so\n")
    with serving(environment={"LSAN_OPTIONS": f"suppressions={suppressions}:print_suppressions=0"},
                 pam_service="hotdesk") as auth:
        (auth.directory / "hotdesk").rename(auth.directory / "elsewhere")
        answer = auth.ask("alice", PASSWORD)
        assert answer["result"] in (DENIED, FAILED), answer
        (auth.directory / "elsewhere").rename(auth.directory / "hotdesk")
        auth.good()


@case
def other_users_are_not_served():
    with serving() as auth:
        answer = auth.ask("alice", PASSWORD, wrapper=["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"])
        assert answer["result"] == BUSY, answer
        assert not auth.attempts()
        auth.good()


@case
def nothing_is_left_of_attempts():
    with serving() as auth:
        auth.good()
        files = f"/proc/{auth.process.pid}/fd"
        eventually(lambda: not auth.attempts(), "the attempt ends")
        before = len(os.listdir(files))
        for _ in range(10):
            auth.good()
        eventually(lambda: not auth.attempts() and len(os.listdir(files)) <= before, "files and processes are gone")


if __name__ == "__main__":
    own_mounts()
    main(setup, teardown)
