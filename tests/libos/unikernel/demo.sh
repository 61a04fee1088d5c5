#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# unikernel/demo.sh - SQLite as a unikernel: boot, insert, kill -9, boot again
set -eu

top=$(cd "$(dirname "$0")/../../.." && pwd)
# shellcheck source=tests/libos/unikernel/lib.sh
. "$top/tests/libos/unikernel/lib.sh"

now() {
	date +%s%3N
}

sql() {
	"$run" --timeout $limit -o stats "$store" "$bin/sqlite3" /demo.db "$@" </dev/null >"$work/out"
}

mkdir -p "$work/rootfs"
i=0
while [ $i -lt 20000 ]; do
	echo "INSERT INTO t(v) VALUES(hex(randomblob(100))); SELECT 'ack '||max(n)||'.' FROM t;"
	i=$((i + 1))
done >"$work/rootfs/fill.sql"
echo "SQLite's own shell, a static Linux program, and a store of 64 MiB; below them 150 KiB of shim, no kernel"
new_store 64M "$work/rootfs"

start=$(now)
sql 'PRAGMA journal_mode=wal' 'CREATE TABLE t(n INTEGER PRIMARY KEY, v)'
echo "boot 1: the table is made; QEMU's start to its end: $(($(now) - start)) ms"
sed -n 's/^vmemos: us from the PVH entry: .* \([0-9]*\) in the program/        from the entry into the machine to the program: \1 us/p' "$work/out"

: >"$work/acks"
"$run" --timeout $limit --pidfile "$work/pid" "$store" "$bin/sqlite3" /demo.db '.read /fill.sql' \
	</dev/null >"$work/acks" 2>/dev/null &
job=$!
tries=0
while ! grep -q '^ack' "$work/acks" && [ $tries -lt 600 ]; do
	tries=$((tries + 1))
	sleep 0.1
done
sleep 1
kill -9 "$(cat "$work/pid")"
wait $job 2>/dev/null || :
job=
acked=$(sed -n 's/^ack \([0-9]*\)\.$/\1/p' "$work/acks" | tail -n 1)
echo "boot 2: rows are inserted, each told when its commit returned; QEMU killed (SIGKILL) after row ${acked:-0}"
[ -n "$acked" ] || { echo "demo: no row was inserted in a minute" >&2 && exit 1; }

start=$(now)
sql 'SELECT count(*), max(n) FROM t' 'PRAGMA integrity_check'
rows=$(sed -n 's/^\([0-9]*\)|.*/\1/p' "$work/out")
echo "boot 3: $rows rows, integrity_check: $(grep -x ok "$work/out" || echo DAMAGED), $(($(now) - start)) ms"
"$top/build/tools/fsck.vmemfs" -n "$store" | sed 's,^[^:]*:,fsck.vmemfs:,'
[ "$rows" -ge "$acked" ] && grep -qx ok "$work/out" ||
	{ echo "demo: rows were lost: $acked were acknowledged" >&2 && exit 1; }
echo "every acknowledged row is there"
