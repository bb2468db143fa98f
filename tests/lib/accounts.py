# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts for pam_unix in a namespace of own_mounts.py: passwd, shadow and group with more lines, over the machine's.

    accounts = Accounts(directory, [Account("alice", 5001, hash_password("wonder"))])
    ...
    accounts.remove()
"""

import pathlib
import subprocess
import typing

UNIX = "auth required pam_unix.so\naccount required pam_unix.so\n"

# Fields of shadow behind the hash: last change, min, max, warn, inactive, expire.
GOOD = "19000:0:99999:7:::"
PAST = "19000:0:99999:7::1:"
STALE = "0:0:99999:7:::"  # the password is to be changed first


class Account(typing.NamedTuple):
    """secret: a hash of the password, "!" before it where the account is locked. uid 0: root's password alone."""
    name: str
    uid: int
    secret: str
    gecos: bytes = b""
    ageing: str = GOOD


def _others(name, accounts):
    """The machine's own lines of a file, without those of the accounts."""
    taken = {account.name.encode() for account in accounts if account.uid or name == "shadow"}
    lines = pathlib.Path("/etc", name).read_bytes().splitlines(keepends=True)
    return b"".join(line for line in lines if line.split(b":", 1)[0] not in taken)


class Accounts:
    def __init__(self, directory, accounts, groups=b""):
        """groups: further lines of group."""
        files = {name: _others(name, accounts) for name in ("passwd", "shadow", "group")}
        for account in accounts:
            name, uid = account.name.encode(), b"%d" % account.uid
            files["shadow"] += b"%s:%s:%s\n" % (name, account.secret.encode(), account.ageing.encode())
            if account.uid:
                files["passwd"] += b"%s:x:%s:%s:%s:/nonexistent:/bin/sh\n" % (name, uid, uid, account.gecos)
                files["group"] += b"%s:x:%s:\n" % (name, uid)
        files["group"] += groups
        self.mounted = []
        for name, text in files.items():
            path = pathlib.Path(directory, name)
            path.write_bytes(text)
            path.chmod(0o640 if name == "shadow" else 0o644)
            subprocess.run(["mount", "--bind", path, f"/etc/{name}"], check=True)
            self.mounted.append(f"/etc/{name}")

    def remove(self):
        for path in self.mounted:
            subprocess.run(["umount", path], check=False, capture_output=True)
