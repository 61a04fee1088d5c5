#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# run.sh - the core on a machine whose calls fail; prints TAP
#
# Every call of env->alloc, env->lock_new, store->flush, ->commit, ->provision
# and ->discard that the scripts (scripts.c) make fails once.  At the end the
# places in the sources that make such calls are compared with those at which
# one failed, so that a new place that no script reaches is a failed test.
# About two minutes of CPU time.
#
# usage: tests/inject/run.sh	(SITES=no leaves out the comparison)
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
out=$top/build/tests-inject
core=$top/guestfs/core
mkdir -p "$out"

for tool in gcc addr2line xz; do
	command -v $tool >/dev/null || { echo "$tool is missing: run make deps" >&2; exit 2; }
done
echo "# building the core and its tests" >&2
if ! make -s -C "$here" -j2 >"$out/build.log" 2>&1; then
	cat "$out/build.log" >&2
	echo "the tests do not build: see above" >&2
	exit 2
fi

# Memory that the tests lose is a finding, too.
export ASAN_OPTIONS=detect_leaks=1 CMOCKA_MESSAGE_OUTPUT=TAP
rm -f "$out"/*.tap "$out"/*.err "$out"/*.status
printf '%s\n' 'calls *_host' 'calls *_pmem' 'calls *_commit' 'calls *_guest' 'tools *' 'size *' |
	OUT=$out xargs -P "${LANES:-2}" -L 1 sh -c '
		file=$OUT/$0$(echo "$1" | tr -d "*")
		status=0
		"$OUT/test_$0" "$1" >"$file.tap" 2>"$file.err" || status=$?
		echo $status >"$file.status"'

. "$top/tests/tap.sh"

for file in "$out"/*.status; do
	file=${file%.status}
	while read -r line; do
		case $line in
		"ok "*) result 0 "${line#* - }" ;;
		"not ok "*) result 1 "${line#* - }" ;;
		"# site"* | "# ok"*) ;;
		"#"*) echo "$line" ;;
		esac
	done <"$file.tap"
	[ "$(cat "$file.status")" -eq 0 ] && continue
	why=$file.err
	result 1 "$(basename "$file") ended with status $(cat "$file.status")"
	why=
done

# A compiler that makes no function inline hides the places.
if [ "${SITES:-yes}" = no ]; then
	echo "1..$count"
	exit $failed
fi

# Where a call failed: file:line of the core, seen through inline functions.
for file in "$out"/*.tap; do
	program=$out/test_$(basename "$file" .tap | sed 's/_.*//')
	sed -n 's/^# site [a-z]* \(0x[0-9a-f]*\) .*/\1/p' "$file" | while read -r address; do
		addr2line -i -e "$program" "$(printf '0x%x' $((address - 1)))" |
			sed -n "s|.*/core/\([a-z_/]*\.c:[0-9]*\).*|\1|p" | head -n 1
	done
done | sort -u >"$out/reached"
(cd "$core" && grep -nE '(vmem_alloc|env->alloc|lock_new|store->(flush|commit|provision|discard))\(' ./*/*.c) |
	sed 's|^\./\([^:]*:[0-9]*\):.*|\1|' | sort -u >"$out/places"
missing=$(comm -23 "$out/places" "$out/reached")
[ -z "$missing" ] || echo "$missing" | sed 's|^|# no call failed here: guestfs/core/|'
result "$([ -z "$missing" ] && echo 0 || echo 1)" \
	"a call failed at each of the $(wc -l <"$out/places") places of the core that make one"
echo "1..$count"
exit $failed
