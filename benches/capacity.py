#!/usr/bin/env python3
"""How many machines, how much storage and network so many patients need: the tables of docs/capacity.md.

    python3 benches/capacity.py [--patients 5e4] [--cycles 4] [--days 250] [--hours 8] [--peak 4]

Arithmetic on measured costs (COSTS), which docs/capacity.md explains; waits are what `benches/scaling.py` simulates.
"""

import argparse

# What a dose costs: name, edges of its grid, core-seconds, memory of the job [bytes]. Two cores of an AMD EPYC (Zen 3);
# the patient of docs/benchmarks.md, and the same body in finer voxels, whose histories for 1 % grow as their number.
PATIENT_VOXELS = 108 * 70 * 90
DEFAULT_CORE_S = 70.0
COSTS = [
    ("kernel, 4 mm", PATIENT_VOXELS, 0.5, 0.2e9),
    ("Monte Carlo to 2 %, 4 mm", PATIENT_VOXELS, 22.0, 0.3e9),
    ("Monte Carlo to 1 %, 4 mm (default)", PATIENT_VOXELS, DEFAULT_CORE_S, 0.3e9),
    ("Monte Carlo to 1 %, 256³ of 2 mm", 256**3, DEFAULT_CORE_S * 256**3 / PATIENT_VOXELS, 1.6e9),
]
# Bytes a voxel: activity (float32), CT (int16) and labels (uint16) in; dose and 1σ (float32) out.
IN_BYTES, OUT_BYTES = 4 + 2 + 2, 4 + 4


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=float, default=5e4, help="a year")
    parser.add_argument("--cycles", type=float, default=4, help="doses of a patient")
    parser.add_argument("--days", type=float, default=250, help="with work, of a year")
    parser.add_argument("--hours", type=float, default=8, help="with work, of a day")
    parser.add_argument("--peak", type=float, default=4, help="the busiest minutes over the mean of those hours")
    args = parser.parse_args()
    doses = args.patients * args.cycles
    seconds = args.days * args.hours * 3600
    print(f"{doses:.0f} doses a year, {doses / args.days:.0f} a day, one each {seconds / doses:.0f} s of {args.hours:g} h")
    print("\n| dose | core-seconds | cores: mean, peak | memory at the peak | in, out | traffic at the peak | a year |")
    print("|---|---|---|---|---|---|---|")
    for name, voxels, core_s, job_bytes in COSTS:
        mean = doses * core_s / seconds
        cores = mean * args.peak
        jobs = max(1.0, cores / 2)  # a job has two cores
        bytes_in, bytes_out = voxels * IN_BYTES, voxels * OUT_BYTES
        rate = args.peak * doses * (bytes_in + bytes_out) / seconds
        kept = doses * (bytes_in + bytes_out)
        print(
            f"| {name} | {core_s:.3g} | {mean:.2g}, {cores:.2g} | {jobs * job_bytes / 1e9:.2g} GB |"
            f" {bytes_in / 1e6:.3g}, {bytes_out / 1e6:.3g} MB | {rate / 1e6:.2g} MB/s | {kept / 1e12:.2g} TB |"
        )


if __name__ == "__main__":
    main()
