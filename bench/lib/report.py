# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
"""From cells to medians, comparisons, the table and the picture."""

import os
import shutil
import statistics
import subprocess

DOMAIN_TEXT = {
    "host": "survives host failure",
    "guest": "survives guest failure only",
    "none": "survives nothing",
}


def summarize(cells):
    """CELLS: {(system, job): [figures of each round]} -> list of results."""
    results = []
    for (system, job), rounds in cells.items():
        values = [figures["value"] for figures in rounds]
        results.append({
            "system": system.name, "domain": system.domain, "job": job.name,
            "unit": job.unit, "decisive": job.decisive,
            "median": statistics.median(values), "min": min(values), "max": max(values),
            "fsync_mean_us": statistics.median(f["fsync_mean_us"] for f in rounds),
            "fsync_p50_us": statistics.median(f["fsync_p50_us"] for f in rounds),
            "fsync_p99_us": statistics.median(f["fsync_p99_us"] for f in rounds),
            "rounds": rounds,
        })
    return results


def compare(results, systems):
    """The ratio of vmemfs to every peer of the same domain, job by job."""
    ours = {(r["domain"], r["job"]): r for r in results
            if any(s.ours and s.name == r["system"] for s in systems)}
    comparisons = []
    for result in results:
        mine = ours.get((result["domain"], result["job"]))
        if not mine or mine is result or not result["median"]:
            continue
        comparisons.append({
            "job": result["job"], "domain": result["domain"], "peer": result["system"],
            "ratio": round(mine["median"] / result["median"], 2),
            "decisive": result["decisive"],
        })
    return comparisons


def number(value):
    if value >= 100000:
        return f"{value / 1000:.0f}k"
    if value >= 10000:
        return f"{value / 1000:.1f}k"
    return f"{value:.0f}"


def print_job(job, results, comparisons):
    print(f"\n{job.title}   [{job.unit}, median (min..max) of the rounds]")
    print(f"  {'system':26} {'an fsync reaches':28} {'figure':>8}  {'min..max':>15} "
          f"{'fsync us, p50 / p99':>20}  vmemfs is")
    for domain in DOMAIN_TEXT:
        rows = [r for r in results if r["job"] == job.name and r["domain"] == domain]
        for row in sorted(rows, key=lambda r: -r["median"]):
            ratio = [c["ratio"] for c in comparisons
                     if c["job"] == job.name and c["peer"] == row["system"]]
            times = f"{ratio[0]:.2f}x" if ratio else ""
            fsync = (f"{row['fsync_p50_us']:.0f} / {row['fsync_p99_us']:.0f}"
                     if row["fsync_p50_us"] else "")
            spread = f"{number(row['min'])}..{number(row['max'])}"
            print(f"  {row['system']:26} {DOMAIN_TEXT[domain]:28} {number(row['median']):>8}  "
                  f"{spread:>15} {fsync:>20}  {times}")


def print_counts(counts):
    print("\nCounted for one operation with its fsync (hardly jitters; instructions by up to\n"
          "some thousand: timer ticks and background work of a guest that waits)")
    print(f"  {'job':17} {'system':26} {'domain':7} {'disk flushes':>12} "
          f"{'disk KiB':>9} {'guest instructions':>19}")
    for row in counts:
        print(f"  {row['job']:17} {row['system']:26} {row['domain']:7} "
              f"{row['disk_flushes']:12.2f} {row['disk_kib']:9.1f} "
              f"{row['guest_instructions']:19,}")


def print_verdict(comparisons):
    """Return whether vmemfs is ahead in all that is decisive."""
    decisive = [c for c in comparisons if c["decisive"]]
    behind = [c for c in decisive if c["ratio"] <= 1]
    print()
    for row in behind:
        print(f"BEHIND: {row['job']}, {row['domain']}-durable: vmemfs has {row['ratio']:.2f} "
              f"times the figure of {row['peer']}")
    if decisive and not behind:
        least = min(decisive, key=lambda c: c["ratio"])
        print(f"vmemfs is ahead of every peer of the same durability on both fsync jobs; the "
              f"nearest is {least['peer']} ({least['job']}: {least['ratio']:.2f}x)")
    return not behind


PLOT = """
set terminal svg size 1100,{height} dynamic background '#ffffff' font 'sans,12'
set output '{output}'
set multiplot layout 1,{panels} title 'An fsync survives: green, host failure; blue, \
guest failure only; grey, nothing. Dark: vmemfs. {about}'
set style fill solid 0.85 noborder
set logscale x
set format x '%.0s%c'
set grid x lc rgb '#dddddd'
set border 3
set tics nomirror out
set key off
set yrange [-0.6:{top}]
"""

PANEL = """
set title '{title}'
set xlabel '{unit} (logarithmic), median and range'
set xrange [{low}:{high}]
set ytics ({tics})
plot '{data}' using (0.5*($2+{low})):0:({low}):2:($0-0.38):($0+0.38):5 \\
       with boxxyerror lc rgb variable, \\
     '{data}' using 2:0:3:4 with xerrorbars lc rgb '#444444' pt 0 lw 1.5, \\
     '{data}' using 4:0:6 with labels left offset 1,0 font ',10'
"""

# Ours darker.
COLOURS = {("host", True): 0x1E6B3C, ("host", False): 0x8FC9A3,
           ("guest", True): 0x1F5A8C, ("guest", False): 0x9CC3E0,
           ("none", False): 0xBBBBBB}


def panel(job, results, folder):
    rows = [r for domain in reversed(list(DOMAIN_TEXT))
            for r in sorted((r for r in results
                             if r["job"] == job.name and r["domain"] == domain),
                            key=lambda r: r["median"])]
    data = os.path.join(folder, f"{job.name}.dat")
    with open(data, "w", encoding="ascii") as file:
        for row in rows:
            colour = COLOURS[row["domain"], row["system"].startswith("vmemfs")]
            file.write(f"{row['system']} {row['median']} {row['min']} {row['max']} "
                       f"{colour} {number(row['median'])}\n")
    tics = ", ".join(f"'{row['system']}' {i}" for i, row in enumerate(rows))
    return PANEL.format(title=job.title, unit=job.unit, data=data, tics=tics,
                        low=10 ** len(str(int(min(r["min"] for r in rows)))) / 10,
                        high=max(r["max"] for r in rows) * 5), len(rows)


def draw(results, jobs, path, about):
    """An SVG with one panel for each decisive job; False without gnuplot."""
    if not shutil.which("gnuplot"):
        return False
    shown = [job for job in jobs if job.decisive]
    folder = os.path.dirname(path)
    panels = [panel(job, results, folder) for job in shown]
    rows = max(count for _, count in panels)
    script = PLOT.format(height=140 + 32 * rows, output=path, panels=len(panels), about=about,
                         top=rows - 0.4)
    script += "".join(text for text, _ in panels)
    subprocess.run(["gnuplot"], input=script, text=True, check=True)
    for job in shown:
        os.unlink(os.path.join(folder, f"{job.name}.dat"))
    return True
