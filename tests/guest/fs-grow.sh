#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
# fs-grow.sh - a mounted file system becomes larger
. "${TESTS_DIR:-/tests}/fs-lib.sh"

mib() {
	echo $(($(stat -f -c %b "$MNT") / 256))
}

cd /
umount "$MNT"
check "mkfs uses a part of the disk" mkfs.vmemfs -q -f -s 48M -L fs-test "$DEV"
mount_fs
cd "$MNT" || exit 1

dd if=/dev/urandom of=/tmp/data bs=64k count=16 2>/dev/null
cp /tmp/data old

# Until /tmp/stop is there; says whether all went well.
load() {
	until [ -e /tmp/stop ]; do
		dd if=/tmp/data of=load bs=64k conv=fsync 2>/dev/null && cmp /tmp/data load &&
			mv load new || exit 1
		touch /tmp/loads
	done
}

grows_in_use() {
	(load) &
	pid=$!
	while [ ! -e /tmp/loads ]; do sleep 0.1; done
	for size in 56M 64M 80M; do
		resize.vmemfs "$MNT" $size
		same "$(mib)" ${size%M}
		rm /tmp/loads
		while [ ! -e /tmp/loads ] && kill -0 $pid; do sleep 0.1; done
	done
	touch /tmp/stop
	wait $pid
	cmp /tmp/data old
	cmp /tmp/data new
}
check "it grows while it is written to" grows_in_use

by_device() {
	resize.vmemfs "$DEV" >/tmp/out
	same "$(mib)" $(($(blockdev --getsize64 "$DEV") >> 20))
	grep -q ', was 80 MiB' /tmp/out
}
check "named by its device, it grows to all of that" by_device

new_part() {
	cd "$MNT"
	fsprobe fill big 0 75000000 1
	cd /
	remount_fresh
	cd "$MNT"
	fsprobe verify big 0 75000000 1
	rm big
}
cd /
check "what is written to the new part is there after a remount" new_part
cd "$MNT" || exit 1

refused() {
	expect_fail resize.vmemfs "$MNT" 40M
	expect_fail resize.vmemfs "$MNT" 1T
	expect_fail resize.vmemfs -M "$DEV"
	expect_fail resize.vmemfs /tmp
	mount -o remount,ro "$MNT"
	expect_fail resize.vmemfs "$MNT"
	mount -o remount,rw "$MNT"
}
check "what is impossible is refused" refused
finish
