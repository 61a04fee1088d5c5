#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# get-qemu-headers.sh OUTDIR - the headers of the installed Debian QEMU
#
# Fills OUTDIR with what vmemstore.so is compiled against:
#   OUTDIR/src/           Debian's source of the installed QEMU, patched
#   OUTDIR/include/       generated headers (configuration, QAPI)
#   OUTDIR/version        the version of the installed binary, "7.2.22"
#   OUTDIR/source-version the Debian version of the source that was found
# Does nothing when OUTDIR already matches the installed QEMU.
#
# The source comes through apt from the sources the system already has: a
# private copy of them, inside OUTDIR, with "deb" turned into "deb-src".
#
# For a QEMU that is not installed as a Debian package: QEMU=its binary (which must
# export its symbols: configured with --enable-modules --enable-plugins) and
# QEMU_SRC=its source tree, from which all is taken.
set -eu

qemu=${QEMU:-qemu-system-x86_64}
package=qemu-system-x86

die() {
    echo "get-qemu-headers: $*" >&2
    exit 1
}

say() {
    echo "get-qemu-headers: $*"
}

[ $# -eq 1 ] || die "usage: get-qemu-headers.sh OUTDIR"
mkdir -p "$1"
out=$(cd "$1" && pwd)

command -v "$qemu" >/dev/null || die "$qemu is missing: apt-get install $package"
version=$("$qemu" --version | sed -n 's/^QEMU emulator version \([0-9.]*\).*/\1/p')
[ -n "$version" ] || die "cannot read the version of $qemu"
if [ -n "${QEMU_SRC:-}" ]; then
    [ "$(cat "$QEMU_SRC/VERSION" 2>/dev/null)" = "$version" ] ||
        die "QEMU_SRC=$QEMU_SRC is not the source of QEMU $version"
    wanted="$version from $QEMU_SRC"
else
    wanted=$(dpkg-query -W -f '${source:Version}' "$package" 2>/dev/null) ||
        die "$package is not installed as a Debian package: give its source by QEMU_SRC=, or use apply-overlay.sh"
fi

if [ -f "$out/version" ] && [ "$(cat "$out/version") $(cat "$out/wanted")" = "$version $wanted" ]; then
    exit 0
fi
rm -rf "$out/src" "$out/include" "$out/version"

for tool in dpkg-source python3 xz; do
    command -v "$tool" >/dev/null ||
        die "$tool is missing: apt-get install dpkg-dev python3 xz-utils"
done

# --- a private, source-only view of the system's apt sources ---

make_apt_sources() {
    rm -rf "$out/apt"
    mkdir -p "$out/apt/sources.list.d" "$out/apt/lists/partial" "$out/apt/cache/archives/partial"
    : > "$out/apt/sources.list"
    for f in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [ -f "$f" ] || continue
        sed -n 's/^[[:space:]]*deb[[:space:]]/deb-src /p' "$f" >> "$out/apt/sources.list"
    done
    for f in /etc/apt/sources.list.d/*.sources; do
        [ -f "$f" ] || continue
        sed 's/^[Tt]ypes:.*/Types: deb-src/' "$f" > "$out/apt/sources.list.d/${f##*/}"
    done
}

private_apt() {
    command=$1
    shift
    "$command" -q \
        -o "Dir::Etc::SourceList=$out/apt/sources.list" \
        -o "Dir::Etc::SourceParts=$out/apt/sources.list.d" \
        -o "Dir::State::Lists=$out/apt/lists" \
        -o "Dir::Cache=$out/apt/cache" \
        -o "APT::Sandbox::User=root" \
        -o "Acquire::Languages=none" "$@"
}

# The wanted version when it is offered, else the newest of the same series.
choose_version() {
    offered=$(private_apt apt-cache showsrc qemu 2>/dev/null |
        sed -n 's/^Version: //p' | sort -u)
    [ -n "$offered" ] || die "apt offers no source of qemu (see $out/apt.log): check /etc/apt sources and the network"
    series=${wanted%%[+-]*}
    chosen=
    for v in $offered; do
        if [ "$v" = "$wanted" ]; then
            chosen=$v
            break
        fi
        case $v in
        "$series"[+-]*)
            if [ -z "$chosen" ] || dpkg --compare-versions "$v" gt "$chosen"; then
                chosen=$v
            fi ;;
        esac
    done
    [ -n "$chosen" ] || die "apt offers no source of QEMU $series, only: $(echo "$offered" | tr '\n' ' ')"
    [ "$chosen" = "$wanted" ] ||
        say "note: the source of $wanted is not offered; using the nearest, $chosen"
}

fetch_source() {
    say "downloading the source of QEMU $wanted (24 MB)"
    make_apt_sources
    # One broken source among others does not matter: choose_version tells.
    private_apt apt-get -o Acquire::Retries=5 update > "$out/apt.log" 2>&1 || :
    choose_version
    rm -rf "$out/download"
    mkdir -p "$out/download"
    (cd "$out/download" &&
        private_apt apt-get -o Acquire::Retries=5 source --download-only "qemu=$chosen") >> "$out/apt.log" 2>&1 ||
        die "the download failed (see $out/apt.log): check the network"
    say "unpacking it"
    dpkg-source --no-check -x "$out"/download/qemu_*.dsc "$out/src" > "$out/unpack.log" 2>&1 ||
        die "unpacking failed (see $out/unpack.log)"
}

copy_source() {
    say "copying from the source of QEMU $wanted"
    chosen=$wanted
    mkdir -p "$out/src"
    for part in include scripts trace linux-headers qapi VERSION COPYING; do
        cp -R "$QEMU_SRC/$part" "$out/src/"
    done
}

# --- what QEMU's own configure step would make, as far as headers need it ---

# Only settings that a header outside target/ looks at.  plugin.c compares the
# sizes of QEMU's structures with those in the running binary, so that a wrong
# one here is noticed.
make_config() {
    IFS=. read -r major minor micro < "$out/src/VERSION"
    mkdir -p "$out/include/qapi"
    cat > "$out/include/config-host.h" <<END
#define QEMU_VERSION "$major.$minor.$micro"
#define QEMU_VERSION_MAJOR $major
#define QEMU_VERSION_MINOR $minor
#define QEMU_VERSION_MICRO $micro
#define CONFIG_LINUX 1
#define CONFIG_POSIX 1
#define CONFIG_EVENTFD 1
#define CONFIG_PLUGIN 1
#define CONFIG_IOVEC 1
#define CONFIG_INT128 1
#define CONFIG_INT128_TYPE 1
#define CONFIG_ATOMIC64 1
#define CONFIG_BYTESWAP_H 1
#define CONFIG_CPUID_H 1
#define CONFIG_MADVISE 1
#define CONFIG_MEMFD 1
#define CONFIG_FALLOCATE 1
#define CONFIG_TRACE_LOG 1
#define HOST_X86_64 1
END
    : > "$out/include/config-poison.h"
}

make_generated() {
    say "generating headers"
    (cd "$out/src" && python3 scripts/qapi-gen.py -b -o "$out/include/qapi" qapi/qapi-schema.json) ||
        die "QEMU's qapi-gen.py failed"
    # Only headers are wanted; the code is in the binary.
    find "$out/include" -name '*.c' -delete
}

# Keep what is used: the whole source is 300 MB.
trim_source() {
    find "$out/src" -mindepth 1 -maxdepth 1 \
        ! -name include ! -name scripts ! -name trace ! -name linux-headers ! -name VERSION \
        ! -name COPYING -exec rm -rf {} +
}

if [ -n "${QEMU_SRC:-}" ]; then
    copy_source
else
    fetch_source
fi
make_config
make_generated
[ -n "${KEEP_SOURCE:-}" ] || trim_source
echo "$chosen" > "$out/source-version"
echo "$wanted" > "$out/wanted"
echo "$version" > "$out/version"
say "ready: QEMU $version, source $chosen"
