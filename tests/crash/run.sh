#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# Builds the crash explorer, runs a set of workloads, and prints TAP.
#
#   tests/crash/run.sh		the short set: about a minute on two cores
#   SEED=n			of what is random (default: 1)
#   LANES=n			explorers at a time (default 2)
#   SMALL=1			the core with small limits, and no seeded bugs
#
# The long one is tests/crash/long.sh, or make crash-long.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
small=${SMALL:-}
bin=$top/build/tests${small:+/small}
out=$top/build/tests-crash${small:+-small}
seed=${SEED:-1}
mkdir -p "$out"

# program, set, mode, options; the long ones first.  Random ones are as many as there
# are setups, the same each time; make crash-long runs new ones.
list() {
	for mode in pmem host kill guest; do
		# In domain guest a store is cut behind each of its words.
		echo "crash one $mode --verify 16 $([ $mode = guest ] && echo "--nest 2000 --cuts 2000" || echo "--nest 400")"
		echo "crash two $mode --nest 2000 --sample $([ $mode = pmem ] && echo 4000 || echo 2000)"
		echo "crash random $mode --every 3 --nest 2000 --count 8"
		echo "crash known $mode --nest $([ $mode = pmem ] && echo 400 || echo 10) --vectors 20 --thorough"
		echo "crash grow $mode --nest $([ $mode = pmem ] && echo 2000 || echo 200)"
		echo "crash-san one $mode --nest 400 --sample $([ $mode = pmem ] && echo 600 || echo 400)"
		echo "crash-san random $mode --every 5 --steps 60 --count 2"
	done
	echo "crash one host --nest 400 --verify 16 --two-flushes"
	echo "crash random host --every 3 --nest 2000 --count 8 --two-flushes"
	for mode in host pmem kill guest; do
		echo "crash one $mode --nest 400 --sample 3 --verify 16 --thin"
		echo "crash random $mode --every 3 --nest 2000 --count 8 --thin"
		echo "crash grow $mode --nest $([ $mode = pmem ] && echo 2000 || echo 200) --thin"
	done
	[ -n "$small" ] || seq 1 "$("$bin/crash-faults" --faults | wc -l)" | sed 's/^/crash-faults fault /'
}

# Catch a seeded bug; then the command that is printed, as it is, shows the same state.
fault() {
	file=$out/result-fault-$1
	"$bin/crash-faults" --seed "$seed" --fault "$1" >"$file" 2>&1 || :
	last=$(tail -n 1 "$file")
	case $last in
	pass*) ;;
	*) echo "fail ${last#* }" && return ;;
	esac
	command=$(sed -n 's/^# *\(build\/tests\/crash-faults .*\)/\1/p' "$file" | head -n 1)
	state=$(sed -n 's/^# FAILED .* state \([^ ]*\): .*/\1/p' "$file" | head -n 1)
	(cd "$top" && sh -c "$command") >"$file-replay" 2>&1 || :
	if grep -q "^# FAILED .* state $state: " "$file-replay" &&
		{ [ "$state" = - ] || grep -Eq "^ *[0-9]+ (store|flush|drain) " "$file-replay"; }; then
		echo "$last, and again by the command printed"
	else
		echo "fail ${last#* }, but not again by: $command"
	fi
}

one() {
	program=$1 set=$2 mode=$3
	shift 3
	if [ "$set" = fault ]; then
		fault "$mode" | sed "s/^\(pass\|fail\)/\1 $program/"
		return
	fi
	file=$out/result-$program-$set-$mode-$(echo "$*" | tr -dc 'a-z0-9')
	"$bin/$program" --seed "$seed" --stop 3 -m "$mode" "$@" "$set" >"$file" 2>&1 ||
		grep -q "^fail" "$file" || echo "fail $set $mode ended with status $?" >>"$file"
	for special in two-flushes thin; do
		case " $* " in *" --$special "*) sed -i "/^\(pass\|fail\)/s/\$/ $special/" "$file" ;; esac
	done
	sed "s/^\(pass\|fail\)/\1 $program/" "$file"
}

build() {
	command -v gcc >/dev/null || { echo "gcc is missing: apt-get install gcc" >&2; exit 2; }
	echo "# building the crash explorer" >&2
	make -s -C "$here" -j2 SMALL="$small" >"$out/build.log" 2>&1 && return
	cat "$out/build.log" >&2
	echo "the crash explorer does not build: see above" >&2
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
	BEGIN {
		what["one"] = "every one-operation sequence"; verb["one"] = " survives"
		what["two"] = "two-operation sequences"
		what["known"] = "workloads that once showed a bug"
		what["grow"] = "workloads that grow"
		what["random"] = "random sequences"
	}
	$1 != "pass" && $1 != "fail" { print /^#/ ? $0 : "# " $0; next }
	$3 == "fault" { ok = $1; sub(/^[a-z]+ [a-z-]+ fault /, ""); say(ok, "fault " $0); next }
	{
		with = $2 == "crash-san" ? " (sample, with sanitizers)" : /two-flushes$/ ? " (commits by two flushes)" : / thin$/ ? " (thin store, with discards)" : ""
		if ($5 != "workloads") { say("fail", what[$3] " in domain " $4 with ": " $0); next }
		say($1, what[$3] with (verb[$3] && $2 != "crash-san" ? verb[$3] : " survive") " every crash in domain " $4 ": " \
			$6 " workloads, " $8 " states, " $14 " s")
		workloads += $6; states += $8; failures += $12
		for (d = 1; d <= 3; d++) deep[d] += $(16 + 2 * d)
	}
	END {
		"date +%s" | getline now
		printf "1..%d\n# %d workloads, %d states, %d violations, %d seconds\n", n, workloads, states, failures, now - began
		printf "# of the states, in a recovery: %d, in its recovery: %d, in that one'"'"'s: %d\n", deep[1], deep[2], deep[3]
		exit bad > 0
	}'
