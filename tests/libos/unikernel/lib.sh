# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# lib.sh - what the unikernel's test scripts share; sourced with $top set
#
# Results are TAP.  Each boot is a QEMU of its own that lives for a moment.

here=$top/tests/libos/unikernel
bin=$top/build/unikernel
run=$top/libos-shim/run
limit=600		# seconds that no boot takes, however busy the machine is

. "$top/tests/tap.sh"

work=$(mktemp -d "${TMPDIR:-/tmp}/unikernel-test.XXXXXX")
job=
trap '[ -z "$job" ] || kill $job 2>/dev/null || :; rm -rf "$work"' EXIT

# check NAME COMMAND...: it succeeds; its output is shown if it does not
check() {
	check_name=$1
	shift
	if "$@" >"$work/check.log" 2>&1; then
		result 0 "$check_name"
	else
		tail -n 15 "$work/check.log" | sed 's/^/# /'
		result 1 "$check_name"
	fi
}

# new_store SIZE [DIR]: an empty image $store, or one with the contents of DIR
store=$work/store.img
new_store() {
	rm -f "$store"
	"$top/build/tools/mkfs.vmemfs" -q -s "$1" ${2:+-d "$2"} "$store"
}

# boot [OPTION...] PROGRAM ARG...: of run, on the store, output to $work/out
boot() {
	boot_options=
	while [ $# -gt 0 ]; do
		case $1 in
		-[Mmod] | --image | --name | --cpu | --pidfile | --loader | --qemu) boot_options="$boot_options $1 $2" && shift 2 ;;
		*) break ;;
		esac
	done
	# Values have no blanks.
	# shellcheck disable=SC2086
	"$run" --timeout $limit $boot_options "$store" "$@" </dev/null >"$work/out" 2>"$work/err"
}

# On a failure show what the machine said.
show() {
	boot "$@" && return 0
	show_status=$?
	cat "$work/out" "$work/err"
	echo "status $show_status"
	return $show_status
}

clean() {
	"$top/build/tools/fsck.vmemfs" -n "$store"
}

# extract NAME FILE: a file of the store's root, read by the host's tools
extract() {
	ino=$("$top/build/tools/dump.vmemfs" -r -t "$store" | awk -v path="/$1" '$NF == path { print $1; exit }')
	[ -n "$ino" ] || { echo "no /$1 in the store" && return 1; }
	"$top/build/tools/dump.vmemfs" -r -c "$ino" "$store" >"$2"
}

# stat_line WORD: the number before WORD in what the option stats printed
stat_of() {
	sed -n "s/.*[^0-9]\([0-9][0-9]*\) $1.*/\1/p" "$work/out" | tail -n 1
}
