#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""`hotdesk image build`: the golden image starts by every firmware and holds nothing of the machine that built it; a wrong
recipe is named by its line; a build that is interrupted leaves nothing. HOTDESK_GOLDEN: the built debian-12-icewm."""

import concurrent.futures
import contextlib
import errno
import fcntl
import json
import os
import pathlib
import pty
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

import cache
import golden as golden_image
from admin import AdminStack
from case import Skip, case, eventually, main
from harness import BUILD, processes_with

HOTDESK = BUILD / "bin/hotdesk"
ROOT_OFFSET = 135168 * 512  # build-steps puts the root partition there

golden = None
scratch = None


def setup():
    global golden, scratch
    golden = golden_image.golden_directory()
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="hotdesk-test-"))


def teardown():
    if scratch:
        shutil.rmtree(scratch, ignore_errors=True)


# -- starting it ---------------------------------------------------------------------------------------------------

def starts_until_ready(*firmware):
    """What the guest said on its serial line."""
    with golden_image.Guest(golden, firmware=firmware) as guest:
        guest.wait(type="ready")
        hello = guest.now()
        assert "sign-in" in hello["capabilities"], hello
        assert "Debian GNU/Linux 12" in hello["os"], hello
        return guest.said_on_serial()


def starts_by_bios():
    serial = starts_until_ready()
    assert serial == b"", f"something spoke on the serial line: {serial[:200]}"


def starts_by_uefi():
    code = pathlib.Path("/usr/share/OVMF/OVMF_CODE.fd")
    variables = scratch / "vars.fd"
    shutil.copy("/usr/share/OVMF/OVMF_VARS.fd", variables)
    starts_until_ready("-drive", f"if=pflash,format=raw,readonly=on,file={code}",
                       "-drive", f"if=pflash,format=raw,file={variables}")


@case
def starts_by_bios_and_by_uefi():
    """Directly from its kernel it is started by every other test that uses it."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        for future in [pool.submit(starts_by_bios), pool.submit(starts_by_uefi)]:
            future.result()


# -- what is inside ------------------------------------------------------------------------------------------------

def look_inside():
    """The guest's directories that settings and traces are in, copied out of the disk without mounting it."""
    inside = scratch / "inside"
    if inside.exists():
        return inside
    raw = scratch / "disk.raw"
    subprocess.run(["qemu-img", "convert", "-O", "raw", golden / "disk.qcow2", raw], check=True)
    for directory in ("etc", "root", "home", "tmp", "run", "var/log", "var/tmp", "var/lib/apt", "var/lib/dbus", "var/lib/systemd",
                      "var/cache/apt", "var/lib/cloud", "usr/local", "boot/grub"):
        (inside / directory).parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["debugfs", "-R", f"rdump /{directory} {(inside / directory).parent}", f"{raw}?offset={ROOT_OFFSET}"],
                       check=True, capture_output=True)
    raw.unlink()
    assert (inside / "etc/passwd").exists(), "debugfs copied nothing"
    return inside


def inside_file(disk, path):
    raw = scratch / "file.raw"
    subprocess.run(["qemu-img", "convert", "-O", "raw", disk, raw], check=True)
    text = subprocess.run(["debugfs", "-R", f"cat {path}", f"{raw}?offset={ROOT_OFFSET}"], check=True, text=True,
                          capture_output=True).stdout
    raw.unlink()
    return text


def files_below(directory):
    return [path for path in directory.rglob("*") if path.is_file() and not path.is_symlink()]


@case
def nothing_of_the_building_machine_is_inside():
    inside = look_inside()
    assert (inside / "etc/machine-id").read_bytes() == b""
    assert not (inside / "var/lib/dbus/machine-id").is_file() or (inside / "var/lib/dbus/machine-id").is_symlink()
    for absent in ("etc/ssh/ssh_host_*", "etc/apt/sources.list", "etc/apt/sources.list.d/*", "etc/apt/auth.conf*/*", "var/lib/apt/lists/*",
                   "var/cache/apt/*", "root/.*history", "root/.ssh/*", "home/*", "tmp/*", "var/tmp/*", "run/*",
                   "var/lib/systemd/random-seed", "usr/sbin/policy-rc.d"):
        assert not list(inside.glob(absent)), f"{absent}: {list(inside.glob(absent))}"
    assert not files_below(inside / "var/log"), files_below(inside / "var/log")
    assert (inside / "etc/hostname").read_text() == "desktop\n"


@case
def no_word_of_the_building_machine_is_inside():
    words = [socket.gethostname(), str(pathlib.Path(golden).resolve()), "Acquire::http", "Acquire::https"]
    for name in ("http_proxy", "https_proxy"):
        if os.environ.get(name):
            words.append(os.environ[name])
    for path in files_below(look_inside() / "etc"):
        content = path.read_bytes()
        for word in words:
            # A short host name may be any word.
            if len(word) >= 6:
                assert word.encode() not in content, f"{path}: {word}"


@case
def nobody_gets_in_but_by_the_agent():
    inside = look_inside()
    for line in (inside / "etc/shadow").read_text().splitlines():
        name, password = line.split(":")[:2]
        assert password[:1] in ("!", "*"), f"{name} has a password"
    people = [line for line in (inside / "etc/passwd").read_text().splitlines() if 1000 <= int(line.split(":")[2]) < 60000]
    assert not people, people
    units = inside / "etc/systemd/system"
    masked = [path.name for path in units.iterdir() if path.is_symlink() and os.readlink(path) == "/dev/null"]
    names = [path.name for path in units.rglob("*") if path.name not in masked]
    for shell in ("debug-shell.service", "serial-getty@ttyS0.service", "ssh.service", "getty@tty1.service"):
        assert shell not in names, f"{shell} is enabled"
    grub = (inside / "boot/grub/grub.cfg").read_text()
    assert "debug" not in grub and "console=ttyS" not in grub and "init=" not in grub, grub


@case
def settings_are_the_recipe_s():
    inside = look_inside()
    assert (inside / "etc/hotdesk/guest.conf").read_text().splitlines()[-1] == "desktop=icewm-session"
    assert (inside / "etc/default/locale").read_text() == "LANG=en_US.UTF-8\n"
    assert os.readlink(inside / "etc/localtime") == "/usr/share/zoneinfo/Etc/UTC"
    assert 'Option "XkbLayout" "us"' in (inside / "etc/X11/xorg.conf.d/10-keyboard.conf").read_text()
    assert 'Option "AccelMethod" "none"' in (inside / "etc/X11/xorg.conf.d/20-hotdesk.conf").read_text()
    assert "DesktopBackgroundImage" in (inside / "etc/X11/icewm/prefoverride").read_text()
    disk = json.loads(subprocess.run(["qemu-img", "info", "--output=json", golden / "disk.qcow2"], check=True,
                                     capture_output=True).stdout)
    assert disk["virtual-size"] == 16 << 30 and "backing-filename" not in disk, disk


# -- building --------------------------------------------------------------------------------------------------------

SMALL = """[image]
release = bookworm
desktop = xterm
packages = xterm
keyboard = de(nodeadkeys)
disk-size = 4G
[files]
copy = motd /etc/motd 600
copy = own.list /etc/apt/sources.list.d/own.list
copy = motd /var/run/OUTSIDE
[scripts]
run = script
"""
OUTSIDE = f"hotdesk-test-{os.getpid()}"  # /var/run is a link to /run
SMALL = SMALL.replace("OUTSIDE", OUTSIDE)


def write_recipe(name, text):
    directory = scratch / "recipes"
    directory.mkdir(exist_ok=True)
    (directory / "motd").write_text("copied in\n")
    (directory / "script").write_text("#!/bin/sh\necho script was here\necho made >/etc/made\n"
                                      f"test -e /run/{OUTSIDE}\n")
    (directory / "own.list").write_text("# kept\n")
    path = directory / f"{name}.recipe"
    path.write_text(text)
    return path


def refused(code, part, *arguments):
    done = subprocess.run([HOTDESK, "image", "build", *arguments], text=True, capture_output=True, timeout=300)
    assert done.returncode == code, f"{arguments}: exit {done.returncode}: {done.stderr}"
    assert part in done.stderr, f"{part!r} is not in {done.stderr!r}"
    assert done.stdout == "", done.stdout


@case
def wrong_recipes_are_named_by_their_line():
    to = scratch / "refused"
    bad = write_recipe("bad", "[image]\nrelease = bookworm\nkeybord = de\n")
    refused(1, f"{bad}:3: unknown key keybord in [image]", "x", "--recipe", bad, "--to", to)
    refused(1, "there is no recipe debian-13", "x", "--recipe", "debian-13", "--to", to)
    refused(1, "cannot be read", "x", "--recipe", write_recipe("gone", SMALL + "run = no-such-script\n"), "--to", to)
    refused(1, "give apt-source in the recipe", "x", "--recipe", write_recipe("old", "[image]\nrelease = potato\n"), "--to", to)
    refused(1, "no-such.deb", "x", "--agent-deb", scratch / "no-such.deb", "--to", to)
    refused(2, "NAME is missing")
    (to / "build.log").unlink()  # of the one that began
    assert not list(to.iterdir()), list(to.iterdir())


OPEN = 12  # what the caller of a build has open must not come to apt, whose hooks take no number of two digits


class Build:
    """A build on a terminal of its own, so that Ctrl-C is Ctrl-C."""

    def __init__(self, name, prefix=()):
        self.directory = scratch / f"tmp-{name}"
        (self.directory / "out").mkdir(parents=True)
        (self.directory / "out/disk.qcow2").write_text("of a build before")
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.environ["TMPDIR"] = str(self.directory)
            os.dup2(os.open(self.directory / "out/disk.qcow2", os.O_RDONLY), OPEN)
            words = [*prefix, str(HOTDESK), "image", "build", "x", "--recipe", str(write_recipe(name, SMALL)), "--to",
                     str(self.directory / "out")]
            os.execvp(words[0], words)
        os.set_blocking(self.terminal, False)
        self.screen = b""

    def see(self):
        try:
            self.screen += os.read(self.terminal, 65536)
        except (BlockingIOError, OSError):
            pass
        return self.screen

    def holders(self):
        """The command lines of those that have the caller's file open."""
        found = []
        for pid, line in processes_with(str(self.directory)).items():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                if "disk.qcow2" in " ".join(os.readlink(entry) for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir()):
                    found.append(line)
        return found

    def is_left(self):
        """No process has the terminal any more."""
        try:
            return os.read(self.terminal, 65536) == b""
        except BlockingIOError:
            return False
        except OSError as error:
            return error.errno == errno.EIO

    def logged(self, text):
        self.see()
        log = self.directory / "out/build.log"
        assert b"hotdesk:" not in self.screen, self.screen
        return log.exists() and text in log.read_text(errors="replace")

    def wait(self):
        """The exit code; the terminal is read meanwhile."""
        def ended():
            self.see()
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            return (os.waitstatus_to_exitcode(status),) if pid else None
        code = eventually(ended, lambda: f"the build ends: {self.screen[-300:]}", 60)[0]
        self.see()
        os.close(self.terminal)
        return code


def interrupted_leaves_nothing(name, moment, how, prefix=()):
    mounts = pathlib.Path("/proc/self/mounts").read_text()
    build = Build(name, prefix)
    eventually(lambda: build.logged(moment), lambda: f"the log says {moment}: {build.screen[-300:]}", 600, 0.05)
    assert not [line for line in build.holders() if "image build x" not in line], build.holders()
    how(build)
    code = build.wait()
    assert code == 1, f"exit {code}"
    assert b"nothing of the image is left" in build.screen, build.screen[-300:]
    left = {str(path.relative_to(build.directory)) for path in build.directory.rglob("*")}
    assert left == {"out", "out/disk.qcow2"}, left
    assert (build.directory / "out/disk.qcow2").read_text() == "of a build before"
    assert not processes_with(str(build.directory)), processes_with(str(build.directory))
    assert pathlib.Path("/proc/self/mounts").read_text() == mounts


WITHOUT_ADMIN = ["setpriv", "--bounding-set", "-sys_admin", "--inh-caps", "-sys_admin"]


def press_ctrl_c(build):
    os.write(build.terminal, b"\x03")


def terminate(build):
    os.kill(build.pid, signal.SIGTERM)


@case
def ctrl_c_while_the_agent_is_built_leaves_nothing():
    interrupted_leaves_nothing("agent", "=== agent", press_ctrl_c)


@case
def ctrl_c_while_packages_are_fetched_leaves_nothing():
    interrupted_leaves_nothing("fetch", "downloading packages", press_ctrl_c)


@case
def ctrl_c_while_packages_are_installed_leaves_nothing():
    interrupted_leaves_nothing("install", "Setting up ", press_ctrl_c)


@case
def ctrl_c_without_namespaces_leaves_nothing():
    """As root of a container that has no CAP_SYS_ADMIN."""
    if os.geteuid() != 0:
        raise Skip("needs root")
    interrupted_leaves_nothing("container", "Setting up ", press_ctrl_c, WITHOUT_ADMIN)


@case
def one_that_waits_for_another_ends_too():
    archives = cache.HOME / "hotdesk"  # build-image knows no HOTDESK_CACHE
    archives.mkdir(parents=True, exist_ok=True)
    with open(archives / "archives.lock", "ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        build = Build("waits")
        eventually(lambda: b"waiting for another build" in build.see(), lambda: f"it waits: {build.screen[-300:]}", 60)
        press_ctrl_c(build)
        eventually(build.is_left, "every process of it ends", 30)
        assert build.wait() == 1
    assert not (build.directory / "out/build.log").exists()


@case
def sigterm_later_leaves_nothing():
    if os.environ.get("HOTDESK_FULL") != "1":
        raise Skip("whole builds are interrupted with --full alone")
    for moment in ("=== settings", "=== disk", "=== compress"):
        interrupted_leaves_nothing(moment[4:], moment, terminate)


@case
def root_without_namespaces_builds_too():
    if os.environ.get("HOTDESK_FULL") != "1":
        raise Skip("a whole build more, with --full alone")
    recipe = scratch / "container.recipe"
    recipe.write_text("[image]\nrelease = bookworm\npackages = xterm\ndisk-size = 4G\n")
    subprocess.run([*WITHOUT_ADMIN, HOTDESK, "image", "build", "x", "--recipe", recipe, "--to", scratch / "container"], check=True,
                   timeout=1200)
    assert "hotdesk-agent" in inside_file(scratch / "container/disk.qcow2", "/var/lib/dpkg/status")


AS_BUILDER = """set -e
for name in passwd group; do cp /etc/$name "$1/$name"; done
echo "builder:x:64222:64222::$1:/bin/sh" >>"$1/passwd"
echo "builder:x:64222:" >>"$1/group"
echo "builder:700000:65536" >"$1/subuid"
cp "$1/subuid" "$1/subgid"
for name in passwd group subuid subgid; do mount --bind "$1/$name" "/etc/$name"; done
chown 64222:64222 "$1"
shift
exec setpriv --reuid 64222 --regid 64222 --clear-groups "$@"
"""


@case
def a_user_without_root_builds_with_user_namespaces():
    """As an account that is there, with ids of its own, in a mount namespace alone."""
    if os.environ.get("HOTDESK_FULL") != "1":
        raise Skip("a whole build more, with --full alone")
    if not all(os.stat(path).st_mode & 1 for path in (HOTDESK, *HOTDESK.parents)):
        raise Skip("another user cannot enter the directory of the programs")
    home = pathlib.Path(tempfile.mkdtemp(prefix="hotdesk-test-"))
    try:
        recipe = home / "small.recipe"
        recipe.write_text("[image]\nrelease = bookworm\npackages = xterm\ndisk-size = 4G\n")
        subprocess.run(["unshare", "--mount", "sh", "-c", AS_BUILDER, "sh", home, "env", f"HOME={home}", f"TMPDIR={home}", HOTDESK,
                        "image", "build", "x", "--recipe", recipe, "--to", home / "out"], check=True, timeout=1200)
        subprocess.run(["qemu-img", "convert", "-O", "raw", home / "out/disk.qcow2", home / "raw"], check=True)
        stat = subprocess.run(["debugfs", "-R", "stat /usr/bin/su", f"{home}/raw?offset={ROOT_OFFSET}"], check=True, text=True,
                              capture_output=True).stdout
        assert "Mode:  04755" in stat and "User:     0   Group:     0" in stat, stat
        assert sorted(path.name for path in (home / "out").iterdir()) == ["append", "build.log", "disk.qcow2", "initrd", "vmlinux"]
    finally:
        shutil.rmtree(home)


@case
def an_image_is_built_imported_and_updated():
    stack = AdminStack()
    try:
        stack.begin()
        recipe = write_recipe("small", SMALL)
        temporary = stack.directory / "tmp"
        temporary.mkdir()
        build = stack.cli("image", "build", "small", "--recipe", recipe, timeout=1200, env={"TMPDIR": str(temporary)})
        assert "`hotdesk image publish small:1`" in build.stdout, build.stdout
        for name in ("agent", "packages", "settings", "disk", "compress"):
            assert f"{name}: " in build.stderr, build.stderr
        assert not list(temporary.iterdir()), list(temporary.iterdir())
        row, = stack.json("image", "list")
        assert (row["version"], row["published"], row["direct_boot"], row["log"]) == (1, False, True, True), row
        assert row["recipe_name"] == str(recipe), row
        assert stack.cli("image", "recipe", "small").stdout == SMALL
        log = stack.cli("image", "log", "small").stdout
        assert not pathlib.Path("/run", OUTSIDE).exists(), "a file was copied onto the machine that built"
        assert inside_file(stack.state / "host/images/small/1/disk.qcow2", "/etc/apt/sources.list.d/own.list") == "# kept\n"
        assert "script was here" in log and "=== compress" in log, log[-500:]
        if os.environ.get("HOTDESK_FULL") == "1":
            stack.cli("image", "update", "small", "--publish", timeout=1200)
            rows = {row["version"]: row["published"] for row in stack.json("image", "list")}
            assert rows == {1: False, 2: True}, rows
    finally:
        stack.stop()


@case
def only_built_images_are_updated():
    stack = AdminStack()
    try:
        stack.begin()
        stack.refused(1, "there is no image none", "image", "update", "none")
        stack.cli("image", "import", "empty", stack.disk)
        stack.refused(1, "no recipe is kept with image empty", "image", "update", "empty")
    finally:
        stack.stop()


if __name__ == "__main__":
    main(setup, teardown)
