#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a hotdesk-display shows of its desktop, from before it comes to its end, and what it takes there."""

import pathlib
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import rfb
from case import case, main
from display_alone import RESIZES, Desk, colours, same
from harness import BIN


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
        assert same(viewer.framebuffer, desk.pixels()), "the first update is the desktop"
        assert desk.state() == (1, 320, 240)


@case
def a_picture_waits_with_the_viewer_until_the_desktop_comes():
    with Desk("--size", "640x480", "--title", "Starting", "--detail", "Please wait") as desk:
        viewer = desk.start()
        assert (viewer.width, viewer.height) == (640, 480)
        assert colours(viewer) > 20, "text was drawn"
        before = bytes(viewer.framebuffer)
        desk.peer.do("status Starting|The disk is being cloned|40 0")
        viewer.wait(lambda: bytes(viewer.framebuffer) != before, "the new status")
        desk.source("map", 800, 600)
        desk.peer.do("pattern 7")
        viewer.wait(lambda: viewer.width == 800, "the desktop's size")
        desk.shows_source()
        assert desk.state() == (1, 800, 600)


@case
def a_lost_desktop_is_dimmed_and_a_new_one_replaces_it():
    with Desk() as desk:
        desk.source()
        desk.peer.do("fill 0 0 320 240 8080ff")
        viewer = desk.start()
        viewer.wait(lambda: viewer.pixel(2, 2) == (0x80, 0x80, 0xff), "the desktop")
        viewer.key(0x61, True)
        desk.peer.expect("Keyboard Press 30")
        desk.peer.tell("close")
        desk.peer.expect("lost")
        viewer.wait(lambda: viewer.pixel(2, 2) == (0x20, 0x20, 0x3f), "the dimmed desktop")
        desk.source("inline")
        desk.peer.do("pattern 3")
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
        desk.peer.do("pattern 1")
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
                desk.peer.expect("refused")
            desk.peer.do("pattern 5")
            desk.start()
            desk.shows_source()
            desk.peer.do("fill 10 10 50 50 123456")
            desk.shows_source()
            desk.peer.do("scanout 400 300")
            desk.peer.do("pattern 6")
            desk.shows_source()
            assert desk.viewer.width == 400


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
def a_guest_that_does_not_follow_is_said_so():
    with Desk() as desk:
        desk.source()
        viewer = desk.start()
        viewer.set_desktop_size(65535, 65535)
        assert desk.peer.expect("uiinfo") == "uiinfo 8192 8192"
        viewer.wait(lambda: viewer.size_results[-1:] == [(1, 1)], "the refusal")
        desk.peer.do("pattern 4")
        desk.shows_source()


@case
def a_size_asked_for_while_waiting_is_kept_for_the_desktop():
    with Desk("--size", "640x480") as desk:
        viewer = desk.start()
        viewer.set_desktop_size(900, 640)
        desk.peer.expect("wanted 900 640")
        viewer.wait(lambda: (viewer.width, viewer.height) == (900, 640), "the picture at that size")
        desk.peer.do("follow 1")
        desk.offer("map", 320, 240)
        desk.peer.expect("uiinfo 900 640")
        desk.peer.expect("ready")
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
        desk.peer.do("scanout 800 300")
        desk.peer.do("fill 0 0 800 300 00ff00")
        viewer.wait(lambda: viewer.pixel(0, 150) == (0, 255, 0) and viewer.pixel(399, 80) == (0, 255, 0),
                    "the large one scaled down")
        assert viewer.pixel(200, 74) == (0, 0, 0)
        viewer.pointer(200, 150, 0)
        assert desk.peer.expect("at") == "at 400 150"
        assert (viewer.width, viewer.height) == (400, 300)


@case
def a_viewer_that_draws_no_pointer_sees_it_in_the_picture():
    with Desk() as desk:
        desk.source()
        desk.peer.do("fill 0 0 320 240 000000")
        viewer = desk.start(rfb.RAW, *RESIZES)
        desk.peer.do("cursor 8 8 1 2 ff00ff00 64")
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


@case
def a_desktop_that_takes_no_input_is_given_up():
    with Desk() as desk:
        desk.source()
        viewer = desk.start()
        desk.peer.do("deaf 1")
        for number in range(40000):
            viewer.pointer(number % 320, 5)
        viewer.fence(b"")
        viewer.key(0x61)
        desk.peer.do("pattern 3")
        desk.shows_source()
        for _ in range(6000):
            viewer.key(0x61)
        desk.peer.expect("lost")
        desk.source()
        desk.peer.do("pattern 4")
        desk.shows_source()


@case
def a_desktop_that_is_stuck_is_left_at_once():
    waits = []
    with Desk() as desk:
        desk.source()
        viewer = desk.start(rfb.RAW, rfb.FENCE, *RESIZES)
        for _ in range(4):
            desk.peer.do("deaf 1")
            viewer.key(0x61, True)
            for number in range(40000):  # more than a socket holds
                viewer.pointer(number % 320, 5)
            viewer.fence(b"all said")
            viewer.wait(lambda: viewer.fences and viewer.fences.pop(), "what was said before has been dealt with")
            begin = time.monotonic()
            desk.peer.do("clear")
            waits.append(time.monotonic() - begin)
            desk.source()
            desk.peer.do("pattern 4")
            desk.shows_source()
    assert min(waits) < 0.1, f"the display waited each time: {waits}"


@case
def a_desktop_whose_picture_never_fits_is_given_up():
    with Desk() as desk:
        desk.source()
        desk.peer.expect("mapped")
        desk.start()
        for _ in range(1000):
            desk.peer.tell("raw-update 0 0 10 10 40 400")
            if desk.peer.expect("ready", "lost") == "lost":
                break
        else:
            raise AssertionError("registered again 1000 times")
        desk.source()
        desk.peer.do("pattern 4")
        desk.shows_source()


@case
def the_broker_closes_with_a_reason():
    with Desk() as desk:
        desk.source()
        viewer = desk.start()
        before = bytes(viewer.framebuffer)
        desk.peer.do("finish Your desktop was stopped|The administrator ended this session.|5000")
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
    main()
