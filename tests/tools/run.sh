#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# run.sh - tests of mkfs.vmemfs, fsck.vmemfs, dump.vmemfs and the checker; prints TAP
#
# usage: tests/tools/run.sh [PATTERN]    (those whose sentence has it; no VM, about a minute)
#   SEED=n	of what is damaged at random (default: 1)
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
tools=$top/build/tools-san
# A finding of the sanitizers must not look like an exit status of the tools.
export ASAN_OPTIONS=exitcode=99 LSAN_OPTIONS=exitcode=99 UBSAN_OPTIONS=print_stacktrace=1:exitcode=99

make -s -C "$here" >&2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
cd "$work"

. "$top/tests/tap.sh"
why=log
pattern=${1:-}

# A test: a name and a function that must end well under set -e.
check() {
	echo "$1" | grep -q -- "$pattern" || return 0
	set +e
	(set -e; "$2") >log 2>&1
	status=$?
	set -e
	result "$status" "$1"
}

# A command that must end with the given status.
status() {
	want=$1
	shift
	got=0
	"$@" || got=$?
	[ "$got" -eq "$want" ] || { echo "$* ended with $got instead of $want"; return 1; }
}

mkfs() { "$tools/mkfs.vmemfs" "$@"; }
fsck() { "$tools/fsck.vmemfs" "$@"; }
dump() { "$tools/dump.vmemfs" "$@"; }
resize() { "$tools/resize.vmemfs" "$@"; }

# inode of a path inside an image
inode_of() { dump -t "$1" | awk -v p="$2" '{ if ($7 == p) print $1 }'; }

# no superblock is at its start
is_not_made() { [ "$(head -c 6 "$1" | tr '\0' 0)" != VMEMFS ]; }

# overwrite bytes of an image: file, offset, octal escapes
poke() { printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none; }

# ---- mkfs ----

mkfs_creates() {
	mkfs -s 32M -L label -U 01234567-89ab-cdef-0123-456789abcdef new.img
	[ "$(stat -c %s new.img)" -eq 33554432 ]
	[ "$(($(stat -c '%b * %B' new.img)))" -ge 33554432 ]
	dump -s new.img >out
	grep -q 'uuid *0123456789abcdef0123456789abcdef' out
	grep -q 'label *label$' out
	status 0 fsck -n new.img
}

mkfs_keeps_others() {
	head -c 4194304 /dev/zero >foreign.img
	poke foreign.img 1080 '\123\357'		# ext4's magic
	poke foreign.img 1024 '\000\001\000\000\000\004\000\000'
	poke foreign.img 1100 '\001\000\000\000'
	before=$(md5sum <foreign.img)
	status 1 mkfs foreign.img 2>err
	cat err
	grep -q 'use -f' err
	[ "$before" = "$(md5sum <foreign.img)" ]
	mkfs -s 4M own.img
	status 1 mkfs own.img 2>err
	grep -q vmemfs err
	mkfs -f own.img
	status 0 fsck -n own.img
}

mkfs_dry_run() {
	status 0 mkfs -n -s 1T nothing.img
	[ ! -e nothing.img ]
	mkfs -q -s 4M dry.img
	before=$(md5sum <dry.img)
	mkfs -fn dry.img
	[ "$before" = "$(md5sum <dry.img)" ]
}

mkfs_refuses_nonsense() {
	status 1 mkfs -s 1M small.img
	[ ! -e small.img ]
	status 16 mkfs -s nonsense x.img
	status 16 mkfs -U 123 x.img
	status 16 mkfs
	status 1 mkfs missing.img
	status 1 mkfs /dev/null
	: >empty.img
	status 1 mkfs empty.img
	mkfs -q -s 4M four.img
	status 1 mkfs -f -s 8M four.img
	status 1 mkfs -s 64M -l 63M big-log.img
	[ ! -e big-log.img ]
}

# The device's lock: an open-file-description lock (F_OFD_SETLK is 37).
hold_lock() { # file seconds
	exec perl -e 'use Fcntl; open(F, "+<", $ARGV[0]) or die; my $l = pack("ssx4qqix4", F_WRLCK, 0, 0, 0, 0);
		fcntl(F, 37, $l) or die "no lock"; $| = 1; print "locked\n"; sleep $ARGV[1];' "$1" "$2"
}

tools_respect_the_lock() {
	mkfs -q -s 4M busy.img
	hold_lock busy.img 900 >locked &
	holder=$!
	while ! grep -q locked locked && kill -0 "$holder"; do
		sleep 0.1
	done
	grep -q locked locked
	status 1 mkfs -f busy.img 2>err
	cat err
	grep -q 'running VM' err
	status 8 fsck -n busy.img
	status 8 fsck -p busy.img
	status 0 dump -s busy.img
	kill "$holder"
	wait "$holder" 2>/dev/null || true
}

# ---- mkfs -d ----

make_tree() {
	[ ! -e tree ] || return 0
	mkdir -p tree/a/b/c tree/many 'tree/name with spaces'
	echo hello >tree/hello
	ln tree/hello tree/a/hard
	ln -s ../hello tree/a/soft
	ln -s "$(printf 'x%.0s' $(seq 1 1000))" tree/long
	mkfifo tree/fifo
	mknod tree/chr c 254 4098 && mknod tree/blk b 7 3
	head -c 3000001 /dev/urandom >tree/random
	truncate -s 70M tree/sparse
	echo data | dd of=tree/sparse bs=1 seek=40000000 conv=notrunc status=none
	: >tree/empty
	for i in $(seq 1 700); do
		echo "$i" >"tree/many/a-somewhat-longer-name-for-file-$i"
	done
	chown -R 1000:1001 tree/a
	chmod 1777 tree/a
	chmod 4755 tree/hello
	touch -h -d '2001-02-03 04:05:06.789' tree/a/soft tree/a/b tree/hello
}

mkfs_fills() {
	make_tree
	mkfs -q -s 32M -d tree tree.img
	status 0 fsck -n tree.img
	dump -t tree.img >names
	for f in hello random sparse empty many/a-somewhat-longer-name-for-file-321; do
		dump -c "$(inode_of tree.img "/$f")" tree.img | cmp - "tree/$f"
	done
	[ "$(grep -c a-somewhat-longer names)" -eq 700 ]
	[ "$(inode_of tree.img /hello)" = "$(inode_of tree.img /a/hard)" ]
	grep -q ' -4755 *2 *1000 *1001 *6 /hello$' names	# the owner came with a/hard
	grep -q ' d1777 *3 *1000 *1001 .* /a$' names
	grep -q ' /a/soft -> ../hello$' names
	grep -q ' c.* 254, *4098 /chr$' names
	grep -q ' b.* 7, *3 /blk$' names
	grep -q ' p.* /fifo$' names
	[ "$(grep '/long -> ' names | sed 's/.*-> //' | tr -d '\n' | wc -c)" -eq 1000 ]
	dump -i "$(inode_of tree.img /a/b)" tree.img | grep -q 'mtime *2001-02-03 04:05:06.789'
	dump -i "$(inode_of tree.img /sparse)" tree.img | grep -q '73400320 bytes, 1 blocks'
}

mkfs_that_does_not_fit() {
	make_tree
	status 1 mkfs -q -s 4M -d tree tiny.img 2>err
	cat err
	[ ! -e tiny.img ]
	head -c 4194304 /dev/zero >tiny.img
	status 1 mkfs -q -d tree tiny.img
	status 4 fsck -n tiny.img
}

# A tree with extended attributes of all kinds.
make_rich_tree() { # directory
	rm -rf "$1" && mkdir "$1"
	python3 - "$1" <<-'PY'
	import os, struct, sys
	os.chdir(sys.argv[1])
	for name in "ping", "ping2", "label", "user", "trusted", "acl", "mask", "plain":
	    open(name, "w").close()
	for name in "ping", "ping2":
	    os.setxattr(name, "security.capability", struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0))
	os.setxattr("label", "security.SMACK64", b"x")
	os.setxattr("user", "user.comment", b"x")
	os.setxattr("trusted", "trusted.x", b"x")
	def acl(name, kind, user, group, mask):
	    entries = (1, 6, -1), (2, user, 1000), (4, group, -1), (16, mask, -1), (32, 0, -1)
	    os.setxattr(name, "system.posix_acl_" + kind, struct.pack("<I", 2) +
	                b"".join(struct.pack("<HHi", *e) for e in entries))
	acl("acl", "access", 6, 4, 6)	# the group may read, another user write, too
	acl("mask", "access", 6, 6, 4)
	os.mkdir("dir")
	acl("dir", "default", 7, 5, 7)
	PY
}

# attribute PATH: those of the file, as dump shows them
attributes() { dump -i "$(inode_of rich.img "$1")" rich.img | sed -n '/^  attributes/,/^  [^ ]/s/^    //p'; }

mkfs_keeps_attributes() {
	make_rich_tree rich
	python3 -c 'import os; os.setxattr("rich", "user.root", b"r"); os.setxattr("rich/plain", "user.large", b"x" * 3000)' || true
	mkfs -q -s 8M -d rich rich.img 2>err
	cat err
	[ ! -s err ]
	status 0 fsck -n rich.img
	[ "$(attributes /ping)" = "security.capability 20 bytes 0100000200200000000000000000000000000000" ]
	[ "$(attributes /ping2)" = "$(attributes /ping)" ]
	[ "$(attributes /label)" = "security.SMACK64 1 bytes 78" ]
	[ "$(attributes /user)" = "user.comment 1 bytes 78" ]
	[ "$(attributes /trusted)" = "trusted.x 1 bytes 78" ]
	attributes /acl | grep -q '^system.posix_acl_access 44 bytes 0200000001000600ffffffff02000600e803000004000400ffffffff10000600ffffffff20000000ffffffff$'
	attributes /dir | grep -q '^system.posix_acl_default 44 bytes 02000000'
	attributes /plain | grep -q '^user.large 3000 bytes in blocks '
	attributes / | grep -q '^user.root 1 bytes 72$'
	# The mode of a file with a list shows its mask.
	dump -t rich.img >names
	grep -q ' -0660 .* /acl$' names
	dump -s rich.img | grep -q 'incompat 10$'
	mkdir -p poor && : >poor/file
	mkfs -q -s 8M -d poor poor.img 2>err
	[ ! -s err ]
	dump -s poor.img | grep -q 'incompat 0$'
}

# On tmpfs, which keeps all times.
mkfs_clamps_times() {
	late=$(mktemp -d /dev/shm/vmemfs.XXXXXX)
	touch -d 2500-01-01 "$late/late"
	touch -d 1500-01-01 "$late/early"
	touch -d 1960-01-01T00:00:00.25Z "$late/fits"
	code=0
	mkfs -q -s 8M -d "$late" late.img 2>err || code=$?
	rm -rf "$late"
	[ $code -eq 0 ]
	cat err
	grep -q 'note: 2 files with times outside 1677 to 2262.*/early$' err
	mtime() { dump -i "$(inode_of late.img "$1")" late.img | grep mtime; }
	mtime /late | grep '2262-04-11 23:47:15.000000000'
	mtime /early | grep '1677-09-21 00:12:45.000000000'
	mtime /fits | grep '1960-01-01 00:00:00.250000000'
}

mkfs_copies_deep_trees() {
	rm -rf deep && mkdir deep
	(cd deep && n=0 && while n=$((n + 1)) && [ $n -le 700 ]; do mkdir d && cd -P d; done && echo bottom >file)
	(ulimit -n 16 && mkfs -q -s 8M -N 1000 -d deep deep.img)
	rm -rf deep
	status 0 fsck -n deep.img >out
	cat out
	grep -q ' 1 files, 701 directories' out
	dump -c "$(dump -t deep.img | awk '/\/file$/ { print $1 }')" deep.img | grep -q bottom
}

mkfs_does_not_copy_the_image_into_itself() {
	mkdir -p around && echo hello >around/hello
	mkfs -q -s 8M -d around around/own.img 2>err
	cat err
	grep -q 'note: around/own.img is this image' err
	ln around/own.img around/second
	mkfs -q -f -d around around/second 2>err
	[ "$(grep -c 'is this image' err)" -eq 2 ]
	status 0 fsck -n around/own.img >out
	grep -q ' 1 files, 1 directories' out
}

# What may differ: where and when the tree was made, in which order, by what umask, with which holes.
mkfs_is_reproducible() {
	id=01234567-89ab-cdef-0123-456789abcdef
	# tmpfs lists names in another order: by age.
	there=$(mktemp -d /dev/shm/vmemfs.XXXXXX)
	two=$there/two
	rm -rf one && mkdir -p one/sub one/many "$two/many" "$two/sub"
	for n in $(seq 1 300); do echo "$n" >"one/many/$n"; done
	for n in $(seq 300 -1 1); do echo "$n" >"$two/many/$n"; done
	head -c 700000 /dev/urandom >one/data
	truncate -s 9M one/sub/sparse && echo end >>one/sub/sparse
	cp --sparse=never one/sub/sparse "$two/sub/sparse"
	cp one/data "$two/data"
	ln one/data one/sub/link && ln "$two/data" "$two/sub/link"
	touch -d @1000000000 one/data "$two/data"
	SOURCE_DATE_EPOCH=1500000000 mkfs -q -s 32M -U $id -d one one.img
	sleep 1.1
	(umask 077 && SOURCE_DATE_EPOCH=1500000000 mkfs -q -s 32M -U $id -d "$two" "$there/two.img") || :
	code=0
	cmp one.img "$there/two.img" || code=$?
	rm -rf "$there"
	[ $code -eq 0 ]
	# An old file stays old, nothing is newer than the time that was given.
	dump -i "$(inode_of one.img /data)" one.img >out
	grep -q 'mtime *2001-09-09 01:46:40' out
	[ "$(grep -c 'time *2017-07-14 02:40:00.000000000' out)" -eq 3 ]
	dump -c "$(inode_of one.img /sub/sparse)" one.img | cmp - one/sub/sparse
	status 0 fsck -n one.img
	# Another UUID: other bytes; no time given: the present one.
	SOURCE_DATE_EPOCH=1500000000 mkfs -q -s 32M -U 11234567-89ab-cdef-0123-456789abcdef -d one three.img
	status 1 cmp -s one.img three.img
	SOURCE_DATE_EPOCH=x status 16 mkfs -q -s 32M not.img
	SOURCE_DATE_EPOCH=99999999999999 status 16 mkfs -q -s 32M not.img
	[ ! -e not.img ]
}

mkfs_gives_inodes() {
	for i in 1K 2K 4K 8K 16K 64M; do
		rm -f many.img
		truncate -s 200M many.img
		mkfs -q -i $i many.img
		status 0 fsck -n many.img >out
		cat out
		awk -F'[ ,/]*' -v want=$((204800 / ($(echo $i | sed 's/M/*1024/; s/K//')))) \
			'{ for (i = 1; i < NF; i++) if ($(i + 1) == "inodes") exit $i < want || $i > want * 1.03 + 64 }' out
	done
	status 0 mkfs -q -n -s 64M -N 65536 many2.img
	status 1 mkfs -q -n -s 64M -N 66000 many2.img 2>err
	grep -q 'can have at most 65536' err
	for wrong in '-i 1023' '-i 65M' '-i x' '-N 0' '-i 8K -N 5'; do
		# shellcheck disable=SC2086
		status 16 mkfs -q -n -s 64M $wrong many2.img
	done
}

# More small files than one for 8 KiB; the file system grows and is full of them.
mkfs_makes_room_for_small_files() {
	rm -rf small && mkdir small
	(cd small && python3 -c "
for n in range(9000):
    open(str(n), 'w').close()")
	status 1 mkfs -q -s 16M -d small few.img 2>/dev/null
	mkfs -q -s 16M -i 1K -d small enough.img
	status 0 fsck -n enough.img
	resize -q enough.img 64M
	status 0 fsck -n enough.img
	[ "$(dump -t enough.img | wc -l)" -eq 9001 ]
}

mkfs_that_is_killed_leaves_nothing() {
	make_tree
	n=0
	while n=$((n + 1)) && [ $n -lt 60 ]; do
		rm -f killed.img
		code=0
		FAULT=kill:$n "$top/build/tests-tools/mkfs.faulty" -q -s 32M -d tree killed.img || code=$?
		[ $code -ne 0 ] || break
		[ $code -eq 137 ]
		[ ! -e killed.img ] || is_not_made killed.img
	done
	[ $n -gt 4 ] && [ $n -lt 60 ]
	[ "$(dump -t killed.img | wc -l)" -eq "$(find tree | wc -l)" ]
}

# A sparse file on a file system that becomes full, as seen through the mapping; and each flush.
mkfs_with_a_failing_disk() {
	make_tree
	for fault in bus:1 bus:2 pmem_msync:1 pmem_msync:3 pmem_msync:5 fsync:1 fsync:2 fsync:3; do
		rm -f disk.img
		truncate -s 32M disk.img
		status 1 env FAULT=$fault "$top/build/tests-tools/mkfs.faulty" -q -d tree disk.img 2>err
		cat err
		[ -s err ]
		# The last fsync is that of the superblock: it may be there, and is whole then.
		[ $fault = fsync:3 ] || is_not_made disk.img
	done
}

# A host file system of 16 MiB.
tools_on_a_full_host() {
	mkdir -p full
	mount -t tmpfs -o size=16M none full || { echo "no mount here: not tried"; return 0; }
	code=0
	(set -e; on_a_full_host) || code=$?
	umount full
	return $code
}
on_a_full_host() {
	status 1 mkfs -q -s 64M full/new.img
	[ ! -e full/new.img ]
	mkfs -q -s 8M full/small.img
	status 1 resize full/small.img 64M
	[ "$(stat -c %s full/small.img)" -eq 8388608 ]
	status 0 fsck -n full/small.img
	rm full/small.img
	truncate -s 64M full/sparse.img
	mkfs -q full/sparse.img
	mkdir -p bulk && head -c 20000000 /dev/urandom >bulk/data
	head -c 20000000 /dev/zero >full/rest 2>/dev/null || :
	status 1 mkfs -q -f -d bulk full/sparse.img 2>err
	cat err
	grep -q 'no space below a sparse file; no file system was made' err
	is_not_made full/sparse.img
}

tools_parse_their_arguments() {
	rm -f args.img
	for size in 0 -1 8MM 99999999999999999999 16E ' 8M' 8.5M 0x800000 ''; do
		status 16 mkfs -n -s "$size" args.img
		status 16 resize small.img "$size"
	done
	for size in 8m 8M 8388608 8192K; do
		mkfs -n -s $size args.img | grep -q 'vmemfs 1.0, 8 MiB'
	done
	status 16 mkfs -U 00000000-0000-0000-0000-000000000000 -s 8M args.img
	status 0 mkfs -n -U random -s 8M args.img
	status 1 mkfs -s 8M -L "$(printf 'x%.0s' $(seq 65))" args.img
	status 1 mkfs -q -s 8M -d missing args.img
	: >plain
	status 1 mkfs -q -s 8M -d plain args.img
	[ ! -e args.img ]
	mkfs -q -s 8M args.img
	status 16 dump -i abc args.img
	status 1 dump -b 99999999 args.img
	status 1 dump -i 99999999999 args.img
	status 16 dump
	status 16 dump -x args.img
	status 16 fsck -x args.img
	status 16 fsck args.img args.img
}

# shellcheck source=tests/tools/tar.sh
. "$here/tar.sh"

# ---- fsck ----

fsck_finds_damage() {
	mkfs -q -s 8M bad.img
	before=$(md5sum <bad.img)
	status 0 fsck -n bad.img
	[ "$before" = "$(md5sum <bad.img)" ]
	log_start=$(dump -s bad.img | awk '/agmeta0/ { print $2 }')
	poke bad.img $(((log_start + 2) * 4096 + 256 + 16)) '\007'	# the root's nlink
	before=$(md5sum <bad.img)
	status 4 fsck -n bad.img >out
	cat out
	grep -q 'inode 1: wrong checksum' out
	grep -q 'inode 1: link count 7 instead of 2' out
	status 4 fsck -pf bad.img >out	# a wrong checksum: some field may be wrong
	grep -q 'fsck.vmemfs -y' out
	[ "$before" = "$(md5sum <bad.img)" ]
}

fsck_repairs() {
	status 1 fsck -y bad.img >out
	cat out
	grep -q 'link count 7 .*now 2' out
	status 0 fsck -n bad.img
	before=$(md5sum <bad.img)
	status 0 fsck -y bad.img
	[ "$before" = "$(md5sum <bad.img)" ]
}

fsck_preens_what_loses_nothing() {
	mkfs -q -f -s 8M safe.img
	poke safe.img 16384 '\377\377'			# group 0: free blocks
	status 4 fsck -n safe.img
	status 1 fsck -pf safe.img
	status 0 fsck -n safe.img
}

fsck_uses_the_backup_superblock() {
	make_tree
	[ -e tree.img ] || mkfs -q -s 32M -d tree tree.img
	cp tree.img sb.img
	dd if=/dev/zero of=sb.img bs=4096 count=1 conv=notrunc status=none
	status 4 fsck -n sb.img
	status 1 fsck -y sb.img >out
	cat out
	grep -q 'from the backup' out
	status 0 fsck -n sb.img
	dump -c "$(inode_of sb.img /random)" sb.img | cmp - tree/random
}

no_root_inode() { # file
	start=$(dump -s "$1" | awk '/agmeta0/ { print $2 }')
	dd if=/dev/zero of="$1" bs=256 seek=$(((start + 2) * 16 + 1)) count=1 conv=notrunc status=none
}

fsck_finds_the_names_of_the_root() {
	make_tree
	[ -e tree.img ] || mkfs -q -s 32M -d tree tree.img
	cp tree.img root.img
	no_root_inode root.img
	status 1 fsck -y root.img
	status 0 fsck -n root.img
	dump -t tree.img | sed 's/^ *[0-9]* *//' | grep -v ' /$' | sort >before
	dump -t root.img | sed 's/^ *[0-9]* *//' | grep -v ' /$' | sort >after
	cmp before after
}

# The root directory is gone, its inode and its names: all that it held is in lost+found.
fsck_fills_lost_and_found() {
	make_tree
	[ -e tree.img ] || mkfs -q -s 32M -d tree tree.img
	cp tree.img lost.img
	random=$(inode_of tree.img /random)
	many=$(inode_of tree.img /many)
	leaf=$(dump -i 1 lost.img | sed -n 's/.*height 1, root block //p')
	dd if=/dev/zero of=lost.img bs=4096 seek="$leaf" count=1 conv=notrunc status=none
	no_root_inode lost.img
	status 1 fsck -y lost.img >out
	cat out
	status 0 fsck -n lost.img
	dump -t lost.img | grep -q "/lost+found/#$many/a-somewhat-longer-name-for-file-321\$"
	dump -c "$(inode_of lost.img "/lost+found/#$random")" lost.img | cmp - tree/random
}

# Two files claim the same blocks: both have their contents afterwards.
fsck_copies_what_two_files_claim() {
	rm -rf twins && mkdir twins
	head -c 50000 /dev/urandom >twins/one
	head -c 50000 /dev/urandom >twins/two
	mkfs -q -f -s 8M -d twins twins.img
	start=$(dump -s twins.img | awk '/agmeta0/ { print $2 }')
	one=$(((start + 2) * 4096 + $(inode_of twins.img /one) * 256))
	two=$(((start + 2) * 4096 + $(inode_of twins.img /two) * 256))
	dd if=twins.img of=twins.img bs=16 skip=$(((one + 112) / 16)) seek=$(((two + 112) / 16)) \
		count=1 conv=notrunc status=none
	status 4 fsck -n twins.img
	status 1 fsck -y twins.img >out
	cat out
	grep -q 'also belong to another inode: copied' out
	status 0 fsck -n twins.img
	for f in one two; do
		dump -c "$(inode_of twins.img /$f)" twins.img | cmp - twins/one
	done
	before=$(md5sum <twins.img)
	status 0 fsck -y twins.img
	[ "$before" = "$(md5sum <twins.img)" ]
}

# ---- fsck when something fails ----

faulty() { # fault, arguments
	what_fails=$1
	shift
	FAULT=$what_fails "$top/build/tests-tools/fsck.faulty" "$@"
}

# An image that needs more than one flush to be repaired.
broken_image() { # file
	make_tree
	[ -e tree.img ] || mkfs -q -s 32M -d tree tree.img
	[ -e broken.img ] || {
		cp tree.img broken.img
		no_root_inode broken.img
		dd if=/dev/zero of=broken.img bs=4096 count=1 conv=notrunc status=none
	}
	cp broken.img "$1"
}

fsck_without_memory() {
	broken_image memory.img
	before=$(md5sum <memory.img)
	for n in 1 2 3 7 20 50 100 150; do
		for option in -n -y; do
			code=0
			faulty calloc:$n $option memory.img >out 2>err || code=$?
			[ $code -ne 1 ] || { cp broken.img memory.img; continue; }	# fewer calls
			[ $code -eq 8 ] || [ $option = -n ] || { echo "$option, calloc $n: $code"; return 1; }
			[ $code -ne 8 ] || grep -q 'out of memory' err
			[ "$before" = "$(md5sum <memory.img)" ]
		done
	done
	for option in -n -y; do		# the first asks whether the file is DAX
		status 8 faulty mmap:2 $option memory.img 2>err
		cat err
		grep -q 'cannot map' err
		[ "$before" = "$(md5sum <memory.img)" ]
	done
}

# Each flush of a repair in turn; then it is repaired as if nothing had been.
fsck_with_a_failing_disk() {
	broken_image whole.img
	status 1 fsck -y whole.img >out
	dump -t whole.img | sed 's/^ *[0-9]* *//' >whole
	for fault in pmem_msync kill; do
		n=0
		complete=0
		while n=$((n + 1)) && [ $n -lt 30 ]; do
			broken_image disk.img
			code=0
			faulty $fault:$n -y disk.img >out 2>err || code=$?
			[ $code -ne 1 ] || break
			echo "$fault $n: $code"
			cat err
			if [ $fault = kill ]; then
				[ $code -eq 137 ]
			else
				[ $code -eq 8 ]
				grep -q 'could not be written: run fsck.vmemfs again' err
			fi
			# Not called clean, unless it was the flush after the last store.
			fsck -n disk.img >out && complete=$((complete + 1)) || [ $? -eq 4 ]
			fsck -y disk.img >out || [ $? -eq 1 ]
			status 0 fsck -n disk.img
			dump -t disk.img | sed 's/^ *[0-9]* *//' | cmp - whole
		done
		[ $n -gt 4 ] && [ $n -lt 30 ]
		[ $complete -eq 1 ]
	done
	broken_image disk.img
	status 8 faulty fsync:1 -y disk.img 2>err
	cat err
	grep -q 'cannot write back' err
	broken_image disk.img
	status 8 faulty bus:2 -y disk.img 2>err	# how a mapping tells of a full or failing disk
	cat err
	grep -q 'a disk error, or no space below a sparse file' err
	status 1 fsck -y disk.img >out
	dump -t disk.img | sed 's/^ *[0-9]* *//' | cmp - whole
}

# Recovering for good writes, too.
fsck_recovery_with_a_failing_disk() {
	mkfs -q -f -s 16M live.img
	unclean live.img host 5 7
	status 8 faulty pmem_msync:1 -p live.img 2>err
	cat err
	grep -q 'cannot write live.img: run fsck.vmemfs again' err
	# Pages that could not be written may be lost: from then on only what was synced counts.
	status 1 fsck -p live.img >out
	cat out
	grep -q 'the host failed' out
	[ "$(dump -t live.img | grep -c ' /synced-')" -eq 5 ]
}

fsck_can_be_cancelled() {
	mkfs -q -f -s 16M live.img
	unclean live.img host 5 7
	status 32 faulty int:1 -p live.img 2>err
	cat err
	grep -q 'cancelled; no repair was made' err
	status 1 fsck -p live.img
	# A repair that is being written goes on to its end.
	broken_image disk.img
	code=0
	faulty int:2 -y disk.img >out 2>err || code=$?
	cat err
	[ $code -eq 32 ]
	status 0 fsck -n disk.img
}

fsck_shows_progress() {
	mkfs -q -f -s 16M live.img
	status 0 fsck -n live.img 2>err
	[ ! -s err ]
	status 0 fsck -C -n live.img 2>err
	grep -q 'fsck.vmemfs: checking: 0%' err
	broken_image disk.img
	status 1 fsck -C -y disk.img >out 2>err
	grep -q 'repairing inodes: ' err
	grep -q 'adding names: ' err
}

fsck_refuses_what_it_cannot_repair() {
	mkfs -q -f -s 8M none.img
	dd if=/dev/zero of=none.img bs=4096 count=1 conv=notrunc status=none
	dd if=/dev/zero of=none.img bs=4096 seek=2047 count=1 conv=notrunc status=none
	before=$(md5sum <none.img)
	status 4 fsck -y none.img >out
	cat out
	grep -q 'refused: ' out
	[ "$before" = "$(md5sum <none.img)" ]
}

unclean() { "$top/build/tests-tools/make_unclean" "$@"; }

# On the file system where the image was used, the page cache is still there.
fsck_recovers() {
	for domain in host guest; do
		mkfs -q -f -s 16M live.img
		unclean live.img $domain 5 7
		dump -l live.img >log.txt
		grep -q ': op, ' log.txt
		before=$(md5sum <live.img)
		status 0 fsck -n live.img >out
		cat out
		grep -q 'replayed in memory only' out
		grep -q '1 orphans freed' out
		grep -q 'clean, 12 files, 1 directories' out
		[ "$before" = "$(md5sum <live.img)" ]
		[ "$(dump -rt live.img | grep -c ' /late-')" -eq 7 ]
		status 1 fsck -p live.img
		status 0 fsck -p live.img
		status 0 fsck -n live.img >out
		grep -q 'clean, 12 files' out
	done
}

# A copy has another generation, as after a failure of the host.
fsck_recovers_after_the_host_failed() {
	mkfs -q -f -s 16M live.img
	unclean live.img host 5 7
	cp live.img copy.img
	status 0 fsck -n copy.img >out
	cat out
	grep -q 'the host failed' out
	grep -q 'clean, 5 files' out
	status 1 fsck -p copy.img
	[ "$(dump -t copy.img | grep -c ' /synced-')" -eq 5 ]

	mkfs -q -f -s 16M live.img
	unclean live.img guest 5 7
	cp live.img copy.img
	status 4 fsck -n copy.img >out	# consistent, but no mount accepts it
	grep -q 'asks for a check' out
	grep -q 'consistent, not allowed' out
	status 2 unclean copy.img guest 0 0 || status 1 unclean copy.img guest 0 0
	status 1 fsck -p copy.img >out
	grep -q 'may be mounted again' out
	status 0 fsck -n copy.img
	status 0 unclean copy.img guest 0 0
}

fsck_of_what_is_no_image() {
	head -c 4194304 /dev/urandom >noise.img
	status 4 fsck -n noise.img
	status 8 fsck -n missing.img
	status 16 fsck
	status 16 fsck -n -p noise.img
	status 16 fsck -p -y noise.img
	status 4 fsck -y noise.img
}

# What is told to do works: the rest is kept.
fsck_of_a_truncated_image() {
	make_tree
	[ -e tree.img ] || mkfs -q -s 32M -d tree tree.img
	for size in 30M 3M; do
		cp tree.img cut.img
		truncate -s $size cut.img
		for option in -n -p -y; do
			status 4 fsck $option cut.img >out
			cat out
			grep -q 'cut.img: has .* needs 33554432: restore it, or keep what was not cut off: truncate -s 33554432 cut.img, then fsck.vmemfs -y$' out
			status 1 grep -q 'copy what is needed\|-y repairs' out
			[ "$(stat -c %s cut.img)" -eq $(($(echo $size | sed 's/M/*1048576/'))) ]
		done
		status 1 resize cut.img 2>err
		cat err
		grep -q 'run fsck.vmemfs, which says how to keep the rest' err
		eval "$(sed -n 's/.*cut off: \(truncate .*\), then .*/\1/p' out)"
		status 1 fsck -y cut.img >out
		status 0 fsck -n cut.img
		unclean cut.img host 1 1 || [ $? -le 1 ]	# a mount accepts it
		dump -c "$(inode_of cut.img /hello)" cut.img | cmp - tree/hello
	done
}

# A root that counts for fsck counts for the mount: nothing is called clean that does not mount.
fsck_takes_the_root_of_the_mount() {
	mkfs -q -f -s 8M root.img
	unclean root.img host 0 0 && fsck -p root.img || :
	for poke in '4096 X' '4152 X' '4104 XXXX'; do
		cp root.img spoilt.img
		for slot in 0 4096; do	# magic, uuid or csum of both
			poke spoilt.img $((${poke% *} + slot)) "${poke#* }"
		done
		status 4 fsck -p spoilt.img >out
		cat out
		status 1 fsck -y spoilt.img >out
		status 0 fsck -p spoilt.img
	done
	cp root.img spoilt.img
	poke spoilt.img 41 X	# the superblock's uuid
	code=0
	fsck -p spoilt.img >out || code=$?
	cat out
	[ $code -eq 1 ] || [ $code -eq 4 ]
	status 1 grep -q 'clean, not checked' out
}

# A medium that nobody can store to: what is clean is fine, the rest is told.
fsck_of_a_write_protected_device() {
	mkfs -q -f -s 8M wp.img
	mkfs -q -f -s 8M wp2.img
	unclean wp2.img host 2 2
	code=0
	for image in wp.img:0 wp2.img:8; do
		loop=$(losetup -r -f --show "${image%:*}") || { echo "no loop device: not tried"; return 0; }
		got=0
		fsck -p "$loop" >out 2>err || got=$?
		losetup -d "$loop"
		cat out err
		[ $got -eq "${image#*:}" ] || code=1
	done
	grep -q 'write-protected: fsck.vmemfs -n' err
	return $code
}

dump_survives_noise() {
	make_tree
	[ -e tree.img ] || mkfs -q -s 32M -d tree tree.img
	for seed in 1 2 3 4 5 6 7 8; do
		cp tree.img noisy.img
		# Noise over the metadata behind the log, and over the log itself.
		start=$(dump -s tree.img | awk '/agmeta0/ { print $2 }')
		for i in $(seq 1 40); do
			at=$(((start + 2) * 4096 + (seed * 7919 + i * 104729) % 1000000))
			poke noisy.img "$at" "\\$((seed % 8))\\$((i % 8))\\377"
		done
		for what in -s -l -t '-i 1' '-i 5' '-b 700'; do
			# shellcheck disable=SC2086
			"$tools/dump.vmemfs" $what noisy.img >/dev/null 2>&1 || [ $? -lt 9 ]
		done
		"$tools/fsck.vmemfs" -n noisy.img >/dev/null 2>&1 || [ $? -eq 4 ]
	done
}

# A structure that is new in the format must be damaged, too.
every_structure_has_a_table() {
	sed -n 's/^struct \(vmem_[a-z_]*\) {.*/\1/p' "$top/guestfs/core/medium/format.h" | sort >defined
	"$top/build/tests-tools/test_checker" --structs | sort >covered
	diff defined covered
}

# ---- resize ----

# an image of 16 MiB with a file of 3 MiB and one of 5, the source in tree/
make_resizable() { # image
	mkdir -p tree
	[ -e tree/large ] || { head -c 3145728 /dev/urandom >tree/data; head -c 5242880 /dev/urandom >tree/large; }
	rm -f "$1"
	mkfs -q -s 16M -d tree "$1"
}

has_files() { # image
	status 0 fsck -n "$1"
	dump -c "$(inode_of "$1" /data)" "$1" | cmp - tree/data
	dump -c "$(inode_of "$1" /large)" "$1" | cmp - tree/large
}

size_of() { stat -c %s "$1"; }

resize_grows() {
	make_resizable size.img
	resize size.img 33M >out
	grep -q '^size.img: 32 MiB, was 16 MiB$' out
	[ "$(size_of size.img)" -eq 33554432 ]
	[ "$(($(stat -c '%b * %B' size.img)))" -ge 33554432 ]
	has_files size.img
	truncate -s 48M size.img
	resize size.img
	has_files size.img
	dump -s size.img | grep -q 'nr_blocks *12288$'
	resize size.img | grep -q 'as before'
}

resize_keeps_holes() {
	rm -f sparse.img
	truncate -s 16M sparse.img
	mkfs -q sparse.img
	resize -q sparse.img 64M
	[ "$(size_of sparse.img)" -eq 67108864 ]
	[ "$(($(stat -c '%b * %B' sparse.img)))" -lt 33554432 ]
	status 0 fsck -n sparse.img
}

# A killed VM left it: what is in the log is replayed first.
resize_recovers() {
	make_resizable unclean.img
	unclean unclean.img host 20 10
	resize unclean.img 32M
	status 0 fsck -n unclean.img
}

resize_shrinks() {
	make_resizable size.img
	resize -q size.img 64M
	least=$(resize -P size.img)
	[ "$least" -gt 8388608 ] && [ "$least" -le 67108864 ]
	status 1 resize size.img 8M 2>out
	grep -q 'in use, and nothing is moved' out
	resize -M size.img
	[ "$(size_of size.img)" -lt "$((least + 2097152))" ]
	[ "$(resize -P size.img)" -eq "$least" ]
	has_files size.img
	resize -q size.img 64M
	has_files size.img
	resize size.img 60M
	[ "$(size_of size.img)" -le 62914560 ]
	has_files size.img
}

# With one group all that is free behind the last block goes; what is left grows again.
resize_makes_small_images() {
	make_resizable small.img
	mkfs -q -f -s 16M -d tree small.img
	used=$(fsck -n small.img | sed -n 's/.*inodes, \([0-9]*\)\/.*/\1/p')
	resize -q -M small.img
	left=$(($(fsck -n small.img | sed -n 's/.*inodes, [0-9]*\/\([0-9]*\) .*/\1/p') - used))
	echo "$used blocks in use, $left more are left"
	[ $left -ge 0 ] && [ $left -le 512 ]	# extents of a file are aligned to 2 MiB
	[ "$(($(stat -c '%s' small.img)))" -lt $(((used + 1024) * 4096)) ]
	has_files small.img
	resize -q small.img 64M
	has_files small.img
}

resize_refuses() {
	make_resizable size.img
	status 16 resize size.img 3X 2>/dev/null
	status 16 resize size.img 1M 2>/dev/null
	status 16 resize -M size.img 8M 2>/dev/null
	status 16 resize 2>/dev/null
	status 1 resize none.img 2>/dev/null
	status 1 resize . 2>out
	grep -q 'is no vmemfs' out
	status 1 resize size.img 17G 2>out
	grep -q 'can grow to .* at most' out
	[ "$(size_of size.img)" -eq 16777216 ]
	head -c 4194304 /dev/urandom >noise.img
	status 1 resize noise.img 8M 2>/dev/null
	[ "$(size_of noise.img)" -eq 4194304 ]
	dump -s size.img >out
	poke size.img $(($(awk '/agmeta0/ { print $2 }' out) * 4096 + 100)) '\000'
	status 1 resize -M size.img 2>out
	grep -q 'is damaged: run fsck' out
}

# ---- blocks in advance ----

# They read as zeros, whatever is in them.
unwritten_shows_zeros() {
	xz -dc "$top/tests/core/golden-unwritten.img.xz" >ahead.img
	fsck -p ahead.img || [ $? -eq 1 ]
	status 0 fsck -n ahead.img
	dump -s ahead.img | grep -q 'incompat 1$'
	dump -i "$(inode_of ahead.img /sparse)" ahead.img >extents
	block=$(sed -n 's/.* 3 blocks at \([0-9]*\), unwritten$/\1/p' extents | head -n 1)
	grep -q ' 4 blocks at [0-9]*, unwritten$' extents
	dump -c "$(inode_of ahead.img /sparse)" ahead.img >before
	[ "$(wc -c <before)" -eq 220016 ]
	[ "$(tr -d '\0' <before | wc -c)" -ge 150 ]
	[ "$(tr -d '\0' <before | wc -c)" -le 192 ]
	poke ahead.img $((block * 4096 + 5)) stale
	grep -q stale ahead.img
	dump -c "$(inode_of ahead.img /sparse)" ahead.img | cmp - before
	status 0 fsck -n ahead.img
}

# shellcheck source=tests/tools/json.sh
. "$here/json.sh"

# ---- the programs as they are shipped ----

static_programs() {
	make -s -C "$top/guestfs/tools"
	for tool in mkfs fsck dump resize; do
		"$top/build/tools/$tool.vmemfs" --help >/dev/null
		"$top/build/tools/$tool.vmemfs" -V
		ldd "$top/build/tools/$tool.vmemfs" 2>&1 | grep -q 'not a dynamic\|statically'
	done
	"$top/build/tools/mkfs.vmemfs" -q -s 8M static.img
	"$top/build/tools/fsck.vmemfs" -n static.img
	# What is linked for --tar works without libraries, too.
	tars odd odd.tar
	"$top/build/tools/mkfs.vmemfs" -q -f --tar odd.tar static.img
	"$top/build/tools/fsck.vmemfs" -n static.img
}

unit() { # program
	echo "$1" | grep -q -- "$pattern" || return 0
	"$top/build/tests-tools/$1" "*" "${SEED:-1}" >unit.log 2>&1 || true
	grep -E '^\[ *(OK|FAILED|ERROR) *\] [a-z]' unit.log | sort -u >unit.list || true
	grep -q '^\[=*\].*run\.$' unit.log || { cp unit.log log; result 1 "$1 ran to its end"; }
	cp unit.log log
	while read -r line; do
		case $line in
		*OK*) result 0 "$1: ${line##* }" ;;
		*) result 1 "$1: ${line##* }" ;;
		esac
	done <unit.list
}

unit test_mkfs
unit test_checker
unit test_damages
unit test_dir_damages
unit test_lost
unit test_use
unit test_xattrs
unit test_unwritten
unit test_repair
unit test_log
check "each structure of format.h has a table of its fields" every_structure_has_a_table
check "mkfs creates a file whose blocks are all reserved" mkfs_creates
check "mkfs refuses to overwrite other file systems" mkfs_keeps_others
check "mkfs -n changes nothing" mkfs_dry_run
check "mkfs refuses impossible sizes and arguments" mkfs_refuses_nonsense
check "tools refuse an image that a VM uses" tools_respect_the_lock
check "mkfs -d copies a directory with all its kinds of files" mkfs_fills
check "mkfs -d into too small a store fails and leaves no file system" mkfs_that_does_not_fit
check "mkfs -d keeps capabilities, access control lists, labels and other attributes" mkfs_keeps_attributes
check "mkfs -d sets times that cannot be kept to the nearest" mkfs_clamps_times
check "mkfs -d needs few open files however deep the tree is" mkfs_copies_deep_trees
check "mkfs -d does not copy the image into itself" mkfs_does_not_copy_the_image_into_itself
check "mkfs with SOURCE_DATE_EPOCH and a UUID makes the same bytes" mkfs_is_reproducible
check "mkfs -i and -N give the inodes that were asked for" mkfs_gives_inodes
check "mkfs -i makes room for more small files" mkfs_makes_room_for_small_files
check "mkfs -d that is killed leaves no part of a tree that mounts" mkfs_that_is_killed_leaves_nothing
check "mkfs ends with 1, and leaves no file system, when the disk fails" mkfs_with_a_failing_disk
check "mkfs --tar keeps all that mkfs -d keeps" tar_keeps_all
check "mkfs --tar takes the formats before PAX" tar_of_other_formats
check "mkfs --tar keeps holes, as GNU tar and PAX say them" tar_with_holes
check "mkfs --tar refuses what is hostile or damaged, by one line" tar_refuses
check "mkfs --tar takes what is only odd, and reads all of it" tar_takes_what_is_odd
check "mkfs --tar tells of global headers, which it does not apply" tar_tells_of_global_headers
check "mkfs --tar with SOURCE_DATE_EPOCH and a UUID makes the same bytes" tar_is_reproducible
check "mkfs --tar into too small a store fails and leaves no file system" tar_that_does_not_fit
check "tools on a full host end with 1, and leave what was there" tools_on_a_full_host
check "tools refuse arguments that make no sense" tools_parse_their_arguments
check "fsck finds damage and leaves it alone" fsck_finds_damage
check "fsck -y repairs it, and a second repair changes nothing" fsck_repairs
check "fsck -p repairs what loses nothing" fsck_preens_what_loses_nothing
check "fsck -y uses the backup superblock" fsck_uses_the_backup_superblock
check "fsck -y finds the names of a root directory without inode" fsck_finds_the_names_of_the_root
check "fsck -y puts what has no name into lost+found" fsck_fills_lost_and_found
check "fsck -y copies blocks that two files claim" fsck_copies_what_two_files_claim
check "fsck without memory ends with 8 and changes nothing" fsck_without_memory
check "fsck -y ends with 8 when a flush fails; cut at any flush, it is repaired again" fsck_with_a_failing_disk
check "fsck -p ends with 8 when the recovery cannot be written" fsck_recovery_with_a_failing_disk
check "fsck that is cancelled ends with 32, but not in the middle of writing" fsck_can_be_cancelled
check "fsck -C shows progress" fsck_shows_progress
check "fsck -y that refuses says why and changes nothing" fsck_refuses_what_it_cannot_repair
check "fsck replays the log of a killed VM, with -n in memory only" fsck_recovers
check "fsck after a failed host keeps what was synced" fsck_recovers_after_the_host_failed
check "fsck of noise and of nothing" fsck_of_what_is_no_image
check "fsck of a truncated image says how to keep the rest, and that works" fsck_of_a_truncated_image
check "fsck calls nothing clean whose root no mount takes" fsck_takes_the_root_of_the_mount
check "fsck -p of a write-protected device is content if it is clean" fsck_of_a_write_protected_device
check "dump and fsck survive damaged metadata" dump_survives_noise
check "resize grows a file and the file system in it" resize_grows
check "resize leaves the holes of a sparse file" resize_keeps_holes
check "resize replays the log of a killed VM first" resize_recovers
check "resize cuts what is free at the end" resize_shrinks
check "resize -M of one group leaves little more than what is in use" resize_makes_small_images
check "resize refuses what is impossible and changes nothing" resize_refuses
check "dump and fsck know blocks in advance, and dump shows zeros for them" unwritten_shows_zeros
check "dump --json has what its text has, and bytes that are no text" json_of_dump
check "dump --json has the log" json_of_the_log
check "dump, fsck, resize --json are JSON whatever goes wrong" json_of_errors
check "fsck --json has findings, repairs and what to do" json_of_fsck
check "dump and fsck --json are JSON on damaged metadata" json_of_noise
check "the shipped programs are static" static_programs
echo "1..$count"
[ "$failed" -eq 0 ]
