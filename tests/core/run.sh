#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# Builds and runs the tests of the core in this process, and prints TAP.
#
#   tests/core/run.sh [name ...]	name: what follows test_; default: all
#   SEEDS=n			how many seeds the random tests try (default 3)
#   SECONDS=n			or for how many seconds they try new ones
#   SEED=n			where they start (default: 1; with SECONDS: the time)
#   SMALL=1			the core with small limits: what hardly ever fills up is full
#				all the time (VMEM_SMALL_LIMITS in guestfs/core/log/txn.h)
set -eu

if [ -n "${SECONDS:-}" ]; then
	: "${SEED:=$(date +%s)}"
fi
RANDOM_SECONDS=${SECONDS:-0} RANDOM_SEEDS=${SEEDS:-3} SEED=${SEED:-1}
export RANDOM_SECONDS RANDOM_SEEDS SEED

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
out=$top/build/tests-core${SMALL:+-small}
mkdir -p "$out"

command -v gcc >/dev/null || { echo "gcc is missing: apt-get install gcc" >&2; exit 2; }
[ -e /usr/include/cmocka.h ] || { echo "cmocka is missing: apt-get install libcmocka-dev" >&2; exit 2; }
command -v xz >/dev/null || { echo "xz is missing: apt-get install xz-utils" >&2; exit 2; }

echo "# building the core and its tests" >&2
if ! make -s -C "$here" -j2 SMALL="${SMALL:-}" >"$out/build.log" 2>&1; then
	cat "$out/build.log" >&2
	echo "the tests do not build: see above" >&2
	exit 2
fi

all=
[ $# -gt 0 ] || [ -n "${SMALL:-}" ] || all=yes
[ $# -gt 0 ] || set -- $(cd "$here" && ls test_*.c | sed 's/^test_//; s/\.c$//')
rm -f "$out"/*.tap "$out"/*.err "$out"/*.status

# Two at a time.
for name; do echo "$name"; done |
	OUT=$out xargs -P 2 -I '{}' sh -c '
		CMOCKA_MESSAGE_OUTPUT=TAP "$OUT/test_{}" >"$OUT/{}.tap" 2>"$OUT/{}.err"
		echo $? >"$OUT/{}.status"'

# The sanitizer for threads excludes the one for addresses: a build of its own.
if [ -n "$all" ]; then
	tsan=$top/build/tests-core-tsan
	echo "# building the test of threads with ThreadSanitizer" >&2
	result=0
	make -s -C "$here" -j2 TSAN=1 threads >"$out/tsan.err" 2>&1 || result=2
	: >"$out/tsan.tap"
	[ $result != 0 ] ||
		CMOCKA_MESSAGE_OUTPUT=TAP "$tsan/test_threads" >"$out/tsan.tap" 2>"$out/tsan.err" || result=$?
	echo $result >"$out/tsan.status"
	result=0
	"$here/lint.sh" >"$out/lint.tap" 2>"$out/lint.err" || result=$?
	echo $result >"$out/lint.status"
	set -- "$@" tsan lint
fi

# One plan for all; a program that died is one more failure.
status=0
for name; do
	result=$(cat "$out/$name.status")
	[ "$result" = 0 ] || status=1
	sed -n "s/^ok [0-9]* - /ok - $name: /p; s/^not ok [0-9]* - /not ok - $name: /p; /^#/p" "$out/$name.tap"
	[ "$result" = 0 ] || sed 's/^/# /' "$out/$name.err"
	want=$(sed -n 's/^1\.\.//p' "$out/$name.tap")
	got=$(grep -c '^\(not \)\{0,1\}ok' "$out/$name.tap" || true)
	[ "${want:-x}" = "$got" ] || echo "not ok - $name: the program ended early with status $result"
done >"$out/all"
awk '/^ok|^not ok/ { n++; sub(/ok -/, "ok " n " -") } { print } END { print "1.." n }' "$out/all"
exit $status
