#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# agent.sh - runs in the bench guest: executes what the host sends
#
# Protocol on the virtio serial port: the host sends one line of shell; the
# answer is "STATUS BYTES\n" and so many bytes of output.  "quit" ends it.
port=/dev/vport0p3

exec 3<>$port
while :; do
	# Nobody connected to the port yet reads as end of file.
	if ! read -r line <&3; then
		sleep 0.1
		continue
	fi
	[ "$line" != quit ] || break
	(eval "$line") </dev/null >/tmp/answer 2>&1
	status=$?
	{
		echo "$status $(wc -c </tmp/answer)"
		cat /tmp/answer
	} >&3
done
exit 0
