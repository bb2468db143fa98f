#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The package hotdesk-agent: built where neither libvncserver nor QEMU is, sound to lintian, installed in a small Debian 12
and taken out of it again. With --full it is also built in a bare Debian 12 that has its Build-Depends alone."""

import os
import pathlib
import re
import shutil
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

from bare_debian import copy_tree, debian_12, inside, run
from case import Skip, case, main
from harness import ROOT
from own_mounts import own_mounts

UNITS = ("hotdesk-agent.service", "hotdesk-xorg.service", "hotdesk-session@.service")
# What a build must get along without: an empty file or directory is mounted over each.
HIDDEN = ("/usr/include/rfb", "/usr/include/systemd", "/usr/include/pango-1.0", "/usr/include/security",
          "/usr/lib/x86_64-linux-gnu/pkgconfig/libvncserver.pc", "/usr/lib/x86_64-linux-gnu/pkgconfig/libsystemd.pc",
          "/usr/bin/qemu-system-x86_64", "/usr/bin/qemu-img")

scratch = None
package = None


def set_up():
    global scratch, package
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="hotdesk-test-"))
    empty = scratch / "empty"
    empty.mkdir()
    for path in map(pathlib.Path, HIDDEN):
        if os.geteuid() == 0 and path.exists():
            run("mount", "--bind", empty if path.is_dir() else "/dev/null", path)
    run(ROOT / "packaging/agent-deb", scratch / "out")
    package, = (scratch / "out").iterdir()


def tear_down():
    if scratch:
        shutil.rmtree(scratch, ignore_errors=True)


@case
def it_holds_the_agent_and_what_a_desktop_needs_and_nothing_else():
    files = {line.split()[-1].lstrip(".") for line in run("dpkg-deb", "--contents", package).splitlines() if line[0] != "d"}
    scripts = {f"/usr/lib/hotdesk/{name}" for name in ("session", "session-begin", "session-end", "desktop", "x-cookie")}
    wanted = {"/usr/sbin/hotdesk-agent", "/etc/hotdesk/guest.conf", "/etc/pam.d/hotdesk-session", *scripts,
              *(f"/lib/systemd/system/{unit}" for unit in UNITS)}
    assert {path for path in files if not path.startswith("/usr/share/doc/")} == wanted, files
    needs = run("dpkg-deb", "--field", package, "Depends")
    names = {re.split(r"[ (:]", word.strip())[0] for word in needs.split(",")}
    assert names == {"libc6", "libjson-c5", "libxcb1", "libxcb-randr0", "libxcb-xfixes0", "systemd", "libpam-systemd", "passwd", "xauth"}, needs


@case
def lintian_finds_no_error():
    if not shutil.which("lintian"):
        raise Skip("lintian is not installed")
    run("lintian", "--allow-root", "--fail-on", "error", package)


@case
def it_installs_in_a_small_debian_12_and_leaves_nothing_when_it_is_purged():
    root = scratch / "guest"
    # The package's own dependencies are all that is asked for.
    debian_12(root, "--variant=minbase", f"--customize-hook=upload {package} /tmp/agent.deb",
              '--customize-hook=APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-get --yes -o DPkg::Chroot-Directory="$1" install "$1/tmp/agent.deb"')

    assert inside(root, "hotdesk-agent", "--version").startswith("hotdesk-agent ")
    for unit in UNITS[:2]:
        assert inside(root, "systemctl", "is-enabled", unit).strip() == "enabled"
    assert inside(root, "stat", "-c", "%a %U", "/usr/lib/hotdesk/session-begin", "/etc/pam.d/hotdesk-session") == "755 root\n644 root\n"
    wrong = inside(root, "sh", "-c", "systemd-analyze verify --man=no hotdesk-agent.service hotdesk-session@alice.service 2>&1 || true")
    assert "hotdesk" not in wrong, wrong
    inside(root, "dpkg", "--purge", "hotdesk-agent")
    left = inside(root, "find", "/", "-xdev", "-name", "*hotdesk*", "-not", "-path", "/var/lib/dpkg/*", "-not", "-path", "/tmp/*")
    assert left == "", left


@case
def it_is_built_by_its_build_depends_alone():
    if os.environ.get("HOTDESK_FULL") != "1":
        raise Skip("takes a root file system with a compiler; --full does it")
    root = scratch / "builder"
    wanted = re.search(r"^Build-Depends: (.*)$", (ROOT / "packaging/debian/control").read_text(), re.M)[1]
    names = ",".join(re.sub(r"debhelper-compat.*", "debhelper", word.strip()) for word in wanted.split(","))
    debian_12(root, "--variant=buildd", f"--include={names}")
    copy_tree(root, "/tmp/tree")
    inside(root, "/tmp/tree/packaging/agent-deb", "/tmp/out")
    assert [path.name for path in (root / "tmp/out").iterdir()] == [package.name]


if __name__ == "__main__":
    own_mounts()
    main(set_up, tear_down)
