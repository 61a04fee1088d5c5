#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# Fuzzes the core and prints TAP.  Needs gcc only; the long run with libFuzzer
# and coverage is long.sh.
#
#   tests/fuzz/run.sh		the corpus and the same random inputs each time
#   tests/fuzz/run.sh SECONDS	new random inputs for so long, per harness
#   SEED=n			where the random inputs start (default: 1; with SECONDS: the time)
set -eu

seconds=${1:-}
if [ -n "$seconds" ]; then
	seed=${SEED:-$(date +%s)}
else
	seed=${SEED:-1}
fi
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
for each in mount:40 check:200 replay:80 ops:150 repair:20; do
	name=${each%:*} many=${each#*:}
	if [ -n "$seconds" ]; then
		limit="-t $seconds" says="for $seconds s"
	else
		limit="-n $many" says="$many inputs"
	fi
	set -- "$here/corpus/$name"/*
	code=0
	"$out/$name" -l "$out/$name.last" "$@" >"$out/$name.log" 2>&1 || code=$?
	judge $code "$name: the corpus, seeds and what once broke it"
	[ $code = 0 ] || continue
	# shellcheck disable=SC2086
	"$out/$name" -l "$out/$name.last" $limit -s "$seed" "$@" >"$out/$name.log" 2>&1 || code=$?
	judge $code "$name: random damage, $says, from seed $seed"
	[ $code != 0 ] || cat "$out/$name.log"
done
exit $failed
