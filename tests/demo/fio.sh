#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
# In the guest: the journaling jobs in both durabilities.
set -e

mkdir -p /mnt
for durability in host guest; do
	mount -t vmemfs -o durability=$durability /dev/pmem0 /mnt
	fio --name=random-write --directory=/mnt --ioengine=psync --fsync=1 --randseed=7 \
		--rw=randwrite --bs=4k --size=16m --verify=crc32c --verify_fatal=1 \
		--output-format=json --output=/share/1-random-write-$durability.json
	fio --name=append --directory=/mnt --ioengine=psync --fsync=1 --fallocate=none \
		--rw=write --bs=512 --size=1m --file_append=1 --verify=crc32c --verify_fatal=1 \
		--output-format=json --output=/share/2-append-$durability.json
	umount /mnt
done
