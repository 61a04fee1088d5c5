#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# Builds the concurrency explorer, runs its short set, and prints TAP.
#
#   tests/interleave/run.sh	two minutes on two cores
#   SEED=n			of what is random (default: 1)
#   LANES=n			explorers at a time (default 2)
#
# The long one is tests/interleave/long.sh, or make interleave-long.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
bin=$top/build/tests
out=$top/build/tests-interleave
seed=${SEED:-1}
mkdir -p "$out"

# program, set, mode, store, options; the long ones first
list() {
	for mode in host pmem guest; do
		echo "interleave pairs $mode plain --preempt 1 --sample 4 --crash 400"
		echo "interleave pairs $mode plain --preempt 2 --sample 100 --cut 4 --crash 2000"
		echo "interleave known $mode plain --preempt 2 --cut 8 --crash 400"
		echo "interleave known $mode plain --preempt 1 --flags"
		for store in thin no-discard; do
			echo "interleave pairs $mode $store --preempt 1 --sample 20"
			echo "interleave known $mode $store --preempt 2 --cut 4"
		done
	done
	echo "interleave pairs host two-flushes --preempt 1 --sample 20"
	echo "interleave pairs kill plain --preempt 1 --sample 20 --crash 400"
	echo "interleave-small known host plain --preempt 1 --flags"
	echo "interleave-small pairs host plain --preempt 1 --sample 20"
	echo "interleave-san known host plain --preempt 1 --cut 40"
	echo "interleave-san pairs host thin --preempt 1 --sample 200 --cut 20"
	"$bin/interleave-faults" --faults | sed 's/^\([0-9]*\) .*/interleave-faults fault \1 -/'
}

# Catch a seeded bug; then the command that is printed, as it is, shows the same schedule.
fault() {
	file=$out/result-fault-$1
	"$bin/interleave-faults" --fault "$1" >"$file" 2>&1 || :
	last=$(tail -n 1 "$file")
	case $last in
	pass*) ;;
	*) echo "fail ${last#* }" && return ;;
	esac
	command=$(sed -n 's/^# *\(build\/tests\/interleave-faults .*\)/\1/p' "$file" | head -n 1)
	schedule=$(sed -n 's/^# FAILED .*, schedule \([^:]*\): .*/\1/p' "$file" | head -n 1)
	(cd "$top" && sh -c "$command") >"$file-replay" 2>&1 || :
	if grep -q "^# FAILED .*, schedule $schedule: " "$file-replay"; then
		echo "$last, and again by the command printed"
	else
		echo "fail ${last#* }, but not again by: $command"
	fi
}

one() {
	program=$1 set=$2 mode=$3 store=$4
	shift 4
	if [ "$set" = fault ]; then
		fault "$mode"
		return
	fi
	file=$out/result-$program-$set-$mode-$store-$(echo "$*" | tr -dc 'a-z0-9')
	"$bin/$program" --seed "$seed" --stop 3 -m "$mode" -S "$store" "$@" "$set" >"$file" 2>&1 ||
		grep -q "^fail" "$file" || echo "fail $set ended with status $?" >>"$file"
	sed "s/^\(pass\|fail\) $set:*/\1 $program $set $mode $store $2/" "$file"
}

build() {
	command -v gcc >/dev/null || { echo "gcc is missing: apt-get install gcc" >&2; exit 2; }
	echo "# building the concurrency explorer" >&2
	make -s -C "$here" -j2 >"$out/build.log" 2>&1 && return
	cat "$out/build.log" >&2
	echo "the concurrency explorer does not build: see above" >&2
	exit 2
}

case ${1:-} in
--one) shift && one "$@" && exit 0 ;;
'') ;;
*) sed -n '3,/^set/s/^# \{0,1\}//p' "$0" && exit 2 ;;
esac

build
list | xargs -P "${LANES:-2}" -L 1 "$0" --one | awk -v began="$(date +%s)" '
	function say(ok, text) { printf "%s %d - %s\n", ok == "pass" ? "ok" : "not ok", ++n, text; fflush(); bad += ok != "pass" }
	$1 != "pass" && $1 != "fail" { print /^#/ ? $0 : "# " $0; next }
	$2 == "fault" { ok = $1; sub(/^[a-z]+ /, ""); say(ok, $0); next }
	{
		with = $2 == "interleave-san" ? ", with sanitizers" : $2 == "interleave-small" ? ", small records" : ""
		if ($8 != "pairs,") { say("fail", $0); next }
		say($1, "two threads, " ($3 == "pairs" ? "every two operations" : "pairs that once showed a bug") " (sample), up to " \
			$6 " preemptions, domain " $4 ", store " $5 with ": " $7 " pairs, " $9 " schedules, " $15 " crash states, " $20 " s")
		pairs += $7; schedules += $9; states += $15; failures += $18
	}
	END {
		"date +%s" | getline now
		printf "1..%d\n# %d pairs, %d schedules, %d crash states, %d failures, %d seconds\n", n, pairs, schedules, states, failures, now - began
		exit bad > 0
	}'
