#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
# In the guest after the kill: mount, tell of the recovery, verify.
set -e
mkdir -p /mnt
mount -t vmemfs /dev/pmem0 /mnt
line=$(dmesg | sed -n 's/.*vmemfs (pmem0): mounted.*\(recovered.*\)/\1/p')
[ -n "$line" ] || { echo "no recovery was needed after a kill?" && exit 1; }
echo "recovery: $line"
ackload verify /mnt/work 1 "$ACKED"
umount /mnt
