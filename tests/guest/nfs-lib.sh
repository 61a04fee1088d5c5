# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# nfs-lib.sh - the kernel's NFS server without its daemons; sourced, not run
#
# What mountd would answer is put into the server's caches (net/sunrpc/cache.c,
# fs/nfsd/export.c: one line each, with an expiry time).
# shellcheck shell=sh

# nfs_serve FOLDER ADDRESS...: to clients that come from those
nfs_serve() {
	nfs_folder=$1
	shift
	forever=4000000000
	[ -e /proc/fs/nfsd/threads ] || mount -t nfsd nfsd /proc/fs/nfsd
	ip link set lo up
	for address in "$@"; do
		echo "nfsd $address $forever client" >/proc/net/rpc/auth.unix.ip/channel
	done
	# Flags: insecure port, no root squash, fsid; fsid type 1 is a number.
	echo "client $nfs_folder $forever 8194 65534 65534 0" >/proc/net/rpc/nfsd.export/channel
	echo "client 1 \\x00000000 $forever $nfs_folder" >/proc/net/rpc/nfsd.fh/channel
	echo "-3 +4 +4.2" >/proc/fs/nfsd/versions
	echo "tcp 2049" >/proc/fs/nfsd/portlist
	echo 4 >/proc/fs/nfsd/threads
	echo Y >/proc/fs/nfsd/v4_end_grace
}

# It forgets its clients and its exports.
nfs_stop() {
	echo 0 >/proc/fs/nfsd/threads
	for cache in auth.unix.ip nfsd.fh nfsd.export; do
		echo $(($(date +%s) + 2)) >/proc/net/rpc/$cache/flush
	done
}
