# SPDX-License-Identifier: GPL-3.0-or-later
"""noVNC in Chromium, and what it needs between itself and the gate: a page over https, and RFB over a WebSocket.

    bridge = Bridge(stack)  # Skip where there is no noVNC, with the reason
    viewer = NoVnc(screen, stack, "alice", "wonder", ca=stack.ca, bridge=bridge)
    ...
    bridge.copy("text")  # as whoever writes a page around noVNC does; bridge.pasted is the newest text of the desktop's
    bridge.stop()

The bridge has the gate's own certificate. It offers noVNC VeNCrypt/Plain within the WebSocket's TLS, takes the user and
the password, hands them to the gate by VeNCrypt/X509Plain with the CA verified, and copies bytes from there on. noVNC leaves
the browser's clipboard to the page around it: this page's is the test, by a WebSocket of its own.
"""

import asyncio
import contextlib
import functools
import http
import importlib.util
import mimetypes
import os
import pathlib
import shutil
import ssl
import struct
import subprocess
import tempfile
import threading
import urllib.parse

import cache
import rfb
from case import Skip, eventually
from viewer import Window

PACKAGE = "@novnc/novnc"
PLAIN = 256
PAGE = b"""<!DOCTYPE html>
<meta charset="utf-8">
<title>noVNC connects</title>
<style>html, body, #desktop { margin: 0; height: 100%; overflow: hidden }</style>
<div id="desktop"></div>
<script type="module">
import RFB from "/core/rfb.js";
const [username, password] = location.hash.slice(1).split(",").map(decodeURIComponent);
const rfb = new RFB(document.getElementById("desktop"), `wss://${location.host}/socket`, { credentials: { username, password } });
let reason = "";
rfb.resizeSession = true;
rfb.addEventListener("desktopname", (event) => { document.title = `noVNC shows ${event.detail.name}`; rfb.focus(); });
rfb.addEventListener("securityfailure", (event) => { reason = event.detail.reason; });
rfb.addEventListener("disconnect", () => { document.title = `noVNC ended: ${reason}`; });
const clipboard = new WebSocket(`wss://${location.host}/clipboard`);
clipboard.addEventListener("message", (event) => { rfb.clipboardPasteFrom(event.data); });
rfb.addEventListener("clipboard", (event) => { clipboard.send(event.detail.text); });
</script>
"""


def _fetch(place):
    """The newest version into a directory there, whose time tells that it is."""
    with tempfile.TemporaryDirectory(dir=place) as scratch:
        subprocess.run(["npm", "pack", "--silent", "--fetch-retries=0", PACKAGE], cwd=scratch, check=True, capture_output=True,
                       timeout=60)
        packed = next(pathlib.Path(scratch).glob("*.tgz"))
        unpacked = place / packed.stem
        if not unpacked.exists():
            subprocess.run(["tar", "-xzf", packed.name, "--no-same-owner"], cwd=scratch, check=True)
            (packed.parent / "package").rename(unpacked)
        os.utime(unpacked)


@functools.cache
def novnc():
    """The directory of npm's newest noVNC, or of the last one where npm cannot get it; and else why there is none."""
    for program in ("npm", "chromium", "certutil"):
        if not shutil.which(program):
            return None, f"there is no {program} on this machine"
    if not importlib.util.find_spec("websockets"):
        return None, "there is no python3-websockets on this machine"
    place = cache.DIRECTORY / "novnc"
    place.mkdir(parents=True, exist_ok=True)
    try:
        _fetch(place)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        print(f"the newest noVNC: {error}")
    kept = max(place.glob("novnc-*"), key=lambda path: path.stat().st_mtime, default=None)
    print(f"noVNC: {kept}")
    return kept, f"npm cannot get {PACKAGE}, and the cache has none"


class Bridge:
    """On a port of its own, for any number of browsers."""

    def __init__(self, stack):
        self.files, reason = novnc()
        if not self.files:
            raise Skip(reason)
        self.stack = stack
        self.page = None  # the newest page's WebSocket for the clipboard
        self.pasted = None
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.server = asyncio.run_coroutine_threadsafe(self._serve(), self.loop).result(30)
        self.port = self.server.sockets[0].getsockname()[1]

    async def _serve(self):
        import websockets  # not everywhere: novnc() has looked for it
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        gate = self.stack.state / "gate"
        context.load_cert_chain(gate / "cert.pem", gate / "key.pem")
        return await websockets.serve(self._accept, "127.0.0.1", 0, ssl=context, process_request=self._file, max_size=None,
                                      compression=None)

    def stop(self):
        async def end():
            self.server.close()
            await self.server.wait_closed()
        asyncio.run_coroutine_threadsafe(end(), self.loop).result(30)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    async def _file(self, path, _headers):
        """The page and noVNC's files; None where a WebSocket is meant."""
        if path in ("/socket", "/clipboard"):
            return None
        if path == "/":
            return http.HTTPStatus.OK, {"Content-Type": "text/html"}, PAGE
        file = (self.files / path.lstrip("/")).resolve()
        if not file.is_relative_to(self.files.resolve()) or not file.is_file():
            return http.HTTPStatus.NOT_FOUND, {}, b""
        kind = "text/javascript" if file.suffix == ".js" else mimetypes.guess_type(file)[0] or "application/octet-stream"
        return http.HTTPStatus.OK, {"Content-Type": kind}, file.read_bytes()

    async def _accept(self, socket):
        await (self._clipboard if socket.path == "/clipboard" else self._viewer)(socket)

    async def _clipboard(self, socket):
        import websockets
        self.page = socket
        with contextlib.suppress(websockets.ConnectionClosed):  # a browser that is closed says no good-bye
            async for text in socket:
                self.pasted = text

    def copy(self, text):
        """In the newest page, for its desktop."""
        page = eventually(lambda: self.page, "the page has a clipboard")
        asyncio.run_coroutine_threadsafe(page.send(text), self.loop).result(30)

    async def _viewer(self, socket):
        user, password = await _take_credentials(Incoming(socket))
        reader, writer = await _gate(self.stack, user, password)

        async def up():
            async for message in socket:
                writer.write(message)
                await writer.drain()

        async def down():
            while data := await reader.read(1 << 16):
                await socket.send(data)
            await socket.close()
        ways = [asyncio.create_task(up()), asyncio.create_task(down())]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        writer.close()


class Incoming:
    """Exact reads from a WebSocket's messages."""

    def __init__(self, socket):
        self.socket, self.buffer = socket, b""

    async def read(self, layout):
        size = struct.calcsize(">" + layout)
        while len(self.buffer) < size:
            self.buffer += await self.socket.recv()
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return struct.unpack(">" + layout, data)


async def _take_credentials(incoming):
    """The server's side of RFB 3.8 with VeNCrypt 0.2 and Plain alone, up to the user and the password."""
    await incoming.socket.send(rfb.VERSION)
    assert await incoming.read("12s") == (rfb.VERSION,)
    await incoming.socket.send(bytes([1, rfb.VENCRYPT]))
    assert await incoming.read("B") == (rfb.VENCRYPT,)
    await incoming.socket.send(bytes([0, 2]))
    assert await incoming.read("BB") == (0, 2)
    await incoming.socket.send(struct.pack(">BBI", 0, 1, PLAIN))
    assert await incoming.read("I") == (PLAIN,)
    sizes = await incoming.read("II")
    assert max(sizes) <= 1024, sizes
    return [text for size in sizes for text in await incoming.read(f"{size}s")]


async def _gate(stack, user, password):
    """Streams from and to the gate, from its security result on."""
    reader, writer = await asyncio.open_connection("127.0.0.1", stack.port)
    assert await reader.readexactly(12) == rfb.VERSION
    writer.write(rfb.VERSION)
    assert rfb.VENCRYPT in await reader.readexactly((await reader.readexactly(1))[0])
    writer.write(bytes([rfb.VENCRYPT]))
    assert await reader.readexactly(2) == bytes([0, 2])
    writer.write(bytes([0, 2]))
    refused, count = await reader.readexactly(2)
    assert not refused
    assert rfb.X509_PLAIN in struct.unpack(f">{count}I", await reader.readexactly(4 * count))
    writer.write(struct.pack(">I", rfb.X509_PLAIN))
    assert await reader.readexactly(1) == b"\1"
    await writer.start_tls(ssl.create_default_context(cafile=stack.ca), server_hostname="127.0.0.1")
    writer.write(struct.pack(">II", len(user), len(password)) + user + password)
    return reader, writer


class NoVnc(Window):
    """A browser's window with nothing but noVNC in it. The page's title is the window's and tells how far it is."""

    TITLE = "noVNC shows"

    def __init__(self, screen, stack, user, password, ca, bridge):
        home = pathlib.Path(tempfile.mkdtemp(prefix="chromium-", dir=stack.directory))
        store = home / ".pki/nssdb"
        store.mkdir(parents=True)
        for words in (["-N", "--empty-password"], ["-A", "-t", "C,,", "-n", "hotdesk", "-i", ca]):
            screen.run("certutil", "-d", f"sql:{store}", *words)
        fragment = ",".join(urllib.parse.quote(text) for text in (user, password))
        command = ["chromium", "--no-sandbox", "--test-type", "--no-first-run", "--disable-gpu", "--disable-sync",
                   "--disable-background-networking", "--disable-component-update", "--disable-extensions",
                   "--password-store=basic", f"--user-data-dir={home}/profile", "--window-size=1100,800",
                   f"--app=https://127.0.0.1:{bridge.port}/#{fragment}"]
        super().__init__(screen, stack.directory / "chromium.log", command,
                         {"HOME": str(home), "TMPDIR": str(home), "DBUS_SESSION_BUS_ADDRESS": "disabled:"})
