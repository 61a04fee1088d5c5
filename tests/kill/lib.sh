# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
# shellcheck shell=sh
#
# lib.sh - what tests that kill VMs share
#
# The script that includes it has set top, seed and work, a folder of its own, and
# starts guests in the background as $vm, with --pidfile $work/pid, their output
# in $work/out and $work/err and their console in $work/console.

. "$top/tests/tap.sh"

# random N: sets $rnd to 0 .. N-1, from the seed and the calls before
state=$seed
random() {
	state=$(((state * 1103515245 + 12345) % 2147483648))
	rnd=$((state / 65536 % $1))
}

# Kill after some acknowledgements; one time in six earlier: in mount, recovery or check.
wait_and_kill() {
	while [ ! -s "$work/pid" ]; do
		kill -0 $vm 2>/dev/null || return 1
		sleep 0.05
	done
	random 6
	if [ $rnd -eq 0 ]; then
		random 30
		sleep "$((1 + rnd / 10)).$((rnd % 10))"
	else
		tries=0
		while ! grep -q '^ack' "$work/out"; do
			kill -0 $vm 2>/dev/null || return 1
			tries=$((tries + 1))
			[ $tries -lt 6000 ] || return 1
			sleep 0.05
		done
		random 200
		sleep "$((rnd / 100)).$(printf '%02d' $((rnd % 100)))"
	fi
	kill -9 "$(cat "$work/pid")" 2>/dev/null || return 1
	wait $vm || :
	vm=
}

# Has the guest found what it was promised, and begun to remove it?  What it prints last
# may die with QEMU on its way here; not so a message of its kernel, on the console.
has_verified() {
	grep -q '^verified' "$work/out" || grep -aq '] verified' "$work/console"
}

# The number of the last acknowledgement, or 0.
last_ack() {
	sed -n 's/^ack \([0-9]*\)$/\1/p' "$work/out" | tail -n 1 | grep . || echo 0
}

# show_guest NAME: what it said; everything is kept in build/log/NAME
show_guest() {
	sed 's/^/# /' "$work/err"
	grep -v '^ack [0-9]' "$work/out" | sed 's/^/# /'
	tail -n 20 "$work/console" | sed 's/^/# /'
	mkdir -p "$top/build/log"
	rm -rf "$top/build/log/$1"
	cp -r --sparse=always "$work" "$top/build/log/$1"
	echo "# the image before and after the last boot, and the logs: build/log/$1/"
}
