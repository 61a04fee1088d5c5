#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# install-test.sh - what `make install` puts there works there, and goes away again
#
# Prints TAP.  Installs into a prefix of its own.
set -u

top=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/install-test.XXXXXX")
vms=
# shellcheck disable=SC2086
trap '[ -z "$vms" ] || kill -9 $vms 2>/dev/null; rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
prefix=$work/usr
version=$(cat "$top/VERSION")
. "$top/tests/tap.sh"
why=$work/output
cd "$work" || exit 1
unset VMEMSTORE_PLUGIN VMEMSTORE_QEMU

# try SENTENCE COMMAND...
try() {
	sentence=$1 status=0
	shift
	"$@" >"$why" 2>&1 || status=$?
	result $status "$sentence"
}

install() {
	make -s -C "$top" install PREFIX="$prefix"
}

versions() {
	for tool in mkfs fsck dump resize; do
		[ "$("$prefix/sbin/$tool.vmemfs" --version)" = "$tool.vmemfs $version" ] || return 1
	done
	[ "$("$prefix/bin/vmemstat" --version)" = "vmemstat $version" ]
	[ "$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' "$prefix/src/vmemfs-$version/dkms.conf")" = "$version" ] &&
		[ "$(PKG_CONFIG_PATH="$prefix/lib/pkgconfig" pkg-config --modversion vmemos)" = "$version" ] &&
		head -n 1 "$top/packaging/debian/changelog" | grep -F "vmemstore ($version) " &&
		grep -F "## $version" "$top/CHANGELOG.md"
}

help_and_version() {
	"$prefix/bin/qemu-vmemstore" -version | grep '^QEMU emulator version' &&
		"$prefix/bin/qemu-vmemstore" -help | grep '^-device' &&
		"$prefix/bin/qemu-vmemstore" -device help | grep '^name "vmemstore"' &&
		"$prefix/bin/qemu-vmemstore" -device vmemstore,help | grep 'file=<str>'
}

# As libvirt asks: by QMP, without a machine or a device.
capabilities() {
	printf '%s\n' '{"execute": "qmp_capabilities"}' '{"execute": "query-version"}' \
		'{"execute": "device-list-properties", "arguments": {"typename": "vmemstore"}}' \
		'{"execute": "quit"}' |
		"$prefix/bin/qemu-vmemstore" -S -no-user-config -nodefaults -nographic \
			-machine none,accel=kvm:tcg -qmp stdio >asked 2>&1
	grep '"name": "file"' asked || { cat asked && return 1; }
}

missing_object() {
	VMEMSTORE_PLUGIN=$work/none.so "$prefix/bin/qemu-vmemstore" -version >asked 2>&1
	[ $? -eq 1 ] && grep -F "$work/none.so: No such file" asked
}

examples() {
	cp -R "$prefix/share/doc/libvmemos-dev/examples" examples &&
		cp "$top/tests/packages/flusher.c" examples/ &&
		PKG_CONFIG_PATH="$prefix/lib/pkgconfig" make -s -C examples all flusher.elf &&
		"$prefix/sbin/mkfs.vmemfs" -q -s 64M disk.img
}

# boot IMAGE STORE [QEMU ARGUMENT...]
boot() {
	image=$1 store=$2
	shift 2
	exec "$prefix/bin/qemu-vmemstore" -M q35 -accel tcg -cpu max -m 256 -nodefaults -no-user-config \
		-display none -no-reboot -serial stdio -device isa-debug-exit,iobase=0xf4,iosize=4 \
		-device "vmemstore,id=store,file=$store" -kernel "$image" "$@" </dev/null
}

boots() {
	examples/hello disk.img | grep '^boot number 1$' || return 1
	# shellcheck disable=SC2030
	(boot examples/hello.elf disk.img) >asked 2>&1
	tr -d '\r' <asked | grep '^boot number 2$' || { cat asked && return 1; }
}

udev_properties() {
	"$prefix/sbin/mkfs.vmemfs" -q -s 16M -L 'My store' -U 01234567-89ab-cdef-0123-456789abcdef named.img
	"$prefix/sbin/dump.vmemfs" --udev named.img >asked || return 1
	cat >wanted <<-'END'
		ID_FS_TYPE=vmemfs
		ID_FS_USAGE=filesystem
		ID_FS_VERSION=1.0
		ID_FS_UUID=01234567-89ab-cdef-0123-456789abcdef
		ID_FS_UUID_ENC=01234567-89ab-cdef-0123-456789abcdef
		ID_FS_LABEL=My_store
		ID_FS_LABEL_ENC=My\x20store
	END
	diff wanted asked
}

# A superblock that is not what its checksum says is nobody's.
udev_damaged() {
	printf X | dd of=named.img bs=1 seek=100 conv=notrunc status=none
	"$prefix/sbin/dump.vmemfs" --udev named.img
	[ $? -eq 8 ] || return 1
	"$prefix/sbin/dump.vmemfs" --udev /dev/null
	[ $? -eq 8 ]
}

completes() {
	cat >complete.bash <<-END
		_init_completion() { cur=--l prev=mkfs.vmemfs; }
		_filedir() { :; }
		PATH=$prefix/sbin:\$PATH
		. "$prefix/share/bash-completion/completions/mkfs.vmemfs"
		_vmemfs mkfs.vmemfs --l mkfs.vmemfs
		echo "\${COMPREPLY[@]}"
	END
	[ "$(bash complete.bash)" = "--label --log-size" ] && [ -e "$prefix/share/bash-completion/completions/fsck.vmemfs" ]
}

# --- vmemstat: two machines that flush until they are killed ---

start_vm() {
	"$prefix/sbin/mkfs.vmemfs" -q -s 64M "$1.img"
	# shellcheck disable=SC2030,SC2031
	name=$1
	shift
	(boot examples/flusher.elf "$name.img" "$@") >"$name.out" 2>&1 &
	vms="$vms $!"
}

wait_for_flushes() {
	tries=0
	until [ "$(grep -c "^flush" "$1.out")" -ge 2 ]; do
		tries=$((tries + 1))
		[ $tries -lt 1200 ] || { cat "$1.out" && return 1; }
		sleep 0.1
	done
}

machines_run() {
	# One by -qmp, one as libvirt writes it; one with a relative path.
	start_vm one -name first -qmp unix:one.qmp,server=on,wait=off
	start_vm two -chardev "socket,id=m,path=$work/two.qmp,server=on,wait=off" -mon chardev=m,mode=control
	wait_for_flushes one && wait_for_flushes two
}

stat() {
	"$prefix/bin/vmemstat" "$@"
}

# Those of other machines of the host may be among what is found.
finds_both() {
	stat --json --total >total || return 1
	python3 - <<-'END'
		import json
		found = {d['vm'] for d in json.load(open('total'))['devices'] if d['id'] == 'store'}
		assert {'first', 'two.qmp'} <= found, found
	END
}

counts_truly() {
	stat -j -t -s one.qmp store >before && stat -j -i 0.3 -c 4 -s one.qmp >reports &&
		stat -j -t -s one.qmp >after && stat -s one.qmp store >table || return 1
	cat before reports after table
	python3 - <<-'END'
		import json
		def device(line):
		    (found,) = json.loads(line)['devices']
		    return found
		before, after = device(open('before').read()), device(open('after').read())
		reports = [device(line) for line in open('reports')]
		assert len(reports) == 4
		for name in 'flushes', 'ranges', 'bytes', 'syncs':
		    seen = sum(r[name] for r in reports)
		    assert 0 < seen <= after[name] - before[name], (name, seen)
		    assert all(r[name + '_per_s'] >= 0 for r in reports)
		for r in [*reports, after]:
		    assert sum(r['latency_us'].values()) == r['flushes'], r
		    bounds = [int(b) for b in r['latency_us'] if b != 'more']
		    assert r['p99_us'] is None or min(bounds) <= r['p50_us'] <= r['p90_us'] <= r['p99_us'] <= max(bounds)
		assert after['size'] == 64 << 20 and 0 < after['resident'] <= after['size']
		assert after['provisioned'] == 64 << 20 and after['errors'] == 0
		rows = open('table').read().split('\n')
		assert rows[0].split()[:3] == ['vm', 'id', 'flush/s'] and rows[1].split()[:2] == ['first', 'store'], rows
	END
}

# Nothing runs in it: all is counted, and nothing more comes.
stopped_is_still() {
	python3 - <<-'END' || return 1
		import json, socket
		s = socket.socket(socket.AF_UNIX)
		s.connect('two.qmp')
		f = s.makefile('rw')
		def ask(command, **arguments):
		    f.write(json.dumps({'execute': command, 'arguments': arguments}) + '\n')
		    f.flush()
		    while True:
		        answer = json.loads(f.readline())
		        if 'return' in answer:
		            return answer['return']
		f.readline()
		ask('qmp_capabilities')
		ask('stop')
		path = '/machine/peripheral/store'
		while ask('qom-get', path=path, property='stats')['in-flight']:
		    pass
		json.dump(ask('qom-get', path=path, property='stats'), open('truth', 'w'))
	END
	stat -j -t -s two.qmp >total && stat -j -i 0.2 -c 1 -s two.qmp >still || return 1
	cat truth total still
	python3 - <<-'END'
		import json
		truth = json.load(open('truth'))
		(total,), (still,) = (json.load(open(name))['devices'] for name in ('total', 'still'))
		assert total['flushes'] == truth['flush-requests'] > 0 and total['bytes'] == truth['flush-bytes']
		assert total['latency_us'] == truth['latency-us']
		assert total['dirty'] == truth['dirty-bytes']
		assert still['flushes'] == still['bytes'] == still['flushes_per_s'] == 0 and still['p50_us'] is None
	END
}

# Another client has the socket; and there is none.
who_does_not_answer() {
	python3 - <<-'END' &
		import socket, time
		s = socket.socket(socket.AF_UNIX)
		s.connect('two.qmp')
		s.recv(1)
		open('taken', 'w').close()
		time.sleep(60)
	END
	holder=$!
	until [ -e taken ]; do sleep 0.1; done
	stat -t -s two.qmp -s none.qmp -s one.qmp >asked 2>complaints
	status=$?
	kill $holder
	cat asked complaints
	[ $status -eq 0 ] && grep '^first ' asked && ! grep '^two' asked &&
		grep 'two.qmp: no answer; QMP serves one client at a time' complaints &&
		grep 'none.qmp: No such file' complaints
}

exit_codes() {
	stat -s one.qmp nobody
	[ $? -eq 1 ] || return 1
	stat --count 0 -s one.qmp
	[ $? -eq 2 ]
}

# Reports go on while a machine is there, and end with it.
ends_with_them() {
	stat -j -i 0.2 -s one.qmp >last &
	watcher=$!
	tries=0
	until [ -s last ]; do
		tries=$((tries + 1))
		[ $tries -lt 600 ] || { tail one.out && return 1; }
		sleep 0.1
	done
	# shellcheck disable=SC2086
	kill -9 $vms
	vms=
	wait $watcher
}

try "make install PREFIX= installs" install
[ $failed -eq 0 ] || { echo "1..$count" && exit 1; }
try "every part says the version of the file VERSION" versions
try "qemu-vmemstore answers -version, -help and -device help as QEMU does, with the device" help_and_version
try "and QMP, without a machine" capabilities
try "and says what is missing" missing_object
try "the examples build outside the tree, by pkg-config" examples
try "and run, as a process and as a unikernel, on one store" boots
try "dump.vmemfs --udev says what blkid would" udev_properties
try "but nothing of what is no vmemfs" udev_damaged
try "bash completes the options" completes
try "two machines run" machines_run
try "vmemstat finds the sockets of both" finds_both
try "it counts what the device counts, and no interval twice" counts_truly
try "a machine that is stopped stands still, and its counters are the device's" stopped_is_still
try "who does not answer is named, and the others are shown" who_does_not_answer
try "its exit status says that there is none, or wrong usage" exit_codes
try "reports end with the last machine" ends_with_them
try "make uninstall runs" make -s -C "$top" uninstall PREFIX="$prefix"
find "$prefix" ! -type d >left
try "and leaves no file" test ! -s left
find "$prefix" -name '*vmem*' >left
try "nor a folder of its own" test ! -s left
echo "1..$count"
exit $failed
