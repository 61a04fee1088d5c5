#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# Fuzzes the core with libFuzzer, and says what was run and covered.
#
#   tests/fuzz/long.sh [SECONDS]	per harness, default 3600; two run at a time
#
# Corpora grow in build/fuzz/corpus, so that a later run goes on where this one
# ended.  An input that breaks something is left in build/fuzz/found.
set -eu

seconds=${1:-3600}
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
out=$top/build/fuzz
names="mount check replay ops"
mkdir -p "$out/found"

command -v clang >/dev/null || {
	echo "clang is missing: apt-get install clang libclang-rt-14-dev llvm" >&2
	exit 2
}
echo "building (build/fuzz/build.log)"
make -s -C "$here" -j2 libfuzzer coverage >"$out/build.log" 2>&1 || { cat "$out/build.log" >&2; exit 2; }

echo "fuzzing: $names; $seconds s each, logs in build/fuzz/long-*.log"
export out here seconds
status=0
for name in $names; do echo "$name"; done | xargs -P 2 -I '{}' sh -c '
	mkdir -p "$out/corpus/{}"
	nice "$out/libfuzzer/{}" "$out/corpus/{}" "$here/corpus/{}" -max_total_time="$seconds" \
		-timeout=10 -max_len=1032 -detect_leaks=0 -rss_limit_mb=2048 -artifact_prefix="$out/found/{}-" \
		-print_final_stats=1 >"$out/long-{}.log" 2>&1' || status=1

for name in $names; do
	echo "$name: $(sed -n 's/^stat::number_of_executed_units: */inputs /p' "$out/long-$name.log")," \
		"$(ls "$out/corpus/$name" | wc -l) in the corpus"
	grep -aE '^broken|runtime error|^SUMMARY|Test unit written' "$out/long-$name.log" || :
done

# Coverage by replaying what was gathered.
for name in $names; do
	LLVM_PROFILE_FILE=$out/$name.profraw "$out/coverage/$name" "$out/corpus/$name"/* \
		>"$out/coverage-$name.log" 2>&1 || status=1
done
if command -v llvm-cov >/dev/null && command -v llvm-profdata >/dev/null; then
	llvm-profdata merge -o "$out/fuzz.profdata" "$out"/*.profraw
	llvm-cov report "$out/coverage/mount" -instr-profile="$out/fuzz.profdata" \
		-object "$out/coverage/check" -object "$out/coverage/replay" -object "$out/coverage/ops" \
		"$top/guestfs/core" | awk '/^Filename/ { printf "%-16s %6s %6s %8s %9s %6s %8s\n", "file", "lines", "missed", "covered", "branches", "missed", "covered"; next }
		NF > 12 { printf "%-16s %6s %6s %8s %9s %6s %8s\n", $1, $8, $9, $10, $11, $12, $13 }'
else
	echo "no coverage: llvm is missing (apt-get install llvm)"
fi
[ "$status" = 0 ] || echo "something broke: see build/fuzz/found and build/fuzz/long-*.log" >&2
exit $status
