# SPDX-License-Identifier: GPL-3.0-or-later
"""A hotdesk for tests of `hotdesk`: broker, host and spawn, and an empty disk to import. Its desktops start and never get
ready, which is enough for an administrator."""

import subprocess

from harness import Stack


class AdminStack(Stack):
    def __init__(self):
        super().__init__(conf={"host": {"stop-timeout": 2}})
        self.disk = self.directory / "disk.qcow2"
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", self.disk, "64M"], check=True)

    def begin(self):
        self.start(without=("gate", "auth"))

    def refused(self, code, part, *arguments):
        """The command exits with code, prints nothing on stdout, and stderr has part."""
        done = self.cli(*arguments, check=False)
        assert done.returncode == code, f"{arguments}: exit {done.returncode}, not {code}: {done.stderr}"
        assert done.stderr.startswith("hotdesk: "), f"{arguments}: {done.stderr}"
        assert part in done.stderr, f"{arguments}: {part!r} is not in {done.stderr!r}"
        assert done.stdout == "", f"{arguments}: {done.stdout!r}"
        return done.stderr

    def said(self, part, *arguments):
        done = self.cli(*arguments)
        assert part in done.stdout, f"{arguments}: {part!r} is not in {done.stdout!r}"
        return done.stdout
