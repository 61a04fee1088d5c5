# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# suite.sh - suites that a runner of its own runs one after the other; sourced, not run
#
# $log is the folder of their logs.
# shellcheck shell=sh disable=SC2154

good=0
bad=0

# suite NAME COMMAND...: a program that prints TAP
suite() {
	name=$1
	file=$log/test-$name.log
	shift
	start=$(date +%s) status=0
	"$@" >"$file" 2>&1 || status=$?
	passed=$(grep -c '^ok ' "$file" || :)
	failed=$(grep -c '^not ok ' "$file" || :)
	if [ $status -ne 0 ] && [ "$failed" -eq 0 ] || [ $((passed + failed)) -eq 0 ]; then
		failed=1
		echo "not ok - the suite ended with status $status" >>"$file"
	fi
	printf '  %-24s %3s passed, %s failed   (%s s)\n' "$name" "$passed" "$failed" $(($(date +%s) - start))
	[ "$failed" -eq 0 ] || grep -a '^not ok' "$file" | sed 's/^/      /' | head -n 10
	good=$((good + passed)) bad=$((bad + failed))
}

# The last line, if there were any, and the result.
suites_end() {
	[ $((good + bad)) -eq 0 ] || echo "$good passed, $bad failed"
	[ $bad -eq 0 ]
}
