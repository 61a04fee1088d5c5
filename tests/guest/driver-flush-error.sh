#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# A failed flush is an error of fsync, and of every later one.
set -eu

fail() {
	echo "$*"
	exit 1
}

device=$(echo /sys/bus/virtio/drivers/vmemstore/virtio*)
write() {
	dd if=/dev/zero of=/dev/pmem0 bs=4k count=1 conv=fsync 2>/dev/null
}

write || fail "the first flush failed"
[ "$(cat "$device/failed")" -eq 0 ] || fail "failed too early"
if write; then fail "the error did not reach fsync"; fi
[ "$(cat "$device/failed")" -eq 1 ] || fail "the failure is not shown"
if write; then fail "a later fsync succeeded"; fi

# The device remembers it for the next driver.
name=$(basename "$device")
echo "$name" >/sys/bus/virtio/drivers/vmemstore/unbind
echo "$name" >/sys/bus/virtio/drivers/vmemstore/bind
[ "$(cat "$device/failed")" -eq 1 ] || fail "forgotten after a rebind"
