#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
# fs-files.sh - contents of regular files: read, write, truncate, seek, fsync
. "${TESTS_DIR:-/tests}/fs-lib.sh"

write_and_read() {
	echo hello >f
	same "$(cat f)" hello
	same "$(stat -c %s f)" 6
}
check "what was written is read back" write_and_read

odd_offsets() {
	fsprobe fill odd 0 20000 1
	for off in 0 1 511 4095 4096 4097 8191 12345; do
		fsprobe fill odd $off 777 2
		fsprobe verify odd $off 777 2
		fsprobe fill odd $off 777 1
	done
	fsprobe verify odd 0 20000 1
	same "$(stat -c %s odd)" 20000
}
check "an overwrite at any offset changes just its bytes" odd_offsets

append() {
	: >log
	i=0
	while [ $i -lt 300 ]; do
		echo "line $i" >>log
		i=$((i + 1))
	done
	same "$(wc -l <log)" 300
	same "$(sed -n 300p log)" "line 299"
}
check "appending adds to the end" append

append_flag() {
	printf abc >af
	fsprobe append af def
	same "$(cat af)" abcdef
}
check "O_APPEND writes at the end whatever the offset" append_flag

big_file() {
	fsprobe fill big 0 20000000 7
	fsprobe verify big 0 20000000 7
	fsprobe fill big 5000001 3000000 8
	fsprobe verify big 0 5000001 7
	fsprobe verify big 5000001 3000000 8
	fsprobe verify big 8000001 11999999 7
}
check "a file of 20 MB holds its contents" big_file

unaligned_chunks() {
	i=0
	: >chunks
	while [ $i -lt 200 ]; do
		fsprobe fill chunks $((i * 1357)) 1357 3
		i=$((i + 1))
	done
	fsprobe verify chunks 0 $((200 * 1357)) 3
}
check "consecutive odd-sized writes leave no seam" unaligned_chunks

hole_reads_zero() {
	fsprobe pwrite sparse 1000000 x
	same "$(stat -c %s sparse)" 1000001
	fsprobe zeros sparse 0 1000000
	blocks=$(stat -c %b sparse)
	[ "$blocks" -le 16 ]
}
check "a hole reads as zeros and holds no blocks" hole_reads_zero

huge_sparse() {
	fsprobe pwrite huge 1099511627776 end
	same "$(stat -c %s huge)" 1099511627779
	same "$(fsprobe pread huge 1099511627776 3)" end
	fsprobe zeros huge 549755813888 4096
	fsprobe pwrite huge 549755813888 middle
	same "$(fsprobe pread huge 549755813888 6)" middle
	rm huge
}
check "a sparse file of 1 TiB works at both ends" huge_sparse

maximum_size() {
	expect_fail fsprobe truncate toobig 9000000000000000000
	fsprobe truncate atmax 72057594037927935
	same "$(stat -c %s atmax)" 72057594037927935
	expect_fail fsprobe pwrite atmax 72057594037927935 x
	rm -f toobig atmax
}
check "sizes up to 2^56-1 are accepted and larger ones refused" maximum_size

truncate_down() {
	fsprobe fill t 0 100000 4
	fsprobe truncate t 12345
	same "$(stat -c %s t)" 12345
	fsprobe verify t 0 12345 4
	same "$(fsprobe pread t 12345 10 | wc -c)" 0
}
check "truncating down keeps what stays" truncate_down

truncate_up() {
	fsprobe fill u 0 10000 4
	fsprobe truncate u 5001
	fsprobe truncate u 50000
	same "$(stat -c %s u)" 50000
	fsprobe verify u 0 5001 4
	fsprobe zeros u 5001 44999
}
check "bytes cut off never come back: they are zeros after growing" truncate_up

truncate_frees() {
	fsprobe fill tf 0 4000000 1
	before=$(stat -f -c %f .)
	fsprobe truncate tf 0
	after=$(stat -f -c %f .)
	[ $((after - before)) -ge 900 ]
	same "$(stat -c %b tf)" 0
}
check "truncating gives the blocks back" truncate_frees

write_past_end() {
	printf 12345 >wp
	fsprobe pwrite wp 10000 end
	same "$(fsprobe pread wp 0 5)" 12345
	fsprobe zeros wp 5 9995
	same "$(fsprobe pread wp 10000 3)" end
}
check "a write past the end leaves zeros between" write_past_end

read_past_end() {
	printf abc >rp
	same "$(fsprobe pread rp 1 100)" bc
	same "$(fsprobe pread rp 3 100 | wc -c)" 0
	same "$(fsprobe pread rp 1000000 100 | wc -c)" 0
}
check "reading at or past the end gives what there is" read_past_end

seek_hole_data() {
	fsprobe truncate sk 0
	fsprobe pwrite sk 40960 data
	fsprobe truncate sk 100000
	same "$(fsprobe seek sk data 0)" 40960
	same "$(fsprobe seek sk hole 0)" 0
	same "$(fsprobe seek sk hole 40960)" 45056
	same "$(fsprobe seek sk data 40961)" 40961
	expect_fail fsprobe seek sk data 50000
	expect_fail fsprobe seek sk hole 100000
}
check "SEEK_HOLE and SEEK_DATA find holes and data" seek_hole_data

o_sync() {
	fsprobe osync os 0 first
	fsprobe osync os 5 second
	same "$(cat os)" firstsecond
}
check "writes with O_SYNC work" o_sync

o_direct() {
	fsprobe odirect od 0 65536 5
	fsprobe verify od 0 65536 5
}
check "O_DIRECT is accepted" o_direct

nowait() {
	fsprobe fill nw 0 8192 5
	fsprobe nowait nw 8192
}
check "a read with RWF_NOWAIT works or says EAGAIN" nowait

splice() {
	fsprobe fill sp 0 300000 6
	fsprobe sendfile sp sp2
	fsprobe verify sp2 0 300000 6
	cat sp | cat >sp3
	cmp sp sp3
}
check "sendfile and splice copy a file" splice

bad_buffer() {
	fsprobe badbuf bb
}
check "a bad user buffer gives EFAULT and does no harm" bad_buffer

vectored() {
	fsprobe vectored vec
}
check "writev and readv with many odd pieces work" vectored

readonly_open() {
	echo x >ro
	expect_fail fsprobe write-to-rdonly ro
	same "$(cat ro)" x
}
check "a file opened for reading cannot be written" readonly_open

o_trunc() {
	fsprobe fill ot 0 10000 1
	: >ot
	same "$(stat -c %s ot)" 0
	echo new >ot
	same "$(cat ot)" new
}
check "opening with O_TRUNC empties the file" o_trunc

unlinked_open() {
	fsprobe unlinked gone
	[ ! -e gone ]
}
check "an unlinked file lives until it is closed" unlinked_open

after_remount() {
	remount_fresh
	cd "$MNT"
	same "$(cat f)" hello
	fsprobe verify odd 0 20000 1
	fsprobe verify big 5000001 3000000 8
	fsprobe verify chunks 0 $((200 * 1357)) 3
	fsprobe verify t 0 12345 4
	fsprobe zeros u 5001 44999
	fsprobe zeros wp 5 9995
	same "$(cat os)" firstsecond
	same "$(stat -c %s sparse)" 1000001
	same "$(wc -l <log)" 300
	[ ! -e gone ]
}
cd /
check "all contents are there after a remount" after_remount
cd "$MNT" || exit 1

many_extents() {
	i=0
	while [ $i -lt 600 ]; do
		fsprobe pwrite frag $((i * 12288)) "block $i."
		i=$((i + 1))
	done
	i=0
	while [ $i -lt 600 ]; do
		same "$(fsprobe pread frag $((i * 12288)) 6)" "block "
		i=$((i + 37))
	done
	fsprobe truncate frag $((300 * 12288))
	same "$(fsprobe pread frag $((299 * 12288)) 10)" "block 299."
	rm frag
}
check "a file of 600 extents grows, shrinks and goes" many_extents

rm -rf ./*
finish
