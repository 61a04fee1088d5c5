#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# A mount works after suspend to RAM, although commits were under way: each of the
# host's flushes takes seconds (driver-test.sh, which wakes us, too).
set -eu

mkdir -p /mnt
mount -t vmemfs -o commit=1 /dev/pmem0 /mnt

write_all_the_time() {
	i=0
	while [ ! -e /tmp/end ]; do
		i=$((i + 1))
		echo $i >/mnt/file$((i % 50))
		sleep 0.02
	done
}

write_all_the_time &
for round in 1 2 3; do
	sleep 3.$round
	echo mem >/sys/power/state
done
: >/tmp/end
wait

echo last >/mnt/last
sync
[ "$(cat /sys/bus/virtio/drivers/vmemstore/virtio*/flush_errors)" -eq 0 ]
grep -q ' /mnt vmemfs rw,' /proc/mounts
! dmesg | grep -E 'vmem.*(flush failed|read-only)' || exit 1
umount /mnt
mount -t vmemfs /dev/pmem0 /mnt
[ "$(cat /mnt/last)" = last ]
umount /mnt
