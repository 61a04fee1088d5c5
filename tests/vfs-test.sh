#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# vfs-test.sh - what a program sees of vmemfs, compared with ext4 -o dax
#
# usage: tests/vfs-test.sh
#
# One guest has both on devices of the same kind.  tests/guest/vfsprobe asks
# either the same questions; the answers must be the same, but for those that
# tests/guest/vfs-known lists.  Prints TAP.  Needs build/ (make).
# VM_KERNEL=build/backports/unpacked tests with the kernel of make check-6.12.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/.." && pwd)
out=$top/build/vfs-test
tools=$top/build/tools
. "$here/tap.sh"
why=$out/why

[ "${1:-}" != -h ] && [ "${1:-}" != --help ] || { sed -n '3,/^$/s/^# \{0,1\}//p' "$0" && exit 0; }
for file in "$tools/mkfs.vmemfs" "$top/build/modules/vmemfs.ko" "$top/build/vmemstore.so"; do
	[ -e "$file" ] || { echo "vfs-test: ${file#"$top"/} is missing: run make first" >&2 && exit 2; }
done

# Static, so that the guest needs no libraries.
mkdir -p "$out"
${CC:-gcc} -std=gnu11 -O1 -Wall -Wextra -Werror -static -o "$out/vfsprobe" "$here"/guest/vfsprobe*.c
${CC:-gcc} -std=gnu11 -O1 -Wall -Wextra -Werror -m32 -nostdlib -static -ffreestanding -fno-pie -no-pie \
	-fno-stack-protector -o "$out/vfs32" "$here/guest/vfs32.c"
${CC:-gcc} -std=gnu11 -O1 -Wall -Wextra -Werror -static -o "$out/xattrs" "$here/guest/xattrs.c"

# compare NAME: the answers of $out/share/NAME with those of ext4
compare() {
	: >"$out/compare"
	awk -v name="$1" -v newer="${VM_KERNEL:+1}" -f "$here/guest/vfs-compare.awk" "$here/guest/vfs-known" \
		"$out/share/ext4" "$out/share/$1" >"$out/compare" || :
	[ -s "$out/compare" ] || echo "not ok 1 - $1: there are no answers to compare" >"$out/compare"
	take_over "$out/compare"
}

rm -rf "$out/share"
"$tools/mkfs.vmemfs" -q -f -s 128M -L vfs-test "$out/vmemfs.img"
rm -f "$out/ext4.img"
truncate -s 128M "$out/ext4.img"
status=0
"$here/vm/run-vm" --modules "overlay vmemstore vmemfs" --with e2fsprogs --cpus 2 --timeout 900 \
	--add "$here/guest/lib.sh:/tests/lib.sh" --add "$out/vfsprobe:/bin/vfsprobe" \
	--add "$out/vfs32:/bin/vfs32" --add "$out/xattrs:/bin/xattrs" \
	--add "$here/guest/overlay.sh:/tests/overlay.sh" \
	--add "$tools/fsck.vmemfs:/bin/fsck.vmemfs" \
	--share "$out/share" --log "$out/guest.log" ${VM_KERNEL:+--kernel "$VM_KERNEL"} \
	"$here/guest/vfs.sh" -- -plugin "$top/build/vmemstore.so" \
	-device "vmemstore,file=$out/vmemfs.img" -device "vmemstore,file=$out/ext4.img" \
	>"$out/output" 2>&1 || status=$?
take_over "$out/output"
result $status "the guest ends well"
compare host
compare guest
rm -f "$out/vmemfs.img" "$out/ext4.img"
echo "1..$count"
exit $failed
