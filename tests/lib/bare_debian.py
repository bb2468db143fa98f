# SPDX-License-Identifier: GPL-3.0-or-later
"""A Debian 12 with next to nothing in it, in a directory, from this machine's own apt sources."""

import os
import subprocess

from case import Skip
from harness import ROOT

ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "HOME": "/root"}


def run(*command, **options):
    """What a command prints that must not fail."""
    done = subprocess.run([str(word) for word in command], text=True, capture_output=True, check=False, **options)
    assert done.returncode == 0, f"{command[0]}: exit {done.returncode}: {(done.stdout + done.stderr)[-2000:]}"
    return done.stdout


def debian_12(root, *options):
    """options: of mmdebstrap, such as its variant."""
    if os.geteuid() != 0:
        raise Skip("a root file system is made by root")
    sources, proxies = (run("bash", "-c", f". packaging/image/guest.sh; {function}", cwd=ROOT).splitlines()
                        for function in ("sources bookworm || true", "proxies"))
    if not sources:
        raise Skip("no apt source of this machine names bookworm")
    run("mmdebstrap", "--quiet", "--mode=root", "--format=directory", '--aptopt=APT::Install-Recommends "false"', *proxies,
        *options, "bookworm", root, *sources)


def inside(root, *command):
    return run("chroot", root, *command, env=ENVIRONMENT)


def copy_tree(root, directory):
    """The files of this source tree that git has, into a directory of the root's."""
    archive = root / "tmp/tree.tar"
    run("bash", "-o", "pipefail", "-c", 'git -c safe.directory="$0" ls-files -z | tar --null -T - -cf "$1"', ROOT, archive, cwd=ROOT)
    inside(root, "sh", "-c", f"mkdir {directory} && tar -C {directory} -xf /tmp/tree.tar")
    archive.unlink()
