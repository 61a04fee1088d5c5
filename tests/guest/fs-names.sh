#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
# fs-names.sh - directories, links, renames of every kind
. "${TESTS_DIR:-/tests}/fs-lib.sh"

make_dirs() {
	mkdir d
	[ -d d ]
	same "$(stat -c %h d)" 2
	mkdir d/sub
	same "$(stat -c %h d)" 3
	expect_fail mkdir d
	expect_fail rmdir d
	rmdir d/sub
	same "$(stat -c %h d)" 2
	rmdir d
	[ ! -e d ]
}
check "directories are made, counted and removed, only when empty" make_dirs

deep() {
	path=.
	i=0
	while [ $i -lt 60 ]; do
		path=$path/level$i
		mkdir "$path"
		i=$((i + 1))
	done
	echo bottom >"$path/file"
	same "$(cat "$path/file")" bottom
	same "$(find level0 | wc -l)" 61
	rm -r level0
	[ ! -e level0 ]
}
check "a tree 60 levels deep works and is removed" deep

dotdot() {
	mkdir -p up/a/b
	same "$(stat -c %i up/a/b/..)" "$(stat -c %i up/a)"
	mkdir other
	mv up/a/b other/b
	same "$(stat -c %i other/b/..)" "$(stat -c %i other)"
	same "$(stat -c %h up/a)" 2
	same "$(stat -c %h other)" 3
	rm -r up other
}
check ".. follows a directory that moves" dotdot

long_names() {
	name=$(printf '%0255d' 1)
	echo x >"$name"
	same "$(cat "$name")" x
	expect_fail touch "${name}1"
	rm "$name"
}
check "names of 255 bytes work and longer ones are refused" long_names

odd_names() {
	touch -- 'with space' '	tab' 'ünïcödé' '*?[' '-dash' 'new
line'
	same "$(find . -maxdepth 1 -type f | wc -l)" 7
	rm -- 'with space' '	tab' 'ünïcödé' '*?[' '-dash' 'new
line'
}
check "names may hold any byte but / and NUL" odd_names

hard_links() {
	echo shared >one
	ln one two
	same "$(stat -c %h one)" 2
	same "$(stat -c %i one)" "$(stat -c %i two)"
	echo more >>two
	same "$(wc -l <one)" 2
	rm one
	same "$(stat -c %h two)" 1
	same "$(head -n 1 two)" shared
	expect_fail ln two two
	mkdir hd
	expect_fail ln hd hd2
	rm two
	rmdir hd
}
check "hard links share a file that lives until the last is gone" hard_links

symlinks() {
	echo target >real
	ln -s real sym
	same "$(readlink sym)" real
	same "$(cat sym)" target
	same "$(stat -c %s sym)" 4
	long=$(printf '%04000d' 7)
	ln -s "$long" longsym
	same "$(readlink longsym)" "$long"
	ln -s "$(printf '%0144d' 3)" inline
	ln -s "$(printf '%0145d' 3)" inblock
	same "$(readlink inline | wc -c)" 145
	same "$(readlink inblock | wc -c)" 146
	ln -s nowhere dangling
	expect_fail cat dangling
	expect_fail ln -s x sym
}
check "symbolic links of any length lead where they say" symlinks

special() {
	mkfifo fifo
	mknod char c 5 1
	mknod block b 259 70000
	[ -p fifo ] && [ -c char ] && [ -b block ]
	same "$(stat -c %t,%T char)" 5,1
	same "$(stat -c %t,%T block)" 103,11170
	fsprobe socket sock
	[ -S sock ]
}
check "fifos, sockets and devices are made with their numbers" special

unlink_cases() {
	touch file
	mkdir dir
	expect_fail rmdir file
	expect_fail fsprobe unlink dir
	expect_fail rm nosuch
	rm file
	rmdir dir
	[ ! -e file ]
}
check "unlink and rmdir refuse the wrong kind" unlink_cases

rename_plain() {
	echo a >ra
	mv ra rb
	[ ! -e ra ]
	same "$(cat rb)" a
	mkdir rdir
	mv rb rdir/rc
	same "$(cat rdir/rc)" a
	mv rdir/rc .
	same "$(cat rc)" a
	rmdir rdir
	expect_fail fsprobe rename nosuch rc
	rm rc
}
check "a file is renamed within and across directories" rename_plain

rename_over_file() {
	echo new >rn
	echo old >ro
	ln ro ro.link
	mv -f rn ro
	same "$(cat ro)" new
	same "$(cat ro.link)" old
	same "$(stat -c %h ro.link)" 1
	fsprobe rename-over-open vic1 vic2
	rm ro ro.link
}
check "a rename over a file replaces it, which lives on in its links and openers" rename_over_file

rename_same_inode() {
	echo x >s1
	ln s1 s2
	fsprobe rename s1 s2
	[ -e s1 ] && [ -e s2 ]
	rm s1 s2
}
check "a rename between links of one file does nothing" rename_same_inode

rename_dirs() {
	mkdir -p da/sub db
	touch da/file
	fsprobe rename da dc
	[ -e dc/file ]
	mkdir full
	touch full/f
	expect_fail fsprobe rename dc full
	fsprobe rename dc db
	[ -e db/file ] && [ -d db/sub ] && [ ! -e dc ]
	touch plain
	expect_fail fsprobe rename db plain
	expect_fail fsprobe rename plain db
	expect_fail fsprobe rename db db/sub/below
	rm -r db full plain
}
check "directories are renamed, over empty ones only, never below themselves" rename_dirs

rename_flags() {
	echo 1 >x1
	echo 2 >x2
	mkdir xd
	expect_fail fsprobe renameat2 x1 x2 noreplace
	fsprobe renameat2 x1 x3 noreplace
	same "$(cat x3)" 1
	fsprobe renameat2 x3 x2 exchange
	same "$(cat x3)" 2
	same "$(cat x2)" 1
	fsprobe renameat2 x2 xd exchange
	[ -d x2 ]
	same "$(cat xd)" 1
	mkdir sub
	touch sub/in
	fsprobe renameat2 sub/in x2 exchange
	[ -d sub/in ] && [ -f x2 ]
	same "$(stat -c %h sub)" 3
	same "$(stat -c %i sub/in/..)" "$(stat -c %i sub)"
	expect_fail fsprobe renameat2 x3 nosuch exchange
	rm -r x2 x3 xd sub
}
check "RENAME_NOREPLACE and RENAME_EXCHANGE do what they say" rename_flags

tmpfile() {
	fsprobe tmpfile . named
	same "$(cat named)" "from nowhere"
	same "$(stat -c %h named)" 1
	rm named
}
check "a file made by O_TMPFILE can be given a name" tmpfile

many_files() {
	mkdir many
	fsprobe create-many many 3000
	same "$(find many -type f | wc -l)" 3000
	[ -e many/f0 ] && [ -e many/f1234 ] && [ -e many/f2999 ]
	[ ! -e many/f3000 ]
	fsprobe readdir-unique many 3002
}
check "3000 files in a directory are listed once each and found by name" many_files

seekdir_works() {
	fsprobe seekdir many
}
check "telldir and seekdir come back to the same entry" seekdir_works

remove_while_reading() {
	cp -r many gone
	fsprobe remove-while-reading gone
	rmdir gone
}
check "a directory can be emptied while it is read" remove_while_reading

handles() {
	mkdir -p hdir/sub
	echo handle >hdir/sub/file
	fsprobe handle . hdir/sub/file
}
check "a file is opened by handle, and a handle of a removed file is stale" handles

stale_handles() {
	fsprobe stale-handles "$MNT" $((400 / SLOW)) 0x12345678
	fsprobe stale-handles "$MNT" $((400 / SLOW)) 0
	touch still-writable
	rm still-writable
}
check "handles are refused, or open, while files of their numbers are made" stale_handles

directory_handles() {
	mkdir -p "$MNT/hd/a/b"
	fsprobe save-handle "$MNT/hd/a/b" /tmp/handle
	remount_fresh
	fsprobe open-handle "$MNT" /tmp/handle "$MNT/hd/a/b"
	rm -r "$MNT/hd"
}
cd /
check "a directory is opened by handle when nobody has looked up its name" directory_handles
cd "$MNT" || exit 1

chmod_moving() {
	fsprobe chmod-moving $((20000 / SLOW))
}
check "chmod of a directory that is being renamed is not lost" chmod_moving

after_remount() {
	remount_fresh
	cd "$MNT"
	same "$(find many -type f | wc -l)" 3000
	[ -e many/f0 ] && [ -e many/f1234 ] && [ -e many/f2999 ]
	[ ! -e many/f3000 ]
	fsprobe readdir-unique many 3002
	same "$(readlink longsym | wc -c)" 4001
	same "$(readlink sym)" real
	same "$(stat -c %t,%T block)" 103,11170
	[ -p fifo ] && [ -S sock ]
	same "$(cat hdir/sub/file)" handle
}
cd /
check "the names are there after a remount" after_remount
cd "$MNT" || exit 1

clean_up() {
	rm -r many
	rm -rf ./*
	same "$(ls -A | wc -l)" 0
	same "$(stat -c %h .)" 2
}
check "everything can be removed again" clean_up

fsync_dir() {
	mkdir fd
	touch fd/f
	fsprobe fsync fd
	rm -r fd
}
check "a directory can be fsynced" fsync_dir

finish
