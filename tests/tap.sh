# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
# shellcheck shell=sh disable=SC2034
#
# tap.sh - results in TAP, for the test scripts of the host; sourced
#
# At the end a script prints "1..$count" and exits with $failed.

count=0
failed=0
why=			# a file with the reason of a failure, if there is one

# result STATUS SENTENCE
result() {
	count=$((count + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $count - $2"
		return
	fi
	echo "not ok $count - $2"
	[ ! -s "$why" ] || tail -n 40 "$why" | sed 's/^/# /'
	failed=1
}
