#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
"""report.py - line and branch coverage of guestfs/core from gcov's counts

usage: report.py TREE UNTAKEN LIST

TREE     where the counting objects are
UNTAKEN  branches that need not be taken, with reasons:
             = REASON
             FILE | FUNCTION | SOURCE LINE
         Line numbers do not appear, so that the list survives edits.
LIST     gets every branch that was never taken, in the same form
"""
import collections
import json
import os
import subprocess
import sys


def read_counts(tree):
    """{file: {line: [function, count, [branch counts]]}}"""
    core = os.path.join(tree, "guestfs/core") + "/"
    counts = collections.defaultdict(dict)
    notes = []
    for folder, _, names in os.walk(os.path.join(tree, "build")):
        notes += [os.path.join(folder, n) for n in names if n.endswith(".gcda")]
    for note in notes:
        run = subprocess.run(["gcov", "-t", "-j", "-b", "-c", note], capture_output=True,
                             cwd=os.path.dirname(note), check=False)
        for text in run.stdout.splitlines():
            for entry in json.loads(text)["files"]:
                if not entry["file"].startswith(core):
                    continue
                add_file(counts[entry["file"][len(core):]], entry)
    return counts


def add_file(lines, entry):
    for line in entry["lines"]:
        number = line["line_number"]
        branches = [b["count"] for b in line["branches"]]
        key = (number, line.get("function_name", ""))
        old = lines.get(key)
        if old is None:
            lines[key] = [line["count"], branches]
            continue
        old[0] += line["count"]
        # Two builds may see another number of branches (macros): the larger view counts.
        if len(branches) == len(old[1]):
            old[1] = [a + b for a, b in zip(old[1], branches)]
        elif len(branches) > len(old[1]):
            old[1] = branches


def merge_functions(lines):
    """An inline function of a header has counts under each name that gcov gives it."""
    merged = {}
    for (number, function), (count, branches) in lines.items():
        old = merged.get(number)
        if old is None:
            merged[number] = [function, count, branches]
            continue
        old[1] += count
        if len(branches) == len(old[2]):
            old[2] = [a + b for a, b in zip(old[2], branches)]
    return merged


def read_reasons(path):
    reasons, reason = {}, None
    if not os.path.exists(path):
        return reasons
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            line = line.rstrip("\n")
            if line.startswith("= "):
                reason = line[2:]
            elif line and not line.startswith("#"):
                reasons[line] = reason
    return reasons


def main():
    tree, untaken_path, list_path = sys.argv[1:]
    core = os.path.join(tree, "guestfs/core")
    reasons = read_reasons(untaken_path)
    used, unexplained, everything = set(), [], []
    total = [0, 0, 0, 0]
    print("%-18s %15s %17s" % ("guestfs/core", "lines", "branches"))
    counts = read_counts(tree)
    for name in sorted(counts):
        with open(os.path.join(core, name), encoding="utf-8") as source:
            text = source.read().split("\n")
        lines = merge_functions(counts[name])
        row = [0, 0, 0, 0]
        for number in sorted(lines):
            function, count, branches = lines[number]
            row[0] += count > 0
            row[1] += 1
            row[2] += sum(b > 0 for b in branches)
            row[3] += len(branches)
            if count and all(branches):
                continue
            key = "%s | %s | %s" % (os.path.basename(name), function, text[number - 1].strip())
            everything.append(key)
            if key in reasons:
                used.add(key)
            else:
                unexplained.append((key, number, "never reached" if not count else
                                    "%d of %d branches never taken" %
                                    (branches.count(0), len(branches))))
        print("%-18s %5d/%5d %5.1f%% %5d/%5d %5.1f%%" % (
            name, row[0], row[1], 100 * row[0] / max(row[1], 1), row[2], row[3],
            100 * row[2] / max(row[3], 1)))
        total = [a + b for a, b in zip(total, row)]
    print("%-18s %5d/%5d %5.1f%% %5d/%5d %5.1f%%" % (
        "all", total[0], total[1], 100 * total[0] / max(total[1], 1), total[2], total[3],
        100 * total[2] / max(total[3], 1)))
    with open(list_path, "w", encoding="utf-8") as out:
        out.write("".join(line + "\n" for line in everything))
    for key, number, what in unexplained:
        print("not explained: line %d: %s: %s" % (number, what, key))
    for key in reasons:
        if key not in used:
            print("taken now, or gone: %s" % key)
    print("%d places with branches that were never taken: %d explained in tests/coverage/untaken.txt, %d not" %
          (len(everything), len(everything) - len(unexplained), len(unexplained)))
    return 1 if unexplained else 0


sys.exit(main())
