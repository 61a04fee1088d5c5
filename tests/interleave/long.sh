#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# The long run of the concurrency explorer: every two operations, from every
# start, under all schedules with up to two preemptions, on every store, in all
# domains; the pairs that once showed a bug with steps at flags, too.
#
#   tests/interleave/long.sh	or make interleave-long
#   SEED=n			of what is random (default: 1)
#   LANES=n			explorers at a time (default: as many as there are CPUs)
#
# It can be stopped at any time, and goes on where it was when it is started
# again, as long as neither the core nor the explorer has changed.  Ends with a
# table; tests/interleave/long.sh --table shows it so far.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
log=$top/build/tests-interleave
mkdir -p "$log"

# program, set, mode, store, options
stages() {
	for mode in host pmem guest; do
		for store in plain thin no-discard two-flushes; do
			[ $store$mode = two-flushesguest ] || [ $store$mode = two-flushespmem ] && continue
			echo "interleave known $mode $store --flags --crash 1000"
			echo "interleave-small known $mode $store --flags"
			echo "interleave pairs $mode $store --crash 2000"
		done
	done
	echo "interleave-small pairs host plain"
	echo "interleave pairs kill plain --crash 500"
}

# One stage; the figures of what it had done before are in the journal.
one() {
	dir=$1 program=$2 set=$3 mode=$4 store=$5
	shift 5
	name=$program-$set-$mode-$store
	if grep -qs "^pass $set: " "$dir/$name.out"; then
		return
	fi
	nice -n 5 "$dir/$program" --progress --journal "$dir/$name.journal" --seed "${SEED:-1}" -m "$mode" -S "$store" \
		"$@" "$set" >"$dir/$name.out" || :
	grep "^#" "$dir/$name.out" || :
}

build() {
	command -v gcc >/dev/null || { echo "gcc is missing: apt-get install gcc" >&2; exit 2; }
	make -s -C "$here" -j2 "$top/build/tests/interleave" "$top/build/tests/interleave-small" >"$log/build.log" 2>&1 && return
	cat "$log/build.log" >&2
	echo "the concurrency explorer does not build: see above" >&2
	exit 2
}

# A directory for this core and this explorer.
run_dir() {
	id=$(cat "$top/build/tests/interleave" "$top/build/tests/interleave-small" | sha256sum | cut -c1-12)
	dir=$top/build/interleave-long/$id-${SEED:-1}
	mkdir -p "$dir"
	cp "$top/build/tests/interleave" "$top/build/tests/interleave-small" "$dir"
	echo "$dir"
}

# Of a journal: key (4 words, a number), then the figures.
table() {
	for file in "$1"/*.journal; do
		[ -f "$file" ] || continue
		name=$(basename "$file" .journal)
		done=$(grep -c "^pass" "$1/$name.out" 2>/dev/null || :)
		sed "s/^/$name ${done:-0} /" "$file"
	done | awk '
		function row(a, b, c, d, e, f) { printf "%-42s %8s %12s %14s %12s %9s\n", a, b, c, d, e, f }
		{ k = $1 ($2 ? "" : "*"); if (!(k in pairs)) keys[++nr] = k
		  pairs[k] += $8; schedules[k] += $9; steps[k] += $10; states[k] += $12; bad[k] += $13 }
		END {
			row("run", "pairs", "schedules", "steps", "crash states", "failures")
			for (i = 1; i <= nr; i++) {
				k = keys[i]
				row(k, pairs[k], schedules[k], steps[k], states[k], bad[k])
				p += pairs[k]; s += schedules[k]; t += steps[k]; c += states[k]; b += bad[k]
			}
			row("all (*: not complete)", p, s, t, c, b)
			exit b > 0
		}'
}

case ${1:-} in
--one) shift && one "$@" && exit 0 ;;
--table | '') ;;
*) sed -n '4,/^set/s/^# \{0,1\}//p' "$0" | sed '/^set/d' && exit 2 ;;
esac

build
dir=$(run_dir)
if [ -z "${1:-}" ]; then
	echo "interleave-long: progress every few seconds; stop with Ctrl-C, go on with the same command" >&2
	stages | xargs -r -P "${LANES:-$(nproc)}" -L 1 "$0" --one "$dir" || :
fi
table "$dir"
