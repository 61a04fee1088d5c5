#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# Taking the device away while flushes are in flight neither hangs nor crashes,
# and it works again afterwards.
set -eu

driver=/sys/bus/virtio/drivers/vmemstore

fail() {
	echo "$*"
	exit 1
}

# Through a node of our own: dd would make a plain file of one that went away.
flush_forever() {
	while dd if=/dev/zero of=/tmp/disk bs=4k count=1 conv=fsync 2>/dev/null; do :; done
}

round() {
	numbers=$(cat /sys/block/pmem0/dev)
	mknod /tmp/disk b "${numbers%:*}" "${numbers#*:}"
	for _ in 1 2 3 4; do flush_forever & done
	sleep 0.3
	"$@"
	[ ! -e /sys/block/pmem0 ] || fail "the disk is still there"
	wait
	rm /tmp/disk
}

expect_disk() {
	[ -b /dev/pmem0 ] || fail "no disk $1"
}

unbind() {
	name=$(basename $driver/virtio*)
	echo "$name" >$driver/unbind
}

remove_pci() {
	pci=$(dirname "$(readlink -f $driver/virtio*)")
	echo 1 >"$pci/remove"
}

for _ in 1 2 3; do
	round unbind
	echo "$name" >$driver/bind
	expect_disk "after unbind and bind"
done
round remove_pci
echo 1 >/sys/bus/pci/rescan
expect_disk "after the rescan"

# The memory of a disk that is open stays until it is closed, and then it is free
# for the next.
exec 3</dev/pmem0
unbind
if (echo "$name" >$driver/bind) 2>/dev/null; then fail "two disks have the same memory"; fi
dd bs=1M count=1 <&3 >/dev/null 2>&1 || :
if rmmod vmemstore 2>/dev/null; then fail "unloaded under an open disk"; fi
exec 3<&-
echo "$name" >$driver/bind
expect_disk "after the old one was closed"
rmmod vmemstore
insmod /modules/vmemstore.ko
expect_disk "after reloading the module"
