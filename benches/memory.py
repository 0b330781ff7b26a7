#!/usr/bin/env python3
"""Memory of Monte Carlo: what the plan states before work begins, and the most that the process had in memory.

    python3 benches/memory.py --edge 256 --histories 1e8 [--phantom patient|box] [--binary target/release/dosegrid]

`patient`: a body of a third of the grid in air, with lungs, spine, liver, kidneys and tumours; nine tenths of the
activity are in these organs, and the rest everywhere in the body. `box`: water with activity in all voxels. The
phantom is written to a temporary folder. Exit status 1: more was in memory than the plan states, or (--least) so much
less that the plan is of no use. For Linux and macOS.
"""

import argparse
import array
import math
import os
import re
import struct
import sys
import tempfile
from pathlib import Path


def write_nifti(path, rows, edge, spacing_mm, code):
    """A NIfTI-1 file of cubic shape, of float32 ("f") or uint8 ("B"), from its rows along x."""
    datatype, bits = {"f": (16, 32), "B": (2, 8)}[code]
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, edge, edge, edge, 1, 1, 1, 1)
    struct.pack_into("<2h", header, 70, datatype, bits)
    struct.pack_into("<8f", header, 76, 1.0, *[spacing_mm] * 3, 0, 0, 0, 0)
    struct.pack_into("<f", header, 108, 352.0)
    struct.pack_into("<2f", header, 112, 1.0, 0.0)
    header[123] = 2  # mm
    struct.pack_into("<2h", header, 252, 0, 1)
    for row in range(3):
        axis = [0.0] * 4
        axis[row] = spacing_mm
        struct.pack_into("<4f", header, 280 + 16 * row, *axis)
    header[344:348] = b"n+1\0"
    with open(path, "wb") as file:
        file.write(header)
        for row in rows:
            file.write(row)


# Centre, half axes (as parts of half the edge), density in g/cm³ and decays per voxel against those of the body.
ORGANS = [
    ((-0.33, -0.05, 0.45), (0.20, 0.26, 0.42), 0.26, 0.2),  # lungs
    ((0.33, -0.05, 0.45), (0.20, 0.26, 0.42), 0.26, 0.2),
    ((0.0, 0.33, 0.0), (0.09, 0.09, 1.0), 1.45, 0.5),  # spine
    ((-0.30, -0.05, -0.20), (0.26, 0.28, 0.22), 1.05, 10.0),  # liver
    ((-0.28, 0.22, -0.45), (0.09, 0.09, 0.16), 1.05, 60.0),  # kidneys
    ((0.28, 0.22, -0.45), (0.09, 0.09, 0.16), 1.05, 60.0),
    ((-0.30, -0.02, -0.15), (0.05, 0.05, 0.05), 1.05, 300.0),  # tumours
    ((0.10, -0.20, -0.60), (0.04, 0.04, 0.04), 1.05, 300.0),
]
BODY = ((0.0, 0.0, 0.0), (0.74, 0.52, 4.0))


def row_of(edge, shape, y, z):
    """First and last voxel, along x, of an ellipsoid."""
    (cx, cy, cz), (hx, hy, hz) = shape[:2]
    left = 1.0 - ((y - cy) / hy) ** 2 - ((z - cz) / hz) ** 2
    half = hx * math.sqrt(max(left, 0.0))
    first, last = (round((at + 1.0) * 0.5 * edge) for at in (cx - half, cx + half))
    return max(first, 0), min(last, edge)


def rows_of_patient(edge, outside, of_body, of_organs, code):
    """Rows of a volume along x: a value outside, in the body, and in each organ."""
    middle = [(number + 0.5) / (0.5 * edge) - 1.0 for number in range(edge)]
    for z in middle:
        for y in middle:
            row = array.array(code, [outside]) * edge
            body = row_of(edge, BODY, y, z)
            for shape, value in zip([BODY, *ORGANS], [of_body, *of_organs]):
                first, last = row_of(edge, shape, y, z)
                first, last = max(first, body[0]), min(last, body[1])
                if first < last:
                    row[first:last] = array.array(code, [value]) * (last - first)
            yield row.tobytes()


def volumes(kind, edge):
    """Rows of density, decays and labels, with the code of their values."""
    if kind == "box":
        same = [("f", 1.0), ("f", 1e6), ("B", 1)]
        return [(code, [(array.array(code, [value]) * edge).tobytes()] * edge**2) for code, value in same]
    densities, uptakes = ([organ[place] for organ in ORGANS] for place in (2, 3))
    return [
        ("f", rows_of_patient(edge, 0.0012, 1.0, densities, "f")),
        ("f", rows_of_patient(edge, 0.0, 1e6, [1e6 * uptake for uptake in uptakes], "f")),
        ("B", rows_of_patient(edge, 0, 0, range(1, len(ORGANS) + 1), "B")),
    ]


def run(command):
    """The output of a process, its peak memory [bytes] and its processor time [s]."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(writer, 1)
        os.execvp(command[0], command)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        output = pipe.read()
    _, status, usage = os.wait4(child, 0)
    if status != 0:
        sys.exit(f"{' '.join(command)} failed")
    unit = 1 if sys.platform == "darwin" else 1024
    return output, usage.ru_maxrss * unit, usage.ru_utime + usage.ru_stime


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edge", type=int, default=256)
    parser.add_argument("--mm", type=float, default=2.0, help="edge of a voxel")
    parser.add_argument("--phantom", choices=["patient", "box"], default="patient")
    parser.add_argument("--nuclide", default="Lu-177")
    parser.add_argument("--histories", default="1e8")
    parser.add_argument("--least", type=float, default=0.0, help="part of the plan's figure that must be in memory")
    parser.add_argument("--binary", default="target/release/dosegrid")
    parser.add_argument("--keep", type=Path, help="folder for the phantom, kept and used again")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.keep or Path(scratch)
        files = [folder / f"{args.phantom}{args.edge}_{name}.nii" for name in ("density", "decays", "labels")]
        if not all(file.is_file() for file in files):
            for file, (code, rows) in zip(files, volumes(args.phantom, args.edge)):
                write_nifti(file, rows, args.edge, args.mm, code)
        density, decays, labels = map(str, files)
        command = [args.binary, "compute", "--activity", decays, "--activity-unit", "bq-s", "--density", density]
        command += ["--labels", labels, "--nuclide", args.nuclide, "--histories", args.histories, "--device", "cpu"]
        output, peak, seconds = run(command + ["--output", f"{scratch}/dose.nii"])
    stated = re.search(r"^memory +at most ([0-9.]+) GB", output, re.MULTILINE)
    plan = f"{stated[1]} GB stated by the plan" if stated else "no figure before the work"
    voxels = args.edge**3
    print(f"{args.phantom} {args.edge}³, {args.nuclide}, {args.histories} histories: {plan}, peak {peak / 1e9:.2f} GB")
    print(f"{peak / voxels:.0f} bytes a voxel, {seconds:.0f} s of processor time")
    if stated and not args.least * float(stated[1]) <= peak / 1e9 <= float(stated[1]):
        sys.exit("the plan's figure is wrong")


if __name__ == "__main__":
    main()
