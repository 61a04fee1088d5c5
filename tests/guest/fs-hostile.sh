#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# fs-hostile.sh - damaged images: errors, never a dead kernel
#
# Random bytes of a small file system are changed; then it is mounted, walked,
# written to and unmounted.  What comes of it does not matter, except that the
# kernel lives, and answers.  $HOSTILE_SEED starts the sequence: by default 1, and in the
# domain guest behind those of host.
. "${TESTS_DIR:-/tests}/fs-lib.sh"
rounds=${HOSTILE_ROUNDS:-$((60 / SLOW))}
seed=1
[ "$DURABILITY" != guest ] || seed=$((1 + rounds))
seed=${HOSTILE_SEED:-$seed}
saved=16	# MiB: all that the tree below uses

make_tree() {
	mkdir -p a/b/c many
	fsprobe create-many many 500
	fsprobe fill a/file 0 300000 1
	i=0
	while [ $i -lt 100 ]; do
		fsprobe pwrite a/frag $((i * 12288)) piece
		i=$((i + 1))
	done
	ln a/file a/b/link
	ln -s "$(printf '%01000d' 5)" a/long
	ln -s short a/sym
	mknod a/dev c 1 3
}

# use_it: whatever a user may do; errors are fine
use_it() {
	ls -laR "$MNT" >/dev/null
	find "$MNT" -type f -exec cat {} + >/dev/null
	stat -f "$MNT"
	readlink "$MNT/a/long"
	fsprobe seek "$MNT/a/frag" hole 0
	fsprobe mmap write "$MNT/a/file"
	echo x >>"$MNT/a/file"
	fsprobe fill "$MNT/new" 0 200000 1
	fsprobe fsync "$MNT/new"
	fsprobe truncate "$MNT/a/frag" 5000
	touch "$MNT/many/more"
	mkdir "$MNT/a/b/c/d"
	mv "$MNT/a/b" "$MNT/many/b"
	rm -rf "$MNT/many" "$MNT/a"
	sync
}

one_round() {
	dd if=/tmp/saved of="$DEV" bs=1M
	fsprobe flip "$DEV" "$1" $((saved << 20))
	if mount_fs; then
		use_it || :
		umount "$MNT"
	fi
}

survives() {
	dd if="$DEV" of=/tmp/saved bs=1M count=$saved
	round=0
	while [ $round -lt "$rounds" ]; do
		echo "seed $((seed + round))"
		one_round $((seed + round)) >/dev/null 2>&1
		round=$((round + 1))
	done
	dd if=/tmp/saved of="$DEV" bs=1M
}

# What is saved begins at the start of the disk: of a new file system that is all.
cd /
umount "$MNT"
mkfs.vmemfs -q -f -L fs-test "$DEV"
mount_fs
cd "$MNT" || exit 1
check "a tree is made" make_tree
cd /
umount "$MNT"
check "$rounds damaged images are mounted and used without harm to the kernel" survives
dmesg -c >/tmp/dmesg.hostile
cp /tmp/dmesg.hostile /share/dmesg.hostile
kernel_lives() {
	! kernel-faults /tmp/dmesg.hostile
}
check "the kernel log has no warning of the kernel's own" kernel_lives
mounts_again() {
	mount_fs
	fsprobe verify "$MNT/a/file" 0 300000 1
}
check "the undamaged image mounts again" mounts_again
cd "$MNT" || exit 1
rm -rf ./*
finish
