#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# compat-test.sh - compat=virtio-pmem with Debian's own virtio_pmem, in a guest
#
# Prints TAP.  Needs build/vmemstore.so (make).
# VM_KERNEL=build/backports/unpacked tests with the kernel of make check-6.12, which
# looks for the memory in another way.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
run=$top/tests/vm/run-vm
work=$(mktemp -d "${TMPDIR:-/tmp}/compat-test.XXXXXX")
vm=
trap '[ -z "$vm" ] || kill $vm 2>/dev/null; rm -rf "$work"' EXIT
image=$work/disk.img
. "$top/tests/tap.sh"
why=$work/output

[ -e "$top/build/vmemstore.so" ] || { echo "compat-test: build/vmemstore.so is missing: run make" >&2 && exit 1; }

# guest NAME OPTIONS [run-vm options]: tests/guest/compat-NAME.sh in a stock guest
guest() {
	script=$top/tests/guest/compat-$1.sh
	options=compat=virtio-pmem$2
	shift 2
	status=0
	"$run" --modules "nd_pmem virtio_pmem" ${VM_KERNEL:+--kernel "$VM_KERNEL"} \
		--with fio --with e2fsprogs --add "$top/build/tests/ackload:/bin/ackload" \
		--timeout 1200 "$@" "$script" -- -plugin "$top/build/vmemstore.so" \
		-device "vmemstore,file=$image,$options" >"$work/output" 2>&1 || status=$?
	return $status
}

# oracle ZEROES [WORD]: cut short in a truncate that had zeroed so many bytes, what is
# there is judged as "ackload verify ... WORD" says: 0 when it is right, 1 when it is damaged
oracle() {
	rm -rf "$work/dir"
	mkdir "$work/dir"
	read -r n name _ new <<-NEXT
		$("$top/build/tests/ackload" make "$work/dir" 1 1)
	NEXT
	dd if=/dev/zero of="$work/dir/$name" bs=1 seek="$new" count="$1" conv=notrunc status=none
	"$top/build/tests/ackload" verify "$work/dir" 1 $((n - 1)) ${2:+"$2"} >"$work/output" 2>&1
}

damaged() {
	found=0
	oracle "$@" || found=$?
	[ $found -eq 1 ]
}

mkdir "$work/dir"
rest=$("$top/build/tests/ackload" make "$work/dir" 1 1 | awk '{ print 4096 - $4 % 4096 }')
status=0
oracle 0 || status=$?
oracle "$rest" ext4 || status=$?
result $status "a truncate of ext4 may have zeroed the rest of a block before the size is less"
status=0
damaged "$rest" || status=1
damaged $((rest + 1)) ext4 || status=1
result $status "but no more than that, and no other file system may"

wait_for_acks() {
	tries=0
	until [ "$(grep -c '^ack [0-9]' "$work/output")" -ge 300 ]; do
		tries=$((tries + 1))
		[ $tries -lt 9000 ] && kill -0 $vm 2>/dev/null || return 1
		sleep 0.1
	done
}

head -c 64M /dev/zero >"$image"
: >"$work/output"		# the guest's, who comes later
guest ext4 "" --pidfile "$work/pid" &
vm=$!
status=0
wait_for_acks || status=1
result $status "ext4 -o dax on a virtio-pmem: fio with fsync and verification, remount"
[ $status -ne 0 ] || kill -9 "$(cat "$work/pid")"
wait $vm || :
vm=
if [ $status -eq 0 ]; then
	acked=$(sed -n 's/^ack \([0-9]*\)$/\1/p' "$work/output" | tail -n 1)
	status=0
	guest ext4 "" --env ACKED="$acked" || status=$?
	result $status "after kill -9 of QEMU, nothing whose fsync had returned is lost"
	status=0
	/sbin/e2fsck -fn "$image" >"$work/output" 2>&1 || status=$?
	result $status "and e2fsck has no finding"
fi

mkdir "$work/files"
head -c 1000000 /dev/urandom >"$work/files/random"
/sbin/mke2fs -q -F -t ext4 -b 4096 -d "$work/files" "$image"
cp "$image" "$work/before.img"
status=0
guest readonly ,readonly=on --no-fail-on-warn \
	--env SUM="$(md5sum <"$work/files/random" | cut -d' ' -f1)" || status=$?
result $status "with readonly=on a guest reads, and fsync fails for what it wrote in vain"
status=0
cmp "$image" "$work/before.img" >"$work/output" 2>&1 || status=$?
result $status "and the file is as it was"
echo "1..$count"
exit $failed
