# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# lib.sh - what tests in a guest share; sourced, not run
#
# A test is a shell function that stops at the first failing command; `check`
# runs it and prints one TAP line.
# shellcheck shell=sh

tap_count=0
tap_failed=0
tap_skip=		# sentences, each on a line of its own, of what is not asked

# check SENTENCE COMMAND...: the property holds when the command succeeds
check() {
	sentence=$1
	shift
	tap_count=$((tap_count + 1))
	if [ -n "$tap_skip" ] && echo "$tap_skip" | grep -qxF -e "$sentence"; then
		echo "ok $tap_count - $sentence # SKIP it has none"
		return
	fi
	# A subshell of its own, and no condition: -e would be ignored in one.
	(
		set -e
		"$@"
	) >/tmp/check.out 2>&1
	if [ $? -eq 0 ]; then
		echo "ok $tap_count - $sentence"
		return
	fi
	tap_failed=$((tap_failed + 1))
	echo "not ok $tap_count - $sentence"
	sed 's/^/# /' /tmp/check.out | tail -n 20
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

# wait_until COMMAND...: some minutes at most, on a host that is busy
wait_until() {
	tries=0
	until "$@"; do
		tries=$((tries + 1))
		[ $tries -lt 2000 ] || return 1
		sleep 0.1
	done
}

# An nvdimm has DAX only once its namespace says where its struct pages are; by
# sysfs (Documentation/ABI/testing/sysfs-bus-nvdimm), what `ndctl create-namespace
# --mode=fsdax --map=mem` does.
make_fsdax() {
	cd /sys/bus/nd/devices
	pfn=$(cat region0/pfn_seed)
	echo namespace0.0 >../drivers/nd_pmem/unbind
	echo ram >"$pfn/mode"
	cat /proc/sys/kernel/random/uuid >"$pfn/uuid"
	echo namespace0.0 >"$pfn/namespace"
	echo "$pfn" >../drivers/nd_pmem/bind
	cd /
}
