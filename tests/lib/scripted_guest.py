# SPDX-License-Identifier: GPL-3.0-or-later
"""The tiny guest with tests/fakes/scripted-agent in it, which does as the image's kernel options say."""

import os
import pathlib
import subprocess
import sys

import cache
from harness import BUILD

TOP = pathlib.Path(__file__).resolve().parents[2]


def build():
    """Its directory; None where the tiny guest is not built."""
    if "HOTDESK_TINY" not in os.environ:
        return None
    guest = BUILD / "scripted-guest"
    subprocess.run([TOP / "packaging/image/tiny-guest", guest, "--agent", TOP / "tests/fakes/scripted-agent", "--cache",
                    cache.DIRECTORY],
                   check=True, stdout=sys.stderr)
    return guest


def import_as(stack, guest, word):
    """An image of this name, whose agent does as the word says."""
    stack.cli("image", "import", word, guest / "disk.qcow2", "--kernel", guest / "vmlinux", "--initrd", guest / "initrd",
              "--append", f"root=/dev/vda rw quiet console=ttyS0 agent={word}")
