# SPDX-License-Identifier: GPL-3.0-or-later
"""A program that takes commands by lines on stdin, answers `NAME ok` or `NAME error TEXT`, and prints what happens."""

import os
import pathlib
import select
import subprocess
import time


class Lines:
    """ordered: what was said before an expected line is forgotten with it."""

    def __init__(self, *command, ordered=False):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self.ordered = ordered
        self.name = pathlib.Path(command[0]).name
        self.lines = []
        self.rest = b""

    def read(self, timeout):
        if select.select([self.process.stdout], [], [], timeout)[0]:
            more = os.read(self.process.stdout.fileno(), 65536)
            assert more, f"{self.name} ended: {self.lines[-20:]}"
            *lines, self.rest = (self.rest + more).split(b"\n")
            self.lines += [line.decode() for line in lines]

    def expect(self, *wanted, timeout=30.0):
        """Waits for a line that begins with one of the wanted texts and takes it out."""
        deadline = time.monotonic() + timeout
        while True:
            for i, line in enumerate(self.lines):
                if line.startswith(wanted):
                    del self.lines[0 if self.ordered else i:i + 1]
                    return line
            assert time.monotonic() < deadline, f"{self.name} did not say {wanted}: {self.lines[-20:]}"
            self.read(0.1)

    def tell(self, command):
        self.process.stdin.write(command.encode() + b"\n")

    def ask(self, command):
        self.tell(command)
        name = command.split()[0]
        return self.expect(f"{name} ok", f"{name} error")

    def do(self, *commands):
        for command in commands:
            answer = self.ask(command)
            assert answer.endswith(" ok"), f"{self.name}: {command}: {answer}"

    def refused(self, command):
        assert " error " in self.ask(command), command

    def take(self, *begin):
        """The lines there are that begin so, in order; they are taken out."""
        while select.select([self.process.stdout], [], [], 0)[0]:
            self.read(0)
        found = [line for line in self.lines if line.startswith(begin)]
        self.lines = [line for line in self.lines if not line.startswith(begin)]
        return found

    def close(self):
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()
