#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# The interface for file systems keeps its promises (vmemstore_selftest.ko).
set -eu

status=0
insmod /vmemstore_selftest.ko rounds=200 threads=1 || status=1
rmmod vmemstore_selftest || :
# More threads than the driver has requests in flight.
insmod /vmemstore_selftest.ko rounds=20 threads=100 || status=1
dmesg | sed -n 's/.*vmemstore_selftest: //p'
exit $status
