#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# run.sh - the device against a stock QEMU, without a guest
#
# Prints TAP.  Called by "make test" with BUILD and QEMU set.  Files are made in
# a new directory under BUILD; what QEMU says goes to BUILD/qemu-device/*.log.
set -u

here=$(cd "$(dirname "$0")" && pwd)
qemu=${QEMU:-qemu-system-x86_64}
build=$(cd "${BUILD:-../build}" && pwd) || exit 1
so=$build/vmemstore.so
logs=$build/qemu-device
dir=$(mktemp -d "$build/vmemstore-test.XXXXXX") || exit 1
trap 'umount "$dir/small" 2> /dev/null; rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM
cd "$dir" || exit 1

count=0
failed=0

ok() {
    count=$((count + 1))
    echo "ok $count - $1"
}

not_ok() {
    count=$((count + 1))
    failed=$((failed + 1))
    echo "not ok $count - $1"
    sed 's/^/#   /' out 2>/dev/null | head -20
}

# Start QEMU without a guest; commands for its monitor come from stdin.
start() {
    timeout 300 "$qemu" -plugin "${PLUGIN:-$so}" -M q35 -m 64M -S -display none -nodefaults \
        -monitor stdio "$@" > out 2>&1
}

# accepted NAME OPTIONS: QEMU starts with -device vmemstore,OPTIONS
accepted() {
    if echo quit | start -device "vmemstore,$2"; then ok "$1"; else not_ok "$1"; fi
}

# refused NAME OPTIONS TEXT: it does not, and says one line that contains TEXT
refused() {
    if echo quit | start -device "vmemstore,$2"; then
        not_ok "$1"
    elif [ "$(grep -c 'qemu-system' out)" = 1 ] && grep -qF -e "$3" out; then
        ok "$1"
    else
        not_ok "$1"
    fi
}

# says NAME TEXT OPTIONS COMMAND...: the monitor commands print TEXT
says() {
    name=$1 text=$2 options=$3
    shift 3
    if { printf '%s\n' "$@"; echo quit; } | start -device "vmemstore,id=v,$options" &&
        grep -qF -e "$text" out; then
        ok "$name"
    else
        not_ok "$name"
    fi
}

# --- loading ---

if { echo "device_add vmemstore,help"; echo quit; } | start && grep -q 'file=<str>' out; then
    ok "the stock QEMU loads vmemstore.so and offers the device"
else
    not_ok "the stock QEMU loads vmemstore.so and offers the device"
fi
if echo quit | PLUGIN=$build/qemu-device/foreign.so start; then
    not_ok "an object built for another QEMU version is refused"
elif grep -q 'vmemstore: built for QEMU 0.0.0, but this is QEMU' out; then
    ok "an object built for another QEMU version is refused"
else
    not_ok "an object built for another QEMU version is refused"
fi

# shellcheck source=tests/overlay.sh
. "$here/overlay.sh"

# --- files and sizes ---

refused "file= is required" "" "file= is missing"
refused "a missing file is refused" "file=none.img" "give size= to create it"
[ ! -e none.img ] && ok "and not created" || not_ok "and not created"
accepted "size= creates the file" "file=new.img,size=6M"
if [ "$(stat -c %s new.img)" = 6291456 ] && [ "$(stat -c %b new.img)" -ge 12288 ]; then
    ok "with the size asked for and all blocks allocated"
else
    not_ok "with the size asked for and all blocks allocated"
fi
accepted "size= may repeat the size of the file" "file=new.img,size=6M"
refused "size= must not differ from the size of the file" "file=new.img,size=8M" "leave size= out"
refused "a serial that could not be a name in /dev is refused" "file=new.img,serial=a/b" "serial=a/b is none"
refused "a serial of 21 signs is refused" "file=new.img,serial=123456789012345678901" "is none: give 1 to 20"
refused "a virtio-pmem with a serial is refused" "file=new.img,compat=virtio-pmem,serial=a" "a virtio-pmem has none"
refused "size= must be a multiple of 2 MiB" "file=odd.img,size=3M" "multiple of 2 MiB"
[ ! -e odd.img ] && ok "and then creates nothing" || not_ok "and then creates nothing"
: > empty.img
refused "an empty file is refused" "file=empty.img" "non-zero multiple of 2 MiB"
truncate -s 3M odd.img
refused "a file of 3 MiB is refused" "file=odd.img" "multiple of 2 MiB"
refused "a directory is refused" "file=." "neither a regular file nor a block device"
mkfifo fifo
refused "a FIFO is refused, and not waited for" "file=fifo,readonly=on" "neither a regular file nor a block device"
refused "a character device is refused" "file=/dev/zero" "neither a regular file nor a block device"
truncate -s 4M sparse.img
accepted "a sparse file is accepted" "file=sparse.img"
if [ "$(stat -c %b sparse.img)" -ge 8192 ]; then
    ok "and gets all its blocks"
else
    not_ok "and gets all its blocks"
fi
refused "a size beyond the disk is refused" "file=huge.img,size=4096G" "no room"
[ ! -e huge.img ] && ok "and leaves no file behind" || not_ok "and leaves no file behind"
# The CPU of this machine has addresses of 40 bits.
refused "a store that has no place in the address space is refused" "file=new.img,max-size=1T" \
    "needs 1024 GiB of address space, but the CPU's addresses have 40 bits"
for why in max-size=1T x-powercut=/nonexistent/shadow x-powercut-at=1; do
    echo quit | start -device "vmemstore,file=unmade.img,size=16M,$why" || :
done
[ ! -e unmade.img ] && ok "a device that does not come to be leaves no new file behind" ||
    not_ok "a device that does not come to be leaves no new file behind"
refused "room that no CPU has addresses for is refused" \
    "file=new.img,max-size=18446744073707454464" "no CPU has addresses for more"
refused "a place that no file has is refused" \
    "file=new.img,offset=2M,size=18446744073707454464" "no file has 18446744073707454464 bytes"
says "one that firmware may find no place for is warned of" \
    "needs 256 GiB of address space, which firmware may not find" "file=new.img,max-size=256G" "info status"
if { printf 'device_add vmemstore,id=v,file=new.img,max-size=%s,bus=rp\n' 1T 8G; echo info qtree; echo quit; } |
    start -device pcie-root-port,id=rp && grep -q 'needs 1024 GiB' out && grep -q 'vmemstore, id "v"' out; then
    ok "plugged in and refused, it leaves the file to the next"
else
    not_ok "plugged in and refused, it leaves the file to the next"
fi
if echo quit | start -device "vmemstore,file=new.img,max-size=128G" && ! grep -q "address space" out; then
    ok "one with an eighth of the address space is not"
else
    not_ok "one with an eighth of the address space is not"
fi
if [ "$(id -u)" = 0 ] || [ -w /dev/shm ]; then
    says "a file on tmpfs is announced as volatile" volatile \
        "file=/dev/shm/vmemstore-test.$$,size=2M" "qom-get /machine/peripheral/v backing"
    refused "which leaves memory no more than it must" \
        "file=/dev/shm/vmemstore-test.$$,resident-limit=2M" "resident-limit= is of no use"
    rm -f "/dev/shm/vmemstore-test.$$"
fi

# --- locking ---

hold() {
    hold_qemu -device "vmemstore,$1"
}

# hold_qemu ARGUMENTS: until release
hold_qemu() {
    rm -f hold.out
    mkfifo hold
    "$qemu" -plugin "$so" -M q35 -m 64M -S -display none -nodefaults -monitor stdio \
        "$@" < hold > hold.out 2>&1 &
    holder=$!
    exec 9> hold
    # Commands are read when all devices are there.
    echo "info status" >&9
    tries=0
    until grep -q 'VM status' hold.out 2>/dev/null || [ $tries -eq 3000 ]; do
        sleep 0.2
        tries=$((tries + 1))
    done
}

release() {
    echo quit >&9
    exec 9>&-
    wait "$holder"
    rm -f hold
}

# flags_of FILE: sets $flags to the VmFlags of its mapping in a QEMU
flags_of() {
    hold "file=$1"
    # Guest memory by then: QEMU has asked for huge pages, and we after it.
    flags=$(awk -v file="$PWD/$1" '/^[0-9a-f]+-/ { ours = index($0, file) } ours && /^VmFlags/' \
        "/proc/$holder/smaps")
    release
}

hold file=new.img
refused "a second VM on the same file is refused" "file=new.img" "(locked) that may write to it"
refused "a read-only one too" "file=new.img,readonly=on" "(locked) that may write to it"
refused "and a copy-on-write one" "file=new.img,cow=on" "(locked) that may write to it"
release
accepted "the file is free again afterwards" "file=new.img"
hold file=new.img,readonly=on
accepted "two read-only VMs share a file" "file=new.img,readonly=on"
refused "but no writer joins them" "file=new.img" "(locked) that reads it: stop all readers"
accepted "though a copy-on-write one does" "file=new.img,cow=on"
release
hold file=new.img,cow=on
accepted "a read-only VM joins a copy-on-write one" "file=new.img,readonly=on"
accepted "so does another copy-on-write one" "file=new.img,cow=on"
refused "but no writer" "file=new.img" "(locked) that reads it: stop all readers"
release
hold file=new.img
kill -9 "$holder"
exec 9>&-
wait "$holder" 2>/dev/null
rm -f hold
accepted "the file is free again after kill -9" "file=new.img"

# drive OPTIONS: after it, $drive are QEMU's arguments for a drive of its own
drive() {
    drive="-drive if=none,id=d,format=raw,file=new.img,$1 -device virtio-blk-pci,drive=d"
}

# beside OPTIONS: QEMU starts with that drive and no store
beside() {
    drive "$1"
    # shellcheck disable=SC2086
    echo quit | start $drive
}

# hold_drive OPTIONS: until release
hold_drive() {
    drive "$1"
    # shellcheck disable=SC2086
    hold_qemu $drive
}

hold file=new.img,readonly=on
beside readonly=on && ok "a read-only drive of QEMU joins a read-only store" ||
    not_ok "a read-only drive of QEMU joins a read-only store"
beside readonly=off && not_ok "but no drive that writes" || ok "but no drive that writes"
accepted "and another read-only store joins the first" "file=new.img,readonly=on"
release
hold file=new.img
beside readonly=on && not_ok "no drive joins a store that writes" || ok "no drive joins a store that writes"
release
hold_drive readonly=on
accepted "a read-only store joins a read-only drive" "file=new.img,readonly=on"
accepted "so does a copy-on-write one" "file=new.img,cow=on"
refused "but no store that writes" "file=new.img" "(locked) that reads it"
release
hold_drive readonly=off
refused "no read-only store joins a drive that writes" "file=new.img,readonly=on" \
    "(locked) that may write to it"
refused "nor one that writes" "file=new.img" "(locked) that may write to it"
release

refused "read-only and copy-on-write exclude each other" "file=new.img,readonly=on,cow=on" \
    "readonly=on and cow=on exclude each other"
refused "copy-on-write creates no file" "file=none.img,size=6M,cow=on" "cannot open 'none.img'"
says "copy-on-write is announced as volatile" volatile "file=new.img,cow=on" \
    "qom-get /machine/peripheral/v backing"

refused "compat= knows virtio-pmem only" "file=new.img,compat=nvdimm" "compat=nvdimm is unknown"
refused "a virtio-pmem cannot be thin" "file=new.img,compat=virtio-pmem,prealloc=off" \
    "compat=virtio-pmem does not go with prealloc=off"
hold file=new.img,compat=virtio-pmem
refused "a virtio-pmem locks its file, too" "file=new.img" "(locked) that may write to it"
release

# --- management ---

says "counters can be read" "0" "file=new.img" "qom-get /machine/peripheral/v flush-requests"
says "migration is refused, with the reason" "cannot be migrated or saved" "file=new.img" \
    "migrate -d exec:cat"
says "the device status can be queried" "vmemstore" "file=new.img" \
    "info virtio-status /machine/peripheral/v/virtio-backend"
if { printf '%s\n' "log trace:vmemstore_*" "device_add vmemstore,file=new.img,bus=rp"; echo quit; } |
    start -device pcie-root-port,id=rp && grep -q 'vmemstore_realize file new.img size 6291456' out; then
    ok "trace events can be switched on, and a device hot-plugged"
else
    not_ok "trace events can be switched on, and a device hot-plugged"
fi
refused "modern-pio-notify=on is refused" "file=new.img,modern-pio-notify=on" "not supported"
refused "flush-in-vcpu=on is refused where the main loop takes the doorbell" \
    "file=new.img,flush-in-vcpu=on,ioeventfd=on" "does not go with ioeventfd=on"
refused "flush-threads=0 is refused" "file=new.img,flush-threads=0" "must be 1 to"

# --- from the guest's side ---

# tap_of SUFFIX PROGRAM: take over the results of a test program
tap_of() {
    log=$logs/$(basename "$2").log
    timeout 1200 "$2" --tap > tap.out 2>> "$log"
    status=$?
    : > out
    while read -r result number name; do
        case $result in
        ok) ok "${name#/vmemstore/}$1" ;;
        not) not_ok "${name#*/vmemstore/}$1" ;;
        esac
    done < tap.out
    if [ $status -ne 0 ]; then
        tail -5 "$log" > out
        not_ok "$(basename "$2") ends well$1 (status $status; see $log)"
    fi
}

rm -f "$logs"/*-test.log
tap_of "" "$logs/spans-test"
tap_of "" "$logs/engine-test"
tap_of "" "$logs/sync-test"
export QTEST_QEMU_BINARY="$qemu" QTEST_PLUGIN="$so" VMEMSTORE_TEST_DIR="$dir"
export VMEMSTORE_TEST_OPTIONS=,flush-in-vcpu=off
tap_of "" "$logs/vmemstore-test"
tap_of "" "$logs/access-test"
tap_of "" "$logs/compat-test"
tap_of "" "$logs/growth-test"
tap_of "" "$logs/inflight-test"
tap_of "" "$logs/prefetch-test"
tap_of "" "$logs/flush-test"
tap_of "" "$logs/insight-test"
VMEMSTORE_TEST_OPTIONS=,flush-in-vcpu=on
tap_of " (flushes in the vCPU thread)" "$logs/vmemstore-test"
tap_of " (flushes in the vCPU thread)" "$logs/flush-test"

# --- small disks, which get filled up ---

unset VMEMSTORE_TEST_OPTIONS

# small_disk NAME COMMAND...: run the tests of space on the file system that the command mounts at $small
small_disk() {
    kind=$1
    shift
    small=$dir/small
    mkdir -p "$small"
    if [ "$(id -u)" != 0 ] || ! "$@" > out 2>&1; then
        ok "tests of space on a small $kind # SKIP cannot mount one: $(head -1 out)"
        return
    fi
    VMEMSTORE_TEST_DIR=$small VMEMSTORE_TEST_SMALL=1
    export VMEMSTORE_TEST_DIR VMEMSTORE_TEST_SMALL
    tap_of " ($kind)" "$logs/space-test"
    umount "$small"
    unset VMEMSTORE_TEST_SMALL
    VMEMSTORE_TEST_DIR=$dir
}

# mount_image MKFS SIZE: a file with a file system in it
mount_image() {
    rm -f small.img
    truncate -s "$2" small.img && $1 small.img && mount -o loop small.img "$small"
}

small_disk tmpfs mount -t tmpfs -o size=64M tmpfs "$dir/small"
small_disk ext4 mount_image "mkfs.ext4 -q -F -m 0" 80M
small_disk xfs mount_image "mkfs.xfs -q -f" 320M

# shellcheck source=tests/backing.sh
. "$here/backing.sh"

# --- folios ---

truncate -s 4M cold.img
flags_of cold.img
case " $flags " in
*" hg "*) not_ok "faults are not asked to bring huge pages ($flags)" ;;
*" rr "*) ok "faults are not asked to bring huge pages" ;;
*) not_ok "faults are not asked to bring huge pages (no mapping found)" ;;
esac

# resident FILE: bytes of it in the page cache
resident() {
    fincore -b -n -r -o RES "$1" | tr -d ' '
}

# Of the first 1 MiB a quarter is cached, of the third all, in pages as they were written.
truncate -s 4M warm.img
dd if=/dev/urandom of=warm.img bs=1M count=4 conv=notrunc,fsync status=none
dd if=warm.img iflag=nocache count=0 status=none
dd if=/dev/urandom of=warm.img bs=64k count=4 conv=notrunc,fsync status=none
dd if=/dev/urandom of=warm.img bs=1M count=1 seek=2 conv=notrunc,fsync status=none
if [ "$(stat -f -c %T .)" = tmpfs ] || [ "$(resident warm.img)" != 1310720 ]; then
    ok "what was cached is read again # SKIP $(resident warm.img) bytes of the file are cached"
else
    hold file=warm.img
    tries=0
    until [ "$(resident warm.img)" = 1048576 ] || [ $tries -eq 600 ]; do
        sleep 0.1
        tries=$((tries + 1))
    done
    resident warm.img > out
    release
    if [ "$(cat out)" = 1048576 ]; then
        ok "at start the page cache is dropped, and what was mostly cached is read again"
    else
        not_ok "at start the page cache is dropped, and what was mostly cached is read again"
    fi
fi

# The disk fails while what is dirty of the file is written back, before anything else.
truncate -s 4096 hold.file
if echo quit | VMEMSTORE_TEST_HOLD=$PWD/hold.file VMEMSTORE_TEST_FAILS=fdatasync \
    LD_PRELOAD=$logs/hold.so start -device vmemstore,file=warm.img; then
    not_ok "a disk that fails at start is refused"
elif grep -q "cannot write back 'warm.img'" out; then
    ok "a disk that fails at start is refused"
else
    not_ok "a disk that fails at start is refused"
fi

if "$here/../bench/run" --build > out 2>&1; then
    ok "the benchmark of the flush engine builds"
else
    not_ok "the benchmark of the flush engine builds"
fi

echo "1..$count"
[ "$failed" = 0 ]
