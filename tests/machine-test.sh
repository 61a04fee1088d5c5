#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# machine-test.sh - stores on the kinds of machines that QEMU makes, with each firmware
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/.." && pwd)
out=${OUT:-$top/build/machine-test}
tools=$top/build/tools
share=${FIRMWARE:-/usr/share}
plugin=${PLUGIN:-$top/build/vmemstore.so}
all="q35-seabios q35-ovmf q35-pvh pc-seabios pc-ovmf microvm-qboot microvm-seabios no-room"

usage() {
	cat <<HELP
usage: tests/machine-test.sh [TEST...]

Boots guests on machines of several kinds, with two stores each: windows of the right
size above 4 GiB, files that survive a reset of the machine, and on q35 and pc a store
that is plugged in and out.  Prints TAP.
  q35-seabios q35-ovmf pc-seabios pc-ovmf
  q35-pvh          SeaBIOS starts the kernel by its PVH entry
  microvm-qboot    no firmware to speak of, the PVH entry
  microvm-seabios
  no-room          OVMF, and a store for which there is no room in the address space

Needs build/ (make).  Logs are in build/machine-test/.
QEMU=PROGRAM     another QEMU
PLUGIN=FILE      another object for -plugin; none: the device is part of that QEMU
FIRMWARE=DIR     in place of /usr/share, with ovmf/ and seabios/
OUT=DIR          in place of build/machine-test
HELP
}

die() {
	echo "machine-test: $*" >&2
	exit 2
}

case ${1:-} in
-h | --help) usage && exit ;;
-*) die "unknown option $1: see --help" ;;
esac
for file in "$tools/mkfs.vmemfs" "$tools/fsck.vmemfs" "$top/build/modules/vmemfs.ko"; do
	[ -e "$file" ] || die "${file#"$top"/} is missing: run make first"
done
[ -e "$share/ovmf/OVMF.fd" ] || die "$share/ovmf/OVMF.fd is missing: apt-get install ovmf"
if [ "$plugin" = none ]; then
	plugin=
else
	[ -e "$plugin" ] || die "$plugin is missing: run make first"
fi

trap 'exit 130' INT
trap 'exit 143' TERM HUP

. "$here/tap.sh"
why=$out/why

# ask COMMAND ARGUMENTS: to QEMU, as QMP
ask() {
	printf '{"execute": "%s", "arguments": {%s}}\n' "$1" "$2" >"$out/monitor.in"
}

# wait_for LINE: the guest has printed it, or has ended
wait_for() {
	while ! grep -q "^$1\$" "$out/$name.out" && [ ! -e "$out/ended" ]; do sleep 0.2; done
	[ ! -e "$out/ended" ]
}

# What the user does: a store is plugged into $1, and out again.
plug() {
	wait_for ready || return 0
	ask qmp_capabilities ''
	ask device_add "\"driver\": \"vmemstore\", \"id\": \"hot\", \"bus\": \"$1\", \"file\": \"$out/hot.img\""
	wait_for used || return 0
	ask device_del '"id": "hot"'
}

# On a busy host Linux may misjudge the APIC timer, a microvm's only one, and hang.
watch_clock() {
	while [ ! -e "$out/ended" ]; do
		if grep -qa 'APIC frequency too slow' "$out/$name.log" && [ -s "$out/pid" ]; then
			: >"$out/no-clock"
			kill -9 "$(cat "$out/pid")" 2>/dev/null || :
			return
		fi
		sleep 1
	done
}

# guest NAME [run-vm options] -- QEMU ARGUMENTS: run the script in a guest; the TAP
# lines it prints become ours
guest() {
	script=$1
	shift
	status=0
	rm -f "$out/ended" "$out/no-clock" "$out/pid"
	: >"$out/$name.log"
	watch_clock &
	watcher=$!
	"$here/vm/run-vm" --modules "vmemstore vmemfs" --log "$out/$name.log" --pidfile "$out/pid" \
		--add "$here/guest/lib.sh:/tests/lib.sh" \
		--add "$here/guest/store-lib.sh:/tests/store-lib.sh" --timeout 900 \
		"$here/guest/$script.sh" "$@" >"$out/$name.out" 2>&1 || status=$?
	: >"$out/ended"
	# Or the next guest would have it, too.
	wait $watcher
	[ ! -e "$out/no-clock" ] || [ $tries -ge 4 ] || return 0
	take_over "$out/$name.out" "$name: "
	result $status "$name: the guest ends well"
}

check_image() {
	status=0
	"$tools/fsck.vmemfs" -n "$out/$1.img" >"$why" 2>&1 || status=1
	result $status "$name: $2"
	rm -f "$out/$1.img"
}

make_images() {
	rm -f "$out/ended" "$out"/*.img "$out/monitor.in" "$out/monitor.out"
	: >"$out/$name.out"
	for image in small:64M roomy:32M hot:16M; do
		"$tools/mkfs.vmemfs" -q -s "${image#*:}" "$out/${image%:*}.img"
	done
}

# machine TYPE BUS [run-vm options] -- QEMU ARGUMENTS: all that the file's head promises;
# BUS: where to plug a store in, or none
machine() {
	tries=0
	while :; do
		tries=$((tries + 1))
		try_machine "$@"
		[ -e "$out/no-clock" ] && [ $tries -lt 4 ] || break
	done
	check_image small "the image is whole"
	check_image roomy "the second, too"
	[ $hotplug = no ] || check_image hot "that of the plugged store, too"
	rm -f "$out/hot.img" "$out/monitor.in" "$out/monitor.out"
}

try_machine() {
	type=$1 bus=$2 hotplug=yes user=
	shift 2
	make_images
	mkfifo "$out/monitor.in" "$out/monitor.out"
	cat "$out/monitor.out" >"$out/$name.qmp" &
	listener=$!
	if [ "$bus" = none ]; then
		hotplug=no
	else
		plug "$bus" &
		user=$!
	fi
	guest machine --machine "$type" --reboots --env HOTPLUG=$hotplug "$@" \
		${plugin:+-plugin "$plugin"} -device "vmemstore,file=$out/small.img" \
		-device "vmemstore,file=$out/roomy.img,max-size=64G" \
		-chardev "pipe,id=monitor,path=$out/monitor" -mon chardev=monitor,mode=control
	kill $user $listener 2>/dev/null || :
	wait $user $listener 2>/dev/null || :
	! grep '"error"' "$out/$name.qmp" || result 1 "$name: QEMU does what it is asked for"
}

# The kernel as an ELF file, as it is inside Debian's image: Linux's
# Documentation/arch/x86/boot.rst, payload_offset and payload_length.
make_vmlinux() {
	"$here/vm/prepare"
	release=$(cat "$top/build/vm/kernel.release")
	vmlinux=$out/vmlinux-$release
	[ ! -e "$vmlinux" ] || return 0
	python3 - "$top/build/vm/kernel/boot/vmlinuz-$release" >"$out/vmlinux.lz4" <<'PROGRAM'
import struct, sys
image = open(sys.argv[1], "rb").read()
start = ((image[0x1f1] or 4) + 1) * 512 + struct.unpack_from("<I", image, 0x248)[0]
# Without the size that follows the compressed kernel.
sys.stdout.buffer.write(image[start:start + struct.unpack_from("<I", image, 0x24c)[0] - 4])
PROGRAM
	lz4 -q -dc "$out/vmlinux.lz4" >"$vmlinux.new"
	rm "$out/vmlinux.lz4"
	mv "$vmlinux.new" "$vmlinux"
}

# A window of 4 GiB is too much for a port that was empty when the firmware looked.
port="-device pcie-root-port,id=socket,chassis=1,slot=1,pref64-reserve=8G"

# shellcheck disable=SC2086
test_q35_seabios() {
	machine q35 socket -- $port
}

# shellcheck disable=SC2086
test_q35_ovmf() {
	machine q35 socket -- $port -bios "$share/ovmf/OVMF.fd"
}

test_q35_pvh() {
	make_vmlinux
	machine q35 none --image "$vmlinux" --
}

# Room for what is plugged in.
hole="-global i440FX-pcihost.pci-hole64-size=128G"

# shellcheck disable=SC2086
test_pc_seabios() {
	machine pc pci.0 -- $hole
}

# shellcheck disable=SC2086
test_pc_ovmf() {
	machine pc pci.0 -- $hole -bios "$share/ovmf/OVMF.fd"
}

test_microvm_qboot() {
	make_vmlinux
	machine microvm,pcie=on none --image "$vmlinux" -- -bios "$share/qemu/qboot.rom"
}

test_microvm_seabios() {
	machine microvm,pcie=on none -- -bios "$share/seabios/bios-microvm.bin"
}

# A window of half of the address space.
test_no_room() {
	tries=4
	make_images
	guest machine-no-room -- ${plugin:+-plugin "$plugin"} \
		-device "vmemstore,file=$out/small.img" \
		-device "vmemstore,file=$out/roomy.img,max-size=512G" -bios "$share/ovmf/OVMF.fd"
	check_image small "the image is whole"
}

mkdir -p "$out"
for name in ${*:-$all}; do
	case " $all " in *" $name "*) ;; *) die "no test '$name': there are $all" ;; esac
	"test_$(echo "$name" | tr - _)"
done
echo "1..$count"
exit $failed
