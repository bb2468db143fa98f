# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for hotdesk-broker at its gate.sock (broker/gate_api.h): one thread a login, answers from a table.

    broker = FakeBroker(path)              # serves at once
    broker.answers["alice"] = broker.accept("secret")
    stream = broker.stream()               # the display's end of the next good login
"""

import os
import queue
import socket
import struct
import threading

LOGIN = struct.Struct("=II256s80s")
RESULT = struct.Struct("=II256s")
OK, REFUSED = 0, 1


class FakeBroker:
    def __init__(self, path):
        self.path = str(path)
        self.answers = {}             # name -> function(connection, password)
        self.logins = queue.Queue()   # (name, password, peer) of each login
        self.streams = queue.Queue()  # the display's end of each good login
        self.listener = None
        self.start()

    def start(self):
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(self.path)
        os.chmod(self.path, 0o666)
        self.listener.listen(128)
        threading.Thread(target=self._serve, args=(self.listener,), daemon=True).start()

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        os.unlink(self.path)

    def _serve(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._login, args=(connection,), daemon=True).start()

    def _login(self, connection):
        with connection:
            data, fds, _, _ = socket.recv_fds(connection, 4096, 8)
            if not data:
                return
            version, _, name, peer = LOGIN.unpack(data)
            assert version == 1 and len(fds) == 1, (version, fds)
            password = os.pread(fds[0], 4096, 0)
            os.close(fds[0])
            name, peer = (field.split(b"\0", 1)[0].decode() for field in (name, peer))
            self.logins.put((name, password.decode(), peer))
            self.answers.get(name, self.refuse("Login incorrect."))(connection, password.decode())

    # -- answers -------------------------------------------------------------------------------------------------

    def refuse(self, reason):
        def answer(connection, _password):
            connection.send(RESULT.pack(1, REFUSED, reason.encode()))
        return answer

    def accept(self, expected):
        def answer(connection, password):
            if password != expected:
                self.refuse("Login incorrect.")(connection, password)
                return
            ours, theirs = socket.socketpair()
            with theirs:
                socket.send_fds(connection, [RESULT.pack(1, OK, b"")], [theirs.fileno()])
            self.streams.put(ours)
        return answer

    @staticmethod
    def die(_connection, _password):
        """Closes without a word, as a broker that was killed does."""

    def stream(self, timeout=30):
        stream = self.streams.get(timeout=timeout)
        stream.settimeout(timeout)
        return stream
