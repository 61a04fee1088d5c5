#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
# fs-space.sh - statfs, a full store, space given back
. "${TESTS_DIR:-/tests}/fs-lib.sh"

free_blocks() {
	stat -f -c %f .
}

# Freed blocks count as free at once; sync makes them usable.
statfs_fields() {
	same "$(stat -f -c %s .)" 4096
	same "$(stat -f -c %l .)" 255
	[ "$(stat -f -c %b .)" -gt 1000 ]
	[ "$(stat -f -c %f .)" -gt 1000 ]
	[ "$(stat -f -c %d .)" -gt 100 ]
	[ "$(stat -f -c %a .)" -le "$(stat -f -c %f .)" ]
}
check "statfs tells size and free space" statfs_fields

space_back() {
	before=$(free_blocks)
	fsprobe fill s 0 5000000 1
	[ $((before - $(free_blocks))) -ge 1220 ]
	rm s
	same "$(free_blocks)" "$before"
}
check "unlink gives all blocks of a file back" space_back

inodes_back() {
	before=$(stat -f -c %d .)
	touch i1 i2 i3
	same "$(stat -f -c %d .)" $((before - 3))
	rm i1 i2 i3
	same "$(stat -f -c %d .)" "$before"
}
check "unlink gives the inodes back" inodes_back

open_keeps() {
	fsprobe unlinked-space held 4000000
}
check "an unlinked file keeps its blocks until it is closed" open_keeps

before_full=$(free_blocks)
fill_up() {
	mkdir full
	fsprobe fill-until-full full
	echo "free blocks: $(free_blocks)"
	[ "$(stat -f -c %a .)" -le 64 ]
}
check "a write into a full store gives ENOSPC" fill_up

still_reads() {
	fsprobe verify-full full
}
check "a full store still holds all that was acknowledged" still_reads

full_ops() {
	expect_fail dd if=/dev/zero of=full/more bs=1M count=4
	rm -f full/more
	chmod 700 full
	mv full renamed
	mv renamed full
	ls full
	fsprobe truncate full/f0 1000
}
check "a full store can be listed, renamed in and truncated" full_ops

mmap_full() {
	fsprobe mmap-full full/hole
}
check "a store into a hole of a full store gives SIGBUS, not a dead kernel" mmap_full

remount_full() {
	remount_fresh
	cd "$MNT"
	fsprobe verify-full full
}
cd /
check "a full store mounts again with its contents" remount_full
cd "$MNT" || exit 1

empty_again() {
	rm -r full
	sync
	same "$(free_blocks)" "$before_full"
	fsprobe fill again 0 3000000 2
	fsprobe verify again 0 3000000 2
	rm again
}
check "after unlink the space is there again and usable" empty_again

churn() {
	i=0
	size=$(($(free_blocks) * 4096 * 6 / 10))
	while [ $i -lt 3 ]; do
		fsprobe fill churn 0 $size $i
		fsprobe verify churn 0 $size $i
		rm churn
		i=$((i + 1))
	done
}
check "large files can be written and removed again and again without sync" churn

allocated() {
	mkdir al
	fsprobe allocated-when-full in-advance al
	rm -r al in-advance
	sync
	same "$(free_blocks)" "$before_full"
}
check "blocks in advance can be written and stored to when the store is full" allocated

too_much() {
	before=$(free_blocks)
	expect_fail fsprobe fallocate much 0 0 $(((before + 100) * 4096))
	same "$(free_blocks)" "$before"
	rm much
}
check "more in advance than there is: ENOSPC, and no block is held" too_much

loop_trims() {
	fsprobe fill disk 0 $((16 << 20)) 5
	losetup /dev/loop0 disk
	before=$(free_blocks)
	blkdiscard -o $((4 << 20)) -l $((8 << 20)) /dev/loop0
	after=$(free_blocks)
	losetup -d /dev/loop0
	same $((after - before)) 2048
	fsprobe verify disk 0 $((4 << 20)) 5
	fsprobe zeros disk $((4 << 20)) $((8 << 20))
	rm disk
}
check "a loop device on a file gives back what is discarded" loop_trims

inodes_out() {
	mkdir in
	fsprobe create-until-full in
	expect_fail touch in/more
	rm -r in
	touch after
	rm after
}
check "running out of inodes gives ENOSPC and nothing worse" inodes_out

finish
