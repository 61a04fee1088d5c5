#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# Stores on one kind of machine (machine-test.sh).  Runs twice, with a reboot between
# that unmounts nothing.  When HOTPLUG is yes, the host acts when it reads "ready",
# and again at "used".
. /tests/store-lib.sh

small=$((64 << 20)) roomy=$((32 << 20)) hot=$((16 << 20))

# The address of the PCI device behind a disk: /sys/devices/...
pci_of() {
	dirname "$(readlink -f "/sys/block/$1/device")"
}

# window_of DISK: the first and the last address of its BAR, "0x... 0x..."
window_of() {
	sed -n '3s/ [^ ]*$//p' "$(pci_of "$1")/resource"
}

# has_window DISK GIB: it has that size, and is above 4 GiB
has_window() {
	window=$(window_of "$1")
	echo "window $window"
	start=${window% *} end=${window#* }
	same $((end - start + 1)) $(($2 << 30))
	[ $((start)) -ge $((4 << 30)) ]
}

# use DISK DIR: mount it there, write a file, make it durable
use() {
	mkdir -p "$2"
	mount -t vmemfs "/dev/$1" "$2"
	seq 1 20000 >/tmp/seq
	dd if=/tmp/seq of="$2/file" bs=16k conv=fsync
	cmp /tmp/seq "$2/file"
	[ $(($(store_attr "$1" flushes) + $(store_attr "$1" commits))) -gt 0 ]
}

# there DISK DIR: what use() has written
there() {
	mkdir -p "$2"
	mount -t vmemfs "/dev/$1" "$2"
	seq 1 20000 | cmp - "$2/file"
	umount "$2"
}

first_boot() {
	check "a store has a window of 4 GiB, above 4 GiB" has_window "$(disk_with size $small)" 4
	check "a store that can grow to 64 GiB has one of 64 GiB" \
		has_window "$(disk_with size $roomy)" 64
	check "it is mounted, written to and flushed" use "$(disk_with size $small)" /mnt/small
	check "the second, too" use "$(disk_with size $roomy)" /mnt/roomy
	[ $tap_failed -eq 0 ] || exit 1
	reboot -f
	sleep 60
	exit 1
}

second_boot() {
	check "after a reset everything is there" there "$(disk_with size $small)" /mnt/small
	check "on the second, too" there "$(disk_with size $roomy)" /mnt/roomy
}

plugged_in() {
	[ -n "$(disk_with size $hot)" ]
}

hot_is_used() {
	wait_until plugged_in
	disk=$(disk_with size $hot)
	has_window "$disk" 4
	use "$disk" /mnt/hot
	umount /mnt/hot
	echo "$disk" >/tmp/hot
}

hot_is_gone() {
	wait_until [ ! -e "/sys/block/$(cat /tmp/hot)" ]
}

mkdir -p /mnt/small
mount -t vmemfs "/dev/$(disk_with size $small)" /mnt/small || exit 1
again=$([ ! -e /mnt/small/file ] || echo yes)
umount /mnt/small
[ -n "$again" ] || first_boot
second_boot
if [ "$HOTPLUG" = yes ]; then
	echo ready
	check "a store plugged in while the guest runs has a window, and works" hot_is_used
	echo used
	check "unplugged, it is gone" hot_is_gone
fi
finish
