# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
# shellcheck shell=sh
#
# json.sh - tests of --json; sourced by run.sh

# json FILE EXPRESSION...: it is JSON in UTF-8, an object o, of which the expressions are true
json() {
	python3 - "$@" <<-'PY'
	import json, sys
	text = open(sys.argv[1], "rb").read().decode()
	def once(pairs):
	    assert len(dict(pairs)) == len(pairs), "a field is there twice: %s" % [p[0] for p in pairs]
	    return dict(pairs)
	o = json.loads(text, object_pairs_hook=once)
	assert type(o) is dict and text.endswith("}\n")
	for e in sys.argv[2:]:
	    assert eval(e), (e, o if len(text) < 5000 else "")
	PY
}

# What dump shows in text is in its JSON.
json_of_dump() {
	make_tar_tree
	dump -j by-d.img >out
	dump -s by-d.img >text
	json out 'o["file"] == "by-d.img"' 'o["errors"] == []' 'list(o) == ["file", "superblock", "roots", "errors"]' \
		'o["superblock"]["nr_blocks"] == 16384' 'o["superblock"]["csum_ok"] and o["superblock"]["backup_ok"]' \
		"o['superblock']['uuid'].replace('-', '') == '$(awk '$1 == "uuid" { print $2 }' text)'" \
		"o['superblock']['agmeta0'] == $(awk '$1 == "agmeta0" { print $2 }' text)" \
		'[r["newest"] for r in o["roots"] if r["valid"]].count(True) == 1'
	dump -jt by-d.img >out
	json out "len(o['tree']) == $(dump -t by-d.img | wc -l)" 'o["tree"][0]["path"] == "/"' \
		'{e["path"] for e in o["tree"]} >= {"/a/soft", "/new\nline", "/bytes-\xe9\u20ac", "/latin-\ufffd"}' \
		'[e["path_hex"] for e in o["tree"] if "path_hex" in e] == [b"/latin-\xe9".hex()]' \
		'[e["target"] for e in o["tree"] if e["path"] == "/a/soft"] == ["../hello"]' \
		'[(e["major"], e["minor"]) for e in o["tree"] if e["path"] == "/chr"] == [(254, 4098)]' \
		'[x for e in o["tree"] if e["path"] == "/a" for x in e["xattrs"]] == [{"name": "user.large", "size": 3000, "value": b"v".hex() * 3000}]'
	ino=$(inode_of by-d.img /sparse)
	dump -ji "$ino" by-d.img >out
	json out "o['inode']['ino'] == $ino" "len(o['inode']['extents']) == $(dump -i "$ino" by-d.img | grep -c ' blocks at ')"
	dump -ji 1 by-d.img >out
	json out 'len(o["inode"]["entries"]) >= 12' 'o["inode"]["csum_ok"]'
	dump -jb 0 by-d.img >out
	json out 'o["block"]["bytes"].startswith(b"VMEMFS".hex())' 'len(o["block"]["bytes"]) == 8192'
	# The other parser that people use.
	dump -jt by-d.img | python3 -c 'import sys; sys.stdout.write(sys.stdin.read())' >out
	! command -v jq >/dev/null || [ "$(jq '.tree | length' out)" -eq "$(dump -t by-d.img | wc -l)" ]
}

json_of_the_log() {
	mkfs -q -f -s 16M log.img
	unclean log.img host 5 7
	dump -jl log.img >out
	dump -l log.img >text
	json out "len(o['log']['records']) == $(grep -c '^[0-9]' text)" \
		"sum(len(r.get('changes', [])) for r in o['log']['records']) == $(grep -c '^    [a-z]' text) - $(grep -c '^    closes' text)" \
		'o["log"]["closed"] <= o["log"]["end"] and o["log"]["records"][0]["lsn"] == o["log"]["tail"]'
}

# Whatever goes wrong.
json_of_errors() {
	mkfs -q -f -s 8M -L "$(printf 'l\377"\\\303\251')" odd.img
	dump -j odd.img >out
	json out 'o["superblock"]["label"] == "l\ufffd\"\\\xe9"' 'o["superblock"]["label_hex"] == "6cff225cc3a9"'
	status 8 dump -j missing.img >out 2>err
	json out 'o["file"] == "missing.img"' '"cannot open" in o["errors"][0]' 'len(o) == 2'
	status 1 dump -ji 99999999 odd.img >out 2>err
	json out 'len(o["errors"]) == 1' '"inode" not in o'
	status 16 dump -jc 1 odd.img
	status 16 dump -ju odd.img
	odd=$(printf 'name\377"')
	mv odd.img "$odd"
	fsck -j "$odd" >out
	json out 'o["file_hex"] == "6e616d65ff22"' 'o["state"] == "clean"'
	resize -Pj "$odd" >out
	json out "o['minimum'] == $(resize -P "$odd")" 'o["size"] == 8 << 20' 'o["exit_status"] == 0'
	status 1 resize -Pj missing.img >out 2>err
	json out 'o["exit_status"] == 1' '"minimum" not in o' 'len(o["errors"]) == 1'
	status 16 resize -j "$odd"
	[ ! -e /dev/full ] || { status 8 dump -j "$odd" >/dev/full; status 1 resize -Pj "$odd" >/dev/full; }
}

json_of_fsck() {
	mkfs -q -f -s 8M judge.img
	fsck -nj judge.img >out
	json out 'o["exit_status"] == 0 and o["checked"] and o["problems"] == 0' 'o["found"]["directories"] == 1' \
		'o["findings"] == o["repairs"] == o["errors"] == []' 'not o["recovery"]["needed"]'
	fsck -pj judge.img >out
	json out 'o["state"] == "clean" and not o["checked"]' '"not checked" in o["messages"][0]'
	poke judge.img $((($(dump -s judge.img | awk '/agmeta0/ { print $2 }') + 2) * 4096 + 256 + 16)) '\007'
	status 4 fsck -nj judge.img >out
	json out 'o["exit_status"] == 4 and o["state"] == "damaged"' 'o["problems"] == len(o["findings"]) == 2' \
		'"inode 1: wrong checksum" in o["findings"][0]' '"fsck.vmemfs -y repairs" in o["messages"][-1]'
	status 1 fsck -yj judge.img >out
	json out 'o["state"] == "corrected" and len(o["repairs"]) >= 1' 'o["problems"] == 2'
	status 8 fsck -nj missing.img >out 2>err
	json out 'o["state"] == "failed" and not o["checked"] and len(o["errors"]) == 1'
	head -c 4194304 /dev/urandom >noise.img
	status 4 fsck -nj noise.img >out
	json out 'o["state"] == "damaged"'
	rm judge.img
	mkfs -q -s 16M judge.img
	unclean judge.img host 5 7
	fsck -nj judge.img >out
	json out 'o["recovery"]["needed"] and not o["recovery"]["kept"] and o["recovery"]["orphans"] == 1'
	status 32 faulty int:1 -pj judge.img >out 2>err
	json out 'o == {"exit_status": 32, "state": "cancelled"}'
	status 1 fsck -pj judge.img >out
	json out 'o["recovery"]["kept"]' 'o["exit_status"] == 1'
}

# Noise over the metadata: what comes is JSON all the same.
json_of_noise() {
	make_tar_tree
	start=$(dump -s by-d.img | awk '/agmeta0/ { print $2 }')
	leaf=$(dump -i 1 by-d.img | sed -n 's/.*root block //p')
	for seed in 1 2 3 4; do
		cp by-d.img noisy.img
		for i in $(seq 1 40); do
			poke noisy.img $(((start + 2) * 4096 + (seed * 7919 + i * 104729) % 5000)) "\\$((seed % 8))\\$((i % 8))\\377"
		done
		poke noisy.img $((leaf * 4096 + seed * 100)) '\\1\\377\\376'
		for what in '-st' '-i 1' '-i 5' '-l'; do
			# shellcheck disable=SC2086
			dump -j $what noisy.img >out 2>err || [ $? -lt 9 ]
			json out
		done
		fsck -nj noisy.img >out 2>err || [ $? -eq 4 ]
		json out 'o["problems"] > 0'
	done
}
