#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# get-qemu-source.sh SUITE OUTDIR - unpack Debian's QEMU of another suite
#
# SUITE is bookworm-backports or trixie (QEMU 10.0), for example.  Uses a package
# list of its own, on the mirror that the system takes its release from, and
# installs nothing.  Afterwards OUTDIR has
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
mkdir -p "$2"
out=$(cd "$2" && pwd)
apt=$out/apt
[ ! -s "$out/version" ] || exit 0

# shellcheck disable=SC1091
codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
# shellcheck disable=SC2016
mirror=$(apt-get indextargets --format '$(REPO_URI)|$(RELEASE)|$(COMPONENT)' \
    'Identifier: Packages' | awk -F '|' -v release="$codename" \
    '$2 == release && $3 == "main" { print $1; exit }')
[ -n "$mirror" ] || die "no package list of $codename main: run apt-get update"
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
signed=
[ ! -e $keyring ] || signed="[signed-by=$keyring] "

mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
echo "deb-src $signed$mirror $suite main" > "$apt/sources.list"
cat > "$apt/apt.conf" <<END
Dir::Etc::SourceList "$apt/sources.list";
Dir::Etc::SourceParts "-";
Dir::State::Lists "$apt/lists";
Dir::Cache "$apt/cache";
APT::Sandbox::User "root";
Acquire::Languages "none";
END
export APT_CONFIG="$apt/apt.conf"
apt-get -q update > "$out/apt.log" 2>&1 || die "cannot read $suite (see $out/apt.log)"
echo "get-qemu-source: downloading the source of QEMU of $suite"
rm -rf "$out/download" "$out/src"
mkdir -p "$out/download"
(cd "$out/download" && apt-get -q source --download-only qemu) >> "$out/apt.log" 2>&1 ||
    die "the download failed (see $out/apt.log): check the network"
dpkg-source --no-check -x "$out"/download/qemu_*.dsc "$out/src" > "$out/unpack.log" 2>&1 ||
    die "unpacking failed (see $out/unpack.log)"
rm -rf "$out/download" "$apt"
cp "$out/src/VERSION" "$out/version"
echo "get-qemu-source: QEMU $(cat "$out/version") is in $out/src"
