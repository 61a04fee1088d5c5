# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
# shellcheck shell=sh
#
# tar.sh - tests of mkfs.vmemfs --tar; sourced by run.sh

tars() { python3 "$here/tars.py" "$@"; }

same_trees() { # image image options
	dump -jt "$1" >one.json
	dump -jt "$2" >two.json
	shift 2
	tars same one.json two.json "$@"
}

make_tar_tree() {
	[ -e tar-tree ] || tars tree tar-tree
	[ -e by-d.img ] || mkfs -q -s 64M -d tar-tree by-d.img
}

# make_tar FILE OPTIONS: of that tree, with all that a tar can have
make_tar() {
	file=$1
	shift
	tar -C tar-tree --numeric-owner --xattrs --xattrs-include='*' --acls -S "$@" -cf "$file" .
}

# Of the same tree, once as a directory and once as an archive.
tar_keeps_all() {
	make_tar_tree
	make_tar all.tar --format=pax
	for input in - all.tar; do
		mkfs -q -f -s 64M --tar $input by-tar.img <all.tar 2>err || { cat err; return 1; }
		cat err
		[ ! -s err ]
		status 0 fsck -n by-tar.img
		same_trees by-d.img by-tar.img
	done
	for f in /odd-size /sparse /hello; do
		dump -c "$(inode_of by-tar.img $f)" by-tar.img | cmp - tar-tree$f
	done
	# Nine blocks are enough for what is not a hole.
	[ "$(dump -i "$(inode_of by-tar.img /sparse)" by-tar.img | sed -n 's/.* \([0-9]*\) blocks$/\1/p')" -le 9 ]
}

# Without PAX' records: no attributes, whole seconds, and names that need the long forms.
tar_of_other_formats() {
	make_tar_tree
	for format in gnu oldgnu ustar v7; do
		rm -rf few && mkdir few
		cp -a tar-tree/hello tar-tree/a few/
		[ $format = v7 ] || cp -a tar-tree/fifo tar-tree/chr few/
		[ $format != gnu ] || cp -a tar-tree/xxx* tar-tree/long-target few/
		chown -h 7:8 few/a/soft
		find few -exec touch -h -d '2001-02-03 04:05:06' {} +
		find few -exec python3 -c 'import os, sys
for f in sys.argv[1:]:
    for x in os.listxattr(f, follow_symlinks=False): os.removexattr(f, x, follow_symlinks=False)' {} +
		find few -exec touch -h -d '2001-02-03 04:05:06' {} +
		mkfs -q -f -s 8M -d few few.img
		tar -C few --format=$format -cf few.tar .
		mkfs -q -f -s 8M --tar few.tar few-tar.img
		status 0 fsck -n few-tar.img
		same_trees few.img few-tar.img --no-atime --no-ctime
	done
}

tar_with_holes() {
	rm -rf holes && tars sparse holes
	for archive in holes/*.tar; do
		mkfs -q -f -s 8M --tar "$archive" holes.img
		status 0 fsck -n holes.img
		dump -c "$(inode_of holes.img /s)" holes.img | cmp - holes/plain
		dump -jt holes.img | python3 -c 'import json, sys
e = json.load(sys.stdin)["tree"][1]
assert (e["size"], e["blocks"]) == (5000000, 3), e'
	done
}

# Each is refused by one line of one program, and leaves no image.
tar_refuses() {
	rm -rf hostile && tars hostile hostile
	for archive in hostile/*; do
		rm -f hostile.img
		status 1 mkfs -q -s 16M --tar "$archive" hostile.img 2>err
		echo "${archive#*/}: $(cat err)"
		[ "$(wc -l <err)" -eq 1 ]
		grep -q "^mkfs.vmemfs: $archive: " err
		[ ! -e hostile.img ]
		case ${archive#*/} in
		cut-*) grep -q 'Truncated\|cut off' err ;;
		checksum) grep -q 'wrong checksum' err ;;
		gzip) grep -q 'zcat ARCHIVE | mkfs.vmemfs --tar -' err ;;
		dot-dot*) grep -q '"\.\."' err ;;
		*-a-link) grep -q 'a symbolic link, through which nothing is stored' err ;;
		link-to-[nl]*) grep -q 'a hard link to what is not there' err ;;
		list-of-a-name) grep -q 'a user "nobody-knows", who has no number' err ;;
		larger-*) grep -q 'No space left\|Truncated' err ;;
		esac
	done
	status 1 mkfs -q -s 16M --tar missing.tar hostile.img
	status 16 mkfs -q -s 16M --tar holes/gnu.tar -d tree hostile.img
	[ ! -e hostile.img ]
}

tar_takes_what_is_odd() {
	tars odd odd.tar
	# Who writes it must be able to write all of it, what follows the end, too.
	(cat odd.tar && echo written >written) | mkfs -q -f -s 8M --tar - odd.img 2>err
	grep -q written written
	cat err
	grep -q 'note: a leading / was left out of names: 1' err
	grep -q 'note: 1 file with extended attributes of another kind.* owned' err
	[ "$(wc -l <err)" -eq 2 ]
	status 0 fsck -n odd.img
	dump -t odd.img >names
	cat names
	grep -q ' d0750 *3 .* /$' names
	grep -q ' d0711 *2 .* /abs$' names
	[ "$(inode_of odd.img /link)" = "$(inode_of odd.img /abs/file)" ]
	[ "$(dump -c "$(inode_of odd.img /abs/two)" odd.img)" = 2 ]
	[ "$(dump -c "$(inode_of odd.img /twice)" odd.img)" = second ]
	grep -q ' -0644 *1 4294967294 .* /owned$' names
	grep -q ' /sym -> ../../etc/passwd$' names
	[ "$(wc -l <names)" -eq 8 ]
}

# Global headers other than a comment would change what follows, and are not applied.
tar_tells_of_global_headers() {
	make_tar_tree
	tar -C tar-tree --format=pax --pax-option='mtime=12345' -cf global.tar hello
	mkfs -q -f -s 8M --tar global.tar global.img 2>err
	cat err
	grep -q 'note: global headers .* were passed over: 1' err
}

tar_is_reproducible() {
	make_tar_tree
	id=01234567-89ab-cdef-0123-456789abcdef
	make_tar once.tar --format=pax --sort=name
	SOURCE_DATE_EPOCH=1500000000 mkfs -q -s 64M -U $id --tar once.tar one-tar.img
	sleep 1.1
	# Through a pipe, which has it in other pieces.
	dd if=once.tar bs=1000 status=none | SOURCE_DATE_EPOCH=1500000000 mkfs -q -s 64M -U $id --tar - two-tar.img
	cmp one-tar.img two-tar.img
	# The same as from the directory, where an archive has all that counts.
	SOURCE_DATE_EPOCH=1500000000 mkfs -q -s 64M -U $id -d tar-tree three-tar.img
	same_trees one-tar.img three-tar.img
	rm one-tar.img two-tar.img three-tar.img
}

tar_that_does_not_fit() {
	make_tar_tree
	make_tar all.tar --format=pax
	status 1 mkfs -q -s 2M --tar all.tar tiny-tar.img 2>err
	cat err
	grep -q 'No space left on device' err
	[ ! -e tiny-tar.img ]
}
