#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""hotdesk-screen's clipboard between a scripted guest's vdagent and scripted displays."""

import contextlib
import pathlib
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import vdagent
from case import case, eventually, main
from screen_alone import screen
from vdagent import Agent

IN, OUT, PRIMARY = 1, 2, 4
LIMIT = 8 << 20
TEXT = "€日本👍\nä".encode()


class Desk:
    """A screen with an agent and as many displays whose viewers can have a clipboard."""

    def __init__(self, s, caps, displays):
        self.s = s
        self.tool = s.tool
        self.agent = Agent(s.directory / "vdagent", caps)
        for number in range(displays):
            self.tool.do(f"add {number}", f"register {number}")

    def connect(self, allowed=IN | OUT, limit=LIMIT):
        self.tool.do(f"clipboard {allowed} {limit}", f"vdagent {self.s.directory}/vdagent")
        self.agent.up()
        return self

    def file(self, text, name="copied"):
        path = self.s.directory / name
        path.write_bytes(text)
        return path

    def copy(self, text, display=0):
        """In the viewer of a display."""
        self.tool.do(f"copy {display} {self.file(text)}")

    def paste(self, display=0):
        """What the viewer of a display gets from the desktop once the agent has answered; call answer() meanwhile."""
        self.tool.do(f"paste {display} {self.s.directory}/pasted")

    def pasted(self, display=0):
        said = self.tool.expect(f"display {display} pasted", f"display {display} nothing")
        return (self.s.directory / "pasted").read_bytes() if " pasted " in said else None

    def input(self, display):
        self.tool.do(f"key {display} 30 1", f"key {display} 30 0")


@contextlib.contextmanager
def desk(caps=vdagent.LINUX, displays=1, **options):
    with screen() as s:
        made = Desk(s, caps, displays)
        try:
            yield made.connect(**options) if options.pop("connected", True) else made
        finally:
            made.agent.close()


def copied_out(d, text, display=0):
    d.agent.grab()
    d.tool.expect(f"display {display} grab")
    d.paste(display)
    d.agent.expect_request()
    d.agent.give(text)
    return d.pasted(display)


def pasted_in(d, text, display=0):
    d.copy(text, display)
    d.agent.expect_grab()
    d.agent.request()
    d.tool.expect(f"display {display} request")
    return d.agent.expect_text()


@case
def a_text_moves_only_when_it_is_asked_for():
    with desk() as d:
        assert copied_out(d, TEXT) == TEXT
        assert d.tool.expect("moved") == f"moved {OUT} {len(TEXT)}"
        assert pasted_in(d, TEXT) == TEXT
        assert d.tool.expect("moved") == f"moved {IN} {len(TEXT)}"
        assert copied_out(d, b"later") == b"later", "the newest text wins, whichever side it is from"


@case
def five_megabytes_both_ways():
    big = TEXT * (5_000_000 // len(TEXT))
    with desk() as d:
        assert copied_out(d, big) == big
        assert pasted_in(d, big) == big


@case
def what_is_released_is_gone_on_the_other_side():
    with desk() as d:
        d.agent.grab()
        d.tool.expect("display 0 grab")
        d.agent.release()
        d.tool.expect("display 0 release")
        d.paste()
        assert d.pasted() is None
        d.copy(TEXT)
        d.agent.expect_grab()
        d.tool.do("uncopy 0")
        d.agent.expect_release()
        d.agent.request()
        assert d.agent.expect_text() is None


@case
def pictures_are_not_offered():
    with desk() as d:
        d.agent.grab(kinds=(vdagent.PNG,))
        d.agent.grab(kinds=(vdagent.PNG, vdagent.UTF8))
        d.tool.expect("display 0 grab")
        d.agent.grab(kinds=(vdagent.PNG,))
        d.tool.expect("display 0 release")
        d.copy(TEXT)
        d.agent.expect_grab()
        d.agent.request(kind=vdagent.PNG)
        assert d.agent.expect_text() is None


@case
def a_windows_guest_has_line_ends_of_its_own():
    with desk(vdagent.WINDOWS) as d:
        assert copied_out(d, b"one\r\ntwo\rthree\r\n\0") == b"one\ntwo\rthree\n"
        assert pasted_in(d, b"one\ntwo\n") == b"one\r\ntwo\r\n"
        assert pasted_in(d, b"\n" * LIMIT) == b"\r\n" * LIMIT


@case
def what_is_no_utf8_is_mended():
    with desk() as d:
        assert copied_out(d, b"a\xffb\xc3\0c") == b"a?b??c"


@case
def an_agent_of_old_has_one_selection_and_no_serials():
    with desk(vdagent.CLIPBOARD_CAP | vdagent.BY_DEMAND) as d:
        assert copied_out(d, TEXT) == TEXT
        assert pasted_in(d, TEXT) == TEXT


@case
def of_two_grabs_that_cross_the_host_s_counts():
    with desk() as d:
        d.copy(TEXT)
        d.agent.grab()  # it had not read the screen's yet
        d.agent.expect_grab_after_crossing()
        d.agent.request()
        d.tool.expect("display 0 request")
        assert d.agent.expect_text() == TEXT
        assert not d.tool.take("display 0 grab")


@case
def each_direction_is_a_policy():
    with desk(allowed=OUT) as d:
        d.tool.refused(f"copy 0 {d.file(TEXT)}")
        assert "off by policy" in d.tool.expect("display 0 notice")
        d.tool.refused(f"copy 0 {d.file(TEXT)}")
        assert copied_out(d, TEXT) == TEXT
        assert not d.tool.take("display 0 notice"), "it is said once"
    with desk(allowed=IN) as d:
        d.agent.grab()
        assert "off by policy" in d.tool.expect("display 0 notice")
        d.paste()
        assert d.pasted() is None
        assert pasted_in(d, TEXT) == TEXT
        assert not d.tool.take("display 0 grab")


@case
def a_policy_that_changes_counts_at_once():
    with desk() as d:
        d.agent.grab()
        d.tool.expect("display 0 grab")
        d.tool.do(f"clipboard {IN} {LIMIT}")
        d.tool.expect("display 0 release")
        d.paste()
        assert d.pasted() is None
        d.tool.do(f"clipboard {IN | OUT} {LIMIT}")
        d.tool.expect("display 0 grab")
        d.copy(TEXT)
        d.agent.expect_grab()
        d.tool.do(f"clipboard {OUT} {LIMIT}")
        d.agent.expect_release()
        d.tool.do(f"clipboard {IN | OUT} {LIMIT}")
        d.agent.expect_grab()


@case
def a_text_asked_for_before_a_policy_is_not_given_after_it():
    with desk() as d:
        d.agent.grab()
        d.tool.expect("display 0 grab")
        d.paste()
        d.agent.expect_request()
        d.tool.do(f"clipboard {IN} {LIMIT}")
        d.agent.give(TEXT)
        assert d.pasted() is None


@case
def primary_is_a_policy_of_its_own():
    with desk() as d:
        d.agent.grab(1)
        d.agent.grab(0)
        d.tool.expect("display 0 grab")
        assert not d.tool.take("display 0 grab")
    with desk(allowed=IN | OUT | PRIMARY) as d:
        d.agent.grab(1)
        d.tool.expect("display 0 grab")
        d.paste()
        d.agent.expect_request(1)
        d.agent.give(TEXT, 1)
        assert d.pasted() == TEXT
        d.copy(TEXT)
        d.agent.expect_grab(0)
        d.agent.expect_grab(1)
        d.agent.request(1)
        d.tool.expect("display 0 request")
        assert d.agent.expect_text(1) == TEXT
        d.tool.do(f"clipboard {IN | OUT} {LIMIT}")
        d.agent.expect_release(1)
        d.agent.request(1)
        assert d.agent.expect_text(1) is None
    with desk(allowed=OUT | PRIMARY) as d:
        for selection in (0, 1):
            d.agent.grab(selection)
            d.tool.expect("display 0 grab")
        d.tool.do(f"clipboard {OUT} {LIMIT}")
        d.tool.expect("display 0 grab")
        d.paste()
        d.agent.expect_request(0)


@case
def texts_over_the_limit_are_refused_and_said():
    with desk(limit=1000) as d:
        assert copied_out(d, b"x" * 2000) is None
        assert "longer" in d.tool.expect("display 0 notice")
        assert copied_out(d, b"x" * 1000) == b"x" * 1000
    with desk(limit=1000) as d:
        assert pasted_in(d, b"x" * 1001) is None
        assert "longer" in d.tool.expect("display 0 notice")
        assert pasted_in(d, b"x" * 1000) == b"x" * 1000


@case
def the_display_that_last_had_input_has_the_clipboard():
    with desk(displays=2) as d:
        d.agent.grab()
        d.tool.expect("display 0 grab")
        d.input(1)
        d.tool.expect("display 1 grab")
        assert copied_out(d, TEXT, 1) == TEXT
        d.copy(b"of display 0", 0)  # is there, but it has no input
        d.input(0)
        d.agent.expect_grab()
        d.agent.request()
        d.tool.expect("display 0 request")
        assert d.agent.expect_text() == b"of display 0"
        d.tool.do("drop 0")
        d.agent.expect_release()


@case
def an_agent_that_restarts_learns_what_the_viewer_holds():
    with desk() as d:
        d.agent.grab()
        d.tool.expect("display 0 grab")
        d.agent.begin_again()
        d.tool.expect("display 0 release")
        assert copied_out(d, TEXT) == TEXT
        d.copy(TEXT)
        d.agent.expect_grab()
        d.agent.begin_again()
        d.agent.expect_grab()
        d.agent.request()
        d.tool.expect("display 0 request")
        assert d.agent.expect_text() == TEXT
        d.agent.connection.close()
        d.tool.expect("agent lost")
        d.tool.do(f"vdagent {d.s.directory}/vdagent")
        d.agent.up().expect_grab()


@case
def an_agent_that_hands_nothing_over_is_not_waited_for_long():
    with desk() as d:
        d.agent.grab()
        d.tool.expect("display 0 grab")
        d.paste()
        d.agent.expect_request()
        assert d.pasted() is None
        assert copied_out(d, TEXT) == TEXT


@case
def a_display_that_hands_nothing_over_is_not_waited_for_long():
    with desk() as d:
        d.tool.do("copy 0 ")
        d.agent.expect_grab()
        d.agent.request()
        d.tool.expect("display 0 request")
        assert d.agent.expect_text() is None


@case
def a_guest_that_takes_nothing_is_given_up():
    with desk() as d:
        d.copy(b"x" * LIMIT)
        d.agent.expect_grab()
        d.agent.request()
        d.tool.expect("agent lost")
        assert d.agent.ended()


@case
def an_agent_that_is_killed_within_a_text_is_followed_by_another():
    """Its end is not told on the port, and the next one would speak into the rest of its text."""
    with desk() as d:
        d.agent.grab()
        d.tool.expect("display 0 grab")
        d.paste()
        d.agent.expect_request()
        d.agent.give(b"x" * 100_000, size=1_000_000)
        d.agent.announce(request=1)
        d.tool.expect("agent lost")
        assert d.agent.ended()


@case
def a_guest_that_breaks_the_protocol_ends_its_connection_alone():
    big = struct.pack("<I", 0x7fffffff)
    for bad in (b"\3\0\0\0" + big, vdagent.message(vdagent.GRAB, b"", protocol=2)):
        with desk() as d:
            d.s.source()
            d.s.display(1)
            d.agent.connection.sendall(bad)
            d.tool.expect("agent lost")
            d.s.exact(1)


@case
def a_guest_that_floods_costs_no_memory():
    with desk() as d:
        before = d.s.memory()
        d.tool.do("hold 0 1")
        for _ in range(20):
            for _ in range(500):
                d.agent.grab()
                d.agent.request(1)
                d.agent.give(b"y" * 100)
                d.agent.send(vdagent.CLIPBOARD)
        d.agent.send(vdagent.CLIPBOARD, b"z" * 100, size=0xfffffff0)
        eventually(lambda: d.s.status()[3] == 1, "the screen answers")
        d.tool.expect("display 0 grab")
        assert not d.tool.take("display 0 grab"), "a display that does not answer is told no more"
        assert d.s.memory() - before < 8 << 20, d.s.memory() - before
        assert (d.s.directory / "log").stat().st_size < 10_000, "nor lines of the log"


@case
def a_size_that_the_guest_does_not_follow_is_asked_of_its_agent():
    with desk() as d:
        d.s.source()
        d.tool.do("uiinfo 0 1366 768")
        body = d.agent.expect(vdagent.MONITORS_CONFIG)
        assert struct.unpack("<IIIIIII", body)[:5] == (1, 0, 768, 1366, 32), body


@case
def a_guest_that_takes_no_positions_is_pointed_by_its_agent():
    with desk(vdagent.WINDOWS) as d:
        d.s.qemu.do("relative 1")
        d.s.source()
        d.tool.do("move 0 5 6", "button 0 0 1", "move 0 50 40", "button 0 0 0", "button 0 4 1", "button 0 4 0")
        for x, y, buttons in ((5, 6, 0), (5, 6, 2), (50, 40, 2), (50, 40, 0), (50, 40, 32), (50, 40, 0)):
            assert struct.unpack("<IIIB", d.agent.expect(vdagent.MOUSE_STATE)) == (x, y, buttons, 0)
        d.s.qemu.do("relative 0")
        eventually(lambda: d.tool.do("move 0 7 8") or d.s.qemu.take("at 7 8"), "QEMU is told where QEMU takes it", interval=0.1)
        assert not d.s.qemu.take("Mouse Press"), "not pressed twice"


main()
