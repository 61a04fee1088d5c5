#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
"""Make damaged vmemfs images for the tests.

usage: damage.py KIND IMAGE             change IMAGE in place
       damage.py worst BASE TRACE IMAGE BASE becomes the worst that a host
                                        failure may leave of IMAGE: only the
                                        ranges in TRACE have reached the disk

KIND is the name of a function below.  Checksums are mended, unless the damage
is that they are wrong.  Offsets are those of guestfs/core/medium/format.h.
"""
import struct
import sys

BLOCK = 4096
INODE = 256
ROOT_INO = 1
FMT_EXTENTS, FMT_DIR = 2, 3


def crc32c(data):
    """As the format has it: not inverted at the end."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc


class Image:
    def __init__(self, path):
        self.path = path
        with open(path, "rb") as file:
            self.bytes = bytearray(file.read())
        (self.desc_start, self.log_start, self.log_blocks,
         self.agmeta0) = struct.unpack_from("<QQQQ", self.bytes, 136)

    def save(self):
        with open(self.path, "r+b") as file:
            file.write(self.bytes)

    def put(self, offset, form, *values):
        struct.pack_into("<" + form, self.bytes, offset, *values)

    def get(self, offset, form):
        return struct.unpack_from("<" + form, self.bytes, offset)[0]

    def flip(self, offset):
        self.bytes[offset] ^= 0xFF

    def seal_super(self):
        self.put(8, "I", 0)
        self.put(8, "I", crc32c(self.bytes[:512]))

    def inode(self, ino):
        return (self.agmeta0 + 2) * BLOCK + ino * INODE

    def seal_inode(self, ino):
        at = self.inode(ino)
        copy = self.bytes[at:at + INODE]
        copy[0:4] = bytes(4)
        copy[40:64] = bytes(24)
        self.put(at, "I", crc32c(struct.pack("<Q", ino) + copy))

    def first(self, wanted, from_ino=ROOT_INO + 1):
        """The first inode of that format that is in use."""
        for ino in range(from_ino, 1000):
            at = self.inode(ino)
            if self.get(at + 4, "H") and self.get(at + 6, "H") == wanted:
                return ino
        raise SystemExit("damage: no such inode")


# ---- Nothing that vmemfs could know ----

def zeros(image):
    image.bytes[:] = bytes(len(image.bytes))


def noise(image):
    """The same pseudo-random bytes each time."""
    state = 1
    for at in range(0, 1 << 20, 8):
        state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        image.put(at, "Q", state)


# ---- Superblock and roots ----

def version(image):
    image.put(12, "H", 9)
    image.seal_super()


def incompat(image):
    image.put(32, "Q", 1 << 40)
    image.seal_super()


def ro_compat(image):
    image.put(24, "Q", 1 << 40)
    image.seal_super()


def superblock(image):
    image.flip(70)


def geometry(image):
    image.put(176, "I", 12345)
    image.seal_super()


def roots(image):
    for block in (1, 2):
        image.flip(block * BLOCK + 20)


def newest_root(image):
    image.flip(max((1, 2), key=lambda b: image.get(b * BLOCK + 16, "Q")) * BLOCK + 20)


# ---- Behind a good superblock ----

def root_inode(image):
    image.flip(image.inode(ROOT_INO) + 24)


def root_is_file(image):
    image.put(image.inode(ROOT_INO) + 4, "HH", 0o100644, FMT_EXTENTS)
    image.seal_inode(ROOT_INO)


def descriptor(image):
    image.put(image.desc_start * BLOCK, "II", 0xFFFFFFF0, 0xFFFFFFF0)


def bitmaps(image):
    start = image.agmeta0 * BLOCK
    image.bytes[start:start + 2 * BLOCK] = b"\x5a" * (2 * BLOCK)


def file_inode(image):
    image.flip(image.inode(image.first(FMT_EXTENTS)) + 100)


def extent(image):
    ino = image.first(FMT_EXTENTS)
    image.put(image.inode(ino) + 112 + 8, "Q", 1 << 45)
    image.seal_inode(ino)


def extent_in_log(image):
    ino = image.first(FMT_EXTENTS)
    image.put(image.inode(ino) + 112 + 8, "Q", image.log_start)
    image.seal_inode(ino)


def directory(image):
    at = image.inode(image.first(FMT_DIR)) + 112
    leaf = image.get(at, "Q") * BLOCK
    image.put(leaf + 32 + 12, "H", 0xFFFF)


def directory_loop(image):
    ino = image.first(FMT_DIR)
    at = image.inode(ino) + 112
    image.put(at, "QI", image.get(image.inode(ROOT_INO) + 112, "Q"), 3)
    image.seal_inode(ino)


def log(image):
    start = image.log_start * BLOCK
    for at in range(start + 64, start + image.log_blocks * BLOCK, 64):
        image.flip(at)


def worst(base, trace, final):
    with open(trace, encoding="utf-8") as lines:
        for line in lines:
            for word in line.split()[2:]:
                if word == "|":  # between the parts of a commit
                    continue
                offset, length = map(int, word.split("+"))
                base.bytes[offset:offset + length] = final.bytes[offset:offset + length]


def main():
    kind, target = sys.argv[1], Image(sys.argv[2])
    if kind == "worst":
        worst(target, sys.argv[3], Image(sys.argv[4]))
    else:
        globals()[kind](target)
    target.save()


if __name__ == "__main__":
    main()
