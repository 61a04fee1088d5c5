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

# Disks are made in the background.
wait_disk() {
	cat /sys/bus/nd/devices/ndbus*/wait_probe >/dev/null
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
	wait_disk "after unbind and bind"
done
round remove_pci
echo 1 >/sys/bus/pci/rescan
wait_disk "after the rescan"

# The module cannot go while there is a disk, and can when there is none.
if rmmod vmemstore 2>/dev/null; then fail "unloaded under a disk"; fi
unbind
rmmod vmemstore
insmod /modules/vmemstore.ko
wait_disk "after reloading the module"
