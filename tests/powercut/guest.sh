#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
# The guest's side of powercut/run: check what the last cycle left, then work.

dir=/mnt/work
jobs=2

fail() {
	echo "FAILED: $*"
	exit 1
}

fio_job() {
	fio --name=cut --directory=$dir --size=2M --bs=4k --ioengine=psync --thread \
		--numjobs=$jobs --verify=crc32c "$@"
}

# Each job may have been storing one block when the power went.
verify_fio() {
	fio_job --rw=read --verify_fatal=0 >/tmp/fio 2>&1 && return
	bad=$(grep -o 'offset [0-9]*' /tmp/fio | sort -u | wc -l)
	if [ "$bad" -eq 0 ] || [ "$bad" -gt $jobs ]; then
		head -n 20 /tmp/fio
		return 1
	fi
	echo "$bad blocks are torn, of $jobs that were being written"
}

verify() {
	case $CHECK_LOAD in
	fsync) ackload verify $dir "$CHECK_SEED" "$CHECK_ACKED" ;;
	append) ackload verify $dir "$CHECK_SEED" "$CHECK_ACKED" append ;;
	syncfs) ackload verify $dir "$CHECK_SEED" "$CHECK_ACKED" sync ;;
	sqlite) sqliteload verify $dir/db "$CHECK_SEED" "$CHECK_ACKED" ;;
	fio) verify_fio ;;
	esac 2>&1
}

run() {
	case $LOAD in
	fsync | append)
		echo "started"
		ackload run $dir "$SEED" "$LOAD"
		;;
	syncfs)
		echo "started"
		ackload run $dir "$SEED" sync
		;;
	sqlite)
		sqliteload run $dir/db "$SEED"
		;;
	fio)
		fio_job --rw=write --do_verify=0 --end_fsync=1 >/tmp/fio 2>&1 || fail "fio: $(cat /tmp/fio)"
		sync
		echo "started"
		(sleep 2 && echo "ack 1") &
		fio_job --rw=randwrite --norandommap --randseed="$SEED" --fdatasync=1 --do_verify=0 \
			--time_based --runtime=300 >/tmp/fio 2>&1
		;;
	esac
	fail "the workload ended: $(cat /tmp/fio 2>/dev/null)"
}

mkdir -p /mnt
[ -z "$FAULT" ] || echo "$FAULT" >/sys/module/vmemfs/parameters/fault || exit 1
mount -t vmemfs -o durability=host /dev/pmem0 /mnt || fail "mount"
dmesg | grep 'vmemfs.*recover' >/tmp/recovery && grep -q host /tmp/recovery && {
	echo "recovered from a host failure"
	cat /tmp/recovery
}
mkdir -p $dir
verify || fail "verify $CHECK_LOAD"
echo "verified"
echo "<2>verified" >/dev/kmsg
rm -rf /mnt/work
mkdir $dir
sync
if [ "$LOAD" = stop ]; then
	umount /mnt
	exit
fi
run
