#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# The store works after suspend to RAM and resume; the host wakes us (driver-test.sh).
set -eu

before=$(cat /sys/bus/virtio/drivers/vmemstore/virtio*/generation)
dd if=/dev/urandom of=/tmp/data bs=64k count=16 2>/dev/null
dd if=/tmp/data of=/dev/pmem0 bs=64k conv=fsync 2>/dev/null

echo mem >/sys/power/state

[ "$(cat /sys/bus/virtio/drivers/vmemstore/virtio*/generation)" = "$before" ]
head -c 1048576 /dev/pmem0 | cmp - /tmp/data
dd if=/tmp/data of=/dev/pmem0 bs=64k seek=16 conv=fsync 2>/dev/null
[ "$(cat /sys/bus/virtio/drivers/vmemstore/virtio*/flush_errors)" -eq 0 ]
