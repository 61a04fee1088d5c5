# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# hosts-lib.sh - for a VM that is itself the host of a QEMU; sourced, not run
# shellcheck shell=sh

qemu=/usr/sbin/qemu-system-x86_64
so=/tests/vmemstore.so

# shellcheck source=tests/guest/lib.sh
. /tests/lib.sh

export QTEST_QEMU_BINARY=$qemu QTEST_PLUGIN=$so

# A QEMU without a guest; the lines of its monitor come from stdin.
start() {
	timeout 600 $qemu -plugin $so -M q35 -m 64M -S -display none -nodefaults \
		-monitor stdio "$@"
}

# says TEXT OPTIONS COMMAND...: with that store QEMU starts, and answers TEXT
says() {
	text=$1 options=$2
	shift 2
	{ printf '%s\n' "$@" && echo quit; } | start -device "vmemstore,id=v,$options" >/tmp/said 2>&1
	tr -d '\033\b\r' </tmp/said
	grep -qF -e "$text" /tmp/said
}

accepts() {
	says "" "$1" "info status"
}

# refuses TEXT OPTIONS: it does not start, and says why
refuses() {
	! echo quit | start -device "vmemstore,$2" >/tmp/said 2>&1 || return 1
	tr -d '\033\b\r' </tmp/said
	grep -qF -e "$1" /tmp/said
}

# hold OPTIONS: until release
hold() {
	rm -f /tmp/hold.out
	mkfifo /tmp/hold
	start -device "vmemstore,id=v,$1" </tmp/hold >/tmp/hold.out 2>&1 &
	holder=$!
	exec 9>/tmp/hold
	# Commands are read when all devices are there.
	echo "info status" >&9
	tries=0
	while ! grep -q 'VM status' /tmp/hold.out; do
		sleep 0.2
		tries=$((tries + 1))
		[ $tries -lt 3000 ] || return 1
	done
}

release() {
	echo quit >&9
	exec 9>&-
	wait "$holder"
	rm /tmp/hold
}

# device_tests FOLDER PROGRAM...: the device's own tests on files in that folder,
# a TAP line for each
device_tests() {
	folder=$1
	shift
	for program in "$@"; do
		status=0
		VMEMSTORE_TEST_DIR=$folder "/tests/$program" --tap >/tmp/tap 2>/tmp/tap.err || status=$?
		while read -r result number name; do
			case $result in
			ok) check "$folder: ${name#/vmemstore/}" true ;;
			not) check "$folder: ${name#*/vmemstore/}" false ;;
			esac
		done </tmp/tap
		[ $status -eq 0 ] || cat /tmp/tap.err
		check "$folder: $program ends well" [ $status -eq 0 ]
	done
}

finish() {
	echo "# $tap_count tests"
	[ $tap_failed -eq 0 ]
	exit
}
