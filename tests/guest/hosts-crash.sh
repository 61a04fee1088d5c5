#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
# hosts-crash.sh - the host's kernel dies; $STEP is store or check

. /tests/hosts-lib.sh

disks="vda:ext4 vdb:xfs vdc:btrfs"

make_disk() {
	case $2 in
	ext4) mkfs.ext4 -q -F "/dev/$1" ;;
	xfs) mkfs.xfs -q -f "/dev/$1" ;;
	btrfs) mkfs.btrfs -q -f "/dev/$1" ;;
	esac
}

for disk in $disks; do
	kind=${disk#*:}
	mkdir -p "/$kind"
	[ "$STEP" = check ] || make_disk "${disk%:*}" "$kind"
	mount -t "$kind" "/dev/${disk%:*}" "/$kind"
done

if [ "$STEP" = store ]; then
	# What nobody flushes stays in memory, however long the rest takes.
	echo 0 >/proc/sys/vm/dirty_writeback_centisecs
	echo 360000 >/proc/sys/vm/dirty_expire_centisecs
	for disk in $disks; do
		kind=${disk#*:}
		truncate -s 8M "/$kind/disk.img"
		accepts "file=/$kind/disk.img" >/dev/null
	done
	sync
	for disk in $disks; do
		kind=${disk#*:}
		/tests/crash-test store "/$kind/disk.img" || exit 1
		echo "generation $kind $(/tests/generation-of "/$kind/disk.img")"
	done
	[ $tap_failed -eq 0 ] || exit 1
	echo "crashing"
	echo b >/proc/sysrq-trigger
	sleep 60
fi

is_new() {
	[ -n "$2" ] && [ "$2" != "$1" ]
}

for disk in $disks; do
	kind=${disk#*:}
	was=$(eval "echo \$GENERATION_$kind")
	check "$kind: the store has another generation" is_new "$was" \
		"$(/tests/generation-of "/$kind/disk.img")"
	# btrfs writes all dirty pages of a file whichever are flushed.
	if [ "$kind" = btrfs ]; then
		check "$kind: what was flushed is there" /tests/crash-test check "/$kind/disk.img"
	else
		check "$kind: what was flushed is there, and not all of the rest" \
			/tests/crash-test check-loss "/$kind/disk.img"
	fi
	cat /tmp/check.out
done
finish
