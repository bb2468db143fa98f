#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""hotdesk-display's clipboard between a scripted viewer and a scripted screen."""

import contextlib
import pathlib
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import cut_text
import rfb
from case import case, main
from display_alone import Desk
from rfb import CLIPBOARD_CAPS, CLIPBOARD_NOTIFY, CLIPBOARD_PEEK, CLIPBOARD_PROVIDE, CLIPBOARD_REQUEST, CLIPBOARD_TEXT

TEXT = "€日本👍\nä"
LIMIT = 8 << 20


class Clip:
    """A display with its desktop and its viewer started."""

    def __init__(self, desk, extended):
        self.desk, self.peer = desk, desk.peer
        desk.source()
        self.viewer = desk.start(rfb.RAW, *((rfb.EXTENDED_CLIPBOARD,) if extended else ()))
        if extended:
            flags, payload = self.heard()
            assert flags & CLIPBOARD_CAPS and flags & CLIPBOARD_TEXT, hex(flags)
            assert payload == struct.pack(">I", 0), "nothing is to come unasked"
            self.viewer.clipboard_message(flags, struct.pack(">I", 1 << 20))

    def heard(self):
        """The next message of the Extended Clipboard."""
        self.viewer.wait(lambda: self.viewer.clipboard, "a message of the clipboard")
        return self.viewer.clipboard.pop(0)

    def expect(self, flags):
        got, payload = self.heard()
        assert got == flags, (hex(got), hex(flags))
        return payload

    def said(self, *what):
        """A line of the peer's; messages for the viewer are read meanwhile."""
        def there():
            self.peer.read(0)
            return any(line.startswith(what) for line in self.peer.lines)
        self.viewer.wait(there, f"the peer says {what}")
        return self.peer.expect(*what)

    def file(self, text):
        path = self.desk.directory / "offered"
        path.write_bytes(text)
        return path

    def offer(self, text):
        self.peer.do(f"offer {self.file(text)}")

    def provided(self):
        text = cut_text.unpack(self.expect(CLIPBOARD_PROVIDE | CLIPBOARD_TEXT))
        assert text[-1] == 0, text[-10:]
        return text[:-1]

    def provide(self, text, **options):
        """As a viewer does: CRLF, a NUL, zipped without an end of the stream unless told so."""
        self.viewer.clipboard_message(CLIPBOARD_PROVIDE | CLIPBOARD_TEXT, cut_text.pack(text + b"\0", **options))

    def paste(self):
        """In the desktop; the viewer is asked then."""
        self.peer.do(f"paste {self.desk.directory}/pasted")

    def pasted(self):
        said = self.said("pasted", "nothing")
        return (self.desk.directory / "pasted").read_bytes() if said.startswith("pasted") else None


@contextlib.contextmanager
def clip(*arguments, extended=True):
    with Desk(*arguments) as desk:
        yield Clip(desk, extended)


def copied_out(c, text):
    """By a viewer with the Extended Clipboard; what it is given."""
    c.offer(text)
    c.expect(CLIPBOARD_NOTIFY | CLIPBOARD_TEXT)
    c.viewer.clipboard_message(CLIPBOARD_REQUEST | CLIPBOARD_TEXT)
    return c.provided()


def pasted_in(c, text, **options):
    c.viewer.clipboard_message(CLIPBOARD_NOTIFY | CLIPBOARD_TEXT)
    c.said("copied")
    c.paste()
    c.expect(CLIPBOARD_REQUEST | CLIPBOARD_TEXT)
    c.provide(text, **options)
    return c.pasted()


@case
def a_text_moves_only_when_it_is_pasted():
    with clip() as c:
        assert copied_out(c, TEXT.encode()) == TEXT.replace("\n", "\r\n").encode()
        assert pasted_in(c, TEXT.replace("\n", "\r\n").encode()) == TEXT.encode()
        c.peer.read(0)
        assert c.peer.lines.count("asked") <= 1, c.peer.lines
        c.viewer.clipboard_message(CLIPBOARD_PEEK)
        c.expect(CLIPBOARD_NOTIFY)
        c.offer(b"later")
        c.expect(CLIPBOARD_NOTIFY | CLIPBOARD_TEXT)
        c.viewer.clipboard_message(CLIPBOARD_PEEK)
        c.expect(CLIPBOARD_NOTIFY | CLIPBOARD_TEXT)
        c.peer.do("withdraw")
        c.expect(CLIPBOARD_NOTIFY)


@case
def five_megabytes_both_ways():
    big = TEXT.encode() * (5_000_000 // len(TEXT.encode()))
    with clip() as c:
        assert copied_out(c, big) == big.replace(b"\n", b"\r\n")
        assert pasted_in(c, big.replace(b"\n", b"\r\n")) == big


@case
def an_empty_text_is_none():
    with clip() as c:
        assert pasted_in(c, b"") is None
        assert pasted_in(c, b"another") == b"another"


@case
def a_viewer_with_latin1_alone_gets_what_fits():
    with clip(extended=False) as c:
        c.offer("a€ä日\n".encode())
        c.viewer.wait(lambda: c.viewer.cut_texts, "a text")
        assert c.viewer.cut_texts == ["a?ä?\n".encode("latin-1")]
        c.viewer.cut_text("zwölf §\n")
        c.said("copied")
        c.paste()
        assert c.pasted() == "zwölf §\n".encode()
        c.viewer.cut_text("")
        c.said("uncopied")
        c.viewer.key(0x61)
        c.said("Keyboard Press 30")


@case
def a_text_that_was_there_first_comes_behind_the_handshake():
    with Desk() as desk:
        desk.source()
        (desk.directory / "offered").write_bytes(b"first")
        desk.peer.do(f"offer {desk.directory}/offered", f"paste {desk.directory}/pasted")
        desk.peer.expect("nothing")
        assert not desk.peer.take("asked"), "by a viewer of which nothing is known"
        viewer = desk.start(rfb.RAW)
        viewer.wait(lambda: viewer.cut_texts == [b"first"], "the text")


@case
def of_texts_that_follow_each_other_the_last_one_arrives():
    with clip(extended=False) as c:
        c.peer.do("offer ")  # asked for, and never answered
        c.said("asked")
        c.offer(b"the last")
        c.viewer.wait(lambda: c.viewer.cut_texts == [b"the last"], "the text")


@case
def the_end_of_a_zipped_stream_is_no_end_of_the_viewer():
    with clip() as c:
        assert pasted_in(c, b"ended", end=True) == b"ended"
        assert pasted_in(c, b"again") == b"again"


@case
def bombs_and_lies_are_dropped_and_the_viewer_goes_on():
    with clip() as c:
        for text, options in ((b"\0" * (200 << 20), {}), (b"short", {"size": 4000}), (b"long", {"size": 0xffffffff})):
            c.viewer.clipboard_message(CLIPBOARD_NOTIFY | CLIPBOARD_TEXT)
            c.said("copied")
            c.paste()
            c.expect(CLIPBOARD_REQUEST | CLIPBOARD_TEXT)
            before = c.desk.memory()
            c.provide(text, **options)
            assert c.pasted() is None, "and nobody waits for it"
            c.viewer.key(0x61)
            c.said("Keyboard Press 30")
            assert c.desk.memory() - before < 100 << 20, "a bomb is not unpacked"
            c.desk.source()  # whoever waits for the text is gone with this
        c.viewer.clipboard_message(CLIPBOARD_PROVIDE | CLIPBOARD_TEXT, b"this is not zipped")
        c.viewer.clipboard_message(0xffffffff, b"x" * 100)
        c.viewer.write(struct.pack(">B3xi", 6, -2) + b"ab")  # too short for its flags
        assert pasted_in(c, b"whole") == b"whole"


@case
def what_is_too_long_is_said_and_not_copied():
    with clip("--clipboard-max", "1000") as c:
        c.viewer.cut_text("x" * 1001)
        before = bytes(c.viewer.framebuffer)
        c.viewer.wait(lambda: bytes(c.viewer.framebuffer) != before, "a notice")
        assert pasted_in(c, b"y" * 1000) == b"y" * 1000
        c.viewer.clipboard_message(CLIPBOARD_NOTIFY | CLIPBOARD_TEXT)
        c.said("copied")
        c.paste()
        c.expect(CLIPBOARD_REQUEST | CLIPBOARD_TEXT)
        c.provide(b"y" * 1001)
        assert c.pasted() is None


@case
def broken_utf8_is_mended():
    with clip() as c:
        assert pasted_in(c, b"a\xff\xc3b\r\rc\r\n") == b"a??b\r\rc\n"
        assert copied_out(c, b"plain") == b"plain"


@case
def a_desktop_that_comes_back_learns_what_the_viewer_holds():
    with clip() as c:
        c.viewer.clipboard_message(CLIPBOARD_NOTIFY | CLIPBOARD_TEXT)
        c.said("copied")
        c.desk.offer()
        c.said("copied")
        c.offer(b"of the desktop")
        c.expect(CLIPBOARD_NOTIFY | CLIPBOARD_TEXT)
        c.desk.source()
        c.expect(CLIPBOARD_NOTIFY)
        c.viewer.clipboard_message(CLIPBOARD_REQUEST | CLIPBOARD_TEXT)
        assert pasted_in(c, b"then") == b"then"


@case
def a_viewer_that_does_not_hand_over_is_not_waited_for_long():
    with clip() as c:
        c.viewer.clipboard_message(CLIPBOARD_NOTIFY | CLIPBOARD_TEXT)
        c.said("copied")
        c.paste()
        c.expect(CLIPBOARD_REQUEST | CLIPBOARD_TEXT)
        assert c.pasted() is None
        assert pasted_in(c, b"now") == b"now"


@case
def a_desktop_that_does_not_hand_over_is_asked_again():
    with clip() as c:
        c.peer.do("offer ")
        c.expect(CLIPBOARD_NOTIFY | CLIPBOARD_TEXT)
        for _ in range(3):
            c.viewer.clipboard_message(CLIPBOARD_REQUEST | CLIPBOARD_TEXT)
        c.said("asked")
        c.desk.source()
        c.expect(CLIPBOARD_NOTIFY)
        assert copied_out(c, b"then") == b"then"


@case
def a_notice_is_drawn_and_goes_away():
    with clip() as c:
        c.peer.do("pattern 7")
        c.desk.shows_source()
        c.peer.do("notice Clipboard off by policy: \x1b[31mwhat you copy here stays here.")
        want = c.desk.pixels()
        c.viewer.wait(lambda: bytes(c.viewer.framebuffer) != want, "the notice")
        changed = {i // 4 // c.viewer.width for i in range(0, len(want), 4)
                   if bytes(c.viewer.framebuffer[i:i + 3]) != want[i:i + 3]}
        assert changed and max(changed) < 100, "only the top of the picture"
        c.desk.shows_source()


main()
