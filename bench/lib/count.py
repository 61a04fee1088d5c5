# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
"""Counts that do not jitter: disk flushes, disk KiB and guest instructions per operation.

The images lie on a file system of their own on a loop device, whose statistics
nobody else disturbs.  Two runs of different length are subtracted, so that their
start and end do not count.
"""

import array
import os
import subprocess

from . import jobs, systems
from .systems import BenchError, MIB

SECTOR = 512
IMAGE_MIB = 384
REPEATS = 3


class LoopFolder:
    """A folder on an ext4 of its own on a loop device."""

    def __init__(self, folder, size):
        self.backing = os.path.join(folder, "count.img")
        self.folder = os.path.join(folder, "count")
        self.size = size
        self.device = None

    def __enter__(self):
        os.makedirs(self.folder, exist_ok=True)
        with open(self.backing, "wb") as file:
            file.truncate(self.size)
        systems.run_tool("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0",
                         self.backing)
        done = subprocess.run(["losetup", "--find", "--show", self.backing], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        if done.returncode != 0:
            os.unlink(self.backing)
            raise BenchError(f"no loop device: {done.stderr.strip()}")
        self.device = done.stdout.strip()
        try:
            systems.run_tool("mount", self.device, self.folder)
        except BenchError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", self.folder], stderr=subprocess.DEVNULL, check=False)
        subprocess.run(["losetup", "-d", self.device], check=False)
        os.unlink(self.backing)
        os.rmdir(self.folder)

    def statistics(self):
        """Flushes and bytes written since the device was made."""
        name = os.path.basename(self.device)
        with open(f"/sys/block/{name}/stat", encoding="ascii") as file:
            fields = [int(field) for field in file.read().split()]
        # Documentation/block/stat.rst: [6] sectors written, [15] flush requests
        return {"flushes": fields[15] if len(fields) > 15 else 0,
                "bytes": fields[6] * SECTOR}


def read_blocks(path):
    """The table of tbcount.c: {(address, instructions): executions}."""
    with open(path, "rb") as file:
        used = int.from_bytes(file.read(8), "little")
        lost = int.from_bytes(file.read(8), "little")
        words = array.array("Q", file.read(used * 24))
    if lost:
        raise BenchError("the table of tbcount.so is full: raise TABLE_ENTRIES")
    return dict(zip(zip(words[0::3], words[1::3]), words[2::3]))


def instructions(blocks):
    return sum(key[1] * executions for key, executions in blocks.items())


def snapshot(guest, loop):
    figures = loop.statistics()
    figures["instructions"] = instructions(read_blocks(guest.table))
    return figures


def count_run(guest, loop, job, system, operations):
    """What one run of so many operations costs."""
    path = os.path.join(loop.folder, system.name)
    guest.command("sync")
    systems.settle(path)
    before = snapshot(guest, loop)
    jobs.run_counted(guest, job, system, operations)
    after = snapshot(guest, loop)
    return {key: after[key] - before[key] for key in before}


def least(runs):
    """Per figure the least of several runs: what else happens only adds."""
    return {key: min(run[key] for run in runs) for key in runs[0]}


def count_cell(guest, loop, job, system, short, long):
    """Per operation: host disk flushes, KiB written to it, guest instructions."""
    less = least([count_run(guest, loop, job, system, short) for _ in range(REPEATS)])
    more = least([count_run(guest, loop, job, system, long) for _ in range(REPEATS)])
    each = {key: (more[key] - less[key]) / (long - short) for key in more}
    return {
        "system": system.name, "job": job.name, "domain": system.domain,
        "disk_flushes": round(max(each["flushes"], 0), 2),
        "disk_kib": round(max(each["bytes"] / 1024, 0), 1),
        "guest_instructions": round(each["instructions"]),
    }


def loop_size(chosen):
    images = sum(1 for system in chosen if system.has_image)
    return (images * IMAGE_MIB + 1024) * MIB
