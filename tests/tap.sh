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

# take_over FILE [PREFIX]: the results that are in what a guest said become ours; the
# rest of it is the reason of a failure
take_over() {
	grep -avE '^(ok|not ok) [0-9]+ - ' "$1" >"$why" || :
	grep -aE '^(ok|not ok) [0-9]+ - ' "$1" >"$1.tap" || :
	while IFS= read -r line; do
		case $line in
		ok*) result 0 "${2:-}${line#* - }" ;;
		*) result 1 "${2:-}${line#* - }" ;;
		esac
	done <"$1.tap"
	rm "$1.tap"
}
