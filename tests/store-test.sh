#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# store-test.sh - stores of other kinds than a plain file, with vmemfs in a guest
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/.." && pwd)
out=$top/build/store-test
tools=$top/build/tools
so=$top/build/vmemstore.so
all="share"

usage() {
	cat <<HELP
usage: tests/store-test.sh [TEST...]

Boots guests with vmemfs on stores of several kinds, and prints TAP:
  share    read-only and copy-on-write stores on one file

Needs build/ (make).  Logs are in build/store-test/.
HELP
}

die() {
	echo "store-test: $*" >&2
	exit 2
}

case ${1:-} in
-h | --help) usage && exit ;;
-*) die "unknown option $1: see --help" ;;
esac
for file in "$tools/mkfs.vmemfs" "$tools/fsck.vmemfs" "$so" "$top/build/modules/vmemfs.ko"; do
	[ -e "$file" ] || die "${file#"$top"/} is missing: run make first"
done

count=0
failed=0

# result STATUS SENTENCE: $out/why has the reason of a failure
result() {
	count=$((count + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $count - $2"
		return
	fi
	echo "not ok $count - $2"
	sed 's/^/# /' "$out/why"
	failed=1
}

# check SENTENCE COMMAND...: on the host
check() {
	sentence=$1
	shift
	status=0
	"$@" >"$out/why" 2>&1 || status=1
	result $status "$sentence"
}

# guest NAME [run-vm options] -- QEMU ARGUMENTS: run tests/guest/store-NAME.sh;
# the TAP lines it prints become ours
guest() {
	name=$1
	shift
	status=0
	"$here/vm/run-vm" --modules "nd_pmem vmemstore vmemfs" --log "$out/$name.log" \
		--add "$here/guest/store-lib.sh:/tests/store-lib.sh" \
		"$here/guest/store-$name.sh" "$@" >"$out/$name.out" 2>&1 || status=$?
	lines=$(mktemp "$out/tap.XXXXXX")
	grep -E '^(ok|not ok) - ' "$out/$name.out" >"$lines" || :
	grep -vE '^(ok|not ok) - ' "$out/$name.out" >"$out/why" || :
	while IFS= read -r line; do
		case $line in
		ok*) result 0 "${line#ok - }" ;;
		*) result 1 "${line#not ok - }" ;;
		esac
	done <"$lines"
	rm "$lines"
	result $status "the guest of '$name' ends well"
}

make_image() {
	rm -rf "$out/tree"
	mkdir "$out/tree"
	seq 1 20000 >"$out/tree/file"
	"$tools/mkfs.vmemfs" -q -s "$2" -d "$out/tree" "$1"
}

# The second disk is the first one's neighbour on the same file.
test_share() {
	image=$out/share.img
	rm -f "$image"
	make_image "$image" 64M
	cp "$image" "$image.before"
	guest share -- -plugin "$so" \
		-device "vmemstore,file=$image,readonly=on" \
		-device "vmemstore,file=$image,cow=on"
	check "neither guest changed the file" cmp "$image" "$image.before"
	check "which is free again and without damage" "$tools/fsck.vmemfs" -n "$image"
	rm -f "$image" "$image.before"
}

mkdir -p "$out"
for name in ${*:-$all}; do
	case " $all " in *" $name "*) ;; *) die "no test '$name': there are $all" ;; esac
	"test_$name"
done
echo "1..$count"
exit $failed
