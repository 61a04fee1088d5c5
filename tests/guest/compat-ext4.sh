#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# compat-ext4.sh - a stock guest on compat=virtio-pmem: ext4 -o dax, until killed
#
# With ACKED and FIO set: what the last boot left must be there.
set -eu

ls /sys/bus/virtio/drivers/virtio_pmem | grep -q virtio || {
	echo "no device is bound to virtio_pmem"
	exit 1
}
mkdir -p /mnt
fio_file() {
	fio --name=file --filename=/mnt/file --size=8m --rw=randwrite --bs=4k --fsync=1 \
		--ioengine=psync --randseed=5 --verify=crc32c --verify_fatal=1 "$@" >/tmp/fio.log 2>&1 ||
		{ cat /tmp/fio.log && exit 1; }
}
if [ -n "${ACKED:-}" ]; then
	mount -t ext4 -o dax /dev/pmem0 /mnt
	fio_file --verify_only
	ackload verify /mnt/work 1 "$ACKED" ext4
	rm -r /mnt/work
	umount /mnt
	echo "verified"
	exit
fi
mkfs.ext4 -q -b 4096 /dev/pmem0
mount -t ext4 -o dax /dev/pmem0 /mnt
grep -q ' /mnt ext4 .*dax=always' /proc/mounts
fio_file --do_verify=1
umount /mnt
mount -t ext4 -o dax /dev/pmem0 /mnt
fio_file --verify_only
mkdir /mnt/work
sync
echo "working"
exec ackload run /mnt/work 1 fsync
