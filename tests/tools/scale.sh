#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# What checks and repairs of a sparse 1 TiB image take, by the number of files.
#
#   tests/tools/scale.sh [FILES ...]	default: 0 10000 100000 1000000
#   DIR=...				where the image is made (default: build)
#
# Needs 2 GiB of disk for a million files, and a minute or two.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
out=$top/build/tests-tools/plain
tools=$top/build/tools
image=${DIR:-$top/build}/scale.img

make -s -C "$top/guestfs/tools"
make -s -C "$here" plain
trap 'rm -f "$image"' EXIT
trap 'exit 1' INT TERM

fresh() { # files
	rm -f "$image"
	truncate -s 1T "$image"
	"$tools/mkfs.vmemfs" -q -f "$image"
	[ "$1" -eq 0 ] || "$out/make_many" "$image" "$1" 2>/dev/null
}

row() { # files, what, expected status, command ...
	files=$1
	what=$2
	want=$3
	shift 3
	# shellcheck disable=SC2046
	set -- $("$out/measure" "$@" 2>/dev/null)
	printf '%9s  %-38s %8s s %8s s %7s MiB %7s MiB\n' "$files" "$what" "$2" "$3" "$4" "$5"
	[ "$1" -eq "$want" ] || { echo "$what ended with $1 instead of $want" >&2; exit 1; }
}

printf '%9s  %-38s %10s %10s %11s %11s\n' files run time CPU memory mapped
rm -f "$image"
truncate -s 1T "$image"
row 0 "mkfs.vmemfs" 0 "$tools/mkfs.vmemfs" -q -f "$image"
echo "           it wrote $(du -m "$image" | cut -f 1) MiB"
# shellcheck disable=SC2048
for n in ${*:-0 10000 100000 1000000}; do
	fresh "$n"
	row "$n" "fsck.vmemfs -n" 0 "$tools/fsck.vmemfs" -n "$image"
	row "$n" "fsck.vmemfs -pf" 0 "$tools/fsck.vmemfs" -pf "$image"
	row "$n" "fsck.vmemfs -y" 0 "$tools/fsck.vmemfs" -y "$image"
	[ "$n" -gt 0 ] || continue
	for kind in maps names double root; do
		fresh "$n"
		"$out/break_many" "$image" $kind
		before=$(du -m "$image" | cut -f 1)
		row "$n" "fsck.vmemfs -y, $kind broken" 1 "$tools/fsck.vmemfs" -y "$image"
		row "$n" "fsck.vmemfs -n, after it" 0 "$tools/fsck.vmemfs" -n "$image"
		echo "           the image took $before MiB before and $(du -m "$image" | cut -f 1) MiB after it"
	done
done
