# SPDX-License-Identifier: GPL-3.0-or-later
"""What is played and heard: a PulseAudio for a viewer, recordings, and the tones in them.

    speaker = Speaker(directory)            # a viewer with speaker.env plays into it
    heard = Recording(speaker.server, "speaker.monitor", directory / "heard")
    ...
    heard.stop()
    tone = Tone(heard.samples())
    assert abs(tone.hz - 440) < 4.4 and tone.cycles > 4400
"""

import array
import math
import os
import socket
import statistics
import subprocess

from case import eventually

RATE = 48000
LOUD = 600  # of 32767: more than what is silence, or the ringing of a resampler


class Speaker:
    """A PulseAudio of the test's own with one null sink, which plays at the pace of a sound card. Its socket is the test's, as a
    desktop's is the broker's: it stays where it is when PulseAudio is killed."""

    def __init__(self, directory, sink="speaker"):
        self.directory, self.sink = directory, sink
        directory.mkdir(exist_ok=True)
        self.path = directory / "pulse.sock"
        self.server = f"unix:{self.path}"
        self.env = {"PULSE_SERVER": self.server}
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(self.path))
        self.socket.listen(8)
        self.process = None
        self.start()

    def start(self):
        environment = {**os.environ, "HOME": str(self.directory), "PULSE_RUNTIME_PATH": str(self.directory / "run"),
                       "PULSE_STATE_PATH": str(self.directory / "state"), "DBUS_SESSION_BUS_ADDRESS": "disabled:"}
        number = self.socket.fileno()
        with open(self.directory / "pulseaudio.log", "ab") as log:
            self.process = subprocess.Popen(
                ["bash", "-c", f'exec 3<&{number}; LISTEN_FDS=1 LISTEN_PID=$$ exec pulseaudio "$@"', "bash",
                 "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--disable-shm=yes", "--realtime=no",
                 "--high-priority=no", "--log-level=error",
                 "-L", f"module-null-sink sink_name={self.sink} rate={RATE} channels=2 format=s16le",
                 "-L", "module-suspend-on-idle timeout=1",
                 "-L", f"module-native-protocol-unix socket={self.path} auth-anonymous=1 auth-cookie-enabled=0"],
                pass_fds=[number], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.list("sinks")  # it serves

    def list(self, what):
        """`pactl list short`, line by line."""
        done = subprocess.run(["pactl", f"--server={self.server}", "list", "short", what], capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, f"{done.stderr}{(self.directory / 'pulseaudio.log').read_text(errors='replace')}"
        return done.stdout.splitlines()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.kill()
        self.socket.close()


class Recording:
    """Of a source from now on, one channel, 48 kHz, into a file."""

    def __init__(self, server, source, path):
        self.path = path
        with open(path, "wb") as out, open(f"{path}.log", "wb") as log:
            self.process = subprocess.Popen(
                ["parec", f"--server={server}", f"--device={source}", "--raw", "--format=s16le", f"--rate={RATE}",
                 "--channels=1", "--latency-msec=20"], stdin=subprocess.DEVNULL, stdout=out, stderr=log)
        eventually(lambda: self.seconds() > 0 or self.process.poll() is not None, f"{source} is recorded")
        assert self.process.poll() is None, open(f"{path}.log", errors="replace").read()

    def seconds(self):
        return os.path.getsize(self.path) / 2 / RATE

    def samples(self, last=None):
        """All, or those of the last seconds."""
        size = os.path.getsize(self.path) // 2
        begin = 0 if last is None else max(0, size - int(last * RATE))
        samples = array.array("h")
        with open(self.path, "rb") as file:
            file.seek(2 * begin)
            samples.fromfile(file, size - begin)
        return samples

    def loud(self, last=0.2):
        """Something was to be heard in the last seconds."""
        samples = self.samples(last)
        return bool(samples) and max(map(abs, samples)) > LOUD

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


class Tone:
    """A sine, possibly with holes: how many cycles there are of it, and its frequency within them."""

    def __init__(self, samples):
        self.peak = max(map(abs, samples), default=0)
        level = self.peak // 4
        crossings, below = [], False
        for at, value in enumerate(samples):
            if value < -level:
                below = True
            elif below and value > level and self.peak > LOUD:
                crossings.append(at)
                below = False
        self.cycles = len(crossings)
        # The median has nothing to do with holes; of ten cycles, as a sample is long.
        periods = [(b - a) / 10 for a, b in zip(crossings, crossings[10:])]
        self.hz = RATE / statistics.median(periods) if periods else 0.0

    def __repr__(self):
        return f"{self.cycles} cycles of {self.hz:.1f} Hz, peak {self.peak}"


def strength(samples, hz):
    """The share of a sine of that frequency in the energy of the samples, 0 to 1 (Goertzel), in parts of 0.1 s."""
    part = RATE // 10
    whole = found = 0.0
    coefficient = 2 * math.cos(2 * math.pi * hz / RATE)
    for begin in range(0, len(samples) - part + 1, part):
        one = two = 0.0
        for value in samples[begin:begin + part]:
            one, two = value + coefficient * one - two, one
            whole += value * value
        found += (one * one + two * two - coefficient * one * two) * 2 / part
    return found / whole if whole else 0.0
