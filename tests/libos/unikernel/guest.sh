#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
# In the Linux guest: verify the unikernel's tree, write one for it.
set -e
mkdir -p /mnt
mount -t vmemfs /dev/pmem0 /mnt
cd /mnt

n=0
while read -r sum length path; do
	[ "$(cksum "$path")" = "$sum $length $path" ] || { echo "$path differs" && exit 1; }
	n=$((n + 1))
done <ours/sums
[ "$n" -eq 24 ] || { echo "$n files, not 24" && exit 1; }
[ "$(readlink ours/link)" = sub/file0 ]

mkdir -p theirs/deep/er
for i in 1 2 3 4 5 6 7 8; do
	head -c $((i * 7001)) /dev/urandom >theirs/deep/er/f$i
	cksum theirs/deep/er/f$i >>theirs/sums
done
cd /
umount /mnt
