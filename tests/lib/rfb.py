# SPDX-License-Identifier: GPL-3.0-or-later
"""A scripted VNC viewer: RFB 3.8 with VeNCrypt X509Plain, step by step so that tests can misbehave at each.

    viewer = rfb.login(port, "alice", "wonder", ca=stack.ca)   # rfb.Refused with the reason otherwise
    viewer.start()                                             # ClientInit .. first update, framebuffer filled
    viewer.key(0x61); viewer.pointer(10, 20, 1)
    viewer.wait(lambda: viewer.pixel(10, 20) == (255, 0, 0), "the pixel is red")

`Door` is the part before ClientInit; `Viewer` the part after, over any connected socket (TLS or a bare stream).
Pixels are 4 bytes blue, green, red, unused; `framebuffer` is width * height of them.
"""

import socket
import ssl
import struct
import time

import rfb_decode

VERSION = b"RFB 003.008\n"
VENCRYPT = 19
X509_PLAIN = 262

RAW, COPY_RECT, HEXTILE, ZRLE, TIGHT = 0, 1, 5, 16, 7
CURSOR, DESKTOP_SIZE, LAST_RECT = -239, -223, -224
EXTENDED_DESKTOP_SIZE, DESKTOP_NAME, CURSOR_ALPHA = -308, -307, -314
FENCE, CONTINUOUS_UPDATES, QEMU_KEYS, QEMU_AUDIO, LED_STATE = -312, -313, -258, -259, -261
DEFAULT_ENCODINGS = (RAW, COPY_RECT, CURSOR, DESKTOP_SIZE, LAST_RECT, EXTENDED_DESKTOP_SIZE, DESKTOP_NAME, QEMU_KEYS)

EXTENDED_CLIPBOARD = -1063131698
CLIPBOARD_TEXT, CLIPBOARD_CAPS, CLIPBOARD_REQUEST, CLIPBOARD_PEEK, CLIPBOARD_NOTIFY, CLIPBOARD_PROVIDE = (
    1 << bit for bit in (0, 24, 25, 26, 27, 28))

FENCE_REQUEST = 1 << 31

U8, S8, U16, S16, U32, S32 = range(6)  # of sound
SOUND_END, SOUND_BEGIN, SOUND_DATA = range(3)


class Refused(Exception):
    """The server said no; the text is its reason."""


class Closed(Exception):
    """The server closed the connection."""


class Stream:
    """Exact reads over a socket, with one deadline each."""

    def __init__(self, sock, timeout=30.0):
        self.sock = sock
        self.timeout = timeout
        self.buffer = bytearray()

    def _fill(self, deadline):
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the server said nothing in time")
        self.sock.settimeout(left)
        try:
            data = self.sock.recv(1 << 18)
        except (ConnectionError, ssl.SSLEOFError) as error:
            raise Closed(str(error)) from error
        if not data:
            raise Closed("end of stream")
        self.buffer += data

    def ready(self, timeout):
        """True when at least one byte can be read within timeout."""
        if self.buffer:
            return True
        try:
            self._fill(time.monotonic() + max(timeout, 0.001))
        except TimeoutError:
            return False
        return True

    def read(self, size):
        deadline = time.monotonic() + self.timeout
        while len(self.buffer) < size:
            self._fill(deadline)
        data = bytes(self.buffer[:size])
        del self.buffer[:size]
        return data

    def unpack(self, layout):
        values = struct.unpack(">" + layout, self.read(struct.calcsize(">" + layout)))
        return values[0] if len(values) == 1 else values

    def text(self):
        return self.read(self.unpack("I")).decode(errors="replace")

    def write(self, data):
        self.sock.settimeout(self.timeout)
        try:
            self.sock.sendall(data)
        except (ConnectionError, ssl.SSLEOFError) as error:
            raise Closed(str(error)) from error

    def close(self):
        self.sock.close()

    def ended(self, timeout=30.0):
        """True when the server closes the connection within timeout; what it still says is thrown away."""
        deadline = time.monotonic() + timeout
        try:
            while True:
                self.buffer.clear()
                self._fill(deadline)
        except (Closed, ssl.SSLError):
            return True
        except TimeoutError:
            return False


class Door(Stream):
    """A TCP connection to the gate, up to the SecurityResult."""

    def __init__(self, port, host="127.0.0.1", timeout=30.0):
        super().__init__(socket.create_connection((host, port), timeout), timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.host = host

    def version(self, version=VERSION):
        """Answers the server's version; returns it."""
        theirs = self.read(12)
        self.write(version)
        return theirs

    def refusal(self):
        raise Refused(self.text())

    def security_types(self):
        count = self.unpack("B")
        if count == 0:
            self.refusal()
        return list(self.read(count))

    def vencrypt_subtypes(self, version=(0, 2)):
        """Chooses VeNCrypt; returns the subtypes offered."""
        self.write(bytes([VENCRYPT]))
        theirs = self.read(2)
        self.write(bytes(version))
        if self.unpack("B") != 0:
            raise Refused(f"VeNCrypt version {version}, the server has {tuple(theirs)}")
        return [self.unpack("I") for _ in range(self.unpack("B"))]

    def choose_subtype(self, subtype=X509_PLAIN):
        self.write(struct.pack(">I", subtype))
        if self.unpack("B") != 1:
            raise Refused(f"VeNCrypt subtype {subtype}")

    def start_tls(self, ca=None, context=None, server_hostname=None):
        """ca: PEM file to verify the server with; None: not verified."""
        if context is None:
            context = ssl.create_default_context(cafile=str(ca)) if ca else ssl._create_unverified_context()
        assert not self.buffer, "the server spoke before TLS"
        self.sock.settimeout(self.timeout)
        self.sock = context.wrap_socket(self.sock, server_hostname=server_hostname or self.host)

    def secure(self, ca=None, context=None, server_hostname=None):
        """Everything from the first byte to the end of the TLS handshake."""
        self.version()
        types = self.security_types()
        assert types == [VENCRYPT], f"security types {types}"
        subtypes = self.vencrypt_subtypes()
        assert subtypes == [X509_PLAIN], f"VeNCrypt subtypes {subtypes}"
        self.choose_subtype()
        self.start_tls(ca, context, server_hostname)
        return self

    def credentials(self, name, password):
        name, password = (text.encode() if isinstance(text, str) else text for text in (name, password))
        self.write(struct.pack(">II", len(name), len(password)) + name + password)

    def result(self):
        """Reads the SecurityResult; Refused with the reason when it is not OK."""
        if self.unpack("I") != 0:
            self.refusal()


def login(port, name, password, ca=None, host="127.0.0.1", timeout=60.0, context=None):
    """A Viewer whose SecurityResult was OK, or Refused with the server's reason."""
    door = Door(port, host, timeout)
    try:
        door.secure(ca, context)
        door.credentials(name, password)
        door.result()
    except BaseException:
        door.close()
        raise
    viewer = Viewer(door.sock, timeout)
    viewer.buffer = door.buffer
    return viewer


class Viewer(Stream):
    """RFB from ClientInit on."""

    def __init__(self, sock, timeout=60.0):
        super().__init__(sock, timeout)
        self.width = self.height = 0
        self.name = ""
        self.framebuffer = bytearray()
        self.cursor = None             # (width, height, hot x, hot y, pixels BGRA)
        self.screens = []              # of the last ExtendedDesktopSize: (id, x, y, width, height, flags)
        self.size_results = []         # (reason, status) of each ExtendedDesktopSize
        self.cut_texts = []            # Latin-1
        self.clipboard = []            # messages of the Extended Clipboard: (flags, payload),
        self.on_clipboard = lambda *message: self.clipboard.append(message)  # unless somebody else takes them
        self.fences = []               # (flags, payload) of the answers to our own fences
        self.updates = 0               # FramebufferUpdates read
        self.painted = 0               # rectangles of pixels among them
        self.bells = 0
        self.sounds = []               # of QEMU's audio extension: (operation, PCM, when it came)
        self.extensions = set()        # pseudo-encodings the server confirmed
        self.request_after_update = False
        self.decoders = rfb_decode.Decoders()

    # -- start ---------------------------------------------------------------------------------------------------

    def client_init(self, shared=True):
        """Sends ClientInit, reads ServerInit, asks for our pixel format."""
        self.write(bytes([1 if shared else 0]))
        width, height = self.unpack("HH")
        self.read(16)
        self.name = self.text()
        self._resize(width, height)
        self.set_pixel_format()
        return self

    def start(self, encodings=DEFAULT_ENCODINGS, shared=True):
        """The whole start: afterwards framebuffer is filled and updates are asked for by themselves."""
        self.client_init(shared)
        self.set_encodings(encodings)
        self.request_after_update = True
        self.request(incremental=False)
        self.wait(lambda: self.painted > 0, "the first pixels")
        return self

    # -- messages to the server ----------------------------------------------------------------------------------

    def set_pixel_format(self, layout=(32, 24, 0, 1, 255, 255, 255, 16, 8, 0)):
        self.write(struct.pack(">B3xBBBBHHHBBB3x", 0, *layout))

    def set_encodings(self, encodings):
        self.write(struct.pack(f">BxH{len(encodings)}i", 2, len(encodings), *encodings))

    def request(self, incremental=True, x=0, y=0, width=None, height=None):
        self.write(struct.pack(">BBHHHH", 3, 1 if incremental else 0, x, y,
                               self.width if width is None else width, self.height if height is None else height))

    def key(self, keysym, down=None):
        """down None: press and release."""
        for state in ([True, False] if down is None else [down]):
            self.write(struct.pack(">BBxxI", 4, state, keysym))

    def qemu_key(self, keysym, keycode, down=None):
        """QEMU Extended Key Event; keycode is an XT scan code."""
        for state in ([True, False] if down is None else [down]):
            self.write(struct.pack(">BBHII", 255, 0, state, keysym, keycode))

    def sound(self, on):
        self.write(struct.pack(">BBH", 255, 1, 0 if on else 1))

    def sound_format(self, sample=S16, channels=2, rate=44100):
        self.write(struct.pack(">BBHBBI", 255, 1, 2, sample, channels, rate))

    def type(self, text):
        for character in text:
            self.key({"\n": 0xff0d, "\t": 0xff09}.get(character, ord(character)))

    def pointer(self, x, y, buttons=0):
        self.write(struct.pack(">BBHH", 5, buttons, x, y))

    def click(self, x, y, button=1):
        for buttons in (0, button, 0):
            self.pointer(x, y, buttons)

    def cut_text(self, text, size=None):
        """size: a length that lies about the text."""
        data = text.encode("latin-1", "replace") if isinstance(text, str) else text
        self.write(struct.pack(">B3xI", 6, len(data) if size is None else size) + data)

    def clipboard_message(self, flags, payload=b"", size=None):
        """Of the Extended Clipboard; size: a length that lies."""
        self.write(struct.pack(">B3xiI", 6, -(4 + len(payload)) if size is None else -size, flags) + payload)

    def set_desktop_size(self, width, height, screens=None):
        screens = [(0, 0, 0, width, height, 0)] if screens is None else screens
        self.write(struct.pack(">BxHHBx", 251, width, height, len(screens))
                   + b"".join(struct.pack(">IHHHHI", *screen) for screen in screens))

    def fence(self, payload=b"", flags=FENCE_REQUEST):
        self.write(struct.pack(">B3xIB", 248, flags, len(payload)) + payload)

    def continuous_updates(self, enable, x=0, y=0, width=None, height=None):
        self.write(struct.pack(">BBHHHH", 150, 1 if enable else 0, x, y,
                               self.width if width is None else width, self.height if height is None else height))

    # -- messages from the server --------------------------------------------------------------------------------

    def read_message(self):
        """Reads and applies one message; returns its type."""
        kind = self.unpack("B")
        handler = {0: self._update, 1: self._colours, 2: self._bell, 3: self._cut_text, 150: self._end_of_continuous,
                   248: self._fence, 255: self._qemu}.get(kind)
        assert handler, f"message type {kind} from the server"
        handler()
        return kind

    def pump(self, seconds=0.0):
        """Reads what comes within seconds."""
        deadline = time.monotonic() + seconds
        while self.ready(deadline - time.monotonic()):
            self.read_message()

    def wait(self, condition, what="the condition", timeout=None):
        """Reads messages until condition() is true and returns its value."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while True:
            value = condition()
            if value:
                return value
            left = deadline - time.monotonic()
            if left <= 0:
                raise AssertionError(f"did not happen in time: {what() if callable(what) else what}")
            if self.ready(min(left, 0.25)):
                self.read_message()

    def _colours(self):
        _, count = self.unpack("xHH")
        self.read(6 * count)

    def _bell(self):
        self.bells += 1

    def _cut_text(self):
        size = self.unpack("3xi")
        if size >= 0:
            self.cut_texts.append(self.read(size))
        else:
            self.on_clipboard(self.unpack("I"), self.read(-size - 4))

    def _end_of_continuous(self):
        self.extensions.add(CONTINUOUS_UPDATES)

    def _fence(self):
        flags, size = self.unpack("3xIB")
        payload = self.read(size)
        self.extensions.add(FENCE)
        if flags & FENCE_REQUEST:
            self.fence(payload, flags & 7)
        else:
            self.fences.append((flags, payload))

    def _qemu(self):
        kind, operation = self.unpack("BH")
        assert kind == 1, f"QEMU server message {kind}"
        self.sounds.append((operation, self.read(self.unpack("I")) if operation == SOUND_DATA else b"",
                            time.monotonic()))

    def _update(self):
        count = self.unpack("xH")
        while count:
            x, y, width, height, encoding = self.unpack("HHHHi")
            if encoding == LAST_RECT:
                break
            self._rectangle(x, y, width, height, encoding)
            count -= 0 if count == 0xffff else 1
        self.updates += 1
        if self.request_after_update:
            self.request()

    def _rectangle(self, x, y, width, height, encoding):
        if encoding >= 0:
            self.painted += 1
            assert x + width <= self.width and y + height <= self.height, \
                f"rectangle {x},{y} {width}x{height} outside {self.width}x{self.height}"
        if encoding == COPY_RECT:
            self._copy(x, y, width, height, *self.unpack("HH"))
        elif encoding >= 0:
            self._blit(x, y, width, height, self.decoders.decode(self, width, height, encoding))
        elif encoding in (QEMU_KEYS, QEMU_AUDIO):
            self.extensions.add(encoding)
        else:
            {CURSOR: self._cursor, CURSOR_ALPHA: self._cursor_alpha, DESKTOP_SIZE: self._desktop_size,
             EXTENDED_DESKTOP_SIZE: self._extended_size, DESKTOP_NAME: self._desktop_name,
             LED_STATE: self._led}[encoding](x, y, width, height)

    def _cursor(self, x, y, width, height):
        pixels = self.read(4 * width * height)
        mask = self.read((width + 7) // 8 * height)
        shown = bytearray(pixels)
        for i in range(width * height):
            row, column = divmod(i, width)
            bit = mask[row * ((width + 7) // 8) + column // 8] >> (7 - column % 8) & 1
            shown[4 * i + 3] = 255 * bit
        self.cursor = (width, height, x, y, bytes(shown))

    def _cursor_alpha(self, x, y, width, height):
        encoding = self.unpack("i")
        pixels = self.decoders.decode(self, width, height, encoding)
        self.cursor = (width, height, x, y, bytes(pixels))

    def _desktop_size(self, _x, _y, width, height):
        self._resize(width, height)

    def _extended_size(self, reason, status, width, height):
        count = self.unpack("B3x")
        self.screens = [self.unpack("IHHHHI") for _ in range(count)]
        self.extensions.add(EXTENDED_DESKTOP_SIZE)
        self.size_results.append((reason, status))
        if status == 0:
            self._resize(width, height)

    def _desktop_name(self, *_where):
        self.name = self.text()

    def _led(self, *_where):
        self.read(1)

    # -- the picture ---------------------------------------------------------------------------------------------

    def _resize(self, width, height):
        if (width, height) == (self.width, self.height):
            return
        old, old_width, old_height = self.framebuffer, self.width, self.height
        self.framebuffer = bytearray(4 * width * height)
        self.width, self.height = width, height
        size = 4 * min(width, old_width)
        for row in range(min(height, old_height)):
            self.framebuffer[4 * width * row:4 * width * row + size] = \
                old[4 * old_width * row:4 * old_width * row + size]

    def _blit(self, x, y, width, height, pixels):
        if x == 0 and width == self.width:
            self.framebuffer[4 * y * width:4 * (y + height) * width] = pixels
            return
        for row in range(height):
            at = 4 * ((y + row) * self.width + x)
            self.framebuffer[at:at + 4 * width] = pixels[4 * row * width:4 * (row + 1) * width]

    def _copy(self, x, y, width, height, from_x, from_y):
        rows = [bytes(self.framebuffer[4 * ((from_y + row) * self.width + from_x):][:4 * width])
                for row in range(height)]
        self._blit(x, y, width, height, b"".join(rows))

    def pixel(self, x, y):
        """(red, green, blue)."""
        blue, green, red = self.framebuffer[4 * (y * self.width + x):][:3]
        return red, green, blue

    def region(self, x, y, width, height):
        """The bytes blue, green, red, 0 of a rectangle: the unused byte is cleared, so that pictures compare."""
        rows = bytearray()
        for row in range(y, y + height):
            at = 4 * (row * self.width + x)
            rows += self.framebuffer[at:at + 4 * width]
        rows[3::4] = bytes(width * height)
        return bytes(rows)

    def save_ppm(self, path):
        """The picture for a person who looks at a failure."""
        rgb = bytearray(3 * self.width * self.height)
        for colour in range(3):
            rgb[colour::3] = self.framebuffer[2 - colour::4]
        with open(path, "wb") as file:
            file.write(b"P6 %d %d 255\n" % (self.width, self.height) + rgb)
