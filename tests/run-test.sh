#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# run-test.sh - tests/run itself: what it must not take for a success
#
# Prints TAP.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/run-test.XXXXXX")
trap 'rm -rf "$work"' EXIT
. "$here/tap.sh"
why=$work/out

# sums STATUS SUM SENTENCE SUITE: what a suite whose command is SUITE comes to
sums() {
	echo "suite $4" >"$work/list"
	status=0
	# What the suite before has left running may still write.
	rm -f "$work/out"
	RUN_LIST=$work/list RUN_LOG=$work/log$count "$here/run" >"$work/out" 2>&1 || status=$?
	[ $status -eq "$1" ] && [ "$(tail -n 1 "$work/out")" = "$2" ] && status=0 || status=1
	result $status "$3"
}

sums 0 "2 passed, 0 failed" "what was planned and passed, passes" \
	"echo 'ok 1 - a'; echo 'ok 2 - b'; echo 1..2"
sums 0 "3 passed, 0 failed" "a suite may have parts, each with a plan" \
	"echo 1..2; echo 'ok 1 - a'; echo 'ok 2 - b'; echo 'ok 1 - c'; echo 1..1"
sums 1 "1 passed, 1 failed" "a failed test is one" "echo 'ok 1 - a'; echo 'not ok 2 - b'; echo 1..2; exit 1"
sums 1 "1 passed, 1 failed" "fewer results than planned are a failure" "echo 1..2; echo 'ok 1 - a'"
sums 1 "2 passed, 1 failed" "more, too" "echo 'ok 1 - a'; echo 'ok 2 - b'; echo 1..1"
sums 1 "1 passed, 1 failed" "no plan is one" "echo 'ok 1 - a'"
sums 1 "0 passed, 1 failed" "no result is one" "true"
sums 1 "0 passed, 1 failed" "a plan of nothing is one" "echo 1..0"
sums 1 "1 passed, 1 failed" "so is an exit status alone" "echo 'ok 1 - a'; echo 1..1; exit 3"
sums 1 "0 passed, 1 failed" "and a suite that takes its runner along" "kill -9 \$(ps -o ppid= -p \$PPID)"
sums 0 "1 passed, 0 failed" "a suite that computes for two seconds" \
	"python3 -c 'import time; any(time.process_time() > 2 for _ in iter(int, 1))'; echo 'ok 1 - a'; echo 1..1"
grep -q '(.* s, [2-9] s of CPU time)$' "$work/out" && status=0 || status=1
result $status "has its CPU time shown"
# warning TRACE: what tests/vm/kernel-faults thinks of a clock that is asked too early
warning() {
	printf '%s\n' 'WARNING: CPU: 0 PID: 98 at kernel/time/timekeeping.c:1005 ktime_get_seconds+0x1b/0x30' \
		" $1+0x44/0x50" >"$work/kernel"
	"$here/vm/kernel-faults" "$work/kernel" >"$work/out"
}
status=0
warning irqrouter_resume && status=1
result $status "Linux asking a clock too early in a resume is no fault of a guest"
status=0
warning vmemstore_restore || status=1
result $status "another doing so is one"
echo "1..$count"
exit $failed
