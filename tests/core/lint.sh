#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# lint.sh - what the sources of the core must be; prints TAP
#
# Free of warnings under gcc and, where it is installed, clang; no function
# over 100 lines; nothing that ends the program, since damage on the medium
# could reach it; includes, calls and data that go from a layer to those below
# it (layers.py).
set -eu

here=$(cd "$(dirname "$0")" && pwd)
core=$(cd "$here/../../guestfs/core" && pwd)
warnings="-Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Werror"
tmp=$(mktemp -d)
out=$tmp/out
trap 'rm -rf "$tmp"' EXIT
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

# All files, each compiled: some of gcc's warnings come from the optimiser.
compiles() { # compiler
	for file in "$core"/*/*.c; do
		object=$tmp/$1/${file#"$core"/}
		mkdir -p "${object%/*}"
		case $1 in
		gcc) set -- "$1" -c -o "${object%.c}.o" ;;
		clang) set -- "$1" -fsyntax-only ;;
		esac
		# shellcheck disable=SC2086
		"$@" -std=c11 -O2 -ffreestanding $warnings -I"$core" "$file" || return 1
	done
}

no_asserts() {
	! grep -nE '\b(assert|abort|BUG|BUG_ON|panic|__builtin_trap|__builtin_unreachable)[[:space:]]*\(' "$core"/*.h "$core"/*/*.[ch]
}

# A tree of two layers, in which the lower one does what it must not: upward FILE TEXT
upward() {
	rm -rf "$tmp/up"
	mkdir -p "$tmp/up/medium" "$tmp/up/log"
	printf 'struct vmem_fs {\n\t/* medium: a */\n\tint low;\n\t/* log: b */\n\tint high;\n};\n' >"$tmp/up/mount.h"
	echo 'void up(void);' >"$tmp/up/log/log.h"
	printf '#include "log/log.h"\nvoid up(void)\n{\n}\n' >"$tmp/up/log/up.c"
	printf '#include "mount.h"\nvoid up(void);\nint low(struct vmem_fs *fs);\n%b\n' "$1" >"$tmp/up/medium/low.c"
	for name in log/up medium/low; do
		gcc -I"$tmp/up" -c -o "$tmp/up/$name.o" "$tmp/up/$name.c" || return 2
	done
	"$here/layers.py" "$tmp/up" "$tmp/up"
}

upward_is_noticed() {
	upward 'int low(struct vmem_fs *fs)\n{\n\treturn fs->low;\n}' || return 1
	! upward '#include "log/log.h"\nint low(struct vmem_fs *fs)\n{\n\treturn fs->low;\n}' || return 1
	! upward 'int low(struct vmem_fs *fs)\n{\n\tup();\n\treturn fs->low;\n}' || return 1
	! upward 'int low(struct vmem_fs *fs)\n{\n\treturn fs->high;\n}'
}

echo "1..6"
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
check "includes, calls and data of the core's layers go downward only" "$here/layers.py" "$core" "$tmp/gcc"
check "an include, a call and a field of the layer above are noticed" upward_is_noticed
exit $bad
