# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# store-lib.sh - what the guest tests store-*.sh share; sourced, not run
# shellcheck shell=sh

. /tests/lib.sh

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
	[ $tap_failed -eq 0 ]
	exit
}
