#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# A flush fails below vmemfs: the application gets EIO, the mount is seen to be
# read-only and stays so.  AGAIN=yes: the mount after that, on a sound host.
set -eu

fail() {
	echo "$*"
	dmesg | tail -n 20
	exit 1
}

mkdir -p /mnt
if [ "${AGAIN:-}" = yes ]; then
	mount -t vmemfs /dev/pmem0 /mnt || fail "cannot be mounted again"
	dmesg | grep -q "write-back was met earlier: run fsck.vmemfs" || fail "the mount says nothing"
	[ "$(cat /mnt/kept)" = kept ] || fail "what was synced is gone"
	echo new >/mnt/new
	/fsprobe syncfs /mnt/new || fail "cannot be written to"
	umount /mnt
	exit 0
fi

mount -t vmemfs /dev/pmem0 /mnt || fail "cannot be mounted"
echo kept >/mnt/kept
/fsprobe syncfs /mnt/kept || fail "the first sync failed"
exec 3>>/mnt/open
i=0
while dd if=/dev/zero of=/mnt/file bs=4k count=1 conv=fsync 2>/tmp/error; do
	i=$((i + 1))
	[ $i -lt 20 ] || fail "no flush failed"
done
grep -q "Input/output error" /tmp/error || fail "another error than EIO: $(cat /tmp/error)"
/fsprobe syncfs /mnt/kept 2>/dev/null && fail "syncfs succeeded"
/fsprobe fsync /mnt/kept 2>/dev/null && fail "a later fsync succeeded"
if echo more 1>&3 2>/dev/null; then
	fail "an open file can still be written to"
fi
i=0
until grep -q "^/dev/pmem0 /mnt vmemfs ro," /proc/mounts; do
	i=$((i + 1))
	[ $i -lt 200 ] || fail "the mount does not show as read-only: $(grep /mnt /proc/mounts)"
	sleep 1
done
echo x 2>/dev/null >/mnt/never && fail "a file could be made"
/fsprobe fsync /mnt/kept 2>/dev/null && fail "a much later fsync succeeded"
[ "$(cat /mnt/kept)" = kept ] || fail "cannot be read any more"
mount -o remount,rw /mnt 2>/dev/null && fail "could be made writable"
dmesg | grep -q "could not read or write back the store" || fail "the kernel log does not tell"
dmesg | grep -q "stays read-only after a failed write-back" || fail "the refusal is not explained"
exec 3>&-
umount /mnt || fail "cannot be unmounted"
