#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# Stores mounted with durability=guest, on a host that loses their pages.
# tests/losses-test.sh breaks the hosts of the first three at "ready", kills the VM at
# "noticed" or "ready", and boots another with STEP=check.
. /tests/store-lib.sh

failing="pmem0 pmem1 pmem2"

if [ "$STEP" = use ]; then
	for disk in $failing pmem3 pmem4; do
		mkdir -p "/$disk"
		mount -t vmemfs -o durability=guest,commit=0 "/dev/$disk" "/$disk" || exit 1
		mkdir "/$disk/dir"
		for file in $(seq 50); do seq 300 >"/$disk/dir/$file"; done
	done
	echo ready
	for disk in $failing; do
		# With durability=guest the file system itself asks for no flush.
		until [ "$(store_attr "$disk" failed)" = 1 ]; do
			dd if=/dev/null of="/dev/$disk" conv=notrunc,fsync 2>/dev/null || :
			sleep 0.1
		done
	done
	echo noticed
	# Until the VM is killed.
	sleep 600
	exit 1
fi

# The root directory may be among what was lost, but nobody looks at it.
demands_check() {
	mkdir -p "/$1"
	expect_fail mount -t vmemfs "/dev/$1" "/$1"
	dmesg | grep "vmemfs ($1): .*the host failed .*durability=guest: run fsck.vmemfs -p"
}

is_whole() {
	mkdir -p "/$1"
	mount -t vmemfs "/dev/$1" "/$1"
	for file in $(seq 50); do same "$(md5sum <"/$1/dir/$file")" "$(seq 300 | md5sum)"; done
	umount "/$1"
}

check "ext4 shut down under the VM: the next mount demands a check" demands_check pmem0
check "the FUSE server died under it: the next mount demands a check" demands_check pmem1
check "a block device failed under it: the next mount demands a check" demands_check pmem2
check "xfs shut down when the VM was killed: the next mount demands a check" demands_check pmem3
check "a host that stays: the next mount after a killed VM has everything" is_whole pmem4
finish
