#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
"""Judge what the guest executed for each file operation.

usage: ops.py GUEST-OUTPUT QEMU-LOG JSON

GUEST-OUTPUT is what guest-ops.sh printed, QEMU-LOG has the marks of watch.c
and QEMU's memory_region_ops_* events.  Writes JSON with one row per file
system and operation; prints TAP, and the table as comments.
"""
import collections
import json
import re
import sys

# Interrupt controllers, timers: the kernel's own clockwork, whatever runs.
BACKGROUND = re.compile(r"apic|hpet|pit|rtc|acpi-tmr|pic$")
COUNTS = ("insns", "writeback", "port", "hypercall")
# Operations that may leave the guest in durability=host, and must.
SYNCING = {
    "overwrite 4 KiB, fdatasync",
    "append 512 B, fsync",
    "create, fsync of the directory",
    "store to a mapped page, msync",
    "chmod, syncfs",
}
# Operations that go through a file in order, and may ask the host to read ahead: seldom.
READING_ON = {
    "read 4 KiB",
    "first store to a mapped hole",
}
SELDOM = 100
tests = 0
failures = 0


def result(ok, sentence, details=()):
    global tests, failures
    tests += 1
    print(f"{'ok' if ok else 'not ok'} {tests} - {sentence}")
    if not ok:
        failures += 1
        for line in details:
            print(f"# {line}")


def read_regions(path):
    """(file system, durability, operation, N) in the order they ran."""
    regions = []
    run = None
    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            words = line.split()
            if words[:1] == ["run"]:
                run = tuple(words[1:3])
            elif words[:1] == ["region"]:
                regions.append((*run, " ".join(words[1:-1]), int(words[-1])))
    return regions


def read_marks(path):
    """For each pair of marks: the differences of the counts, MMIO by device."""
    pairs = []
    start = None
    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if line.startswith("mark "):
                counts = dict(word.split("=") for word in line.split()[3:])
                counts = {name: int(counts[name]) for name in COUNTS}
                if " begin " in line:
                    start = counts
                    devices = collections.Counter()
                else:
                    pairs.append(({n: counts[n] - start[n] for n in COUNTS}, devices))
                    start = None
            elif start and line.startswith("memory_region_ops_"):
                devices[line.rsplit("'", 2)[1]] += 1
    return pairs


def make_rows(regions, pairs):
    rows = []
    for (system, durability, operation, n), (counts, devices) in zip(regions, pairs):
        rows.append({
            "file_system": system,
            "durability": durability,
            "operation": operation,
            "count": n,
            "instructions": round(counts["insns"] / n),
            "cache_line_writebacks": counts["writeback"],
            "port_accesses": counts["port"],
            "hypervisor_instructions": counts["hypercall"],
            "device_accesses": {d: c for d, c in devices.items() if not BACKGROUND.search(d)},
            "background_accesses": {d: c for d, c in devices.items() if BACKGROUND.search(d)},
        })
    return rows


def exits(row):
    return (sum(row["device_accesses"].values()) + row["port_accesses"]
            + row["hypervisor_instructions"])


def leaves_too_often(row):
    most = row["count"] // SELDOM if row["operation"] in READING_ON else 0
    return exits(row) > most


def bad_lines(rows):
    return [f"{r['operation']}: write-backs {r['cache_line_writebacks']}, ports "
            f"{r['port_accesses']}, cpuid or hypercall {r['hypervisor_instructions']}, "
            f"devices {r['device_accesses']}" for r in rows]


def judge(rows, durability):
    mine = [r for r in rows if r["file_system"] == "vmemfs" and r["durability"] == durability]
    control = {r["operation"]: r for r in mine if r["operation"].startswith("control")}
    mine = [r for r in mine if r["operation"] not in control]
    plain = [r for r in mine if durability == "guest" or r["operation"] not in SYNCING]

    found = [r for r in mine if r["cache_line_writebacks"]]
    result(mine and not found, f"durability={durability}: no operation, fsync included, "
           f"executes a cache-line write-back ({len(mine)} operations)", bad_lines(found))
    found = [r for r in plain if leaves_too_often(r)]
    what = "no operation, fsync included," if durability == "guest" else "no operation but fsync"
    result(plain and not found,
           f"durability={durability}: {what} leaves the guest, but seldom to read ahead "
           f"({len(plain)} operations)", bad_lines(found))
    if durability == "host":
        silent = [r for r in mine if r["operation"] in SYNCING
                  and sum(r["device_accesses"].values()) < r["count"]]
        result(len(mine) - len(plain) == len(SYNCING) and not silent,
               "durability=host: every fsync of something changed reaches the device",
               bad_lines(silent))
    missed = [r for name, r in control.items()
              if r["port_accesses" if "port" in name else "cache_line_writebacks"] != r["count"]]
    result(len(control) == 3 and not missed,
           "the counters see every clwb, clflush and port access (control)", bad_lines(missed))


def print_table(rows):
    systems = list(dict.fromkeys((r["file_system"], r["durability"]) for r in rows))
    table = collections.defaultdict(dict)
    for r in rows:
        table[r["operation"]][r["file_system"], r["durability"]] = r["instructions"]
    print("# guest instructions per operation")
    print("# " + " " * 32 + "".join(f"{' '.join(s):>22}" for s in systems))
    for operation, by_system in table.items():
        if not operation.startswith("control"):
            print(f"# {operation:32}"
                  + "".join(f"{by_system.get(s, '-'):>22}" for s in systems))
    background = collections.Counter()
    for r in rows:
        background.update(r["background_accesses"])
    print("# left out as the kernel's clockwork: "
          + (", ".join(f"{d} {c}" for d, c in background.items()) or "nothing"))


def main():
    regions = read_regions(sys.argv[1])
    pairs = read_marks(sys.argv[2])
    result(regions and len(regions) == len(pairs), "the guest ran every operation",
           [f"{len(regions)} operations, {len(pairs)} pairs of marks"])
    rows = make_rows(regions, pairs)
    for durability in ("host", "guest"):
        judge(rows, durability)
    with open(sys.argv[3], "w", encoding="utf-8") as out:
        json.dump({"rows": rows}, out, indent=1)
        out.write("\n")
    print_table(rows)
    print(f"1..{tests}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
