#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
# The guest's side of kill/run: check what the last cycle left, then work.

mkdir -p /mnt
if ! mount -t vmemfs -o durability="$MODE" /dev/pmem0 /mnt; then
	echo "FAILED: mount"
	exit 1
fi
dmesg | grep -q 'vmemfs.*recover' && echo "recovered"
mkdir -p /mnt/work
sync=
[ "$MODE" = guest ] || sync=fsync

if [ -n "$CHECK_SEED" ]; then
	ackload verify /mnt/work "$CHECK_SEED" "$CHECK_ACKED" 2>&1 || {
		echo "FAILED: verify"
		exit 1
	}
fi
echo "verified"
echo "<2>verified" >/dev/kmsg
ackload clean /mnt/work || exit 1
if [ -n "$STOP" ]; then
	umount /mnt
	exit
fi
sync
echo "started"
ackload run /mnt/work "$SEED" $sync
