#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# apply-overlay.sh QEMU_SRC - put the device into a QEMU source tree
#
# Copies the device to hw/vmemstore, its tests to tests/qtest and its fuzzer to
# tests/qtest/fuzz, and adds lines to hw/Kconfig, hw/meson.build, meson.build (trace
# events) and the meson.build of the tests and of the fuzzers.  May be repeated: it then
# only updates the copies.
#
# Not there: tests that need no QEMU (spans-test.c, engine-test.c, sync-test.c), and run under
# sanitizers of their own, or need a host of their own (network-test.c, crash-test.c,
# inflight-test.c).
set -eu

qtests="vmemstore-test access-test space-test flush-test insight-test compat-test growth-test"

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

# put FILE DEST: what did not change keeps its time, and is not built again
put() {
    cmp -s "$1" "$2" || cp "$1" "$2"
}

mkdir -p "$src/hw/vmemstore"
for file in "$here"/*.h "$here"/device/* "$here"/hostfile/* "$here"/flush/* "$here"/migration/* "$here"/testing/* "$here/trace-events" "$here"/overlay/hw/vmemstore/*; do
    put "$file" "$src/hw/vmemstore/${file##*/}"
done
put "$here/tests/testdriver.c" "$src/tests/qtest/testdriver.c"
put "$here/tests/testdriver.h" "$src/tests/qtest/testdriver.h"
for file in "$here"/fuzz/*.c "$here"/fuzz/*.h; do
    put "$file" "$src/tests/qtest/fuzz/${file##*/}"
done

add_after hw/Kconfig '^source virtio/Kconfig' 'source vmemstore/Kconfig'
add_after hw/meson.build "^subdir[(]'virtio'[)]" "subdir('vmemstore')"
add_after meson.build "^ *'hw/virtio'," "    'hw/vmemstore',"

# What an earlier version of this script added may name other tests.
qtest_meson=$src/tests/qtest/meson.build
cp -p "$qtest_meson" "$qtest_meson.before"
sed -i '/vmemstore/d' "$qtest_meson"
list=
for test in $qtests; do
    name=vmemstore-${test#vmemstore-}
    put "$here/tests/$test.c" "$src/tests/qtest/$name.c"
    add_after tests/qtest/meson.build '^qtests = [{]' "  '$name': files('testdriver.c'),"
    list="$list'$name', "
done
add_after tests/qtest/meson.build '^qtests_i386 = ' \
    "  (config_all_devices.has_key('CONFIG_VMEMSTORE') ? [${list%, }] : []) + \\"
if cmp -s "$qtest_meson" "$qtest_meson.before"; then
    mv "$qtest_meson.before" "$qtest_meson"
else
    rm "$qtest_meson.before"
fi
add_after tests/qtest/fuzz/meson.build '^# Targets' \
    "specific_fuzz_ss.add(when: 'CONFIG_VMEMSTORE', if_true: [files('vmemstore_fuzz.c', 'fuzz_device.c', 'fuzz_request.c', '../testdriver.c'), declare_dependency(include_directories: include_directories('../../../target/i386'))])"
echo "apply-overlay: vmemstore is in $src (QEMU $version); configure and build it as usual"
