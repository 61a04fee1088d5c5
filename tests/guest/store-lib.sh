# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# store-lib.sh - what the guest tests store-*.sh share; sourced, not run
# shellcheck shell=sh

failures=0

# check SENTENCE COMMAND...: the property holds when the command succeeds
check() {
	sentence=$1
	shift
	# A subshell of its own, and no condition: -e would be ignored in one.
	(
		set -e
		"$@"
	) >/tmp/check.out 2>&1
	if [ $? -eq 0 ]; then
		echo "ok - $sentence"
		return
	fi
	failures=$((failures + 1))
	echo "not ok - $sentence"
	tail -n 20 /tmp/check.out
}

# expect_fail COMMAND...: succeed when it fails
expect_fail() {
	if "$@"; then
		echo "this should have failed: $*"
		return 1
	fi
}

# same TEXT TEXT
same() {
	[ "$1" = "$2" ] || {
		echo "expected '$2', got '$1'"
		return 1
	}
}

# store_attr DISK NAME: an attribute of the device behind /dev/DISK
store_attr() {
	cat "/sys/block/$1/device/$2"
}

# disk_with NAME VALUE: the disk whose device has that attribute
disk_with() {
	for disk in /sys/block/pmem*; do
		disk=${disk##*/}
		if [ "$(store_attr "$disk" "$1")" = "$2" ]; then
			echo "$disk"
			return
		fi
	done
}

finish() {
	[ $failures -eq 0 ]
	exit
}
