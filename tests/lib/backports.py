# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages of Debian 12's backports, unpacked beside the system: its apt lists and its packages stay as they are."""

import pathlib
import re
import shutil
import subprocess

from case import Skip

DEBIAN = "bookworm"
BACKPORTS = "bookworm-backports"
# What an entry must have to be Debian 12's, and what it has instead in the file made of it.
FIELDS = {"Types": ("deb", "deb"), "Suites": (DEBIAN, f"{DEBIAN} {BACKPORTS}"), "Components": ("main", "main")}
LINE = re.compile(rf"^[ \t]*deb[ \t]+((?:\[[^]\n]*\][ \t]+)?\S+)[ \t]+{DEBIAN}/?[ \t](?:.*[ \t])?main\b", re.MULTILINE)
# A network that is not there is not waited for.
OPTIONS = {"APT::Sandbox::User": "root", "Acquire::Retries": "0", "Acquire::http::Timeout": "20",
           "Acquire::Languages": "none", "Dir::Etc::SourceList": "/dev/null"}


def _stanza_with_backports(stanza):
    """None for a stanza of something else than Debian 12."""
    for name, (wanted, instead) in FIELDS.items():
        field = re.search(rf"^{name}:(.*(?:\n[ \t].*)*)", stanza, re.MULTILINE | re.IGNORECASE)
        if not field or wanted not in field.group(1).split():
            return None
        stanza = f"{stanza[:field.start()]}{name}: {instead}{stanza[field.end():]}"
    return stanza.strip() + "\n"


def entries(etc=pathlib.Path("/etc/apt")):
    """This machine's own apt entries for Debian 12, each as (name, text) of a file that has its backports too; where they
    point to, their keys and options are as they were."""
    for path in sorted(etc.glob("sources.list.d/*.sources")):
        for stanza in re.split(r"\n[ \t]*\n", path.read_text()):
            if changed := _stanza_with_backports(stanza):
                yield "debian.sources", changed
    for path in [etc / "sources.list", *sorted(etc.glob("sources.list.d/*.list"))]:
        for match in LINE.finditer(path.read_text() if path.exists() else ""):
            yield "debian.list", "".join(f"deb {match.group(1)} {suite} main\n" for suite in (DEBIAN, BACKPORTS))


class PrivateApt:
    """apt with one entry, and with lists of its own."""

    def __init__(self, directory, name, text):
        self.directory = directory
        for made in ("lists/partial", "cache/archives/partial", "sources"):
            (directory / made).mkdir(parents=True)
        (directory / "sources" / name).write_text(text)
        options = {**OPTIONS, "Dir::Etc::SourceParts": directory / "sources", "Dir::State::Lists": directory / "lists",
                   "Dir::Cache": directory / "cache"}
        self.options = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]

    def get(self, *arguments, patience=120):
        """What apt-get says; Skip when it cannot."""
        try:
            done = subprocess.run(["apt-get", *self.options, *arguments], cwd=self.directory, capture_output=True,
                                  text=True, check=False, timeout=patience)
        except subprocess.TimeoutExpired:
            raise Skip(f"{BACKPORTS} did not answer in {patience} s") from None
        refusals = [line for line in done.stderr.splitlines() if line.startswith(("E:", "W: Failed"))]
        if done.returncode != 0 or refusals:
            raise Skip(f"apt has nothing from {BACKPORTS}: {' '.join(refusals[:1]) or f'exit {done.returncode}'}")
        return done.stdout

    def download(self, packages):
        """The files of the packages, with those they need and this machine lacks."""
        self.get("update")
        plan = self.get("install", "--simulate", "--no-install-recommends", "-t", BACKPORTS, *packages)
        wanted = re.findall(r"^Inst (\S+) (?:\[\S+\] )?\((\S+)", plan, re.MULTILINE)
        self.get("download", *(f"{name}={version}" for name, version in wanted))
        return list(self.directory.glob("*.deb"))


def _download(directory, packages):
    """By the first of the entries that has them."""
    reason = Skip(f"no apt entry of this machine is for {DEBIAN}")
    for number, entry in enumerate(entries()):
        try:
            return PrivateApt(directory / str(number), *entry).download(packages)
        except Skip as refusal:
            reason = refusal
    raise reason


def unpack(directory, target, *packages):
    """Below target, by files in directory; Skip where there is no apt, no network or no such package."""
    if not shutil.which("apt-get"):
        raise Skip("there is no apt")
    for package in _download(directory, packages):
        subprocess.run(["dpkg-deb", "-x", package, target], check=True)
