#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""README.md's tour for administrators: each of its commands is typed into a shell as it stands there, behind a quickstart."""

import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

import cache  # noqa: E402
from case import case, main  # noqa: E402
from harness import ROOT  # noqa: E402
from quickstart_run import LOGIN, OwnPlace, Quickstart  # noqa: E402
from readme_text import README, blocks, commands_of  # noqa: E402

TOUR = "An administrator's tour in five minutes"
COMMAND_TIMEOUT = 1200  # one of them builds an image
DONE = "all-of-the-tour-is-done"

place = None
run = None


def setup():
    global place, run
    place = OwnPlace()
    run = Quickstart(place.path).wait(LOGIN)


def teardown():
    if run:
        run.close()
    if place:
        place.remove()


@case
def each_command_of_the_tour_works_as_it_is_printed():
    commands = [command for block in blocks(TOUR) for command in commands_of(block)]
    assert len(commands) >= 15, commands
    assert commands[0].startswith("export "), commands[0]
    script = f"set -e\n{run.export}\n"
    for command in commands[1:]:
        # doctor's 1 is a problem of the machine's that it has told of, such as no nftables in a container.
        allowed = " || [ $? -eq 1 ]" if command == "hotdesk doctor" else ""
        script += f"echo '+' {command.splitlines()[0].split()[0]}\n{command}{allowed}\n"
    with tempfile.TemporaryDirectory(prefix="hotdesk-readme-") as work:
        done = subprocess.run(["bash", "-c", f"{script}\necho {DONE}"], cwd=work, text=True, capture_output=True,
                              timeout=COMMAND_TIMEOUT, stdin=subprocess.DEVNULL,
                              env={"PATH": "/usr/bin:/bin", "HOME": work, "TMPDIR": work, "XDG_CACHE_HOME": str(cache.HOME)})
        assert done.returncode == 0 and DONE in done.stdout, f"exit {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


@case
def the_export_line_is_that_of_quickstart():
    printed = next(commands_of(blocks(TOUR)[0]))
    assert printed == run.export.replace(str(run.programs), "/var/lib/hotdesk-quickstart/build/bin").replace(
        str(place.path), "/var/lib/hotdesk-quickstart"), f"{printed}\n{run.export}"


@case
def every_path_and_command_that_is_named_is_there():
    assert not re.search(r"@[A-Z]+@", README), "a figure is still to be measured"
    for path in re.findall(r"`((?:tests|packaging|display|host|broker|auth|guest-agent|common)/[\w./-]+)`", README):
        assert (ROOT / path.rstrip("/")).exists(), f"README.md names {path}"
    for picture in re.findall(r"!\[[^]]*\]\(([^)]+)\)", README):
        assert (ROOT / picture).stat().st_size > 10_000, picture
    for words in re.findall(r"`hotdesk ([a-z-]+(?: [a-z-]+)?)", README):
        done = subprocess.run([run.programs / "hotdesk", *words.split(), "--help"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"README.md names `hotdesk {words}`: {done.stderr}"


if __name__ == "__main__":
    main(setup, teardown)
