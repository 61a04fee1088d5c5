#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
# hosts-nfs.sh - stores on NFS 4.2: this machine is the server and two of its clients

. /tests/hosts-lib.sh
. /tests/nfs-lib.sh

serve() {
	mkfs.ext4 -q -m 0 /dev/vda
	mkdir -p /export /a /b /c /var/lib/nfs/v4recovery
	mount -t ext4 /dev/vda /export
	nfs_serve /export 127.0.0.1 127.0.0.2 127.0.0.3
}

# client FOLDER NUMBER [,OPTION...]: a client of its own, with its own page cache.  The
# server knows clients by their host names; Linux takes two mounts from one
# server for one client unless they name two addresses.
client() {
	unshare -u sh -c "hostname client-$2 && mount -t nfs4 -o \
		addr=127.0.0.$2,clientaddr=127.0.0.1,vers=4.2,nosharecache,actimeo=600$3 127.0.0.$2:/ $1"
}

# QEMU on a host with another boot id.
other_host() {
	sed 's/^......../00000000/' /proc/sys/kernel/random/boot_id >/tmp/boot_id
	cat >/tests/other-host <<-'END'
		#!/bin/sh
		[ $$ != 1 ] && [ -z "$OTHER_HOST" ] && OTHER_HOST=1 exec unshare -m "$0" "$@"
		mount --bind /tmp/boot_id /proc/sys/kernel/random/boot_id
		exec /usr/sbin/qemu-system-x86_64 "$@"
	END
	chmod 755 /tests/other-host
}

locked_by_server() {
	hold "file=/a/disk.img,size=8M"
	refuses "in use by another process (locked)" "file=/b/disk.img"
	refuses "in use by another process (locked)" "file=/b/disk.img,readonly=on"
	release
	accepts "file=/b/disk.img"
}

shared_by_readers() {
	hold "file=/a/disk.img,readonly=on"
	accepts "file=/b/disk.img,readonly=on"
	refuses "in use by another process (locked)" "file=/b/disk.img"
	release
}

check "a kernel NFS server and three clients" \
	eval 'serve && client /a 1 && client /b 2 && client /c 3 ,soft,timeo=40,retrans=1'
other_host
check "the lock is the server's: a VM on another client is refused" locked_by_server
check "and readers share the file" shared_by_readers
device_tests /a access-test space-test
export VMEMSTORE_TEST_PEER=/b VMEMSTORE_TEST_SERVER=/export VMEMSTORE_TEST_SOFT=/c \
	VMEMSTORE_TEST_PEER_QEMU=/tests/other-host VMEMSTORE_TEST_STOP="echo 0 >/proc/fs/nfsd/threads"
device_tests /a network-test
finish
