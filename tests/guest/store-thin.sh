#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# A thin store on a host disk that is too small for it; tests/store-test.sh fills
# the disk up at "ready", and makes room at "full".
. /tests/store-lib.sh

disk=pmem0
dev=/dev/$disk

# write FILE N: N times 64 KiB that no host can compress
write() {
	dd if=/dev/urandom of="$1" bs=64k count="$2"
}

is_thin() {
	same "$(store_attr $disk thin)" 1
	mount -t vmemfs $dev /mnt
	seq 1 200000 >/mnt/first
	cp /mnt/first /mnt/second
	sync
}
check "a thin store is mounted and used" is_thin
echo "ready"

# The host's disk is full before the file system is.
fill() {
	i=0
	while write "/mnt/fill$i" 16 2>/tmp/fill.err; do
		[ $i -lt 400 ] || { echo "the host never got full" && return 1; }
		i=$((i + 1))
	done
	grep -i "no space left on device" /tmp/fill.err
	[ "$(df -k /mnt | awk 'END { print $4 }')" -gt 100000 ]
	dmesg | grep "vmemfs ($disk): the host's disk is full"
}
check "a full host disk is ENOSPC for the application" fill

nothing_lost() {
	same "$(md5sum </mnt/first)" "$(seq 1 200000 | md5sum)"
	dd if=/dev/zero of=/mnt/second bs=4k count=16 conv=notrunc,fsync
	sync
	same "$(store_attr $disk failed)" 0
	same "$(store_attr $disk flush_errors)" 0
	umount /mnt
	mount -t vmemfs $dev /mnt
	same "$(md5sum </mnt/first)" "$(seq 1 200000 | md5sum)"
}
check "nothing is lost, and what is there can be changed and synced" nothing_lost

reuse() {
	rm /mnt/second
	sync
	write /mnt/instead 16
	sync
}
check "space that the guest frees is used again" reuse
echo "full"

resumes() {
	tries=0
	until write /mnt/later 128; do
		tries=$((tries + 1))
		[ $tries -lt 1000 ]
		sleep 0.3
	done
	sync
	dmesg | grep "vmemfs ($disk): the host's disk has room again"
}
check "work resumes when space comes back" resumes

trim() {
	rm /mnt/fill* /mnt/later
	sync
	before=$(cat /sys/fs/vmemfs/$disk/discarded_blocks)
	# fstrim --all and its timer look at this first.
	[ "$(cat /sys/block/$disk/queue/discard_granularity)" -gt 0 ]
	fstrim /mnt
	[ "$(cat /sys/fs/vmemfs/$disk/discarded_blocks)" -gt $((before + 1000)) ]
	same "$(md5sum </mnt/first)" "$(seq 1 200000 | md5sum)"
}
check "fstrim gives free blocks back" trim

discard() {
	mount -o remount,discard /mnt
	grep " /mnt vmemfs .*discard" /proc/mounts
	write /mnt/large 300
	sync
	# The next checkpoint gives them back; freezing makes one, if none came before.
	before=$(cat /sys/fs/vmemfs/$disk/discarded_blocks)
	rm /mnt/large
	sync
	fsfreeze --freeze /mnt
	fsfreeze --unfreeze /mnt
	[ "$(cat /sys/fs/vmemfs/$disk/discarded_blocks)" -ge $((before + 4000)) ]
	same "$(md5sum </mnt/first)" "$(seq 1 200000 | md5sum)"
}
check "with the mount option discard they go back by themselves" discard

steady() {
	before=$(store_attr $disk provisions)
	for i in 1 2 3 4 5 6 7 8; do
		echo "$i" >"/mnt/small$i"
		sync
	done
	# A chunk or two may be new.
	[ "$(store_attr $disk provisions)" -le $((before + 2)) ]
	umount /mnt
}
check "ordinary work asks for no more room" steady
finish
