# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
"""The fio jobs, and how one is run in the guest."""

import json
from dataclasses import dataclass

from .systems import BenchError

DATA_MIB = 64
# Room for appending; a job that reaches it would start to overwrite.
APPEND_MIB = 160


@dataclass(frozen=True)
class Job:
    """A column of the table."""

    name: str
    title: str
    fio: str
    unit: str = "IOPS"
    direction: str = "write"
    # One of the two jobs in which vmemfs has to be ahead.
    decisive: bool = False
    # oploop.c can do it: counted and profiled.
    countable: bool = False
    # The job works on a file that exists, not on a fresh one.
    laid_out: bool = True
    # It works on a directory of this many names for each operation; counted only.
    names_before: int = None


JOBS = [
    Job("write4k-fsync", "4k random write + fsync",
        "--ioengine=psync --rw=randwrite --bs=4k --fsync=1 --overwrite=1",
        decisive=True, countable=True),
    Job("append512-fsync", "512 B append + fsync",
        "--ioengine=psync --rw=write --bs=512 --fsync=1 --create_on_open=1",
        decisive=True, countable=True, laid_out=False),
    Job("write4k-osync", "4k random write, O_SYNC",
        "--ioengine=psync --rw=randwrite --bs=4k --sync=1 --overwrite=1", countable=True),
    Job("mmap4k-msync", "4k random store by mmap + msync of the map",
        "--ioengine=mmap --rw=randwrite --bs=4k --fsync=1 --overwrite=1"),
    Job("read4k-warm", "4k random read, warm",
        "--ioengine=psync --rw=randread --bs=4k --pre_read=1 --invalidate=0", direction="read"),
    Job("write1m", "1 MiB sequential write, one fsync at the end",
        "--ioengine=psync --rw=write --bs=1m --end_fsync=1 --overwrite=1", unit="MiB/s"),
    Job("read1m-warm", "1 MiB sequential read, warm",
        "--ioengine=psync --rw=read --bs=1m --pre_read=1 --invalidate=0",
        unit="MiB/s", direction="read"),
]

# Of oploop.c alone, for bench/profile.
NAME_JOBS = [
    Job(name, f"{name} in one directory", "", countable=True, laid_out=False, names_before=before)
    for name, before in (("create", 0), ("mkdir", 0), ("rename", 1), ("unlink", 1))
]


def by_name(name):
    for job in JOBS + NAME_JOBS:
        if job.name == name:
            return job
    raise BenchError(f"no job '{name}'; there are: {', '.join(j.name for j in JOBS + NAME_JOBS)}")


def fio_command(job, system, length):
    """LENGTH: fio options that say how long the job runs."""
    name, size = ("data", DATA_MIB) if job.laid_out else ("append", APPEND_MIB)
    return (f"fio --name={job.name} --directory={system.mountpoint} --filename={name} "
            f"--size={size}m --numjobs=1 --thread --direct=0 --fallocate=none "
            f"--randseed=20240229 --norandommap --output-format=json {job.fio} {length}")


def lay_out(guest, system):
    """The file that the overwriting and reading jobs work on, written and synced."""
    guest.command(f"dd if=/dev/zero of={system.mountpoint}/data bs=1M count={DATA_MIB} "
                  f"conv=fsync && sync")


def prepare(guest, job, system, operations=0):
    if job.names_before is not None:
        names = f"{system.mountpoint}/names"
        guest.command(f"rm -rf {names} && mkdir {names} && "
                      f"/oploop create {names} {job.names_before * operations} 0 && sync")
    elif not job.laid_out:
        guest.command(f"rm -f {system.mountpoint}/append && sync")


def run_fio(guest, job, system, length):
    output = guest.command(fio_command(job, system, length))
    try:
        result = json.loads(output[output.index("{"):])["jobs"][0]
    except (ValueError, KeyError, IndexError):
        raise BenchError(f"fio gave no result: {output[:500]}") from None
    if result["error"]:
        raise BenchError(f"{job.name} on {system.name}: fio error {result['error']}")
    return result


def run_timed(guest, job, system, seconds, warm_up):
    """One cell of the table: figures of one timed run."""
    prepare(guest, job, system)
    length = (f"--time_based --runtime={seconds * 1000:.0f}ms "
              f"--ramp_time={warm_up * 1000:.0f}ms")
    result = run_fio(guest, job, system, length)
    io = result[job.direction]
    sync = result.get("sync", {}).get("lat_ns", {})
    if not job.laid_out and io["io_bytes"] >= APPEND_MIB << 20:
        raise BenchError(f"{job.name} on {system.name} is too fast for its file: "
                         f"shorten the run or raise APPEND_MIB")
    value = io["iops"] if job.unit == "IOPS" else io["bw_bytes"] / (1 << 20)
    return {
        "value": round(value, 1),
        "fsync_mean_us": round(sync.get("mean", 0) / 1000, 1),
        "fsync_p50_us": round(sync.get("percentile", {}).get("50.000000", 0) / 1000, 1),
        "fsync_p99_us": round(sync.get("percentile", {}).get("99.000000", 0) / 1000, 1),
    }


def oploop_command(job, system, operations):
    name = "data" if job.laid_out else "append" if job.names_before is None else "names"
    path = f"{system.mountpoint}/{name}"
    return f"/oploop {job.name} {path} {operations} {DATA_MIB << 20}"


def run_counted(guest, job, system, operations):
    """A run of so many operations, for counting: oploop, because what fio does
    at its start and end differs from run to run."""
    prepare(guest, job, system, operations)
    guest.command(oploop_command(job, system, operations))
