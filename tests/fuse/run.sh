#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# run.sh - tests of fuse.vmemfs: the core below this host's own VFS; prints TAP
#
# usage: tests/fuse/run.sh [PART...]    parts: guest vfs stress kill host modes refuse
#
# No VM, half a minute. Needs root, /dev/fuse and build/ (make). After each test fsck.vmemfs looks at
# the image. All but `kill` run a program with AddressSanitizer and UBSan.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
out=$top/build/fuse-test
tools=$top/build/tools
plain=$tools/fuse.vmemfs
checked=$top/build/tools-san/fuse.vmemfs
parts="guest vfs stress kill host modes refuse"

case ${1:-} in -h | --help) sed -n '3,/^$/s/^# \{0,1\}//p' "$0" && exit ;; esac
[ -e "$plain" ] || { echo "fuse: build/tools/fuse.vmemfs is missing: run make first" >&2 && exit 2; }

make -s -C "$top/guestfs/tools" SAN=1 >&2
make -s -C "$top" build/tests/ackload >&2
mkdir -p "$out"
for name in fsprobe vfsprobe; do
	${CC:-gcc} -std=gnu11 -O1 -Wall -Wextra -Werror -static -pthread -o "$out/$name" "$top/tests/guest/$name"*.c
done
${CC:-gcc} -std=gnu11 -O1 -Wall -Wextra -Werror -shared -fPIC -o "$out/failsync.so" "$here/failsync.c"

work=$(mktemp -d "${TMPDIR:-/tmp}/fuse-test.XXXXXX")
pid=
leave() {
	[ -z "$pid" ] || kill -9 "$pid" 2>/dev/null || :
	grep -o " $work/[^ ]*" /proc/mounts | sort -r | while read -r mount; do umount -l "$mount" || :; done
	rm -rf "$work"
}
trap leave EXIT
trap 'exit 1' INT TERM
cd "$work"
mkdir m other

# A finding of the sanitizers is told in a file, too: nobody reads what a daemon writes.
export ASAN_OPTIONS="exitcode=99:log_path=$work/found" UBSAN_OPTIONS="print_stacktrace=1:exitcode=99:log_path=$work/found"
export PATH="$PATH:$out:$top/build/tests"

. "$top/tests/tap.sh"
why=$work/log

check() {
	set +e
	(set -e; "$2") >log 2>&1
	status=$?
	set -e
	for found in found.*; do
		[ ! -e "$found" ] || { cat "$found" >>log && rm "$found" && status=99; }
	done
	result $status "$1"
	stop_all
}

# A command that must end with the given status.
status() {
	want=$1
	shift
	got=0
	"$@" || got=$?
	[ "$got" -eq "$want" ] || { echo "$* ended with $got instead of $want"; return 1; }
}

wait_until() {
	tries=0
	until "$@"; do
		tries=$((tries + 1))
		[ $tries -lt 1200 ] || { echo "waited in vain for: $*"; return 1; }
		sleep 0.05
	done
}

mkfs() { "$tools/mkfs.vmemfs" -q -f "$@"; }
fsck() { "$tools/fsck.vmemfs" -n "$@"; }

is_up() { grep -q " $work/${1:-m} fuse.vmemfs " /proc/mounts; }
is_up_or_over() { is_up "$1" || ! kill -0 "$2" 2>/dev/null; }

# up IMAGE [OPTION...]: mounted at m, in the foreground of process $(cat pid)
up() {
	"${program:-$checked}" -f "$@" m 2>said &
	echo $! >pid
	wait_until is_up_or_over m "$(cat pid)"
	is_up || { cat said; return 1; }
}

# down IMAGE: unmounted; the program ends well, the image is clean
down() {
	umount m
	status 0 wait "$(cat pid)"
	rm pid
	cat said
	fsck "$1"
}

# What a test that failed has left.
stop_all() {
	[ ! -e pid ] || kill -9 "$(cat pid)" 2>/dev/null || :
	rm -f pid
	for mount in m other; do
		while is_up $mount; do umount -l $mount; done
	done
}

# refused STATUS TEXT COMMAND...: one line, with the text
refused() {
	want=$1 text=$2
	shift 2
	status "$want" "$@" 2>said
	cat said
	[ "$(wc -l <said)" -eq 1 ]
	grep -q -- "$text" said
}

# ---- The guest's tests ----

guest() {
	for name in files names attrs mmap; do
		mkfs -s 128M disk.img
		status=0
		# Of its own: what the scripts keep in /tmp.
		env TESTS_DIR="$here" FUSE="$checked" FSCK="$tools/fsck.vmemfs" DEV=/tmp/disk.img MNT=/tmp/m \
			unshare -m sh -c 'mount --make-rprivate / && mount --bind "$1" /tmp && exec sh "$2"' \
			- "$work" "$top/tests/guest/fs-$name.sh" >guest.out 2>&1 || status=$?
		take_over guest.out "$name: "
		for found in found.*; do
			[ ! -e "$found" ] || { mv "$found" log && status=99; }
		done
		result $status "$name: ends well"
	done
}

# ---- The same questions to ext4 ----

ask_both() {
	truncate -s 128M ext4.img
	mkfs.ext4 -q -F -b 4096 ext4.img
	mkdir -p ext4
	mount -o loop ext4.img ext4
	mkfs -s 128M disk.img
	up disk.img -o dev,suid
	mkdir ext4/probe m/probe
	vfsprobe ext4/probe >ext4.all
	vfsprobe m/probe >fuse.all
	umount ext4
	down disk.img
	# The other topics are requests that FUSE does not know; some questions follow an O_TMPFILE,
	# FIEMAP, or a mode of fallocate that FUSE does not know.
	for name in ext4 fuse; do
		awk '/^# / { on = / (names|times|data|attrs|rights|alloc)$/ } on' $name.all |
			grep -vE '^(links of a temporary file|give it a name|and another|links then|name one that was opened O_EXCL|O_TMPFILE read-only|a file without a name has it): |, extents: |^(mapped, )?(collapse|insert)' >$name.some
	done
}

vfs() {
	check "ext4 and fuse.vmemfs answer all questions" ask_both
	[ -s fuse.some ] || return 0
	awk -v name=fuse -v newer=1 -f "$top/tests/guest/vfs-compare.awk" "$here/known" ext4.some fuse.some >compare || :
	take_over compare
}

# ---- Many at once ----

stress_own() {
	mkfs -s 128M disk.img
	up disk.img
	(cd m && fsprobe stress-files . 4 2)
	down disk.img
}

stress_one() {
	up disk.img
	(cd m && fsprobe stress-shared shared 4 2)
	down disk.img
}

stress_names() {
	up disk.img -o commit=1
	mkdir m/a m/b
	(cd m && fsprobe stress-names a b 4 2)
	# Inodes leave the kernel, and come again.
	for i in 1 2 3; do
		find m -ls >/dev/null
		echo 2 >/proc/sys/vm/drop_caches
	done
	rm -r m/a m/b
	down disk.img
}

fio_verifies() {
	up disk.img
	fio --name=a --directory=m --size=3M --rw=randwrite --bs=1536 --numjobs=2 --verify=crc32c \
		--fsync=32 --minimal --output=fio.out
	down disk.img
}

# The last name goes while it is open: its blocks come back when it is closed.
space_of_unlinked() {
	up disk.img
	touch m/first
	free=$(stat -f -c %f m)
	(
		exec 3>m/gone
		head -c 8M /dev/zero >&3
		rm m/gone
		[ "$(stat -f -c %f m)" -lt $((free - 2000)) ]
	)
	wait_until has_free "$free"
	down disk.img
}
has_free() { [ "$(stat -f -c %f m)" -ge "$1" ]; }

full_image() {
	mkfs -s 16M full.img
	up full.img
	mkdir m/full
	fsprobe fill-until-full m/full
	status 1 cp "$plain" m/more 2>err
	grep 'No space left' err
	fsprobe verify-full m/full
	rm -r m/full m/more
	cp "$plain" m/more
	cmp "$plain" m/more
	down full.img
}

stress() {
	check "4 processes write, map, truncate and fsync their own files and find what they stored" stress_own
	check "4 processes share a file by write, mmap, truncate and fsync" stress_one
	check "4 processes create, link, rename and unlink the same names, and inodes leave memory" stress_names
	check "fio verifies what two jobs have written at random" fio_verifies
	check "blocks of an unlinked file come back when it is closed" space_of_unlinked
	check "a full image gives ENOSPC, keeps what was written, and goes on when there is room" full_image
}

# ---- kill -9 ----

has_acks() { [ "$(grep -c '^ack' acks)" -ge "$1" ] || ! kill -0 "$2"; }

# killed SEED ACKS
killed() {
	up kill.img
	if [ -e seed ]; then
		ackload verify m/work "$(cat seed)" "$(cat acked)" fuse
		ackload clean m/work
	fi
	mkdir -p m/work
	: >acks
	ackload run m/work "$1" fsync >acks 2>/dev/null &
	load=$!
	wait_until has_acks "$2" $load
	kill -9 "$(cat pid)"
	wait "$(cat pid)" $load || :
	rm pid
	umount m
	echo "$1" >seed
	grep -c '^ack' acks >acked
	cat acked
	fsck kill.img
}

kill_once() {
	mkfs -s 64M kill.img
	program=$plain
	killed 1 300
	killed 2 17
	killed 3 900
	up kill.img
	grep -q 'was not unmounted: recovered' said
	ackload verify m/work 3 "$(cat acked)" fuse
	down kill.img
}

# A signal ends it in good order, with what the kernel still has of a mapping.
signal_ends() {
	mkfs -s 64M kill.img
	for sig in TERM INT; do
		up kill.img
		head -c 1M /dev/zero >m/mapped
		python3 - m/mapped mapped.done <<'PY' &
import mmap, sys, time
f = open(sys.argv[1], "r+b")
m = mmap.mmap(f.fileno(), 0)
m[4096:4103] = b"through"
open(sys.argv[2], "w").close()
time.sleep(300)
PY
		holder=$!
		wait_until [ -e mapped.done ]
		rm mapped.done
		kill -$sig "$(cat pid)"
		status 0 wait "$(cat pid)"
		rm pid
		kill $holder
		! is_up || return 1
		fsck kill.img
		up kill.img
		cmp -n 7 -i 4096:0 m/mapped - <<'TEXT'
through
TEXT
		down kill.img
	done
}

kill_all() {
	check "after three kills every acknowledged fsync is there" kill_once
	check "SIGTERM and SIGINT unmount, and what was stored through a mapping is there" signal_ends
}

# ---- The host below ----

count_syncs() { grep -c . "$SYNCS" || :; }

fsync_reaches_host() {
	mkfs -s 32M host.img
	export SYNCS="$work/syncs" SYNC_FAILS="$work/sync-fails"
	: >"$SYNCS"
	program=$plain
	LD_PRELOAD="$out/failsync.so" up host.img -o commit=0
	echo one >m/f
	before=$(count_syncs)
	sync m/f
	[ "$(count_syncs)" -gt "$before" ]
	before=$(count_syncs)
	mkdir m/d
	same=$(count_syncs)
	[ "$same" -eq "$before" ]
	sync m
	[ "$(count_syncs)" -gt "$before" ]
	# A record for all: nothing is left to do.
	before=$(count_syncs)
	sync m/d
	[ "$(count_syncs)" -eq "$before" ]

	: >"$SYNC_FAILS"
	echo two >>m/f
	status 1 sync m/f 2>err
	grep 'Input/output error' err
	rm "$SYNC_FAILS"
	status 1 sync m/f
	status 2 sh -c 'echo three >m/g' 2>err
	grep 'Input/output error' err
	umount m
	status 32 wait "$(cat pid)"
	rm pid
	cat said
	grep 'not unmounted cleanly' said
	# What was lost is known to the next.
	up host.img
	grep 'run fsck.vmemfs' said
	grep 'recovered' said
	[ "$(head -n 1 m/f)" = one ]
	umount m
	status 0 wait "$(cat pid)"
	rm pid
	status 1 "$tools/fsck.vmemfs" -p host.img
	fsck host.img
}

full_host() {
	mkdir -p small
	mount -t tmpfs -o size=12M tmpfs small
	truncate -s 64M small/thin.img
	mkfs small/thin.img
	up small/thin.img
	status 1 cp "$checked" "$checked" m/ 2>err || :
	head -c 20M /dev/zero >m/big 2>err && return 1
	grep 'No space left' err
	echo small >m/small || :
	rm m/big
	echo still here >m/there
	grep 'still here' m/there
	down small/thin.img
	umount small
}

discarded() {
	mkfs -s 64M thin.img
	up thin.img -o discard
	head -c 30M /dev/urandom >m/big
	sync m/big
	before=$(stat -c %b thin.img)
	rm m/big
	umount m
	status 0 wait "$(cat pid)"
	rm pid
	[ "$(stat -c %b thin.img)" -lt $((before - 50000)) ]
	fsck thin.img
}

# An image that was cut off stands for a disk that cannot be read.
lost_disk() {
	mkfs -s 64M cut.img
	up cut.img -o commit=0
	head -c 40M /dev/urandom >m/big
	sync m/big
	echo 1 >/proc/sys/vm/drop_caches
	truncate -s 24M cut.img
	status 1 dd if=m/big of=/dev/null bs=1M skip=39 2>err
	grep 'Input/output error' err
	is_up
	kill -9 "$(cat pid)"
	wait "$(cat pid)" || :
	rm pid
	umount m
	# With its size, and zeros in the place of what was lost.
	truncate -s 64M cut.img
	"$tools/fsck.vmemfs" -y cut.img || [ $? -eq 1 ]
	fsck cut.img
}

host() {
	check "fsync reaches the host's disk, an error there reaches the program, and the next mount knows" fsync_reaches_host
	check "a host without room gives ENOSPC, and the mount goes on" full_host
	check "with -o discard the host gets back what became free" discarded
	check "what cannot be read from the disk gives EIO, and the mount goes on" lost_disk
}

# ---- Ways to mount ----

read_only() {
	mkfs -s 64M ro.img
	program=$plain up ro.img
	echo content >m/f
	sync m/f
	kill -9 "$(cat pid)"
	wait "$(cat pid)" || :
	umount m
	before=$(md5sum <ro.img)
	up ro.img -o ro
	grep 'recovered in memory' said
	grep content m/f
	status 2 sh -c 'echo x >m/g' 2>err
	grep 'Read-only file system' err
	# Others may read beside it.
	"$checked" -o ro ro.img other
	grep content other/f
	fsck ro.img || [ $? -eq 4 ]
	umount other
	umount m
	status 0 wait "$(cat pid)"
	[ "$before" = "$(md5sum <ro.img)" ]
	rm pid
	up ro.img
	down ro.img
}

# As mount(8) calls it, and as a user without it, in the background.
helper() {
	ln -sf "$checked" mount.fuse.vmemfs
	status 0 ./mount.fuse.vmemfs ro.img m -n -o rw,noatime,_netdev,x-systemd.automount
	is_up
	grep " $work/m fuse.vmemfs .*noatime" /proc/mounts
	fsprobe utimens m/f 1000 0 2000 0
	cat m/f
	[ "$(fsprobe times m/f | cut -d. -f1)" -eq 1000 ]
	umount m
	wait_until fsck ro.img
}

domains() {
	up ro.img -o durability=guest
	echo more >m/h
	down ro.img
	up ro.img -o durability=host,commit=1
	grep more m/h
	down ro.img
}

# What mkfs.vmemfs was given is what is read.
whole_tree() {
	mkdir -p tree
	cp -a "$top/docs" "$top/guestfs" tree/
	ln tree/docs/format.md tree/hard
	mkfs -s 64M -d tree tree.img
	up tree.img
	rmdir m/lost+found 2>/dev/null || :
	diff -r --no-dereference tree m
	(cd tree && find . -printf '%p %y %m %U:%G %n %T@ %l\n' | grep -v '^\. ' | sort) >want
	(cd m && find . -printf '%p %y %m %U:%G %n %T@ %l\n' | grep -v '^\. ' | sort) >is
	diff want is
	cp -a m/guestfs m/again
	diff -r m/guestfs m/again
	rm -r m/again
	down tree.img
}

modes() {
	check "read-only, an image that was not unmounted is recovered in memory, and is not changed" read_only
	check "it is what mount(8) starts" helper
	check "both durabilities can be had" domains
	check "a tree that mkfs.vmemfs has copied is read with all attributes" whole_tree
}

# ---- Refusals ----

in_use() {
	mkfs -s 32M busy.img
	up busy.img
	refused 32 'used by a running VM or another tool' "$checked" busy.img other
	refused 32 'used by a running VM or another tool' "$checked" -o ro busy.img other
	status 8 fsck busy.img
	status 1 mkfs busy.img
	qemu-system-x86_64 -M q35 -nodefaults -display none -S -plugin "$top/build/vmemstore.so" \
		-device vmemstore,file=busy.img >qemu.out 2>&1 && return 1
	cat qemu.out
	grep -q 'busy.img.*in use\|in use.*busy.img\|busy.img.*lock\|lock.*busy.img' qemu.out
	down busy.img
	"$checked" -o ro busy.img other
	refused 32 'used by a running VM or another tool' "$checked" busy.img m
	umount other
	wait_until fsck busy.img
}

# It answers when its devices are there.
qemu_is_up() { grep -q '"return"' qmp; }

in_use_by_vm() {
	mkfs -s 32M busy.img
	rm -f asked
	mkfifo asked
	qemu-system-x86_64 -M q35 -nodefaults -display none -S -plugin "$top/build/vmemstore.so" \
		-device vmemstore,file=busy.img -qmp stdio <asked >qmp 2>&1 &
	vm=$!
	echo $vm >pid
	exec 9>asked
	echo '{"execute":"qmp_capabilities"}' >&9
	wait_until qemu_is_up
	refused 32 'used by a running VM or another tool' "$checked" busy.img m
	refused 32 'used by a running VM or another tool' "$checked" -o ro busy.img m
	kill $vm
	wait $vm || :
	rm pid
	up busy.img
	down busy.img
}

not_an_image() {
	head -c 4M /dev/urandom >noise
	refused 32 'no vmemfs found' "$checked" noise m
	: >empty
	refused 32 'empty is empty' "$checked" empty m
	refused 32 'cannot open missing: No such file' "$checked" missing m
	refused 32 'neither a regular file nor a block device' "$checked" /dev/null m
	mkfs -s 32M good.img
	refused 32 'cannot mount on nowhere: No such file' "$checked" good.img nowhere
	refused 32 'cannot mount on good.img: Not a directory' "$checked" good.img good.img
	fsck good.img
}

damaged() {
	mkfs -s 32M bad.img
	# Both roots.
	head -c 8192 /dev/urandom | dd of=bad.img bs=4096 seek=1 conv=notrunc status=none
	refused 32 fsck.vmemfs "$checked" bad.img m
	! is_up
}

read_only_file() {
	mkfs -s 32M locked.img
	mkdir -p bound
	mount --bind . bound
	mount -o remount,bind,ro bound
	refused 32 'cannot open bound/locked.img: Read-only file system' "$checked" bound/locked.img m
	up bound/locked.img -o ro
	[ -d m ]
	down locked.img
	umount bound
}

usage() {
	refused 1 'an image and a directory' "$checked" disk.img
	refused 1 'no such option: -o commit=x' "$checked" -o commit=x locked.img m
	refused 1 'no such option: -o durability=none' "$checked" -o durability=none locked.img m
	refused 1 'unknown option' "$checked" -o nosuchoption locked.img m
	status 1 "$checked" --nosuch 2>said
	status 0 "$checked" --help >said
	grep -q 'fuse.vmemfs.*DIRECTORY' said
	status 0 "$checked" -V >said
	grep -q '^fuse.vmemfs [0-9]' said
}

refuse() {
	check "an image in use is refused, by every program and to every program" in_use
	check "and so is one that a VM uses" in_use_by_vm
	check "what is no image, or no directory, is refused in a line" not_an_image
	check "a damaged image is refused, and fsck.vmemfs is named" damaged
	check "a file that can only be read is mounted with -o ro, and refused without" read_only_file
	check "wrong options are refused, --help and --version answer" usage
}

for part in ${*:-$parts}; do
	case " $parts " in *" $part "*) ;; *) echo "no part '$part': there are $parts" >&2 && exit 2 ;; esac
	[ "$part" != kill ] || part=kill_all
	"$part"
done
echo "1..$count"
exit $failed
