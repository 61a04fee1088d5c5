#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# driver-test.sh - the Linux driver against the real device, in a guest
#
# usage: tests/driver-test.sh [NAME...]      names of tests, without "driver-"
#
# Needs build/vmemstore.so and build/modules/ (make).  Prints TAP.
# VM_KERNEL=build/backports/unpacked tests under the kernel of make check-6.12.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
run=$top/tests/vm/run-vm
modules=$top/build/modules
if [ -n "${VM_KERNEL:-}" ]; then
	modules=$modules-$(basename "$VM_KERNEL"/lib/modules/*)
fi
selftest=$modules/vmemstore_selftest.ko
size=67108864
work=$(mktemp -d "${TMPDIR:-/tmp}/driver-test.XXXXXX")
trap 'rm -rf "$work"' EXIT
image=$work/disk.img
. "$top/tests/tap.sh"
why=$work/output

for file in "$top/build/vmemstore.so" "$selftest" "$modules/vmemfs.ko" "$top/build/tools/mkfs.vmemfs"; do
	[ -e "$file" ] || { echo "driver-test: $file is missing: run make" >&2 && exit 1; }
done

# guest TEXT NAME [run-vm options]: run tests/guest/driver-NAME.sh in a guest.
guest() {
	text=$1
	script=$top/tests/guest/driver-$2.sh
	shift 2
	status=0
	"$run" --modules "vmemstore" ${VM_KERNEL:+--kernel "$VM_KERNEL"} "$@" >"$work/output" 2>&1 || status=$?
	result $status "$text"
}

store() {
	printf '%s' "vmemstore,file=$image$1"
}

test_disk() {
	guest "the store is an ordinary pmem disk with DAX" disk --store "$image" \
		--env STORE_SIZE=$size "$script"
}

# The trace has one line per flush, as the device got it.
test_api() {
	trace=$work/trace
	: >"$trace"
	script=$top/tests/guest/driver-api.sh
	guest "the interface for file systems keeps its promises" api \
		--add "$selftest:/vmemstore_selftest.ko" "$script" -- \
		-plugin "$top/build/vmemstore.so" -device "$(store ",x-trace-file=$trace")"
	sed -n 's/^\(ok\|not ok\|time\) /# \1 /p' "$work/output"
	head -n 4 "$trace" >"$work/got"
	printf 'flush ok %s\n' 0+1 $((size - 1))+1 0+$size all >"$work/expected"
	status=0
	diff "$work/expected" "$work/got" >"$work/output" || status=1
	result $status "the device gets exactly the ranges that were asked for"
}

test_ext4() {
	guest "ext4 -o dax works on the store" ext4 --store "$image" \
		--with fio --with e2fsprogs --timeout 900 "$script"
}

test_readonly() {
	/sbin/mke2fs -q -F -t ext4 -b 4096 -d "$work/files" "$image"
	guest "a read-only store is a read-only disk" readonly "$script" -- \
		-plugin "$top/build/vmemstore.so" -device "$(store ,readonly=on)"
}

test_flush_error() {
	guest "a failed flush fails fsync from then on" flush-error \
		--no-fail-on-warn "$script" -- \
		-plugin "$top/build/vmemstore.so" -device "$(store ,x-fail-flush=2)"
}

# The same below vmemfs; the image then tells fsck and the next mount.
test_fs_flush_error() {
	${CC:-gcc} -std=gnu11 -O1 -Wall -Wextra -Werror -static -pthread -o "$work/fsprobe" \
		"$top"/tests/guest/fsprobe*.c
	"$top/build/tools/mkfs.vmemfs" -q -f "$image"
	status=0
	"$run" --modules "vmemstore vmemfs" ${VM_KERNEL:+--kernel "$VM_KERNEL"} --no-fail-on-warn \
		--add "$work/fsprobe:/fsprobe" "$script" -- \
		-plugin "$top/build/vmemstore.so" -device "$(store ,x-fail-flush=7)" \
		>"$work/output" 2>&1 || status=$?
	result $status "vmemfs: a failed flush is EIO to the application, and the mount is read-only"
	status=0
	"$top/build/tools/fsck.vmemfs" -n "$image" >"$work/output" 2>&1 && status=1
	grep -q "asks for a check" "$work/output" || status=1
	result $status "vmemfs: fsck is told of a failed flush"
	status=0
	"$run" --modules "vmemstore vmemfs" ${VM_KERNEL:+--kernel "$VM_KERNEL"} --env AGAIN=yes \
		--add "$work/fsprobe:/fsprobe" --store "$image" "$script" >"$work/output" 2>&1 || status=$?
	result $status "vmemfs: the next mount says that a flush had failed, and works"
}

test_unbind() {
	guest "the device can be taken away while flushes are in flight" unbind \
		--cpus 2 --store "$image" "$script"
}

# A guest that is not suspended yet is not woken, and its monitor says so; an alarm that
# came too early would never come again.
wake_up() {
	exec >"$work/monitor.in"
	while [ ! -e "$work/ended" ]; do
		echo system_wakeup
		sleep 1
	done
}

# sleeping_guest TEXT NAME [run-vm options] -- QEMU ARGUMENTS: it may suspend itself
sleeping_guest() {
	mkfifo "$work/monitor.in" "$work/monitor.out"
	cat "$work/monitor.out" >/dev/null &
	listener=$!
	wake_up &
	waker=$!
	guest "$@" -chardev "pipe,id=monitor,path=$work/monitor" -mon chardev=monitor,mode=readline
	: >"$work/ended"
	kill $waker $listener 2>/dev/null || :
	wait $waker $listener 2>/dev/null || :
	rm "$work/monitor.in" "$work/monitor.out" "$work/ended"
}

test_suspend() {
	sleeping_guest "the store works after suspend to RAM and resume" suspend \
		--store "$image" "$script" --
}

# A QEMU on a host whose disk takes its time.
make_slow_qemu() {
	${CC:-gcc} -std=gnu11 -O1 -Wall -Wextra -Werror -shared -fPIC \
		-o "$work/slow-sync.so" "$top/tests/guest/slow-sync.c" -ldl
	cat >"$work/slow-qemu" <<-END
		#!/bin/sh
		LD_PRELOAD=$work/slow-sync.so exec ${QEMU:-qemu-system-x86_64} "\$@"
	END
	chmod 755 "$work/slow-qemu"
}

test_fs_suspend() {
	make_slow_qemu
	"$top/build/tools/mkfs.vmemfs" -q -f "$image"
	fast=${QEMU:-}
	export QEMU="$work/slow-qemu"
	sleeping_guest "vmemfs: a mount works after a suspend in the middle of its commits" fs-suspend \
		--modules vmemfs "$script" -- \
		-plugin "$top/build/vmemstore.so" -device "$(store ,flush-in-vcpu=off)"
	QEMU=$fast
}

test_no_memory() {
	rm "$image"
	truncate -s 48G "$image"
	guest "a store that needs more memory than the guest has is refused with one line" no-memory \
		--mem 600 "$script" -- \
		-plugin "$top/build/vmemstore.so" -device "$(store ,prealloc=off)"
}

mkdir "$work/files"
head -c 1000000 /dev/urandom >"$work/files/random"
[ $# -gt 0 ] || set -- disk api ext4 readonly flush-error fs-flush-error unbind suspend \
	fs-suspend no-memory
for name in "$@"; do
	script=$top/tests/guest/driver-$name.sh
	[ -e "$script" ] || { echo "driver-test: no test '$name'" >&2 && exit 1; }
	rm -f "$image"
	truncate -s $size "$image"
	"test_$(echo "$name" | tr - _)"
done
echo "1..$count"
exit $failed
