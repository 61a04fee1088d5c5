#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
# The Linux guest's side of the part "same" of libos/run.sh; the store is left mounted.
set -eu

mkdir -p /mnt
mount -t vmemfs /dev/pmem0 /mnt
cd /mnt
cut -d' ' -f3 by-shim/sums | xargs cksum >/tmp/sums
cmp /tmp/sums by-shim/sums && echo "linux: tree of the library verified"
cmp by-shim/link by-shim/sub/file0 && [ "$(stat -c %a by-shim/sub)" = 700 ] && echo "linux: names and modes verified"
# The process was killed: what it had finished is there, what it had unlinked is gone.
[ "$(stat -c %s kept)" = 65536 ] && ! ls gone* 2>/dev/null && echo "linux: recovered what the library left"

mkdir -p by-linux/deep/er
i=0
while [ $i -lt 20 ]; do
	dd if=/dev/urandom of=by-linux/deep/f$i bs=777 count=$((i * 3 + 1)) 2>/dev/null
	i=$((i + 1))
done
mv by-linux/deep/f3 by-linux/deep/er/moved
ln by-linux/deep/f4 by-linux/second
find by-linux -type f | sort | xargs cksum >/tmp/sums
cp /tmp/sums by-linux/sums
dd if=/dev/zero of=by-linux/big bs=4096 count=600 2>/dev/null
echo "linux: tree written"
