#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# libos/run.sh - the library in a process of the host; prints TAP
#
# usage: tests/libos/run.sh [NAME...]		parts: programs linux negative example unikraft kv same cost sqlite
#
# After each program fsck.vmemfs looks at the image that it left.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
out=$top/build/tests-libos
sqlite=$top/build/libos/sqlite
native=$top/build/libos/sqlite-native
kills=${KILLS:-8}

work=$(mktemp -d "${TMPDIR:-/tmp}/libos-test.XXXXXX")
jail=
trap 'rm -rf "$work" $jail' EXIT
# shellcheck source=tests/tap.sh
. "$top/tests/tap.sh"
why=$work/out

# build DIR [WORD...]: make there, or tell why not
build() {
	dir=$1
	shift
	make -s -j2 -C "$dir" "$@" >"$work/build.log" 2>&1 || {
		cat "$work/build.log" >&2
		echo "the tests do not build: see above" >&2
		exit 2
	}
}

image() {
	rm -f "$2"
	"$top/build/tools/mkfs.vmemfs" -q -s "$1" "$2"
}

# The image holds together, the host's tools say.
fsck() {
	"$top/build/tools/fsck.vmemfs" -n "$1" >"$work/fsck" 2>&1 || {
		sed 's/^/# /' "$work/fsck"
		return 1
	}
}

# program IMAGE NAME [WORD...]: its own TAP, renumbered, and the check of the image
program() {
	store=$1
	name=$2
	shift 2
	status=0
	"$out/$name" "$store" "$@" >"$work/out" 2>&1 || status=$?
	while IFS= read -r line; do
		case $line in
		"ok - "* | "not ok - "*)
			good=0
			[ "${line#ok}" != "$line" ] || good=1
			result $good "$name: ${line#*- }"
			;;
		esac
	done <"$work/out"
	[ $status -eq 0 ] || result 1 "$name $*: ends with status $status"
	check=0
	fsck "$store" || check=1
	[ $check -eq 0 ] || result 1 "$name $*: leaves a whole image"
}

programs() {
	store=$work/disk.img
	image 64M "$store"
	for name in files paths areas space threads; do
		program "$store" $name
	done
	mkdir "$work/opened"
	program "$store" open "$store" "$work/opened"
	program "$store" pointers make
	program "$store" pointers walk
	# A boot that just ends has not freed its locks; that is the point.
	ASAN_OPTIONS=detect_leaks=0 program "$store" crash leave
	program "$store" crash find
	program "$store" tree write 7 tree
	program "$store" tree verify tree
	program "$store" elf
	image 8M "$work/small.img"
	program "$work/small.img" durable
	image 512M "$work/large.img"
	ASAN_OPTIONS=detect_leaks=0 program "$work/large.img" burst leave
	program "$work/large.img" burst find
	rm "$work/large.img"
}

# The same random calls to the library and, in a chroot on tmpfs, to Linux.
linux() {
	seed=${SEED:-1}
	if [ "$(id -u)" -ne 0 ]; then
		count=$((count + 1))
		echo "ok $count - names and paths behave as on Linux # SKIP needs root"
		return
	fi
	jail=$(mktemp -d /dev/shm/libos-test.XXXXXX)
	store=$work/linux.img
	image 32M "$store"
	echo "# SEED=$seed"
	ASAN_OPTIONS=detect_leaks=0 program "$store" likelinux "$jail" "$seed"
	rm -rf "$jail"
}

# caught SENTENCE REASON PROGRAM IMAGE WORD...: what is wrong on purpose is why the program fails
caught() {
	sentence=$1
	reason=$2
	caught_by=$3
	shift 3
	bad=0
	ASAN_OPTIONS=detect_leaks=0 "$out/$caught_by" "$@" >"$work/out" 2>&1 && bad=1
	grep -q "^# $caught_by\.c:[0-9]*: $reason" "$work/out" && grep -q '^not ok - ' "$work/out" || bad=1
	result $bad "$sentence"
}

# Each must fail, for this reason: the test would notice what it is for.
negative() {
	store=$work/disk.img
	image 8M "$store"
	for property in "fsync makes a file durable on the host" \
		"persist makes an area durable, by one flush" "fsync, sync and release take areas along"; do
		"$out/durable" "$store" "$property" >"$work/out" 2>&1 && grep -q "^ok - $property" "$work/out" ||
			result 1 "the test passes: $property"
		# The file is not there, or not its bytes.
		caught "with fsync as a no-op the test fails: $property" '\(vmemos_open\|.*memcmp\|.*is_pattern\)' \
			durable "$store" noflush "$property"
	done
	image 64M "$store"
	ASAN_OPTIONS=detect_leaks=0 "$out/crash" "$store" leave >"$work/out" 2>&1
	export VMEM_BREAK=ORPHANS_KEPT
	caught "with orphans kept the test fails: the storage of unlinked files is free after a crash" \
		'free_blocks()' crash "$store" find
	unset VMEM_BREAK
	image 64M "$store"
	ASAN_OPTIONS=detect_leaks=0 VMEM_BREAK=ORPHAN "$out/crash" "$store" leave >"$work/out" 2>&1
	caught "with orphans not noted the test fails: the storage of unlinked files is free after a crash" \
		'free_blocks()' crash "$store" find
}

# kill_loop NAME TIMES COMMAND...: fill, be killed, check; {} is fill's or check's number
kill_loop() {
	what=$1
	times=$2
	shift 2
	acked=0
	lost=0
	busy=0
	i=0
	while [ $i -lt "$times" ]; do
		: >"$work/acks"
		"$@" fill $((acked + 1)) >"$work/acks" 2>"$work/out" &
		pid=$!
		# At random after the first acknowledgement; now and then in the mount.
		tries=0
		while [ $((i % 5)) -ne 4 ] && ! grep -q '^ack' "$work/acks" && [ $tries -lt 15000 ]; do
			sleep 0.02
			tries=$((tries + 1))
		done
		sleep "0.$(printf '%02d' $((i * 37 % 50)))"
		kill -9 $pid 2>/dev/null || :
		end=0
		wait $pid 2>/dev/null || end=$?
		# Whoever looks at a process that has died keeps its lock for a moment.
		if [ $end -eq 125 ] && [ $busy -lt 50 ]; then
			busy=$((busy + 1))
			sleep 0.1
			continue
		fi
		# On a fast disk it may be full, and has ended, before the kill.
		[ $end -eq 137 ] || [ $end -eq 0 ] || lost=$((lost + 1))
		last=$(sed -n 's/^ack \([0-9]*\)$/\1/p' "$work/acks" | tail -n 1)
		acked=${last:-$acked}
		# A check with half of the kills, else the next fill recovers.
		if [ $((i % 2)) -eq 1 ] || [ $i -eq $((times - 1)) ]; then
			"$@" check "$acked" >"$work/out" 2>&1 || lost=$((lost + 1))
			fsck "$store" || lost=$((lost + 1))
		fi
		[ $lost -eq 0 ] || break
		if [ $end -eq 0 ]; then
			image 64M "$store"
			acked=0
		fi
		i=$((i + 1))
	done
	result $lost "$what: $times SIGKILLs lose none of $acked acknowledged rows"
}

kv() {
	store=$work/kv.img
	image 64M "$store"
	status=0
	"$out/kv" "$store" set color blue >"$work/out" 2>&1 || status=$?
	"$out/kv" "$store" set color green >>"$work/out" 2>&1 || status=$?
	[ "$("$out/kv" "$store" get color)" = green ] || status=1
	[ "$("$out/kv" "$store" list)" = color=green ] || status=1
	result $status "kv: what one process set another one finds, by pointers in the store"
	fsck "$store" || result 1 "kv leaves a whole image"
	image 64M "$store"
	kill_loop kv "$kills" "$out/kv" "$store"
}


# One store: written by the library, recovered and verified by Linux, and back.
same() {
	store=$work/same.img
	image 64M "$store"
	status=0
	"$out/tree" "$store" write 3 by-shim >"$work/out" 2>&1 || status=$?
	ASAN_OPTIONS=detect_leaks=0 "$out/crash" "$store" leave >>"$work/out" 2>&1 || status=$?
	result $status "same store: a process writes a tree, and is killed"
	fsck "$store" && status=0 || status=1
	"$top/tests/vm/run-vm" --store "$store" --modules "vmemstore vmemfs" --add /usr/bin/cksum --mem 256 --append no_timer_check \
		--timeout 900 --log "$work/console" "$here/guest-same.sh" >"$work/out" 2>&1 || status=$?
	[ "$(grep -c '^linux: ' "$work/out")" -eq 4 ] || status=1
	result $status "same store: Linux recovers it, verifies the tree, and writes one of its own"
	fsck "$store" && status=0 || status=1
	for dir in by-linux by-shim; do
		"$out/tree" "$store" verify $dir >"$work/out" 2>&1 || status=1
	done
	result $status "same store: a process recovers it and verifies both trees"
	fsck "$store" && status=0 || status=1
	contents "$store" by-shim/file5 | cksum | cut -d' ' -f1,2 >"$work/sum"
	contents "$store" by-shim/sums | grep ' by-shim/file5$' | cut -d' ' -f1,2 | cmp -s - "$work/sum" || status=1
	result $status "same store: the host's tools check it and read it"
	unikernel
}

# The third guest: the own platform, by the same pointers.
unikernel() {
	build "$top/libos-shim" examples
	build "$here/unikernel" "$top/build/unikernel/tree.elf"
	status=0
	"$out/kv" "$store" set color blue >"$work/out" 2>&1 || status=1
	"$top/libos-shim/run" --timeout 900 --image "$top/build/unikernel/kv.elf" "$store" get color \
		</dev/null >"$work/out" 2>&1 || status=1
	tr -d '\r' <"$work/out" | grep -qx blue || status=1
	"$top/libos-shim/run" --timeout 900 --image "$top/build/unikernel/kv.elf" "$store" set shape round \
		</dev/null >>"$work/out" 2>&1 || status=1
	[ "$("$out/kv" "$store" get shape)" = round ] || status=1
	result $status "same store: a unikernel and a process follow each other's pointers"
	"$top/libos-shim/run" --timeout 900 --image "$top/build/unikernel/tree.elf" "$store" verify by-linux \
		</dev/null >"$work/out" 2>&1 && status=0 || status=1
	fsck "$store" || status=1
	result $status "same store: a unikernel verifies the tree that Linux wrote"
}

# contents IMAGE PATH: by the host's tools
contents() {
	ino=$("$top/build/tools/dump.vmemfs" -r -t "$1" | awk -v path="/$2" '$NF == path { print $1 }')
	"$top/build/tools/dump.vmemfs" -r -c "$ino" "$1"
}

# What operations cost; and docs/libos.md shows the example that is compiled.
cost() {
	build "$here" FAST=1 CFLAGS="-O2 -g"
	store=$work/cost.img
	image 64M "$store"
	status=0
	"$top/build/tests-libos-fast/cost" "$store" check >"$work/out" 2>&1 || status=$?
	grep -E '^(not )?ok - ' "$work/out" >"$work/lines" || status=1
	while IFS= read -r line; do
		good=0
		[ "${line#ok}" != "$line" ] || good=1
		result $good "cost: ${line#*- }"
	done <"$work/lines"
	[ $status -eq 0 ] || result 1 "cost: all operations measured"
}

example() {
	store=$work/hello.img
	image 16M "$store"
	sed -n '/^```c$/,/^```$/p' "$top/docs/libos.md" | sed '/^```/d' >"$work/doc.c"
	status=0
	tail -n +2 "$top/libos-shim/examples/hello.c" | cmp -s - "$work/doc.c" || status=1
	result $status "docs/libos.md shows the example as it is"
	"$out/hello" "$store" >"$work/out" 2>&1 && "$out/hello" "$store" >>"$work/out" 2>&1 || status=1
	[ "$(cat "$work/out")" = "boot number 1
boot number 2" ] || status=1
	result $status "the example of docs/libos.md counts its boots"
	fsck "$store" || result 1 "the example leaves a whole image"
}

# The Unikraft driver: its operations on a stand-in for vfscore; all of it compiles.
unikraft() {
	store=$work/unikraft.img
	image 32M "$store"
	program "$store" unikraft
	status=0
	make -s -j2 -C "$here/unikraft" >"$work/out" 2>&1 || status=1
	result $status "unikraft: what Makefile.uk lists compiles, and needs no more than Unikraft's interface"
}

hash_of() {
	sed -n 's/^Verification Hash: //p' "$1"
}

sqlite() {
	build "$top/libos-shim/sqlite"
	build "$top/libos-shim/sqlite" native
	store=$work/sqlite.img
	image 128M "$store"
	(cd "$work" && "$native/speedtest1" --size 5 --verify native.db) >"$work/native" 2>&1
	want=$(hash_of "$work/native")
	for options in "" "--journal wal" "--mmap 100000000" "--journal wal --mmap 100000000"; do
		status=0
		# shellcheck disable=SC2086
		"$sqlite/speedtest1" "$store" --size 5 --verify $options test.db >"$work/out" 2>&1 || status=1
		[ -n "$want" ] && [ "$(hash_of "$work/out")" = "$want" ] || status=1
		case $options in
		*mmap*) grep -q 'pages read in the store [1-9]' "$work/out" || status=1 ;;
		esac
		contents "$store" test.db >"$work/test.db"
		[ "$("$native/shell" "$work/test.db" 'PRAGMA integrity_check')" = ok ] || status=1
		fsck "$store" || status=1
		result $status "sqlite: speedtest1 ${options:-(rollback journal)}: hash and integrity as on the host's own files"
	done
	for mode in "PRAGMA journal_mode=delete" "PRAGMA journal_mode=wal"; do
		image 64M "$store"
		kill_loop "sqlite, $mode" "$kills" sqlite_kill
	done
}

# A function cannot be killed: exec.
sqlite_kill() {
	if [ "$1" = fill ]; then
		exec "$sqlite/sql" "$store" rows.db fill "$2" "$mode"
	fi
	"$sqlite/sql" "$store" rows.db check "$2" "$mode"
}

[ -x "$top/build/tools/mkfs.vmemfs" ] || build "$top/guestfs/tools"
build "$here"
[ $# -gt 0 ] || set -- programs linux negative example unikraft kv same cost sqlite
for part; do
	case $part in
	programs | linux | negative | example | unikraft | kv | same | cost | sqlite) $part ;;
	*) echo "no such part: $part" >&2 && exit 2 ;;
	esac
done
echo "1..$count"
exit $failed
