# SPDX-License-Identifier: GPL-3.0-or-later
"""Viewers beside TigerVNC's, each with what it wants its server, user, password and CA written in.

    viewer = Remmina(screen, stack, "alice", "wonder", ca=stack.ca)
    viewer.wait_window()

gtk-vnc looks for a CA in the passwd home alone, so its viewers run in a mount namespace with a passwd of their own.
"""

import os
import pathlib

from case import eventually
from readme_text import written_file
from viewer import Window

# GTK's programs use no session bus, no accessibility and no settings of the machine's.
GTK = {"NO_AT_BRIDGE": "1", "GTK_A11Y": "none", "GSETTINGS_BACKEND": "memory", "DBUS_SESSION_BUS_ADDRESS": "disabled:"}


def _passwd_with_home(home):
    """The machine's passwd, in which this user's home is another."""
    lines = []
    for line in pathlib.Path("/etc/passwd").read_text().splitlines():
        fields = line.split(":")
        if fields[2] == str(os.geteuid()):
            fields[5] = str(home)
        lines.append(":".join(fields) + "\n")
    return "".join(lines)


def _with_home(home, ca, command):
    """The command with the home that passwd tells, and the CA where gtk-vnc looks for it there."""
    place = home / ".pki/CA"
    place.mkdir(parents=True, exist_ok=True)
    (place / "cacert.pem").write_bytes(ca.read_bytes())
    passwd = home / "passwd"
    passwd.write_text(_passwd_with_home(home))
    return ["unshare", "--mount", "--propagation", "unchanged", "sh", "-c",
            'mount --bind "$0" /etc/passwd && exec "$@"', passwd, *command]


def _home(stack, name):
    home = stack.directory / f"home-{name}"
    home.mkdir(exist_ok=True)
    return home


def _profile(name, words, user, password):
    """As README.md writes it, and the password."""
    return written_file("Viewers", name, {**words, "=alice": f"={user}"}) + f"password={password}\n"


class RemoteViewer(Window):
    """remote-viewer with a file of type=vnc, which it deletes when it has read it."""

    TITLE = " — "  # of the name that the server gives the desktop

    def __init__(self, screen, stack, user, password, ca):
        home = _home(stack, "remote-viewer")
        file = home / "desk.vv"
        file.write_text(_profile(file.name, {"HOST": "127.0.0.1", "PORT": stack.port}, user, password) + "delete-this-file=1\n")
        super().__init__(screen, stack.directory / "remote-viewer.log", _with_home(home, ca, ["remote-viewer", file]), GTK)


class Gvncviewer(Window):
    """gvncviewer, which asks for the user and the password in a window of its own."""

    TITLE = "GVncViewer"
    QUESTION = "Authentication required"

    def __init__(self, screen, stack, user, password, ca, env=None):
        name = f"gvncviewer-{user}"
        command = ["gvncviewer", f"127.0.0.1:{stack.port - 5900}"]
        super().__init__(screen, stack.directory / f"{name}.log", _with_home(_home(stack, name), ca, command),
                         {**GTK, **(env or {})})
        self.user, self.password = user, password

    def answer(self):
        """Types the user and the password once it asks for them."""
        question = eventually(lambda: self.find(self.QUESTION), lambda: f"its question\n{self.text()}", 60, 0.1)
        self.screen.run("xdotool", "windowactivate", "--sync", question)
        self.screen.run("xdotool", "type", "--delay", "40", self.user)
        self.screen.run("xdotool", "key", "Tab")
        self.screen.run("xdotool", "type", "--delay", "40", self.password)
        self.screen.run("xdotool", "key", "Tab", "Tab", "Return")  # past Cancel

    def wait_window(self, timeout=60):
        self.answer()
        return super().wait_window(timeout)


class Remmina(Window):
    """Remmina with a profile that scales the picture."""

    TITLE = "^desk$"
    PANEL = 0xF6F5F4  # of its questions

    def __init__(self, screen, stack, user, password, ca):
        home = _home(stack, "remmina")
        settings = home / ".config/remmina"
        settings.mkdir(parents=True, exist_ok=True)
        # Neither its news nor its icon; a password in a profile is plain text unless it can be decoded with the secret.
        (settings / "remmina.pref").write_text("[remmina_pref]\ndisable_tray_icon=true\nperiodic_news_permitted=false\n"
                                               "periodic_usage_stats_permitted=false\n")
        profile = home / "desk.remmina"
        words = {"HOST": "127.0.0.1", "PORT": stack.port, "$PWD/ca.pem": ca}
        profile.write_text(_profile(profile.name, words, user, password) + "viewmode=1\nwindow_width=1024\nwindow_height=768\n")
        # What libvncclient says comes with the debugging messages alone.
        super().__init__(screen, stack.directory / "remmina.log", ["remmina", "-c", profile],
                         {**GTK, "HOME": str(home), "G_MESSAGES_DEBUG": "all"})

    def asks(self):
        """It shows a question instead of the picture."""
        return self.picture().count(self.PANEL) > 100_000
