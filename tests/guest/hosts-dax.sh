#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
# hosts-dax.sh - stores on persistent memory (an emulated nvdimm): ext4 and xfs with -o dax

. /tests/hosts-lib.sh

# The flag "sf" of a mapping in smaps: MAP_SYNC (Documentation/filesystems/proc.rst).
mapped_sync() {
	hold "file=$1/sync.img,size=8M"
	flags=$(awk '/sync.img/ { ours = 1 } ours && /^VmFlags/ { print; exit }' \
		"/proc/$(pidof qemu-system-x86_64)/smaps")
	echo "$1/sync.img: ${flags:-not mapped by $(pidof qemu-system-x86_64)}"
	release
	case " $flags " in *" sf "*) ;; *) return 1 ;; esac
}

# on KIND MKFS MOUNT-OPTION PROGRAM...: all of it on one file system
on() {
	mkdir "/$1"
	kind=$1
	check "$1 with -o $3" eval "$2 /dev/pmem0 && mount -t $1 -o $3 /dev/pmem0 /$1"
	check "/$1: a store is announced as dax" says dax "file=/$1/a.img,size=8M" \
		"qom-get /machine/peripheral/v backing"
	check "/$1: it is mapped with MAP_SYNC" mapped_sync "/$1"
	shift 3
	device_tests "/$kind" "$@"
	umount "/$kind"
}

check "an nvdimm in mode fsdax" make_fsdax
# What a flush does to a mapping with MAP_SYNC is the same on both.
on ext4 "mkfs.ext4 -q -F -b 4096" dax access-test flush-test
on xfs "mkfs.xfs -q -f -m reflink=0" dax=always access-test
finish
