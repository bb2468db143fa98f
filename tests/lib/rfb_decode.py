# SPDX-License-Identifier: GPL-3.0-or-later
"""Decoders of RFB's rectangles (RFC 6143 section 7.7, rfbproto for Tight) for 32-bit blue, green, red, unused pixels.

decode(stream, width, height, encoding) reads one rectangle from `stream` (read, unpack) and returns its pixels. What a
conforming server cannot send raises AssertionError: a test wants to know.
"""

import struct
import zlib

RAW, HEXTILE, TIGHT, ZRLE = 0, 5, 7, 16


class _Bytes:
    """The reads of a stream over bytes that are there already."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def read(self, size):
        assert self.at + size <= len(self.data), "a rectangle's data end too early"
        self.at += size
        return self.data[self.at - size:self.at]

    def unpack(self, layout):
        values = struct.unpack(">" + layout, self.read(struct.calcsize(">" + layout)))
        return values[0] if len(values) == 1 else values


class _Tile:
    """Pixels of a rectangle that is painted in parts."""

    def __init__(self, width, height):
        self.width = width
        self.pixels = bytearray(4 * width * height)

    def fill(self, x, y, width, height, pixel):
        row = pixel * width
        for line in range(y, y + height):
            at = 4 * (line * self.width + x)
            self.pixels[at:at + len(row)] = row

    def put(self, x, y, width, height, pixels):
        for line in range(height):
            at = 4 * ((y + line) * self.width + x)
            self.pixels[at:at + 4 * width] = pixels[4 * line * width:4 * (line + 1) * width]


def _from_cpixels(data):
    """3-byte blue, green, red to 4 bytes."""
    pixels = bytearray(len(data) // 3 * 4)
    for byte in range(3):
        pixels[byte::4] = data[byte::3]
    return pixels


def _from_rgb(data):
    """3-byte red, green, blue (Tight's TPIXEL) to 4 bytes."""
    pixels = bytearray(len(data) // 3 * 4)
    for byte in range(3):
        pixels[2 - byte::4] = data[byte::3]
    return pixels


def _unpack_indices(data, width, height, bits):
    """Palette indices of rows that are padded to bytes, most significant bits first."""
    stride = (width * bits + 7) // 8
    mask = (1 << bits) - 1
    for y in range(height):
        for x in range(width):
            yield data[y * stride + x * bits // 8] >> (8 - bits - x * bits % 8) & mask


class Decoders:
    """Holds the zlib streams that live as long as the connection."""

    def __init__(self):
        self.zrle_stream = zlib.decompressobj()
        self.tight_streams = [zlib.decompressobj() for _ in range(4)]
        self.used = set()  # the encodings seen

    def decode(self, stream, width, height, encoding):
        self.used.add(encoding)
        decoder = {RAW: self._raw, HEXTILE: self._hextile, ZRLE: self._zrle, TIGHT: self._tight}.get(encoding)
        assert decoder, f"encoding {encoding} was not asked for"
        return decoder(stream, width, height)

    @staticmethod
    def _raw(stream, width, height):
        return stream.read(4 * width * height)

    # -- Hextile -------------------------------------------------------------------------------------------------

    @staticmethod
    def _hextile(stream, width, height):
        tile = _Tile(width, height)
        background = foreground = bytes(4)
        for y in range(0, height, 16):
            for x in range(0, width, 16):
                w, h = min(16, width - x), min(16, height - y)
                kind = stream.unpack("B")
                if kind & 1:
                    tile.put(x, y, w, h, stream.read(4 * w * h))
                    continue
                if kind & 2:
                    background = stream.read(4)
                if kind & 4:
                    foreground = stream.read(4)
                tile.fill(x, y, w, h, background)
                for _ in range(stream.unpack("B") if kind & 8 else 0):
                    colour = stream.read(4) if kind & 16 else foreground
                    place, size = stream.unpack("BB")
                    sub_x, sub_y, sub_w, sub_h = place >> 4, place & 15, (size >> 4) + 1, (size & 15) + 1
                    assert sub_x + sub_w <= w and sub_y + sub_h <= h, "a Hextile subrectangle leaves its tile"
                    tile.fill(x + sub_x, y + sub_y, sub_w, sub_h, colour)
        return tile.pixels

    # -- ZRLE ----------------------------------------------------------------------------------------------------

    def _zrle(self, stream, width, height):
        data = _Bytes(self.zrle_stream.decompress(stream.read(stream.unpack("I"))))
        tile = _Tile(width, height)
        for y in range(0, height, 64):
            for x in range(0, width, 64):
                w, h = min(64, width - x), min(64, height - y)
                tile.put(x, y, w, h, self._zrle_tile(data, w, h))
        assert data.at == len(data.data), "ZRLE data behind the last tile"
        return tile.pixels

    def _zrle_tile(self, data, width, height):
        kind = data.unpack("B")
        if kind == 0:
            return _from_cpixels(data.read(3 * width * height))
        if kind == 1:
            return _from_cpixels(data.read(3)) * (width * height)
        if kind <= 16:
            palette = self._palette(data, kind)
            bits = 1 if kind == 2 else 2 if kind <= 4 else 4
            packed = data.read((width * bits + 7) // 8 * height)
            return b"".join(palette[i] for i in _unpack_indices(packed, width, height, bits))
        assert kind == 128 or kind >= 130, f"ZRLE subencoding {kind}"
        palette = self._palette(data, kind - 128) if kind >= 130 else None
        return self._zrle_runs(data, width * height, palette)

    @staticmethod
    def _palette(data, size):
        return [bytes(_from_cpixels(data.read(3))) for _ in range(size)]

    @staticmethod
    def _zrle_runs(data, count, palette):
        pixels = bytearray()
        while count > 0:
            length = 1
            if palette:
                index = data.unpack("B")
                pixel, run = palette[index & 127], index & 128
            else:
                pixel, run = bytes(_from_cpixels(data.read(3))), True
            while run:
                more = data.unpack("B")
                length += more
                run = more == 255
            assert length <= count, "a ZRLE run leaves its tile"
            pixels += pixel * length
            count -= length
        return pixels

    # -- Tight ---------------------------------------------------------------------------------------------------

    @staticmethod
    def _compact(stream):
        """Tight's length of one to three bytes."""
        size = 0
        for shift in (0, 7, 14):
            byte = stream.unpack("B")
            size |= (byte & (0x7f if shift < 14 else 0xff)) << shift
            if shift < 14 and not byte & 0x80:
                break
        return size

    def _tight(self, stream, width, height):
        control = stream.unpack("B")
        for number in range(4):
            if control >> number & 1:
                self.tight_streams[number] = zlib.decompressobj()
        kind = control >> 4
        if kind == 8:
            return _from_rgb(stream.read(3)) * (width * height)
        assert kind < 8, f"Tight kind {kind}: JPEG was not asked for"
        explicit = stream.unpack("B") if kind & 4 else 0
        assert explicit <= 2, f"Tight filter {explicit}"
        if explicit == 1:
            return self._tight_palette(stream, kind & 3, width, height)
        data = self._tight_data(stream, kind & 3, 3 * width * height)
        return _from_rgb(self._gradient(data, width, height) if explicit == 2 else data)

    def _tight_palette(self, stream, number, width, height):
        colours = stream.unpack("B") + 1
        assert colours >= 2, "a Tight palette of one colour"
        palette = [bytes(_from_rgb(stream.read(3))) for _ in range(colours)]
        bits = 1 if colours == 2 else 8
        packed = self._tight_data(stream, number, (width * bits + 7) // 8 * height)
        return b"".join(palette[i] for i in _unpack_indices(packed, width, height, bits))

    def _tight_data(self, stream, number, size):
        if size < 12:
            return stream.read(size)
        data = self.tight_streams[number].decompress(stream.read(self._compact(stream)))
        assert len(data) == size, f"Tight data of {len(data)} bytes instead of {size}"
        return data

    @staticmethod
    def _gradient(data, width, height):
        rows = bytearray(data)
        stride = 3 * width
        for y in range(height):
            for i in range(stride):
                left = rows[y * stride + i - 3] if i >= 3 else 0
                up = rows[(y - 1) * stride + i] if y else 0
                corner = rows[(y - 1) * stride + i - 3] if y and i >= 3 else 0
                guess = min(255, max(0, left + up - corner))
                rows[y * stride + i] = (rows[y * stride + i] + guess) & 255
        return rows
