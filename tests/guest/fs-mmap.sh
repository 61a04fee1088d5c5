#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
# fs-mmap.sh - files as memory
. "${TESTS_DIR:-/tests}/fs-lib.sh"

for property in \
	"read:a mapping shows the file" \
	"write:a store through a mapping is in the file" \
	"coherent:write(2) and a mapping see each other at once" \
	"hole-read:a hole is zeros in a mapping, and shows what is written there later" \
	"hole-write:a store into a hole makes a block" \
	"private:a private mapping does not change the file" \
	"beyond:touching a page beyond the end gives SIGBUS" \
	"truncate:a page cut off by truncation gives SIGBUS" \
	"tail:bytes stored past the end are zeros when the file grows" \
	"tail-write:bytes stored past the end are zeros when a write extends the file" \
	"two:two mappings of a file are the same memory" \
	"sparse:stores all over a large sparse mapping arrive" \
	"unlinked:a mapping of an unlinked file goes on" \
	"self:a write from a mapping of the file itself works" \
	"direct-into:reading another file into a mapping works" \
	"mtime:a store through a mapping moves mtime" \
	"mtime-again:each store that an msync follows moves mtime" \
	"huge:a mapping of 8 MiB is written and read in full" \
	"refill:a mapping of a truncated and rewritten file shows the new contents" \
	"allocated:blocks in advance are zeros in a mapping, and become data by stores and writes" \
	"punch-threads:stores after a hole was punched or zeroed stay, beside threads that do the same" \
	"threads:stores of several threads with msync between are all there"; do
	name=${property%%:*}
	check "${property#*:}" fsprobe mmap "$name" "mm.$name"
done

sync_flag() {
	if [ "$DURABILITY" = pmem ]; then
		expect_fail fsprobe mmap nosync mm.nosync
	else
		fsprobe mmap nosync mm.nosync
	fi
}
check "MAP_SYNC is accepted only where a cache-line flush makes durable" sync_flag

# A commit in the background would be counted with what is looked at now.
cd /
remount_fresh commit=0
cd "$MNT" || exit 1

msync_flushes() {
	before=$(counter flushes)
	fsprobe mmap write mm.msync
	after=$(counter flushes)
	if [ "$DURABILITY" = host ]; then
		[ "$after" -gt "$before" ]
	else
		same "$after" "$before"
	fi
}
check "msync flushes to the host in the domain host only" msync_flushes

msync_again() {
	[ "$DURABILITY" = host ] || return 0
	fsprobe mmap flush-again mm.again "/sys/fs/vmemfs/${DEV##*/}/flush_bytes"
}
check "each msync after a store flushes, and one without a store does not" msync_again

msync_truncated() {
	[ "$DURABILITY" = host ] || return 0
	fsprobe mmap flush-truncated mm.cut "/sys/fs/vmemfs/${DEV##*/}/flush_bytes"
}
check "each msync flushes also in the block that a truncation has cut" msync_truncated

huge_cut() {
	[ "$DURABILITY" = host ] || return 0
	fsprobe mmap flush-huge-cut mm.hcut "/sys/fs/vmemfs/${DEV##*/}/flush_bytes"
}
check "each fsync flushes what is stored before the cut of a truncated huge page" huge_cut

huge_punched() {
	[ "$DURABILITY" = host ] || return 0
	fsprobe mmap flush-huge-punched mm.hpunch "/sys/fs/vmemfs/${DEV##*/}/flush_bytes"
	fsprobe mmap flush-moved mm.moved "/sys/fs/vmemfs/${DEV##*/}/flush_bytes"
}
check "so it does beside a punched hole, and where a collapse has moved it to" huge_punched

after_remount() {
	remount_fresh
	cd "$MNT"
	fsprobe verify mm.huge 0 8388608 9
	fsprobe mmap check-sparse mm.sparse
}
cd /
check "what was stored through mappings is there after a remount" after_remount
cd "$MNT" || exit 1

rm -rf ./*
finish
