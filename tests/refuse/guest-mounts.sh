#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# guest-mounts.sh - try to mount each image; one TAP line per case
#
# /cases has lines "SLOT KIND IMAGE|PATTERN|SENTENCE": the PCI slot of the
# store, what must happen (a function below), and a pattern for the one line
# that the kernel prints.  /sums-host and /sums-guest are what was durable.
# Functions are called by the names of kinds.
# shellcheck disable=SC2317
set -u

failed=0
number=0

# Print why and fail.
no() {
	echo "$*"
	return 1
}

disk_at() {
	for block in /sys/block/pmem*; do
		case $(readlink -f "$block") in
		*"/0000:00:$1.0/"*) echo "/dev/${block##*/}" ;;
		esac
	done
}

# The kernel said one line since dmesg -c, and it fits.  An ordinary line that
# the file system was mounted does not count, nor do the kernel's own lines on
# its clocks, which come seconds after the boot.
one_line() {
	dmesg -c | grep -v "mounted, label '[^']*', durability=[a-z]*\$" |
		grep -Eiv '^[^a-z]*(tsc|clocksource|sched_clock|hrtimer|random|perf|input|unstable clock)[: ]' >/tmp/said
	lines=$(grep -c . /tmp/said)
	[ "$lines" -eq 1 ] || no "$lines lines in the kernel log:" "$(cat /tmp/said)" || return 1
	grep -Eq "vmemfs \(${disk#/dev/}\): .*($pattern)" /tmp/said ||
		no "no '$pattern' in:" "$(cat /tmp/said)"
}

mounts() {
	mount -t vmemfs "$disk" /mnt 2>/tmp/mount || no "not mounted:" "$(cat /tmp/mount; dmesg)"
}

unmounts() {
	umount /mnt || no "not unmounted"
}

# ---- Kinds ----

refused() {
	! mounts >/dev/null || no "it was mounted" || return 1
	one_line
}

# Not before the log was started anew, so the image changes.
refused_late() {
	refused
}

# The mount is read-only and stays so.
changes_nothing() {
	grep -q " /mnt vmemfs ro," /proc/mounts || no "not read-only" || return 1
	cat /mnt/dir/file >/dev/null || no "a file cannot be read" || return 1
	for attempt in "touch /mnt/new" "rm /mnt/file" "mkdir /mnt/new" "mv /mnt/file /mnt/new" \
		"chmod 600 /mnt/file" "truncate -s 1 /mnt/file" "ln /mnt/file /mnt/new"; do
		! $attempt 2>/tmp/err || no "not refused: $attempt" || return 1
		grep -q "Read-only file system" /tmp/err || no "$attempt: $(cat /tmp/err)" || return 1
	done
	! mount -o remount,rw /mnt 2>/dev/null || no "it became writable" || return 1
	unmounts
}

read_only() {
	mounts && one_line && changes_nothing
}

# mount(8) tries to mount it writable, which the VFS refuses, then read-only.
read_only_disk() {
	[ "$(cat "/sys/block/${disk#/dev/}/ro")" -eq 1 ] || no "the disk is writable" || return 1
	! dd if=/dev/zero of="$disk" bs=4k count=1 conv=fsync 2>/dev/null ||
		no "a write to the disk succeeded" || return 1
	mounts || return 1
	dmesg | grep -Eq "vmemfs \(${disk#/dev/}\): .*($pattern)" || no "no reason:" "$(dmesg)" || return 1
	changes_nothing
}

# The mount works; reading what is damaged is an error, not a crash.
damaged() {
	mounts || return 1
	dmesg -c >/dev/null
	# ls and find of busybox do not tell of an error in a directory.
	{
		find /mnt -type f -exec cat {} +
		ls -lR /mnt
		cat /mnt/dir/file
	} >/dev/null 2>/tmp/err
	grep -q "Structure needs cleaning" /tmp/err ||
		no "no EUCLEAN:" "$(cat /tmp/err)" || return 1
	one_line || return 1
	! touch /mnt/new 2>/tmp/err || no "still writable" || return 1
	unmounts
}

# Whatever happens, the kernel goes on: run-vm looks for warnings.
survived() {
	if mounts >/dev/null; then
		find /mnt -type f -exec cat {} + >/dev/null 2>&1
		ls -lR /mnt >/dev/null 2>&1
		mkdir /mnt/new 2>/dev/null
		dd if=/dev/zero of=/mnt/new/file bs=64k count=20 2>/dev/null
		rm -rf /mnt/dir /mnt/file /mnt/new 2>/dev/null
		sync
		unmounts || return 1
	fi
	dmesg -c | grep -E 'vmemfs.*: ' || no "the damage was not noticed"
}

all_there() {
	(cd /mnt && sha256sum -c "/sums-$1" >/tmp/sums 2>&1) ||
		no "lost or changed:" "$(grep -v ': OK' /tmp/sums | head -n 5)"
}

recovers() {
	mounts && one_line && all_there "$1" && unmounts || return 1
	fsck.vmemfs -n "$disk" >/tmp/fsck 2>&1 || no "fsck.vmemfs -n:" "$(cat /tmp/fsck)"
}

recovers_host() {
	recovers host
}

recovers_guest() {
	recovers guest
}

# Refused until fsck.vmemfs -p has looked at it.
needs_check() {
	refused || return 1
	fsck.vmemfs -p "$disk" >/tmp/fsck 2>&1
	[ $? -le 1 ] || no "fsck.vmemfs -p:" "$(cat /tmp/fsck)" || return 1
	mounts && all_there guest && unmounts
}

dmesg -c >/share/boot
while read -r slot kind rest; do
	number=$((number + 1))
	pattern=${rest#*|}
	sentence=${pattern#*|}
	pattern=${pattern%%|*}
	disk=$(disk_at "$slot")
	if [ -b "$disk" ] && $kind >/tmp/why 2>&1; then
		echo "ok $number - $sentence"
	else
		echo "not ok $number - $sentence"
		sed "s|^|# |" /tmp/why
		failed=1
	fi
	umount /mnt 2>/dev/null
	dmesg -c >>/share/boot
done </cases
exit $failed
