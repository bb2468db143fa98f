#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""hotdesk-display's sound: QEMU's audio extension towards a scripted viewer, real sound daemons behind it."""

import contextlib
import pathlib
import socket
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import rfb
from case import case, eventually, main
from display_alone import RESIZES, Desk
from other_viewers import GTK
from pipewire import PipeWire
from rfb import SOUND_BEGIN, SOUND_END
from sounds import Recording, Speaker, Tone
from tones import AMPLITUDE, frequency, samples, tone
from viewer import Screen, Window

SECONDS = 0.3  # of a tone that are measured
SETTLE = 0.1   # of it that are not: a tone may begin in the middle of a fragment


class Ear:
    """A display whose viewer can hear, before it has switched sound on."""

    def __init__(self, desk, daemon, allowed=True, listed=(rfb.QEMU_AUDIO, rfb.QEMU_KEYS)):
        self.desk, self.peer, self.daemon = desk, desk.peer, daemon
        self.format = (rfb.S16, 2, 44100)
        desk.source()
        if allowed:
            self.allow(True)
        self.viewer = desk.start(rfb.RAW, *RESIZES, *listed)
        if allowed:
            self.viewer.wait(self.offered, "sound is offered")

    def allow(self, allowed, socket=None):
        self.peer.do(f"sound {int(allowed)} {socket or self.daemon.path}")

    def offered(self):
        return rfb.QEMU_AUDIO in self.viewer.extensions

    def listen(self):
        self.viewer.sound(True)
        assert self.peer.expect("listens") == "listens 1"

    def set_format(self, *form):
        self.format = form
        self.viewer.sound_format(*form)

    def operations(self):
        return [operation for operation, _, _ in self.viewer.sounds]

    def forget(self):
        self.viewer.sounds.clear()

    def pcm(self):
        """Since the last beginning."""
        sounds = self.viewer.sounds
        begin = max((i for i, sound in enumerate(sounds) if sound[0] == SOUND_BEGIN), default=0)
        return b"".join(pcm for _, pcm, _ in sounds[begin:])

    def seconds(self):
        sample, channels, rate = self.format
        return len(self.pcm()) / ((1, 1, 2, 2, 4, 4)[sample] * channels * rate)

    def waits_for(self, operation, what):
        self.viewer.wait(lambda: operation in self.operations(), what)

    def measure(self, channel=0):
        """(Hz, highest sample) of the tone that is heard."""
        self.viewer.wait(lambda: self.seconds() >= SECONDS + SETTLE, lambda: f"a tone; {self.seconds()} s heard")
        sample, channels, rate = self.format
        values = samples(self.pcm(), sample, channels, channel)[int(rate * SETTLE):]
        return frequency(values, rate), max(values)

    def hears(self, hertz, channel=0):
        got, peak = self.measure(channel)
        assert abs(got - hertz) < hertz / 100, f"{got} Hz for {hertz} Hz, {self.format}"
        assert abs(peak - AMPLITUDE) < AMPLITUDE / 10, f"up to {peak}, {self.format}"

    def hears_nothing(self, seconds=1.0):
        self.forget()
        self.viewer.pump(seconds)
        assert not self.operations(), self.operations()[:8]


    def recorders(self):
        return len(self.daemon.list("source-outputs"))

    def tone(self, hertz, right=None):
        return tone(self.daemon.server, hertz, right)


@contextlib.contextmanager
def ear(daemon_kind=Speaker, **options):
    with Desk() as desk:
        daemon = daemon_kind(desk.directory / "pulse", sink="vm")
        try:
            yield Ear(desk, daemon, **options)
        finally:
            daemon.stop()


@case
def sound_is_offered_where_it_is_allowed_and_wanted():
    with ear(allowed=False) as e:
        e.viewer.sound(True)
        e.viewer.pump(0.5)
        assert not e.offered(), "not before the broker allows it"
        e.allow(False)
        e.viewer.pump(0.5)
        assert not e.offered() and not e.recorders()
        e.allow(True)
        e.viewer.wait(e.offered, "sound is offered")
        assert e.peer.expect("listens") == "listens 1", "what was switched on before counts now"
    with ear(allowed=False, listed=()) as e, e.tone(440):
        e.allow(True)
        e.viewer.sound(True)
        e.hears_nothing()
        assert not e.offered() and not e.recorders(), "the viewer never listed it"


@case
def the_offer_of_sound_is_no_answer_to_a_request():
    with ear(allowed=False) as e:
        e.desk.shows_source()
        e.viewer.pump(0.5)  # what else there is to tell
        assert e.viewer.updates < 20, "a still picture without sound is not told again"
        e.viewer.request_after_update = False
        e.allow(True)
        e.viewer.wait(e.offered, "sound is offered")
        e.peer.do("fill 10 10 20 20 ff8040")
        e.desk.shows_source()


@case
def nothing_is_sent_before_enable_and_after_disable():
    with ear() as e, e.tone(440):
        e.hears_nothing()
        assert not e.recorders()
        e.listen()
        e.hears(440)
        assert e.operations()[0] == SOUND_BEGIN and e.operations().count(SOUND_BEGIN) == 1
        e.viewer.sound(False)
        assert e.peer.expect("listens") == "listens 0"
        e.waits_for(SOUND_END, "the end")
        assert e.operations()[-1] == SOUND_END
        e.hears_nothing()
        eventually(lambda: e.recorders() == 0, "nobody records")
        e.listen()
        e.waits_for(SOUND_BEGIN, "another beginning")
        e.hears(440)


@case
def each_format_is_the_same_tone():
    rates = {rfb.U8: 8000, rfb.S8: 11025, rfb.U16: 22050, rfb.S16: 44100, rfb.U32: 48000, rfb.S32: 16000}
    with ear() as e, e.tone(440, right=550):
        e.listen()
        for sample, rate in rates.items():
            e.forget()
            e.set_format(sample, 2, rate)
            e.waits_for(SOUND_BEGIN, "the beginning in another format")
            e.hears(440, 0)
            e.hears(550, 1)
    with ear() as e, e.tone(440):
        e.listen()
        for sample, rate in rates.items():
            e.forget()
            e.set_format(sample, 1, rate)
            e.waits_for(SOUND_BEGIN, "the beginning in another format")
            e.hears(440)
            assert e.operations().count(SOUND_BEGIN) == 1


@case
def fragments_are_short_and_come_as_they_are_played():
    with ear() as e, e.tone(440):
        e.listen()
        e.hears(440)
        assert max(len(pcm) for _, pcm, _ in e.viewer.sounds) <= 44100 * 4 // 50
        e.set_format(rfb.S16, 2, 1)  # in which the tone may well be silence
        eventually(lambda: e.recorders() == 1, "it is recorded")
        e.viewer.pump(0.5)
        e.forget()
        e.set_format(rfb.U8, 1, 2000)
        e.waits_for(SOUND_BEGIN, "a tone again")
        e.hears(440)


@case
def two_viewers_hear_one_desktop_in_formats_of_their_own():
    with ear() as e, Desk() as other, e.tone(440):
        f = Ear(other, e.daemon)
        e.set_format(rfb.U8, 1, 11025)
        f.set_format(rfb.S32, 2, 48000)
        e.listen()
        f.listen()
        e.hears(440)
        f.hears(440)
        assert e.recorders() == 2
        e.viewer.sound(False)
        assert e.peer.expect("listens") == "listens 0"
        f.forget()
        f.hears(440)


@case
def silence_is_not_sent():
    with ear() as e:
        e.listen()
        with e.tone(0):
            e.hears_nothing()
        with e.tone(440):
            e.hears(440)
        e.waits_for(SOUND_END, "the end of the tone")
        with e.tone(0):
            e.hears_nothing()
        with e.tone(440):
            e.waits_for(SOUND_BEGIN, "another tone")
            e.hears(440)


STALL = 3.0  # seconds that a viewer does not read


def stall(e):
    """The viewer reads nothing for a while; then what was heard of it in front of a new picture, in seconds."""
    e.set_format(rfb.U8, 1, 8000)  # so few bytes that the system would keep seconds of it
    e.listen()
    e.hears(440)
    before = e.desk.memory()
    begin = time.monotonic()
    time.sleep(STALL)
    e.viewer.key(0x61)
    e.peer.expect("Keyboard Release 30")
    assert e.desk.state()[0] == 1, "the broker is answered"
    assert e.desk.memory() < before + (16 << 20), "memory is bounded"
    e.peer.do("pattern 5")
    e.forget()
    painted = e.viewer.painted
    e.viewer.wait(lambda: e.viewer.painted > painted, "pixels")
    heard = e.seconds()
    e.desk.shows_source()
    e.viewer.wait(lambda: e.seconds() > heard + 1, "sound goes on")
    assert e.seconds() < time.monotonic() - begin - STALL / 2, "what came too late was dropped"
    return heard


@case
def a_viewer_that_does_not_read_misses_sound_but_no_pixels():
    with ear() as e, e.tone(440):
        assert stall(e) < STALL / 4, "pixels are not behind sound"


@case
def a_viewer_with_fences_that_does_not_read_misses_sound_but_no_pixels():
    with ear(listed=(rfb.QEMU_AUDIO, rfb.FENCE, rfb.CONTINUOUS_UPDATES)) as e, e.tone(440):
        e.viewer.request_after_update = False
        e.viewer.continuous_updates(True)
        assert stall(e) < STALL / 2, "pixels are not behind sound"


@case
def a_viewer_that_asks_for_no_pixels_hears_on():
    with ear() as e, e.tone(440):
        e.viewer.request_after_update = False
        e.listen()
        e.viewer.wait(lambda: e.seconds() > 1.5, "sound")


@case
def a_killed_daemon_comes_back_and_sound_with_it():
    with ear() as e:
        e.listen()
        for _ in range(2):
            with e.tone(440):
                e.waits_for(SOUND_BEGIN, "a tone")
                e.hears(440)
            e.daemon.kill()
            e.waits_for(SOUND_END, "the end of the tone")
            e.forget()
            e.viewer.key(0x61)
            e.peer.expect("Keyboard Release 30")
            e.daemon.start()
        assert "listens 0" not in e.peer.lines


@case
def a_policy_is_followed_at_once():
    with ear() as e, e.tone(440):
        e.listen()
        e.hears(440)
        e.allow(True)
        assert e.peer.expect("listens") == "listens 1", "a broker that has come back learns who listens"
        e.viewer.pump(1)
        assert e.operations().count(SOUND_BEGIN) == 1 and SOUND_END not in e.operations(), "nothing of it is heard"
        e.allow(False)
        e.waits_for(SOUND_END, "the end")
        assert e.operations()[-1] == SOUND_END
        e.viewer.sound(False)
        e.viewer.sound(True)
        e.hears_nothing()
        assert not e.recorders()
        e.peer.take("listens")
        e.allow(True)
        assert e.peer.expect("listens") == "listens 1"
        e.waits_for(SOUND_BEGIN, "the tone again")
        e.hears(440)
        second = Speaker(e.desk.directory / "second", sink="vm")
        try:
            with tone(second.server, 600):
                e.allow(True, second.path)
                e.waits_for(SOUND_END, "the first daemon is left")
                e.forget()
                e.waits_for(SOUND_BEGIN, "the second daemon")
                e.hears(600)
            assert not e.recorders()
        finally:
            second.stop()


@case
def pipewire_serves_as_well():
    with ear(PipeWire) as e, e.tone(440):
        e.listen()
        e.hears(440)
        e.forget()
        e.set_format(rfb.U16, 2, 22050)
        e.waits_for(SOUND_BEGIN, "the beginning in another format")
        e.hears(440)
        e.forget()
        e.viewer.sound(False)
        e.waits_for(SOUND_END, "the end")
        e.hears_nothing()


def relay(source, sink):
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def open_door(listener, stream):
    """RFB 3.8 without security for one viewer, and then the display's stream."""
    viewer, _ = listener.accept()
    viewer.sendall(rfb.VERSION)
    viewer.recv(12, socket.MSG_WAITALL)
    viewer.sendall(b"\1\1")
    viewer.recv(1, socket.MSG_WAITALL)
    viewer.sendall(bytes(4))
    threading.Thread(target=relay, args=(viewer, stream), daemon=True).start()
    relay(stream, viewer)
    viewer.close()


@case
def gvncviewer_plays_it():
    with Desk() as desk, contextlib.ExitStack() as stack, socket.create_server(("127.0.0.1", 0)) as listener:
        daemon, speaker = Speaker(desk.directory / "pulse", sink="vm"), Speaker(desk.directory / "speaker")
        stack.callback(daemon.stop)
        stack.callback(speaker.stop)
        desk.source()
        desk.peer.do(f"sound 1 {daemon.path}")
        threading.Thread(target=open_door, args=(listener, desk.viewer.sock), daemon=True).start()
        screen = Screen()
        stack.callback(screen.stop)
        window = Window(screen, desk.directory / "gvncviewer.log",
                        ["gvncviewer", f"127.0.0.1:{listener.getsockname()[1] - 5900}"], {**GTK, **speaker.env})
        stack.callback(window.close)
        assert desk.peer.expect("listens") == "listens 1", "it switches sound on by itself"
        heard = Recording(speaker.server, "speaker.monitor", desk.directory / "heard")
        stack.callback(heard.stop)
        for hertz in (440, 600):
            with tone(daemon.server, hertz):
                eventually(heard.loud, "a tone")
                begin = heard.seconds()
                eventually(lambda: heard.seconds() > begin + 3, "more of it")
                found = Tone(heard.samples(2))
            assert abs(found.hz - hertz) < hertz / 100, found
            eventually(lambda: not heard.loud(), "the end of the tone")


main()
