# SPDX-License-Identifier: GPL-3.0-or-later
"""Tones of a test's own, to play into a sound daemon and to measure in PCM of any format.

    with tone(daemon.server, 440, right=550):
        ...
    left = samples(pcm, rfb.S16, channels=2)
    frequency(left, 44100), max(left)
"""

import array
import contextlib
import math
import os
import statistics
import subprocess
import sys

RATE = 48000
AMPLITUDE = 0.3


@contextlib.contextmanager
def tone(server, hertz, right=None, sink="vm"):
    """Plays a sine in the left ear, the same or another one in the right, until it is left. 0 Hz is silence."""
    feeder = subprocess.Popen([sys.executable, os.path.abspath(__file__), str(hertz), str(hertz if right is None else right)],
                              stdout=subprocess.PIPE)
    player = subprocess.Popen(["pacat", f"--server={server}", f"--device={sink}", "--format=s16le", f"--rate={RATE}",
                               "--channels=2", "--latency-msec=500"], stdin=feeder.stdout)
    feeder.stdout.close()
    try:
        yield
    finally:
        for process in (feeder, player):
            process.kill()
            process.wait(20)


def samples(pcm, sample, channels, channel=0):
    """Of one channel, as numbers from -1 to 1; sample: as rfb.py numbers them."""
    values = array.array("BbHhIi"[sample], pcm)[channel::channels]
    half = 1 << (8 * values.itemsize - 1)
    middle = 0 if sample % 2 else half
    return [(value - middle) / half for value in values]


def frequency(values, rate):
    """Hz, by where the wave passes zero upwards: the median of ten cycles, so that holes do not count."""
    crossings = [i - values[i] / (values[i] - values[i - 1]) for i in range(1, len(values))
                 if values[i - 1] < 0 <= values[i]]
    assert len(crossings) > 20, "no wave"
    return 10 * rate / statistics.median(b - a for a, b in zip(crossings, crossings[10:]))


def second_of(hertz):
    """PCM of a second of two whole tones, left and right, S16."""
    pcm = array.array("h", bytes(4 * RATE))
    for ear in (0, 1):
        pcm[ear::2] = array.array("h", [int(32767 * AMPLITUDE * math.sin(2 * math.pi * hertz[ear] * i / RATE))
                                        for i in range(RATE)])
    return pcm.tobytes()


if __name__ == "__main__":
    second = second_of([int(word) for word in sys.argv[1:3]])
    with contextlib.suppress(BrokenPipeError):
        while True:
            sys.stdout.buffer.write(second)
