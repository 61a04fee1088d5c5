#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
# fs-attrs.sh - modes, owners, times
. "${TESTS_DIR:-/tests}/fs-lib.sh"

modes() {
	touch f
	for mode in 0 777 640 4755 2755 1777; do
		chmod $mode f
		same "$(stat -c %a f)" $mode
	done
	chmod 600 f
}
check "every mode bit is kept" modes

umask_holds() {
	(umask 027 && touch um && mkdir umd)
	same "$(stat -c %a um)" 640
	same "$(stat -c %a umd)" 750
}
check "the umask applies to new files" umask_holds

owners() {
	chown 1000:2000 f
	same "$(stat -c %u:%g f)" 1000:2000
	chown 4294967294 f
	same "$(stat -c %u f)" 4294967294
	chown 1000 f
}
check "owners of 32 bits are kept" owners

permission() {
	echo secret >p
	chmod 600 p
	chmod 755 .
	expect_fail fsprobe as 1000 cat p
	chmod 644 p
	fsprobe as 1000 cat p
	expect_fail fsprobe as 1000 touch newfile
}
check "permissions are enforced" permission

setgid_dir() {
	mkdir sg
	chgrp 77 sg
	chmod 2775 sg
	touch sg/f
	mkdir sg/d
	same "$(stat -c %g sg/f)" 77
	same "$(stat -c %g:%a sg/d)" 77:2755
}
check "a set-group-id directory hands its group down" setgid_dir

suid_lost() {
	touch su
	chmod 4777 su
	fsprobe as 1000 sh -c 'echo x >>su'
	same "$(stat -c %a su)" 777
}
check "a write by another user takes the set-user-id bit away" suid_lost

times_move() {
	touch -d '2001-02-03 04:05:06' tm
	same "$(stat -c %Y tm)" "$(date -d '2001-02-03 04:05:06' +%s)"
	old=$(stat -c %Y tm)
	echo x >>tm
	[ "$(stat -c %Y tm)" -gt "$old" ]
	touch -d '2001-02-03 04:05:06' tm
	fsprobe truncate tm 100
	[ "$(stat -c %Y tm)" -gt "$old" ]
	fsprobe ctime-moves tm
}
check "writes, truncation and chmod move mtime and ctime" times_move

changes() {
	mkdir ch
	fsprobe changes ch
	fsprobe mapped-changes ch/mapped
}
check "each change that is looked at has another ctime, within a tick, too" changes

dir_times() {
	mkdir dt
	touch -d '2001-02-03 04:05:06' dt
	old=$(stat -c %Y dt)
	touch dt/new
	[ "$(stat -c %Y dt)" -gt "$old" ]
	touch -d '2001-02-03 04:05:06' dt
	rm dt/new
	[ "$(stat -c %Y dt)" -gt "$old" ]
}
check "changing names moves the time of the directory" dir_times

nanoseconds() {
	fsprobe utimens ns 123456789 987654321 1111111111 222222222
	same "$(fsprobe times ns)" "123456789.987654321 1111111111.222222222"
	fsprobe utimens neg -5 500000000 -1000000 1
	same "$(fsprobe times neg)" "-5.500000000 -1000000.000000001"
}
check "times have nanoseconds and may lie before 1970" nanoseconds

atime() {
	echo x >./at
	fsprobe utimens at 1000 0 2000 0
	cat at
	[ "$(fsprobe times at | cut -d. -f1)" -gt 2000 ]
}
check "reading moves atime when it is older than mtime" atime

birth() {
	# The file system's clock is the last tick's.
	before=$(($(date +%s) - 1))
	touch bt
	after=$(date +%s)
	b=$(fsprobe btime bt)
	[ "$b" -ge $before ] && [ "$b" -le "$after" ]
	touch -d '2001-01-01 00:00:00' bt
	same "$(fsprobe btime bt)" "$b"
}
check "the birth time is that of creation and stays" birth

dax_attr() {
	fsprobe is-dax f
}
check "statx says that a file is DAX" dax_attr

touch bt
fsprobe times f >/tmp/f.times
stat -c '%i %a %u %g %h %s %Y' f p su um sg/d tm bt >/tmp/attrs.before
fsprobe btime bt >/tmp/btime.before
after_remount() {
	remount_fresh
	cd "$MNT"
	stat -c '%i %a %u %g %h %s %Y' f p su um sg/d tm bt >/tmp/attrs.after
	diff /tmp/attrs.before /tmp/attrs.after
	same "$(fsprobe times f)" "$(cat /tmp/f.times)"
	same "$(fsprobe times ns)" "123456789.987654321 1111111111.222222222"
	same "$(fsprobe times neg)" "-5.500000000 -1000000.000000001"
	same "$(fsprobe btime bt)" "$(cat /tmp/btime.before)"
	[ "$(fsprobe times at | cut -d. -f1)" -gt 2000 ]
}
cd /
check "attributes and times are there after a remount" after_remount
cd "$MNT" || exit 1

rm -rf ./*
finish
