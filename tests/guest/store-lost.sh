#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# Stores whose pages the host cannot provide: /dev/pmem0 lies in a file that
# tests/store-test.sh truncates at "ready", /dev/pmem1 on a disk with a sector that
# cannot be read.  Both hold /large, which covers that place, and /small.
. /tests/store-lib.sh

# mounted DISK DIR: without commits in the background, one of which could be the first to
# be told
mounted() {
	mkdir -p "$2"
	mount -t vmemfs -o commit=0 "/dev/$1" "$2"
	same "$(md5sum <"$2/small")" "$(seq 1 20000 | md5sum)"
	echo before >"$2/new"
	sync
	same "$(store_attr "$1" failed)" 0
}

# The loads themselves cannot fail; whoever has read is told by the device.
noticed() {
	tries=0
	until [ "$(store_attr "$1" failed)" = 1 ]; do
		[ $tries -lt 2000 ]
		cat "$2/large" >/dev/null || :
		tries=$((tries + 1))
		sleep 0.1
	done
}

fails() {
	expect_fail dd if=/dev/zero of="$2/new" bs=4k count=1 conv=notrunc,fsync 2>/tmp/fails.err
	grep -i "input/output error\|read-only file system" /tmp/fails.err
	expect_fail touch "$2/another"
	wait_until grep "^/dev/$1 $2 vmemfs ro," /proc/mounts
	expect_fail mount -o remount,rw "$2"
	dmesg | grep "vmemfs ($1): .*check the host's disk"
	dmesg | grep "vmemstore .*: the host could not read or write back a page"
}

reads_on() {
	same "$(md5sum <"$2/small")" "$(seq 1 20000 | md5sum)"
	umount "$2"
}

check "a store is mounted whose file will be truncated" mounted pmem0 /cut
echo "ready"
check "the guest is told of pages behind the file's end, and lives" noticed pmem0 /cut
check "from then on changes fail" fails pmem0 /cut
check "what is there can be read, and the file system unmounted" reads_on pmem0 /cut
check "a store is mounted whose disk has a bad sector" mounted pmem1 /bad
check "the guest is told of a page that cannot be read, and lives" noticed pmem1 /bad
check "changes fail after that, too" fails pmem1 /bad
check "what can be read is read there, too" reads_on pmem1 /bad
finish
