#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
# fs-main.sh - run the guest tests named by $TESTS; status 1 if one fails
failed=
for name in $TESTS; do
	echo "# $name (durability=$DURABILITY)"
	"/tests/fs-$name.sh" || failed="$failed $name"
done
[ -z "$failed" ] && exit 0
echo "# failed:$failed"
exit 1
