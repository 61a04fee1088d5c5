#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# unikernel/kill.sh - kill SQLite's machine at random moments: no acknowledged row may be lost
#
# usage: tests/libos/unikernel/kill.sh [KILLS [CUTS [SEED]]]
#
# Each cycle is one boot: SQLite's shell checks what the last one left, then
# inserts rows and tells of each when its commit has returned, until the
# machine is killed.  KILLS times QEMU is killed (SIGKILL); CUTS times the power
# is cut: of what was not flushed the next boot finds a random part (the
# device's x-powercut).  Journal modes take turns; after each, fsck.vmemfs -n.
# A quarter of the kills each meet SQLite and a key-value store linked with the
# library, and four power cuts this SQLite, whose VFS says SAFE_APPEND.
# At the end the same is done to shims that are wrong on purpose and must fail.
set -eu

top=$(cd "$(dirname "$0")/../../.." && pwd)
# shellcheck source=tests/libos/unikernel/lib.sh
. "$top/tests/libos/unikernel/lib.sh"

kills=${1:-10}
cuts=${2:-6}
seed=${3:-1}
faulty=$top/build/libos/bare-faults/loader.elf

# random N: sets $rnd to 0 .. N-1
state=$seed
random() {
	state=$(((state * 1103515245 + 12345) % 2147483648))
	rnd=$((state / 65536 % $1))
}

# The store with an empty table and the statements that fill it.
prepare() {
	mkdir -p "$work/rootfs"
	i=0
	while [ $i -lt 12000 ]; do
		echo "INSERT INTO t(v) VALUES(hex(randomblob(100))); SELECT 'ack '||max(n)||'.' FROM t;"
		i=$((i + 1))
	done >"$work/rootfs/fill.sql"
	new_store 32M "$work/rootfs"
	boot "$bin/sqlite3" /t.db 'CREATE TABLE t(n INTEGER PRIMARY KEY, v)'
	acked=0
}

# start MODE OPTION...: a boot that checks, then fills; sets $job
start() {
	case $1 in
	# With less than EXTRA SQLite does not sync the unlink of its journal, which is
	# the commit: after a power cut, not after a kill, the last row may be undone.
	rollback) mode="PRAGMA journal_mode=delete; PRAGMA synchronous=$synchronous" ;;
	wal) mode="PRAGMA journal_mode=wal" ;;
	mmap) mode="PRAGMA journal_mode=wal; PRAGMA mmap_size=30000000" ;;
	esac
	shift
	rm -f "$work/pid"
	"$run" --timeout $limit --pidfile "$work/pid" "$@" "$store" "$bin/sqlite3" /t.db "$mode" \
		'PRAGMA integrity_check' "SELECT 'rows '||count(*)||' '||max(n)||'.' FROM t" \
		'.read /fill.sql' </dev/null >"$work/out" 2>"$work/err" &
	job=$!
}

# Kill it a moment after the first acknowledgement; one time in six at any moment.
kill_it() {
	tries=0
	random 6
	early=$rnd
	while [ ! -s "$work/pid" ] || { [ "$early" -ne 0 ] && ! grep -q '^ack' "$work/out"; }; do
		kill -0 $job 2>/dev/null && [ $tries -lt 6000 ] || return 1
		tries=$((tries + 1))
		sleep 0.05
	done
	random 50
	sleep "0.$(printf '%02d' "$rnd")"
	kill -9 "$(cat "$work/pid")" 2>/dev/null || return 1
	wait $job 2>/dev/null || :
	job=
}

# The store becomes what its disk has; a kill before the device was there is no cut.
cut_power() {
	if [ -e "$work/shadow.img" ]; then
		mv "$work/shadow.img" "$store"
	elif grep -q '^ack' "$work/out"; then
		echo "# the device kept no image of the disk"
		return 1
	fi
}

# What the boot that was just killed had found: all that was acknowledged before it.
judge() {
	rows=$(sed -n 's/^rows \([0-9]*\) \([0-9]*\)\.$/\1 \2/p' "$work/out")
	if [ -n "$rows" ]; then
		[ "${rows% *}" -eq "${rows#* }" ] && [ "${rows% *}" -ge "$acked" ] ||
			{ echo "# $acked rows were acknowledged; rows and last one are: $rows"; return 1; }
		grep -qx ok "$work/out" || { grep -v '^ack' "$work/out" | head -n 5 | sed 's/^/# /'; return 1; }
	elif grep -qv '^ack' "$work/out" && grep -qi 'error\|malformed\|vmemos:' "$work/out"; then
		head -n 5 "$work/out" | sed 's/^/# /'
		return 1
	fi
	newest=$(sed -n 's/^ack \([0-9]*\)\.$/\1/p' "$work/out" | tail -n 1)
	[ -z "$newest" ] || acked=$newest
}

# cycle NUMBER KIND OPTION...: KIND is kill or cut
cycle() {
	number=$1
	kind=$2
	shift 2
	case $((number % 3)) in 0) set -- rollback "$@" ;; 1) set -- wal "$@" ;; 2) set -- mmap "$@" ;; esac
	synchronous=FULL
	if [ "$kind" = cut ]; then
		synchronous=EXTRA
		random 100000
		set -- "$@" -d "x-powercut=$work/shadow.img,x-powercut-seed=$rnd"
	fi
	cp --sparse=always "$store" "$work/before.img"
	start "$@"
	kill_it || { cat "$work/out" "$work/err" | tail -n 5 | sed 's/^/# /' && return 1; }
	[ "$kind" = kill ] || cut_power || return 1
	judge || return 1
	clean >"$work/fsck.log" 2>&1 || { sed 's/^/# /' "$work/fsck.log" && return 1; }
}

# cycles KIND COUNT OPTION...: all of them; and what the last one left
cycles() {
	cycles_kind=$1
	cycles_left=$2
	shift 2
	while [ "$cycles_left" -gt 0 ]; do
		cycle "$cycles_left" "$cycles_kind" "$@" || return 1
		cycles_left=$((cycles_left - 1))
		[ $((cycles_left % 20)) -ne 0 ] || echo "# $cycles_left to go, $acked rows acknowledged"
	done
	boot "$bin/sqlite3" /t.db 'PRAGMA integrity_check' \
		"SELECT 'rows '||count(*)||' '||max(n)||'.' FROM t" || return 1
	judge
}

# own KIND COUNT IMAGE WORD...: a unikernel that fills and checks by itself, killed or cut off
own() {
	own_kind=$1
	own_left=$2
	own_image=$bin/$3
	shift 3
	acked=0
	new_store 64M
	while [ "$own_left" -gt 0 ]; do
		own_mode=
		case $own_image-$((own_left % 2)) in
		*sql.elf-0) own_mode="PRAGMA journal_mode=delete; PRAGMA synchronous=EXTRA" ;;
		*sql.elf-1) own_mode="PRAGMA journal_mode=wal" ;;
		esac
		random 100000
		[ "$own_kind" = cut ] && own_cut=x-powercut=$work/shadow.img,x-powercut-seed=$rnd || own_cut=
		rm -f "$work/pid"
		"$run" --timeout $limit --pidfile "$work/pid" ${own_cut:+-d "$own_cut"} --image "$own_image" "$store" \
			"$@" fill $((acked + 1)) ${own_mode:+"$own_mode"} </dev/null >"$work/out" 2>"$work/err" &
		job=$!
		kill_it || { tail -n 5 "$work/out" "$work/err" | sed 's/^/# /' && return 1; }
		[ "$own_kind" = kill ] || cut_power || return 1
		# A line that was cut is none.
		[ -z "$(tail -c 1 "$work/out")" ] || sed -i '$d' "$work/out"
		newest=$(sed -n 's/^ack \([0-9]*\)$/\1/p' "$work/out" | tail -n 1)
		[ -z "$newest" ] || acked=$newest
		boot --image "$own_image" "$@" check "$acked" || { sed 's/^/# /' "$work/out" && return 1; }
		clean >"$work/fsck.log" 2>&1 || { sed 's/^/# /' "$work/fsck.log" && return 1; }
		own_left=$((own_left - 1))
		[ $((own_left % 20)) -ne 0 ] || echo "# $own_left to go, $acked rows acknowledged"
	done
}

report() {
	if "$@"; then
		result 0 "$name ($acked rows acknowledged)"
	else
		result 1 "$name; seed $seed"
		# The store as the boot that found the damage was given it.
		cp "$work/before.img" "$top/build/log/unikernel-kill.img" 2>/dev/null || :
		cp "$work/out" "$top/build/log/unikernel-kill.out" 2>/dev/null || :
	fi
}

# must_fail REASON COMMAND...: a shim that is wrong on purpose is caught, and this is what shows it
must_fail() {
	must_say=$1
	shift
	if "$@" >"$work/control.log" 2>&1; then
		result 1 "$name"
		return
	fi
	[ -z "$job" ] || { kill -9 "$(cat "$work/pid" 2>/dev/null)" 2>/dev/null && wait $job 2>/dev/null || :; }
	job=
	if grep -q "$must_say" "$work/control.log"; then
		grep -m 1 "$must_say" "$work/control.log" | sed 's/^#* */# /'
		result 0 "$name"
	else
		tail -n 10 "$work/control.log" | sed 's/^#* */# /'
		result 1 "$name: it failed for another reason"
	fi
}

# An unlinked file is open when the machine is killed: its space comes back.
orphan_comes_back() {
	new_store 32M
	rm -f "$work/pid"
	"$run" --timeout $limit --pidfile "$work/pid" "$@" "$store" "$bin/probe" orphan \
		</dev/null >"$work/out" 2>"$work/err" &
	job=$!
	tries=0
	while ! grep -q '^orphan' "$work/out"; do
		kill -0 $job 2>/dev/null && [ $tries -lt 6000 ] || return 1
		tries=$((tries + 1))
		sleep 0.05
	done
	kill -9 "$(cat "$work/pid")"
	wait $job 2>/dev/null || :
	job=
	boot /bin/busybox true && clean
}

prepare
name="$kills times SIGKILL: every acknowledged row is there, databases and store are whole"
report cycles kill "$kills"
prepare
unflushed=$(((kills + 2) / 3))
name="$unflushed times SIGKILL with durability=guest: the same, without a flush"
report cycles kill $unflushed -o durability=guest
prepare
name="$cuts power cuts: the same"
report cycles cut "$cuts"
own=$(((kills + 3) / 4))
name="$own times SIGKILL of SQLite on the library, without a libc: the same"
report own kill $own sqlite-sql.elf /own.db
name="4 power cuts of SQLite on the library, without a libc: the same"
report own cut 4 sqlite-sql.elf /own.db
name="$own times SIGKILL of the key-value example with pointers in the store: the same"
report own kill $own kv.elf
check "an unlinked file that was open when QEMU was killed is gone, its space free" \
	orphan_comes_back --loader "$faulty"

prepare
name="control: with an fsync that does nothing power cuts lose rows, or all"
must_fail 'acknowledged; rows and last one\|malformed\|not a database\|no such table\|DAMAGED\|(-117)' \
	cycles cut 30 --loader "$faulty" -o x-break=FLUSH
name="control: with orphans that are not noted their space is lost"
must_fail "no directory leads to it" orphan_comes_back --loader "$faulty" -o x-break=ORPHAN
echo "1..$count"
exit $failed
