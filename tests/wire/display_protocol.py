#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The RFB that a hotdesk-display speaks: what it sends decodes exactly, and no message or silence of a viewer harms it."""

import pathlib
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import rfb
from case import case, eventually, main
from display_alone import RESIZES, Desk


def rewritten(encoding):
    with Desk() as desk:
        desk.source("map", 300, 200)
        desk.peer.do("pattern 11")
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
def a_size_is_told_before_the_first_pixels():
    with Desk("--size", "640x480") as desk:
        viewer = desk.viewer.client_init()
        viewer.set_encodings((rfb.RAW, *RESIZES))
        viewer.request(incremental=False)
        assert viewer.unpack("BxH") == (0, 1)
        assert viewer.unpack("HHHHi") == (0, 0, 640, 480, rfb.EXTENDED_DESKTOP_SIZE)


@case
def what_libvncserver_mishandles_does_no_harm():
    with Desk() as desk:
        desk.source()
        desk.peer.do("pattern 2")
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
        desk.peer.do("pattern 9")
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
        "sound of 48001 Hz": struct.pack(">BBHBBI", 255, 1, 2, 3, 2, 48001),
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
        assert "broke the RFB protocol" in desk.said, what


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
            desk.peer.do(f"pattern {seed}")
            desk.shows_source()
        viewer.extensions.clear()
        viewer.continuous_updates(False)
        viewer.wait(lambda: rfb.CONTINUOUS_UPDATES in viewer.extensions, "the end of continuous updates")
        viewer.fence(b"drain")
        viewer.wait(lambda: viewer.fences, "what was on its way")
        updates = viewer.updates
        desk.peer.do("pattern 77")
        viewer.pump(0.5)
        assert viewer.updates <= updates + 1, "nothing more than an old request's update"


@case
def pointer_shapes_by_what_the_viewer_can_take():
    with Desk() as desk:
        desk.source()
        viewer = desk.start(rfb.RAW, *RESIZES, rfb.CURSOR_ALPHA)
        viewer.wait(lambda: viewer.cursor, "the arrow")
        desk.peer.do("cursor 20 10 1 2 80402010 200")
        viewer.wait(lambda: viewer.cursor and viewer.cursor[:4] == (20, 10, 1, 2), "the alpha shape")
        assert viewer.cursor[4][:4] == bytes((0x40, 0x20, 0x10, 0x80)), "red, green, blue, alpha"
        viewer.set_encodings((rfb.RAW, *RESIZES, rfb.CURSOR))
        viewer.wait(lambda: viewer.cursor[4][3] == 255, "the masked shape")
        assert viewer.cursor[4][:3] == bytes((0x1f, 0x3f, 0x7f)), "blue, green, red without the alpha"
        desk.peer.do("mouse 5 5 0")
        viewer.wait(lambda: viewer.cursor[:2] == (0, 0), "the hidden pointer")


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
        desk.peer.do("pattern 1")
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
        desk.peer.do("pattern 1")
        viewer = desk.viewer.client_init()
        viewer.set_encodings((rfb.RAW, *RESIZES, rfb.CONTINUOUS_UPDATES))
        viewer.continuous_updates(True)
        before = desk.memory()
        desk.peer.do("churn 1")
        time.sleep(2)
        viewer.key(0x61)
        desk.peer.expect("Keyboard Release 30")
        assert desk.state() == (1, 1280, 800), "the broker is answered"
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
        assert desk.state()[0] == 1


if __name__ == "__main__":
    main()
