#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
# fs-sync.sh - what is durable on the host when a call returns: -o sync, -o dirsync, NFS
. "${TESTS_DIR:-/tests}/fs-lib.sh"

# durable COMMAND...: it flushed, and left nothing to flush
durable() {
	before=$(counter flushes)
	"$@"
	[ "$DURABILITY" = host ] || return 0
	after=$(counter flushes)
	[ "$after" -gt "$before" ] || echo "no flush: $*"
	[ "$after" -gt "$before" ]
	sync
	[ "$(counter flushes)" -eq "$after" ] || echo "something was left: $*"
	same "$(counter flushes)" "$after"
}

# flushed COMMAND...: it flushed; what it need not keep may be left
flushed() {
	before=$(counter flushes)
	"$@"
	[ "$DURABILITY" != host ] || [ "$(counter flushes)" -gt "$before" ]
}

create() {
	: >"$1"
}

names() {
	durable create c
	durable mkdir d
	durable ln c d/hard
	durable ln -s c soft
	durable mknod fifo p
	durable mv c d/moved
	durable fsprobe renameat2 d/moved fifo exchange
	create over
	flushed mv -f over fifo
	flushed rm fifo
	flushed rm d/moved d/hard soft
	flushed rmdir d
}

sync_names() {
	remount_fresh commit=0,sync
	cd "$MNT"
	names
	cd /
}

sync_attributes() {
	cd "$MNT"
	durable create f
	durable fsprobe append f 5000bytes
	durable chmod 600 f
	durable chown 7:8 f
	durable touch -d 2001-02-03 f
	durable fsprobe truncate f 100
	durable fsprobe truncate f 100000
	durable chmod 700 .
	rm f
	cd /
}

dirsync_names() {
	remount_fresh commit=0,dirsync
	cd "$MNT"
	names
	cd /
}

# Data and attributes are not names.
dirsync_data() {
	[ "$DURABILITY" = host ] || return 0
	cd "$MNT"
	create f
	before=$(counter flushes)
	fsprobe append f 5000
	chmod 600 f
	same "$(counter flushes)" "$before"
	rm f
	cd /
}

o_sync() {
	remount_fresh commit=0
	cd "$MNT"
	create f
	sync
	durable fsprobe write-sync f 5000
	rm f
	cd /
}

cd /
check "-o sync: names are on the host's disk when a call returns" sync_names
check "-o sync: and so are data and attributes" sync_attributes
check "-o dirsync: names are on the host's disk when a call returns" dirsync_names
check "-o dirsync: data and attributes wait for fsync" dirsync_data
check "O_SYNC: what is written is on the host's disk" o_sync

cd "$MNT" || exit 1
rm -rf ./*
finish
