#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
"""Compare what the device was asked to flush with what had to be flushed.

usage: ranges.py GUEST-OUTPUT TRACE IMAGE DUMP

GUEST-OUTPUT is what ranges.c printed; TRACE the device's x-trace-file, with
the marks of watch.c between; IMAGE the store after the run; DUMP the program
dump.vmemfs, which tells where the blocks of each file and the log lie.
Prints TAP.
"""
import collections
import re
import subprocess
import sys

BLOCK = 4096
LOG = "log"                     # some blocks of the log, few of them
LOG_MAX = 2                     # a small record and its commit record: blocks
DIR = "t/"

# Case: what it shows, and the parts of requests: each a set of blocks of files,
# as (name, first block, blocks), and LOG where the log must be flushed with it.
# A part of the log alone behind another is the second part of a commit.
CASES = {
    "overwrite-fdatasync": ("overwriting 4 KiB and fdatasync flush that block by one request",
                            [[("over", 2, 1)]]),
    "overwrite-fsync": ("with fsync the new times ride along: that block and the log, one request",
                        [[("over", 5, 1), LOG]]),
    "overwrite-bytes": ("ten bytes across two blocks flush these two",
                        [[("over", 7, 2)]]),
    "overwrite-scattered": ("eight scattered blocks are one request of exactly these",
                            [[("over", 7 * i, 1) for i in range(8)]]),
    "overwrite-dsync-flag": ("RWF_DSYNC flushes the block written", [[("over", 3, 1)]]),
    "overwrite-twice": ("a second fdatasync flushes nothing", [[("over", 4, 1)]]),
    "overwrite-o-dsync": ("O_DSYNC flushes the blocks written", [[("over", 9, 2)]]),
    "append-small": ("a small append and fsync flush the log alone, by one request", [[LOG]]),
    "append-large": ("a large append and fsync flush the new blocks, then the log, by one request",
                     [[("large", 0, 256)], [LOG]]),
    "append-unaligned": ("so they do when the append begins within a block",
                         [[("unaligned", 0, 257)], [LOG]]),
    "write-hole": ("writing into a hole flushes the new blocks, then the log",
                   [[("sparse", 100, 3)], [LOG]]),
    "create": ("create and fsync of the directory flush the log alone", [[LOG]]),
    "mkdir": ("so does mkdir", [[LOG]]),
    "rename": ("so does rename", [[LOG]]),
    "link": ("so does link", [[LOG]]),
    "symlink": ("so does symlink", [[LOG]]),
    "unlink": ("so does unlink", [[LOG]]),
    "rmdir": ("so does rmdir", [[LOG]]),
    "chmod": ("so does chmod with fsync of the file", [[LOG]]),
    "grow": ("so does growing a file by truncate", [[LOG]]),
    "fsync-unchanged": ("fsync of what did not change makes no request", []),
    "sync-unchanged": ("sync of what did not change makes no request", []),
    "sync-after-read": ("the time of a read is synced once only", []),
    "fsync-other-file": ("fdatasync of a clean file does not flush another file's change", []),
    "mmap-msync": ("a store to a mapping and msync flush that page", [[("mapped", 5, 1)]]),
    "mmap-fsync": ("with fsync the times ride along: that page and the log, one request",
                   [[("mapped", 6, 1), LOG]]),
    "mmap-fdatasync": ("two stores to a mapping and fdatasync flush these pages",
                       [[("mapped", 9, 1), ("mapped", 20, 1)]]),
    "mmap-again": ("a second store to a page that was flushed is flushed again",
                   [[("mapped", 9, 1)]]),
    "mmap-unchanged": ("msync of unchanged pages flushes no page", []),
    "mmap-and-write": ("a mapped store and a write are flushed together",
                       [[("mapped", 30, 1), ("mapped", 40, 1)]]),
    "mmap-hole": ("a store to a mapped hole flushes the new block, then the log",
                  [[("maphole", 7, 1)], [LOG]]),
    "syncfs": ("syncfs flushes the changed blocks of all files, then the log",
               [[("many-a", 3, 1), ("many-b", 6, 2), ("many-b", 16, 16)], [LOG]]),
}
THREADS = {"threads2": (2, 100), "threads8": (8, 100)}
OWN_THREADS, OWN_ROUNDS, OWN_SPAN = 4, 200, 64

tests = 0
failures = 0


def result(ok, sentence, details=()):
    global tests, failures
    tests += 1
    print(f"{'ok' if ok else 'not ok'} {tests} - {sentence}")
    if not ok:
        failures += 1
        for line in list(details)[:12]:
            print(f"# {line}")


class Image:
    """Where things lie, by dump.vmemfs."""

    def __init__(self, path, dump):
        self.command = [dump]
        self.path = path
        shown = self.dump("-s")
        self.blocks = int(re.search(r"nr_blocks +(\d+)", shown)[1])
        first = int(re.search(r"log_start +(\d+)", shown)[1])
        self.log = range(first, first + int(re.search(r"log_blocks +(\d+)", shown)[1]))
        self.inodes = {}
        for line in self.dump("-t").splitlines():
            words = line.split()
            if len(words) >= 7:
                self.inodes[words[6].lstrip("/")] = words[0]
        self.maps = {}

    def dump(self, *arguments):
        return subprocess.run([*self.command, *arguments, self.path], check=True,
                              stdout=subprocess.PIPE, text=True).stdout

    def block_map(self, name):
        """Block of the store for each block of the file."""
        if name not in self.maps:
            blocks = {}
            shown = self.dump("-i", self.inodes[DIR + name])
            for at, count, where in re.findall(r"^ +(\d+) +(\d+) blocks at (\d+)", shown, re.M):
                blocks.update((int(at) + i, int(where) + i) for i in range(int(count)))
            self.maps[name] = blocks
        return self.maps[name]

    def blocks_of(self, name, first, count):
        blocks = self.block_map(name)
        return {blocks[first + i] for i in range(count)}


def parts_of(line):
    """A flush has one part, a commit two: each as a line of its own."""
    kind, status, *ranges = line.split()
    parts = " ".join(ranges).split(" | ")
    assert len(parts) == {"flush": 1, "commit": 2}[kind]
    return [f"flush {status} {part}" for part in parts]


def request_blocks(line):
    """Blocks that a line of the trace names; None for the whole store."""
    blocks = set()
    for word in line.replace(" |", "").split()[2:]:
        if word == "all":
            return None
        offset, length = map(int, word.split("+"))
        blocks.update(range(offset // BLOCK, (offset + length - 1) // BLOCK + 1))
    return blocks


def read_trace(path):
    """Lists of requests: per case; per round of a thread; all up to the last mark."""
    cases, rounds, everything, mounted = [], [], [], []
    opened = collections.defaultdict(list)
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            words = line.split()
            if words[0] in ("flush", "commit"):
                everything.append(line)
                for requests in opened.values():
                    requests.append(line)
            elif words[1] == "begin":
                opened[words[2]] = []
            else:
                requests = opened.pop(words[2])
                mounted = everything[:]
                (cases if words[2] == "0" else rounds).append((words[2], requests))
    return [requests for _, requests in cases], rounds, mounted


def same_request(image, line, expected):
    """None if the request is what is expected, else how it differs."""
    blocks = request_blocks(line)
    if not line.startswith("flush ok ") or blocks is None:
        return f"got {line.strip()}"
    logged = {b for b in blocks if b in image.log}
    data = blocks - logged
    wanted = set().union(*(image.blocks_of(*e) for e in expected if e != LOG))
    if data != wanted:
        return f"data blocks {sorted(data)[:9]}, expected {sorted(wanted)[:9]} ({line.strip()[:90]})"
    if bool(logged) != (LOG in expected):
        return f"{len(logged)} blocks of the log, expected {'some' if LOG in expected else 'none'}"
    if len(logged) > LOG_MAX:
        return f"{len(logged)} blocks of the log, expected at most {LOG_MAX}"
    return None


def check_case(image, name, requests):
    sentence, expected = CASES[name]
    parts = [part for line in requests for part in parts_of(line)]
    details = [f"part {i}: {why}" for i, (line, e) in enumerate(zip(parts, expected))
               if (why := same_request(image, line, e))]
    if len(parts) != len(expected) or len(requests) != min(len(expected), 1):
        details.append(f"{len(requests)} requests of {len(parts)} parts, expected one of "
                       f"{len(expected)}")
        details += [line.strip() for line in requests]
    result(not details, sentence, details)


def check_threads(image, name, requests):
    threads, calls = THREADS[name]
    total = threads * calls
    stray = [line.strip() for line in requests
             if not (request_blocks(line) or {0}).issubset(image.log)]
    enough = len(requests) < total if threads > 2 else len(requests) <= total
    result(enough and len(requests) >= calls and not stray,
           f"{threads} threads share group commits: {total} appends with fsync made "
           f"{len(requests)} requests, of the log alone",
           stray or ["as many requests as calls, or too few"])


def check_own(image, rounds):
    """Each fsync of a block in place and a record: its own block was flushed in time."""
    counts = collections.Counter()
    missed = []
    for thread, requests in rounds:
        at = counts[thread]
        counts[thread] += 1
        own = image.blocks_of(f"own-{thread}", at % OWN_SPAN, 1)
        flushed = set().union(*(request_blocks(line) or set() for line in requests))
        if not own <= flushed:
            missed.append(f"thread {thread}, round {at}: block {sorted(own)} not among "
                          f"{len(requests)} requests")
    ran = sum(counts.values())
    result(ran == OWN_THREADS * OWN_ROUNDS and not missed,
           "an fsync that joins another thread's commit still flushes its own block "
           f"({ran} fsyncs)", [f"{len(missed)} of {ran} returned too early"] + missed)


def check_whole(image, everything, output):
    """Between mount and unmount."""
    whole = []
    for line in everything:
        blocks = request_blocks(line)
        if not re.match("(flush|commit) ok ", line):
            whole.append(line.strip())
        elif not blocks or len(blocks) > image.blocks // 16:
            whole.append(line.strip()[:90])
    result(everything and not whole,
           f"none of {len(everything)} requests is for the whole store, or for much of it", whole)
    shown = dict(line.split() for line in output if line.startswith("driver-"))
    result(shown.get("driver-whole") == "0", "the driver has counted no whole-store flush",
           [str(shown)])


def main():
    with open(sys.argv[1], encoding="utf-8", errors="replace") as lines:
        output = [line.strip() for line in lines]
    names = [line.split()[1] for line in output if line.startswith("case ")]
    cases, rounds, everything = read_trace(sys.argv[2])
    image = Image(sys.argv[3], sys.argv[4])
    expected = [*CASES, *THREADS, "own"]
    result(names == expected and len(cases) == len(names), "the guest ran every case",
           [f"{len(cases)} pairs of marks, {len(names)} cases of {len(expected)}"])
    for name, requests in zip(names, cases):
        if name in CASES:
            check_case(image, name, requests)
        elif name in THREADS:
            check_threads(image, name, requests)
    check_own(image, rounds)
    check_whole(image, everything, output)
    print(f"1..{tests}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
