#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
# vfs.sh - the same to ext4 -o dax (/dev/pmem1) and to vmemfs (/dev/pmem0)

. /tests/lib.sh
umask 022
mkdir -p /ext4 /vmemfs

on_ext4() {
	wait_until [ -b /dev/pmem1 ]
	mkfs.ext4 -q -F -b 4096 -L vfs-test /dev/pmem1
	mount -t ext4 -o dax /dev/pmem1 /ext4
	mkdir /ext4/probe
	vfsprobe /ext4/probe >/share/ext4
}
check "ext4 -o dax answers all questions" on_ext4

# on_vmemfs DURABILITY
on_vmemfs() {
	mount -t vmemfs -o "durability=$1" /dev/pmem0 /vmemfs
	mkdir "/vmemfs/$1"
	vfsprobe "/vmemfs/$1" >"/share/$1"
	umount /vmemfs
	fsck.vmemfs -n /dev/pmem0
}
for durability in host guest; do
	check "vmemfs answers all questions, durability=$durability" on_vmemfs $durability
done
echo "1..$tap_count"
[ $tap_failed -eq 0 ]
