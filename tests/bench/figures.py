# SPDX-License-Identifier: GPL-3.0-or-later
"""Samples of one NAME of tests/bench/run, their medians, and what is printed of them.

    figures.add("running.tls", 4.2, "ms")                  # one sample
    for _ in figures.rounds(5): ...                        # as often as asked for, or as 50 s hold with --quick
    figures.aim("memory", held=True, value="31 MiB", limit="64 MiB")
"""

import statistics
import time

QUICK_SECONDS = 50.0


class Figures:
    def __init__(self, name, quick):
        self.name, self.quick = name, quick
        self.samples = {}   # figure -> (unit, values)
        self.aims = []
        self.begin = time.monotonic()

    def add(self, figure, value, unit):
        self.samples.setdefault(f"{self.name}.{figure}", (unit, []))[1].append(value)

    def aim(self, figure, held, value, limit):
        self.aims.append((f"{self.name}.{figure}", held, value, limit))

    def rounds(self, wanted):
        """Yields `wanted` times; with --quick only while another round, as long as the longest, fits the time."""
        longest = 0.0
        for number in range(wanted):
            began = time.monotonic()
            if self.quick and number > 0 and began - self.begin + longest > QUICK_SECONDS:
                return
            yield number
            longest = max(longest, time.monotonic() - began)

    def print(self):
        if self.quick and self.samples:
            counts = sorted({len(values) for _, values in self.samples.values()})
            print(f"# {self.name}: --quick, medians of {' or '.join(str(count) for count in counts)}", flush=True)
        for figure, (unit, values) in self.samples.items():
            print(f"{figure} {statistics.median(values):.4g} {unit}")
        for figure, held, value, limit in self.aims:
            print(f"aim {figure} {'held' if held else 'missed'} {value} {limit}")

    def as_json(self):
        found = {figure: {"median": statistics.median(values), "min": min(values), "max": max(values), "unit": unit,
                          "samples": values} for figure, (unit, values) in self.samples.items()}
        for figure, held, value, limit in self.aims:
            found.setdefault(figure, {})["aim"] = {"held": held, "value": value, "limit": limit}
        return found
