#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# fs-test.sh - test vmemfs in a guest: every operation, in both durabilities
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/.." && pwd)
all="files names attrs mmap pins sync space mount grow stress hostile"

usage() {
	cat <<HELP
usage: tests/fs-test.sh [options] [TEST...]
       tests/fs-test.sh [options] nfs|refuse

Boots a guest with a fresh vmemfs on -device vmemstore, runs the tests there
(tests/guest/fs-TEST.sh; default: all of $all)
and checks the image with fsck.vmemfs after each. Prints TAP. "nfs" exports it by the
kernel's NFS server, and "refuse" tests disks that can only be read, or not used at
all; these run last by default, each in a guest of its own.

  --durability host|guest   only this one (default: both), or
               pmem         on an emulated nvdimm in place of vmemstore
  --kernel DIR              an unpacked linux-image package (see run-vm)
  --cpus N                  CPUs of the guest (default 2)
  --size SIZE               size of the image (default 128M)
  --seconds N               length of each stress test (default 10)
  --damaged N               images that the test hostile damages (default 60)
  --keep                    keep the image, build/fs-test/MODE.img
HELP
}

die() {
	echo "fs-test: $*" >&2
	exit 2
}

modes="host guest"
size=128M
seconds=10
damaged=
keep=no
kernel=
cpus=2
while [ $# -gt 0 ]; do
	case $1 in
	--durability) modes=$2 && shift ;;
	--size) size=$2 && shift ;;
	--seconds) seconds=$2 && shift ;;
	--damaged) damaged=$2 && shift ;;
	--kernel) kernel=$2 && shift ;;
	--cpus) cpus=$2 && shift ;;
	--keep) keep=yes ;;
	-h | --help) usage && exit ;;
	-*) die "unknown option $1: see --help" ;;
	*) break ;;
	esac
	shift
done
tests=${*:-$all nfs refuse}
out=$top/build/fs-test
tools=$top/build/tools

for file in "$tools/mkfs.vmemfs" "$tools/fsck.vmemfs" "$top/build/modules/vmemfs.ko" \
	"$top/build/vmemstore.so"; do
	[ -e "$file" ] || die "${file#"$top"/} is missing: run make first"
done
for name in $tests; do
	[ -e "$here/guest/fs-$name.sh" ] || die "no test '$name': there are $all"
done

# The helper is static, so that the guest needs no libraries.
build_helper() {
	mkdir -p "$out"
	[ -e "$out/fsprobe" ] &&
		[ -z "$(find "$here/guest" -name 'fsprobe*' -newer "$out/fsprobe")" ] && return
	# Another run may be about to use it.
	${CC:-gcc} -std=gnu11 -O1 -Wall -Wextra -Werror -static -pthread \
		-o "$out/fsprobe.$$" "$here"/guest/fsprobe*.c
	mv "$out/fsprobe.$$" "$out/fsprobe"
}

# image_arguments MODE IMAGE: how QEMU gets the image, after all of run-vm's options
image_arguments() {
	case $1 in
	pmem)
		echo "-- -machine nvdimm=on -m 512,slots=1,maxmem=8G" \
			"-object memory-backend-file,id=nv,share=on,mem-path=$2,size=$size" \
			"-device nvdimm,memdev=nv"
		;;
	refuse)
		echo "-- -m 512,maxmem=8G -plugin $top/build/vmemstore.so" \
			"-device vmemstore,file=$2,readonly=on" \
			"-object memory-backend-file,id=vp,share=on,mem-path=$2.2,size=$size" \
			"-device virtio-pmem-pci,memdev=vp"
		;;
	*) echo "--store $2" ;;
	esac
}

make_image() {
	rm -f "$2"
	case $1 in
	# An nvdimm first needs a namespace, which only the guest can make.
	pmem) truncate -s "$size" "$2" ;;
	refuse)
		mkdir -p "$out/tree"
		echo "on a read-only disk" >"$out/tree/file"
		"$tools/mkfs.vmemfs" -q -s "$size" -d "$out/tree" "$2"
		cp "$2" "$2.2"
		;;
	*) "$tools/mkfs.vmemfs" -q -s "$size" -L fs-test "$2" ;;
	esac
}

# run_mode MODE TESTS
run_mode() {
	mode=$1
	run_tests=$2
	image=$out/$mode.img
	durability=$mode
	modules="loop vmemstore vmemfs"
	case $mode in
	pmem) modules="nfit nd_pmem $modules" ;;
	nfs) modules="nfsd nfsv4 $modules" && durability=host ;;
	refuse) modules="virtio_pmem nd_pmem $modules" && durability=host ;;
	esac
	set --
	for file in "$here/guest/lib.sh" "$here/guest/nfs-lib.sh" "$here"/guest/fs-*.sh; do
		set -- "$@" --add "$file:/tests/$(basename "$file")"
	done
	[ -z "$kernel" ] || set -- "$@" --kernel "$kernel"
	make_image "$mode" "$image"
	status=0
	# shellcheck disable=SC2046
	set -- "$@" --timeout 1500 --cpus $cpus --modules "$modules" \
		--add "$out/fsprobe:/tests/fsprobe" \
		--add "$tools/fsck.vmemfs:/tests/fsck.vmemfs" \
		--add "$tools/mkfs.vmemfs:/tests/mkfs.vmemfs" \
		--add "$tools/resize.vmemfs:/tests/resize.vmemfs" \
		--env "DURABILITY=$durability" --env "TESTS=$run_tests" \
		--env "STRESS_SECONDS=$seconds" --env "HOSTILE_ROUNDS=$damaged" --env "SLOW=${VM_SLOW:-1}" \
		--share "$out/share-$mode" --log "$out/$mode.log" \
		"$here/guest/fs-main.sh" $(image_arguments "$mode" "$image")
	"$here/vm/run-vm" "$@" || status=$?
	[ "$mode" = pmem ] || "$tools/fsck.vmemfs" -n "$image" || status=1
	[ $keep = yes ] || rm -f "$image" "$image.2"
	return $status
}

build_helper
result=0
in_guest=
alone=
for name in $tests; do
	case $name in
	nfs | refuse) alone="$alone $name" ;;
	*) in_guest="$in_guest $name" ;;
	esac
done
if [ -n "$in_guest" ]; then
	for mode in $modes; do
		run_mode "$mode" "$in_guest" || result=1
	done
fi
for name in $alone; do
	run_mode "$name" "$name" || result=1
done
exit $result
