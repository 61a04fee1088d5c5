#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# compat-readonly.sh - compat=virtio-pmem,readonly=on: readable, and a guest that
# writes all the same is told at fsync
set -eu

mkdir -p /mnt
mount -t ext4 -o ro,noload,dax /dev/pmem0 /mnt
[ "$(md5sum </mnt/random | cut -d' ' -f1)" = "$SUM" ]
umount /mnt
if dd if=/dev/zero of=/dev/pmem0 bs=4k count=1 oflag=direct conv=fsync 2>/tmp/dd.log; then
	echo "a write that had no effect was called durable"
	exit 1
fi
grep -q 'Input/output error' /tmp/dd.log
mount -t ext4 -o ro,noload,dax /dev/pmem0 /mnt
[ "$(md5sum </mnt/random | cut -d' ' -f1)" = "$SUM" ]
