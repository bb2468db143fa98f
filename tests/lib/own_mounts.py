# SPDX-License-Identifier: GPL-3.0-or-later
"""A mount namespace for a whole test script: what it mounts ends with it and is seen by nobody else; a network one as well.

    if __name__ == "__main__":
        own_mounts()
        main(setup, teardown)
"""

import os
import pathlib
import subprocess
import sys
import tempfile

MARK = "HOTDESK_TEST_NAMESPACE"


def root_is_mount_point():
    lines = pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
    return any(line.split()[4] == "/" for line in lines)


def _skip(reason):
    script = pathlib.Path(sys.argv[0])
    print(f"skipped {script.parent.name}/{script.stem}: {reason}")
    sys.exit(0)


def _is_seen_by_others():
    """Whether a mount in a namespace with unchanged propagation reaches the first process's namespace."""
    with tempfile.TemporaryDirectory(prefix="hotdesk-mount-") as probe:
        script = 'mount --bind "$0" "$0" && ! grep -q "$0" /proc/1/mountinfo; r=$?; umount "$0"; exit $r'
        done = subprocess.run(["unshare", "--mount", "--propagation", "unchanged", "sh", "-c", script, probe], check=False)
        return done.returncode != 0


def own_mounts(network=False):
    """Runs this script again in a namespace of its own; as another user than root it goes on as it is.

    network: in one of its own too, with nothing but loopback."""
    if os.environ.get(MARK) or os.geteuid() != 0:
        return
    probe = ["unshare", "--mount", "--propagation", "unchanged", "--net", "true"]
    if subprocess.run(probe, stderr=subprocess.DEVNULL, check=False).returncode != 0:
        _skip("no namespaces can be made here; a container needs CAP_SYS_ADMIN for it")
    propagation = "private"
    if not root_is_mount_point():
        # A plain chroot: the propagation of what lies outside cannot be changed, only looked at.
        propagation = "unchanged"
        if _is_seen_by_others():
            _skip("mounts would be seen outside of this chroot; make its root a mount point first (mount --bind DIR DIR)")
    command = ["unshare", "--mount", "--propagation", propagation]
    if network:
        command += ["--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    os.execvpe("unshare", [*command, sys.executable, *sys.argv], {**os.environ, MARK: "1"})
