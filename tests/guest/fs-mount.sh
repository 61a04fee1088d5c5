#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
# fs-mount.sh - mount options, remount, read-only, sync, counters
. "${TESTS_DIR:-/tests}/fs-lib.sh"

shows_options() {
	grep -q " $MNT vmemfs rw,.*durability=$DURABILITY" /proc/mounts
}
check "/proc/mounts shows the durability" shows_options

bad_options() {
	mkdir -p /tmp/m2
	expect_fail mount -t vmemfs -o durability=maybe "$DEV" /tmp/m2
	expect_fail mount -t vmemfs -o nosuchoption "$DEV" /tmp/m2
	expect_fail mount -t vmemfs -o commit=100000 "$DEV" /tmp/m2
}
impossible_domain() {
	umount "$MNT"
	other=pmem
	[ "$DURABILITY" != pmem ] || other=host
	expect_fail mount -t vmemfs -o "durability=$other" "$DEV" "$MNT"
	dmesg | tail -n 30 | grep 'durability.* is not possible on this backing'
	mount_fs
}
check "unknown options and values are refused" bad_options
cd /
check "a durability that the disk cannot give is refused with a clear line" impossible_domain
cd "$MNT" || exit 1

not_memory() {
	dd if=/dev/zero of=/tmp/loop.img bs=1M count=4
	expect_fail mount -t vmemfs -o loop /tmp/loop.img /tmp/m2
}
check "a disk that is not memory is refused" not_memory

durability_stays() {
	other=host
	[ "$DURABILITY" = guest ] || other=guest
	expect_fail mount -o "remount,durability=$other" "$MNT"
	[ "$DURABILITY" = pmem ] || mount -o "remount,durability=$DURABILITY" "$MNT"
}
check "a remount cannot change the durability" durability_stays

remount_ro() {
	echo kept >kept
	mount -o remount,ro "$MNT"
	same "$(cat kept)" kept
	expect_fail touch new
	expect_fail sh -c 'echo x >>kept'
	mount -o remount,rw "$MNT"
	touch new
	rm new
}
check "remounting read-only and back works" remount_ro

ro_mount() {
	umount "$MNT"
	mount -t vmemfs -o ro "$DEV" "$MNT"
	same "$(cat "$MNT/kept")" kept
	expect_fail touch "$MNT/new"
	expect_fail rm "$MNT/kept"
	cat "$MNT/kept"
	umount "$MNT"
}
ro_changes_nothing() {
	if is_mounted; then
		umount "$MNT"
	fi
	before=$(md5sum <"$DEV")
	mount -t vmemfs -o ro "$DEV" "$MNT"
	cat "$MNT/kept"
	ls -lR "$MNT"
	umount "$MNT"
	same "$(md5sum <"$DEV")" "$before"
}
cd /
check "a read-only mount reads and refuses every change" ro_mount
check "a read-only mount of a clean image changes no byte of it" ro_changes_nothing
# A commit in the background would be counted with what is looked at now.
mount_fs commit=0
cd "$MNT" || exit 1

sync_flushes() {
	[ "$DURABILITY" = host ] || return 0
	echo x >sf
	before=$(counter flushes)
	sync
	[ "$(counter flushes)" -gt "$before" ]
	before=$(counter flushes)
	sync
	same "$(counter flushes)" "$before"
}
check "sync flushes what changed, and nothing when nothing did" sync_flushes

fsync_ranges() {
	[ "$DURABILITY" = host ] || return 0
	fsprobe fill fr 0 65536 1
	sync
	flushes=$(counter flushes)
	bytes=$(counter flush_bytes)
	fsprobe overwrite-fsync fr 8192 4096
	same $(($(counter flushes) - flushes)) 1
	[ $(($(counter flush_bytes) - bytes)) -le 8192 ]
	flushes=$(counter flushes)
	fsprobe fdatasync fr
	same "$(counter flushes)" "$flushes"
}
check "fsync of an overwritten block is one flush of that block; of nothing, none" fsync_ranges

append_fsync() {
	[ "$DURABILITY" = host ] || return 0
	fsprobe append-fsync ap 512 20
	flushes=$(counter flushes)
	carried=$(counter carried)
	fsprobe append-fsync ap 512 100
	echo "flushes: $(($(counter flushes) - flushes)), carried: $(($(counter carried) - carried))"
	[ $(($(counter flushes) - flushes)) -le 110 ]
	[ $(($(counter carried) - carried)) -ge 90 ]
}
check "a small append with fsync takes about one flush, the data riding in the log" append_fsync

no_flush() {
	[ "$DURABILITY" != host ] || return 0
	before=$(counter flushes)
	fsprobe append-fsync ng 512 50
	mkdir ngd
	fsprobe fsync ngd
	sync
	same "$(counter flushes)" "$before"
}
check "nothing is flushed while mounted in the domains guest and pmem" no_flush

committed_since() {
	[ "$(counter commits)" -gt "$1" ]
}

background_commit() {
	[ "$DURABILITY" = host ] || return 0
	mount -o remount,commit=1 "$MNT"
	grep -q 'commit=1' /proc/mounts
	before=$(counter commits)
	echo x >bc
	wait_until committed_since "$before"
	sync
	before=$(counter flushes)
	sleep 3
	same "$(counter flushes)" "$before"
}
check "changes are committed in the background, an idle mount does nothing" background_commit

freeze() {
	fsprobe freeze "$MNT"
}
check "the file system freezes and thaws" freeze

log_wraps() {
	before=$(counter checkpoints)
	records=$(counter records)
	i=0
	mkdir lw
	while [ $i -lt 40 ]; do
		fsprobe create-many lw 200
		rm -r lw
		mkdir lw
		i=$((i + 1))
	done
	rmdir lw
	[ "$(counter records)" -gt $((records + 10000)) ]
	[ "$(counter checkpoints)" -gt "$before" ]
}
check "the log goes round: thousands of records pass through checkpoints" log_wraps

mount_busy() {
	expect_fail umount "$MNT"
}
check "a mount in use cannot be unmounted" mount_busy

remounts() {
	i=0
	while [ $i -lt 15 ]; do
		remount_fresh
		echo $i >>"$MNT/count"
		i=$((i + 1))
	done
	same "$(wc -l <"$MNT/count")" 15
}
cd /
check "15 remounts lose nothing" remounts
cd "$MNT" || exit 1

damaged() {
	umount "$MNT"
	dd if="$DEV" of=/tmp/sb bs=4096 count=1
	dd if=/dev/urandom of="$DEV" bs=4096 count=1
	expect_fail mount_fs
	dmesg | tail -n 30 | grep 'vmemfs (.*): no vmemfs found'
	dd if=/tmp/sb of="$DEV" bs=4096 count=1
	printf 'X' | dd of="$DEV" bs=1 seek=60 conv=notrunc
	expect_fail mount_fs
	dmesg | tail -n 30 | grep 'vmemfs (.*): the superblock is damaged'
	dd if=/tmp/sb of="$DEV" bs=4096 count=1
	dmesg -c >/dev/null
	mount_fs
	same "$(cat "$MNT/kept")" kept
}
ends_with() { # status, command
	want=$1
	shift
	got=0
	"$@" >/tmp/out 2>&1 || got=$?
	cat /tmp/out
	same $got "$want"
}

# Group 0's count of free blocks, which loses nothing when it is set right.
wrong_count() {
	printf '\377\377' | dd of="$DEV" bs=1 seek=16384 conv=notrunc
}

# As e2fsck(8) does with a root that is mounted read-only at boot.
ro_fsck() {
	mkdir -p "$MNT/tests" "$MNT/proc" "$MNT/dev"
	cp /tests/fsck.vmemfs "$MNT/tests/"
	cp -a "$DEV" "$MNT/dev/"
	ends_with 8 fsck.vmemfs -n "$DEV"
	ends_with 8 fsck.vmemfs -p "$DEV"
	grep "is mounted on $MNT: unmount it first" /tmp/out
	mount -o remount,ro "$MNT"
	ends_with 0 fsck.vmemfs -n "$DEV"
	ends_with 0 fsck.vmemfs -p "$DEV"
	ends_with 0 fsck.vmemfs -pf "$DEV"
	mount -o remount,rw "$MNT"
	mount -o remount,ro "$MNT"
	wrong_count
	ends_with 4 fsck.vmemfs -n "$DEV"
	ends_with 1 fsck.vmemfs -pf "$DEV"
	grep 'unmount it and mount it again' /tmp/out
	expect_fail mount -o remount,rw "$MNT"
	dmesg | tail -n 30 | grep 'vmemfs (.*): the store was changed since it was mounted'
	umount "$MNT"
	mount_fs
	mount --bind /proc "$MNT/proc"
	mount -o remount,ro "$MNT"
	wrong_count
	ends_with 3 chroot "$MNT" /tests/fsck.vmemfs -pf "/dev/${DEV##*/}"
	grep REBOOT /tmp/out
	umount "$MNT/proc" "$MNT"
	ends_with 0 fsck.vmemfs -n "$DEV"
	dmesg -c >/dev/null
	mount_fs
}
cd /
check "what is mounted read-only is checked and repaired, and mounted anew before it is written to" ro_fsck
check "a foreign or damaged superblock is refused with a clear line" damaged
is_mounted || mount_fs
cd "$MNT" || exit 1

rm -rf ./*
finish
