#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
"""seeds.py FOLDER - write the inputs that the fuzzer of the device starts from

Sessions of a good driver, and the malformed ones that the qtests know, in the
encoding that vmemstore_fuzz.c reads.
"""
import os
import struct
import sys

SIZE = 8 << 20
DEVICES = 12
(DEFAULT, IN_VCPU, THIN, THIN_TMPFS, READONLY, COW, PMEM, HUGE, POWERCUT, PART,
 FAILING, DAX) = range(DEVICES)

(CHECK, BURST, REQUEST, STORE, WAIT, IDLE, INIT, IN_USE, DESCRIPTOR, OFFER, RINGS,
 AVAIL, DOORBELL, REGISTER, RESET, STATUS, FEATURES, QUEUE, MSIX, PCI, MOVE, WINDOW,
 WRITE, UNPLUG, GROW, LOOK, PAUSE, LOSE, QUEUE_RESET) = range(29)

FLUSH, COMMIT, PROVISION, DISCARD, SMALL_PAGES, PMEM_FLUSH, PREFETCH, OTHER = range(8)


def number(n, size=SIZE):
    n &= (1 << 64) - 1
    if n < 256:
        return bytes([0, n])
    if n % 4096 == 0 and n // 4096 < 256:
        return bytes([1, n // 4096])
    if n < 1 << 16:
        return b"\x02" + struct.pack("<H", n)
    if 0 <= size - n < 256:
        return bytes([3, size - n])
    if (1 << 64) - n < 256:
        return bytes([5, (1 << 64) - n])
    if n < 1 << 32:
        return b"\x06" + struct.pack("<I", n)
    return b"\x07" + struct.pack("<Q", n)


# Addresses, as input_address() takes them.
def in_store(n):
    return b"\x00" + number(n)


def in_rings(n):
    return b"\x04" + struct.pack("<H", n)


def in_buffer(index, at=0):
    return bytes([10, index, at])


QUEUE_RESET_REGISTER = b"\x01" + struct.pack("<H", 58)
NOTIFY = b"\x02"
MSIX_TABLE = b"\x03\x00"
END_OF_RAM = b"\x05\x04"
EVERYWHERE = b"\x07" + b"\xff" * 8         # as a BAR: not mapped
NOWHERE = b"\x07" + struct.pack("<Q", 0xfffffffffffff000)


def request(kind, ranges=(), first=1, flags=0, mark=0, value=0, count=None, length=None,
            repeat=None, other=0):
    shape = len(ranges)
    shape |= 8 if repeat is not None else 0
    shape |= 16 if count is not None else 0
    shape |= 32 if length is not None else 0
    out = bytes([kind])
    out += struct.pack("<I", other) if kind == OTHER else b""
    out += bytes([shape])
    out += bytes([repeat]) if repeat is not None else b""
    out += number(count) if count is not None else b""
    if kind == COMMIT:
        out += bytes([first, flags]) + number(mark) + number(value)
    for offset, size in ranges:
        out += number(offset) + number(size)
    return out + (bytes(length) if length is not None else b"")


def op(code, *parts):
    return bytes([code]) + b"".join(p if isinstance(p, bytes) else bytes([p]) for p in parts)


GOOD = [
    request(FLUSH, [(4096, 4096)]),
    request(FLUSH, [(20480, 1), (8192, 100), (0, SIZE)]),
    request(FLUSH),
    request(FLUSH, [(0, 1)], repeat=63),
    request(COMMIT, [(4096, 8192), (65536, 4096)], flags=1, mark=65544, value=77),
    request(COMMIT, [(0, 4096), (4096, 1), (4096, 4096)], first=2),
    request(PROVISION, [(0, 2 << 20)]),
    request(DISCARD, [(100, 20000), (SIZE - 4096, 4096)]),
    request(SMALL_PAGES, [(0, 4096), (2 << 20, 1)]),
    request(PREFETCH, [(0, 4096), (100, SIZE - 100)]),
    request(PMEM_FLUSH),
]

BAD = [
    request(FLUSH, [(SIZE, 1)]),
    request(FLUSH, [(0, 4096), (SIZE - 4096, 4097)]),
    request(FLUSH, [(-4095, 8192)]),
    request(FLUSH, [(4096, 0)]),
    request(FLUSH, [(0, 1)], repeat=64),
    request(COMMIT, [(0, 1), (0, 1)], repeat=63),
    request(PROVISION, [(0, 1)], repeat=64),
    request(DISCARD, [(0, 1)], repeat=64),
    request(SMALL_PAGES, [(0, 1)], repeat=64),
    request(FLUSH, [(0, 1)], count=2),
    request(FLUSH, length=(0, 7)),
    request(COMMIT, [(0, 1), (0, 1)], flags=1, mark=4),
    request(COMMIT, [(0, 1), (0, 1)], flags=1, mark=SIZE),
    request(COMMIT, [(0, 1), (0, 1)], flags=2),
    request(COMMIT, [(0, 1), (0, 1)], first=0),
    request(COMMIT, [(0, 1)], first=1),
    request(COMMIT, [(0, 1), (0, 1)], length=(3, 0)),
    request(PROVISION),
    request(DISCARD, [(SIZE, 4096)]),
    request(SMALL_PAGES, [(0, SIZE), (1, SIZE)]),
    request(OTHER, [(0, 1)], other=0x7fffffff),
]

# Requests laid out by hand; the first byte is the shape of op_request().
LAID_OUT = [
    op(REQUEST, 32 | 16, 0, GOOD[0]),                                   # indirect
    op(REQUEST, 32 | 8, 0, 0, GOOD[0]),                                 # bytes
    op(REQUEST, 32 | 16 | 8, 0, 3, GOOD[4]),                            # both
    op(REQUEST, 32 | 1 | 2, 0, in_store(0), in_store(4096), GOOD[0]),   # in the store
    op(REQUEST, 32 | 2, 0, NOTIFY, GOOD[0]),                            # rings the doorbell
    op(REQUEST, 32 | 2, 0, MSIX_TABLE, GOOD[0]),
    op(REQUEST, 32 | 1, 0, END_OF_RAM, GOOD[0]),
    op(REQUEST, 32 | 2, 0, NOWHERE, GOOD[0]),
    op(REQUEST, 32 | 2, 0, in_rings(0x2002), GOOD[0]),                  # over the used ring
    op(REQUEST, 32 | 4, 0, number(3), GOOD[0]),                         # no room
    op(REQUEST, 32 | 4, 0, number(0), GOOD[0]),
    op(REQUEST, 32 | 64, 5, GOOD[0]),                                   # loop
    op(DESCRIPTOR, 0, in_buffer(0), number(17), 4, 0) + op(OFFER, 0, 0) + op(DOORBELL, 0),
    op(DESCRIPTOR, 0, in_buffer(0), number(8), 1, 0) + op(OFFER, 0, 0) + op(DOORBELL, 0),
    op(DESCRIPTOR, 0, in_buffer(0), number(8), 1, 128) + op(OFFER, 0, 0) + op(DOORBELL, 0),
    op(OFFER, 128, 0) + op(DOORBELL, 0),
    op(AVAIL, 200, 0) + op(DOORBELL, 0),
]


def burst(kind, nr, body):
    return op(BURST, kind, nr, body)


LATER = {
    "burst": burst(1, 63, GOOD[0]) + burst(3, 63, GOOD[0]) + burst(3, 30, GOOD[4]),
    "reset": burst(2, 63, GOOD[4]) + op(RESET) + burst(0, 20, GOOD[2]) + op(INIT) + op(CHECK, GOOD[0]),
    "queue-reset": op(QUEUE_RESET, 2, 63, GOOD[4]) + op(QUEUE_RESET, 0, 20, GOOD[2]) +
                   op(QUEUE_RESET, 0, 9, GOOD[8]) + burst(2, 63, GOOD[4]) + op(QUEUE_RESET, 1) + op(DOORBELL, 0) +
                   op(QUEUE, 63, number(16), number(1), in_rings(0), in_rings(4096), in_rings(8192)) +
                   op(REQUEST, 32, 0, GOOD[0]) + op(QUEUE_RESET, 3) + op(WAIT),
    # An answer of 1 (IOERR) to the register is a queue reset by the device itself.
    "reset-itself": b"".join(op(CHECK, GOOD[0]) for _ in range(3)) + op(REQUEST, 0, 0, GOOD[0]) +
                    op(REQUEST, 2, 10, QUEUE_RESET_REGISTER, GOOD[0]) +
                    op(REQUEST, 2, 20, QUEUE_RESET_REGISTER, BAD[0]) + op(REQUEST, 32, 30, GOOD[0]) + op(WAIT) +
                    op(CHECK, GOOD[0]),
    "unplug": burst(2, 63, GOOD[4]) + op(UNPLUG, 0) + burst(2, 40, GOOD[0]) + op(UNPLUG, 1),
    "alone": op(MOVE, 0, EVERYWHERE) + op(MOVE, 2, EVERYWHERE) + op(UNPLUG, 0),
    "held": op(IN_USE, 1) + op(UNPLUG, 1) + burst(2, 9, GOOD[4]) + op(UNPLUG, 0) + op(IN_USE, 1),
    "grow": op(GROW, 1) + burst(0, 9, GOOD[2]) + op(GROW, 2) + op(WAIT) + op(GROW, 0) +
            op(GROW, 128, number(-1)) + op(CHECK, GOOD[2]),
    "pause": burst(2, 40, GOOD[4]) + op(PAUSE) + op(REQUEST, 0, 0, GOOD[0]) + op(PAUSE) + op(WAIT),
    "lose": op(CHECK, GOOD[0]) + op(LOSE, number(4096)) + op(IDLE) + op(CHECK, GOOD[0]),
    "look": b"".join(op(LOOK, i) for i in range(4)),
    "window": op(REQUEST, 0, 0, GOOD[0]) + op(WINDOW, 4 | 1, 0) + op(WAIT) + op(WINDOW, 16, number(0)) +
              op(WINDOW, 8, number(0), 2, 55),
    "registers": op(REGISTER, 16, 20, number(0)) + op(REGISTER, 24, 4) + op(REGISTER, 2 | 16, 32, number(-1)) +
                 op(STATUS, 15) + op(FEATURES, b"\xff" * 8) + op(FEATURES, b"\0" * 8) +
                 op(QUEUE, 127, number(128), number(1), in_rings(0), in_rings(4096), in_rings(8192)) +
                 op(REQUEST, 32, 0, GOOD[0]) + op(WAIT) +
                 op(QUEUE, 127, number(16), number(0), in_store(0), in_store(4096), NOTIFY) + op(DOORBELL, 0),
    "interrupts": op(MSIX, 1, NOTIFY, 0, 0) + op(CHECK, GOOD[0]) + op(MSIX, 1, in_store(0), 1, 1) +
                  op(CHECK, GOOD[0]) + op(WRITE, MSIX_TABLE, 3, number(-1)),
    "pci": op(PCI, 1, 4, number(0)) + op(MOVE, 1, in_buffer(0)) + op(PCI, 1, 4, number(6)) +
           op(STORE, number(0), 9, b"abcdefghi") + op(CHECK, GOOD[0]) + op(MOVE, 2, NOWHERE),
    "memory": op(STORE, 255, number(4096)) + op(STORE, 16, number(SIZE - 8)) +
              op(WRITE, in_store(SIZE), 3, number(1)) + op(CHECK, GOOD[0]),
}


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    seeds = {}
    for device in range(DEVICES):
        seeds["good-%d" % device] = b"".join(op(CHECK, r) for r in GOOD)
        seeds["bad-%d" % device] = b"".join(op(CHECK, r) for r in BAD)
    for i, text in enumerate(LAID_OUT):
        for device in (DEFAULT, IN_VCPU, THIN_TMPFS, PMEM):
            seeds["queue-%d-%d" % (i, device)] = text + op(WAIT)
    for name, text in LATER.items():
        for device in range(DEVICES):
            seeds["%s-%d" % (name, device)] = text
    for name, text in seeds.items():
        with open(os.path.join(folder, name), "wb") as file:
            file.write(bytes([int(name.rsplit("-", 1)[1])]) + text)


if __name__ == "__main__":
    main()
