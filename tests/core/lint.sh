#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# lint.sh - what the sources of the core must be; prints TAP
#
# Free of warnings under gcc and, where it is installed, clang; no function
# over 100 lines; nothing that ends the program, since damage on the medium
# could reach it.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
core=$(cd "$here/../../guestfs/core" && pwd)
warnings="-Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Werror"
out=$(mktemp)
trap 'rm -f "$out"' EXIT
n=0
bad=0

check() { # text command...
	text=$1
	shift
	n=$((n + 1))
	if "$@" >"$out" 2>&1; then
		echo "ok $n - $text"
	else
		bad=1
		echo "not ok $n - $text"
		sed 's/^/# /' "$out"
	fi
}

# All files, each compiled: some warnings come from the optimiser.
compiles() { # compiler
	for file in "$core"/*/*.c; do
		# shellcheck disable=SC2086
		"$1" -std=c11 -O2 -ffreestanding $warnings -I"$core" -c -o /dev/null "$file" || return 1
	done
}

no_asserts() {
	! grep -nE '\b(assert|abort|BUG|BUG_ON|panic|__builtin_trap|__builtin_unreachable)[[:space:]]*\(' "$core"/*.h "$core"/*/*.[ch]
}

echo "1..4"
for cc in gcc clang; do
	if command -v $cc >/dev/null; then
		check "the core compiles without a warning under $cc" compiles $cc
	else
		n=$((n + 1))
		echo "ok $n - the core under $cc # SKIP $cc is not installed"
	fi
done
check "no function of the core has more than 100 lines" awk -f "$here/longest.awk" "$core"/*/*.c
check "no assert and no BUG in the core" no_asserts
exit $bad
