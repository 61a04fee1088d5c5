#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
# fs-main.sh - run the guest tests named by $TESTS; status 1 if one fails

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
	/tests/mkfs.vmemfs -q -f -L fs-test /dev/pmem0
}

if [ "$DURABILITY" = pmem ]; then
	sleep 1
	make_fsdax || exit 1
fi
failed=
for name in $TESTS; do
	echo "# $name (durability=$DURABILITY)"
	"/tests/fs-$name.sh" || failed="$failed $name"
done
[ -z "$failed" ] && exit 0
echo "# failed:$failed"
exit 1
