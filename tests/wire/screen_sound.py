#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a desktop plays, from a fake QEMU through hotdesk-screen into a real PulseAudio."""

import contextlib
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from case import case, eventually, main
from screen_alone import screen
from screen_qemu import Qemu
from sounds import Recording, Speaker, Tone

HZ = 440
BEGIN = 0.03
FULL = 16000  # what the fake plays


@contextlib.contextmanager
def played(rate=48000):
    """A screen that plays into a PulseAudio, with a recording of that; voice 7 does not play yet."""
    with screen() as s:
        daemon = Speaker(s.directory / "pulse", sink="vm")
        try:
            s.source()
            s.tool.do(f"sound {daemon.path}")
            s.qemu.expect("audio listener")
            s.qemu.do(f"voice 7 {rate}")
            yield s, daemon
        finally:
            daemon.stop()


def record(s, daemon, name="recording"):
    return Recording(daemon.server, "vm.monitor", s.directory / name)


def silent(recording):
    eventually(lambda: not recording.loud(0.5), "silence")


def tone(s, recording, milliseconds, hz=HZ):
    """Plays one and returns what was recorded of it."""
    s.qemu.do(f"tone 7 {hz} {milliseconds}")
    eventually(recording.loud, "a tone", 10)
    s.qemu.expect("audio played")
    silent(recording)
    recording.stop()
    return Tone(recording.samples())


def assert_tone(found, seconds, hz=HZ):
    """PulseAudio's monitor lacks the first few milliseconds of a stream that begins."""
    assert abs(found.hz - hz) < 0.01 * hz, found
    assert hz * (seconds - BEGIN) < found.cycles <= hz * seconds, found


@case
def a_tone_is_whole():
    for rate in (48000, 44100):
        with played(rate) as (s, daemon):
            s.qemu.do("enable 7 1")
            found = tone(s, record(s, daemon), 3000)
            assert_tone(found, 3)
            assert abs(found.peak - FULL) < 0.1 * FULL, found


@case
def a_silent_desktop_costs_nothing():
    with played() as (s, daemon):
        eventually(lambda: [line.split()[-1] for line in daemon.list("sinks")] == ["SUSPENDED"], "the sink is suspended")
        assert not daemon.list("sink-inputs")
        s.qemu.do("enable 7 1")
        eventually(lambda: len(daemon.list("sink-inputs")) == 1, "a stream")
        s.qemu.do("tone 7 440 300")
        s.qemu.expect("audio played")
        s.qemu.do("enable 7 0")
        eventually(lambda: not daemon.list("sink-inputs"), "no stream")
        eventually(lambda: [line.split()[-1] for line in daemon.list("sinks")] == ["SUSPENDED"], "suspended again")
        # And again.
        s.qemu.do("enable 7 1")
        assert_tone(tone(s, record(s, daemon), 1000), 1)
        s.tool.do("silence")
        s.qemu.expect("audio gone")
        eventually(lambda: not daemon.list("clients")[1:], "only who asks is connected")


@case
def the_volume_is_kept_over_a_killed_daemon_and_a_new_source():
    with played() as (s, daemon):
        s.qemu.do("enable 7 1", "volume 7 0 128")
        found = tone(s, record(s, daemon), 500)
        assert abs(found.peak - FULL / 2) < 0.1 * FULL, found
        daemon.kill()
        s.qemu.do("tone 7 440 300")
        s.qemu.expect("audio played")
        daemon.start()
        eventually(lambda: len(daemon.list("sink-inputs")) == 1, "a stream again")
        found = tone(s, record(s, daemon, "second"), 500)
        assert_tone(found, 0.5)
        assert abs(found.peak - FULL / 2) < 0.1 * FULL, found
        # QEMU tells a new listener of its voices, not of their volume.
        s.tool.do(f"source {s.qemu_path}")
        s.qemu.expect("audio listener")
        eventually(lambda: len(daemon.list("sink-inputs")) == 1, "a stream of the new source")
        found = tone(s, record(s, daemon, "third"), 500)
        assert abs(found.peak - FULL / 2) < 0.1 * FULL, found
        s.qemu.do("volume 7 1 128")
        recording = record(s, daemon, "fourth")
        s.qemu.do("tone 7 440 500")
        s.qemu.expect("audio played")
        silent(recording)
        recording.stop()
        assert Tone(recording.samples()).cycles == 0, "mute"


@case
def a_daemon_that_comes_late_is_played_into():
    with screen() as s:
        s.source()
        daemon = Speaker(s.directory / "pulse", sink="vm")
        daemon.kill()
        s.tool.do(f"sound {daemon.path}")
        s.qemu.expect("audio listener")
        s.qemu.do("voice 7 48000", "enable 7 1")
        daemon.start()
        eventually(lambda: len(daemon.list("sink-inputs")) == 1, "a stream")
        assert_tone(tone(s, record(s, daemon), 1000), 1)
        # The same socket again changes nothing.
        s.tool.do(f"sound {daemon.path}")
        assert not s.qemu.take("audio gone")
        daemon.stop()


@case
def voices_are_mixed_and_go():
    with played() as (s, daemon):
        s.qemu.do("enable 7 1", "voice 8 44100", "enable 8 1")
        eventually(lambda: len(daemon.list("sink-inputs")) == 2, "two streams")
        s.qemu.do("unvoice 8")
        eventually(lambda: len(daemon.list("sink-inputs")) == 1, "one stream")
        assert_tone(tone(s, record(s, daemon), 1000), 1)


@case
def a_lost_listener_is_registered_again():
    with played() as (s, daemon):
        s.qemu.do("enable 7 1", "evict-audio")
        s.qemu.expect("audio listener")
        assert_tone(tone(s, record(s, daemon), 1000), 1)


@case
def what_cannot_be_played_harms_nobody():
    with played() as (s, daemon):
        s.display()
        for number, words in enumerate(("0 1 0 48000 2 4", "16 1 0 0 2 4", "16 1 0 48000 0 4", "16 1 0 48000 2 3", "24 1 0 48000 2 6",
                                        "64 1 1 48000 2 16", "16 0 0 48000 2 4", "16 1 0 4294967295 2 4", "16 1 0 48000 255 510")):
            s.qemu.do(f"raw-voice {20 + number} {words}", f"enable 7 {number % 2}", f"raw-write {20 + number} 4000")
        for number in range(40):
            s.qemu.do(f"raw-voice {100 + number} 16 1 0 48000 2 4")
        s.qemu.do("raw-write 7 3", "raw-write 99 100", "raw-write 7 0")
        s.qemu.do("raw-write 7 2000000")
        s.qemu.expect("audio refused")
        for number in range(20):
            s.qemu.do(f"unvoice {number}") if number == 7 else s.qemu.do(f"raw-write {number} 1000")
        s.qemu.do("voice 7 48000", "pattern 3")
        s.exact()
        assert s.memory() < 400 << 20, s.memory()


@case
def a_real_qemu_is_listened_to_and_left():
    with screen() as s, Qemu("qemu-system-x86_64", s.directory / "real") as qemu, qemu.display_at(s.directory / "display") as path:
        s.tool.do(f"source {path}")
        qemu.attach()
        s.tool.expect("picture ")
        daemon = Speaker(s.directory / "pulse", sink="vm")
        for _ in range(3):
            s.tool.do(f"sound {daemon.path}")
            eventually(lambda: any("hotdesk-screen" in line for line in daemon.list("clients")), "the screen is connected")
            qemu.execute("query-status")
            s.tool.do("silence")
        qemu.execute("query-status")
        assert s.status()[0] == 1, "still its source"
        daemon.stop()


if __name__ == "__main__":
    main()
