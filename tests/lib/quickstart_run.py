# SPDX-License-Identifier: GPL-3.0-or-later
"""packaging/quickstart on a terminal, with the programs and the golden image that tests/run has built.

    place = OwnPlace()
    with Quickstart(place.path) as run:
        run.wait(LOGIN)
        run.cli("status")
        run.interrupt()
    place.remove()
"""

import os
import pathlib
import re
import shlex
import shutil
import subprocess
import tempfile

from case import Skip, eventually
from golden import golden_directory
from harness import BUILD, ROOT, free_port, processes_with
from viewer import Viewer

SCRIPT = ROOT / "packaging/quickstart"
START_TIMEOUT = 300
LOGIN = "Log in with a VNC viewer"
READY = "a desktop is ready"
CTRL_C = b"\x03"
ICEWM_BLUE = 0x204060
BLACK = 0x000000  # xterm


class OwnPlace:
    """A name for a quickstart's directory; not below /tmp, where what is left outside would not be seen."""

    def __init__(self):
        if os.geteuid() != 0:
            raise Skip("quickstart is for root")
        golden_directory()
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="hotdesk-quickstart-", dir="/var/lib"))
        self.path.rmdir()

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)


class Quickstart:
    """A quickstart on a terminal of its own."""

    def __init__(self, directory, *options, env=None, root=None):
        """root: the bare system, with the source tree in /root/hotdesk, that it runs in, and builds everything."""
        self.directory = directory
        self.root = pathlib.Path(root or "/")
        self.port = free_port()
        self.output = pathlib.Path(tempfile.mkstemp(prefix="hotdesk-quickstart-", suffix=".out")[1])
        if root:
            command = ["chroot", root, "/root/hotdesk/packaging/quickstart", "--port", self.port, *options]
        else:
            command = [SCRIPT, "--directory", self.directory, "--build", BUILD, "--image", golden_directory(), "--port",
                       self.port, *options]
        self.process = subprocess.Popen(
            ["script", "-qefc", "exec " + shlex.join(str(word) for word in command), self.output], stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, **(env or {})})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(90)
        self.output.unlink()

    def text(self):
        """Without the line of script(1), which has the command in it."""
        return self.output.read_text(errors="replace").partition("\n")[2].replace("\r", "\n")

    def wait(self, words, timeout=START_TIMEOUT):
        def there():
            text = self.text()
            assert words in text or self.process.poll() is None, f"it ended with {self.process.poll()}:\n{text[-3000:]}"
            return words in text
        eventually(there, lambda: f"it prints {words!r}:\n{self.text()[-3000:]}", timeout, 0.1)
        return self

    def printed(self, pattern):
        found = re.search(pattern, self.text(), re.MULTILINE)
        assert found, f"no {pattern} in:\n{self.text()[-3000:]}"
        return found[1].strip()

    @property
    def login(self):
        """User and password, as printed."""
        return self.printed(r"^ +user +(\S.*)$"), self.printed(r"^ +password +(\S.*)$")

    @property
    def ca(self):
        return self.root / self.printed(r"^ +CA +(\S+)$").lstrip("/")

    @property
    def export(self):
        """The line that was printed for other terminals."""
        return self.printed(r"^ +(export .*)$")

    @property
    def programs(self):
        return pathlib.Path(re.search(r"PATH=([^:]+):", self.export)[1])

    def cli(self, *words):
        """`hotdesk` as in another terminal."""
        done = subprocess.run(["bash", "-c", f"{self.export}\nhotdesk {shlex.join(words)}"], capture_output=True, text=True,
                              timeout=60, env={"PATH": "/usr/bin:/bin", "HOME": "/root"})
        assert done.returncode == 0, f"hotdesk {words}: {done.stderr}"
        return done.stdout

    def interrupt(self):
        """Ctrl-C; nothing of it runs then."""
        self.process.stdin.write(CTRL_C)
        self.process.stdin.flush()
        code = self.process.wait(90)
        left = processes_with(str(self.directory))
        assert not left, left
        assert code == 130, f"exit {code}:\n{self.text()[-2000:]}"


def viewer_of(run, screen):
    """TigerVNC's on this screen, with the very words that were printed."""
    words = shlex.split(run.printed(r"^ +(vncviewer .*)$"))
    assert words[:4] == ["vncviewer", "-SecurityTypes", "X509Plain", "-X509CA"] and words[5:] == [f"localhost::{run.port}"], words
    assert run.root / words[4].lstrip("/") == run.ca, words
    return Viewer(screen, Printed(run, screen), *run.login)


class Printed:
    """What Viewer wants of a hotdesk."""

    def __init__(self, run, screen):
        self.directory, self.ca, self.port = screen.directory, run.ca, run.port


def open_terminal(viewer):
    """One in the desktop of debian-12-icewm, which takes what is typed."""
    def there():
        picture = viewer.picture()
        if picture.count(ICEWM_BLUE) > 100_000 and picture.count(BLACK) > 100_000:
            return True
        viewer.activate()
        viewer.screen.run("xdotool", "key", "ctrl+alt+t")
        return False
    eventually(there, lambda: f"a terminal\n{viewer.text()[-1000:]}", 180, 10)
