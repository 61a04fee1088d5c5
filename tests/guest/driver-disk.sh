#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# The store appears as an ordinary pmem disk, and sysfs describes it.
set -eu

fail() {
	echo "$*"
	exit 1
}

# The documented ways to the attributes: from the driver, and from the disk.
device=$(echo /sys/bus/virtio/drivers/vmemstore/virtio*)
same=/sys/block/pmem0/device
[ "$(cat "$device/generation")" = "$(cat $same/generation)" ] || fail "the two paths differ"

[ "$(cat "$device/size")" -eq "$STORE_SIZE" ] || fail "size is $(cat "$device/size")"
[ "$(blockdev --getsize64 /dev/pmem0)" -eq "$STORE_SIZE" ] || fail "the disk's size differs"
[ "$(cat "$device/backing")" = page-cache ] || fail "backing is $(cat "$device/backing")"
[ "$(cat "$device/readonly")" -eq 0 ] || fail "not writable"
grep -q '^[0-9a-f]\{32\}$' "$device/generation" || fail "bad generation"

# What tells the block layer that a flush is needed.
[ "$(cat /sys/block/pmem0/queue/write_cache)" = "write back" ] || fail "no flush would be sent"

# The disk's memory is above 4 GiB, where it is mapped cached.
start=$(sed -n 's/^ *\([0-9a-f]*\)-.* : vmemstore$/\1/p' /proc/iomem)
[ $((0x$start)) -ge $((0x100000000)) ] || fail "the store is at 0x$start"

before=$(cat "$device/whole_flushes")
dd if=/dev/zero of=/dev/pmem0 bs=4k count=1 conv=fsync 2>/dev/null
[ "$(cat "$device/whole_flushes")" -gt "$before" ] || fail "fsync of the disk sent no flush"
