#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""hotdesk-agent in a golden image's guest, with a scripted host: sign-in, lock, log-off, restarts, and what belongs to the
machine. One guest for all cases, in their order; the last ones restart it and power it off."""

import os
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

from case import case, eventually, main
from golden import Guest

ALICE = {"name": "alice", "uid": 2001, "gid": 2001, "full_name": "Alice: Liddell,\n=", "groups": ["audio"]}
BORIS = {"name": "CORP\\Boris Ü", "uid": 60123, "gid": 100, "full_name": "Boris", "groups": []}
BACKGROUND = bytes.fromhex("204060")  # of the recipe's icewm
SESSION_OF = "loginctl show-session $(loginctl show-user {} -p Display --value)"

guest = None


def set_up():
    global guest
    guest = Guest()
    guest.wait(type="ready")


def tear_down():
    if guest:
        guest.close()


def sign_in(person):
    error = guest.ask("sign-in", **person)
    assert error is None, error
    return guest.state("active")


def has_no_process(user):
    left = guest.shell(f"ps -o pid=,cgroup=,args= -u {user}", check=False)
    assert left == "", f"{user} still runs: {left}"


def refused(person, word):
    error = guest.ask("sign-in", **person)
    assert error and word in error, f"{person['name']}: {error}"


@case
def the_agent_says_what_its_guest_is_and_can():
    hello = guest.now()
    assert hello["os"].startswith("Debian GNU/Linux"), hello
    assert set(hello["capabilities"]) == {"size", "sign-in", "log-off", "lock", "power", "time", "hostname", "machine-id"}
    assert hello["ready"] is True and hello.get("session") is None, hello
    assert guest.shell("systemctl --failed --no-legend") == ""
    assert guest.shell("systemctl is-active getty@tty7", check=False) == "inactive", "the X server has vt7 alone"
    said = guest.shell("systemd-analyze verify --man=no hotdesk-agent.service hotdesk-xorg.service hotdesk-session@alice.service")
    assert said == "", said


@case
def people_whom_this_guest_cannot_take_are_refused_with_the_reason():
    refused({**ALICE, "uid": 33}, "uid 33")
    refused({**ALICE, "uid": 65534}, "uid 65534")
    refused({**ALICE, "name": "www-data"}, "www-data is that of a system account")
    refused({**ALICE, "groups": ["audio", "no-such"]}, "no group no-such")
    assert guest.shell("getent passwd | cut -d: -f3 | awk '$1 >= 1000 && $1 < 65534'") == ""
    assert "well-formed" in guest.ask("sign-in", name="alice", uid=-1, gid=2001)
    assert guest.ask("sing", song="x") == "not supported"
    assert guest.now().get("session") is None


@case
def signing_in_makes_the_account_and_an_active_session_of_the_seat():
    active = sign_in(ALICE)
    assert (active["user"], active["uid"]) == ("alice", 2001), active
    assert guest.shell("getent passwd alice") == "alice:x:2001:2001:Alice  Liddell   :/home/alice:/bin/bash"
    assert guest.shell("id -nG alice") == "alice audio"
    assert guest.shell("passwd --status alice").split()[1] == "L", "nobody knows a password of this account"
    assert guest.shell("stat -c '%U %G' /home/alice /home/alice/.bashrc") == "alice alice\nalice alice"
    session = dict(line.split("=", 1) for line in guest.shell(SESSION_OF.format("alice")).splitlines())
    wanted = {"Active": "yes", "State": "active", "Seat": "seat0", "VTNr": "7", "Type": "x11", "Class": "user"}
    assert {key: session[key] for key in wanted} == wanted, session
    guest.shell("pgrep -u alice -x icewm")  # no session is called active before its desktop is there
    # The desktop has an environment of its own user, and the X server knows no other.
    environment = guest.shell("tr '\\0' '\\n' </proc/$(pgrep -u alice -x icewm)/environ")
    for line in ("DISPLAY=:0", "HOME=/home/alice", "XDG_RUNTIME_DIR=/run/user/2001", "DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/2001/bus"):
        assert line in environment.splitlines(), environment
    assert guest.shell("DISPLAY=:0 XAUTHORITY=/dev/null xset q", check=False).startswith("Authorization required")


@case
def the_session_is_not_given_to_anybody_else():
    refused(BORIS, "alice is signed in")
    asked = len(guest.said)
    assert guest.ask("sign-in", **ALICE) is None
    guest.state("active")
    assert not [m for m in guest.said[asked:] if m.get("state") == "starting"], "the session goes on"


def background_share():
    picture = guest.work / "screen.ppm"
    guest.qmp("screendump", filename=str(picture))
    pixels = picture.read_bytes()[-1280 * 800 * 3:]
    samples = [pixels[i:i + 3] for i in range(0, len(pixels), 3 * 97)]
    return samples.count(BACKGROUND) / len(samples)


@case
def the_desktop_is_drawn():
    eventually(lambda: 0.8 < background_share() < 1, "icewm with its background and its task bar", 120)
    artefacts = os.environ.get("HOTDESK_ARTIFACTS")
    if artefacts:
        guest.screenshot(pathlib.Path(artefacts) / "agent-desktop.png")


@case
def a_locked_screen_stays_locked_for_a_restarted_agent_and_can_be_unlocked():
    assert guest.ask("lock") is None
    guest.state("locked")
    assert guest.shell("pgrep -u alice -x i3lock")
    guest.shell("pkill -KILL -o -x hotdesk-agent -u root")
    hello = guest.wait(type="hello", nonce="")
    assert hello["session"]["user"] == "alice" and hello["session"]["state"] == "starting", hello
    # Nobody is told that the user is back at work before the lock has been heard of again.
    eventually(lambda: guest.now()["session"]["state"] == "locked", "the restarted agent knows the lock", 60)
    assert guest.ask("unlock") is None
    guest.state("active")
    assert guest.shell("pgrep -u alice -x i3lock", check=False) == ""


@case
def an_agent_that_is_restarted_by_systemd_says_nothing_of_an_end():
    said = len(guest.said)
    guest.shell("systemctl restart hotdesk-agent")
    guest.wait(type="session", state="active", uid=2001)
    guest.shell("systemctl daemon-reexec")
    time_of_retry = time.monotonic() + 5  # longer than the agent's look at a unit that it lost sight of
    eventually(lambda: guest.now()["session"]["state"] == "active" and time.monotonic() > time_of_retry, "still there")
    assert not [m for m in guest.said[said:] if m.get("state") == "ended"], guest.said[said:]


@case
def logging_off_ends_every_process_and_gives_a_fresh_x_server():
    x = guest.shell("pgrep -x Xorg")
    # One that does not want to end, in the session's own scope.
    guest.shell("""scope=/sys/fs/cgroup$(cut -d: -f3 /proc/$(pgrep -u alice -x icewm)/cgroup)/cgroup.procs
        setpriv --reuid alice --regid alice --init-groups sh -c 'trap "" TERM HUP; sleep 5000; sleep 5000' >/dev/null 2>&1 &
        echo $! >$scope; sleep 0.5; echo $(pgrep -u alice -x sleep) >$scope""")
    assert guest.ask("log-off") is None
    ended = [m for m in guest.said[guest.asked_at:] if m.get("state") == "ended"]
    assert len(ended) == 1 and not ended[0].get("reason"), f"said before the answer: {guest.said[guest.asked_at:]}"
    has_no_process("alice")
    assert guest.shell("ls /run/hotdesk-agent/xauthority-alice", check=False).endswith("No such file or directory")
    eventually(lambda: guest.shell("pgrep -x Xorg", check=False) not in ("", x) and guest.now()["ready"], "a new X server")
    assert guest.now().get("session") is None
    assert guest.ask("log-off") is None, "there is nothing to do"


@case
def a_company_name_that_is_no_unix_name_gets_one_and_a_group_of_its_own():
    active = sign_in(BORIS)
    assert (active["user"], active["uid"]) == ("boris___", 60123), active
    assert guest.shell("id -u boris___; id -g boris___; id -nG boris___") == "60123\n60123\nboris___"


@case
def a_desktop_that_its_user_ends_is_a_session_that_ends():
    guest.shell_eventually("pgrep -u 60123 -x icewm", r"\d")
    guest.shell("pkill -TERM -u 60123 -x icewm-session")
    assert guest.wait(type="session", state="ended")["uid"] == 60123
    has_no_process(60123)


@case
def a_sign_in_right_behind_a_log_off_waits_for_it():
    sign_in(ALICE)
    guest.send({"type": "log-off", "id": 900})
    error = guest.ask("sign-in", **{**ALICE, "groups": ["audio", "video"], "full_name": "Alice L"})
    assert error is None, error
    said = [m.get("id") or m.get("state") for m in guest.said[guest.asked_at:] if m["type"] in ("session", "result")]
    assert said[:3] == ["ended", 900, guest.last_id], said
    guest.wait(type="session", state="active")
    assert guest.shell("id -nG alice; getent passwd alice | cut -d: -f5") == "alice audio video\nAlice L"


@case
def a_desktop_that_is_not_there_is_said():
    assert guest.ask("log-off") is None
    guest.shell("echo 'desktop = no-such-desktop' >>/etc/hotdesk/guest.conf")
    assert guest.ask("sign-in", **ALICE) is None
    ended = guest.state("ended")
    assert "no-such-desktop" in ended["reason"], ended
    guest.shell("sed -i '$d' /etc/hotdesk/guest.conf")


@case
def time_host_name_and_machine_id_are_set():
    assert guest.ask("set-time", time=2_000_000_000_000_000) is None
    assert 2_000_000_000 <= int(guest.shell("date +%s")) < 2_000_000_600
    assert guest.ask("set-time", time=int(time.time() * 1_000_000)) is None
    assert guest.ask("set-hostname", hostname="desk-7") is None
    assert guest.shell("hostname; cat /etc/hostname") == "desk-7\ndesk-7"
    assert "well-formed" in guest.ask("set-hostname", hostname="desk 7")
    assert guest.ask("set-machine-id", machine_id="0123456789abcdef" * 2) is None
    assert guest.shell("cat /etc/machine-id") == "0123456789abcdef" * 2
    # Whoever is signed in afterwards can use X under the new name.
    sign_in(ALICE)


@case
def a_guest_that_restarts_itself_says_so_before_its_session_ends():
    said = len(guest.said)
    guest.shell("systemctl reboot")
    guest.wait(type="leaving", how="reboot")
    assert not [m for m in guest.said[said:] if m.get("state") == "ended"], guest.said[said:]
    guest.wait(type="hello", nonce="")
    guest.wait(type="ready")
    guest.forget_shell()
    assert guest.now().get("session") is None
    sign_in(ALICE)
    assert guest.shell("hostname; cat /etc/machine-id") == "desk-7\n" + "0123456789abcdef" * 2


@case
def the_host_can_power_a_guest_off():
    assert guest.ask("power-off") is None
    guest.wait(type="leaving", how="power-off")
    eventually(guest.has_powered_off, "QEMU ends", 120)


if __name__ == "__main__":
    main(set_up, tear_down)
