#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# Fuzzes the core with libFuzzer until each harness has had its CPU time, and
# says what was run and covered.
#
#   tests/fuzz/long.sh [-t SECONDS] [NAME ...]	default: 3600 s for each harness
#   tests/fuzz/long.sh -r			only the report
#   tests/fuzz/long.sh -q [-t SECONDS] [NAME ...]	no report
#
# One harness runs at a time, in slices of ten minutes.  What each slice used
# is noted in build/fuzz/total/NAME.tsv, and corpora grow in build/fuzz/corpus,
# so that a run that is interrupted goes on where it ended.  An input that
# breaks something is left in build/fuzz/found.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
out=$top/build/fuzz
all="repair ops replay mount check"
slice=${SLICE:-600}
target=3600
report_only=
quiet=

usage() {
	echo "usage: long.sh [-r|-q] [-t SECONDS] [repair|ops|replay|mount|check ...]" >&2
	exit 2
}
while getopts qrt: option; do
	case $option in
	r) report_only=1 ;;
	q) quiet=1 ;;
	t) target=$OPTARG ;;
	*) usage ;;
	esac
done
shift $((OPTIND - 1))
names=${*:-$all}
for name in $names; do
	case " $all " in *" $name "*) ;; *) usage ;; esac
done
case $target in '' | *[!0-9]*) usage ;; esac

command -v clang >/dev/null || {
	echo "clang is missing: apt-get install clang libclang-rt-14-dev llvm" >&2
	exit 2
}
mkdir -p "$out/found" "$out/total"
echo "building (build/fuzz/build.log)"
make -s -C "$here" libfuzzer coverage >"$out/build.log" 2>&1 || { cat "$out/build.log" >&2; exit 2; }

# Sum of a column of the notes: 2 CPU seconds, 3 executions.
total() { # name column
	[ -e "$out/total/$1.tsv" ] || { echo 0; return; }
	awk -v c="$2" '{ sum += $c } END { printf "%d\n", sum }' "$out/total/$1.tsv"
}

# Which core and harness a slice ran.
sources() {
	cat "$top"/guestfs/core/*.h "$top"/guestfs/core/*/*.[ch] "$here"/*.[ch] | md5sum | cut -c 1-12
}

# CPU seconds of the children, from the second line of times(1).
children() {
	sed -n '2s/[ms]/ /gp' "$1" | awk '{ printf "%d\n", $1 * 60 + $2 + $3 * 60 + $4 + 0.5 }'
}

run_slice() { # name seconds
	log=$out/long-$1.log
	mkdir -p "$out/corpus/$1"
	rm -f "$out/times-$1"
	code=0
	(
		code=0
		nice -n 5 "$out/libfuzzer/$1" "$out/corpus/$1" "$here/corpus/$1" -max_total_time="$2" \
			-timeout=30 -max_len=1032 -detect_leaks=0 -rss_limit_mb=2048 \
			-artifact_prefix="$out/found/$1-" -print_final_stats=1 >"$log" 2>&1 || code=$?
		times >"$out/times-$1"
		exit $code
	) || code=$?
	runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
	# A slice that was killed without a word counts for nothing.
	[ -z "$runs" ] || [ ! -s "$out/times-$1" ] ||
		printf '%s\t%s\t%s\t%s\n' "$(date -u +%FT%TZ)" "$(children "$out/times-$1")" "$runs" \
			"$(sources)" >>"$out/total/$1.tsv"
	return $code
}

status=0
for name in $names; do
	[ -z "$report_only" ] || break
	while used=$(total "$name" 2) && [ "$used" -lt "$target" ]; do
		left=$((target - used + 1))
		[ "$left" -lt "$slice" ] || left=$slice
		echo "$name: $used of $target CPU seconds, $(total "$name" 3) executions; next slice: $left s"
		code=0
		run_slice "$name" "$left" || code=$?
		[ $code != 72 ] || { echo "interrupted; go on by the same command" >&2; exit 1; }
		[ $code = 0 ] || {
			status=1
			grep -aE '^broken|runtime error|^SUMMARY|Test unit written' "$out/long-$name.log" || :
			break
		}
	done
done

[ -z "$quiet" ] || exit $status

# Coverage by replaying what was gathered.
for name in $names; do
	[ -d "$out/corpus/$name" ] || continue
	find "$out/corpus/$name" "$here/corpus/$name" -type f -print0 2>/dev/null |
		LLVM_PROFILE_FILE=$out/coverage/$name.%p.part xargs -0 "$out/coverage/$name" \
			>"$out/coverage-$name.log" 2>&1 || status=1
	llvm-profdata merge -o "$out/coverage/$name.profdata" "$out/coverage/$name".*.part
	rm -f "$out/coverage/$name".*.part
done

covered() { # profile program ...
	profile=$1
	shift
	llvm-cov report "$@" -instr-profile="$profile" "$top/guestfs/core" |
		awk '/^TOTAL/ { printf "%s of lines, %s of branches\n", $10, $13 }'
}

objects=
for name in $all; do
	used=$(total "$name" 2)
	[ "$used" -gt 0 ] || { echo "$name: not run"; continue; }
	objects="$objects -object $out/coverage/$name"
	echo "$name: $used CPU seconds, $(total "$name" 3) executions, $(find "$out/corpus/$name" -type f | wc -l) in the corpus;" \
		"$([ ! -e "$out/coverage/$name.profdata" ] || covered "$out/coverage/$name.profdata" "$out/coverage/$name")"
done
if [ -n "$objects" ]; then
	llvm-profdata merge -o "$out/fuzz.profdata" "$out"/coverage/*.profdata
	# shellcheck disable=SC2086
	llvm-cov report ${objects# -object } -instr-profile="$out/fuzz.profdata" "$top/guestfs/core" |
		awk '/^Filename/ { printf "%-16s %6s %6s %8s %9s %6s %8s\n", "file", "lines", "missed", "covered", "branches", "missed", "covered"; next }
		NF > 12 { printf "%-16s %6s %6s %8s %9s %6s %8s\n", $1, $8, $9, $10, $11, $12, $13 }'
fi
found=$(find "$out/found/" -type f | wc -l)
[ "$found" = 0 ] || { echo "$found inputs in build/fuzz/found broke something: see build/fuzz/long-*.log" >&2; status=1; }
exit $status
