#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# guest-session.sh - change two file systems, say what is durable, wait for the kill
#
# Prints "sum HASH NAME" for each file whose contents and name are durable, on
# /dev/pmem0 (durability=host) by fsync, on /dev/pmem1 (guest) because the call
# has returned; then "ready".
set -eu

# durable NAME...: fsync the files and the directories they are in
durable() {
	[ "$domain" = guest ] || sync "$@" . sub
}

change() {
	mkdir sub
	i=0
	while [ $i -lt 40 ]; do
		head -c $((i * 517)) /dev/urandom >sub/$i
		i=$((i + 1))
	done
	durable sub/*
	head -c 1000000 /dev/urandom >large
	head -c 100 /dev/urandom >small
	echo renamed >before
	durable large small before
	head -c 8192 /dev/urandom | dd of=large bs=4096 seek=7 conv=notrunc 2>/dev/null
	durable large
	for i in 1 2 3 4 5 6; do
		echo "line $i" >>small
		durable small
	done
	mv before after
	rm sub/3
	truncate -s 5000 sub/20
	durable sub/20
	sha256sum large small after sub/* | sed 's/^/sum /'
}

# What a host failure may or may not take; it must not take more.
leave_unsynced() {
	head -c 300000 /dev/urandom >unsynced
	mkdir unsynced-dir
	mv sub unsynced-dir/
	mv unsynced-dir/sub .
	echo more >unsynced-dir/file
}

for domain in host guest; do
	device=/dev/pmem0
	[ $domain = host ] || device=/dev/pmem1
	mkdir /tmp/$domain
	mount -t vmemfs -o "durability=$domain,commit=0" $device /tmp/$domain
	cd /tmp/$domain
	echo "domain $domain"
	change
	leave_unsynced
done
echo ready
sleep 600
