#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""One hotdesk-display between a scripted viewer and display-peer, which plays the broker and the desktop."""

import os
import pathlib
import select
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import rfb
from case import case, eventually, main
from harness import BIN

ENCODINGS = {"raw": rfb.RAW, "hextile": rfb.HEXTILE, "zrle": rfb.ZRLE, "tight": rfb.TIGHT}
RESIZES = (rfb.DESKTOP_SIZE, rfb.EXTENDED_DESKTOP_SIZE)
work = None


class Peer:
    """display-peer: commands in, lines of what happened out."""

    def __init__(self, control):
        self.process = subprocess.Popen([BIN / "display-peer", control], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, bufsize=0)
        self.lines = []
        self.rest = b""

    def read(self, timeout):
        if select.select([self.process.stdout], [], [], timeout)[0]:
            self.rest += os.read(self.process.stdout.fileno(), 65536)
            *lines, self.rest = self.rest.split(b"\n")
            self.lines += [line.decode() for line in lines]

    def expect(self, *wanted, timeout=30.0):
        """Waits for a line that begins with one of the wanted texts; it and those before it are taken out."""
        deadline = time.monotonic() + timeout
        while True:
            for i, line in enumerate(self.lines):
                if line.startswith(wanted):
                    del self.lines[:i + 1]
                    return line
            assert time.monotonic() < deadline, f"the peer did not say {wanted}: {self.lines}"
            self.read(0.1)

    def tell(self, command):
        self.process.stdin.write(command.encode() + b"\n")

    def do(self, command):
        self.tell(command)
        answer = self.expect(command.split()[0] + " done", command.split()[0] + " error")
        assert answer.endswith("done"), answer

    def state(self):
        self.tell("state")
        return tuple(int(word) for word in self.expect("state").split()[1:])

    def pixels(self):
        path = work / "dump"
        self.do(f"dump {path}")
        return path.read_bytes()

    def events(self, settle=0.3):
        self.read(settle)
        while select.select([self.process.stdout], [], [], 0)[0]:
            self.read(0)
        lines, self.lines = self.lines, []
        return lines

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


class Desk:
    """A hotdesk-display with its peer and its viewer's end of the stream."""

    def __init__(self, *arguments, stream=None):
        self.directory = pathlib.Path(tempfile.mkdtemp(dir=work))
        control = self.directory / "control"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(control))
            listener.listen(8)
            ours, theirs = stream or socket.socketpair()
            self.log = open(self.directory / "log", "w+")
            self.process = subprocess.Popen(
                [BIN / "hotdesk-display", "--stream-fd", str(theirs.fileno()), "--control-fd",
                 str(listener.fileno()), "--name", "Alice's desktop", *arguments],
                pass_fds=[theirs.fileno(), listener.fileno()], stderr=self.log)
            theirs.close()
        self.viewer = rfb.Viewer(ours, 30)
        self.peer = Peer(control)
        self.peer.do("hello")

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.viewer.close()
        status = self.process.wait(20)
        self.peer.close()
        self.log.seek(0)
        text = self.log.read()
        sys.stderr.write(text)
        self.log.close()
        assert kind or "Sanitizer" not in text and "runtime error" not in text, text
        assert kind or status in (0, 1), f"exit {status}"
        self.status = status

    def source(self, mode="map", width=320, height=240):
        self.peer.do(f"source {mode} {width} {height}")
        self.peer.expect("registered")

    def start(self, *encodings):
        self.viewer.start(encodings or (rfb.RAW, *RESIZES))
        return self.viewer

    def shows_source(self):
        """Waits until the viewer's picture is the source's to the pixel."""
        want = self.peer.pixels()
        self.viewer.wait(lambda: same(self.viewer.framebuffer, want), "the source's picture, exactly")

    def memory(self):
        for line in open(f"/proc/{self.process.pid}/status"):
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        return 0


def same(have, want):
    if len(have) != len(want):
        return False
    return all(have[i::4] == want[i::4] for i in range(3))


def setup():
    global work
    work = pathlib.Path(tempfile.mkdtemp(prefix="hotdesk-display-"))


def teardown():
    if work and not os.environ.get("HOTDESK_KEEP"):
        shutil.rmtree(work, ignore_errors=True)


def colours(viewer):
    pixels = viewer.framebuffer
    return len({bytes(pixels[i:i + 3]) for i in range(0, len(pixels), 4)})


@case
def a_desktop_that_is_there_is_shown_without_a_picture_before_it():
    with Desk("--size", "640x480") as desk:
        desk.source("map", 320, 240)
        desk.peer.expect("mapped")
        viewer = desk.viewer.client_init()
        assert (viewer.width, viewer.height) == (320, 240), "ServerInit tells the desktop's size"
        assert viewer.name == "Alice's desktop"
        viewer.set_encodings((rfb.RAW,))
        viewer.request(incremental=False)
        viewer.request_after_update = True
        viewer.wait(lambda: viewer.updates, "an update")
        assert same(viewer.framebuffer, desk.peer.pixels()), "the first update is the desktop"
        assert desk.peer.state() == (1, 320, 240)


@case
def a_picture_waits_with_the_viewer_until_the_desktop_comes():
    with Desk("--size", "640x480", "--title", "Starting", "--detail", "Please wait") as desk:
        viewer = desk.start()
        assert (viewer.width, viewer.height) == (640, 480)
        assert colours(viewer) > 20, "text was drawn"
        before = bytes(viewer.framebuffer)
        desk.peer.do("status Starting|The disk is being cloned|40|0")
        viewer.wait(lambda: bytes(viewer.framebuffer) != before, "the new status")
        desk.source("map", 800, 600)
        desk.peer.do("noise 7")
        viewer.wait(lambda: viewer.width == 800, "the desktop's size")
        desk.shows_source()
        assert desk.peer.state() == (1, 800, 600)


@case
def a_lost_desktop_is_dimmed_and_a_new_one_replaces_it():
    with Desk() as desk:
        desk.source()
        desk.peer.do("fill 0 0 320 240 8080ff")
        viewer = desk.start()
        viewer.wait(lambda: viewer.pixel(2, 2) == (0x80, 0x80, 0xff), "the desktop")
        viewer.key(0x61, True)
        desk.peer.expect("Keyboard Press 30")
        desk.peer.tell("drop")
        desk.peer.expect("lost")
        viewer.wait(lambda: viewer.pixel(2, 2) == (0x20, 0x20, 0x3f), "the dimmed desktop")
        desk.source("inline")
        desk.peer.do("noise 3")
        desk.shows_source()
        desk.peer.do("clear")
        viewer.wait(lambda: colours(viewer) < 2000 and viewer.width == 320, "the drawn picture")


@case
def keys_are_released_in_a_desktop_that_is_replaced_and_at_the_end():
    with Desk() as desk:
        desk.source()
        viewer = desk.start()
        viewer.key(0x61, True)
        viewer.pointer(5, 5, 1)
        desk.peer.expect("Mouse Press 0")
        desk.peer.tell("clear")
        desk.peer.expect("Keyboard Release 30")
        desk.peer.expect("Mouse Release 0")
        desk.source()
        desk.peer.expect("mapped")
        desk.peer.do("noise 1")
        desk.shows_source()
        viewer.key(0x62, True)
        desk.peer.expect("Keyboard Press 48")
        viewer.close()
        desk.peer.expect("Keyboard Release 48")
        assert desk.process.wait(20) == 0


@case
def inline_pixels_and_a_memfd_that_could_shrink():
    for mode in ("inline", "plain"):
        with Desk() as desk:
            desk.source(mode)
            if mode == "plain":
                desk.peer.expect("map refused")
            desk.peer.do("noise 5")
            desk.start()
            desk.shows_source()
            desk.peer.do("fill 10 10 50 50 123456")
            desk.shows_source()
            desk.peer.do("size 400 300")
            desk.peer.do("noise 6")
            desk.shows_source()
            assert desk.viewer.width == 400


def rewritten(encoding):
    with Desk() as desk:
        desk.source("map", 300, 200)
        desk.peer.do("noise 11")
        desk.peer.do("churn 1")
        viewer = desk.start(encoding, *RESIZES, rfb.LAST_RECT)
        begin = viewer.updates
        viewer.wait(lambda: viewer.updates > begin + 40, "updates while the source is rewritten")
        desk.peer.do("churn 0")
        desk.shows_source()
        assert encoding in viewer.decoders.used


@case
def a_source_rewritten_while_it_is_encoded_raw():
    rewritten(rfb.RAW)


@case
def a_source_rewritten_while_it_is_encoded_hextile():
    rewritten(rfb.HEXTILE)


@case
def a_source_rewritten_while_it_is_encoded_zrle():
    rewritten(rfb.ZRLE)


@case
def a_source_rewritten_while_it_is_encoded_tight():
    rewritten(rfb.TIGHT)


@case
def other_pixel_formats_show_the_same_picture():
    with Desk() as desk:
        desk.source("map", 64, 64)
        desk.peer.do("fill 0 0 64 64 ff8040")
        viewer = desk.viewer.client_init()
        viewer.set_pixel_format((16, 16, 1, 1, 31, 63, 31, 11, 5, 0))
        viewer.set_encodings((rfb.RAW,))
        viewer.request(incremental=False)
        assert viewer.unpack("BxH") == (0, 1)
        assert viewer.unpack("HHHHi") == (0, 0, 64, 64, 0)
        assert set(struct.unpack(">4096H", viewer.read(8192))) == {31 << 11 | 32 << 5 | 8}, "ff8040 in 16 bits"


@case
def the_viewer_decides_the_size():
    with Desk("--max", "1920x1080") as desk:
        desk.source()
        desk.peer.do("follow 1")
        viewer = desk.start()
        viewer.wait(lambda: rfb.EXTENDED_DESKTOP_SIZE in viewer.extensions, "ExtendedDesktopSize")
        viewer.set_desktop_size(1111, 777)
        assert desk.peer.expect("uiinfo") == "uiinfo 1111 777"
        viewer.wait(lambda: (viewer.width, viewer.height) == (1111, 777), "the new size")
        assert viewer.size_results[-1:] == [(1, 0)]
        desk.shows_source()
        viewer.set_desktop_size(65535, 65535)
        assert desk.peer.expect("uiinfo") == "uiinfo 1920 1080"
        viewer.wait(lambda: (viewer.width, viewer.height) == (1920, 1080), "the largest size")
        viewer.set_desktop_size(1920, 1080)
        results = len(viewer.size_results)
        viewer.wait(lambda: len(viewer.size_results) > results and viewer.size_results[-1:] == [(1, 0)], "the same again")
        viewer.set_desktop_size(100, 100, [])
        viewer.wait(lambda: viewer.size_results[-1:] == [(1, 3)], "no screens: a bad layout")
        desk.shows_source()


@case
def a_size_is_told_before_the_first_pixels():
    with Desk("--size", "640x480") as desk:
        viewer = desk.viewer.client_init()
        viewer.set_encodings((rfb.RAW, *RESIZES))
        viewer.request(incremental=False)
        assert viewer.unpack("BxH") == (0, 1)
        assert viewer.unpack("HHHHi") == (0, 0, 640, 480, rfb.EXTENDED_DESKTOP_SIZE)


@case
def a_guest_that_does_not_follow_is_said_so():
    with Desk() as desk:
        desk.source()
        viewer = desk.start()
        viewer.set_desktop_size(65535, 65535)
        assert desk.peer.expect("uiinfo") == "uiinfo 8192 8192"
        viewer.wait(lambda: viewer.size_results[-1:] == [(1, 1)], "the refusal")
        desk.peer.do("noise 4")
        desk.shows_source()


@case
def a_size_asked_for_while_waiting_is_kept_for_the_desktop():
    with Desk("--size", "640x480") as desk:
        viewer = desk.start()
        viewer.set_desktop_size(900, 640)
        desk.peer.expect("wanted 900 640")
        viewer.wait(lambda: (viewer.width, viewer.height) == (900, 640), "the picture at that size")
        desk.peer.do("follow 1")
        desk.peer.do("source map 320 240")
        desk.peer.expect("uiinfo 900 640")
        desk.peer.expect("registered")
        desk.peer.do("fill 0 0 900 640 00ff00")
        desk.shows_source()


@case
def a_viewer_without_resize_gets_a_letter_box():
    with Desk("--size", "400x300") as desk:
        viewer = desk.start(rfb.RAW)
        desk.source("map", 200, 100)
        desk.peer.do("fill 0 0 200 100 ff0000")
        viewer.wait(lambda: viewer.pixel(200, 150) == (255, 0, 0), "the small desktop in the middle")
        assert viewer.pixel(99, 150) == (0, 0, 0) and viewer.pixel(100, 100) == (255, 0, 0)
        viewer.pointer(100, 100, 0)
        assert desk.peer.expect("at") == "at 0 0"
        viewer.pointer(399, 299, 0)
        assert desk.peer.expect("at") == "at 199 99"
        desk.peer.do("size 800 300")
        desk.peer.do("fill 0 0 800 300 00ff00")
        viewer.wait(lambda: viewer.pixel(0, 150) == (0, 255, 0) and viewer.pixel(399, 80) == (0, 255, 0),
                    "the large one scaled down")
        assert viewer.pixel(200, 74) == (0, 0, 0)
        viewer.pointer(200, 150, 0)
        assert desk.peer.expect("at") == "at 400 150"
        assert (viewer.width, viewer.height) == (400, 300)


@case
def what_libvncserver_mishandles_does_no_harm():
    with Desk() as desk:
        desk.source()
        desk.peer.do("noise 2")
        viewer = desk.start()
        viewer.write(struct.pack(">BBxx", 8, 2) * 3 + struct.pack(">BBxx", 15, 3))          # SetScale, twice its kind
        viewer.write(struct.pack(">BBxx", 9, 1) + struct.pack(">BBHH", 10, 1, 5, 5))        # UltraVNC's
        viewer.write(struct.pack(">BxxxI", 11, 4) + b"chat" + struct.pack(">BxxxI", 11, 0xffffffff))
        viewer.write(struct.pack(">BBBxII", 7, 1, 0, 0, 3) + b"abc")                        # file transfer
        viewer.write(struct.pack(">BxBB", 250, 1, 2))                                       # xvp
        viewer.write(struct.pack(">BBHH", 5, 0x80, 7, 8))                                   # flagged, but not announced
        assert desk.peer.expect("at") == "at 7 8"
        viewer.set_encodings((rfb.RAW, *RESIZES, -316))
        viewer.write(struct.pack(">BBHHB", 5, 0x81, 9, 8, 1))
        assert desk.peer.expect("at") == "at 9 8"
        viewer.cut_text("x" * 1000)
        viewer.write(struct.pack(">BxxxI", 6, 2**32 - 8) + b"extended")
        viewer.request(True, 5000, 5000, 10, 10)
        viewer.request(False, 319, 239, 0, 0)
        viewer.key(0x61)
        desk.peer.expect("Keyboard Release 30")
        desk.peer.do("noise 9")
        desk.shows_source()


@case
def a_message_no_viewer_sends_ends_only_that_viewer():
    bad = {
        "cut text of 4 GiB": struct.pack(">BxxxI", 6, 0x7fffffff),
        "cut text of minus 2 GiB": struct.pack(">BxxxI", 6, 0x80000000),
        "65535 encodings": struct.pack(">BxH", 2, 65535),
        "255 screens": struct.pack(">BxHHBx", 251, 100, 100, 255),
        "a 3-bit pixel format": struct.pack(">BxxxBBBBHHHBBB3x", 0, 3, 24, 0, 1, 255, 255, 255, 16, 8, 0),
        "a shift of 255": struct.pack(">BxxxBBBBHHHBBB3x", 0, 32, 24, 0, 1, 255, 255, 255, 255, 8, 0),
        "an unknown message": b"\xc8",
    }
    for what, data in bad.items():
        with Desk() as desk:
            desk.source("map", 64, 64)
            viewer = desk.start()
            before = desk.memory()
            viewer.write(data)
            assert viewer.ended(), what
            assert desk.memory() < before + (32 << 20), what
        assert desk.status == 1, what
        assert "broke the RFB protocol" in (desk.directory / "log").read_text(), what


@case
def fences_come_back_in_order():
    with Desk() as desk:
        desk.source()
        viewer = desk.start(rfb.ZRLE, *RESIZES, rfb.FENCE, rfb.CONTINUOUS_UPDATES)
        desk.peer.do("churn 1")
        for number in range(200):
            viewer.fence(struct.pack(">I", number) * (1 + number % 16), rfb.FENCE_REQUEST | 0x70 | number % 8)
        viewer.wait(lambda: len(viewer.fences) == 200, "all fences")
        for number, (flags, payload) in enumerate(viewer.fences):
            assert flags == number % 8, f"only known flags come back: {flags:#x}"
            assert payload == struct.pack(">I", number) * (1 + number % 16)
        desk.peer.do("churn 0")
        desk.shows_source()


@case
def continuous_updates_need_no_requests():
    with Desk() as desk:
        desk.source()
        viewer = desk.start(rfb.TIGHT, *RESIZES, rfb.FENCE, rfb.CONTINUOUS_UPDATES)
        viewer.wait(lambda: rfb.CONTINUOUS_UPDATES in viewer.extensions and rfb.FENCE in viewer.extensions, "support")
        viewer.request_after_update = False
        viewer.continuous_updates(True)
        for seed in range(10):
            desk.peer.do(f"noise {seed}")
            desk.shows_source()
        viewer.extensions.clear()
        viewer.continuous_updates(False)
        viewer.wait(lambda: rfb.CONTINUOUS_UPDATES in viewer.extensions, "the end of continuous updates")
        viewer.fence(b"drain")
        viewer.wait(lambda: viewer.fences, "what was on its way")
        updates = viewer.updates
        desk.peer.do("noise 77")
        viewer.pump(0.5)
        assert viewer.updates <= updates + 1, "nothing more than an old request's update"


@case
def pointer_shapes_by_what_the_viewer_can_take():
    with Desk() as desk:
        desk.source()
        viewer = desk.start(rfb.RAW, *RESIZES, rfb.CURSOR_ALPHA)
        viewer.wait(lambda: viewer.cursor, "the arrow")
        desk.peer.do("cursor 20 10 80402010")
        viewer.wait(lambda: viewer.cursor and viewer.cursor[:4] == (20, 10, 1, 2), "the alpha shape")
        assert viewer.cursor[4][:4] == bytes((0x40, 0x20, 0x10, 0x80)), "red, green, blue, alpha"
        viewer.set_encodings((rfb.RAW, *RESIZES, rfb.CURSOR))
        viewer.wait(lambda: viewer.cursor[4][3] == 255, "the masked shape")
        assert viewer.cursor[4][:3] == bytes((0x1f, 0x3f, 0x7f)), "blue, green, red without the alpha"
        desk.peer.do("mouse 5 5 0")
        viewer.wait(lambda: viewer.cursor[:2] == (0, 0), "the hidden pointer")


@case
def a_viewer_that_draws_no_pointer_sees_it_in_the_picture():
    with Desk() as desk:
        desk.source()
        desk.peer.do("fill 0 0 320 240 000000")
        viewer = desk.start(rfb.RAW, *RESIZES)
        desk.peer.do("cursor 8 8 ff00ff00")
        desk.peer.do("mouse 100 50 1")
        viewer.wait(lambda: viewer.pixel(99, 48) == (0, 255, 0), "the pointer")
        assert viewer.pixel(107, 50) == (0, 0, 0)
        desk.peer.do("mouse 200 150 1")
        viewer.wait(lambda: viewer.pixel(199, 148) == (0, 255, 0) and viewer.pixel(99, 48) == (0, 0, 0), "it moves")
        desk.peer.do("mouse 200 150 0")
        viewer.wait(lambda: viewer.pixel(199, 148) == (0, 0, 0), "it goes")
        desk.shows_source()


@case
def keys_by_number_and_by_name():
    with Desk("--keyboard", "de") as desk:
        desk.source()
        viewer = desk.start(rfb.RAW, *RESIZES, rfb.QEMU_KEYS)
        viewer.wait(lambda: rfb.QEMU_KEYS in viewer.extensions, "QEMU keys")
        viewer.qemu_key(0x71, 0xdb)
        desk.peer.expect("Keyboard Press 219")
        desk.peer.expect("Keyboard Release 219")
        desk.peer.events()
        viewer.key(0x40)  # @: AltGr and q
        want = ["Keyboard Press 184", "Keyboard Press 16", "Keyboard Release 184", "Keyboard Release 16"]
        assert [desk.peer.expect("Keyboard") for _ in want] == want
        viewer.qemu_key(0xdf, 0)  # number not known: by name
        assert desk.peer.expect("Keyboard") == "Keyboard Press 12"
        for button in (8, 16):
            viewer.click(3, 4, button)
        for number in (3, 4):
            desk.peer.expect(f"Mouse Press {number}")
            desk.peer.expect(f"Mouse Release {number}")


class Throttle:
    """Between a viewer and its display: takes at most `rate` bytes a second off the display, forwards the viewer at once."""

    def __init__(self, rate):
        self.inner, self.stream = socket.socketpair()
        self.outer, self.viewer = socket.socketpair()
        self.rate = rate
        self.taken = 0
        self.go = True
        threading.Thread(target=self._down, daemon=True).start()
        threading.Thread(target=self._up, daemon=True).start()

    def _down(self):
        while self.go:
            data = self.inner.recv(self.rate // 50)
            if not data:
                break
            self.taken += len(data)
            self.outer.sendall(data)
            time.sleep(len(data) / self.rate)

    def _up(self):
        while data := self.outer.recv(65536):
            self.inner.sendall(data)
        self.inner.shutdown(socket.SHUT_WR)


@case
def a_key_passes_a_full_screen_change_on_a_slow_line():
    line = Throttle(2_000_000 // 8)
    with Desk(stream=(line.viewer, line.stream)) as desk:
        desk.source("map", 1280, 800)
        viewer = desk.viewer.client_init()
        viewer.set_encodings((rfb.RAW, *RESIZES, rfb.FENCE, rfb.CONTINUOUS_UPDATES))
        viewer.continuous_updates(True)
        desk.peer.do("noise 1")
        eventually(lambda: line.taken > 100_000, "pixels on the way")
        assert line.taken < 4 * 1280 * 800, "the picture is still on its way"
        viewer.key(0x61)
        desk.peer.expect("Keyboard Press 30")
        desk.peer.expect("Keyboard Release 30")
        assert line.taken < 4 * 1280 * 800, "the key passed the pixels"
        line.rate = 100_000_000
        desk.shows_source()


@case
def a_viewer_that_never_reads_costs_little_and_stops_nothing():
    with Desk() as desk:
        desk.source("map", 1280, 800)
        desk.peer.do("noise 1")
        viewer = desk.viewer.client_init()
        viewer.set_encodings((rfb.RAW, *RESIZES, rfb.CONTINUOUS_UPDATES))
        viewer.continuous_updates(True)
        before = desk.memory()
        desk.peer.do("churn 1")
        time.sleep(2)
        viewer.key(0x61)
        desk.peer.expect("Keyboard Release 30")
        assert desk.peer.state() == (1, 1280, 800), "the broker is answered"
        assert desk.memory() < before + (48 << 20), "memory is bounded"
        desk.peer.do("churn 0")
        desk.shows_source()


@case
def a_flood_of_requests_is_bounded():
    with Desk() as desk:
        desk.source()
        viewer = desk.viewer.client_init()
        viewer.set_encodings((rfb.RAW,))
        viewer.sock.settimeout(2)
        before = desk.memory()
        request = struct.pack(">BBHHHH", 3, 0, 0, 0, 320, 240) + struct.pack(">B3xIB", 248, rfb.FENCE_REQUEST, 0)
        try:
            for _ in range(200):
                viewer.sock.sendall(request * 1000)
        except TimeoutError:
            pass  # the display reads no more: as it should
        assert desk.memory() < before + (32 << 20), "memory is bounded"
        assert desk.peer.state()[0] == 1


@case
def a_desktop_that_takes_no_input_is_given_up():
    with Desk() as desk:
        desk.source()
        viewer = desk.start()
        desk.peer.do("stop 1")
        for number in range(40000):
            viewer.pointer(number % 320, 5)
        viewer.fence(b"")
        viewer.key(0x61)
        desk.peer.do("noise 3")
        desk.shows_source()
        for _ in range(6000):
            viewer.key(0x61)
        desk.peer.expect("lost")
        desk.source()
        desk.peer.do("noise 4")
        desk.shows_source()


@case
def the_broker_closes_with_a_reason():
    with Desk() as desk:
        desk.source()
        viewer = desk.start()
        before = bytes(viewer.framebuffer)
        desk.peer.do("close Your desktop was stopped|The administrator ended this session.|300")
        viewer.wait(lambda: bytes(viewer.framebuffer) != before and colours(viewer) > 20, "the reason")
        assert viewer.ended()
        assert desk.process.wait(10) == 0


@case
def an_unknown_keyboard_layout_is_an_error():
    with socket.socket(socket.AF_UNIX) as listener:
        ours, theirs = socket.socketpair()
        result = subprocess.run([BIN / "hotdesk-display", "--stream-fd", str(theirs.fileno()), "--control-fd",
                                 str(listener.fileno()), "--keyboard", "klingon"],
                                pass_fds=[theirs.fileno(), listener.fileno()], capture_output=True, text=True)
        assert result.returncode == 1 and "klingon" in result.stderr and "xkb-data" in result.stderr, result.stderr
        ours.close()
        theirs.close()
    assert subprocess.run([BIN / "hotdesk-display"], capture_output=True).returncode == 2


if __name__ == "__main__":
    main(setup, teardown)
