#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# ext4 -o dax works on the store: fio with verification, remount, same contents.
set -eu

mkfs.ext4 -q -b 4096 /dev/pmem0
mount -t ext4 -o dax /dev/pmem0 /mnt
grep -q ' /mnt ext4 .*dax=always' /proc/mounts

for engine in psync mmap; do
	fio --name=$engine --filename=/mnt/$engine --size=8m --rw=randwrite --bs=4k \
		--fsync=16 --ioengine=$engine --verify=crc32c --do_verify=1 >/tmp/fio.log ||
		{ cat /tmp/fio.log && exit 1; }
done
dd if=/dev/urandom of=/mnt/random bs=64k count=64 conv=fsync 2>/dev/null
sum=$(md5sum </mnt/random)

umount /mnt
mount -t ext4 -o dax /dev/pmem0 /mnt
[ "$(md5sum </mnt/random)" = "$sum" ]
umount /mnt
/usr/sbin/e2fsck -fn /dev/pmem0 >/dev/null 2>&1
