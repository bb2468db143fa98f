# SPDX-License-Identifier: GPL-3.0-or-later
"""The tiny guest under QEMU alone, with QEMU's own VNC server and its vdagent: what figures of hotdesk's stand beside.

    with QemuVnc() as peer:
        peer.succeeds("stock-agent")
        peer.viewer.key(0x61)

Of a desktop's devices it has those that the clipboard needs, as host/argv.c makes them.
"""

import os
import pathlib
import shutil
import socket
import subprocess
import tempfile

import rfb
from case import eventually
from session import BOOT_TIMEOUT, Terminal

SIZE = (1280, 800)
SHIFT = 0xFFE1
SHIFTED = '~!@#$%^&*()_+{}|:"<>?'  # on an American keyboard
NONE = 1  # RFB's security type
TYPING_SECONDS = 0.03  # a key: QEMU drops what the guest's driver has not taken

MACHINE = ("-nodefaults", "-machine", "q35,accel=tcg,vmport=off", "-cpu", "qemu64", "-smp", "1", "-m", "384M", "-display", "none",
           "-device", "virtio-vga,max_outputs=1,xres=1280,yres=800", "-device", "virtio-keyboard-pci",
           "-device", "virtio-tablet-pci", "-device", "virtio-rng-pci", "-device", "virtio-serial-pci",
           "-chardev", "qemu-vdagent,id=vdagent,name=vdagent,clipboard=on,mouse=off",
           "-device", "virtserialport,chardev=vdagent,name=com.redhat.spice.0",
           "-append", "root=/dev/vda rw quiet console=ttyS0")


def _viewer(path):
    """Past RFB's security, which is none."""
    stream = rfb.Stream(socket.socket(socket.AF_UNIX))
    eventually(lambda: stream.sock.connect_ex(str(path)) == 0, "QEMU's VNC server")
    assert stream.read(12) == rfb.VERSION
    stream.write(rfb.VERSION)
    assert NONE in stream.read(stream.unpack("B"))
    stream.write(bytes([NONE]))
    assert stream.unpack("I") == 0
    viewer = rfb.Viewer(stream.sock)
    viewer.buffer = stream.buffer
    return viewer


class QemuVnc(Terminal):
    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="hotdesk-qemu-vnc-"))
        tiny = pathlib.Path(os.environ["HOTDESK_TINY"])
        with open(self.directory / "log", "wb") as log:
            self.process = subprocess.Popen(
                ["qemu-system-x86_64", *MACHINE, "-kernel", tiny / "vmlinux", "-initrd", tiny / "initrd",
                 "-drive", f"file={tiny}/disk.qcow2,snapshot=on,if=none,id=disk", "-device", "virtio-blk-pci,drive=disk",
                 "-vnc", f"unix:{self.directory}/vnc"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            viewer = _viewer(self.directory / "vnc").start()
            viewer.wait(lambda: (viewer.width, viewer.height) == SIZE, "the guest's driver has set the size", BOOT_TIMEOUT)
            super().__init__(viewer)
        except BaseException:
            print((self.directory / "log").read_text(errors="replace"))
            self.close()
            raise

    def run(self, command):
        """QEMU presses no Shift of its own accord."""
        for character in command + "\n":
            shift = character.isupper() or character in SHIFTED
            if shift:
                self.viewer.key(SHIFT, True)
            self.viewer.type(character)
            if shift:
                self.viewer.key(SHIFT, False)
            self.viewer.pump(TYPING_SECONDS)

    def close(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
