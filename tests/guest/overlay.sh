#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# overlay.sh - what an overlay shows, and what it leaves in its layers
#
# usage: overlay.sh LOWER UPPER OPTIONS
#
# LOWER and UPPER are new directories, of which one may be on another file system than
# the other.  Prints what is there after a load of each kind; the answers are the same
# on all file systems that overlayfs can use in full.
set -eu

lower=$1
upper=$2/upper
work=$2/work
options=$3
m=/overlay
kind=trusted
someone=e8030000	# user 1000
case $options in
*userxattr*)
	kind=user
	# Nobody else is known in the namespace.
	someone=00000000
	;;
esac
# An access list: owner rw-, someone r--, group ---, mask r--, others ---.
acl=0200000001000600ffffffff02000400${someone}04000000ffffffff10000400ffffffff20000000ffffffff

make_lower() {
	mkdir -p "$lower/tree/a/b" "$lower/dir/sub" "$lower/gone" "$lower/empty"
	cd "$lower"
	for name in file labelled removed moved over tree/x tree/a/y tree/a/b/z dir/one dir/sub/two gone/f; do
		echo "below $name" >"$name"
	done
	xattrs set labelled user.comment 616263
	xattrs set labelled system.posix_acl_access $acl
	xattrs set dir user.comment 646566
	xattrs set dir system.posix_acl_default $acl
	[ $kind = user ] || xattrs set labelled trusted.mine 010203
	dd if=/dev/zero of=large bs=64k count=40 2>/dev/null
	chmod 4755 large
	xattrs set large user.comment 6c6172
	ln -s dir/one link
	echo linked >h1
	ln h1 h2
	ln h1 dir/h3
	cd /
}

mount_overlay() {
	mkdir -p $m
	mount -t overlay -o "lowerdir=$lower,upperdir=$upper,workdir=$work,$options" overlay $m
}

# list DIRECTORY: everything in it, with types, modes, owners, links, sizes, contents and attributes
list() {
	cd "$1"
	# The size of a directory and its links are the file system's own.
	find . -type d | sort | xargs stat -c '%n %F %a %u:%g'
	find . ! -type d | sort | xargs stat -c '%n %F %a %u:%g %h %s %t,%T'
	find . -type f | sort | xargs md5sum
	find . -type l | sort | while read -r name; do echo "$name -> $(readlink "$name")"; done
	find . | sort | xargs xattrs show
	cd /
}

answer() {
	if "$@" 2>/dev/null; then
		echo "$*: done"
	else
		echo "$*: refused"
	fi
}

change() {
	cd $m
	echo above >>file
	echo above >>labelled
	answer chmod 4750 large
	answer chown 7:8 large
	answer rm removed
	answer rm -r tree
	answer mkdir tree
	echo new >tree/new
	answer mv moved moved2
	answer mv file over
	answer mv dir dir2
	answer mv dir2/sub sub2
	echo above >>dir2/one
	answer rmdir empty
	answer ln large large2
	echo above >>h1
	cat h2 dir2/h3 2>/dev/null || echo "h3 is elsewhere"
	answer rm h2
	answer rm -r gone
	echo file >gone
	answer mv gone gone2
	answer mkdir gone
	answer ln -s nowhere link2
	answer mknod null c 1 3
	answer mkdir fresh
	echo fresh >fresh/f
	answer mv fresh fresh2
	answer mv -T fresh2 gone
	xattrs set sub2 user.comment 313233 || echo "no attribute"
	echo inherits >dir2/inherits
	cd /
}

make_lower
mkdir -p "$upper" "$work"
mount_overlay
grep -o "redirect_dir=[a-z]*\|index=[a-z]*\|metacopy=[a-z]*\|userxattr" /proc/mounts || :
list $m
change
list $m >/tmp/overlay.before
cat /tmp/overlay.before
umount $m
echo "# after another mount"
mount_overlay
list $m >/tmp/overlay.after
diff /tmp/overlay.before /tmp/overlay.after && echo "is the same"
umount $m
echo "# the upper layer"
list "$upper"
echo "# the index: $(ls "$work/index" 2>/dev/null | wc -l), the work directory: $(ls "$work/work" | wc -l)"
echo "# the lower layer"
list "$lower"
