#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# count-test.sh - what file operations cost: exits, cache-line write-backs, flushes
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/.." && pwd)
out=$top/build/count

usage() {
	cat <<'HELP'
usage: tests/count-test.sh [options] [ops] [ranges]

ops      counts, for each file operation in both durabilities, the cache-line
         write-backs, the exits to the device and the guest instructions;
         writes build/count.json
ranges   compares what the device is asked to flush with the blocks that each
         fsync, msync and sync had to flush

Default: both.  Prints TAP.  Always runs under TCG, which can count.

  --count N   how often each operation runs (default 1000, at most 1000)
  --peer      count ext4 -o dax on virtio-pmem, too, for comparison
HELP
}

die() {
	echo "count-test: $*" >&2
	exit 2
}

count=1000
peer=no
while [ $# -gt 0 ]; do
	case $1 in
	--count) [ $# -ge 2 ] || die "--count needs a number" && count=$2 && shift ;;
	--peer) peer=yes ;;
	-h | --help) usage && exit ;;
	-*) die "unknown option $1: see --help" ;;
	*) break ;;
	esac
	shift
done
[ $# -gt 0 ] || set -- ops ranges

for file in build/tools/mkfs.vmemfs build/tools/dump.vmemfs build/modules/vmemfs.ko \
	build/vmemstore.so build/qemu-sdk/src/include/qemu/qemu-plugin.h; do
	[ -e "$top/$file" ] || die "$file is missing: run make first"
done

build() {
	mkdir -p "$out"
	flags="-std=gnu11 -O1 -Wall -Wextra -Werror"
	# shellcheck disable=SC2086
	{
		${CC:-gcc} $flags -fPIC -shared -fvisibility=hidden \
			-I"$top/build/qemu-sdk/src/include/qemu" -o "$out/watch.so" "$here/count/watch.c"
		${CC:-gcc} $flags -mclwb -static -o "$out/ops" "$here/count/ops.c"
		${CC:-gcc} $flags -pthread -static -o "$out/ranges" "$here/count/ranges.c"
	}
}

# image NAME: a fresh store, whose log takes all records without a checkpoint
image() {
	rm -f "$out/$1.img"
	"$top/build/tools/mkfs.vmemfs" -q -s 256M -l 64M "$out/$1.img"
}

# vm NAME [run-vm options] -- [QEMU arguments]: its output goes to NAME.out
vm() {
	name=$1
	shift
	for _ in 1 2 3; do
		status=0
		"$here/vm/run-vm" --accel tcg --timeout 300 --modules "vmemstore vmemfs" \
			--add "$out/$name:/$name" --log "$out/$name.log" "$here/count/guest-$name.sh" \
			"$@" >"$out/$name.out" || status=$?
		# With the plugin, two CPUs on one of a very busy host have hung in the kernel's
		# boot: an instruction that was patched did not end.
		[ $status -eq 124 ] && ! grep -aq '^\[vm\] script starts' "$out/$name.log" || break
	done
	[ $status -eq 0 ] || { tail -n 20 "$out/$name.out" >&2 && return 1; }
}

test_ops() {
	image host
	image guest
	# A message on the serial console would be counted.
	set -- --env "COUNT=$count" --append loglevel=1 --mem 512,slots=1,maxmem=2G
	if [ $peer = yes ]; then
		rm -f "$out/peer.img"
		truncate -s 256M "$out/peer.img"
		/sbin/mke2fs -q -F -t ext4 -b 4096 "$out/peer.img"
		set -- "$@" --modules "virtio_pmem nd_pmem ext4"
	fi
	set -- "$@" -- -plugin "$top/build/vmemstore.so" -plugin "$out/watch.so" \
		-device "vmemstore,file=$out/host.img" -device "vmemstore,file=$out/guest.img" \
		-d plugin,trace:memory_region_ops_read,trace:memory_region_ops_write -D "$out/ops.trace"
	if [ $peer = yes ]; then
		set -- "$@" -device virtio-pmem-pci,memdev=peer -object \
			"memory-backend-file,id=peer,share=on,mem-path=$out/peer.img,size=256M"
	fi
	vm ops "$@" || return 1
	python3 "$here/count/ops.py" "$out/ops.out" "$out/ops.trace" "$top/build/count.json"
}

# Flushes in worker threads leave the vCPUs free to run into each other.
test_ranges() {
	image ranges
	rm -f "$out/ranges.trace"
	vm ranges --cpus 2 -- -plugin "$top/build/vmemstore.so" \
		-plugin "$out/watch.so,marks=$out/ranges.trace" \
		-device "vmemstore,file=$out/ranges.img,flush-in-vcpu=off,x-trace-file=$out/ranges.trace" ||
		return 1
	python3 "$here/count/ranges.py" "$out/ranges.out" "$out/ranges.trace" \
		"$out/ranges.img" "$top/build/tools/dump.vmemfs" || return 1
	"$top/build/tools/fsck.vmemfs" -q -n "$out/ranges.img"
}

# One numbering for all tests; a test that could not run is a failed one.
number() {
	awk '/^(not )?ok / {
		sub(/ok [0-9]+/, "ok " ++n)
		if (/^not/)
			failed = 1
	}
	!/^1\.\.[0-9]+$/
	END {
		print "1.." n + 0
		exit failed || !n
	}'
}

build
for name in "$@"; do
	case $name in
	ops | ranges) ;;
	*) die "no test '$name': there are ops and ranges" ;;
	esac
done
for name in "$@"; do
	status=0
	"test_$name" >"$out/$name.tap" || status=$?
	cat "$out/$name.tap"
	grep -q '^not ok' "$out/$name.tap" || [ $status -eq 0 ] ||
		echo "not ok 0 - $name runs to its end (status $status; logs in build/count)"
done | number
