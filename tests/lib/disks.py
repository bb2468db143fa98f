# SPDX-License-Identifier: GPL-3.0-or-later
"""Small disks (in a namespace of own_mounts.py), filling them, and a guest of one sector that writes to its disk."""

import contextlib
import os
import struct
import subprocess

SECTORS = 64  # the guest writes so many at once


def mount_small(path, size):
    """A disk of this size of its own, for everybody to see."""
    path.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0755", "tmpfs", path], check=True)


def resize(path, size):
    subprocess.run(["mount", "-o", f"remount,size={size}", path], check=True)


def unmount(path):
    subprocess.run(["umount", "-l", path], check=False)


@contextlib.contextmanager
def filled(path):
    """Nothing more fits on the disk that is mounted at path."""
    ballast = path / "ballast"
    with open(ballast, "wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(size))
    try:
        yield
    finally:
        ballast.unlink()


def writing_guest(path, mebibytes):
    """A qcow2 whose boot sector writes so much to its own disk by the BIOS, from 64 KiB on, and halts. A write that fails is
    tried again."""
    packet = 0x7c40  # of int 13h, ah = 43h: behind the code, which the BIOS loads to 0x7c00
    code = b"\x31\xc0\x8e\xd8\xb9" + struct.pack("<H", (mebibytes << 20) // 512 // SECTORS)  # ds = 0, cx = writes
    loop = len(code)
    code += b"\xb8\x00\x43\xb2\x80\xbe" + struct.pack("<H", packet) + b"\xcd\x13"            # write to disk 80h
    code += b"\x72" + struct.pack("b", loop - len(code) - 2)                                 # jc loop
    code += b"\x81\x06" + struct.pack("<HH", packet + 8, SECTORS)                            # the next sectors
    code += b"\x83\x16" + struct.pack("<H", packet + 10) + b"\x00"
    code += b"\xe2" + struct.pack("b", loop - len(code) - 2)                                 # loop
    code += b"\xf4\xeb\xfd"                                                                  # hlt, for ever
    code = code.ljust(packet - 0x7c00, b"\0") + struct.pack("<BBHHHQ", 16, 0, SECTORS, 0, 0x1000, 128)
    raw = path.with_suffix(".raw")
    raw.write_bytes(code.ljust(510, b"\0") + b"\x55\xaa")
    os.truncate(raw, (mebibytes + 1) << 20)
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, path], check=True)
    raw.unlink()
    return path
