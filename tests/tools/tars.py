#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
"""tars.py - trees, archives of all dialects, hostile archives, and what images hold

usage: tars.py tree DIR        a tree with all that mkfs.vmemfs keeps
       tars.py hostile DIR     archives that must be refused; their names say why
       tars.py sparse DIR      a file with holes in the four ways to say so
       tars.py odd FILE        an archive that is strange, but fine
       tars.py same TREE TREE  compare what dump.vmemfs -jt printed, but for inode numbers
                               (--no-atime --no-ctime: an archive may lack them)
"""
import json
import os
import struct
import sys

BLOCK = 512
END = b"\0" * 2 * BLOCK


def tree(top):
    os.makedirs(top + "/a/b/c")
    os.makedirs(top + "/bytes-\xe9\u20ac")
    os.chdir(top)
    long = "x" * 200 + "/" + "y" * 200
    os.makedirs(os.path.dirname(long))
    files = {"hello": b"hello\n", "empty": b"", long: b"long", b"latin-\xe9": b"1", "new\nline": b"2",
             "odd-size": os.urandom(3000001)}
    for name, data in files.items():
        with open(name, "wb") as f:
            f.write(data)
    with open("sparse", "wb") as f:
        for at in 0, 40000000, 50003333:
            f.seek(at)
            f.write(b"data" * 1500)
        f.truncate(70000000)
    os.link("hello", "a/hard")
    os.symlink("../hello", "a/soft")
    os.symlink("t" * 300, "long-target")
    os.mkfifo("fifo")
    os.mknod("chr", 0o20640, os.makedev(254, 4098))
    os.mknod("blk", 0o60600, os.makedev(7, 3))
    os.setxattr("hello", "user.bytes", b"a\0=\n\xff")
    os.setxattr("odd-size", "security.capability", struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0))
    os.setxattr("fifo", "trusted.x", b"y")
    os.setxattr("a", "user.large", b"v" * 3000)
    acl("empty", "access", 6, 4, 4)
    acl("a/b", "default", 7, 5, 7)
    os.chown("a/hard", 1000, 1001)
    os.lchown("a/soft", 70000, 4000000000)
    os.chmod("hello", 0o4751)
    os.chmod("a", 0o1777)
    for name, when in (("hello", 981173106789000000), ("a/soft", 1), ("a/b/c", -315619200 * 10**9),
                       ("a/b", 4102444800 * 10**9), ("a", 12345678901234567)):
        os.utime(name, ns=(when, when), follow_symlinks=False)
    # In the future, so that reading them does not change it (relatime).
    for where, _, files in os.walk("."):
        for name in [where] + [os.path.join(where, f) for f in files]:
            os.utime(name, ns=(4102444801 * 10**9, os.lstat(name).st_mtime_ns), follow_symlinks=False)


def acl(name, kind, user, group, mask):
    entries = (1, 6, -1), (2, user, 70000), (2, 4, 0), (8, 1, 65000), (4, group, -1), (16, mask, -1), (32, 0, -1)
    os.setxattr(name, "system.posix_acl_" + kind, acl_bytes(sorted(entries, key=lambda e: (e[0], e[2]))))


def acl_bytes(entries):
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *e) for e in entries)


def header(name, size=0, kind=b"0", link=b"", mode=0o644, numbers=None):
    """A ustar header; `numbers` are fields as they shall lie there."""
    name = name if isinstance(name, bytes) else name.encode()
    fields = {"mode": b"%07o\0" % mode, "uid": b"0000000\0", "gid": b"0000000\0",
              "size": b"%011o\0" % size, "mtime": b"00000000000\0"}
    fields.update(numbers or {})
    h = name.ljust(100, b"\0") + fields["mode"] + fields["uid"] + fields["gid"] + fields["size"] + \
        fields["mtime"] + b" " * 8 + kind + link.ljust(100, b"\0") + b"ustar\00000"
    h = h.ljust(BLOCK, b"\0")
    return h[:148] + b"%06o\0 " % sum(h) + h[156:]


def body(data):
    return data + b"\0" * (-len(data) % BLOCK)


def member(name, data=b"", **more):
    return header(name, len(data), **more) + body(data)


def pax(records, name="x", kind=b"x"):
    data = b""
    for key, value in records:
        line = b" " + key + b"=" + value + b"\n"
        length = len(line)
        while len(str(length).encode() + line) != length:
            length = len(str(length).encode() + line)
        data += str(length).encode() + line
    return member(name, data, kind=kind)


def binary(n):
    return b"\x80" + n.to_bytes(11, "big")


def hostile(top):
    good = member("good", b"contents")
    link = header("link", kind=b"2", link=b"/etc")
    spoilt = bytearray(good)
    spoilt[0] ^= 1
    acl_of = b"SCHILY.xattr.system.posix_acl_access"
    cases = {
        "dot-dot": member("a/../../b", b"x"),
        "dot-dot-link": good + header("b", kind=b"1", link=b"../good"),
        "through-a-link": link + member("link/passwd", b"x"),
        "through-a-file": good + member("good/x", b"x"),
        "link-through-a-link": link + header("b", kind=b"1", link=b"link/passwd"),
        "link-to-nothing": good + header("b", kind=b"1", link=b"missing"),
        "link-to-later": header("b", kind=b"1", link=b"good") + good,
        "link-to-directory": header("d/", kind=b"5") + header("b", kind=b"1", link=b"d"),
        "symlink-to-nothing": header("b", kind=b"2"),
        "checksum": good + bytes(spoilt),
        "no-name": header(""),
        "root-is-a-file": member("./", b"x", kind=b"7"),
        "long-component": pax([(b"path", b"n" * 256)]) + member("short"),
        "over-a-full-directory": header("d/", kind=b"5") + good.replace(b"good", b"d/ok", 1) + member("d"),
        "huge-size": header("huge", numbers={"size": binary(1 << 62)}),
        "larger-than-the-image": header("large", numbers={"size": binary(1 << 30)}) + b"\1" * 20000000,
        "negative-size": header("minus", numbers={"size": b"\xff" * 12}),
        "huge-hole": pax([(b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"), (b"GNU.sparse.name", b"s"),
                          (b"GNU.sparse.realsize", str(1 << 60).encode())]) + member("s", body(b"1\n0\n1\n") + b"x"),
        "data-behind-the-size": pax([(b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"),
                                     (b"GNU.sparse.name", b"s"), (b"GNU.sparse.realsize", b"10")]) +
                                member("s", body(b"1\n100\n1\n") + b"x"),
        "huge-owner": pax([(b"uid", b"4294967296")]) + good,
        "negative-owner": header("minus", numbers={"uid": b"\xff" * 8}),
        "huge-device": pax([(b"SCHILY.devmajor", b"4096")]) + header("dev", kind=b"3"),
        "bad-record": member("x", b"99 path=x\n", kind=b"x") + good,
        "list-that-is-none": pax([(acl_of, b"\2\0\0\0nonsense")]) + good,
        "list-without-owner": pax([(acl_of, acl_bytes([(4, 4, -1), (32, 4, -1)]))]) + good,
        "list-of-a-name": pax([(b"SCHILY.acl.access", b"user::rw-,user:nobody-knows:rw-,group::r--,mask::rw-,other::r--")]) +
                          good,
        "attribute-without-name": pax([(b"SCHILY.xattr.user.", b"x")]) + good,
        "many-attributes": pax([(b"SCHILY.xattr.user.%d" % i, b"x") for i in range(2000)]) + good,
        "large-attribute": pax([(b"SCHILY.xattr.user.x", b"x" * 70000)]) + good,
        "long-symlink": pax([(b"linkpath", b"t" * 5000)]) + header("l", kind=b"2", link=b"t"),
    }
    os.makedirs(top)
    for name, data in cases.items():
        write(top + "/" + name, data + END)
    archive = good + member("second", os.urandom(3000))
    write(top + "/cut-in-data", archive[:-700])
    write(top + "/cut-in-a-header", archive + good[:100])
    write(top + "/cut-between-members", archive)
    write(top + "/empty", b"")
    write(top + "/noise", os.urandom(5000))
    write(top + "/gzip", b"\x1f\x8b\x08" + b"\0" * 5000)


def sparse(top):
    """The same file; it has 3 pieces: [0, 600), [1 MiB, +4096), [3 MiB, +1), and 5000000 bytes."""
    pieces = (0, b"a" * 600), (1 << 20, b"b" * 4096), (3 << 20, b"c")
    size, data = 5000000, b"".join(d for _, d in pieces)
    os.makedirs(top)
    with open(top + "/plain", "wb") as f:
        for at, d in pieces:
            f.seek(at)
            f.write(d)
        f.truncate(size)
    lines = b"3\n" + b"".join(b"%d\n%d\n" % (at, len(d)) for at, d in pieces)
    common = [(b"GNU.sparse.name", b"s"), (b"GNU.sparse.realsize", str(size).encode())]
    write(top + "/pax-1.0.tar", pax([(b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0")] + common) +
          member("GNUSparseFile.0/s", body(lines) + data) + END)
    table = b",".join(b"%d,%d" % (at, len(d)) for at, d in pieces)
    write(top + "/pax-0.1.tar", pax([(b"GNU.sparse.size", str(size).encode()), (b"GNU.sparse.numblocks", b"3"),
                                     (b"GNU.sparse.map", table), (b"GNU.sparse.name", b"s")]) + member("x", data) + END)
    records = [(b"GNU.sparse.size", str(size).encode()), (b"GNU.sparse.numblocks", b"3")]
    for at, d in pieces:
        records += [(b"GNU.sparse.offset", b"%d" % at), (b"GNU.sparse.numbytes", b"%d" % len(d))]
    write(top + "/pax-0.0.tar", pax(records) + member("s", data) + END)
    old = bytearray(header("s", len(data), kind=b"S"))
    old[257:265] = b"ustar  \0"
    for i, (at, d) in enumerate(pieces):
        old[386 + 24 * i:410 + 24 * i] = b"%011o\0%011o\0" % (at, len(d))
    old[483:495] = b"%011o\0" % size
    old[148:156] = b" " * 8
    old[148:156] = b"%06o\0 " % sum(old)
    write(top + "/gnu.tar", bytes(old) + body(data) + END)


def odd(path):
    """No directories, a leading /, ./ and //, the same name thrice, a global header, a record that says uid."""
    data = pax([(b"comment", b"of git")], kind=b"g") + \
        member("/abs/file", b"1") + member(".//abs/./two", b"2") + \
        header("twice/", kind=b"5", mode=0o700) + member("twice", b"first") + member("twice", b"second") + \
        header("abs/", kind=b"5", mode=0o711) + header("link", kind=b"1", link=b"/abs/file") + \
        header("link", kind=b"1", link=b"abs/file") + \
        pax([(b"uid", b"4294967294"), (b"SCHILY.xattr.user.a", b"1"), (b"SCHILY.xattr.strange.a", b"1"),
             (b"SCHILY.acl.access", b"user::rw-,group::r--,other::r--")]) + member("owned", b"x") + \
        header("./", kind=b"5", mode=0o750) + header("sym", kind=b"2", link=b"../../etc/passwd")
    write(path, data + END + b"\0" * 100000)


def write(path, data):
    with open(path, "wb") as f:
        f.write(data)


def load(path):
    with open(path, "rb") as f:
        text = f.read().decode()  # strictly UTF-8
    return json.loads(text)


def same(one, two, *without):
    def facts(path):
        entries = {}
        inodes = {}
        for e in load(path)["tree"]:
            ino = e.pop("ino")
            e["links"] = inodes.setdefault(ino, [])
            e["links"].append(e["path"])
            e["links"].sort()
            for key in ("btime", "blocks") + tuple(w[5:] for w in without):
                e.pop(key, None)
            if e["type"] == "directory":
                e.pop("size")
            entries[e["path"], e.get("path_hex")] = e
        return entries
    a, b = facts(one), facts(two)
    for key in sorted(set(a) | set(b)):
        if a.get(key) != b.get(key):
            sys.exit("%s:\n%s\n%s" % (key, a.get(key), b.get(key)))
    print(len(a), "names are the same")


if __name__ == "__main__":
    {"tree": tree, "hostile": hostile, "sparse": sparse, "odd": odd, "same": same}[sys.argv[1]](*sys.argv[2:])
