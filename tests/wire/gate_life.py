#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real hotdesk-gate's certificate, and what its listener leaves alone when it starts anew or is killed."""

import contextlib
import pathlib
import signal
import socket
import ssl
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import rfb
from case import case, eventually, main
from gate_alone import NAME, PASSWORD, copy_both_ways, fingerprint, gate, make_pem
from harness import BIN, free_port, process_alive


@case
def hangup_keeps_the_socket_and_the_sessions():
    with gate() as served:
        viewer, stream = served.session()
        old, port = fingerprint(served), served.port
        assert fingerprint(served) == old
        served.write_conf(names="desk.example.org")
        served.process.send_signal(signal.SIGHUP)
        eventually(lambda: served.said("ready on", 2), "the gate is ready again")
        assert int((served.run / "port").read_text()) == port
        copy_both_ways(viewer, stream, 100000)
        assert fingerprint(served) != old, "the new name is not in the certificate"
        context = ssl.create_default_context(cafile=str(served.ca))
        served.door().secure(context=context, server_hostname="desk.example.org").close()
        served.good()
        viewer.close()
        stream.close()
        eventually(lambda: not served.connections(), "the old connection's process is reaped")

        served.conf.write_text("[gate]\nlisten = 127.0.0.1:0\nmistake = 1\n")
        served.process.send_signal(signal.SIGHUP)
        eventually(lambda: served.said("mistake"), "the broken configuration is reported")
        served.good()
        served.write_conf(listen=f"127.0.0.1:{free_port()}")
        served.process.send_signal(signal.SIGHUP)
        eventually(lambda: served.said("ready on", 3), "the gate is ready again")
        served.port = int((served.run / "port").read_text())
        assert served.port != port
        served.good()


@case
def killed_listener_leaves_the_sessions():
    with gate(listen=f"127.0.0.1:{free_port()}") as served:
        viewer, stream = served.session()
        session, port = served.connections()[0], served.port
        served.process.kill()
        served.process.wait()
        copy_both_ways(viewer, stream, 100000)
        served.start()
        assert served.port == port, "the same port at once"
        served.good()
        copy_both_ways(viewer, stream, 100000)
        viewer.close()
        eventually(lambda: not process_alive(session), "the session's process ends with its viewer")


@case
def own_certificate():
    with gate(listen="127.0.0.1:0, [::1]:0", names="desk.example.org, 192.0.2.9") as served:
        modes = {name: (served.state / name).stat().st_mode & 0o777 for name in ("ca.pem", "ca.key", "cert.pem", "key.pem")}
        assert modes == {"ca.pem": 0o644, "ca.key": 0o600, "cert.pem": 0o644, "key.pem": 0o600}, modes
        context = ssl.create_default_context(cafile=str(served.ca))
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        for name in ("localhost", "127.0.0.1", "::1", "desk.example.org", "192.0.2.9", socket.gethostname()):
            served.door().secure(context=context, server_hostname=name).close()
        try:
            served.door().secure(context=context, server_hostname="elsewhere.example.org")
        except ssl.SSLCertVerificationError:
            pass
        else:
            raise AssertionError("a foreign name was verified")
        assert len(served.ports) == 2
        with contextlib.closing(rfb.login(served.ports[1], NAME, PASSWORD, served.ca, host="::1")):
            served.broker.stream()
        shown = fingerprint(served)
        assert ":".join(shown[i:i + 2] for i in range(0, 64, 2)).upper() in served.log.read_text(), "fingerprint in the log"
        served.stop()
        served.start()
        assert fingerprint(served) == shown, "a restart keeps the certificate"


@case
def certificate_of_the_administrator():
    with gate() as served:
        pair, other = make_pem(served.directory, "good"), make_pem(served.directory, "other")
        served.write_conf(**pair)
        served.stop()
        served.start()
        with contextlib.closing(served.login(ca=pair["certificate"])):
            served.broker.stream()

        def refused(text, **keys):
            served.write_conf(**keys)
            port = served.port
            served.process.send_signal(signal.SIGHUP)
            eventually(lambda: served.said(text), f"the running gate says {text}")
            with contextlib.closing(rfb.login(port, NAME, PASSWORD, pair["certificate"])):
                served.broker.stream()
            done = subprocess.run([BIN / "hotdesk-gate", "--config", served.conf], capture_output=True, text=True,
                                  timeout=30, check=False)
            assert done.returncode == 1 and text in done.stderr, done

        refused("do not belong together", certificate=pair["certificate"], key=other["key"])
        refused("cannot read the certificate", certificate=served.directory / "none.pem", key=pair["key"])
        refused("no PEM certificate", certificate=pair["key"], key=pair["key"])
        refused("set both or neither", certificate=pair["certificate"])
        refused("has expired", **make_pem(served.directory, "old", days=-1))


if __name__ == "__main__":
    main()
