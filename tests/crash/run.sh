#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# Builds the crash explorer, runs a set of workloads, and prints TAP.
#
#   tests/crash/run.sh		the short set: about a minute on two cores
#   tests/crash/run.sh --long	two-operation sequences completely: hours
#   SEED=n			of what is random (default: 1)
#   LANES=n			explorers at a time (default 2)
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
bin=$top/build/tests
out=$top/build/tests-crash
seed=${SEED:-1}
mkdir -p "$out"

# program, set, mode, options; the long ones first
short() {
	for mode in pmem host kill guest; do
		echo "crash two $mode --nest 2000 --sample $([ $mode = pmem ] && echo 6000 || echo 2000)"
		echo "crash one $mode --nest $([ $mode = pmem ] && echo 400 || echo 40)"
		echo "crash random $mode --every 3 --nest 2000 --seconds 6"
		echo "crash known $mode --nest $([ $mode = pmem ] && echo 400 || echo 10) --vectors 20"
		echo "crash-san one $mode --nest 400 --sample 12"
		echo "crash-san random $mode --every 5 --steps 60 --seconds 3"
	done
	echo "crash one host --nest 40 --two-flushes"
	echo "crash random host --every 3 --nest 2000 --seconds 4 --two-flushes"
	seq 1 "$("$bin/crash-faults" --faults | wc -l)" | sed 's/^/crash-faults fault /'
}

long() {
	for mode in pmem host kill guest; do
		for part in 0/4 1/4 2/4 3/4; do
			echo "crash two $mode --nest 20000 --part $part"
		done
		echo "crash random $mode --every 2 --nest 1000 --steps 400 --seconds 900"
	done
}

one() {
	program=$1 set=$2 mode=$3
	shift 3
	file=$out/result-$program-$set-$mode-$(echo "$*" | tr -dc 'a-z0-9')
	if [ "$set" = fault ]; then
		"$bin/$program" --seed "$seed" --fault "$mode" 2>&1 | tail -n 1 >"$file"
	else
		"$bin/$program" --seed "$seed" --stop 3 -m "$mode" "$@" "$set" >"$file" 2>&1 ||
			grep -q "^fail" "$file" || echo "fail $set $mode ended with status $?" >>"$file"
	fi
	case "$*" in *--two-flushes*) sed -i '/^\(pass\|fail\)/s/$/ two-flushes/' "$file" ;; esac
	sed "s/^\(pass\|fail\)/\1 $program/" "$file"
}

build() {
	command -v gcc >/dev/null || { echo "gcc is missing: apt-get install gcc" >&2; exit 2; }
	echo "# building the crash explorer" >&2
	make -s -C "$here" -j2 >"$out/build.log" 2>&1 && return
	cat "$out/build.log" >&2
	echo "the crash explorer does not build: see above" >&2
	exit 2
}

case ${1:-} in
--one) shift && one "$@" && exit 0 ;;
--long) list=long ;;
'') list=short ;;
*) sed -n '3,/^set/s/^# \{0,1\}//p' "$0" && exit 2 ;;
esac

build
$list | xargs -P "${LANES:-2}" -L 1 "$0" --one | awk '
	function say(ok, text) { printf "%s %d - %s\n", ok == "pass" ? "ok" : "not ok", ++n, text; fflush(); bad += ok != "pass" }
	BEGIN {
		what["one"] = "every one-operation sequence"; verb["one"] = " survives"
		what["two"] = "two-operation sequences"
		what["known"] = "workloads that once showed a bug"
		what["random"] = "random sequences"
	}
	$1 != "pass" && $1 != "fail" { print /^#/ ? $0 : "# " $0; next }
	$3 == "fault" { sub(/^[a-z]+ [a-z-]+ fault /, "") ; say(ok = /not caught/ ? "fail" : "pass", "fault " $0); next }
	{
		with = $2 == "crash-san" ? " (sample, with sanitizers)" : /two-flushes/ ? " (commits by two flushes)" : ""
		if ($5 != "workloads") { say("fail", what[$3] " in domain " $4 with ": " $0); next }
		say($1, what[$3] with (verb[$3] ? verb[$3] : " survive") " every crash in domain " $4 ": " $6 " workloads, " $8 " states, " $14 " s")
		workloads += $6; states += $8; failures += $12
	}
	END {
		printf "1..%d\n# %d workloads, %d states, %d violations\n", n, workloads, states, failures
		exit bad > 0
	}'
