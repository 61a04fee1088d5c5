#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# One store that fits into the address space, and one that firmware finds no place for
# (machine-test.sh).
. /tests/store-lib.sh

small=$((64 << 20)) roomy=$((32 << 20))

# Firmware that finds one, or gives the other none, is welcome to.
says_why() {
	[ -z "$(disk_with size $roomy)" ] || return 0
	dmesg | grep -E 'vmemstore .*: (the store has no place in the address space|its place in the address space .* is reserved)'
}
check "a store without a place in the address space says so" says_why

goes_on() {
	disk=$(disk_with size $small)
	mount -t vmemfs "/dev/$disk" /mnt
	seq 1 20000 >/mnt/file
	sync
	umount /mnt
}
check "and leaves the other alone" goes_on
finish
