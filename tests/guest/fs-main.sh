#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
# fs-main.sh - run the guest tests named by $TESTS; status 1 if one fails

. /tests/lib.sh

if [ "$DURABILITY" = pmem ]; then
	sleep 1
	make_fsdax && /tests/mkfs.vmemfs -q -f -L fs-test /dev/pmem0 || exit 1
fi
failed=
for name in $TESTS; do
	echo "# $name (durability=$DURABILITY)"
	"/tests/fs-$name.sh" || failed="$failed $name"
done
[ -z "$failed" ] && exit 0
echo "# failed:$failed"
exit 1
