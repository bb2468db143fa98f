#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a QEMU, fake or real, may do to a hotdesk-screen: pixels inline and by shared memory, wrong and late, new and lost."""

import os
import pathlib
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from case import case, eventually, main
from screen_alone import screen
from screen_qemu import Qemu, qemu_10


def shown(share):
    with screen() as s:
        s.display()
        s.source(64, 48, share)
        s.tool.expect("display 0 scanout 64 48")
        s.qemu.expect("listener")
        s.qemu.do("pattern 3")
        s.tool.expect("display 0 update 0 0 64 48")
        s.exact()
        s.qemu.do("fill 5 6 7 8 112233")
        s.tool.expect("display 0 update 5 6 7 8")
        s.exact()
        s.qemu.do("scanout 300 200", "pattern 4")
        s.tool.expect("display 0 scanout 300 200")
        s.exact()
        s.qemu.do("pattern 5", "scanout")
        s.exact()
        s.display(1)
        s.tool.expect("display 1 scanout 300 200")
        s.exact(1)
        assert s.status() == (1, 300, 200, 2)
        assert not s.qemu.take("refused", "listener"), "one listener did"
        assert not s.tool.take("display 0 disable"), "a new size is no lack of a picture"


@case
def inline_pixels_arrive_exactly():
    shown(0)


@case
def mapped_pixels_arrive_exactly():
    shown(1)


@case
def a_map_cut_short_is_survived_and_left():
    with screen() as s:
        s.source(200, 100, 1)
        s.display()
        s.qemu.expect("listener")
        s.qemu.do("pattern 1")
        s.exact()
        s.qemu.do("shrink 100", "pattern 2")
        s.registered_again()
        s.qemu.expect("refused")  # the same short map again: pixels come inline then
        s.exact()
        s.qemu.do("fill 1 1 30 30 ff0000")
        s.exact()
        assert s.status() == (1, 200, 100, 1)
        s.qemu.do("scanout 210 110", "pattern 8")
        s.exact()


@case
def an_answer_to_a_map_that_comes_too_late():
    with screen() as s:
        s.source(64, 48, 1)
        s.display()
        s.qemu.expect("listener")
        for seed in (2, 4):
            s.qemu.do("overdue")
            s.registered_again()
            s.qemu.do(f"pattern {seed}")
            s.exact()
            assert s.maps(), "pixels come by shared memory again"
        assert not s.qemu.take("refused", "listener") and not s.tool.take("lost")


@case
def maps_of_impossible_geometry_are_refused():
    with screen() as s:
        s.source(64, 48, 1)
        s.display()
        s.exact()
        for geometry in ("0 64 49 256", "1 64 48 256", "4294967295 64 48 256", "0 65 48 256", "0 0 48 256",
                         "0 64 0 256", "0 64 48 4294967295", "0 4294967295 4294967295 4294967295", "0 8193 1 32772"):
            s.qemu.do(f"raw-map {geometry}")
            s.qemu.expect("refused")
        s.qemu.do("map 1", "pattern 9")
        s.exact()
        assert s.status() == (1, 64, 48, 1)


@case
def updates_outside_of_a_map_register_again():
    with screen() as s:
        s.source(64, 48, 1)
        s.display()
        s.qemu.expect("listener")
        for rectangle in ("0 0 65 48", "-1 0 5 5", "60 40 5 9", "0 0 0 1", "2147483647 1 2147483647 1", "1 1 -1 -1"):
            s.qemu.do(f"raw-update-map {rectangle}")
            s.registered_again()
        s.qemu.do("pattern 2")
        s.exact()


@case
def updates_outside_of_the_surface_register_again():
    with screen() as s:
        s.source(64, 48)
        s.display()
        s.qemu.expect("listener")
        s.qemu.do("surface 128 96", "pattern 7")  # told by an update alone, as QEMU 7.2 may
        s.registered_again()
        s.tool.expect("display 0 scanout 128 96")
        s.exact()
        for rectangle in ("-1 0 5 5 20 100", "0 0 129 1 516 516", "127 95 2147483647 2147483647 4 4"):
            s.qemu.do(f"raw-update {rectangle}")
            s.registered_again()
        s.exact()


@case
def pixels_that_do_not_fit_give_the_source_up():
    with screen() as s:
        s.display()
        for bad in ("raw-scanout 64 48 256 20020888 12287", "raw-scanout 64 48 255 20020888 12288",
                    "raw-scanout 64 48 256 10020565 12288", "raw-scanout 0 0 0 20020888 0",
                    "raw-scanout 4294967295 4294967295 4294967292 20020888 16", "raw-scanout 8193 1 32772 20020888 32772",
                    "raw-update 0 0 64 48 255 12288", "raw-update 0 0 64 48 256 12287"):
            s.source(64, 48)
            s.qemu.do(bad)
            s.tool.expect("lost")
            assert s.status() == (0, 64, 48, 1), "the last picture stays"
        s.source(64, 48)
        s.qemu.do("pattern 1")
        s.exact()


@case
def a_qemu_that_registers_late():
    with screen() as s:
        s.qemu.do("late 1")
        s.source(64, 48)
        s.display()
        s.qemu.do("pattern 5")
        s.exact()
        s.tool.do("key 0 30 1", "uiinfo 0 800 600")
        s.qemu.expect("Keyboard Press 30")
        s.qemu.expect("uiinfo 800 600")
        s.qemu.do("late 0", "pattern 6")
        s.exact()


@case
def a_qemu_that_answers_nothing_holds_up_nobody():
    with screen() as s, socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(s.directory / "silent"))
        silent.listen(1)
        s.display()
        s.tool.do(f"source {s.directory / 'silent'}")
        for key in range(50):
            s.tool.do(f"key 0 {key} 1")
        assert s.status() == (1, 0, 0, 1)
        s.source(64, 48)
        s.exact()


@case
def a_listener_that_is_closed_registers_again():
    with screen() as s:
        s.source(64, 48)
        s.display()
        s.qemu.expect("listener")
        s.qemu.do("evict")
        s.registered_again()
        s.qemu.do("pattern 3")
        s.exact()
        assert not s.tool.take("lost")


@case
def a_qemu_that_always_cuts_the_picture_is_given_up():
    with screen() as s:
        s.source(64, 48, 1)
        for _ in range(1000):
            s.qemu.tell("raw-update-map 0 0 999 999")
            if s.qemu.expect("ready", "gone") == "gone":
                break
        else:
            raise AssertionError("registered again 1000 times")
        s.tool.expect("lost")
        assert s.status()[0] == 0
        s.source(64, 48)


@case
def a_qemu_that_reads_no_answers_is_given_up():
    with screen() as s:
        s.source(64, 48)
        s.display()
        before = s.memory()
        s.qemu.do("stop 1")
        s.qemu.tell("flood 1000000")
        s.tool.expect("lost")
        assert s.memory() < before + (48 << 20)
        s.qemu.expect("flood error")
        s.source(64, 48)
        s.exact()


@case
def a_storm_of_sizes_ends_with_the_last_one():
    with screen() as s:
        for share in (0, 1):
            s.source(64, 48, share)
            if not share:
                s.display()
            before = s.memory()
            s.qemu.do(*["storm 20"] * 25, "scanout 333 222", "pattern 9")
            eventually(lambda: s.status()[1:3] == (333, 222), "the last size")
            s.exact()
            assert s.memory() < before + (48 << 20)
            assert len(os.listdir(f"/proc/{s.process.pid}/fd")) < 40, "no fd is left behind"


@case
def another_source_keeps_the_displays():
    with screen() as s:
        s.source()
        s.display()
        s.tool.do("uiinfo 0 1024 768")
        s.qemu.expect("uiinfo 1024 768")
        s.qemu.do("pattern 1")
        s.exact()
        s.source(80, 60)
        s.qemu.expect("uiinfo 1024 768")
        s.qemu.do("pattern 2")
        s.exact()
        assert s.status() == (1, 80, 60, 1)
        s.tool.do("key 0 30 1")
        s.qemu.expect("Keyboard Press 30")


@case
def a_lost_source_is_told_and_replaced():
    with screen() as s:
        s.source()
        s.display()
        s.qemu.do("pattern 1")
        s.exact()
        last = s.pixels()
        s.tool.do("key 0 30 1", "key 0 31 1", "button 0 0 1")
        s.qemu.do("close")
        s.tool.expect("lost")
        assert s.status() == (0, 64, 48, 1) and s.pixels() == last, "the last picture stays"
        s.tool.do("key 0 30 0", "button 0 0 0", "move 0 1 1", "uiinfo 0 640 480")
        s.source()
        s.qemu.expect("Keyboard Release 30")
        s.qemu.expect("Mouse Release 0")
        s.qemu.expect("uiinfo 640 480")
        s.exact()
        assert not s.qemu.take("Keyboard Release 31"), "what is held down still is not released"
        s.tool.do("drop 0")
        s.qemu.expect("Keyboard Release 31")


def real(want_map, binary, environment=None):
    """A real QEMU's firmware screen; the picture is the one QEMU itself dumps."""
    with screen() as s, Qemu(binary, s.directory / "real", environment) as qemu:
        s.display()
        for _ in range(2):
            with qemu.display_at(s.directory / "main") as path:
                s.tool.do(f"source {path}")
                qemu.attach()
            s.tool.expect("picture ")
            eventually(lambda: s.pixels() == qemu.screendump(), "the picture QEMU dumps", timeout=60, interval=0.2)
        s.tool.do("uiinfo 0 1111 777", "key 0 30 1", "key 0 30 0", "move 0 5 5", "button 0 0 1", "button 0 0 0")
        assert s.status()[0] == 1 and s.status()[1] > 0
        qemu.execute("query-status")
        if want_map:
            assert s.maps(), "pixels come by shared memory"
        assert not s.tool.take("lost")[1:], s.log()


@case
def a_real_qemu():
    real(False, "qemu-system-x86_64")


@case
def a_real_qemu_10_with_shared_memory():
    real(True, *qemu_10())


if __name__ == "__main__":
    main()
