#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
# guest-ranges.sh - run /ranges on vmemfs with durability=host
set -eu

# No commit in the background: only what was asked for is flushed.
mount -t vmemfs -o durability=host,commit=0 /dev/pmem0 /mnt
mkdir /mnt/t
/ranges /mnt/t
echo "driver-flushes $(cat /sys/bus/virtio/drivers/vmemstore/virtio*/flushes)"
echo "driver-whole $(cat /sys/bus/virtio/drivers/vmemstore/virtio*/whole_flushes)"
umount /mnt
