#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""`hotdesk cert` against a real gate: what it says is what viewers are shown, and a renewal reaches them under the CA that
they have."""

import os
import pathlib
import stat
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import rfb
from admin import AdminStack
from case import case, eventually, main
from gate_alone import fingerprint, make_pem

stack = None


class Served:
    """The stack's gate, as gate_alone's helpers look at one."""
    @property
    def ca(self):
        return stack.ca

    @staticmethod
    def door():
        return rfb.Door(stack.port, timeout=20)


def setup():
    global stack
    stack = AdminStack()
    stack.start(without=("auth", "broker", "host", "spawn"))


def teardown():
    if stack:
        stack.stop()


def shown():
    return stack.json("cert", "show")["sha256"].replace(":", "").lower()


def configured(**keys):
    """Arguments for `hotdesk` with a configuration that differs from the stack's in [gate]."""
    path = stack.directory / "other.conf"
    path.write_text(stack.conf.read_text() + "[gate]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items()))
    return "--config", path


@case
def show_says_what_viewers_are_shown():
    assert shown() == fingerprint(Served())
    facts = stack.json("cert", "show")
    assert facts["days_left"] in (729, 730), facts
    assert "DNS:localhost" in facts["names"] and facts["issuer"].startswith("CN=hotdesk CA of "), facts
    assert facts["certificate"] == str(stack.state / "gate/cert.pem") and facts["ca"] == str(stack.ca), facts
    stack.said("days left", "cert", "show")


@case
def renewed_under_the_same_ca():
    ca, before = stack.ca.read_bytes(), shown()
    owner = os.stat(stack.state / "gate").st_uid
    stack.said("was told", "cert", "renew")
    after = shown()
    assert after != before and stack.ca.read_bytes() == ca
    # The handshake verifies by the CA that the viewer had before.
    eventually(lambda: fingerprint(Served()) == after, "viewers are shown the new certificate")
    for name, mode in (("key.pem", 0o600), ("cert.pem", 0o644), ("cert.names", 0o644)):
        info = os.stat(stack.state / "gate" / name)
        assert (info.st_uid, stat.S_IMODE(info.st_mode)) == (owner, mode), (name, info)


@case
def the_ca_is_exported():
    ca, to = stack.ca.read_text(), stack.directory / "for-viewers.pem"
    assert stack.cli("cert", "export-ca").stdout == ca
    assert stack.cli("cert", "export-ca", to).stdout == "" and to.read_text() == ca
    to.write_text("kept")
    stack.refused(1, "--force", "cert", "export-ca", to)
    assert to.read_text() == "kept"
    stack.cli("cert", "export-ca", to, "--force")
    assert to.read_text() == ca
    stack.refused(1, "cannot write", "cert", "export-ca", "/nonexistent/ca.pem")


@case
def the_administrators_files_are_shown_and_left_alone():
    pair = make_pem(stack.directory, "mine", days=-1)
    other = configured(**pair)
    facts = stack.json(*other, "cert", "show")
    assert facts["days_left"] < 0 and facts["subject"] == "CN=mine" and facts["ca"] is None, facts
    assert (facts["certificate"], facts["key"]) == (str(pair["certificate"]), str(pair["key"])), facts
    before = pair["certificate"].read_bytes()
    stack.refused(1, "renew it where it comes from", *other, "cert", "renew")
    stack.refused(1, "CA that signed it", *other, "cert", "export-ca")
    assert pair["certificate"].read_bytes() == before
    pair["certificate"].write_text("nothing")
    stack.refused(1, "holds no certificate", *other, "cert", "show")


@case
def nothing_is_made_before_the_first_start():
    path = stack.directory / "new.conf"
    empty = stack.directory / "empty"
    path.write_text(f"[paths]\nruntime-dir = {empty}/run\nstate-dir = {empty}\n")
    for verb in ("show", "renew", "export-ca"):
        stack.refused(1, "first start", "--config", path, "cert", verb)
    (empty / "gate").mkdir(parents=True)
    stack.refused(1, "first start", "--config", path, "cert", "renew")
    assert not list((empty / "gate").iterdir())


@case
def what_to_do_for_a_gate_that_is_not_found():
    path = stack.directory / "elsewhere.conf"
    path.write_text(stack.conf.read_text().replace(str(stack.runtime), str(stack.directory / "nowhere")))
    before = shown()
    stack.said("send it SIGHUP", "--config", path, "cert", "renew")
    assert shown() != before


main(setup, teardown)
