#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
# In the guest: fio and a workload that says what was acknowledged, until killed.
set -e
mkdir -p /mnt
mount -t vmemfs /dev/pmem0 /mnt
mkdir /mnt/work
fio --name=second --directory=/mnt --ioengine=psync --fsync=1 --rw=randwrite --bs=4k \
	--size=16m --time_based --runtime=120 >/dev/null 2>&1 &
exec ackload run /mnt/work 1 fsync
