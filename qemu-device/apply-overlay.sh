#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# apply-overlay.sh QEMU_SRC - put the device into a QEMU source tree
#
# Copies the device to hw/vmemstore and its test to tests/qtest, and adds one
# line each to hw/Kconfig, hw/meson.build, meson.build (trace events) and
# tests/qtest/meson.build.  May be repeated: it then only updates the copies.
set -eu

die() {
    echo "apply-overlay: $*" >&2
    exit 1
}

[ $# -eq 1 ] || die "usage: apply-overlay.sh QEMU_SRC"
here=$(cd "$(dirname "$0")" && pwd)
src=$(cd "$1" && pwd) || die "no folder $1"
[ -f "$src/hw/virtio/virtio-pci.c" ] && [ -f "$src/VERSION" ] ||
    die "$src is not a QEMU source tree"
version=$(cat "$src/VERSION")
case $version in
7.2*|8.*|9.*|10.*) ;;
*) die "QEMU $version is not supported (7.2 to 10 are)" ;;
esac

# add_after FILE PATTERN LINE: LINE behind the first line that matches PATTERN
add_after() {
    grep -qF -e "$3" "$src/$1" && return
    grep -q -e "$2" "$src/$1" || die "$src/$1 has no line like '$2': add '$3' by hand"
    awk -v pattern="$2" -v line="$3" \
        '{ print } !done && $0 ~ pattern { print line; done = 1 }' "$src/$1" > "$src/$1.new"
    mv "$src/$1.new" "$src/$1"
}

mkdir -p "$src/hw/vmemstore"
cp "$here"/*.c "$here"/*.h "$here/trace-events" "$here"/overlay/hw/vmemstore/* "$src/hw/vmemstore/"
for file in vmemstore-test.c access-test.c space-test.c compat-test.c; do
    cp "$here/tests/$file" "$src/tests/qtest/vmemstore-${file#vmemstore-}"
done
cp "$here/tests/testdriver.c" "$here/tests/testdriver.h" "$src/tests/qtest/"

add_after hw/Kconfig '^source virtio/Kconfig' 'source vmemstore/Kconfig'
add_after hw/meson.build "^subdir[(]'virtio'[)]" "subdir('vmemstore')"
add_after meson.build "^ *'hw/virtio'," "    'hw/vmemstore',"
add_after tests/qtest/meson.build '^qtests_i386 = ' \
    "  (config_all_devices.has_key('CONFIG_VMEMSTORE') ? ['vmemstore-test', 'vmemstore-access-test', 'vmemstore-space-test', 'vmemstore-compat-test'] : []) + \\"
add_after tests/qtest/meson.build '^qtests = [{]' "  'vmemstore-test': files('testdriver.c'),"
echo "apply-overlay: vmemstore is in $src (QEMU $version); configure and build it as usual"
