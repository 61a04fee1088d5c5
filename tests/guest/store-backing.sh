#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# vmemfs on stores of every kind of backing; $EXPECT says which there are, in order.
. /tests/store-lib.sh

works() {
	disk=$1 backing=$2 durability=$3
	same "$(store_attr "$disk" backing)" "$backing"
	/tests/mkfs.vmemfs -q -f "/dev/$disk"
	mount -t vmemfs "/dev/$disk" /mnt
	grep "^/dev/$disk /mnt vmemfs .*durability=$durability" /proc/mounts
	seq 1 100000 >/mnt/file
	dd if=/mnt/file of=/mnt/copy bs=64k conv=fsync
	umount /mnt
	mount -t vmemfs "/dev/$disk" /mnt
	same "$(md5sum </mnt/file)" "$(seq 1 100000 | md5sum)"
	cmp /mnt/file /mnt/copy
	umount /mnt
	/tests/fsck.vmemfs -n "/dev/$disk"
	same "$(store_attr "$disk" flush_errors)" 0
}

number=0
for kind in $EXPECT; do
	case $kind in
	block | part | hugepages) check "vmemfs works on a store of the kind $kind" works "pmem$number" page-cache host ;;
	dax) check "vmemfs works on a store of the kind $kind" works "pmem$number" dax pmem ;;
	*) check "vmemfs works on a store of the kind $kind" works "pmem$number" volatile guest ;;
	esac
	number=$((number + 1))
done
finish
