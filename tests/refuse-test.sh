#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# refuse-test.sh - damaged, foreign, read-only and crashed images
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/.." && pwd)
out=$top/build/refuse
tools=$top/build/tools
so=$top/build/vmemstore.so
. "$here/tap.sh"
why=$out/why

usage() {
	cat <<'HELP'
usage: tests/refuse-test.sh

Tests, and prints TAP:
- the device refuses what it cannot use, a second VM on one file among it;
- vmemfs refuses images that are foreign or damaged with one line, or gives
  EUCLEAN for what is damaged, and the guest kernel goes on;
- a read-only store is mounted read-only and not changed;
- images whose VM was killed, and copies of them, for which the host has
  failed, recover with all that was durable, or ask for a check.

Three guests are booted.  Logs are in build/refuse/.
HELP
}

die() {
	echo "refuse-test: $*" >&2
	exit 2
}

case ${1:-} in
"") ;;
-h | --help) usage && exit ;;
*) die "unknown argument $1: see --help" ;;
esac
for file in "$tools/mkfs.vmemfs" "$tools/fsck.vmemfs" "$so" "$top/build/modules/vmemfs.ko"; do
	[ -e "$file" ] || die "${file#"$top"/} is missing: run make first"
done

# ---- The device ----

# refused SENTENCE TEXT OPTIONS: QEMU ends with one line that has TEXT
refused() {
	status=0
	timeout 300 qemu-system-x86_64 -M q35 -m 64 -S -nodefaults -display none \
		-plugin "$so" -device "vmemstore,$3" >"$out/why" 2>&1 </dev/null || status=$?
	[ $status -eq 1 ] && [ "$(grep -c . "$out/why")" -eq 1 ] && grep -qF "$2" "$out/why" &&
		status=0 || status=1
	result $status "$1"
}

# The first VM's monitor answers when all devices are there, and the lock is taken.
test_two_vms() {
	rm -f "$out/monitor"
	mkfifo "$out/monitor"
	qemu-system-x86_64 -M q35 -m 64 -S -nodefaults -display none -plugin "$so" \
		-monitor stdio -device "vmemstore,file=$out/device.img" \
		<"$out/monitor" >"$out/first.log" 2>&1 &
	first=$!
	exec 9>"$out/monitor"
	echo "info status" >&9
	while ! grep -q 'VM status' "$out/first.log" && kill -0 $first; do
		sleep 0.1
	done
	refused "a second VM on the same file is refused with one line" \
		"is in use by another process" "file=$out/device.img"
	refused "even a reader is, while the first one may write" \
		"is in use by another process" "file=$out/device.img,readonly=on"
	kill $first
	exec 9>&-
	wait $first || :
}

test_device() {
	truncate -s 16M "$out/device.img"
	truncate -s 3000000 "$out/odd.img"
	test_two_vms
	refused "a file whose size is no multiple of 2 MiB is refused" \
		"must be a non-zero multiple of 2 MiB" "file=$out/odd.img"
	refused "a missing file without size= is refused" "give size= to create it" \
		"file=$out/missing.img"
	refused "a size= that is not that of the file is refused" "but size= says" \
		"file=$out/device.img,size=32M"
}

# ---- A session that is killed ----

run_session() {
	for name in host guest; do
		"$tools/mkfs.vmemfs" -q -s 64M "$out/$name.img"
	done
	cp "$out/host.img" "$out/worst.img"
	"$here/vm/run-vm" --modules "vmemstore vmemfs" --pidfile "$out/pid" \
		--log "$out/session.log" "$here/refuse/guest-session.sh" -- -plugin "$so" \
		-device "vmemstore,file=$out/host.img,x-trace-file=$out/trace" \
		-device "vmemstore,file=$out/guest.img" >"$out/session.out" 2>"$out/why" &
	runner=$!
	while kill -0 $runner 2>/dev/null && ! grep -q '^ready$' "$out/session.out"; do
		sleep 0.2
	done
	kill -9 "$(cat "$out/pid")" || :
	wait $runner || :
	for name in host guest; do
		sed -n "/^domain $name\$/,/^domain/s/^sum //p" "$out/session.out" >"$out/sums-$name"
	done
	status=0
	grep -q '^ready$' "$out/session.out" && [ "$(grep -c . "$out/sums-host")" -ge 40 ] || status=1
	result $status "a VM with two file systems is killed in the middle"
	# A copy is another file, whose page cache was never the VM's.
	cp "$out/host.img" "$out/host-copy.img"
	cp "$out/host.img" "$out/host-root.img"
	cp "$out/host.img" "$out/host-log.img"
	cp "$out/guest.img" "$out/guest-copy.img"
	python3 "$here/refuse/damage.py" worst "$out/worst.img" "$out/trace" "$out/host.img"
	python3 "$here/refuse/damage.py" newest_root "$out/host-root.img"
	python3 "$here/refuse/damage.py" log "$out/host-log.img"
}

# ---- Images to mount ----

make_images() {
	mkdir -p "$out/tree/dir"
	for i in 1 2 3 4 5 6 7 8; do
		echo "contents $i" >"$out/tree/dir/$i"
	done
	echo contents >"$out/tree/dir/file"
	head -c 100000 /dev/zero | tr '\0' x >"$out/tree/file"
	"$tools/mkfs.vmemfs" -q -s 16M -d "$out/tree" "$out/good.img"
	truncate -s 16M "$out/ext4.img"
	/sbin/mke2fs -q -F -t ext4 "$out/ext4.img"
}

# What each image is: kind of case, image, the kernel's line, sentence.
cases() {
	cat <<'CASES'
refused zeros|no vmemfs found|an empty disk is refused
refused noise|no vmemfs found|a disk of noise is refused
refused ext4|no vmemfs found|an ext4 is refused
refused truncated|it was truncated|a truncated image is refused
refused version|format version 9, this code knows 1|another version of the format is refused
refused incompat|unknown incompatible features 0x10000000000|unknown incompatible features are refused
read_only ro_compat|read-only|unknown read-only-compatible features make the mount read-only
refused superblock|the superblock is damaged|a damaged superblock is refused
refused geometry|the superblock contradicts itself|a superblock that contradicts itself is refused
refused roots|both root slots are damaged|two damaged roots are refused
refused_late root_inode|run fsck.vmemfs|a damaged inode of the root directory is refused
refused_late root_is_file|root directory|a root that is no directory is refused
survived descriptor||a damaged group descriptor is an error, not a crash
survived bitmaps||damaged bitmaps are an error, not a crash
damaged file_inode|inode .*run fsck.vmemfs|a damaged inode gives EUCLEAN and a read-only mount
damaged extent|inode .*run fsck.vmemfs|an extent outside the store gives EUCLEAN
damaged extent_in_log|inode .*run fsck.vmemfs|an extent inside the log gives EUCLEAN
damaged directory|inode .*run fsck.vmemfs|a damaged directory gives EUCLEAN
damaged directory_loop|inode .*run fsck.vmemfs|a directory with another one's blocks gives EUCLEAN
read_only_disk readonly|the disk is read-only|readonly=on: disk and mount are read-only, every change gives EROFS
recovers_host host|recovered from a failure of the guest|durability=host: a killed VM loses nothing that was fsynced
recovers_host host-copy|recovered from a failure of the host|durability=host: nor does a failed host
recovers_host worst|recovered from a failure of the host|durability=host: nor if only flushed ranges reached the disk
recovers_host host-root|recovered from a failure of the host|durability=host: nor if the newest root is torn
survived host-log||durability=host: a damaged log is no crash
recovers_guest guest|recovered from a failure of the guest|durability=guest: a killed VM loses nothing
needs_check guest-copy|run fsck.vmemfs -p|durability=guest: a failed host demands fsck.vmemfs -p, then all is there
CASES
}

damage_image() {
	[ ! -e "$out/$1.img" ] || return 0
	cp "$out/good.img" "$out/$1.img"
	case $1 in
	truncated) truncate -s 8M "$out/$1.img" ;;
	readonly) ;;
	*) python3 "$here/refuse/damage.py" "$1" "$out/$1.img" ;;
	esac
}

# Attach every image at a PCI slot of its own; 04 to 1e are free.
test_mounts() {
	slot=4
	: >"$out/cases"
	cases >"$out/list"
	set --
	while IFS= read -r line; do
		kind=${line%% *}
		name=${line#* }
		name=${name%%|*}
		damage_image "$name"
		hex=$(printf '%02x' $slot)
		echo "$hex $line" >>"$out/cases"
		readonly=off
		[ "$name" != readonly ] || readonly=on
		set -- "$@" -device "vmemstore,file=$out/$name.img,addr=0x$hex,readonly=$readonly"
		case $kind in refused | read_only*) sha256sum "$out/$name.img" ;; esac >>"$out/before"
		slot=$((slot + 1))
	done <"$out/list"
	status=0
	"$here/vm/run-vm" --timeout 900 --modules "vmemstore vmemfs" \
		--add "$out/cases:/cases" --add "$out/sums-host:/sums-host" \
		--add "$out/sums-guest:/sums-guest" --add "$tools/fsck.vmemfs:/sbin/fsck.vmemfs" \
		--share "$out/share" --log "$out/mounts.log" "$here/refuse/guest-mounts.sh" -- \
		-plugin "$so" "$@" >"$out/mounts.out" 2>"$out/why" || status=$?
	shift $#
	grep -E '^(ok|not ok|#) ' "$out/mounts.out" | sed "s/^\(not ok\|ok\) [0-9]* -/\1 -/" >"$out/guest.tap"
	while IFS= read -r line; do
		case $line in
		"ok - "*) count=$((count + 1)) && echo "ok $count - ${line#ok - }" ;;
		"not ok - "*) count=$((count + 1)) && failed=1 && echo "not ok $count - ${line#not ok - }" ;;
		*) echo "$line" ;;
		esac
	done <"$out/guest.tap"
	[ $status -eq 1 ] && status=0
	[ "$(grep -c '^\(not \)*ok' "$out/guest.tap")" -eq "$(grep -c . "$out/cases")" ] || status=1
	result $status "the guest kernel went on through all of this without a warning"
	status=0
	sha256sum --quiet -c "$out/before" >"$out/why" 2>&1 || status=1
	result $status "no byte changed of an image that was refused or read-only"
	status=0
	for name in host host-copy worst host-root guest guest-copy; do
		"$tools/fsck.vmemfs" -n "$out/$name.img" || status=1
	done >"$out/why" 2>&1
	result $status "fsck.vmemfs -n finds nothing in the images that recovered"
}

rm -rf "$out"
mkdir -p "$out"
: >"$out/before"
test_device
make_images
run_session
test_mounts
echo "1..$count"
exit $failed
