# SPDX-License-Identifier: GPL-3.0-or-later
"""PipeWire's PulseAudio server with a null sink, where sounds.Speaker has PulseAudio itself."""

import os
import shutil
import signal
import subprocess

from case import Skip, eventually
from sounds import Speaker

SINK = """context.objects = [ { factory = adapter args = {
    factory.name = support.null-audio-sink node.name = %s media.class = Audio/Sink audio.position = [ FL FR ]
    object.linger = true } } ]
"""
SOCKET = 'pulse.properties = { server.address = [ "unix:%s" ] }\n'
# WirePlumber, which connects streams and sinks, ends where there is no session bus, and where its Bluetooth finds no logind.
NO_BLUETOOTH = "bluez_monitor.enabled = false\n"
PROGRAMS = (("pipewire",), ("dbus-run-session", "--", "wireplumber"), ("pipewire-pulse",))


class PipeWire(Speaker):
    def __init__(self, directory, sink="speaker"):
        missing = [command[-1] for command in PROGRAMS if not shutil.which(command[-1])]
        if missing:
            raise Skip(f"not installed: {' '.join(missing)}")
        self.directory, self.sink = directory, sink
        self.path = directory / "pulse.sock"
        self.server = f"unix:{self.path}"
        self.processes = []
        for program, text in (("pipewire", SINK % sink), ("pipewire-pulse", SOCKET % self.path)):
            parts = directory / f".config/pipewire/{program}.conf.d"
            parts.mkdir(parents=True)
            (parts / "test.conf").write_text(text)
        parts = directory / ".config/wireplumber/bluetooth.lua.d"
        parts.mkdir(parents=True)
        (parts / "51-test.lua").write_text(NO_BLUETOOTH)
        self.start()

    def start(self):
        environment = {**os.environ, "HOME": str(self.directory), "XDG_CONFIG_HOME": str(self.directory / ".config"),
                       "XDG_RUNTIME_DIR": str(self.directory), "DBUS_SESSION_BUS_ADDRESS": "disabled:"}
        with open(self.directory / "pulseaudio.log", "ab") as log:
            for command in PROGRAMS:
                self.processes.append(subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log,
                                                       stderr=log, start_new_session=True))
                eventually((self.directory / "pipewire-0").exists, "PipeWire listens")
        eventually(self.path.exists, "PipeWire's PulseAudio server listens")
        eventually(lambda: any(self.sink in line for line in self.list("sinks")), f"a sink {self.sink}")

    def kill(self):
        """Its socket is another one after start()."""
        for process in self.processes:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.processes.clear()

    def stop(self):
        self.kill()
