#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a hotdesk-screen does for its displays and its broker, and what none of them can do to it."""

import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from case import case, eventually, main
from harness import BIN
from lines import Lines
from screen_alone import screen


@case
def cursor_and_pointer_reach_displays_that_come_later_too():
    with screen() as s:
        s.source()
        s.display()
        s.qemu.do("cursor 8 4 1 2 80ff0000 32", "mouse 10 20 1")
        s.tool.expect("display 0 cursor 8 4 1 2 80ff0000")
        s.tool.expect("display 0 mouse 10 20 1")
        for bad in ("8 4 8 2 1 32", "8 4 1 2 2 31", "0 0 0 0 3 0", "-1 4 0 0 4 4", "513 1 0 0 5 513",
                    "65536 65536 0 0 6 1"):
            s.qemu.do(f"cursor {bad}")
        s.qemu.do("mouse -5 -6 0")
        s.tool.expect("display 0 mouse -5 -6 0")
        others = [line for line in s.tool.take("display 0 cursor") if not line.endswith(" 80ff0000")]
        assert not others, "impossible cursors go nowhere"
        s.display(1)
        s.tool.expect("display 1 cursor 8 4 1 2 80ff0000")
        s.tool.expect("display 1 mouse -5 -6 0")


@case
def a_disabled_display_and_its_return():
    with screen() as s:
        s.source()
        s.display()
        s.tool.expect("display 0 scanout")
        s.qemu.do("disable")
        s.tool.expect("display 0 disable")
        assert s.status() == (1, 0, 0, 1)
        s.display(1)
        s.qemu.do("scanout", "pattern 6")
        s.tool.expect("display 0 scanout 64 48")
        s.tool.expect("display 1 scanout 64 48")
        s.exact(0)
        s.exact(1)


@case
def the_newest_listener_of_a_display_wins():
    with screen() as s:
        s.source()
        s.display()
        s.tool.expect("display 0 scanout")
        s.tool.do("listen 0")
        s.tool.expect("display 0 scanout 64 48")
        s.qemu.do("fill 1 2 3 4 abcdef")
        s.tool.expect("display 0 update 1 2 3 4")
        s.exact()
        assert s.status() == (1, 64, 48, 1)


@case
def a_display_that_never_answers_costs_nobody_anything():
    with screen() as s:
        s.source(256, 256)
        s.display(0)
        s.tool.expect("display 0 scanout")
        s.tool.do("hold 0 1")
        s.display(1)
        s.qemu.do("flood 1000")
        before = s.memory()
        s.qemu.do(*["flood 500"] * 40, *["storm 20"] * 10, "scanout 256 256", "pattern 2")
        eventually(lambda: s.status()[1:3] == (256, 256), "the last size")
        s.exact(1)
        assert s.memory() < before + (32 << 20), "what waits for a display is bounded"
        assert len(s.tool.take("display 0 update", "display 0 scanout")) < 20, "it is sent nothing more"


@case
def a_display_whose_listener_says_nothing_holds_up_nobody():
    with screen() as s:
        s.source()
        s.tool.do("add 0", "mute 0")
        s.display(1)
        s.qemu.do("pattern 4")
        s.exact(1)
        s.tool.do("key 1 30 1")
        s.qemu.expect("Keyboard Press 30")  # and the program ends when it is told to


@case
def a_display_that_reads_no_answers_is_cut_off():
    with screen() as s:
        s.source()
        s.display(0)
        s.display(1)
        before = s.memory()
        s.tool.tell("flood 0 1000000")
        s.tool.expect("flood error")
        eventually(lambda: s.status()[3] == 1, "only that display is gone")
        assert s.memory() < before + (48 << 20)
        s.qemu.do("pattern 4")
        s.exact(1)


@case
def displays_cannot_change_the_picture():
    with screen() as s:
        s.source()
        s.display()
        s.tool.expect("display 0 scanout")
        s.tool.do("attack 0")
        attempts = s.tool.expect("display 0 attack").split()[3:]
        assert attempts[1::2] == ["refused"] * 7, attempts
        s.qemu.do("pattern 1")
        s.exact()


@case
def more_displays_than_there_is_room_for_are_refused():
    with screen() as s:
        s.source()
        for number in range(64):
            s.tool.do(f"add {number}")
        s.tool.refused("add 64")
        assert s.status()[3] == 64
        s.tool.do("drop 63")
        eventually(lambda: s.status()[3] == 63, "one left")
        s.display(64)
        s.exact(64)


@case
def input_arrives_in_order():
    with screen() as s:
        s.source()
        s.display()
        sent, wanted = [], []
        for i in range(60):
            sent += [f"key 0 {i} 1", f"move 0 {i} {i // 2}", "button 0 1 1", f"motion 0 {i} -{i + 1}", "button 0 1 0",
                     f"key 0 {i} 0"]
            wanted += [f"Keyboard Press {i}", f"at {i} {i // 2}", "Mouse Press 1", f"by {i} -{i + 1}", "Mouse Release 1",
                       f"Keyboard Release {i}"]
        s.tool.do(*sent)
        s.qemu.expect("Keyboard Release 59")
        got = s.qemu.take("Keyboard", "Mouse", "at", "by")
        assert got == wanted[:-1], got
        s.tool.do("move 0 1000 4294967295")
        s.qemu.expect("at 63 47")
        for bad in ("key 0 256 1", "key 0 4294967295 1", "button 0 8 1"):
            s.tool.refused(bad)


@case
def a_guest_that_takes_no_positions_is_moved_as_far_as_the_viewer_s_pointer():
    with screen() as s:
        s.qemu.do("relative 1")
        s.source()
        s.display()
        s.tool.do("move 0 20 20", "move 0 25 17", "button 0 0 1", "button 0 0 0", "key 0 30 1", "move 0 0 0")
        s.qemu.expect("by -25 -17")
        assert s.qemu.take("by", "at", "refused") == ["by 5 -3"]
        assert s.qemu.take("Mouse") == ["Mouse Press 0", "Mouse Release 0"]


@case
def what_a_display_pressed_is_released_when_it_goes():
    with screen() as s:
        s.source()
        s.display(0)
        s.display(1)
        s.tool.do("key 0 42 1", "key 0 30 1", "key 0 30 0", "button 0 0 1", "key 1 57 1")
        s.qemu.expect("Keyboard Press 57")
        s.tool.do("drop 0")
        s.qemu.expect("Keyboard Release 42")
        s.qemu.expect("Mouse Release 0")
        assert s.qemu.take("Keyboard Release") == ["Keyboard Release 30"], "only what was down, and nobody else's"


@case
def the_newest_size_wins_and_is_clamped():
    with screen() as s:
        s.source()
        s.display(0)
        s.display(1)
        s.tool.do("uiinfo 0 1000 700", "uiinfo 1 1280 720", "uiinfo 0 4294967295 1", "uiinfo 1 0 65535")
        for size in ("1000 700", "1280 720", "8192 64", "64 8192"):
            assert s.qemu.expect("uiinfo") == f"uiinfo {size}"


@case
def a_size_that_the_guest_missed_is_told_again():
    with screen() as s:
        s.source()
        s.display()
        s.tool.do("uiinfo 0 1000 700")
        for _ in range(2):
            s.qemu.expect("uiinfo 1000 700")
        s.qemu.do("surface 1000 700", "scanout")
        s.tool.expect("display 0 scanout 1000 700")
        s.tool.do("uiinfo 0 800 600")
        said = [s.qemu.expect("uiinfo") for _ in range(2)]
        assert said == ["uiinfo 800 600"] * 2, "the one before was followed"


@case
def a_broker_that_comes_back_finds_everything():
    with screen() as s:
        s.source()
        s.display()
        again = Lines(BIN / "screen-tool", s.directory / "control")
        again.do("hello", "status")
        assert again.expect("status ") == "status 1 64 48 1"
        s.qemu.do("close")
        again.expect("lost")
        s.tool.expect("lost")
        again.close()
        s.source()
        s.exact()


@case
def nobody_watching_ends_the_program():
    with screen(linger=1) as s:
        s.source()
        assert s.process.wait(30) == 0
        s.qemu.expect("gone")
    with screen(linger=1) as s:
        s.display()
        s.source()
        time.sleep(1.5)  # longer than the linger, which must not run
        assert s.process.poll() is None
        s.tool.do("drop 0")
        assert s.process.wait(30) == 0


@case
def arguments_that_are_wrong():
    for arguments in ((), ("--control-fd", "3"), ("--id", "x"), ("--control-fd", "2", "--id", "x"),
                      ("--control-fd", "x", "--id", "x"), ("--control-fd", "3", "--id", "x", "--linger", "soon"),
                      ("--control-fd", "3", "--id", "x", "more"), ("--nonsense",)):
        done = subprocess.run([BIN / "hotdesk-screen", *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 2 and "usage:" in done.stderr, (arguments, done)
    assert "usage:" in subprocess.run([BIN / "hotdesk-screen", "--help"], capture_output=True, text=True,
                                      check=True).stdout


if __name__ == "__main__":
    main()
