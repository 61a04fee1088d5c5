#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# run.sh - fuzz the device in a QEMU built for it, with clang, ASan and UBSan
#
#   run.sh SECONDS	all seeds and what is in the corpus, then new inputs
#   run.sh -l [SECONDS]	until that much CPU time was used in all, default 3600;
#			goes on where the last run ended
#   run.sh -r		only the report: what was run, and what it reaches
#   run.sh -1 INPUT...	run these inputs once
#
# QEMU's source comes from Debian, as its release 7.2 has it.  All is built and
# kept in build/fuzz-device: what the slices used in total.tsv, the corpus, and
# in found/ what breaks something.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
out=$top/build/fuzz-device
src=$out/qemu/src
obj=$out/obj
fuzzer=$obj/qemu-fuzz-x86_64
slice=${SLICE:-600}

die() {
	echo "fuzz-device: $*" >&2
	exit 2
}

usage() {
	echo "usage: run.sh SECONDS | -l [CPU_SECONDS] | -r | -1 INPUT..." >&2
	exit 2
}

is_number() {
	case $1 in '' | *[!0-9]*) return 1 ;; esac
}

check_tools() {
	missing=
	for package in $(cat "$here/packages.txt"); do
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
			missing="$missing $package"
	done
	[ -z "$missing" ] || die "packages are missing: apt-get install$missing"
}

configure() {
	cp "$here/devices.mak" "$src/configs/devices/x86_64-softmmu/vmemstore-fuzz.mak"
	cp "$here/instrumentation-filter" "$src/scripts/oss-fuzz/instrumentation-filter-template"
	rm -rf "$obj"
	mkdir -p "$obj"
	cd "$obj"
	"$src/configure" --target-list=x86_64-softmmu --cc=clang --cxx=clang++ \
		--meson=/usr/bin/meson --ninja=/usr/bin/ninja --with-git-submodules=ignore \
		--without-default-features --without-default-devices \
		--with-devices-x86_64=vmemstore-fuzz --enable-kvm --disable-tcg --disable-tools \
		--disable-docs --disable-install-blobs --enable-fuzzing --enable-sanitizers \
		--extra-cflags="-O1 -g1 -fsanitize-ignorelist=$here/ignorelist"
}

build() {
	mkdir -p "$out/corpus" "$out/found"
	"$here/../get-qemu-source.sh" bookworm "$out/qemu"
	"$here/../apply-overlay.sh" "$src" >"$out/build.log"
	if [ ! -e "$obj/build.ninja" ]; then
		echo "configuring QEMU (build/fuzz-device/configure.log)"
		(configure) >"$out/configure.log" 2>&1 || {
			rm -f "$obj/build.ninja"
			tail -n 20 "$out/configure.log" >&2
			die "QEMU cannot be configured: see build/fuzz-device/configure.log"
		}
	fi
	echo "building (build/fuzz-device/build.log; a quarter of an hour the first time)"
	nice -n 5 ninja -C "$obj" -j"$(nproc)" qemu-fuzz-x86_64 >>"$out/build.log" 2>&1 || {
		tail -n 40 "$out/build.log" >&2
		die "the fuzzer does not build: see build/fuzz-device/build.log"
	}
	built=$(sources)
	rm -rf "$out/seeds"
	python3 "$here/seeds.py" "$out/seeds"
}

# fuzz LOG ARGUMENT...: run the fuzzer; the CPU seconds that it used go to LOG.cpu
fuzz() {
	log=$1
	shift
	code=0
	(
		code=0
		nice -n 5 "$fuzzer" --fuzz-target=vmemstore "$@" -timeout=60 -max_len=512 \
			-rss_limit_mb=3000 -detect_leaks=0 -artifact_prefix="$out/found/" >"$log" 2>&1 ||
			code=$?
		times >"$log.times"
		exit $code
	) || code=$?
	# The second line of times(1) is that of the children.
	sed -n '2s/[ms]/ /gp' "$log.times" |
		awk '{ printf "%d\n", $1 * 60 + $2 + $3 * 60 + $4 + 0.5 }' >"$log.cpu"
	return $code
}

tell() { # log
	grep -aE 'ERROR|runtime error|^SUMMARY|Assertion|Test unit written' "$1" | head -n 20 >&2 || :
	echo "again: qemu-device/fuzz/run.sh -1 INPUT; all that was said is in ${1#"$top/"}" >&2
}

# Sum of a column of the notes: 2 CPU seconds, 3 executions.
total() {
	[ -e "$out/total.tsv" ] || { echo 0; return; }
	awk -v c="$1" '{ sum += $c } END { printf "%d\n", sum }' "$out/total.tsv"
}

# Which device and harness were built.
sources() {
	cat "$here"/../*.h "$here"/../device/* "$here"/../hostfile/* "$here"/../flush/* \
		"$here"/../migration/* "$here"/../testing/* "$here"/*.[ch] "$here"/../tests/testdriver.[ch] | md5sum | cut -c 1-12
}

run_slice() { # seconds
	log=$out/slice.log
	code=0
	fuzz "$log" "$out/corpus" "$out/seeds" "$here/corpus" -max_total_time="$1" -reload=0 \
		-print_final_stats=1 || code=$?
	runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
	# A slice that was killed without a word counts for nothing.
	[ -z "$runs" ] || printf '%s\t%s\t%s\t%s\n' "$(date -u +%FT%TZ)" "$(cat "$log.cpu")" "$runs" \
		"$built" >>"$out/total.tsv"
	[ $code = 0 ] || tell "$log"
	return $code
}

run_long() { # CPU seconds
	while used=$(total 2) && [ "$used" -lt "$1" ]; do
		left=$(($1 - used + 1))
		[ "$left" -lt "$slice" ] || left=$slice
		echo "$used of $1 CPU seconds, $(total 3) executions, $(find "$out/corpus" -type f | wc -l)" \
			"inputs in the corpus; next slice: $left s"
		code=0
		run_slice "$left" || code=$?
		[ $code != 72 ] || die "interrupted; go on by the same command"
		[ $code = 0 ] || return $code
	done
}

# Edges are those of the code as compiled: the checks of UBSan, which are never
# to fail, are among them.
report() {
	echo "$(total 2) CPU seconds, $(total 3) executions, $(find "$out/corpus" -type f | wc -l) inputs in" \
		"the corpus, $(cut -f 4 "$out/total.tsv" 2>/dev/null | sort -u | wc -l) state(s) of the sources"
	fuzz "$out/coverage.log" "$out/corpus" "$out/seeds" "$here/corpus" -runs=0 -print_coverage=1 ||
		{ tell "$out/coverage.log"; return 1; }
	sed -n 's|^\(UN\)\{0,1\}COVERED_FUNC: hits: \([0-9]*\) edges: \([0-9]*\)/\([0-9]*\) \([^ ]*\) .*/hw/vmemstore/\([^:]*\):.*|\6 \2 \3 \4 \5|p' \
		"$out/coverage.log" | sort | awk '
		{ files[$1]; all[$1]++; edges[$1] += $4; hit[$1] += $3 }
		$2 { reached[$1]++ }
		!$2 { left[$1] = left[$1] " " $5 }
		END {
			printf "%-18s %9s %13s  %s\n", "file", "functions", "edges", "not reached"
			for (f in files)
				printf "%-18s %4d/%-4d %6d/%-6d %s\n", f, reached[f], all[f], hit[f], edges[f], left[f] | "sort"
		}'
	! grep -aq 'LeakSanitizer' "$out/coverage.log" || { tell "$out/coverage.log"; return 1; }
}

[ $# -gt 0 ] || usage
mode=$1
case $mode in
-l) is_number "${2:-3600}" || usage ;;
-r | -1) ;;
*) is_number "$mode" || usage ;;
esac

check_tools
build
VMEMSTORE_FUZZ_DISK=$(mktemp -d "$out/run.XXXXXX")
VMEMSTORE_FUZZ_TMPFS=$(mktemp -d /dev/shm/vmemstore-fuzz.XXXXXX 2>/dev/null || echo "$VMEMSTORE_FUZZ_DISK")
trap 'rm -rf "$VMEMSTORE_FUZZ_DISK" "$VMEMSTORE_FUZZ_TMPFS"' EXIT
trap 'exit 1' INT TERM
# Leaks are looked for at the end of a run, not after each input.
ASAN_OPTIONS=detect_leaks=1
UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export VMEMSTORE_FUZZ_DISK VMEMSTORE_FUZZ_TMPFS ASAN_OPTIONS UBSAN_OPTIONS

status=0
case $mode in
-r) report || status=1 ;;
-l)
	run_long "${2:-3600}" || status=1
	report || status=1
	;;
-1)
	shift
	"$fuzzer" --fuzz-target=vmemstore "$@" || status=$?
	;;
*)
	echo "seeds, corpus and new inputs for $mode s (build/fuzz-device/slice.log)"
	run_slice "$mode" || status=1
	tail -n 6 "$out/slice.log"
	;;
esac
found=$(find "$out/found" -type f | wc -l)
[ "$found" = 0 ] || echo "$found inputs in build/fuzz-device/found broke something" >&2
[ $status != 0 ] || echo "fuzz-device: nothing broke"
exit $status
