#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# Fuzzes the core for a short time and prints TAP.  Needs gcc only; the long
# run with libFuzzer and coverage is long.sh.
#
#   tests/fuzz/run.sh [SECONDS]	per harness, default 10
#   SEED=n			where the random inputs start (default: the time)
set -eu

seconds=${1:-10}
seed=${SEED:-$(date +%s)}
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
out=$top/build/fuzz
mkdir -p "$out"

command -v gcc >/dev/null || { echo "gcc is missing: apt-get install gcc" >&2; exit 2; }
echo "# building the core and its harnesses" >&2
if ! make -s -C "$here" -j2 CC=gcc >"$out/build.log" 2>&1; then
	cat "$out/build.log" >&2
	echo "the harnesses do not build: see above" >&2
	exit 2
fi

. "$top/tests/tap.sh"
why=$out/why

# judge STATUS SENTENCE: the reason of a failure is at the beginning of its log
judge() {
	head -n 40 "$out/$name.log" >"$why"
	result "$1" "$2"
	[ "$1" = 0 ] || echo "# again: build/fuzz/$name -v build/fuzz/$name.last"
}

echo "1..10"
for name in mount check replay ops repair; do
	set -- "$here/corpus/$name"/*
	code=0
	"$out/$name" -l "$out/$name.last" "$@" >"$out/$name.log" 2>&1 || code=$?
	judge $code "$name: the corpus, seeds and what once broke it"
	[ $code = 0 ] || continue
	"$out/$name" -l "$out/$name.last" -t "$seconds" -s "$seed" "$@" >"$out/$name.log" 2>&1 || code=$?
	judge $code "$name: random damage for $seconds s, from seed $seed"
	[ $code != 0 ] || cat "$out/$name.log"
done
exit $failed
