#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
# fs-pins.sh - files that are held when they should go: by pipes, by a frozen mount
. "${TESTS_DIR:-/tests}/fs-lib.sh"

unlinked() {
	fsprobe pinned-unlink held filler 1
	fsprobe pinned-unlink held filler 0
}
check "blocks of an unlinked file are not used anew while a pipe holds its pages" unlinked

truncated() {
	rm -f filler
	fsprobe pinned-truncate held filler
}
check "nor those that a truncation cuts off" truncated

punched() {
	rm -f filler held
	fsprobe pinned-punch held filler
}
check "nor those that a hole, or a collapse, takes" punched

# The pipe outlives the program that filled it, and is emptied during the unmount.
unmounted() {
	rm -f /tmp/held "$MNT/filler"
	mkfifo /tmp/held
	fsprobe pinned-pipe "$MNT/$1" >/tmp/held &
	exec 8</tmp/held
	wait $!
	[ "$2" = keep ] || rm "$MNT/$1"
	(sleep 2 && cat <&8 >/tmp/held.out) &
	exec 8<&-
	umount "$MNT"
	wait
	[ "$(wc -c </tmp/held.out)" -eq 32768 ]
	fsck_is_clean
	mount_fs
}
cd /
check "an unmount waits for a pipe that holds pages of an unlinked file" unmounted gone remove
check "and of one that stays" unmounted stays keep
is_mounted || mount_fs
cd "$MNT" || exit 1
rm -f stays

frozen() {
	rm -f filler
	fsprobe frozen-unlinked "$MNT" "/sys/fs/vmemfs/${DEV##*/}/records"
}
check "closing unlinked files in a frozen mount changes nothing, and they are freed later" frozen

# Reading moves atime; forgetting the inodes then takes no record and no flush.
forgotten() {
	mkdir many
	fsprobe create-many many 200
	mount -o remount,strictatime "$MNT"
	sync
	sleep 1
	cat many/* >/dev/null
	fsprobe fsync many
	stat -c %X many/f7 >/tmp/atime.before
	records=$(counter records)
	flushes=$(counter flushes)
	echo 2 >/proc/sys/vm/drop_caches
	same "$(counter records)" "$records"
	same "$(counter flushes)" "$flushes"
	same "$(stat -c %X many/f7)" "$(cat /tmp/atime.before)"
}
cd /
remount_fresh commit=0
cd "$MNT" || exit 1
[ "$DURABILITY" != host ] ||
	check "forgetting inodes that have only been read takes no record and no flush" forgotten

rm -rf ./*
finish
