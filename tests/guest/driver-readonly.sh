#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# A read-only store is a read-only disk; a file system on it can be read.
set -eu

fail() {
	echo "$*"
	exit 1
}

[ "$(cat /sys/bus/virtio/drivers/vmemstore/virtio*/readonly)" -eq 1 ] || fail "attribute"
[ "$(cat /sys/block/pmem0/ro)" -eq 1 ] || fail "the disk is writable"
if dd if=/dev/zero of=/dev/pmem0 bs=4k count=1 conv=fsync 2>/dev/null; then
	fail "a write succeeded"
fi
mount -t ext4 -o ro,dax /dev/pmem0 /mnt
[ -s /mnt/random ] || fail "the file is gone"
md5sum /mnt/random >/dev/null
umount /mnt
