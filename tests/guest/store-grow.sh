#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# A store that becomes larger while it is used, is unplugged, and comes back.
# The host acts when it reads "mounted", "unmounted" and "gone" (store-test.sh).
. /tests/store-lib.sh

small=$((32 << 20)) large=$((96 << 20))

has_size() {
	[ "$(blockdev --getsize64 /dev/pmem0)" = "$1" ]
}

load_once() {
	dd if=/tmp/data of=/mnt/load bs=64k conv=fsync &&
		cmp /tmp/data /mnt/load && mv /mnt/load /mnt/old
}

# Until /tmp/stop is there; /tmp/rounds counts, /tmp/loaded says how it ended.
load() {
	round=0
	until [ -e /tmp/stop ]; do
		load_once 2>/tmp/load.out || break
		round=$((round + 1))
		echo $round >/tmp/rounds
	done
	[ -e /tmp/stop ] && echo well >/tmp/loaded || echo badly >/tmp/loaded
}

went_on_since() {
	[ -e /tmp/loaded ] || [ "$(cat /tmp/rounds)" -gt $(($1 + 1)) ]
}

dd if=/dev/urandom of=/tmp/data bs=64k count=16 2>/dev/null
mount -t vmemfs /dev/pmem0 /mnt
load &
wait_until [ -e /tmp/rounds ]
same "$(blockdev --getsize64 /dev/pmem0)" $small
echo mounted

grows() {
	wait_until has_size $large
	same "$(store_attr pmem0 size)" $large
	dmesg | grep "pmem0: detected capacity change"
}
check "the disk grows while it is mounted" grows

# What the file system does not know of yet belongs to nobody.
new_part() {
	last=$((large / 65536 - 16))
	dd if=/tmp/data of=/dev/pmem0 bs=64k seek=$last conv=fsync
	dd if=/dev/pmem0 bs=64k skip=$last count=16 | cmp - /tmp/data
	expect_fail dd if=/tmp/data of=/dev/pmem0 bs=64k seek=$((large / 65536)) count=1 conv=fsync
}
check "the new part is stored to, flushed and read, and has an end" new_part

# Fifty files of 1 MiB did not fit before.
follows() {
	same $(($(stat -f -c %b /mnt) * 4096)) $small
	/tests/resize.vmemfs /mnt
	same $(($(stat -f -c %b /mnt) * 4096)) $large
	i=0
	while [ $i -lt 50 ]; do
		cp /tmp/data /mnt/more$i
		i=$((i + 1))
	done
	sync
	cmp /tmp/data /mnt/more49
}
check "the file system follows, mounted" follows

load_goes_on() {
	wait_until went_on_since "$(cat /tmp/rounds)"
	: >/tmp/stop
	wait_until [ -e /tmp/loaded ]
	same "$(cat /tmp/loaded)" well
	cmp /tmp/data /mnt/old
	same "$(store_attr pmem0 flush_errors)" 0
}
check "what was running runs on, and loses nothing" load_goes_on

umount /mnt || exit 1
remade() {
	/tests/fsck.vmemfs -n /dev/pmem0
	/tests/mkfs.vmemfs -q -f /dev/pmem0
	mount -t vmemfs /dev/pmem0 /mnt
	[ "$(df -k /mnt | awk 'END { print $2 }')" -gt $((small / 1024)) ]
	cp /tmp/data /mnt/kept
	umount /mnt
}
check "mkfs uses all of it" remade
echo unmounted

gone() {
	wait_until [ ! -e /sys/block/pmem0 ]
	wait_until [ ! -e /dev/pmem0 ]
}
check "the unplugged disk is gone" gone
echo gone

back() {
	wait_until has_size $large
	mount -t vmemfs /dev/pmem0 /mnt
	cmp /tmp/data /mnt/kept
	umount /mnt
}
check "plugged in again, it has what it had" back

rescan() {
	echo 1 >/sys/bus/pci/rescan
	[ -b /dev/pmem0 ]
}

# By the guest itself: the host refuses.
torn_out() {
	mount -t vmemfs /dev/pmem0 /mnt
	exec 3</mnt/kept
	pci=$(dirname "$(readlink -f /sys/bus/virtio/drivers/vmemstore/virtio*)")
	echo 1 >"$pci/remove"
	expect_fail dd if=/tmp/data of=/mnt/new bs=64k conv=fsync
	cmp /tmp/data /mnt/kept
	cmp /tmp/data - <&3
	exec 3<&-
	expect_fail rescan
	dmesg | grep "vmemstore .*: its memory is in use by the disk that was here before"
	umount /mnt
	echo 1 >"$pci/remove"
	wait_until rescan
	/tests/fsck.vmemfs -p /dev/pmem0 || same $? 1
	mount -t vmemfs /dev/pmem0 /mnt
	cmp /tmp/data /mnt/kept
	umount /mnt
}
check "a disk that is torn out while mounted has errors, and then works again" torn_out
finish
