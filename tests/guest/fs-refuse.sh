#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# fs-refuse.sh - disks that vmemfs cannot use, or only read
#
# One disk is a vmemstore with readonly=on that holds a file system with one
# file, the other a virtio-pmem with a copy of it (tests/fs-test.sh refuse).
while [ ! -b /dev/pmem0 ] || [ ! -b /dev/pmem1 ]; do
	sleep 0.1
done
sleep 0.5
if [ "$(cat /sys/block/pmem0/ro)" = 1 ]; then
	DEV=/dev/pmem0
	other=pmem1
else
	DEV=/dev/pmem1
	other=pmem0
fi
# shellcheck disable=SC2034
mount_options=ro
. "${TESTS_DIR:-/tests}/fs-lib.sh"

reads() {
	same "$(cat file)" "on a read-only disk"
	same "$(stat -c %s file)" 20
	expect_fail touch new
	expect_fail rm file
}
check "a read-only disk is mounted read-only and read" reads

no_remount() {
	expect_fail mount -o remount,rw "$MNT"
	expect_fail touch new
}
check "a mount of a read-only disk cannot become writable" no_remount

mapped() {
	fsprobe mmap-readonly file
}
check "a file on a read-only disk is mapped for reading only" mapped

virtio_pmem() {
	mkdir /tmp/m
	expect_fail mount -t vmemfs /dev/$other /tmp/m
	dmesg | tail -n 30 | grep "vmemfs ($other): .*use -device vmemstore"
	expect_fail mkfs.vmemfs /dev/$other 2>/tmp/err
	grep 'is a virtio-pmem' /tmp/err
}
check "a virtio-pmem is refused by mount and mkfs with a clear line" virtio_pmem

partition() {
	dd if=/dev/zero of=/dev/$other bs=1M count=1
	printf 'n\np\n1\n\n\nw\n' | fdisk /dev/$other
	[ -b /dev/${other}p1 ]
	expect_fail mount -t vmemfs /dev/${other}p1 /tmp/m
	dmesg | tail -n 30 | grep "vmemfs (${other}p1): is a partition"
	expect_fail mkfs.vmemfs /dev/${other}p1 2>/tmp/err
	grep 'is a partition' /tmp/err
}
check "a partition is refused by mount and mkfs with a clear line" partition

finish
