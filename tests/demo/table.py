#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
"""table.py FILE.json... - a line for each fio result of the demo"""
import json
import os
import sys

JOBS = {"random-write": "4 KiB random write + fsync", "append": "512 B append + fsync"}
SURVIVES = {"host": "host failure", "guest": "guest or QEMU failure"}


def main():
    print(f"  {'job':<28}{'IOPS':>8}{'fsync p50':>12}{'fsync p99':>12}   an fsync survives")
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as f:
            text = f.read()
        job = json.loads(text[text.index("{"):])["jobs"][0]
        domain = os.path.basename(path)[:-len(".json")].rsplit("-", 1)[1]
        percentile = job["sync"]["lat_ns"]["percentile"]
        p50, p99 = (percentile[key] / 1000 for key in ("50.000000", "99.000000"))
        print(f"  {JOBS[job['jobname']]:<28}{job['write']['iops']:>8.0f}"
              f"{p50:>9.1f} us{p99:>9.1f} us   {SURVIVES[domain]} (durability={domain})")


if __name__ == "__main__":
    main()
