#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
# fs-stress.sh - many at once
. "${TESTS_DIR:-/tests}/fs-lib.sh"

writers() {
	fsprobe stress-files . 4 "${STRESS_SECONDS:-10}"
}
check "4 processes write, map, truncate and fsync their own files and find what they stored" writers

one_file() {
	fsprobe stress-shared shared 4 "${STRESS_SECONDS:-10}"
}
check "4 processes share a file by write, mmap, truncate and fsync" one_file

renames() {
	mkdir a b
	fsprobe stress-names a b 4 "${STRESS_SECONDS:-10}"
	find a b >/dev/null
	rm -r a b
}
check "4 processes create, link, rename and unlink the same names in two directories, and change their attributes" renames

sync_storm() {
	(
		i=0
		while [ $i -lt 30 ]; do
			sync
			i=$((i + 1))
		done
	) &
	fsprobe stress-files . 2 5
	wait
}
check "sync runs beside writers" sync_storm

pressure() {
	fsprobe fill ballast 0 3000000 1
	(
		i=0
		while [ $i -lt 20 ]; do
			echo 3 >/proc/sys/vm/drop_caches
			sleep 0.2
			i=$((i + 1))
		done
	) &
	fsprobe stress-files . 2 5
	wait
	fsprobe verify ballast 0 3000000 1
}
check "inodes may be dropped from memory at any time" pressure

shut_down() {
	for mode in 0 1 2; do
		fsprobe stress-ended "$MNT" 5 $mode
		remount_fresh
		fsprobe fill "$MNT/after" 0 100000 $mode
		fsprobe verify "$MNT/after" 0 100000 $mode
	done
}
# A shell in the file system would keep it mounted.
cd /
check "4 processes write, map, rename and fsync while the file system is shut down, in each mode" shut_down
cd "$MNT" || exit 1
rm -rf ./*
finish
