#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# get-qemu-source.sh SUITE OUTDIR - unpack Debian's QEMU of another suite
#
# SUITE is bookworm-backports or trixie (QEMU 10.0), for example.  Uses a package
# list of its own, and installs nothing.  Afterwards OUTDIR has
#   src/      the source, patched as Debian does
#   version   what it says in src/VERSION
# Does nothing when that is there.
set -eu

die() {
    echo "get-qemu-source: $*" >&2
    exit 1
}

[ $# -eq 2 ] || die "usage: get-qemu-source.sh SUITE OUTDIR"
suite=$1
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$2"
out=$(cd "$2" && pwd)
[ ! -s "$out/version" ] || exit 0
command -v dpkg-source > /dev/null || die "dpkg-source is missing: apt-get install dpkg-dev"

. "$here/private-apt.sh"
private_apt deb-src "$suite" "$out/apt" || die "$apt_error"
echo "get-qemu-source: downloading the source of QEMU of $suite"
rm -rf "$out/download" "$out/src"
mkdir -p "$out/download"
(cd "$out/download" && apt-get -q source --download-only qemu) >> "$out/apt.log" 2>&1 ||
    die "the download failed (see $out/apt.log): check the network"
dpkg-source --no-check -x "$out"/download/qemu_*.dsc "$out/src" > "$out/unpack.log" 2>&1 ||
    die "unpacking failed (see $out/unpack.log)"
rm -rf "$out/download" "$out/apt"
cp "$out/src/VERSION" "$out/version"
echo "get-qemu-source: QEMU $(cat "$out/version") is in $out/src"
