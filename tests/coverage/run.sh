#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# run.sh - which lines and branches of the core do the tests reach?
#
# Builds the tests of the core, the fault injection, the crash explorer, the
# fuzzing harnesses and the tools' tests in a copy of the tree, by a gcc that
# counts, runs them (the crash explorer: a part of its short set; what is
# random: from one seed, so that a second run takes the same branches), and
# prints a table.  About five minutes on two cores.  Branches
# that were never taken are compared with untaken.txt, where each has its
# reason: one that is missing there makes the exit status 1.
#
# usage: tests/coverage/run.sh [--report]	--report: of the last run
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
out=$top/build/coverage
tree=$out/tree

for tool in gcc gcov python3 xz; do
	command -v $tool >/dev/null || { echo "$tool is missing: run make deps" >&2; exit 2; }
done
report() {
	python3 "$here/report.py" "$tree" "$here/untaken.txt" "$out/untaken"
}
case ${1:-} in
--report) report && exit || exit 1 ;;
'') ;;
*) sed -n '3,/^set/s/^# \{0,1\}//p' "$0" && exit 2 ;;
esac

# The compiler of every makefile: it counts, and leaves out what would slow that down.
make_compiler() {
	mkdir -p "$out/bin"
	cat >"$out/bin/gcc" <<WRAPPER
#!/bin/sh
for arg; do
	shift
	case \$arg in
	/dev/null) exec $(command -v gcc) "\$@" \$arg ;;
	-fsanitize=* | -fno-sanitize* | -O[0-9]) ;;
	*) set -- "\$@" "\$arg" ;;
	esac
done
exec $(command -v gcc) -O0 --coverage -fprofile-abs-path -fprofile-update=atomic "\$@"
WRAPPER
	chmod +x "$out/bin/gcc"
	ln -sf gcc "$out/bin/cc"
}

rm -rf "$out"
mkdir -p "$tree"
make_compiler
(cd "$top" && tar -cf - Makefile VERSION guestfs tests qemu-device docs) | tar -xf - -C "$tree"
PATH=$out/bin:$PATH
export PATH

step() { # name command...
	name=$1
	shift
	start=$(date +%s)
	status=passed
	(cd "$tree" && "$@") >"$out/$name.log" 2>&1 || status="failed: see build/coverage/$name.log"
	printf '  %-8s %s (%s s)\n' "$name" "$status" $(($(date +%s) - start))
}

crash() {
	mkdir -p build/tests-crash
	make -s -C tests/crash -j2 "$tree/build/tests/crash"
	printf '%s\n' guest kill host pmem | xargs -P 2 -I '{}' sh -c '
		build/tests/crash -m {} --sample 8 --nest 100 one &&
		build/tests/crash -m {} --nest 400 --vectors 4 known &&
		build/tests/crash -m {} --nest 400 grow'
}

echo "running the tests of the core, counted"
step core env SECONDS=0 SEED=1 tests/core/run.sh
step inject env SITES=no tests/inject/run.sh
step crash crash
step fuzz env SEED=1 tests/fuzz/run.sh 1
step tools tests/tools/run.sh
report
