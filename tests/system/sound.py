#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What signed-in users play on the golden desktop, heard in gvncviewer and nowhere else."""

import itertools
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

from case import case, eventually, main  # noqa: E402
from golden import golden_directory  # noqa: E402
from harness import Stack  # noqa: E402
from other_viewers import Gvncviewer  # noqa: E402
from own_mounts import own_mounts  # noqa: E402
from sounds import Recording, Speaker, Tone, strength  # noqa: E402
from viewer import Screen, Viewer  # noqa: E402

PASSWORDS = {"alice": "wonder land", "bob": "builder"}
HZ = {"alice": 440, "bob": 660}
SECONDS = 12
BOOT_TIMEOUT = 400
ICEWM_BLUE = 0x204060
BLACK = 0x000000  # xterm
SHADES = (0xC000C0, 0xC0C000, 0x00C0C0, 0x80C080, 0xC08040)  # of an xterm in which a command succeeded

stack = None
people = {}
colours = itertools.cycle(SHADES)


class Person:
    """A user with a screen, a viewer and a speaker of her own."""

    def __init__(self, user):
        self.user = user
        self.directory = stack.directory / f"at-{user}"
        self.screen = Screen()
        self.speaker = Speaker(self.directory)
        self.viewer = None

    def connect(self, kind=Gvncviewer, **options):
        self.disconnect()
        if kind is Gvncviewer:
            options["env"] = self.speaker.env
        self.viewer = kind(self.screen, stack, self.user, PASSWORDS[self.user], ca=stack.ca, **options)
        self.viewer.wait_window()
        eventually(lambda: stack.desktops(owner=self.user, state="ready"), lambda: f"a ready desktop\n{self.state()}",
                   BOOT_TIMEOUT, 0.5)
        eventually(self.has_terminal, lambda: f"a terminal of {self.user}\n{self.state()}", 180, 10)

    def has_terminal(self):
        assert self.viewer.alive(), self.state()
        self.viewer.activate()
        picture = self.viewer.picture()
        if picture.count(ICEWM_BLUE) > 100_000 and any(picture.count(colour) > 100_000 for colour in (BLACK, *SHADES)):
            return True
        self.screen.run("xdotool", "key", "ctrl+alt+t")
        return False

    def run(self, command):
        self.viewer.run_command(command, next(colours), self.state)

    def state(self):
        return f"desktops {stack.desktops()}\n{stack.log_tail()}\n{self.viewer.text()[-1500:]}"

    def makes_tone(self):
        """Without a Python in the guest: one channel of 16 bits."""
        self.run(f"perl -e 'print pack\"s<\",2e4*sin {HZ[self.user]}*6.283185307*$_/48e3 for 0..{SECONDS}*48e3' >tone")

    def plays(self):
        self.viewer.type("pacat --rate=48000 --channels=1 tone\n")

    def hears(self, name="heard"):
        return Recording(self.speaker.server, "speaker.monitor", self.directory / name)

    def desktop_s(self, name="played"):
        """Of the monitor that the desktop's own PulseAudio has, where the displays record as well."""
        desktop = stack.desktops(owner=self.user)[0]["id"]
        return Recording(f"unix:{stack.runtime}/broker/sound/{desktop}.sock", "vm.monitor", self.directory / name)

    def disconnect(self):
        if self.viewer:
            self.viewer.close()
            eventually(lambda: not any(desktop["viewers"] for desktop in stack.desktops(owner=self.user)),
                       "the viewer is off the list", 30)
            self.viewer = None

    def leave(self):
        if self.viewer:
            self.viewer.close()
        self.speaker.stop()
        self.screen.stop()


def setup():
    global stack
    golden = golden_directory()
    stack = Stack(users=PASSWORDS)
    stack.start()
    stack.cli("image", "import", "office", golden / "disk.qcow2", "--kernel", golden / "vmlinux", "--initrd",
              golden / "initrd", "--append", (golden / "append").read_text().strip())
    stack.cli("pool", "create", "desk", "image=office", "memory=1G", "vcpus=2", "max=2")
    for user in PASSWORDS:
        stack.cli("pool", "entitle", "desk", "--user", user)
        people[user] = Person(user)


def teardown():
    try:
        for person in people.values():
            person.leave()
    finally:
        if stack:
            stack.stop()


def daemons():
    return stack.children("pulseaudio")


def sound_case(function):
    def wrapped():
        try:
            function()
        except Exception:
            artifacts = os.environ.get("HOTDESK_ARTIFACTS")
            if artifacts:
                for user, person in people.items():
                    person.screen.save(f"{artifacts}/{function.__name__}-{user}.png")
            raise
    wrapped.__name__ = function.__name__
    return case(wrapped)


def heard_all_of(recordings):
    """Waits until all is over, which is heard last."""
    eventually(lambda: recordings[-1].loud(), "a tone is heard", 90, 0.1)
    eventually(lambda: not any(recording.loud(1.5) for recording in recordings), "silence again", 90, 0.5)
    for recording in recordings:
        recording.stop()


@sound_case
def no_daemon_runs_for_a_viewer_without_sound():
    alice = people["alice"]
    alice.connect(Viewer)
    assert not daemons(), daemons()
    alice.makes_tone()


@sound_case
def the_session_has_a_sound_server_with_the_card_and_a_volume():
    alice = people["alice"]
    alice.run("until pactl list short sinks | grep alsa_output; do sleep 1; done")
    alice.run("pactl get-sink-mute @DEFAULT_SINK@ | grep no && pactl get-sink-volume @DEFAULT_SINK@ | grep ' 80%'")
    alice.run("test -z \"$(pactl list short sources | grep -v monitor)\"")


@sound_case
def a_tone_of_the_desktop_is_heard_whole_in_the_viewer():
    alice = people["alice"]
    alice.connect()
    eventually(daemons, lambda: f"a PulseAudio\n{alice.state()}")
    recordings = [alice.desktop_s(), alice.hears()]
    alice.plays()
    heard_all_of(recordings)
    played, heard = (Tone(recording.samples()) for recording in recordings)
    missing = 1 - heard.cycles / played.cycles
    print(f"played {played}, heard {heard}: {100 * missing:.2f} % missing")
    assert played.cycles >= 10 * HZ["alice"], played
    assert abs(heard.hz - HZ["alice"]) < 0.01 * HZ["alice"], heard
    assert abs(missing) < 0.01, (played, heard)
    assert played.peak > 3000 and heard.peak > 3000, "neither muted nor faint"


@sound_case
def a_killed_daemon_is_heard_again():
    alice = people["alice"]
    heard = alice.hears("again")
    alice.plays()
    eventually(lambda: heard.loud(), lambda: f"a tone\n{alice.state()}", 60, 0.1)
    for pid in daemons():
        os.kill(pid, 9)
    eventually(lambda: not heard.loud(), "nothing is heard", 10, 0.05)
    eventually(lambda: heard.loud(), lambda: f"the tone again\n{alice.state()}", 10, 0.05)
    heard_all_of([heard])


@sound_case
def two_desktops_do_not_hear_each_other():
    alice, bob = people["alice"], people["bob"]
    bob.connect()
    bob.run("until pactl list short sinks | grep alsa_output; do sleep 1; done")
    bob.makes_tone()
    eventually(lambda: len(daemons()) == 2, lambda: f"two daemons\n{daemons()}")
    heard = [person.hears("both") for person in (alice, bob)]
    for person in (alice, bob):
        person.plays()
    eventually(lambda: all(recording.loud() for recording in heard), lambda: f"both tones\n{bob.state()}", 60, 0.1)
    heard_all_of(heard)
    for recording, own, other in zip(heard, (HZ["alice"], HZ["bob"]), (HZ["bob"], HZ["alice"])):
        samples = recording.samples()
        tone, shares = Tone(samples), (strength(samples, own), strength(samples, other))
        print(f"{tone}; of its own frequency {shares[0]:.4f}, of the other's {shares[1]:.6f}")
        assert abs(tone.hz - own) < 0.01 * own, tone
        assert shares[0] > 0.5 and shares[1] < 0.01, shares


@sound_case
def a_silent_pool_is_silent_at_once_and_loud_again():
    alice = people["alice"]
    stack.cli("pool", "set", "desk", "sound=off")
    eventually(lambda: not daemons(), lambda: f"no daemon\n{stack.log_tail()}")
    silence = alice.hears("silence")
    alice.run("pacat --rate=48000 --channels=1 tone")
    silence.stop()
    assert Tone(silence.samples()).cycles == 0, "it was heard"
    stack.cli("pool", "set", "desk", "sound=on")
    heard = alice.hears("loud")
    alice.plays()
    heard_all_of([heard])
    assert abs(Tone(heard.samples()).hz - HZ["alice"]) < 4.4


@sound_case
def a_daemon_ends_with_its_last_listener():
    for person in people.values():
        person.disconnect()
    eventually(lambda: not daemons(), lambda: f"no daemon\n{daemons()}\n{stack.log_tail()}", 30)


if __name__ == "__main__":
    own_mounts()
    main(setup, teardown)
