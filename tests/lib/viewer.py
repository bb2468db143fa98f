# SPDX-License-Identifier: GPL-3.0-or-later
"""TigerVNC's real viewer under Xvfb, driven by xdotool and judged by pixels.

    screen = Screen()
    viewer = Viewer(screen, stack, "alice", "wonder")
    viewer.wait_window()
    viewer.type("ls\\n")
    eventually(lambda: viewer.picture().pixel(3, 3) == 0x204060, "the desktop's background")
    viewer.close()
    screen.stop()
"""

import array
import contextlib
import functools
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import tempfile
import time

from case import eventually


class Picture:
    """Pixels as 0xRRGGBB; coordinates may be negative: from the right and bottom, as indices of lists."""

    def __init__(self, width, height, pixels):
        self.width, self.height, self.pixels = width, height, pixels

    @classmethod
    def from_xwd(cls, dump):
        """What xwd(1) writes of a window of depth 24 (X11/XWDFile.h): big-endian header, little-endian pixels. None where a
        window of another depth, such as a tool tip, is over it: xwd puts such a picture together in a way of its own."""
        header = struct.unpack(">25I", dump[:100])
        size, width, height, order, bits, line, colours = (header[i] for i in (0, 4, 5, 7, 11, 12, 19))
        if bits != 32:
            return None
        assert order == 0 and line == width * 4, f"not a picture of 32 bits a pixel: {header}"
        start = size + colours * 12
        data = bytearray(dump[start:start + line * height])
        data[3::4] = bytes(width * height)
        return cls(width, height, array.array("I", bytes(data)))

    @property
    def size(self):
        return self.width, self.height

    def pixel(self, x, y):
        return self.pixels[y % self.height * self.width + x % self.width]

    def block(self, x, y, width, height):
        """The pixels of a rectangle, row by row."""
        x, y = x % self.width, y % self.height
        starts = range(y * self.width + x, (y + height) * self.width + x, self.width)
        return [self.pixels[start:start + width] for start in starts]

    def alike(self, block, x, y, tolerance):
        """Whether the rectangle from there on is the block of another picture, but for the tolerance of a channel."""
        there = self.block(x, y, len(block[0]), len(block))
        return all(_channel_distance(*pair) <= tolerance for rows in zip(block, there) for pair in zip(*rows))

    def count(self, colour):
        """How many pixels have exactly this colour."""
        return self.pixels.count(colour)

    def colours(self):
        return len(set(self.pixels))

    def difference(self, other, tolerance=0):
        """The share of pixels of which a channel differs by more than the tolerance (JPEG: 24), 1.0 for another size."""
        if self.size != other.size:
            return 1.0
        pairs = [pair for pair in zip(self.pixels, other.pixels) if pair[0] != pair[1]]
        if tolerance:
            pairs = [pair for pair in pairs if _channel_distance(*pair) > tolerance]
        return len(pairs) / len(self.pixels)


def _channel_distance(a, b):
    return max(abs((a >> shift & 0xFF) - (b >> shift & 0xFF)) for shift in (0, 8, 16))


class Screen:
    """An Xvfb with a window manager on a display of its own."""

    def __init__(self, size="1600x1200"):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="hotdesk-screen-"))
        reader, writer = os.pipe()
        self.server = subprocess.Popen(
            ["Xvfb", "-displayfd", str(writer), "-screen", "0", f"{size}x24", "-nolisten", "tcp", "-noreset"],
            pass_fds=[writer], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(writer)
        with os.fdopen(reader) as pipe:
            number = pipe.readline().strip()
        assert number, "Xvfb did not start"
        self.env = {**os.environ, "DISPLAY": f":{number}", "HOME": str(self.directory), "LANG": "C.UTF-8"}
        self.env.pop("WAYLAND_DISPLAY", None)
        self.manager = subprocess.Popen(["openbox"], env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        eventually(lambda: "_NET_SUPPORTING_WM_CHECK(WINDOW)" in self.run("xprop", "-root", check=False),
                   "the window manager runs", 30)
        # A key stays down for as long as a busy machine lets xdotool wait; it is typed once all the same.
        self.run("xset", "r", "off")

    def run(self, *command, check=True, binary=False):
        done = subprocess.run([str(word) for word in command], env=self.env, capture_output=True, timeout=60)
        assert not check or done.returncode == 0, f"{command}: {done.stderr.decode(errors='replace').strip()}"
        return done.stdout if binary else done.stdout.decode()

    def picture(self, window=None):
        """Tried again for a window whose size changes at this moment: X refuses what has gone from it (BadMatch)."""
        command = ["xwd", "-silent", *(["-id", window] if window else ["-root"])]

        def taken():
            dump = self.run(*command, check=False, binary=True)
            return Picture.from_xwd(dump) if dump else None
        return eventually(taken, f"{command} gives a picture", 10, 0.1)

    def save(self, path):
        self.run("import", "-silent", "-window", "root", path, check=False)

    def stop(self):
        for process in (self.manager, self.server):
            process.terminate()
            process.wait(30)
        shutil.rmtree(self.directory, ignore_errors=True)


class Window:
    """A viewer's process and its window with the remote picture, title and menus of its own around it."""

    TITLE = ""  # what its name has in it, a regular expression

    def __init__(self, screen, log, command, env=None):
        self.screen = screen
        self.window = None
        self.log = log
        with open(self.log, "wb") as output:
            self.process = subprocess.Popen([str(word) for word in command], env={**screen.env, **(env or {})},
                                            stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)

    def text(self):
        return self.log.read_text(errors="replace")

    def alive(self):
        return self.process.poll() is None

    def find(self, title, *options):
        """A visible window with this name, of any process."""
        found = self.screen.run("xdotool", "search", "--all", "--onlyvisible", *options, "--name", title, check=False).split()
        return found[0] if found else None

    def _find_window(self):
        assert self.alive(), f"the viewer ended:\n{self.text()[-3000:]}"
        return self.find(self.TITLE)

    def wait_window(self, timeout=60):
        """The window with the remote picture is there."""
        self.window = eventually(self._find_window, lambda: f"the viewer's window\n{self.text()[-3000:]}", timeout)
        return self.window

    def picture(self):
        assert self.alive(), f"the viewer ended:\n{self.text()[-3000:]}"
        return self.screen.picture(self.window)

    def activate(self):
        self.screen.run("xdotool", "windowactivate", "--sync", self.window)

    def type(self, text):
        """Types on the keyboard, into what has the focus in the desktop."""
        self.activate()
        for line in text.splitlines(keepends=True):
            if line.strip("\n"):
                self.screen.run("xdotool", "type", "--delay", "40", line.strip("\n"))
            if line.endswith("\n"):
                self.screen.run("xdotool", "key", "Return")

    def settled(self):
        """The picture once it is the same twice in a row; not for a desktop with a clock."""
        last = [None]

        def still():
            picture = self.picture()
            same = last[0] is not None and picture.difference(last[0]) == 0
            last[0] = picture
            return same
        eventually(still, "the picture stands still", 60, 1.0)
        return last[0]

    def run_command(self, command, colour, what=lambda: ""):
        """Types a command that gives the terminal (xterm) this background when it succeeds; waits to see that colour."""
        text = "%06x" % colour
        self.type_until(f"{command} && printf '\\033]11;#{text}\\a'", lambda: self.picture().count(colour) > 50_000,
                        lambda: f"`{command}` gives a terminal of colour #{text}\n{what()}")

    def type_until(self, command, condition, what):
        """Types a command until the condition comes true.

        Once more in a while: a guest that gets no processor for long takes no keys, and QEMU drops them then."""
        typed = [0.0]

        def there():
            if condition():
                return True
            if time.monotonic() - typed[0] > 20:
                if typed[0]:
                    self.screen.run("xdotool", "key", "ctrl+c")
                self.type(command + "\n")
                typed[0] = time.monotonic()
            return False
        eventually(there, what, 75, 0.2)

    def move(self, x, y):
        self.screen.run("xdotool", "mousemove", "--window", self.window, x, y)

    def click(self, x, y, button=1):
        self.move(x, y)
        self.screen.run("xdotool", "click", button)

    def resize(self, width, height):
        self.screen.run("xdotool", "windowsize", self.window, width, height)

    def wait_end(self, timeout=60):
        eventually(lambda: not self.alive(), "the viewer ends", timeout)

    def close(self):
        """With what it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


class Viewer(Window):
    """One vncviewer, logged in as `user` to the gate of `stack`."""

    TITLE = "TigerVNC"

    def __init__(self, screen, stack, user, password, options=(), ca=None):
        # A log level of 100 would draw its own statistics over the picture.
        super().__init__(screen, stack.directory / f"viewer-{user}.log", [
            "vncviewer", "-SecurityTypes", "X509Plain", "-X509CA", ca or stack.ca, "-AlertOnFatalError=0", "-ReconnectOnError=0",
            "-RemoteResize=1", "-Maximize=0", "-FullScreen=0", "-Log", "*:stderr:30", *options, f"127.0.0.1::{stack.port}"],
            {"VNC_USERNAME": user, "VNC_PASSWORD": password})

    def _find_window(self):
        assert self.alive(), f"the viewer ended:\n{self.text()[-3000:]}"
        return self.find(self.TITLE, "--pid", self.process.pid)


class Viewers(dict):
    """The viewers of several users, by user name, on a screen of their own before one hotdesk."""

    def __init__(self, stack):
        super().__init__()
        self.stack = stack
        self.screen = Screen()

    def stop(self):
        """The hotdesk as well."""
        try:
            for viewer in self.values():
                viewer.close()
            self.stack.stop()
        finally:
            self.screen.stop()

    def connect(self, user):
        """A viewer of the user's, instead of the one before; its window is there and may still show the waiting picture."""
        if user in self:
            self[user].close()
        self[user] = Viewer(self.screen, self.stack, user, self.stack.users[user])
        self[user].wait_window()
        return self[user]

    def state(self, user):
        """What a failing test tells."""
        return f"desktops {self.stack.desktops()}\n{self.stack.log_tail()}\n{self[user].text()[-1500:]}"

    def run_command(self, user, command, colour):
        self[user].run_command(command, colour, lambda: self.state(user))


def pictured(screen_of):
    """A decorator for cases: a failure leaves a picture of screen_of() in HOTDESK_ARTIFACTS."""
    def decorate(function):
        @functools.wraps(function)
        def wrapped():
            try:
                function()
            except Exception:
                artifacts = os.environ.get("HOTDESK_ARTIFACTS")
                if artifacts and screen_of():
                    os.makedirs(artifacts, exist_ok=True)
                    screen_of().save(f"{artifacts}/{function.__name__}.png")
                raise
        return wrapped
    return decorate
