#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
# guest-ops.sh - run /ops on vmemfs in both durabilities, and on a peer
set -eu

run() {
	echo "run $1"
	/ops /mnt "$2"
	umount /mnt
}

# No commit in the background: it would be counted with whatever runs then.
mount -t vmemfs -o durability=host,commit=0 /dev/pmem0 /mnt
run "vmemfs host" "$COUNT"
mount -t vmemfs -o durability=guest,commit=0 /dev/pmem1 /mnt
run "vmemfs guest" "$COUNT"
if [ -b /dev/pmem2 ]; then
	mount -t ext4 -o dax,commit=3600 /dev/pmem2 /mnt
	rm -rf /mnt/lost+found
	run "ext4-dax virtio-pmem" "$COUNT"
fi
