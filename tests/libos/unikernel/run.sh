#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# unikernel/run.sh - the own platform and the loader: boots, programs, faults, costs
#
# usage: tests/libos/unikernel/run.sh [PART...]
#
# Parts: boots library shipped probe calls faults guard sqlite lmdb guests costs.  Kills are
# in kill.sh.  Prints TAP.
set -eu

top=$(cd "$(dirname "$0")/../../.." && pwd)
# shellcheck source=tests/libos/unikernel/lib.sh
. "$top/tests/libos/unikernel/lib.sh"

# ---- boots: every machine type, and a CPU without what is optional ----

boots_with() {
	boot "$@" /bin/busybox echo "hello from" here && [ "$(cat "$work/out")" = "hello from here" ]
}

# A file written in one boot, on one machine, is read in the next on another.
state_moves_between_machines() {
	boot -M q35 /bin/busybox cp /bin-of-busybox /copy &&
		boot -M pc /bin/busybox cmp /copy /bin-of-busybox &&
		boot -M microvm /bin/busybox rm /copy
}

reads_only() {
	boot -d readonly=on /bin/busybox sha256sum /bin-of-busybox &&
		grep -q "^$(sha256sum </bin/busybox | cut -d' ' -f1)" "$work/out" &&
		! boot -d readonly=on /bin/busybox touch /new && grep -q "Read-only file system" "$work/out" &&
		boot /bin/bash-static -c '[ -w /bin-of-busybox ]' &&
		! boot -d readonly=on /bin/bash-static -c '[ -w /bin-of-busybox ]'
}

devices_by_number() {
	boot /bin/busybox mknod /zero c 1 5 && boot /bin/busybox mknod /null c 1 3 &&
		boot /bin/busybox dd if=/zero of=/zeros bs=1000 count=5 && boot /bin/busybox cp /zeros /null &&
		boot /bin/busybox sha256sum /zeros /null &&
		grep -q "^$(head -c 5000 /dev/zero | sha256sum | cut -d' ' -f1)  /zeros" "$work/out" &&
		grep -q "^$(sha256sum </dev/null | cut -d' ' -f1)  /null" "$work/out"
}

reads_standard_input() {
	printf 'two\nlines\n\004' | "$run" --timeout $limit "$store" /bin/busybox cat >"$work/out" &&
		[ "$(tr -d '\r' <"$work/out")" = "$(printf 'two\nlines')" ]
}

# A store of 64 MiB on a disk of 24: the host runs full, the machine goes on.
thin_store_on_a_full_host() {
	mkdir -p "$work/thin"
	# The variables are those of the shell in there.
	# shellcheck disable=SC2016
	sh -euc '
		mount -t tmpfs -o size=24m thin "$3"
		trap "umount $3" EXIT
		store=$3/store.img run="$1 --timeout $4 -d prealloc=off"
		truncate -s 64M "$store"
		"$2/mkfs.vmemfs" -q "$store"
		$run "$store" /bin/busybox mknod /zero c 1 5
		status=0
		$run "$store" /bin/busybox dd if=/zero of=/big bs=1M count=48 || status=$?
		[ $status -eq 1 ]
		$run "$store" /bin/busybox rm /big
		$run "$store" /bin/busybox ls /
		"$2/fsck.vmemfs" -n "$store"
	' sh "$run" "$top/build/tools" "$work/thin" $limit </dev/null >"$work/out" 2>&1 || { cat "$work/out" && return 1; }
	grep -q 'No space left on device' "$work/out"
}

# refuses PATTERN ARG...: run says one line, with the pattern, and 125
refuses() {
	pattern=$1
	shift
	status=0
	"$run" --timeout $limit "$@" </dev/null >"$work/out" 2>"$work/err" || status=$?
	cat "$work/out" "$work/err"
	[ $status -eq 125 ] && [ "$(cat "$work/out" "$work/err" | wc -l)" -eq 1 ] &&
		cat "$work/out" "$work/err" | grep -q -- "$pattern"
}

# The loader as someone starts it by hand, without a store.
bare_machine() {
	status=0
	timeout $limit qemu-system-x86_64 -M q35 -accel tcg -m 128 -nodefaults -display none -no-reboot \
		-serial stdio -device isa-debug-exit,iobase=0xf4,iosize=4 \
		-kernel "$top/build/libos/bare/loader.elf" -initrd /bin/busybox -append "$1" \
		</dev/null >"$work/out" || status=$?
	cat "$work/out"
	[ $status -eq 253 ] && [ "$(wc -l <"$work/out")" -eq 1 ] && grep -q "$2" "$work/out"
}

# The last segment of a program gets a size that wraps around.
wrapping_segment() {
	cp "$bin/probe" "$work/wraps"
	last=$(readelf -lW "$work/wraps" | awk '/^  [A-Z_]+ +0x/ { if ($1 == "LOAD") last = n; n++ } END { print last + 0 }')
	printf '\377\377\377\377\377\377\377\377' |
		dd of="$work/wraps" bs=1 seek=$((64 + 56 * last + 40)) conv=notrunc status=none
	refuses "has a segment that cannot be loaded" "$store" "$work/wraps"
}

takes_commas() {
	cp "$store" "$work/a,b=c.img" &&
		"$run" --timeout $limit "$work/a,b=c.img" /bin/busybox true </dev/null
}

test_refusals() {
	line=$(head -c 4096 /dev/zero | tr '\0' a)
	check "no vmemstore device: one line, 125" bare_machine "-- x" "no vmemstore device"
	check "a command line of 4096 bytes" bare_machine "$line" "more than 4095 bytes"
	check "run does not start with one" refuses "command line has" "$store" /bin/busybox echo "$line"
	# One word each.
	# shellcheck disable=SC2046
	check "more than 64 words" refuses "more than 64 words" "$store" /bin/busybox echo $(seq 64)
	check "an unknown option" refuses "unknown option -o durabilty=host" -o durabilty=host "$store" /bin/busybox true
	check "an option whose number is none" refuses "takes a number" -o time=abc "$store" /bin/busybox true
	check "a store without a file system: make one" refuses "no vmemfs found: run mkfs" "$work/empty.img" /bin/busybox true
	cp "$store" "$work/cut.img"
	truncate -s 16M "$work/cut.img"
	check "a store that was truncated: restore it, and no word of mkfs" \
		refuses "which says how to keep the rest.\{0,1\}$" "$work/cut.img" /bin/busybox true
	cp "$store" "$work/bad.img"
	printf x | dd of="$work/bad.img" bs=1 seek=100 conv=notrunc status=none
	check "a damaged superblock: fsck, and no word of mkfs" \
		refuses "damaged (checksum): run fsck.vmemfs.\{0,1\}$" "$work/bad.img" /bin/busybox true
	check "a dynamic program" refuses "link it with -static" "$store" /bin/ls
	check "what is no program" refuses "not an x86-64 Linux executable" "$store" "$top/README.md"
	check "a program with a segment that wraps around" wrapping_segment
}

test_boots() {
	mkdir -p "$work/rootfs"
	cp /bin/busybox "$work/rootfs/bin-of-busybox"
	new_store 32M "$work/rootfs"
	for machine in q35 pc microvm; do
		check "$machine boots, runs a program and ends with its status" boots_with -M $machine
	done
	check "a CPU without AVX, XSAVE, RDRAND and 1 GiB pages is enough" boots_with --cpu qemu64
	check "64 MiB of memory are enough" boots_with -m 64
	check "memory above 4 GiB is used" boots_with -m 4500
	check "what one machine wrote another reads" state_moves_between_machines
	check "device nodes are what their number says" devices_by_number
	check "a store that the host shows read-only is mounted so" reads_only
	check "a thin store on a full host disk gives ENOSPC, and nothing dies" thin_store_on_a_full_host
	check "standard input is the console's, from the first byte on" reads_standard_input
	check "a store's path may have commas" takes_commas
	dd if=/dev/zero of="$work/empty.img" bs=1M count=4 status=none
	test_refusals
}

# ---- library: its own tests, each a unikernel of its own ----

library_program() {
	boot --image "$bin/$1.elf" && ! grep -q '^not ok' "$work/out" && grep '^ok' "$work/out"
}

library_crash() {
	boot --image "$bin/crash.elf" leave && clean && boot --image "$bin/crash.elf" find && clean
}

test_library() {
	for program in files paths areas pointers space; do
		new_store 128M
		check "the library's test '$program' passes as a unikernel" library_program $program
	done
	new_store 8M
	check "the library's test 'durable' passes as a unikernel" library_program durable
	new_store 32M
	check "what a boot that just ended left the next one finds" library_crash
}

# ---- shipped: Debian's static programs, byte for byte ----

as_shipped() {
	for package in busybox-static bash-static e2fsck-static; do
		(cd / && md5sum -c --quiet "/var/lib/dpkg/info/$package.md5sums" 2>/dev/null) ||
			# Documentation may have been left out; the programs may not.
			(cd / && grep ' s\{0,1\}bin/' "/var/lib/dpkg/info/$package.md5sums" | md5sum -c --quiet)
	done
}

tar_keeps_a_tree() {
	boot /bin/busybox tar xf /tree.tar &&
		boot /bin/busybox sha256sum -c /tree/sums &&
		boot -M microvm /bin/busybox find /tree -type f &&
		[ "$(grep -c . "$work/out")" -eq 41 ] &&
		boot /bin/busybox awk '{ n++ } END { print n }' /tree/sums && grep -qx 40 "$work/out"
}

bash_keeps_state() {
	# The variables are bash's in the machine.
	# shellcheck disable=SC2016
	boot /bin/bash-static -c 'for i in {1..100}; do echo "line $i"; done >/lines; mapfile l </lines; exit ${#l[@]}' ||
		[ $? -eq 100 ] || return 1
	# shellcheck disable=SC2016
	boot /bin/bash-static -c 'n=0; while read -r w i; do ((n += i)); done </lines; echo "sum $n"; [[ -s /lines ]]' &&
		grep -qx 'sum 5050' "$work/out" &&
		! boot /bin/bash-static -c 'exit 3' && boot /bin/bash-static -c 'kill -0 $$; cd /tree && pwd' &&
		grep -qx /tree "$work/out"
}

e2fsck_repairs() {
	status=0
	boot /sbin/e2fsck.static -f -y /ext4.img || status=$?
	[ $status -eq 1 ] || { cat "$work/out" && return 1; }
	boot /sbin/e2fsck.static -f -n /ext4.img && extract ext4.img "$work/ext4.out" &&
		e2fsck -f -n "$work/ext4.out"
}

test_shipped() {
	rm -rf "$work/rootfs"
	mkdir -p "$work/rootfs" "$work/tree"
	for i in $(seq 40); do
		head -c $((i * 1999)) /dev/urandom >"$work/tree/file$i"
	done
	(cd "$work" && sha256sum tree/file* | sed 's,tree/,/tree/,' >sums && mv sums tree/sums)
	tar -C "$work" -cf "$work/rootfs/tree.tar" tree
	truncate -s 8M "$work/rootfs/ext4.img"
	mke2fs -q -t ext4 -d "$work/tree" "$work/rootfs/ext4.img"
	# Two inodes that nobody names, and a bitmap that is wrong.
	debugfs -w -R 'unlink file7' "$work/rootfs/ext4.img" 2>/dev/null
	debugfs -w -R 'freeb 1000 200' "$work/rootfs/ext4.img" 2>/dev/null
	new_store 64M "$work/rootfs"
	check "the programs are byte for byte what Debian ships" as_shipped
	check "busybox-static: tar, sha256sum, find and awk, a boot each" tar_keeps_a_tree
	check "bash-static: scripts without fork, state between boots" bash_keeps_state
	check "e2fsck-static repairs an image, which the host's e2fsck confirms" e2fsck_repairs
	check "the store is whole afterwards" clean
}

# ---- probe: what the loader serves ----

probe_passes() {
	boot "$@" || { grep -v '^ok' "$work/out" && return 1; }
	! grep '^not ok' "$work/out" && [ "$(grep -c '^ok' "$work/out")" -eq 17 ]
}

probe_native() {
	(cd "$work" && "$bin/probe") >"$work/out" && ! grep '^not ok' "$work/out"
}

test_probe() {
	new_store 32M
	check "the probe passes on the host's Linux" probe_native
	check "the same binary passes on the loader" probe_passes "$bin/probe"
	check "static-PIE, on microvm" probe_passes -M microvm "$bin/probe-pie"
	check "durability=guest" probe_passes -o durability=guest "$bin/probe"
	check "a mapping is moved with all its pages, or not, when memory is used up" boot -m 64 "$bin/probe" exhaust
	check "a CPU without optional features" probe_passes --cpu qemu64 "$bin/probe"
	check "the store is whole afterwards" clean
}

# ---- calls: what system calls answer ----

# The same lines from Linux and from the loader: Linux says what is right.
as_linux() {
	mkdir -p "$work/native"
	(cd "$work/native" && timeout $limit "$bin/aslinux") >"$work/linux" || return 1
	boot "$@" "$bin/aslinux" || { cat "$work/out" "$work/err" && return 1; }
	tr -d '\r' <"$work/out" | diff "$work/linux" -
}

# ends STATUS PATTERN PROGRAM ARG...
ends() {
	want=$1
	pattern=$2
	shift 2
	status=0
	boot "$@" || status=$?
	cat "$work/out"
	[ $status -eq "$want" ] && grep -q -- "$pattern" "$work/out"
}

random_numbers() {
	boot /bin/busybox mknod /random c 1 8 && boot /bin/busybox mknod /urandom c 1 9 &&
		boot "$bin/probe" random 1 && boot --cpu qemu64 "$bin/probe" random 0
}

test_calls() {
	new_store 32M
	check "system calls answer as Linux does, line by line" as_linux
	check "and on a CPU without optional features" as_linux --cpu qemu64
	check "a wait that nobody can end is told, and ends: status 134" \
		ends 134 "deadlock: the program waits for ever for a lock" "$bin/aslinux" forever
	check "random numbers come from the CPU, and where it has none nobody says so" random_numbers
	check "the store is whole afterwards" clean
}

# ---- faults: what and where, a status, and an end ----

# fault KIND STATUS PATTERN...: each pattern is in the report; on the CPU $model, if that is set
model=
fault() {
	kind=$1
	want=$2
	shift 2
	status=0
	case $kind in
	image:*) boot --image "$bin/fault.elf" "${kind#image:}" || status=$? ;;
	*) boot ${model:+--cpu $model} "$bin/probe" fault "$kind" || status=$? ;;
	esac
	[ $status -eq "$want" ] || { cat "$work/out" "$work/err" && echo "status $status" && return 1; }
	for pattern; do
		grep -q -- "$pattern" "$work/out" || { cat "$work/out" && echo "no '$pattern'" && return 1; }
	done
}

test_faults() {
	new_store 32M
	check "a null pointer: address, symbol, status 139" \
		fault null 139 "write at 0x0000000000000008: null pointer" "fault_null+0x" "rax "
	check "a store to code" fault code 139 "not allowed by the mapping" "fault_code+0x"
	check "an invalid instruction" fault invalid 132 "invalid instruction" "fault_invalid+0x"
	check "a division by zero" fault divide 136 "division error" "fault_divide+0x"
	check "an endless recursion" fault stack 139 "not mapped" "fault_stack+0x" "called from .*fault_stack"
	check "no stack at all" fault no_stack 139 "page fault" "fault_no_stack+0x"
	check "a jump to nowhere" fault jump 139 "instruction at 0x0000000000000010"
	check "data as code" fault data_as_code 139 "instruction at" "called from .*main+0x"
	check "an address that is none" fault general 139 "general protection" "fault_general+0x"
	check "a mapping behind the end of the file: status 135" fault beyond 135 "behind the end" "fault_beyond+0x"
	check "a store to a read-only mapping" fault read_only 139 "not allowed" "fault_read_only+0x"
	check "in a unikernel of one image: a null pointer" \
		fault image:null 139 "write at 0x0000000000000010" "store_to+0x" "on its stack .*vmemos_main+0x"
	check "a store to its code" fault image:code 139 "write at" "store_to+0x"
	check "an overflow of its stack" fault image:stack 139 "not mapped" "overflow+0x" "called from .*overflow"
	check "page tables lost: an end, too" fault tables 125
	check "a breakpoint: status 133" fault breakpoint 133 "breakpoint" "fault_breakpoint+0x"
	check "far from any function none is named" fault jump_far 139 "in the program, at 0x00007ffe00000000.\{0,1\}$"
	check "a private mapping behind the end of the file" \
		fault beyond_private 135 "behind the end" "fault_beyond_private+0x"
	check "a full store: no space for a block of the file" \
		fault full 135 "write at .*no space for a block of the file" "fault_full+0x"
	check "the store is whole afterwards" clean
}

# What is not the program's, of the store and of the machine.
test_guard() {
	new_store 32M
	for model in "" qemu64; do
		on=${model:+, on a CPU without SMAP}
		check "a store to the store's own address is a fault$on" \
			fault store 139 "write at 0x0000200000000000: in the store, but in no mapping" "fault_store+0x"
		check "also where the program has the file mapped elsewhere$on" \
			fault alias 139 "in the store, but in no mapping" "fault_alias+0x"
		check "a store to the machine's memory is one$on" \
			fault machine 139 "not the program's memory" "fault_machine+0x"
		check "a store to the device's registers is one$on" \
			fault registers 139 "not the program's memory" "fault_registers+0x"
		check "the store is whole after each of them$on" clean
	done
	model=
	check "and a look at the store, where the CPU has SMAP" \
		fault store_read 139 "read at 0x0000200000001000: in the store" "fault_store_read+0x"
	check "the store is whole afterwards" clean
}

# ---- sqlite: unmodified through the loader; and on the library, without a libc ----

native_hash() {
	rm -f "$work"/native.db*
	"$bin/speedtest1" --size 2 --verify "$work/native.db" | grep '^Verification Hash'
}

# speedtest NAME ARG...: the same hash as natively, a whole database, and store
speedtest() {
	speedtest_db=$1
	shift
	boot "$@" --size 2 --verify ${mode:+$mode} "/$speedtest_db" || { tail "$work/out" && return 1; }
	[ "$(grep '^Verification Hash' "$work/out")" = "$hash" ] || { tail -n 3 "$work/out" && return 1; }
	rm -f "$work"/taken.db*
	extract "$speedtest_db" "$work/taken.db"
	if extract "$speedtest_db-wal" "$work/taken.db-wal" >/dev/null; then :; fi
	"$bin/sqlite3" "$work/taken.db" 'pragma integrity_check' | grep -qx ok && clean
}

test_sqlite() {
	hash=$(native_hash)
	new_store 64M
	for mode in "" "--journal wal" "--journal wal --mmap 100000000"; do
		check "speedtest1 through the loader${mode:+, $mode}: the native hash, integrity_check on the host" \
			speedtest "test$count.db" "$bin/speedtest1"
	done
	for mode in "" "--journal wal"; do
		check "speedtest1 on the library, without a libc${mode:+, $mode}: the native hash" \
			speedtest "test$count.db" --image "$bin/sqlite-speedtest1.elf"
	done
}

# ---- lmdb: its own tests; what they get lies in the store ----

lmdb_test() {
	boot /bin/busybox rm -rf /testdb && boot /bin/busybox mkdir /testdb || return 1
	boot ${writemap:+-o env=INSIDE_WRITEMAP=1} "$bin/$1" || { tail -n 5 "$work/out" && return 1; }
	inside=$(sed -n 's/^inside: \([0-9]*\) .*/\1/p' "$work/out")
	echo "$inside pointers into the store"
	[ "$1" = mtest6 ] || [ "${inside:-0}" -gt 0 ]
}

lmdb_on_the_host() {
	mkdir -p "$work/testdb"
	extract testdb/data.mdb "$work/testdb/data.mdb" && "$bin/mdb_stat" -a -r "$work/testdb" && clean
}

test_lmdb() {
	new_store 64M
	for writemap in "" yes; do
		for program in mtest mtest2 mtest3 mtest4 mtest5 mtest6; do
			check "LMDB's $program${writemap:+ with MDB_WRITEMAP}: its data lies in the store" lmdb_test $program
		done
	done
	check "the host's mdb_stat reads what LMDB left" lmdb_on_the_host
}

# ---- guests: the same store for a unikernel, Linux and the host's tools ----

linux_reads_and_writes() {
	"$top/tests/vm/run-vm" --store "$store" --modules "vmemstore vmemfs" --timeout $limit \
		--add /usr/bin/cksum --mem 256 "$here/guest.sh"
}

test_guests() {
	new_store 32M
	check "a unikernel writes a tree" show --image "$bin/tree.elf" write 5 ours
	check "fsck.vmemfs finds it whole" clean
	check "Linux reads it, and writes one" linux_reads_and_writes
	check "a unikernel reads what Linux wrote" show --image "$bin/tree.elf" verify theirs
	check "and, on microvm, its own" show -M microvm --image "$bin/tree.elf" verify ours
	check "fsck.vmemfs finds all of it whole" clean
}

# ---- costs: exits are counted, times only told ----

# exits WORDS...: doorbells of a boot
doorbells() {
	boot "$@" >/dev/null || { cat "$work/out" >&2 && return 1; }
	stat_of doorbells
}

# cost OPTION COMMAND WANTED: exits for each of 100 operations
cost() {
	none=$(doorbells -o stats -o "$1" "$bin/probe" "$2" 0)
	all=$(doorbells -o stats -o "$1" "$bin/probe" "$2" 100)
	echo "$((all - none)) exits for 100"
	[ $((all - none)) -eq $((100 * $3)) ]
}

# instructions DOMAIN LIMIT...: counted, not timed; one for each of the ways, in their order
instructions() {
	boot --qemu -icount --qemu shift=0,sleep=off -d flush-in-vcpu=on -o tsc_khz=1000000 \
		--image "$bin/cost.elf" "$1" || { cat "$work/out" && return 1; }
	sed "s/^/# durability=$1: /" "$work/out" >"$work/cost-$1"
	shift
	awk -v limits="$*" -F': ' 'BEGIN { ways = split(limits, most, " ") }
		{ print; split($2, n, " "); if (n[1] > most[++lines]) bad = 1 }
		END { exit bad || lines != ways }' "$work/out"
}

test_costs() {
	new_store 32M
	# A third more than they take.
	check "a durable write takes at most the instructions that it should, in the domain guest" \
		instructions guest 1700 1810 7300 9400 830
	check "and in the domain host" instructions host 1700 2070 13000 10500 1600
	cat "$work"/cost-* 2>/dev/null || :
	check "an append of 16 KiB with fdatasync is one exit: data and log go together" \
		grep -q '16 KiB appended.* 100 exits' "$work/cost-host"
	check "a durable 4 KiB overwrite is one exit, in the domain host" cost durability=host ops 1
	check "and none in the domain guest" cost durability=guest ops 0
	check "a store through a mapping that was read before is flushed by msync: one exit" \
		cost durability=host mapped 1
	check "making and removing names is no exit" cost durability=host names 0
	boot -o stats /bin/busybox true
	sed -n 's/^vmemos: us from/# us from/p' "$work/out"
	size -t "$top/build/libos/bare/libvmemos_pvh.a" | awk 'END { print "# platform: text " $1 ", data " $2 ", bss " $3 }'
	size -t "$top/build/libos/bare/libvmemos.a" | awk 'END { print "# library with the core: text " $1 ", data " $2 ", bss " $3 }'
	size "$top/build/libos/bare/loader.elf" | awk 'END { print "# loader.elf, all of it: text " $1 ", data " $2 ", bss " $3 }'
}

for part in ${*:-boots library shipped probe calls faults guard sqlite lmdb guests costs}; do
	test_"$part"
done
echo "1..$count"
exit $failed
