#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# store-test.sh - stores of other kinds than a plain file, with vmemfs in a guest
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/.." && pwd)
out=$top/build/store-test
tools=$top/build/tools
so=$top/build/vmemstore.so
all="share thin backing lost grow"

usage() {
	cat <<HELP
usage: tests/store-test.sh [TEST...]

Boots guests with vmemfs on stores of several kinds, and prints TAP:
  share    read-only and copy-on-write stores on one file
  thin     a thin store on a host disk that gets full (needs root, to mount it)
  backing  a block device, a part of a file, a file mapped by huge pages, tmpfs,
           hugetlbfs, pretended pmem
  lost     a file that is truncated while in use, a disk with a bad sector
  grow     growth in use; unplugging, refused while mounted; plugging in again

Needs build/ (make).  Logs are in build/store-test/.
HELP
}

die() {
	echo "store-test: $*" >&2
	exit 2
}

case ${1:-} in
-h | --help) usage && exit ;;
-*) die "unknown option $1: see --help" ;;
esac
for file in "$tools/mkfs.vmemfs" "$tools/fsck.vmemfs" "$so" "$top/build/modules/vmemfs.ko"; do
	[ -e "$file" ] || die "${file#"$top"/} is missing: run make first"
done

# So that mounts and loop devices are left behind by no way out.
trap 'exit 130' INT
trap 'exit 143' TERM HUP

. "$here/tap.sh"
why=$out/why

# check SENTENCE COMMAND...: on the host
check() {
	sentence=$1
	shift
	status=0
	"$@" >"$out/why" 2>&1 || status=1
	result $status "$sentence"
}

# guest NAME [run-vm options] -- QEMU ARGUMENTS: run tests/guest/store-NAME.sh;
# the TAP lines it prints become ours
guest() {
	name=$1
	shift
	status=0
	"$here/vm/run-vm" --modules "vmemstore vmemfs" --log "$out/$name.log" \
		--add "$here/guest/lib.sh:/tests/lib.sh" \
		--add "$here/guest/store-lib.sh:/tests/store-lib.sh" --timeout 900 \
		"$here/guest/store-$name.sh" "$@" >"$out/$name.out" 2>&1 || status=$?
	take_over "$out/$name.out"
	result $status "the guest of '$name' ends well"
}

make_image() {
	rm -rf "$out/tree"
	mkdir "$out/tree"
	seq 1 20000 >"$out/tree/file"
	"$tools/mkfs.vmemfs" -q -s "$2" -d "$out/tree" "$1"
}

# The second disk is the first one's neighbour on the same file.
test_share() {
	image=$out/share.img
	rm -f "$image"
	make_image "$image" 64M
	cp "$image" "$image.before"
	guest share -- -plugin "$so" \
		-device "vmemstore,file=$image,readonly=on" \
		-device "vmemstore,file=$image,cow=on"
	check "neither guest changed the file" cmp "$image" "$image.before"
	check "which is free again and without damage" "$tools/fsck.vmemfs" -n "$image"
	rm -f "$image" "$image.before"
}

# wait_for LINE FILE: the guest has printed it, or has ended
wait_for() {
	while ! grep -q "^$1\$" "$2" && [ ! -e "$out/ended" ]; do sleep 0.2; done
}

fill_disk() {
	dd if=/dev/zero of="$1" bs=64k 2>/dev/null || :
	dd if=/dev/zero of="$1" bs=512 oflag=append conv=notrunc 2>/dev/null || :
	[ "$(df --output=avail "$(dirname "$1")" | tail -n 1)" = 0 ]
}

test_thin() {
	small=$out/small
	umount "$small" 2>/dev/null || :
	mkdir -p "$small"
	rm -f "$out/small.img" "$out/ended" "$out/thin.out"
	truncate -s 96M "$out/small.img"
	mkfs.ext4 -q -F -m 0 "$out/small.img"
	if ! mount -o loop "$out/small.img" "$small" 2>"$out/why"; then
		result 0 "a thin store on a full disk # SKIP cannot mount a loop device"
		return
	fi
	trap 'umount "$small" 2>/dev/null || :' EXIT
	truncate -s 512M "$small/disk.img"
	"$tools/mkfs.vmemfs" -q "$small/disk.img"
	dd if=/dev/zero of="$small/other" bs=1M count=20 2>/dev/null
	: >"$out/thin.out"
	(
		wait_for ready "$out/thin.out"
		fill_disk "$small/filler" || :
		wait_for full "$out/thin.out"
		rm "$small/filler" "$small/other"
	) &
	helper=$!
	guest thin -- -plugin "$so" -device "vmemstore,file=$small/disk.img,prealloc=off"
	: >"$out/ended"
	wait $helper
	check "the image is whole" "$tools/fsck.vmemfs" -n "$small/disk.img"
	check "and takes no more room than what is in it" \
		[ "$(du -k "$small/disk.img" | cut -f 1)" -lt 40000 ]
	umount "$small"
	trap - EXIT
	rm -f "$out/small.img"
}

# Sets $pages to the number of huge pages that there were, when it changed it.
mount_huge() {
	[ "$(id -u)" = 0 ] || return 1
	# Whoever else wants huge pages waits: the number is that of the host.
	exec 8>"$top/build/hugepages.lock"
	flock 8
	pages=$(cat /proc/sys/vm/nr_hugepages)
	echo $((pages + 16)) >/proc/sys/vm/nr_hugepages
	mkdir -p "$out/huge"
	[ "$(cat /proc/sys/vm/nr_hugepages)" -ge 16 ] && mount -t hugetlbfs none "$out/huge"
}

leave_backing() {
	[ -z "$loop" ] || losetup -d "$loop"
	umount "$out/huge" 2>/dev/null || :
	[ -z "$pages" ] || echo "$pages" >/proc/sys/vm/nr_hugepages
	exec 8>&-
	rm -f "$shm" "$out/part.img" "$out/block.img" "$out/dax.img" "$out/large.img"
}

test_backing() {
	loop='' pages='' shm=$(mktemp /dev/shm/store-test.XXXXXX)
	trap leave_backing EXIT
	for file in "$shm" "$out/part.img" "$out/block.img" "$out/dax.img" "$out/large.img"; do
		truncate -s 32M "$file"
	done
	expect="tmpfs part dax hugepages"
	set -- -device "vmemstore,file=$shm" \
		-device "vmemstore,file=$out/part.img,offset=4M,size=24M" \
		-device "vmemstore,file=$out/dax.img,x-dax=on" \
		-device "vmemstore,file=$out/large.img,hugepages=on"
	if loop=$(losetup --show -f "$out/block.img" 2>"$out/why"); then
		expect="$expect block"
		set -- "$@" -device "vmemstore,file=$loop"
	else
		result 0 "a block device # SKIP no loop device"
	fi
	if mount_huge 2>"$out/why"; then
		expect="$expect hugetlbfs"
		set -- "$@" -device "vmemstore,file=$out/huge/disk.img,size=32M"
	else
		result 0 "a file of huge pages # SKIP no huge pages to be had"
	fi
	guest backing --env "EXPECT=$expect" --add "$tools/mkfs.vmemfs:/tests/mkfs.vmemfs" \
		--add "$tools/fsck.vmemfs:/tests/fsck.vmemfs" -- -plugin "$so" "$@" 8>&-
	leave_backing
	trap - EXIT
}

# A disk with a sector that cannot be read: QEMU's storage daemon makes one, by FUSE.
bad_disk() {
	: >"$2"
	rm -f "$out/daemon.pid"
	qemu-storage-daemon --daemonize --pidfile "$out/daemon.pid" \
		--blockdev "driver=file,filename=$1,node-name=file" \
		--blockdev "{\"driver\":\"blkdebug\",\"node-name\":\"bad\",\"image\":\"file\",\"inject-error\":
			[{\"event\":\"none\",\"iotype\":\"read\",\"errno\":5,\"sector\":$3}]}" \
		--export "type=fuse,id=export,node-name=bad,mountpoint=$2,writable=on"
}

leave_lost() {
	[ ! -e "$out/daemon.pid" ] || kill "$(cat "$out/daemon.pid")" || :
	umount "$out/bad.img" 2>/dev/null || :
	rm -f "$out/cut.img" "$out/disk-bad.img"
}

# Both stores: 64 MiB, of which /large takes 48.
test_lost() {
	rm -rf "$out/tree" "$out/ended"
	mkdir "$out/tree"
	seq 1 20000 >"$out/tree/small"
	dd if=/dev/urandom of="$out/tree/large" bs=1M count=48 2>/dev/null
	for file in "$out/cut.img" "$out/disk-bad.img"; do
		rm -f "$file"
		"$tools/mkfs.vmemfs" -q -s 64M -d "$out/tree" "$file"
	done
	trap leave_lost EXIT
	# Sector 65536: 32 MiB.
	if ! bad_disk "$out/disk-bad.img" "$out/bad.img" 65536 2>"$out/why"; then
		result 0 "pages that the host cannot provide # SKIP no FUSE"
		return
	fi
	: >"$out/lost.out"
	(
		wait_for ready "$out/lost.out"
		truncate -s 32M "$out/cut.img"
	) &
	helper=$!
	guest lost -- -plugin "$so" -device "vmemstore,file=$out/cut.img" \
		-device "vmemstore,file=$out/bad.img"
	: >"$out/ended"
	wait $helper
	leave_lost
	trap - EXIT
}

# ask COMMAND ARGUMENTS: to QEMU, as QMP; what it says goes to $out/grow.qmp
ask() {
	printf '{"execute": "%s", "arguments": {%s}}\n' "$1" "$2" >"$out/monitor.in"
}

# wait_qmp TEXT: QEMU has said it; or the guest has ended
wait_qmp() {
	while ! grep -qF "$1" "$out/grow.qmp" && [ ! -e "$out/ended" ]; do sleep 0.2; done
}

# What the user does, when the guest has come so far.
act_as_user() {
	wait_for mounted "$out/grow.out"
	[ ! -e "$out/ended" ] || return 0
	ask qmp_capabilities ''
	ask device_del '"id": "store"'
	wait_qmp '"error"'
	ask qom-set '"path": "/machine/peripheral/store", "property": "size", "value": 100663296'
	wait_for unmounted "$out/grow.out"
	[ ! -e "$out/ended" ] || return 0
	ask device_del '"id": "store"'
	wait_for gone "$out/grow.out"
	# The device inside it goes first, with an event of its own.
	wait_qmp '"DEVICE_DELETED", "data": {"device": "store"'
	[ ! -e "$out/ended" ] || return 0
	ask device_add "\"driver\": \"vmemstore\", \"id\": \"again\", \"bus\": \"socket\", \"file\": \"$out/grow.img\""
}

refused_once() {
	grep '"error"' "$out/grow.qmp"
	[ "$(grep -c '"error"' "$out/grow.qmp")" = 1 ]
}

test_grow() {
	rm -f "$out/ended" "$out/grow.img" "$out/monitor.in" "$out/monitor.out"
	mkfifo "$out/monitor.in" "$out/monitor.out"
	truncate -s 32M "$out/grow.img"
	"$tools/mkfs.vmemfs" -q "$out/grow.img"
	: >"$out/grow.out"
	cat "$out/monitor.out" >"$out/grow.qmp" &
	listener=$!
	act_as_user &
	user=$!
	guest grow --add "$tools/mkfs.vmemfs:/tests/mkfs.vmemfs" \
		--add "$tools/resize.vmemfs:/tests/resize.vmemfs" \
		--add "$tools/fsck.vmemfs:/tests/fsck.vmemfs" -- -plugin "$so" \
		-device pcie-root-port,id=socket -device "vmemstore,id=store,bus=socket,file=$out/grow.img" \
		-chardev "pipe,id=monitor,path=$out/monitor" -mon chardev=monitor,mode=control
	: >"$out/ended"
	kill "$user" "$listener" 2>/dev/null || :
	wait "$user" "$listener" 2>/dev/null || :
	check "device_del is refused while the store is mounted" \
		grep -q '"error".*is in use in the guest: unmount or close it' "$out/grow.qmp"
	check "growth is an event" \
		grep -q '"VMEMSTORE_GROWN".*"size": 100663296' "$out/grow.qmp"
	check "and nothing else was refused" refused_once
	check "the image is whole" "$tools/fsck.vmemfs" -n "$out/grow.img"
	rm -f "$out/grow.img" "$out/monitor.in" "$out/monitor.out"
}

mkdir -p "$out"
for name in ${*:-$all}; do
	case " $all " in *" $name "*) ;; *) die "no test '$name': there are $all" ;; esac
	"test_$name"
done
echo "1..$count"
exit $failed
