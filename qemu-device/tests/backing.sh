# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# backing.sh - what the store may lie on, and when its generation changes;
# sourced by run.sh, which has the functions used here
# shellcheck shell=sh

# --- a part of a file ---

truncate -s 10M part.img
accepted "a store may be a part of a file" "file=part.img,offset=2M,size=4M"
accepted "or all that is behind its start" "file=part.img,offset=4M"
accepted "which a page boundary is enough for" "file=part.img,offset=4096,size=4M"
refused "any other start is refused" "file=part.img,offset=1000,size=4M" \
    "offset= must be a multiple of 4096"
refused "a part must fit" "file=part.img,offset=8M,size=4M" "need 12582912: lengthen it"
refused "and begin inside" "file=part.img,offset=10M" "lengthen it"
refused "a rest that is no multiple of 2 MiB needs size=" "file=part.img,offset=1M" "give size="
refused "a part has no huge pages" "file=part.img,offset=2M,size=4M,hugepages=on" "leave offset= out"
refused "a file is not created for a part" "file=none.img,offset=2M,size=2M" "cannot open"
hold file=part.img,offset=2M,size=2M
accepted "two VMs may have different parts of one file" "file=part.img,offset=4M,size=2M"
refused "but not overlapping ones" "file=part.img,offset=2M,size=4M" "(locked) that may write to it"
refused "nor one a part and one the whole" "file=part.img" "(locked) that may write to it"
release

# --- persistent memory (as far as it can be pretended) ---

says "what is mapped with MAP_SYNC is announced as dax" dax "file=part.img,x-dax=on" \
    "qom-get /machine/peripheral/v backing"

refused "of which nothing can leave the cache" "file=part.img,x-dax=on,resident-limit=2M" \
    "resident-limit= is of no use"
for options in readonly=on cow=on; do
    refused "nor of a store with $options" "file=part.img,$options,resident-limit=2M" \
        "resident-limit= is of no use"
done

# --- devices that pin the guest's memory ---

# pins NAME TEXT first|last OPTIONS: beside a device that pins, before or after, QEMU says TEXT
pins() {
    echo quit | PIN=$3 start -plugin "$logs/pin.so" -device "vmemstore,$4" || :
    if grep -qF -e "$2" out; then ok "$1"; else not_ok "$1"; fi
}

pins "a store is refused beside what pins memory" "cannot be used beside a device that pins" first \
    "file=part.img"
pins "and later it can no more be pinned" "pinning is refused" last "file=part.img"
pins "so with persistent memory" "pinning is refused" last "file=part.img,x-dax=on"
pins "a read-only one is not refused" "pinning is possible" last "file=part.img,readonly=on"
pins "nor a private copy" "pinning is possible" last "file=part.img,cow=on"

# --- block devices and huge pages ---

# grows NAME OPTIONS BYTES COMMAND...: after the command a device in use can grow
grows() {
    name=$1 options=$2 bytes=$3
    shift 3
    hold "id=v,$options"
    "$@"
    echo "qom-set /machine/peripheral/v size $bytes" >&9
    tries=0
    until grep -q "^$bytes" hold.out || [ $tries -eq 1000 ]; do
        echo "qom-get /machine/peripheral/v size" >&9
        sleep 0.1
        tries=$((tries + 1))
    done
    release
    cp hold.out out
    if grep -q "^$bytes" out; then ok "$name"; else not_ok "$name"; fi
}

enlarge_loop() {
    truncate -s 68M block.img
    losetup -c "$loop"
}

truncate -s 64M block.img
if [ "$(id -u)" = 0 ] && loop=$(losetup --show -f block.img 2> out); then
    says "a block device has the host's page cache" page-cache "file=$loop" \
        "qom-get /machine/peripheral/v backing"
    accepted "a part of one, too" "file=$loop,offset=2M,size=4M"
    accepted "it may be thin below" "file=$loop,prealloc=off"
    grows "a block device that was enlarged is used as a whole" "file=$loop" 71303168 enlarge_loop
    says "beyond its end it does not grow" "enlarge the block device first" "file=$loop" \
        "qom-set /machine/peripheral/v size 80M"
    mkfs.ext4 -q -F "$loop" && mkdir -p mounted && mount "$loop" mounted
    refused "one that is mounted is refused" "file=$loop" "Device or resource busy"
    umount mounted
    losetup -d "$loop"
else
    loop=
    ok "a block device # SKIP no loop device: $(head -1 out)"
fi

# Whoever else wants huge pages waits: the number is that of the host.
exec 8> "$build/hugepages.lock"
flock 8
pages=/proc/sys/vm/nr_hugepages
if [ "$(id -u)" = 0 ] && had=$(cat $pages) && echo $((had + 8)) 2> out > $pages &&
    [ "$(cat $pages)" -ge 8 ] && mkdir -p huge && mount -t hugetlbfs none huge 2> out; then
    says "a file on hugetlbfs is volatile" volatile "file=huge/f.img,size=8M" \
        "qom-get /machine/peripheral/v backing"
    pins "which can be pinned" "pinning is possible" last "file=huge/f.img"
    accepted "and may be thin" "file=huge/f.img,prealloc=off"
    refused "but has nothing to let go of" "file=huge/f.img,resident-limit=2M" "resident-limit= is of no use"
    grows "and grow" "file=huge/f.img" 12582912 true
    refused "more than there are huge pages is refused" "file=huge/big.img,size=8G" "no room"
    umount huge
    echo "$had" > $pages
else
    [ -z "${had:-}" ] || echo "$had" > $pages
    ok "a file on hugetlbfs # SKIP no huge pages to be had"
fi
exec 8>&-

# --- the generation ---

generation() {
    "$logs/generation-of" "$1"
}

# changed NAME FILE COMMAND...: the command gives FILE another generation
changed() {
    name=$1 file=$2
    shift 2
    before=$(generation "$file")
    if "$@" > out 2>&1 && [ -n "$before" ] && [ "$(generation "$file")" != "$before" ]; then
        ok "$name"
    else
        not_ok "$name"
    fi
}

# kept NAME FILE COMMAND...: it does not
kept() {
    name=$1 file=$2
    shift 2
    before=$(generation "$file")
    if "$@" > out 2>&1 && [ -n "$before" ] && [ "$(generation "$file")" = "$before" ]; then
        ok "$name"
    else
        not_ok "$name"
    fi
}

truncate -s 4M gen.img
cp gen.img saved.img
kept "a file has one generation" gen.img true
kept "which writing to it does not change" gen.img dd if=/dev/urandom of=gen.img bs=4k count=4 \
    conv=notrunc
# killed FILE: a QEMU that has the store, and dies of it
killed() {
    hold "file=$1"
    taken=1
    grep -q 'VM status: paused' hold.out && taken=0
    kill -9 "$holder"
    exec 9>&-
    wait "$holder" 2> /dev/null
    rm -f hold
    return $taken
}

kept "nor a killed QEMU" gen.img killed gen.img
kept "nor restoring it in place, which leaves all of it in the page cache" gen.img \
    cp saved.img gen.img
changed "a file that takes its place has another one" gen.img mv saved.img gen.img
changed "even with the same inode number" gen.img sh -c 'rm gen.img; truncate -s 4M gen.img'
mv gen.img moved.img
[ "$(generation moved.img)" = "$(ln moved.img linked.img; generation linked.img)" ] &&
    ok "a name does not matter" || not_ok "a name does not matter"

# Data was lost: the host forgets, the file must not.
truncate -s 8M lost.img
changed "a failed write-back changes it" lost.img "$logs/access-test" --tap \
    -p "/vmemstore/a failed flush leaves its mark" --lost "$PWD/lost.img"

if [ "$(id -u)" = 0 ] && unshare -m --propagation unchanged true 2> out; then
    cat > booted.sh << 'EOF'
sed 's/^......../00000000/' /proc/sys/kernel/random/boot_id > boot_id
mount --make-rprivate /proc && mount --bind boot_id /proc/sys/kernel/random/boot_id && "$1" "$2" > after
EOF
    before=$(generation moved.img)
    if unshare -m --propagation unchanged sh booted.sh "$logs/generation-of" moved.img > out 2>&1 && [ -s after ] &&
        [ "$(cat after)" != "$before" ]; then
        ok "another boot of the host changes it"
    else
        not_ok "another boot of the host changes it"
    fi
else
    ok "another boot of the host changes it # SKIP no mount namespaces"
fi
if [ -n "$loop" ] && loop=$(losetup --show -f block.img); then
    cp block.img other.img
    # Somebody else may take the name in between, and give it back.
    changed "another disk under the same name has another one" "$loop" sh -c "losetup -d $loop
        tries=0
        until losetup $loop other.img || [ \$tries -eq 900 ]; do
            sleep 1
            tries=\$((tries + 1))
        done"
    losetup -d "$loop"
fi
