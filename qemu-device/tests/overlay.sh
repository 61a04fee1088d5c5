# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
# shellcheck shell=sh
#
# overlay.sh - a build inside a QEMU tree has all that the loadable object has; sourced by run.sh

device=$(dirname "$here")

# same_lists NAME FILE FILE
same_lists() {
    if diff "$2" "$3" > out; then ok "$1"; else not_ok "$1"; fi
}

(cd "$device" && ls device/*.c hostfile/*.c flush/*.c migration/*.c testing/*.c) | sed 's|.*/||' > sources
sed -n "s/^  '\(.*\.c\)',$/\1/p" "$device/overlay/hw/vmemstore/meson.build" | LC_ALL=C sort > overlaid
LC_ALL=C sort -o sources sources
same_lists "the overlay compiles every source file" sources overlaid

# Others need no QEMU, or a host of their own.
(cd "$device/tests" && grep -l '"qemu/osdep.h"' ./*-test.c) | sed 's|^./||; s|\.c$||' |
    LC_ALL=C sort > tests
sed -n 's/^qtests="\(.*\)"$/\1/p' "$device/apply-overlay.sh" | tr ' ' '\n' | LC_ALL=C sort > overlaid
same_lists "and every test that is written for a QEMU tree" tests overlaid

# The lines of a QEMU tree that the script looks for.
tree=$dir/tree
mkdir -p "$tree/hw/virtio" "$tree/tests/qtest/fuzz"
: > "$tree/hw/virtio/virtio-pci.c"
echo 10.0.0 > "$tree/VERSION"
echo "source virtio/Kconfig" > "$tree/hw/Kconfig"
echo "subdir('virtio')" > "$tree/hw/meson.build"
echo "# Targets" > "$tree/tests/qtest/fuzz/meson.build"
echo "    'hw/virtio'," > "$tree/meson.build"
printf '%s\n' 'qtests_i386 = \' '  []' 'qtests = {' '}' > "$tree/tests/qtest/meson.build"
if "$device/apply-overlay.sh" "$tree" > out 2>&1; then
    cp -a "$tree" "$tree.once"
    "$device/apply-overlay.sh" "$tree" > out 2>&1 || echo "failed the second time" >> tree/VERSION
fi
if diff -r "$tree.once" "$tree" > out && grep -q "'vmemstore-growth-test'" "$tree/tests/qtest/meson.build" &&
    [ "$(stat -c %y "$tree.once/tests/qtest/meson.build")" = "$(stat -c %y "$tree/tests/qtest/meson.build")" ]; then
    ok "applying it again changes nothing"
else
    not_ok "applying it again changes nothing"
fi

(cd "$device" && grep -rlE 'QEMU_VERSION|VMEMSTORE_QEMU_AT_LEAST' --include='*.[ch]' .) > out
[ "$(cat out)" = ./device/compat.h ] && ok "QEMU's version matters in compat.h only" ||
    not_ok "QEMU's version matters in compat.h only"
