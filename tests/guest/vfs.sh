#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
# vfs.sh - the same to ext4 -o dax (/dev/pmem1) and to vmemfs (/dev/pmem0)

. /tests/lib.sh
umask 022
mkdir -p /ext4 /vmemfs

# answer QUESTION COMMAND...
answer() {
	question=$1
	shift
	if "$@" 2>/tmp/answer; then
		echo "$question: accepted"
	else
		echo "$question: refused"
	fi
}

# with_options TYPE DISK OPTIONS
with_options() {
	mount -t "$1" -o "$3" "$2" /m && umount /m
}

second_mount() {
	mount -t "$1" -o "$2" "$3" /m2 && umount /m2
}

# ask_mounts TYPE DISK: which options it takes; nothing is mounted
ask_mounts() {
	mkdir -p /m /m2
	echo "# mounts"
	for option in dax dax=always dax=inode dax=never errors=remount-ro errors=continue errors=panic \
		errors=maybe acl noacl user_xattr discard nodiscard commit=10 commit=-1 sync dirsync noatime \
		nodiratime relatime strictatime lazytime ro noexec,nosuid,nodev dax,errors=remount-ro,noacl \
		data=ordered barrier=1 nobarrier usrquota noload iversion nosuchoption; do
		answer "$option" with_options "$1" "$2" "$option"
	done
	mount -t "$1" -o dax "$2" /m
	answer "a second mount" second_mount "$1" dax "$2"
	answer "a second mount, read-only" second_mount "$1" ro,dax "$2"
	answer "a second mount, with another option" second_mount "$1" dax,commit=77 "$2"
	echo "which changes the first: $(grep -c " /m .*commit=77" /proc/mounts || :)"
	for option in ro rw errors=remount-ro errors=continue noatime dax nosuchoption; do
		answer "remount $option" mount -o "remount,$option" /m
	done
	umount /m
}

# ask_shutdown TYPE DISK: what it is then, in each mode; the next mount has what was fsynced
ask_shutdown() {
	for mode in 2 1 0; do
		mount -t "$1" -o dax "$2" /m
		rm -rf /m/down
		mkdir /m/down
		touch /m/down/unseen
		vfsprobe /m/down $mode | if [ $mode = 2 ]; then cat; else grep -v "^#" | sed "s/^/mode $mode, /"; fi
		umount /m
		mount -t "$1" -o dax "$2" /m
		echo "mode $mode, and what was fsynced: $(stat -c %s /m/down/kept)"
		umount /m
	done
}

# In the directory, for a program of 32 bits.
ask_32bit() {
	mkdir "$1/rd"
	(cd "$1/rd" && seq 300 | sed s/^/entry-/ | xargs touch)
	truncate -s 3G "$1/big"
	echo "# 32-bit programs"
	(cd "$1" && vfs32)
}

on_ext4() {
	wait_until [ -b /dev/pmem1 ]
	mkfs.ext4 -q -F -b 4096 -L vfs-test /dev/pmem1
	ask_mounts ext4 /dev/pmem1 >/share/ext4
	ask_shutdown ext4 /dev/pmem1 >>/share/ext4
	mount -t ext4 -o dax /dev/pmem1 /ext4
	mkdir /ext4/probe
	vfsprobe /ext4/probe >>/share/ext4
	ask_32bit /ext4/probe >>/share/ext4
}
check "ext4 -o dax answers all questions" on_ext4

# on_vmemfs DURABILITY
on_vmemfs() {
	ask_mounts vmemfs /dev/pmem0 >"/share/$1"
	ask_shutdown vmemfs /dev/pmem0 >>"/share/$1"
	fsck.vmemfs -n /dev/pmem0
	mount -t vmemfs -o "durability=$1" /dev/pmem0 /vmemfs
	mkdir "/vmemfs/$1"
	vfsprobe "/vmemfs/$1" >>"/share/$1"
	ask_32bit "/vmemfs/$1" >>"/share/$1"
	umount /vmemfs
	fsck.vmemfs -n /dev/pmem0
}
for durability in host guest; do
	check "vmemfs answers all questions, durability=$durability" on_vmemfs $durability
done
# Both are mounted from here on.
mount -t vmemfs -o durability=host /dev/pmem0 /vmemfs

# on_layers NAME OPTIONS LOWER UPPER: what an overlay with layers on these file systems shows
on_layers() {
	mkdir -p "$3/$1/lower" "$4/$1/upper"
	shown=/share/$1
	in_namespace=
	case $2 in
	*userxattr*) in_namespace="unshare -Urm" ;;
	esac
	$in_namespace /tests/overlay.sh "$3/$1/lower" "$4/$1/upper" "$2" >"$shown" 2>&1 || {
		cat "$shown"
		return 1
	}
}

# Upper and lower layer on vmemfs, and of the first options each beside one on ext4.
overlay() {
	on_layers "overlay-$1" "$2" /ext4 /ext4
	grep "^is the same" "/share/overlay-$1"
	for layers in "/vmemfs /vmemfs" ${3:+"/vmemfs /ext4" "/ext4 /vmemfs"}; do
		# shellcheck disable=SC2086
		on_layers "vmemfs-$1" "$2" $layers
		diff "/share/overlay-$1" "/share/vmemfs-$1"
		rm -rf "/vmemfs/vmemfs-$1" "/ext4/vmemfs-$1"
	done
}
mkdir -p /overlay
check "an overlay with layers on vmemfs is as on ext4" overlay plain index=off,redirect_dir=off,metacopy=off both
check "so it is with an index and redirected directories" overlay index index=on,redirect_dir=on,metacopy=off
check "so it is with copies of metadata alone" overlay metacopy redirect_dir=on,metacopy=on,index=off
check "so it is for a user namespace" overlay user userxattr

other_durability() {
	dmesg -c >/tmp/dmesg
	expect_fail mount -t vmemfs -o durability=guest /dev/pmem0 /m
	dmesg | grep "pmem0 is mounted with durability=host already"
	mount -t vmemfs -o durability=host /dev/pmem0 /m
	echo seen >/m/through-both
	same "$(cat /vmemfs/through-both)" seen
	umount /m
}
check "a second mount cannot have another durability" other_durability

clean_end() {
	umount /vmemfs
	umount /ext4
	fsck.vmemfs -n /dev/pmem0
}
check "both are unmounted, and vmemfs is clean" clean_end
echo "1..$tap_count"
[ $tap_failed -eq 0 ]
