# SPDX-License-Identifier: GPL-3.0-or-later
"""Test cases of the Python layers: a function decorated with @case is one case; main() runs them in order.

Each case prints one line `pass NAME`, `fail NAME: reason` or `skipped NAME: reason`, which tests/run counts.
"""

import os
import sys
import time
import traceback

_cases = []


class Skip(Exception):
    """Raised by a case that this machine cannot do; the text is the reason."""


def case(function):
    _cases.append(function)
    return function


def eventually(condition, what, timeout=30.0, interval=0.02):
    """Waits until condition() is true and returns its value; AssertionError with `what` when it does not come true."""
    end = time.monotonic() + timeout * float(os.environ.get("HOTDESK_TEST_PATIENCE", "1"))
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"did not happen within {timeout} s: {what() if callable(what) else what}")
        time.sleep(interval)


def _run_one(prefix, function):
    name = f"{prefix}/{function.__name__}"
    begin = time.monotonic()
    try:
        function()
    except Skip as reason:
        print(f"skipped {name}: {reason}", flush=True)
        return True
    except Exception as error:  # a failing case must not hide those behind it
        traceback.print_exc()
        print(f"fail {name}: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}", flush=True)
        return False
    print(f"pass {name} ({time.monotonic() - begin:.1f} s)", flush=True)
    return True


def main(setup=None, teardown=None):
    """Runs the cases named on the command line, or all. setup() runs first; teardown() always runs."""
    layer, script = os.path.abspath(sys.argv[0]).split(os.sep)[-2:]
    prefix = f"{layer}/{script.removesuffix('.py')}"
    wanted = sys.argv[1:]
    known = [function.__name__ for function in _cases]
    for name in wanted:
        if name not in known:
            print(f"{prefix}: no case {name}; there are: {' '.join(known)}", file=sys.stderr)
            sys.exit(2)
    good = True
    try:
        try:
            if setup:
                setup()
        except Skip as reason:
            print(f"skipped {prefix}: {reason}", flush=True)
            return
        except Exception as error:
            traceback.print_exc()
            print(f"fail {prefix}/setup: {error}", flush=True)
            sys.exit(1)
        for function in _cases:
            if not wanted or function.__name__ in wanted:
                good = _run_one(prefix, function) and good
    finally:
        if teardown:
            teardown()
    sys.exit(0 if good else 1)
