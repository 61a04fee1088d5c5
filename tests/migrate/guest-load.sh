#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
# In the guest: work that verifies itself, until the host says stop.
#
# fio writes at random with fsync, and reads everything back, in rounds; beside
# it ackload works and says what it was promised.

mkdir -p /mnt
case $MODE in
ext4) set -- -t ext4 -o dax ;;
*) set -- -t vmemfs -o durability="$MODE" ;;
esac
if ! mount "$@" /dev/pmem0 /mnt; then
	echo "FAILED: mount"
	exit 1
fi
if [ -n "$ACKED" ]; then
	dmesg | grep -q 'vmemfs.*recover' || echo "no recovery"
	ackload verify /mnt/work 1 "$ACKED" || exit 1
	umount /mnt
	echo "verified"
	exit
fi
mkdir -p /mnt/work
sync
# Nothing can be read from the port while nobody holds its other end.  It stays open: what
# comes while it is closed, or is not read when it is, is lost.
until [ -c /dev/vport0p3 ]; do sleep 0.1; done
while [ ! -s /tmp/said ]; do
	head -n 1 >/tmp/said
	sleep 0.2
done </dev/vport0p3 2>/dev/null && mv /tmp/said /tmp/stop &

ackload run /mnt/work 1 $([ "$MODE" = guest ] || echo fsync) >/tmp/acks &
load=$!
round=0
while [ ! -e /tmp/stop ]; do
	round=$((round + 1))
	if ! fio --name=round --directory=/mnt --ioengine=psync --rw=randwrite --bs=4k \
		--size=2m --fsync=1 --randseed=$round --verify=crc32c --verify_fatal=1 \
		--do_verify=1 >/tmp/fio.log 2>&1; then
		cat /tmp/fio.log
		echo "FAILED: fio"
		exit 1
	fi
	echo "round $round, ack $(tail -n 2 /tmp/acks | sed -n '1s/^ack //p')"
	# Verified once more after whatever happened since.
	fio --name=round --directory=/mnt --ioengine=psync --rw=randwrite --bs=4k --size=2m \
		--randseed=$round --verify=crc32c --verify_fatal=1 --verify_only >/tmp/fio.log 2>&1 || {
		cat /tmp/fio.log
		echo "FAILED: fio, second look"
		exit 1
	}
done
kill $load
wait $load
ackload verify /mnt/work 1 "$(tail -n 2 /tmp/acks | sed -n '1s/^ack //p')" || {
	echo "FAILED: ackload"
	exit 1
}
umount /mnt || exit 1
echo "finished"
