#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# The long run of the crash explorer: every sequence of two operations, with
# every kind of sync between and behind, and every sequence of three operations
# on names, each after several setups, in all domains; then random ones.
#
#   tests/crash/long.sh		or make crash-long
#   SEED=n			of what is random (default: 1)
#   LANES=n			explorers at a time (default: as many as there are CPUs)
#   SETS="two three random"	of workloads
#   SECONDS_RANDOM=n		for the random ones, in each domain (default: 300)
#
# It can be stopped at any time, and goes on where it was when it is started
# again, as long as neither the core nor the explorer has changed.  Ends with a
# table, and build/crash-long.json; tests/crash/long.sh --table shows it so far.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
log=$top/build/tests-crash
mkdir -p "$log"

# set, mode, options
stages() {
	for set in ${SETS:-two three random}; do
		for mode in host pmem kill guest; do
			case $set in
			two) echo "$set $mode --nest 20000 --cuts 64 --vectors 3" ;;
			three) echo "$set $mode --nest 20000" ;;
			random) echo "$set $mode --nest 1000 --every 2 --steps 400 --seconds ${SECONDS_RANDOM:-300}" ;;
			esac
		done
	done
}

# One stage; the figures of what it had done before are in the journal.
one() {
	dir=$1 set=$2 mode=$3
	shift 3
	out=$dir/$set-$mode.out
	if grep -qs "^pass $set $mode " "$out"; then
		return
	fi
	nice -n 5 "$dir/crash" --progress --journal "$dir/journal" --seed "${SEED:-1}" --verify 64 --again 16 \
		-m "$mode" "$@" "$set" >"$out" || :
	grep "^#" "$out" || :
}

build() {
	command -v gcc >/dev/null || { echo "gcc is missing: apt-get install gcc" >&2; exit 2; }
	make -s -C "$here" -j2 "$top/build/tests/crash" >"$log/build.log" 2>&1 && return
	cat "$log/build.log" >&2
	echo "the crash explorer does not build: see above" >&2
	exit 2
}

# A directory for this core and this explorer.
run_dir() {
	id=$(sha256sum "$top/build/tests/crash" | cut -c1-12)
	dir=$top/build/crash-long/$id-${SEED:-1}
	mkdir -p "$dir"
	if [ ! -f "$dir/commit" ]; then
		cp "$top/build/tests/crash" "$dir/crash"
		(cd "$top" && git describe --always --dirty 2>/dev/null || echo unknown) >"$dir/commit"
	fi
	echo "$dir"
}

table() {
	cat "$1/journal" "$1"/*.out 2>/dev/null | awk -v commit="$(cat "$1/commit")" \
		-v json="$top/build/crash-long.json" -v complete="$(grep -hs '^pass' "$1"/*.out | cut -d' ' -f2,3 | tr '\n' ';')" '
	function add(k, w, s, j, u, f, d1, d2, d3, c) {
		if (!(k in work)) keys[++nr] = k
		work[k] += w; states[k] += s; judged[k] += j; used[k] += u; bad[k] += f
		deep1[k] += d1; deep2[k] += d2; deep3[k] += d3; cpu[k] += c
	}
	function row(a, b, c, d, e, f, g, h, i) {
		printf "%-7s %-6s %10s %13s %11s %9s %11s %10s %8s\n", a, b, c, d, e, f, g, h, i
	}
	$1 == "two" || $1 == "three" { add($1 " " $2, $5, $6, $7, $8, $9, $10, $11, $12, $13) }
	$2 == "random" && ($1 == "pass" || $1 == "fail") { add($2 " " $3, $5, $7, $9, $15, $11, $17, $19, $21, $13) }
	# The unit that it stopped in is not in the journal.
	$2 != "random" && $1 == "fail" { bad[$2 " " $3] = $11 }
	END {
		row("set", "mode", "workloads", "states", "recovered", "results", "in recovery", "violations", "seconds")
		printf "{\n  \"commit\": \"%s\",\n  \"runs\": [", commit >json
		for (i = 1; i <= nr; i++) {
			k = keys[i]; split(k, n, " ")
			all = index(";" complete, ";" k ";") > 0
			row(n[1], n[2] (all ? "" : "*"), work[k], states[k], judged[k], used[k], deep1[k] + deep2[k] + deep3[k], bad[k], int(cpu[k]))
			part += !all
			printf "%s\n    { \"set\": \"%s\", \"mode\": \"%s\", \"complete\": %s, \"workloads\": %d, \"states\": %d, \"recovered\": %d,\n      \"results\": %d, \"in_recovery\": [%d, %d, %d], \"violations\": %d, \"cpu_seconds\": %d }", \
				(i == 1 ? "" : ","), n[1], n[2], (all ? "true" : "false"), work[k], states[k], judged[k], used[k], \
				deep1[k], deep2[k], deep3[k], bad[k], cpu[k] >json
			w += work[k]; s += states[k]; j += judged[k]; u += used[k]; d += deep1[k] + deep2[k] + deep3[k]; b += bad[k]; c += cpu[k]
		}
		row("all", "", w, s, j, u, d, b, int(c))
		printf "\n  ],\n  \"workloads\": %d, \"states\": %d, \"violations\": %d, \"cpu_seconds\": %d\n}\n", w, s, b, c >json
		if (part) print "* not complete: what has been done so far"
		exit b > 0
	}'
}

case ${1:-} in
--one) shift && one "$@" && exit 0 ;;
--table | '') ;;
*) sed -n '4,/^set/s/^# \{0,1\}//p' "$0" | sed '/^set/d' && exit 2 ;;
esac

for set in ${SETS:-}; do
	case $set in
	two | three | random) ;;
	*) echo "crash-long: no set $set: SETS can have two, three and random" >&2 && exit 2 ;;
	esac
done
build
dir=$(run_dir)
if [ -z "${1:-}" ]; then
	echo "crash-long: progress every few seconds; stop with Ctrl-C, go on with the same command" >&2
	stages | xargs -r -P "${LANES:-$(nproc)}" -L 1 "$0" --one "$dir" || :
fi
status=0
table "$dir" || status=$?
echo "figures: build/crash-long.json, for $(cat "$dir/commit")"
exit $status
