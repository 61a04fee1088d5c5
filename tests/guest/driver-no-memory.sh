#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# A store that needs more of the machine's memory than there is: one line, no disk, and
# the machine lives on.
set -eu

fail() {
	echo "$*"
	dmesg | tail -n 20
	exit 1
}

dmesg | grep 'vmemstore.*need [0-9]* MiB of this machine.s memory' || fail "no line says why"
[ ! -e /dev/pmem0 ] || fail "there is a disk"
! dmesg | grep -iE 'out of memory|oom-kill|allocation failure' || fail "memory has run out"
# A program of some size still starts.
dd if=/dev/zero of=/dev/null bs=16M count=1 2>/dev/null || fail "no memory is left"
