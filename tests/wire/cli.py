#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""`hotdesk` against the real broker and host: each command's good and bad use, its exit code, and that each message says
what to do next. The image is an empty disk: its desktops start and never get ready, which is enough for an administrator."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from admin import AdminStack  # noqa: E402
from case import Skip, case, eventually, main  # noqa: E402
from harness import BIN  # noqa: E402

stack = None
disk = None


def setup():
    global stack, disk
    stack = AdminStack()
    disk = stack.disk
    stack.begin()


def teardown():
    if stack:
        stack.stop()


def refused(code, part, *arguments):
    return stack.refused(code, part, *arguments)


def said(part, *arguments):
    return stack.said(part, *arguments)


def need_image():
    if not [image for image in stack.json("image", "list") if image["name"] == "empty"]:
        stack.cli("image", "import", "empty", disk)


def need_pool(name, *keys):
    need_image()
    if name not in [pool["name"] for pool in stack.json("pool", "list")]:
        stack.cli("pool", "create", name, "image=empty", "memory=64M", "vcpus=1", *keys)


def desktops_of(pool):
    return stack.json("desktop", "list", "--pool", pool)


def spare_started(pool):
    """Waits for the pool's spare; returns its row."""
    def there():
        rows = [row for row in desktops_of(pool) if row["state"] in ("booting", "ready")]
        return rows[0] if rows else None
    return eventually(there, lambda: f"a spare of {pool}: {desktops_of(pool)}\n{stack.log_tail()}", 60)


@case
def help_at_each_level():
    everything = said("Usage: hotdesk COMMAND", "--help")
    for line in everything.splitlines():
        if line.startswith("  ") and not line.startswith("  -"):
            words = line[2:26].split()
            said(f"Usage: hotdesk {' '.join(words)}", *words, "--help")
            said("Usage: hotdesk " + words[0], words[0], "--help")
    said("min-spare=0..1000", "pool", "set", "--help")
    said("hotdesk 0.", "--version")


@case
def wrong_words_are_usage_errors():
    refused(2, "say what to do")
    refused(2, "did you mean `hotdesk pool create`?", "pool", "crate")
    refused(2, "did you mean `hotdesk desktop`?", "desktp", "list")
    refused(2, "`hotdesk --help` lists the commands", "frobnicate")
    refused(2, "say what to do with pool", "pool")
    refused(2, "give table or json", "-o", "yaml", "status")
    refused(2, "--config needs a value", "status", "--config")
    refused(2, "Usage: hotdesk pool show NAME", "pool", "show")
    refused(2, "small letters, digits and dashes", "pool", "show", "No Pool")
    refused(2, "one argument too many", "status", "now")
    refused(2, "did you mean --pool?", "desktop", "list", "--pol", "x")


@case
def images():
    before = len(stack.json("image", "list"))
    said("image side:1 is imported and published", "image", "import", "side", disk)
    answer = stack.json("image", "import", "side", disk)
    assert (answer["name"], answer["version"]) == ("side", 2), answer
    assert len(stack.json("image", "list")) == before + 2
    said("side", "image", "list")
    shown = stack.json("image", "show", "side")
    assert [row["version"] for row in shown["versions"]] == [1, 2], shown
    said("SHA256", "image", "show", "side")
    refused(1, "`hotdesk image list` shows", "image", "show", "nothing")
    refused(1, "`hotdesk image list` shows", "image", "delete", "nothing")
    refused(1, "`hotdesk image show side` shows them", "image", "delete", "side:9")
    refused(2, "NAME:VERSION", "image", "delete", "side:x")
    said("image side:1 is deleted", "image", "delete", "side:1")
    said("image side is deleted", "image", "delete", "side")
    assert len(stack.json("image", "list")) == before


@case
def an_image_can_be_imported_without_publishing_it():
    recipe = stack.directory / "mine.conf"
    log = stack.directory / "build.log"
    recipe.write_text("release = bookworm\n")
    log.write_text("0.1 s: built\n")
    said("`hotdesk image publish quiet:1`", "image", "import", "quiet", disk, "--no-publish", "--recipe", recipe,
         "--recipe-name", "mine.conf", "--log", log)
    row, = stack.json("image", "show", "quiet")["versions"]
    assert (row["published"], row["recipe_name"], row["log"]) == (False, "mine.conf", True), row
    said("image quiet:2 is imported and published", "image", "import", "quiet", disk)
    assert [row["published"] for row in stack.json("image", "show", "quiet")["versions"]] == [False, True]
    refused(1, "`hotdesk image rollback quiet`", "image", "delete", "quiet:2")
    said("image quiet is deleted", "image", "delete", "quiet")
    refused(2, "--recipe needs --recipe-name", "image", "import", "quiet", disk, "--recipe", recipe)


@case
def bad_images_are_refused():
    before = stack.json("image", "list")
    foreign = stack.directory / "foreign.qcow2"
    backed = stack.directory / "backed.qcow2"
    short = stack.directory / "short.qcow2"
    foreign.write_bytes(b"this is no disk" * 4096)
    short.write_bytes(disk.read_bytes()[:1000])
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", disk, "-F", "qcow2", backed], check=True)
    for path, reason in ((foreign, "not a qcow2"), (backed, "backing file"), (short, "cut off")):
        refused(1, reason, "image", "import", "bad", path)
    refused(1, "give the path of a file that you may read", "image", "import", "bad", stack.directory / "nothing")
    refused(1, "not a regular file", "image", "import", "bad", stack.directory)
    refused(1, "not a regular file", "image", "import", "bad", "/dev/zero")
    refused(2, "--kernel needs --initrd", "image", "import", "bad", disk, "--kernel", disk)
    refused(2, "--append needs --kernel", "image", "import", "bad", disk, "--append", "quiet")
    assert stack.json("image", "list") == before


@case
def pools():
    need_image()
    said("hotdesk pool entitle office --user USER", "pool", "create", "office", "image=empty", "memory=128M", "max=3")
    refused(1, "`hotdesk pool set office KEY=VALUE`", "pool", "create", "office", "image=empty")
    pool = stack.json("pool", "show", "office")
    assert {"image": "empty", "kind": "floating", "memory_mib": 128, "vcpus": 2, "max": 3, "min_spare": 0,
            "keyboard": "us", "users": [], "groups": [], "desktops": 0}.items() <= pool.items(), pool
    said("128 MiB", "pool", "list")
    assert (pool["clipboard"], pool["clipboard_primary"], pool["sound"]) == ("both", False, True), pool
    said("office is changed", "pool", "set", "office", "memory=1G", "keyboard=de(nodeadkeys)", "kind=dedicated",
         "clipboard=out", "clipboard-primary=on", "sound=off")
    pool = stack.json("pool", "show", "office")
    assert (pool["clipboard"], pool["clipboard_primary"], pool["sound"]) == ("out", True, False), pool
    assert (pool["memory_mib"], pool["keyboard"], pool["kind"], pool["max"]) == (1024, "de(nodeadkeys)", "dedicated", 3)
    refused(1, "`hotdesk pool list` shows", "pool", "show", "nothing")
    refused(1, "`hotdesk pool list` shows", "pool", "set", "nothing", "max=1")
    refused(1, "`hotdesk pool list` shows", "pool", "delete", "nothing")
    said("pool office is deleted", "pool", "delete", "office")
    assert "office" not in [row["name"] for row in stack.json("pool", "list")]


@case
def bad_pool_settings_are_refused():
    need_pool("strict")
    before = stack.json("pool", "show", "strict")
    refused(2, "image=IMAGE", "pool", "create", "other")
    refused(1, "image= is missing", "pool", "create", "other", "memory=1G")
    refused(1, "import it first", "pool", "create", "other", "image=nothing")
    refused(1, "import it first", "pool", "set", "strict", "image=nothing")
    refused(2, "there are: image, kind, memory, vcpus, max, min-spare, keyboard", "pool", "set", "strict", "colour=red")
    refused(2, "512M or 2G", "pool", "set", "strict", "memory=2")
    refused(2, "none, in, out or both", "pool", "set", "strict", "clipboard=yes")
    refused(2, "on or off", "pool", "set", "strict", "clipboard-primary=yes")
    refused(2, "on or off", "pool", "set", "strict", "sound=no")
    refused(2, "floating or dedicated", "pool", "set", "strict", "kind=other")
    refused(2, "from 1 to 255", "pool", "set", "strict", "vcpus=0")
    refused(2, "KEY=VALUE", "pool", "set", "strict", "memory")
    refused(2, "given twice", "pool", "set", "strict", "max=1", "max=2")
    refused(1, "XKB has no such layout", "pool", "set", "strict", "keyboard=nowhere")
    refused(1, "lower one or raise the other", "pool", "set", "strict", "min-spare=11")
    # One bad setting of several changes none.
    refused(1, "XKB has no such layout", "pool", "set", "strict", "max=5", "keyboard=nowhere")
    assert stack.json("pool", "show", "strict") == before


@case
def entitlements():
    need_pool("club")
    said("user Zoë Müller is now entitled to pool club", "pool", "entitle", "club", "--user", "Zoë Müller")
    said("was already entitled", "pool", "entitle", "club", "--user", "Zoë Müller")
    said("group staff@example.org is now", "pool", "entitle", "club", "--group", "staff@example.org")
    pool = stack.json("pool", "show", "club")
    assert (pool["users"], pool["groups"]) == (["Zoë Müller"], ["staff@example.org"]), pool
    refused(2, "give one of --user USER and --group GROUP", "pool", "entitle", "club")
    refused(2, "give one of", "pool", "entitle", "club", "--user", "a", "--group", "b")
    refused(2, "printable", "pool", "entitle", "club", "--user", "a\nb")
    refused(1, "`hotdesk pool list` shows", "pool", "entitle", "nothing", "--user", "a")
    refused(1, "`hotdesk pool show club` shows who is", "pool", "revoke", "club", "--user", "nobody")
    said("no longer entitled", "pool", "revoke", "club", "--user", "Zoë Müller")
    assert stack.json("pool", "show", "club")["users"] == []


@case
def unknown_desktops_and_sessions_are_refused():
    for verb, more in (("show", ()), ("stop", ()), ("stop", ("--force",)), ("delete", ("--yes",))):
        refused(1, "`hotdesk desktop list` shows", "desktop", verb, "nothing-1", *more)
    refused(2, "--yes is missing", "desktop", "delete", "nothing-1")
    refused(2, "takes no value", "desktop", "stop", "nothing-1", "--force=1")
    refused(1, "`hotdesk pool list` shows", "desktop", "list", "--pool", "nothing")
    refused(1, "`hotdesk session list` shows", "session", "kill", "4711")
    refused(2, "`hotdesk session list` shows", "session", "kill", "anna")
    assert stack.json("session", "list") == []
    assert "no open sessions" in stack.cli("session", "list").stderr


@case
def spares_are_listed_stopped_and_deleted():
    need_pool("ready", "max=2")
    stack.cli("pool", "set", "ready", "min-spare=1")
    spare = spare_started("ready")
    assert (spare["pool"], spare["owner"], spare["image"], spare["session"]) == ("ready", "", "empty", None), spare
    said(spare["id"], "desktop", "list")
    said(spare["id"], "desktop", "show", spare["id"])
    assert spare["id"] not in stack.cli("desktop", "list", "--user", "nobody").stdout
    refused(1, "in use by", "image", "delete", "empty")
    said("is deleted", "desktop", "delete", spare["id"], "--yes")
    refused(1, "there is no desktop", "desktop", "show", spare["id"])

    # The pool keeps its spare, so a new one comes.
    again = spare_started("ready")
    assert again["id"] != spare["id"]
    said(again["id"], "desktop", "stop", again["id"], "--force")
    third = spare_started("ready")

    said("pool ready is deleted", "pool", "delete", "ready")
    assert third["id"] not in [row["id"] for row in stack.json("desktop", "list")]
    assert not (stack.state / "host/vm" / third["id"]).exists()


@case
def image_of_a_pool_is_kept():
    need_pool("holder")
    refused(1, "hotdesk pool set", "image", "delete", "empty")
    refused(1, "in use by pool", "image", "delete", "empty")


@case
def host_and_status_tell_what_runs():
    need_pool("shown")
    host = stack.json("host", "show")
    assert host["accel"] == "tcg" and host["cpus"] >= 1, host
    said("accel", "host", "show")
    status = stack.json("status")
    assert status["programs"] == {"broker": True, "host": True, "spawn": True, "auth": False, "gate": False}, status
    assert "shown" in [pool["name"] for pool in status["pools"]]
    assert set(status["desktops"]) == {"total", "spares", "states"}
    said("DOES NOT ANSWER", "status")


@case
def configuration_is_checked_without_a_broker():
    assert f"runtime-dir = {stack.runtime}" in stack.cli("check-config").stdout
    assert stack.json("check-config")["host"]["accel"] == "tcg"
    bad = stack.directory / "bad.conf"
    for text, part in (("[host]\naccel = fast\n", f"{bad}:2"), ("[host]\ncolour = red\n", "colour"),
                       ("[nowhere]\nkey = 1\n", "nowhere"), ("[gate]\nmax-connections = many\n", f"{bad}:2")):
        bad.write_text(text)
        refused(1, part, "check-config", bad)
        refused(1, part, "--config", bad, "status")
    refused(1, str(stack.directory / "none.conf"), "check-config", stack.directory / "none.conf")


@case
def missing_broker_is_said():
    other = stack.directory / "other.conf"
    other.write_text(f"[paths]\nruntime-dir = {stack.directory}/nowhere\n")
    message = refused(1, "hotdesk-broker does not run", "--config", other, "status")
    assert "systemctl start hotdesk-broker" in message


@case
def only_root_and_the_brokers_user_are_served():
    if os.geteuid() != 0 or not stack.separate:
        raise Skip("needs root to run the CLI as other users")
    # A copy, as the build directory may be closed to other users.
    program = stack.directory / "hotdesk"
    shutil.copy(BIN / "hotdesk", program)
    os.chmod(program, 0o755)

    def as_user(uid):
        return subprocess.run([program, "--config", stack.conf, "-o", "json", "pool", "list"], user=uid, group=uid,
                              extra_groups=[], text=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=60)

    stranger = as_user(64999)
    assert stranger.returncode == 1 and "not permitted: run it as root" in stranger.stderr, stranger
    uid = int(pathlib.Path(f"/proc/{stack.pid_of('broker')}/status").read_text().split("Uid:")[1].split()[0])
    own = as_user(uid)
    assert own.returncode == 0 and isinstance(json.loads(own.stdout), list), own


@case
def host_away_is_said():
    """While the host is stopped, what needs it is refused with that reason and the rest works."""
    need_pool("patient")
    pid = stack.pid_of("host")
    os.kill(pid, signal.SIGKILL)
    end = time.monotonic() + 60
    while time.monotonic() < end:
        done = stack.cli("image", "list", check=False)
        if done.returncode == 0:
            break
        assert done.returncode == 1 and "hotdesk-host" in done.stderr, done
        stack.cli("pool", "list")
    assert stack.json("pool", "set", "patient", "max=7")["max"] == 7


def connected_sockets(pid):
    """Inodes of pid's Unix sockets that have a peer."""
    own = set()
    for link in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        target = os.readlink(link)
        if target.startswith("socket:["):
            own.add(target[8:-1])
    rows = [line.split() for line in pathlib.Path("/proc/net/unix").read_text().splitlines()[1:]]
    return [row[6] for row in rows if row[5] == "03" and row[6] in own]


@case
def death_of_the_broker_is_said():
    os.kill(stack.pid_of("broker"), signal.SIGSTOP)
    with subprocess.Popen([BIN / "hotdesk", "--config", stack.conf, "status"], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, stdin=subprocess.DEVNULL) as command:
        eventually(lambda: connected_sockets(command.pid), "the command is connected", 30)
        stack.kill_program("broker")
        out, err = command.communicate(timeout=60)
    assert (command.returncode, out) == (1, "") and "ended before it answered" in err, (command.returncode, out, err)
    eventually(lambda: stack.cli("status", check=False).returncode == 0, "the broker answers again", 30)


@case
def ctrl_c_does_not_wait_for_a_broker_that_hangs():
    broker = stack.pid_of("broker")
    os.kill(broker, signal.SIGSTOP)
    try:
        with subprocess.Popen([BIN / "hotdesk", "--config", stack.conf, "status"], text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, stdin=subprocess.DEVNULL) as command:
            eventually(lambda: connected_sockets(command.pid), "the command is connected", 30)
            command.send_signal(signal.SIGINT)
            out, err = command.communicate(timeout=60)  # sd-bus would wait for 90 s
    finally:
        os.kill(broker, signal.SIGCONT)
    assert (command.returncode, out) == (1, "") and "stopped" in err, (command.returncode, out, err)


@case
def answers_are_kept_over_a_broker_restart():
    need_pool("lasting", "max=6")
    stack.cli("pool", "entitle", "lasting", "--user", "anna")
    before = stack.json("pool", "show", "lasting")
    stack.kill_program("broker")
    eventually(lambda: stack.cli("status", check=False).returncode == 0, "the broker answers again", 30)
    assert stack.json("pool", "show", "lasting") == before


main(setup, teardown)
