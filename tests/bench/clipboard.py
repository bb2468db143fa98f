# SPDX-License-Identifier: GPL-3.0-or-later
"""Copy and paste between a viewer and a guest with the stock spice-vdagent: milliseconds of a short text, MB/s of long ones;
beside QEMU's own VNC server with the same guest."""

from cut_text import Clipboard
from harness import Stack
from qemu_vnc import QemuVnc
from session import Session

USER, PASSWORD = "alice", "wonder"
ROUNDS = 5
SHORT = "hotdesk €日本👍"
MEGABYTE = 1_000_000
LONG = 5 * MEGABYTE
MIDDLE = MEGABYTE // 2  # QEMU drops texts of 1 MB and more, either way
DIGITS = ("".join(f"{number} " for number in range(10_000, 30_001)) * 42)[:LONG]
WAIT = 120

# The guest: a program pastes what the viewer has copied, and copies an answer: how long it was, or a text as long as it asks
# for. Nobody looks again and again: each xclip waits until the clipboard is taken from it.
PREPARE = (f"seq 10000 30000 | tr '\\n' ' ' >part; for i in $(seq 42); do cat part; done | head -c {LONG} >long; "
           f"test $(wc -c <long) = {LONG}")
ANSWER = ("while :; do xclip -selection clipboard -o >got; set -- $(head -c 20 got | tr -cd 'a-z0-9 '); "
          "case $1 in give) head -c $2 long;; *) wc -c <got;; esac | xclip -quiet -selection clipboard; done 2>/dev/null")


class Side:
    """hotdesk or the peer: a guest that answers, and the clipboard of a viewer of it."""

    def __init__(self, name, figures, terminal):
        self.name, self.figures = name, figures
        terminal.succeeds("stock-agent")
        terminal.succeeds(PREPARE)
        self.clipboard = Clipboard(terminal.viewer)
        terminal.run(ANSWER)
        self._wait_answer(0)

    def _wait_answer(self, before):
        clipboard = self.clipboard
        clipboard.viewer.wait(lambda: len(clipboard.texts) > before, f"{self.name}: the guest's answer", WAIT)

    def _copy(self, text):
        """And the guest's answer."""
        before = len(self.clipboard.texts)
        self.clipboard.copy(text)
        self._wait_answer(before)
        return self.clipboard.text

    def _add(self, figure, value, unit):
        self.figures.add(f"{self.name}.{figure}", value, unit)

    def _pasted(self, text):
        size = len(text.encode())
        # QEMU hands what ends the viewer's message over as well.
        assert int(self._copy(text)) in (size, size + 1), (self.clipboard.text, size)

    def short(self):
        self._pasted(SHORT)
        self._add("in.copy-to-paste", (self.clipboard.offered_at - self.clipboard.copied_at) * 1000, "ms")
        self._add("out.copy-to-paste", (self.clipboard.got_at - self.clipboard.offered_at) * 1000, "ms")

    def long_in(self, size, figure):
        self._pasted(DIGITS[:size])
        self._add(f"in.{figure}", size / MEGABYTE / (self.clipboard.offered_at - self.clipboard.asked_at), "MB/s")

    def long_out(self, size, figure):
        assert self._copy(f"give {size}") == DIGITS[:size]
        self._add(f"out.{figure}", size / MEGABYTE / (self.clipboard.got_at - self.clipboard.offered_at), "MB/s")


def one_round(hotdesk, peer):
    for _ in range(4):
        for side in (hotdesk, peer):
            side.short()
    for side in (hotdesk, peer):
        side.long_in(MIDDLE, "0.5-mb")
        side.long_out(MIDDLE, "0.5-mb")
    hotdesk.long_in(LONG, "5-mb")
    hotdesk.long_out(LONG, "5-mb")


def measure(figures):
    stack = Stack(users={USER: PASSWORD})
    try:
        stack.start()
        stack.tiny_pool()
        with QemuVnc() as other:
            peer = Side("qemu-vnc", figures, other)
            session = Session(stack, USER)
            hotdesk = Side("hotdesk", figures, session)
            for _ in figures.rounds(ROUNDS):
                one_round(hotdesk, peer)
            session.close()
    finally:
        stack.stop()
