#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The clipboard of a real guest, by scripted viewers: PRIMARY, two viewers, restarts in the guest; with hotdesk-agent and with the
stock spice-vdagent."""

import functools
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

from case import Skip, case, main  # noqa: E402
from cut_text import Clipboard, both_ways, guest_copies, guest_gives, guest_pastes  # noqa: E402
from harness import Stack  # noqa: E402
from session import Session  # noqa: E402

USER = "alice"
WHITE = (255, 255, 255)  # of a terminal in which nothing was painted
SHIFT = 0xFFE1
# Its session's part ends with spice-vdagentd; hotdesk-agent's goes on, and init starts the other one again.
RESTARTS = {
    "hotdesk_agent": "for pid in $(pidof hotdesk-agent); do grep -q -e --session /proc/$pid/cmdline || kill $pid; done",
    "spice_vdagent": "killall spice-vdagentd; while pidof spice-vdagentd || pidof spice-vdagent; do sleep 1; done; "
                     "spice-vdagentd -X -f -u /dev/null && spice-vdagent",
}
HAS = 'test "$(xclip -selection {} -o)" = "{}"'

stack = None
session = clipboard = None


def setup():
    global stack, session, clipboard
    if "HOTDESK_TINY" not in os.environ:
        raise Skip("HOTDESK_TINY does not name the built tiny guest (tests/run sets it)")
    stack = Stack(users={USER: "wonder"})
    stack.start()
    stack.tiny_pool(max=1)
    session = Session(stack, USER)
    clipboard = Clipboard(session.viewer)


def teardown():
    if session:
        session.close()
    if stack:
        stack.stop()


def a_selection_by_mouse_is_not_copied():
    """Neither way, unless the pool says so."""
    session.succeeds(guest_copies("selected", "primary"))
    both_ways(session, clipboard, "€日本👍")
    session.succeeds(HAS.format("primary", "selected"))
    assert "selected" not in clipboard.texts, clipboard.texts


def a_selection_by_mouse_is_copied_where_the_pool_says_so():
    stack.cli("pool", "set", "desk", "clipboard-primary=on")
    guest_gives(session, clipboard, "selected later", "primary")
    clipboard.copy("for both")
    session.succeeds(guest_pastes("for both", "primary"))
    session.succeeds(guest_pastes("for both"))
    stack.cli("pool", "set", "desk", "clipboard-primary=off")
    session.succeeds(guest_copies("selected again", "primary"))
    both_ways(session, clipboard, "copied again")
    assert "selected again" not in clipboard.texts, clipboard.texts


def of_two_viewers_the_one_that_last_had_input_has_the_clipboard():
    other = Session(stack, USER)
    try:
        others = Clipboard(other.viewer)
        guest_gives(session, clipboard, "for the one")
        other.viewer.pump()
        assert others.offers == 0, others.texts
        other.viewer.key(SHIFT)
        other.viewer.wait(lambda: others.text == "for the one", lambda: f"what the guest holds, not {others.texts}")
        both_ways(other, others, "for the other")
        session.viewer.pump()
        assert "for the other" not in clipboard.texts, clipboard.texts
        both_ways(session, clipboard, "for the one again")
    finally:
        other.close()


def the_guest_s_x_server_restarts():
    clipboard.copy("over it")
    session.succeeds(guest_pastes("over it"))
    session.run("killall Xorg")
    session.viewer.wait(lambda: session.colour() == WHITE, "a new session's terminal", 90)
    session.wait_desktop()
    both_ways(session, clipboard, "after X")


def the_agent_restarts(agent):
    session.succeeds(RESTARTS[agent])
    both_ways(session, clipboard, "after its agent")


def add_cases(agent):
    for behaviour in (a_selection_by_mouse_is_not_copied, a_selection_by_mouse_is_copied_where_the_pool_says_so,
                      of_two_viewers_the_one_that_last_had_input_has_the_clipboard, the_guest_s_x_server_restarts,
                      functools.partial(the_agent_restarts, agent)):
        @functools.wraps(getattr(behaviour, "func", behaviour))
        def function(behaviour=behaviour):
            behaviour()
        function.__name__ = f"{agent}_{function.__name__}"
        case(function)


add_cases("hotdesk_agent")


@case
def the_stock_agent_takes_the_port():
    session.succeeds("stock-agent")


add_cases("spice_vdagent")


if __name__ == "__main__":
    main(setup, teardown)
