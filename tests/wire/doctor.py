#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""`hotdesk doctor` on a hotdesk that is well, one that does not run, and ones with a fault each: the fault is a problem
with what to do, and nothing else is."""

import contextlib
import json
import os
import pathlib
import pty
import socket
import subprocess
import sys
import termios

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from case import Skip, case, eventually, main
from gate_alone import make_pem
from harness import BIN, Stack
from own_mounts import root_is_mount_point

stack = None


def setup():
    global stack
    stack = Stack(users={"alice": "wonder"})
    stack.start()
    disk = stack.directory / "disk.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", disk, "64M"], check=True)
    for _ in range(2):
        stack.cli("image", "import", "office", disk)


def teardown():
    if stack:
        stack.stop()


def examine(*arguments, conf=None, password="", prefix=()):
    """Exit code and findings."""
    done = subprocess.run([*prefix, BIN / "hotdesk", "--config", conf or stack.conf, "-o", "json", "doctor", *arguments],
                          text=True, capture_output=True, timeout=120, input=password)
    assert done.returncode in (0, 1), f"exit {done.returncode}: {done.stderr}"
    reply = json.loads(done.stdout)
    problems = [row for row in reply["findings"] if row["level"] == "problem"]
    assert len(problems) == reply["problems"] and done.returncode == (1 if problems else 0), done.stdout
    return done.returncode, reply["findings"]


def of(findings, what):
    return [(row["level"], row["text"]) for row in findings if row["what"] == what]


def one_problem(findings, what, part):
    """Exactly one problem, of `what`, whose text or advice has `part`."""
    problems = [row for row in findings if row["level"] == "problem"]
    assert [row["what"] for row in problems] == [what], problems
    said = f"{problems[0]['text']}: {problems[0]['todo']}"
    assert part in said, said


def changed(old, new, name="changed.conf"):
    path = stack.directory / name
    text = stack.conf.read_text()
    assert old in text, (old, text)
    path.write_text(text.replace(old, new))
    return path


@contextlib.contextmanager
def put_back(path):
    info, data = os.stat(path), path.read_bytes() if path.is_file() else None
    try:
        yield
    finally:
        if data is not None:
            path.write_bytes(data)
        os.chown(path, info.st_uid, info.st_gid)
        os.chmod(path, info.st_mode & 0o7777)


@case
def all_is_well():
    code, findings = examine()
    assert code == 0, findings
    assert len([level for level, text in of(findings, "programs") if level == "ok" and "answers" in text]) == 5, findings
    assert of(findings, "images") == [("ok", "office:2 is as it was imported")], findings
    assert of(findings, "kvm") == [("note", "accel = tcg in [host]: desktops are emulated and slow")], findings
    assert of(findings, "pam")[0][0] == of(findings, "certificate")[0][0] == "ok", findings
    printed = stack.cli("doctor").stdout
    assert [line.split()[:3] for line in printed.splitlines()][0] == ["ok", "programs", "hotdesk-auth"], printed


@case
def a_machine_without_pulseaudio():
    assert of(examine()[1], "sound")[0][0] == "ok"
    if os.geteuid() != 0 or not root_is_mount_point():
        raise Skip("only root can hide a program, and not in a plain chroot, where others might see it")
    hide = "mount --bind /dev/null /usr/bin/pulseaudio && exec \"$@\""
    code, findings = examine(prefix=("unshare", "--mount", "sh", "-c", hide, "sh"))
    level, text = of(findings, "sound")[0]
    assert code == 0 and level == "note" and "desktops are silent" in text, findings


@case
def all_images_where_asked():
    _, findings = examine("--all")
    assert [text.split()[0] for _, text in of(findings, "images")] == ["office:1", "office:2"], findings


@case
def a_login_is_tried():
    code, findings = examine("--user", "alice", password="wonder\n")
    assert code == 0 and "alice may log in" in of(findings, "login")[0][1], findings
    one_problem(examine("--user", "alice", password="wrong\n")[1], "login", "alice: ")
    one_problem(examine("--user", "nobody-there", password="wonder")[1], "login", "nobody-there: ")
    done = stack.cli("doctor", "--user", check=False)
    assert done.returncode == 2, done


def typed(keys):
    """Runs `doctor --user alice` at a terminal: exit code, and whether the keys were echoed or the echo stayed off."""
    master, slave = pty.openpty()
    try:
        with subprocess.Popen([BIN / "hotdesk", "--config", stack.conf, "doctor", "--user", "alice"], stdin=slave,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            eventually(lambda: not termios.tcgetattr(slave)[3] & termios.ECHO, "the terminal does not echo")
            os.write(master, keys)
            out, err = process.communicate(timeout=60)
        assert "Password of alice: " in err, err
        os.set_blocking(master, False)
        with contextlib.suppress(BlockingIOError):
            assert keys.strip() not in os.read(master, 1000), "the password is on the screen"
        assert termios.tcgetattr(slave)[3] & termios.ECHO, "the terminal stays without echo"
        return process.returncode, out
    finally:
        os.close(master)
        os.close(slave)


@case
def the_password_is_asked_for_without_echo():
    code, out = typed(b"wonder\n")
    assert code == 0 and "alice may log in" in out, out
    code, out = typed(b"won\x03")
    assert code == 1 and "alice could not be tried" in out, out


@case
def a_damaged_image():
    disk = stack.state / "host/images/office/2/disk.qcow2"
    with put_back(disk):
        with open(disk, "r+b") as there:
            there.seek(1000)
            there.write(b"not what was imported")
        one_problem(examine()[1], "images", "hotdesk image delete office:2")
    assert examine()[0] == 0


@case
def an_expired_certificate():
    pair = make_pem(stack.directory, "old", days=-1)
    conf = changed("[gate]\n", f"[gate]\ncertificate = {pair['certificate']}\nkey = {pair['key']}\n")
    os.chmod(pair["key"], 0o600)
    one_problem(examine(conf=conf)[1], "certificate", "renew it where it comes from")
    pair = make_pem(stack.directory, "soon", days=5)
    os.chmod(pair["key"], 0o600)
    conf = changed("[gate]\n", f"[gate]\ncertificate = {pair['certificate']}\nkey = {pair['key']}\n")
    code, findings = examine(conf=conf)
    assert code == 0 and of(findings, "certificate")[0][0] == "note", findings
    os.chmod(pair["key"], 0o644)
    one_problem(examine(conf=conf)[1], "certificate", "may be read by everybody")
    conf = changed("[gate]\n", f"[gate]\ncertificate = {pair['certificate']}\nkey = {stack.directory}/old.key\n")
    one_problem(examine(conf=conf)[1], "certificate", "do not belong together")


@case
def wrong_owners_and_modes():
    if os.geteuid() != 0:
        raise Skip("needs root: it gives a directory away")
    with put_back(stack.state / "broker"):
        os.chmod(stack.state / "broker", 0o755)
        one_problem(examine()[1], "rights", "chmod 0700")
    with put_back(stack.state / "host"):
        os.chown(stack.state / "host", 12345, 12345)
        one_problem(examine()[1], "rights", "chown -R 64103")
    _, findings = examine(conf=changed("gate = 64101", "gate = nobody-there"))
    one_problem(findings, "rights", "there is no user nobody-there")


@case
def the_pam_service():
    service = stack.directory / "pam.d/hotdesk"
    for text, part in (("auth required pam_unix.so\n", "no line for account"),
                       ("account required pam_unix.so\n", "no line for auth"),
                       ("auth required pam_permit.so\naccount required pam_unix.so\n", "every password"),
                       ("auth required pam_unix.so\naccount required pam_nothing.so\n", "pam_nothing.so"),
                       ("auth required pam_unix.so\naccount required pam_unix.so\nand more\n", "line 3")):
        with put_back(service):
            service.write_text(text)
            one_problem(examine()[1], "pam", part)
    with put_back(service):
        os.chmod(service, 0o666)
        one_problem(examine()[1], "pam", "chmod")
    conf = changed("[auth]\n", "[auth]\npam-service = missing\n")
    one_problem(examine(conf=conf)[1], "pam", "pam-service in [auth]")


@case
def as_somebody_else():
    if os.geteuid() != 0:
        raise Skip("needs root: it becomes somebody else")
    code, findings = examine(prefix=("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"))
    assert code == 0, findings
    assert ("note", "not root: what only root may see is left out") in of(findings, "rights"), findings
    assert ("note", "hotdesk-broker may not be asked by this user") in of(findings, "programs"), findings
    assert of(findings, "images")[0][0] == "note", findings


@case
def nothing_runs():
    nowhere = stack.directory / "nowhere"
    conf = changed(str(stack.runtime), str(nowhere))
    conf.write_text(conf.read_text().replace(f"state-dir = {stack.state}", f"state-dir = {nowhere}/state")
                    .replace(f":{stack.port}", ":0"))
    code, findings = examine(conf=conf)
    assert code == 1, findings
    assert sorted(of(findings, "programs")) == sorted(
        ("problem", f"hotdesk-{name} does not run") for name in ("auth", "host", "broker", "spawn", "gate")), findings
    assert {row["what"] for row in findings if row["level"] == "problem"} == {"programs"}, findings
    assert of(findings, "certificate")[0][0] == of(findings, "images")[0][0] == "note", findings
    assert not nowhere.exists(), "it made something"
    one = examine("--user", "alice", password="wonder", conf=conf)[1]
    assert [level for level, _ in of(one, "login")] == ["problem"], one


@case
def a_disk_with_little_room():
    directory = stack.directory / "small"
    directory.mkdir()
    mount = ["unshare", "--mount", "sh", "-c", f'mount -t tmpfs -o size=64m none {directory} && exec "$@"', "sh"]
    if subprocess.run([*mount, "true"], capture_output=True, check=False).returncode != 0:
        raise Skip("needs root and mounts of its own")
    conf = changed(f"state-dir = {stack.state}", f"state-dir = {directory}", "small.conf")
    disk, = [row for row in examine(conf=conf, prefix=mount)[1] if row["what"] == "disk"]
    assert disk["level"] == "problem" and disk["text"] == f"only 64 MiB are free for {directory}", disk
    assert "make room" in disk["todo"], disk


@case
def nftables_that_cannot_be_used():
    if os.geteuid() != 0:
        raise Skip("needs root: it gives a right up")
    conf = changed("network = none", "network = nat", "nat.conf")
    conf.write_text(conf.read_text().replace(str(stack.runtime), str(stack.directory / "nothing")))
    examined = {}
    for name, prefix in (("with", ["env"]), ("without", ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"])):
        examined[name], = [row for row in examine(conf=conf, prefix=prefix)[1] if row["what"] == "nftables"]
    if examined["with"]["level"] != "ok":
        raise Skip(f"nftables cannot be used here at all: {examined['with']['text']}")
    assert examined["without"]["level"] == "problem" and "network = none" in examined["without"]["todo"], examined


@case
def a_program_that_hangs():
    nowhere = stack.directory / "hung"
    (nowhere / "auth").mkdir(parents=True)
    conf = changed(str(stack.runtime), str(nowhere), "hung.conf")
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(nowhere / "auth/auth.sock"))
        silent.listen()
        _, findings = examine(conf=conf)
    auth = [row for row in findings if row["text"].startswith("hotdesk-auth does not answer")]
    assert len(auth) == 1 and "see its log" in auth[0]["todo"], findings


main(setup, teardown)
