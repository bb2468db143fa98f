# SPDX-License-Identifier: GPL-3.0-or-later
"""The clipboard of a scripted viewer, and what the shell of a guest's terminal copies and pastes.

    clipboard = Clipboard(session.viewer)
    guest_gives(session, clipboard, "text")
    clipboard.copy("other")  # handed over when the desktop asks for it
    session.succeeds(guest_pastes("other"))

It speaks the Extended Clipboard, and as most viewers do it asks at once for what the desktop offers.
"""

import hashlib
import struct
import time
import zlib

import rfb
from rfb import CLIPBOARD_CAPS, CLIPBOARD_NOTIFY, CLIPBOARD_PROVIDE, CLIPBOARD_REQUEST, CLIPBOARD_TEXT


def pack(data, size=None, end=False):
    """What a message that provides a text has behind its flags; size: a length that lies; end: of the zipped stream."""
    packer = zlib.compressobj(1)
    zipped = packer.compress(struct.pack(">I", len(data) if size is None else size) + data)
    return zipped + packer.flush(zlib.Z_FINISH if end else zlib.Z_SYNC_FLUSH)


def unpack(payload):
    plain = zlib.decompressobj().decompress(payload)
    size = struct.unpack(">I", plain[:4])[0]
    assert len(plain) == 4 + size, (len(plain), size)
    return plain[4:]


class Clipboard:
    """Of an rfb.Viewer. `texts` were the desktop's; `*_at` tell when something last happened."""

    def __init__(self, viewer):
        self.viewer = viewer
        self.able = False
        self.held = None    # what was copied here
        self.texts = []
        self.offers = 0     # how often the desktop said that it has a text
        self.copied_at = self.asked_at = self.offered_at = self.got_at = 0.0
        viewer.on_clipboard = self._heard
        viewer.set_encodings((*rfb.DEFAULT_ENCODINGS, rfb.EXTENDED_CLIPBOARD))
        viewer.wait(lambda: self.able, "the server knows the Extended Clipboard")

    def copy(self, text):
        self.held = text
        self.copied_at = time.monotonic()
        self.viewer.clipboard_message(CLIPBOARD_NOTIFY | CLIPBOARD_TEXT)

    def _heard(self, flags, payload):
        if flags & CLIPBOARD_CAPS:
            self.able = True
            self.viewer.clipboard_message(flags, struct.pack(">I", 0))
        elif flags & CLIPBOARD_REQUEST:
            self._asked()
        elif flags & CLIPBOARD_NOTIFY and flags & CLIPBOARD_TEXT:
            self.offers += 1
            self.offered_at = time.monotonic()
            self.viewer.clipboard_message(CLIPBOARD_REQUEST | CLIPBOARD_TEXT)
        elif flags & CLIPBOARD_PROVIDE:
            self.got_at = time.monotonic()
            self.texts.append(unpack(payload).removesuffix(b"\0").decode().replace("\r\n", "\n"))

    @property
    def text(self):
        """The newest."""
        return self.texts[-1] if self.texts else None

    def _asked(self):
        self.asked_at = time.monotonic()
        data = self.held.replace("\n", "\r\n").encode() + b"\0"
        self.viewer.clipboard_message(CLIPBOARD_PROVIDE | CLIPBOARD_TEXT, pack(data))


def in_shell(text):
    """For printf in single quotes, of characters that are on every keyboard."""
    return "".join(f"\\{byte:03o}" for byte in text.encode())


def guest_copies(text, name="clipboard"):
    return f"printf '{in_shell(text)}' | xclip -selection {name}"


def guest_pastes(text, name="clipboard"):
    """Succeeds once the guest pastes this."""
    sum_of_it = hashlib.md5(text.encode()).hexdigest()
    return f"until xclip -selection {name} -o | md5sum | grep {sum_of_it}; do sleep 1; done"


def guest_gives(terminal, clipboard, text, name="clipboard"):
    """What is copied in the guest comes to the viewer."""
    before = len(clipboard.texts)
    terminal.until(guest_copies(text, name), lambda: text in clipboard.texts[before:],
                   lambda: f"the viewer gets {text!r}, not {clipboard.text!r:.200}", interrupt=True)


def both_ways(terminal, clipboard, text):
    guest_gives(terminal, clipboard, text)
    clipboard.copy(text[::-1])
    terminal.succeeds(guest_pastes(text[::-1]))
