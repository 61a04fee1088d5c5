#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# hosts-test.sh - the device on hosts that cannot be had otherwise
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/.." && pwd)
out=$top/build/hosts-test
programs="access space flush network crash"
all="nfs dax crash btrfs"

usage() {
	cat <<HELP
usage: tests/hosts-test.sh [TEST...]

A VM plays the host: the stock QEMU and the device run inside it, without a
guest of their own.  Prints TAP:
  nfs    files on NFS 4.2, the server and its clients included
  dax    files on persistent memory: ext4 and xfs with -o dax, MAP_SYNC
  crash  the kernel of the host dies (ext4, xfs, btrfs), and is booted again
And without a VM:
  btrfs  files on btrfs, on a loop device of this host

Needs build/ (make), and root.  Logs are in build/hosts-test/.
HELP
}

die() {
	echo "hosts-test: $*" >&2
	exit 2
}

case ${1:-} in
-h | --help) usage && exit ;;
-*) die "unknown option $1: see --help" ;;
esac
[ -e "$top/build/vmemstore.so" ] || die "build/vmemstore.so is missing: run make first"

. "$here/tap.sh"
why=$out/why.$(echo "$*" | tr -dc a-z)

# host NAME MODULES BUNDLES [run-vm options] [-- QEMU ARGUMENTS]: run
# tests/guest/hosts-NAME.sh; its TAP lines become ours.  Sets $status.
host() {
	name=$1 modules=$2 bundles=$3
	shift 3
	set -- "$here/guest/hosts-$name.sh" "$@"
	for bundle in qemu $bundles; do
		set -- --with "$bundle" "$@"
	done
	for program in $programs; do
		set -- --add "$top/build/qemu-device/$program-test:/tests/$program-test" "$@"
	done
	status=0
	"$here/vm/run-vm" --modules "$modules" --mem 1024 --timeout 1500 --log "$out/$name.log" \
		--add "$top/build/vmemstore.so:/tests/vmemstore.so" \
		--add "$top/build/qemu-device/generation-of:/tests/generation-of" \
		--add "$here/guest/lib.sh:/tests/lib.sh" \
		--add "$here/guest/nfs-lib.sh:/tests/nfs-lib.sh" \
		--add "$here/guest/hosts-lib.sh:/tests/hosts-lib.sh" "$@" >"$out/$name.out" 2>&1 || status=$?
	take_over "$out/$name.out" "$name: "
}

# disk FILE SIZE ID: QEMU's arguments for a disk of the host
disk() {
	rm -f "$1"
	truncate -s "$2" "$1"
}

test_nfs() {
	disk "$out/server.img" 80M
	host nfs "virtio_blk ext4 nfsd nfsv4" e2fsprogs -- \
		-drive "if=virtio,format=raw,file=$out/server.img"
	result $status "the host with NFS ends well"
	rm "$out/server.img"
}

test_dax() {
	disk "$out/pmem.img" 512M
	host dax "nfit nd_pmem ext4 xfs" "e2fsprogs xfsprogs" -- \
		-machine nvdimm=on -m 1024,slots=1,maxmem=8G \
		-object "memory-backend-file,id=nv,share=on,mem-path=$out/pmem.img,size=512M" \
		-device nvdimm,memdev=nv
	result $status "the host with persistent memory ends well"
	rm "$out/pmem.img"
}

# With its kernel the host's page cache is gone; its disks are still there.
test_crash() {
	set --
	for kind in ext4 xfs btrfs; do
		disk "$out/$kind.img" 320M
		set -- "$@" -drive "if=virtio,format=raw,file=$out/$kind.img"
	done
	tools="e2fsprogs xfsprogs btrfs-progs"
	host crash "virtio_blk ext4 xfs btrfs" "$tools" --env STEP=store -- "$@"
	crashed=0
	[ $status -ne 0 ] && grep -aq '^crashing$' "$out/crash.out" || crashed=1
	result $crashed "the host crashes while three VMs use their stores"
	[ $crashed -eq 0 ] || return 0
	set -- --env STEP=check -- "$@"
	for kind in ext4 xfs btrfs; do
		set -- --env "GENERATION_$kind=$(sed -n "s/^generation $kind //p" "$out/crash.out")" "$@"
	done
	cp "$out/crash.out" "$out/crash-store.out"
	host crash "virtio_blk ext4 xfs btrfs" "$tools" "$@"
	result $status "and is up again"
	rm "$out/ext4.img" "$out/xfs.img" "$out/btrfs.img"
}

loop=
release() {
	[ -z "$loop" ] || { umount "$out/btrfs" 2>/dev/null || :; losetup -d "$loop"; }
	loop=
}
trap release EXIT
trap 'exit 143' INT TERM HUP

# A VM would only make it slow: QEMU's start takes some seconds there.
test_btrfs() {
	rm -f "$out/btrfs.img"
	truncate -s 320M "$out/btrfs.img"
	mkdir -p "$out/btrfs"
	loop=$(losetup --show -f "$out/btrfs.img")
	status=0
	{ mkfs.btrfs -q -f "$loop" && mount -t btrfs "$loop" "$out/btrfs"; } >"$why" 2>&1 || status=1
	result $status "btrfs: a loop device is mounted"
	[ $status -eq 0 ] || return 0
	for program in access space flush; do
		status=0
		QTEST_QEMU_BINARY=qemu-system-x86_64 QTEST_PLUGIN="$top/build/vmemstore.so" \
			VMEMSTORE_TEST_DIR="$out/btrfs" "$top/build/qemu-device/$program-test" --tap \
			>"$out/btrfs.out" 2>&1 || status=$?
		sed -i 's|^\(\(not \)\{0,1\}ok [0-9]*\) /vmemstore/|\1 - |' "$out/btrfs.out"
		take_over "$out/btrfs.out" "btrfs: "
		result $status "btrfs: $program-test ends well"
	done
	release
	rm "$out/btrfs.img"
}

mkdir -p "$out"
targets=
for program in $programs; do
	targets="$targets ../build/qemu-device/$program-test"
done
# shellcheck disable=SC2086
make -s -C "$top/qemu-device" $targets ../build/qemu-device/generation-of >"$why" 2>&1 ||
	die "the test programs do not build: see ${why#"$top"/}"
for name in ${*:-$all}; do
	case " $all " in *" $name "*) ;; *) die "no test '$name': there are $all" ;; esac
	"test_$name"
done
echo "1..$count"
exit $failed
