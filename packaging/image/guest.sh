# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# What the builders of guests have in common; they source it.

# The program that called takes the reason from fd $error_fd where that is set; a person reads it on stderr.
die() {
	if [ -n "${error_fd:-}" ]; then
		echo "error $*" >&"$error_fd"
	else
		echo "$(basename "$0"): $*" >&2
	fi
	exit 1
}

# need LIST TOOL...: LIST is the file that names the packages.
need() {
	local list=$1 tool
	shift
	for tool in "$@"; do
		PATH=$PATH:/usr/sbin:/sbin command -v "$tool" >/dev/null || die "$tool is not installed; the packages are listed in $list"
	done
}

# sources SUITE: the machine's own sources of that release and of its updates.
sources() {
	local file
	for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list; do
		[ -f "$file" ] || continue
		grep -qE "^(deb |Suites:)(.*[[:blank:]])?$1([-/](security|updates))?([[:blank:]]|\$)" "$file" && echo "$file"
	done
}

# The machine's own proxies, as options of mmdebstrap.
proxies() {
	local proxy name
	for name in http https; do
		eval "$(apt-config shell proxy "Acquire::$name::Proxy")"
		[ -z "${proxy:-}" ] || echo "--aptopt=Acquire::$name::Proxy \"$proxy\""
		proxy=
	done
}

# candidates PACKAGE...: the versions that apt on this machine knows, for the key of a cache.
candidates() {
	apt-cache policy "$@" | grep -E '^[a-z]|Candidate:'
}

# golden_sources TOP: all of a source tree that golden images are made from, one after the other, to be compared.
golden_sources() {
	(cd "$1" && find packaging/image packaging/guest packaging/debian packaging/agent-deb guest-agent common -type f ! -name '*.md' -print0 |
		sort -z | xargs -0 cat)
}

# extract_vmlinux VMLINUZ FILE: an uncompressed kernel boots seconds faster under TCG; QEMU starts it by its PVH entry.
extract_vmlinux() {
	local offset
	for offset in $(LC_ALL=C grep -abo $'\xfd7zXZ' "$1" | cut -d: -f1); do
		tail -c "+$((offset + 1))" "$1" | xz -dc --single-stream >"$2" 2>/dev/null || true
		[ "$(head -c 4 "$2" | tail -c 3)" != ELF ] || return 0
	done
	die "no xz-compressed kernel was found in $(basename "$1")"
}
