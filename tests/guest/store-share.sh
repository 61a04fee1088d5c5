#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# One file is behind two disks: one read-only, one copy-on-write.
. /tests/store-lib.sh

ro=$(disk_with readonly 1)
cow=$(disk_with cow 1)
mkdir /ro /cow

obeys_readonly() {
	same "$(cat "/sys/block/$ro/ro")" 1
	mount -t vmemfs "/dev/$ro" /ro
	grep -q "^/dev/$ro /ro vmemfs ro," /proc/mounts
	dmesg | grep "vmemfs ($ro): the disk is read-only, and so is the mount: its device has readonly=on"
	same "$(md5sum </ro/file)" "$(seq 1 20000 | md5sum)"
	expect_fail touch /ro/new
	expect_fail mount -o remount,rw /ro
	umount /ro
}
check "a read-only device is mounted read-only, with the reason" obeys_readonly

# What root can do to a disk that is read-only.
overruled() {
	before=$(dd if="/dev/$ro" bs=1M count=4 2>/dev/null | md5sum)
	blockdev --setrw "/dev/$ro" || :
	same "$(cat "/sys/block/$ro/ro")" 1
	dd if=/dev/urandom of="/dev/$ro" bs=1M count=4 conv=fsync || :
	echo 3 >/proc/sys/vm/drop_caches
	same "$(dd if="/dev/$ro" bs=1M count=4 2>/dev/null | md5sum)" "$before"
}
check "a guest that wants to overrule its own disk changes nothing" overruled

obeys_cow() {
	same "$(store_attr "$cow" backing)" volatile
	expect_fail mount -t vmemfs -o durability=host "/dev/$cow" /cow
	mount -t vmemfs "/dev/$cow" /cow
	grep -q "^/dev/$cow /cow vmemfs rw,.*durability=guest" /proc/mounts
	dmesg | grep "vmemfs ($cow): the store is copy-on-write (cow=on): changes are lost when the VM ends"
}
check "a copy-on-write device is volatile, and vmemfs says so" obeys_cow

copies() {
	seq 1 30000 >/cow/file
	seq 1 50000 >/cow/new
	sync
	umount /cow
	mount -t vmemfs "/dev/$cow" /cow
	same "$(md5sum </cow/file)" "$(seq 1 30000 | md5sum)"
	same "$(md5sum </cow/new)" "$(seq 1 50000 | md5sum)"
}
check "changes to it are kept while the VM runs" copies

apart() {
	mount -t vmemfs "/dev/$ro" /ro
	same "$(md5sum </ro/file)" "$(seq 1 20000 | md5sum)"
	[ ! -e /ro/new ]
}
check "and the neighbour does not see them" apart
finish
