# SPDX-License-Identifier: GPL-3.0-or-later
"""Where built guests and fetched packages are kept between runs; all of it may be absent."""

import os
import pathlib

# What XDG_CACHE_HOME is to programs that keep their own below it, build-image among them.
HOME = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path(os.environ.get("HOME") or "/root") / ".cache")
DIRECTORY = pathlib.Path(os.environ.get("HOTDESK_CACHE") or HOME / "hotdesk")
