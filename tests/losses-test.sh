#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# losses-test.sh - a host that loses pages without a reboot is noticed, and one that
# does not is not taken for one that does
set -eu
export LC_ALL=C

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/.." && pwd)
out=$top/build/losses-test
so=$top/build/vmemstore.so
device=$top/build/qemu-device
qemu=${QEMU:-qemu-system-x86_64}
all="restart remount shutdown refused fuse block hidden guest"

usage() {
	cat <<HELP
usage: tests/losses-test.sh [TEST...]

Uses stores on file systems of this host that it mounts, and breaks these. Needs
root, and build/ (make); prints TAP:
  restart   QEMU ends, or is killed: the generation stays, on every file system
  remount   the file system is mounted anew: it changes
  shutdown  the file system shuts down, under a VM or after one
  refused   the error of a write-back is met by a start that is refused, or by a tool
  fuse      FUSE: its server dies; migration; no blocks in advance
  block     block devices, and a directory for notes that cannot be written
  hidden    file systems whose mounts cannot be told apart
  guest     guests with vmemfs on all of these: the next mount demands a check
Logs are in build/losses-test/.
HELP
}

die() {
	echo "losses-test: $*" >&2
	exit 2
}

case ${1:-} in
-h | --help) usage && exit ;;
-*) die "unknown option $1: see --help" ;;
esac
[ -e "$so" ] || die "build/vmemstore.so is missing: run make first"

# Everything is mounted in a namespace of its own, and gone with it.
if [ "$(id -u)" != 0 ] || ! unshare -m true 2>/dev/null; then
	echo "ok 1 - losses of pages on this host # SKIP needs root and mount namespaces"
	echo "1..1"
	exit
fi
[ "${LOSSES_INSIDE:-}" ] || LOSSES_INSIDE=1 exec unshare -m --propagation private "$0" "$@"

. "$here/tap.sh"
why=$out/why
export QTEST_QEMU_BINARY="$qemu" QTEST_PLUGIN="$so"

rm -rf "$out"
mkdir -p "$out/mnt" "$out/under"
mnt=$out/mnt
store=$mnt/disk.img
loop=
server=$out/server.pid

clean_up() {
	[ ! -e "$server" ] || kill_server || :
	umount -l "$mnt" 2>/dev/null || :
	[ -z "$loop" ] || losetup -d "$loop" 2>/dev/null || :
	umount -l "$out/under" 2>/dev/null || :
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# check SENTENCE COMMAND...
check() {
	sentence=$1
	shift
	status=0
	(set -e && "$@") >"$why" 2>&1 || status=1
	result $status "$sentence"
}

# ---- stores ----

generation() {
	"$device/generation-of" "$1"
}

use() {
	"$device/loss-test" "$@"
}

# QEMU accepts the store; sets $seen to the generation that the guest would see
seen_by_qemu() {
	{ echo "qom-get /machine/peripheral/v generation" && echo quit; } |
		timeout 300 "$qemu" -plugin "$so" -M q35 -m 64M -S -display none -nodefaults \
			-monitor stdio -device "vmemstore,id=v,file=$1" >"$out/said" 2>&1 || return 1
	seen=$(sed -n 's/^"\([0-9a-f]\{32\}\)".*/\1/p' "$out/said")
	[ "$seen" ]
}

# refused FILE TEXT: QEMU does not start, and says why
refused() {
	! echo quit | timeout 300 "$qemu" -plugin "$so" -M q35 -m 64M -S -display none -nodefaults \
		-monitor stdio -device "vmemstore,file=$1" >"$out/said" 2>&1 || return 1
	cat "$out/said"
	grep -qF -e "$2" "$out/said"
}

# keeps FILE COMMAND...: after it the generation is the same
keeps() {
	file=$1
	shift
	before=$(generation "$file")
	"$@" && [ "$(generation "$file")" = "$before" ]
}

# changes FILE COMMAND...: it is another one, now and then
changes() {
	file=$1
	shift
	before=$(generation "$file")
	"$@" || return 1
	after=$(generation "$file")
	[ "$after" != "$before" ] || return 1
	seen_by_qemu "$file" && [ "$seen" = "$after" ] && [ "$(generation "$file")" = "$after" ]
}

# starts_anew FILE COMMAND...: after it the next QEMU has another one, and keeps it
starts_anew() {
	file=$1
	shift
	before=$(generation "$file")
	"$@" || return 1
	seen_by_qemu "$file" && [ "$seen" != "$before" ] && [ "$(generation "$file")" = "$seen" ]
}

# ---- file systems ----

# make_fs KIND: an empty one at $mnt, on a loop device where it needs a disk
make_fs() {
	disk=$out/under/disk
	case $1 in
	ext4) mkfs="mkfs.ext4 -q -F" ;;
	ext4-nojournal) mkfs="mkfs.ext4 -q -F -O ^has_journal -E lazy_itable_init=0" ;;
	xfs) mkfs="mkfs.xfs -q -f" ;;
	btrfs) mkfs="mkfs.btrfs -q -f" ;;
	esac
	rm -f "$disk"
	truncate -s 320M "$disk"
	loop=$(losetup --show -f "$disk")
	$mkfs "$loop" && mount "$loop" "$mnt"
}

again() {
	umount "$mnt" && mount "$loop" "$mnt"
}

unmake() {
	umount "$mnt" && losetup -d "$loop"
	loop=
}

shut_down() {
	xfs_io -x -c "shutdown" "$mnt"
}

make_fuse() {
	rm -rf "$out/under/dir"
	mkdir "$out/under/dir"
	start_server "$@"
}

start_server() {
	fuse_in "$out/under/dir" "$mnt" "$@"
}

# fuse_in FOLDER MOUNTPOINT [OPTIONS]
fuse_in() {
	folder=$1 point=$2
	shift 2
	bindfs -f "$@" "$folder" "$point" 2>>"$out/bindfs.err" &
	echo $! >"$server"
	tries=0
	until grep -q " $point fuse" /proc/self/mounts; do
		tries=$((tries + 1))
		[ $tries -lt 3000 ] && kill -0 "$(cat "$server")" || return 1
		sleep 0.1
	done
}

kill_server() {
	kill -9 "$(cat "$server")"
	rm "$server"
}

unmake_fuse() {
	umount "$mnt"
	rm "$server"
}

new_store() {
	dd if=/dev/zero of="$store" bs=1M count=4 conv=fsync 2>/dev/null
}

# ---- tests ----

same_for_qemu() {
	seen_by_qemu "$1" && [ "$seen" = "$(generation "$1")" ]
}

no_notes() {
	[ -z "$(ls /run/vmemstore)" ] &&
		[ "$(python3 -c 'import os, sys; print(os.listxattr(sys.argv[1]))' "$store")" = "[]" ]
}

in_namespace() {
	mkdir -p "$out/bound"
	unshare -m --propagation private sh -c '
		mount --bind "$1" "$2" && mount -t tmpfs none "$1" && "$3" "$2/disk.img"
		' - "$mnt" "$out/bound" "$device/generation-of" >"$out/inside" &&
		[ "$(cat "$out/inside")" = "$(generation "$store")" ]
}

stays() {
	new_store
	check "$1: QEMU is killed: the same generation" keeps "$store" use kill "$store"
	check "$1: another mount namespace, another mount point: the same" in_namespace
	check "$1: another user: the same" [ "$(setpriv --reuid 65534 --clear-groups \
		"$device/generation-of" "$store")" = "$(generation "$store")" ]
	check "$1: remounted with other options: the same" keeps "$store" \
		mount -i -o remount,nosuid "$mnt"
	check "$1: QEMU and the tools find the same" same_for_qemu "$store"
	check "$1: no note was needed" no_notes
}

test_restart() {
	for kind in ext4 xfs btrfs; do
		make_fs $kind
		stays $kind
		unmake
	done
	mount -t tmpfs -o size=64M none "$mnt"
	stays tmpfs
	umount "$mnt"
	make_fuse
	stays FUSE
	unmake_fuse
}

test_remount() {
	for kind in ext4 xfs btrfs; do
		make_fs $kind
		new_store
		use kill "$store"
		check "$kind: unmounted and mounted: another generation" changes "$store" again
		mkdir -p "$out/bound"
		mount --bind "$mnt" "$out/bound"
		check "$kind: not if another mount has kept it alive" keeps "$store" again
		umount "$out/bound"
		unmake
	done
}

killed_then_dead() {
	use kill "$store" && shut_down && again
}

dead_then_flushed() {
	use fail "$store" "xfs_io -x -c shutdown $mnt" && again
}

test_shutdown() {
	for kind in ext4 xfs; do
		make_fs $kind
		new_store
		check "$kind: it shuts down after QEMU was killed: another generation" \
			changes "$store" killed_then_dead
		check "$kind: it shuts down under a VM: another generation" \
			changes "$store" dead_then_flushed
		unmake
	done
}

# ---- the one report of the kernel ----

# A file system whose disk has no room for what is stored: it is on a full tmpfs.
make_starved() {
	mount -t tmpfs -o size=64M none "$out/under"
	make_fs ext4-nojournal
	fallocate -l 4M "$store"
	sync -f "$mnt"
	starve
}

starve() {
	! dd if=/dev/zero of="${1:-$out/under}/filler" bs=64k 2>/dev/null
}

feed() {
	rm -f "$out/under/filler"
}

unmake_starved() {
	feed
	unmake
	umount "$out/under"
}

start_is_refused() {
	use kill "$store" && refused "$store" "cannot write back" && feed
}

# Blocks of the image that nothing was written to have no room.
tool_is_refused() {
	starve
	dd if=/dev/urandom of="$image" bs=4k count=16 seek=1536 conv=notrunc 2>/dev/null
	! "$top/build/tools/resize.vmemfs" "$image" 12M && feed
}

test_refused() {
	make_starved
	check "a start is refused because of the pages that a killed QEMU left: another generation" 		changes "$store" start_is_refused
	image=$mnt/image
	truncate -s 16M "$image"
	"$top/build/tools/mkfs.vmemfs" -q "$image"
	check "a tool is refused because of what was stored before it: another generation" \
		changes "$image" tool_is_refused
	unmake_starved
}

# ---- block devices ----

make_block() {
	mount -t tmpfs -o size=32M none "$out/under"
	truncate -s 8M "$out/under/disk"
	loop=$(losetup --show -f "$out/under/disk")
}

unmake_block() {
	losetup -d "$loop"
	loop=
	umount "$out/under"
}

# A container makes its own nodes.
in_own_dev() {
	mkdir -p "$out/dev"
	unshare -m --propagation private sh -c '
		mount -t tmpfs none "$1" && mknod "$1/disk" b "$2" "$3" && "$4" "$1/disk"
		' - "$out/dev" $(stat -c '0x%t 0x%T' "$loop") "$device/generation-of" >"$out/inside" &&
		[ "$(cat "$out/inside")" = "$(generation "$loop")" ]
}

starves_under_vm() {
	use fail "$loop" "dd if=/dev/zero of=$out/under/filler bs=64k 2>/dev/null || :" && feed
}

# Nothing can be noted, as for another user than root.
starves_unnoted() {
	mount -o remount,ro /run/vmemstore
	use unnoted "$loop" "dd if=/dev/zero of=$out/under/filler bs=64k 2>/dev/null || :" \
		>"$out/said" 2>&1 || { cat "$out/said" && return 1; }
	mount -o remount,rw /run/vmemstore
	grep "cannot be noted" "$out/said"
}

test_block() {
	make_block
	check "a block device: QEMU is killed: the same generation" keeps "$loop" use kill "$loop"
	check "a block device has one generation, whatever its node is" in_own_dev
	check "a block device: QEMU and the tools find the same" same_for_qemu "$loop"
	unmake_block
	make_block
	check "a block device: a flush fails: another generation" changes "$loop" starves_under_vm
	unmake_block
	make_block
	check "a loss that cannot be noted is said aloud" starves_unnoted
	unmake_block
}

# ---- mounts that cannot be told apart ----

make_overlay() {
	mkdir -p "$out/under/lower" "$out/under/upper" "$out/under/work"
	mount_overlay
}

mount_overlay() {
	mount -t overlay -o "lowerdir=$out/under/lower,upperdir=$out/under/upper,workdir=$out/under/work" \
		none "$mnt"
}

overlay_again() {
	umount "$mnt" && mount_overlay
}

quit_and_again() {
	use quit "$store" && "$1"
}

kill_and_again() {
	use kill "$store" && "$1"
}

fuse_again() {
	umount "$mnt" && start_server --xattr-none
}

no_way_to_note() {
	mount -o remount,ro /run/vmemstore
	seen_by_qemu "$store" && first=$seen && seen_by_qemu "$store"
	status=$?
	mount -o remount,rw /run/vmemstore
	[ $status -eq 0 ] && [ "$seen" != "$first" ] && grep "every start counts as one" "$out/said"
}

test_hidden() {
	make_overlay
	new_store
	check "overlayfs: QEMU ends: the same generation" keeps "$store" use quit "$store"
	check "overlayfs: also if it is mounted anew then" keeps "$store" quit_and_again overlay_again
	check "overlayfs: QEMU is killed: another one" starts_anew "$store" use kill "$store"
	check "overlayfs: then the same again" keeps "$store" use quit "$store"
	umount "$mnt"
	# Without its numbers nothing is known of FUSE, either.
	mount -t tmpfs none /sys
	make_fuse --xattr-none
	new_store
	check "without /sys and attributes: QEMU ends: the same generation" \
		keeps "$store" quit_and_again fuse_again
	check "without them: QEMU is killed: another one" starts_anew "$store" kill_and_again fuse_again
	check "without a place for notes every start has its own, and says so" no_way_to_note
	unmake_fuse
	umount /sys
}

# ---- FUSE ----

server_dies() {
	kill_server
	umount "$mnt"
	start_server
}

killed_then_server_dies() {
	use kill "$store" && server_dies
}

dies_under_vm() {
	use fail "$store" "kill -9 $(cat "$server")" && umount "$mnt" && start_server
}

test_fuse() {
	make_fuse
	new_store
	check "FUSE: the server dies after QEMU was killed: another generation" 		changes "$store" killed_then_server_dies
	check "FUSE: the server dies under a VM: another generation" changes "$store" dies_under_vm
	check "FUSE: a new file needs its blocks" refused "$mnt/new.img,size=4M" "use prealloc=full"
	check "FUSE: and is not left behind" [ ! -e "$mnt/new.img" ]
	check "FUSE: prealloc=full writes them" seen_by_qemu "$mnt/full.img,size=4M,prealloc=full"
	check "FUSE: all of them" [ "$(stat -c '%s %b' "$mnt/full.img")" = "4194304 8192" ]
	truncate -s 8M "$mnt/holes.img"
	check "FUSE: a file with holes is refused" refused "$mnt/holes.img" "use prealloc=full"
	check "FUSE: and filled by prealloc=full" seen_by_qemu "$mnt/holes.img,prealloc=full"
	check "FUSE: with what it needs" [ "$(stat -c '%s %b' "$mnt/holes.img")" = "8388608 16384" ]
	unmake_fuse
	make_fuse -o attr_timeout=3600
	device_tests
	unmake_fuse
}

# QEMU on a host with another boot id.
other_host() {
	sed 's/^......../00000000/' /proc/sys/kernel/random/boot_id >"$out/boot_id"
	cat >"$out/other-host" <<END
#!/bin/sh
[ "\$OTHER_HOST" ] || OTHER_HOST=1 exec unshare -m --propagation private "\$0" "\$@"
mount --bind "$out/boot_id" /proc/sys/kernel/random/boot_id
exec $qemu "\$@"
END
	chmod +x "$out/other-host"
}

# The device's own tests, as on other network file systems.  This client asks the server
# for a file's times when it must; the other one, another host's, each time.
device_tests() {
	other_host
	mkdir -p "$out/peer"
	bindfs -o attr_timeout=0 "$out/under/dir" "$out/peer"
	for name in "a flush is on the server when it returns" \
		"a VM that moves to another host finds every byte there"; do
		VMEMSTORE_TEST_DIR=$mnt VMEMSTORE_TEST_PEER=$out/peer \
			VMEMSTORE_TEST_SERVER=$out/under/dir VMEMSTORE_TEST_PEER_QEMU=$out/other-host \
			check "FUSE: $name" "$device/network-test" -p "/vmemstore/$name"
	done
	umount "$out/peer"
	name="a file system that cannot allocate is written to, or refused"
	VMEMSTORE_TEST_DIR=$mnt check "FUSE: $name" "$device/growth-test" -p "/vmemstore/$name"
}

make -s -C "$top/qemu-device" ../build/qemu-device/loss-test ../build/qemu-device/network-test \
	../build/qemu-device/growth-test ../build/qemu-device/generation-of >"$why" 2>&1 ||
	die "the test programs do not build: see build/losses-test/why"
# ---- guests ----

# vm STEP [run-vm options]: with the five stores
vm() {
	step=$1
	shift
	"$here/vm/run-vm" --modules "vmemstore vmemfs" --log "$out/guest-$step.log" --timeout 1500 \
		--env "STEP=$step" --add "$here/guest/lib.sh:/tests/lib.sh" \
		--add "$here/guest/store-lib.sh:/tests/store-lib.sh" "$@" "$here/guest/losses.sh" -- \
		-plugin "$so" -device "vmemstore,file=$mnt/disk.img" \
		-device "vmemstore,file=$out/fuse/disk.img" -device "vmemstore,file=$block" \
		-device "vmemstore,file=$out/xfs/disk.img" -device "vmemstore,file=$out/disk.img" \
		>"$out/guest-$step.out" 2>&1
}

wait_for() {
	tries=0
	until grep -q "^$1" "$out/guest-use.out" 2>/dev/null; do
		tries=$((tries + 1))
		[ $tries -lt 12000 ] && kill -0 "$runner" || return 1
		sleep 0.1
	done
}

# The hosts of three stores fail under the VM, then it is killed.
lose_under_vm() {
	vm use --pidfile "$out/pid" &
	runner=$!
	wait_for ready || return 1
	shut_down
	kill_server
	starve "$out/full" || return 1
	wait_for noticed || return 1
	kill -9 "$(cat "$out/pid")"
	wait $runner || :
	xfs_io -x -c shutdown "$out/xfs"
}

mount_xfs() {
	mount "$xfs" "$out/xfs"
}

test_guest() {
	mkdir -p "$out/fuse" "$out/xfs"
	truncate -s 320M "$out/xfs.disk"
	xfs=$(losetup --show -f "$out/xfs.disk")
	mkfs.xfs -q -f "$xfs" && mount_xfs
	make_fs ext4
	mkdir -p "$out/full" "$out/dir"
	mount -t tmpfs -o size=32M none "$out/full"
	truncate -s 16M "$out/full/disk"
	block=$(losetup --show -f "$out/full/disk")
	"$top/build/tools/mkfs.vmemfs" -q "$block"
	fuse_in "$out/dir" "$out/fuse"
	for file in "$mnt/disk.img" "$out/fuse/disk.img" "$out/xfs/disk.img" "$out/disk.img"; do
		dd if=/dev/zero of="$file" bs=1M count=16 2>/dev/null
		"$top/build/tools/mkfs.vmemfs" -q "$file"
	done
	sync -f "$mnt" "$out/xfs"
	check "the hosts of three stores fail under a VM, of a fourth when it was killed" lose_under_vm
	cat "$out/guest-use.out" >>"$why"
	rm -f "$out/full/filler"
	again
	umount "$out/fuse"
	fuse_in "$out/dir" "$out/fuse"
	umount "$out/xfs"
	mount_xfs
	status=0
	vm check || status=1
	take_over "$out/guest-check.out"
	result $status "the guest that finds out ends well"
	umount "$out/fuse" "$out/xfs"
	rm "$server"
	losetup -d "$xfs" "$block"
	umount "$out/full"
	unmake
}

# A directory for notes of this test alone.
mkdir -p /run/vmemstore && mount -t tmpfs none /run/vmemstore
for name in ${*:-$all}; do
	case " $all " in *" $name "*) ;; *) die "no test '$name': there are $all" ;; esac
	"test_$name"
done
echo "1..$count"
exit $failed
