# SPDX-License-Identifier: GPL-3.0-or-later
"""A scripted vdagent: the guest's end of com.redhat.spice.0 as a listening Unix socket, as QEMU's chardev is.

    agent = Agent(path)
    ...  # somebody connects
    agent.accept()
    agent.announce()
    agent.grab()
"""

import socket
import struct

MAX_CHUNK = 2048
CLIENT_PORT = 1
MOUSE_STATE, MONITORS_CONFIG, CLIPBOARD, ANNOUNCE, GRAB, REQUEST, RELEASE = 1, 2, 4, 6, 7, 8, 9
NO_TYPE, UTF8, PNG = 0, 1, 2
MOUSE, MONITORS, REPLY, CLIPBOARD_CAP, DISPLAY, BY_DEMAND, SELECTION, LF, CRLF, MAX_CLIPBOARD, NO_RELEASE, SERIAL = (
    1 << bit for bit in (0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 16, 17))
LINUX = MONITORS | CLIPBOARD_CAP | BY_DEMAND | SELECTION | LF | NO_RELEASE | SERIAL
# What vdagent-win announces: one selection, and line ends of its own.
WINDOWS = MOUSE | MONITORS | REPLY | DISPLAY | BY_DEMAND | CRLF | MAX_CLIPBOARD


def message(kind, body, chunk=MAX_CHUNK, protocol=1, size=None, port=CLIENT_PORT):
    data = struct.pack("<IIQI", protocol, kind, 0, len(body) if size is None else size) + body
    pieces = (data[at:at + chunk] for at in range(0, len(data), chunk))
    return b"".join(struct.pack("<II", port, len(piece)) + piece for piece in pieces)


class Agent:
    def __init__(self, path, caps=LINUX):
        self.caps = caps
        self.serials = [0, 0]
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(1)
        self.listener.settimeout(30)
        self.connection = None
        self.buffer = b""

    def accept(self):
        if self.connection:
            self.connection.close()
        self.connection, _ = self.listener.accept()
        self.connection.settimeout(30)
        self.buffer = b""
        self.serials = [0, 0]
        return self

    def close(self):
        if self.connection:
            self.connection.close()
        self.listener.close()

    def _read(self, size):
        while len(self.buffer) < size:
            data = self.connection.recv(1 << 16)
            assert data, "the screen closed the port"
            self.buffer += data
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def ended(self):
        """The screen closes the port; what it still says is dropped."""
        try:
            while self.connection.recv(1 << 16):
                pass
        except ConnectionResetError:
            pass
        return True

    def receive(self):
        """The next message: kind and body. Its chunks are as long as old agents take."""
        data = bytearray()
        while len(data) < 20 or len(data) < 20 + struct.unpack_from("<I", data, 16)[0]:
            port, size = struct.unpack("<II", self._read(8))
            assert port == CLIENT_PORT and 0 < size <= MAX_CHUNK, (port, size)
            data += self._read(size)
        protocol, kind, _, size = struct.unpack_from("<IIQI", data)
        assert protocol == 1 and len(data) == 20 + size
        return kind, bytes(data[20:])

    def expect(self, kind):
        got, body = self.receive()
        assert got == kind, f"message {got} {body[:40]}, not {kind}"
        return body

    def send(self, kind, body=b"", **options):
        self.connection.sendall(message(kind, body, **options))

    def announce(self, request=0):
        self.send(ANNOUNCE, struct.pack("<II", request, self.caps))

    def up(self):
        """Answers the screen's announcement as an agent that runs."""
        self.accept()
        request, caps = struct.unpack("<II", self.expect(ANNOUNCE))
        assert request == 1 and caps & BY_DEMAND and caps & SELECTION, (request, caps)
        self.announce()
        return self

    def begin_again(self):
        """As spice-vdagentd does for a new session of its guest's: it counts on until the host asks as well."""
        self.announce(request=1)
        request, _ = struct.unpack("<II", self.expect(ANNOUNCE))
        if request:
            self.serials = [0, 0]
            self.announce()

    def _selection(self, number):
        return struct.pack("<I", number) if self.caps & SELECTION else b""

    def grab(self, selection=0, kinds=(UTF8,)):
        serial = b""
        if self.caps & SERIAL:
            serial = struct.pack("<I", self.serials[selection])
            self.serials[selection] += 1
        self.send(GRAB, self._selection(selection) + serial + struct.pack(f"<{len(kinds)}I", *kinds))

    def release(self, selection=0):
        self.send(RELEASE, self._selection(selection))

    def request(self, selection=0, kind=UTF8):
        self.send(REQUEST, self._selection(selection) + struct.pack("<I", kind))

    def give(self, text, selection=0, kind=UTF8, **options):
        self.send(CLIPBOARD, self._selection(selection) + struct.pack("<I", kind) + text, **options)

    def _body(self, kind):
        """A clipboard message's selection and what follows."""
        body = self.expect(kind)
        return (body[0], body[4:]) if self.caps & SELECTION else (0, body)

    def expect_grab(self, selection=0):
        got, body = self._body(GRAB)
        if self.caps & SERIAL:
            serial, body = struct.unpack("<I", body[:4])[0], body[4:]
            assert serial == self.serials[got], (serial, self.serials)
            self.serials[got] += 1
        assert got == selection and struct.unpack("<I", body) == (UTF8,), (got, body)

    def expect_grab_after_crossing(self, selection=0):
        """One that was sent before the agent's own came: it has the number that the agent gave its own."""
        self.serials[selection] -= 1
        self.expect_grab(selection)

    def expect_release(self, selection=0):
        assert self._body(RELEASE) == (selection, b"")

    def expect_request(self, selection=0):
        assert self._body(REQUEST) == (selection, struct.pack("<I", UTF8))

    def expect_text(self, selection=0):
        """The text that the screen gives, None where it says that there is none."""
        got, body = self._body(CLIPBOARD)
        kind = struct.unpack("<I", body[:4])[0]
        assert got == selection and kind in (UTF8, NO_TYPE), (got, kind)
        return body[4:] if kind == UTF8 else None
