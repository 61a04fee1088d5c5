#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
# fs-nfs.sh - vmemfs exported by the kernel's NFS server, to a client on the same machine
. "${TESTS_DIR:-/tests}/fs-lib.sh"
. /tests/nfs-lib.sh

options=commit=0,noatime

start() {
	mkdir -p /nfs /var/lib/nfs/v4recovery
	nfs_serve "$MNT" 127.0.0.1
	mount -t nfs4 -o addr=127.0.0.1,clientaddr=127.0.0.1,vers=4.2,actimeo=0 127.0.0.1:/ /nfs
	cd /nfs
	mkdir first
	: >first/file
	echo some >first/file
	same "$(cat "$MNT/first/file")" some
	rm -r first
}

# durable COMMAND...: the server has answered, and there was nothing left to flush
durable() {
	before=$(counter flushes)
	"$@"
	after=$(counter flushes)
	[ "$after" -gt "$before" ] || echo "no flush: $*"
	[ "$after" -gt "$before" ]
	sync
	[ "$(counter flushes)" -eq "$after" ] || echo "something was left: $*"
	same "$(counter flushes)" "$after"
}

# flushed COMMAND...: freeing what was removed may be left
flushed() {
	before=$(counter flushes)
	"$@"
	[ "$(counter flushes)" -gt "$before" ]
}

create() {
	: >"$1"
}

replies() {
	cd /nfs
	durable create c
	durable mkdir d
	durable ln c d/hard
	durable ln -s c soft
	durable mknod fifo p
	durable mv c d/moved
	durable chmod 600 d/moved
	durable touch -d 2001-02-03 d/moved
	durable fsprobe truncate d/moved 70000
	create over
	flushed mv -f over fifo
	flushed rm fifo
	flushed rm d/moved
	flushed rm d/hard soft
	flushed rmdir d
}

written() {
	cd /nfs
	create w
	sync
	durable fsprobe write-sync w 20000
	rm w
}

# The client keeps its handles; the server knows nothing of them but the numbers.
restarted() {
	cd /nfs
	mkdir -p a/b/c
	echo kept >a/b/c/file
	sync
	cd a/b/c
	nfs_stop
	umount "$MNT"
	mount_fs $options
	nfs_serve "$MNT" 127.0.0.1
	same "$(cat file)" kept
	echo more >new
	same "$(cat "$MNT/a/b/c/new")" more
	mkdir sub
	mv sub ../sub
	[ -d "$MNT/a/b/sub" ]
	cd /nfs
	rm -r a
}

# Some are made and others removed all the time, and looked up by handle.
busy() {
	cd /nfs
	for i in 1 2 3 4; do
		(
			mkdir $i
			fsprobe create-many $i 40
			rm -r $i
		) &
	done
	cd "$MNT"
	fsprobe stale-handles "$MNT" 100 0x12345678
	wait
	same "$(ls /nfs)" ""
}

stop() {
	umount /nfs
	nfs_stop
}

cd /
umount "$MNT"
mount_fs $options
check "the kernel's NFS server exports it" start
check "what a reply tells of names and attributes is on the host's disk" replies
check "and what was written, when the client asks for that" written
check "handles of files and directories live on when the server starts anew" restarted
check "four clients make and remove files while stale handles are tried" busy
cd /
check "the server ends, and lets it go" stop
finish
