#!/usr/bin/env python3
"""How far noise moves the dose-volume figures of an organ, and what the estimate without noise makes of it.

    python3 benches/dose_volume_noise.py PATIENT_FOLDER [--binary target/release/dosegrid] [--label 1]

Computes Lu-177 in the patient (activity_bq.nii.gz, density_g_cm3.nii.gz, labels.nii.gz) with more and more histories
and prints the rows of the table in docs/transport.md: D95, D98 and D2 of the label against those of the last run, as
the dose map has them and without noise (`d95_gy - d95_noise_gy`). Each run has a seed of its own. The last run takes
minutes. 1σ is the mean over the voxels of the label, relative to the dose.
"""

import argparse
import csv
import gzip
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

FIGURES = ["d95", "d98", "d2"]
HISTORIES = [1e6, 3.2e6, 1e7, 3e7, 3e8]


def voxels(path):
    """Values of a NIfTI-1 file of float32, uint8 or int16 without scaling."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rb") as file:
        data = file.read()
    (kind,) = struct.unpack_from("<h", data, 70)
    (offset,) = struct.unpack_from("<f", data, 108)
    return memoryview(data)[int(offset):].cast({16: "f", 2: "B", 4: "h"}[kind])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("patient", type=Path)
    parser.add_argument("--binary", default="target/release/dosegrid")
    parser.add_argument("--label", type=int, default=1)
    arguments = parser.parse_args()
    patient = arguments.patient
    of_label = voxels(patient / "labels.nii.gz")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for number, histories in enumerate(HISTORIES):
            command = [arguments.binary, "compute", "--activity", patient / "activity_bq.nii.gz"]
            command += ["--activity-unit", "bq", "--effective-half-life", "50h", "--nuclide", "Lu-177"]
            command += ["--density", patient / "density_g_cm3.nii.gz"]
            command += ["--labels", patient / "labels.nii.gz", "--method", "monte-carlo", "--device", "cpu", "--quiet"]
            command += ["--histories", str(int(histories)), "--seed", str(number + 1)]
            command += ["--output", f"{folder}/dose.nii", "--uncertainty-output", f"{folder}/sigma.nii"]
            command += ["--organs-output", f"{folder}/organs.csv"]
            run = subprocess.run(command, capture_output=True, text=True)
            if run.returncode != 0:
                sys.exit(run.stderr[-2000:])
            with open(f"{folder}/organs.csv", newline="") as file:
                organ = next(row for row in csv.DictReader(file) if int(row["label"]) == arguments.label)
            dose, sigma = voxels(Path(folder, "dose.nii")), voxels(Path(folder, "sigma.nii"))
            inside = [voxel for voxel, label in enumerate(of_label) if label == arguments.label and dose[voxel] > 0]
            relative = sum(sigma[voxel] / dose[voxel] for voxel in inside) / len(inside)
            found = {name: float(organ[f"{name}_gy"]) for name in FIGURES}
            noise = {name: float(organ[f"{name}_noise_gy"]) for name in FIGURES}
            rows.append((histories, relative, found, noise))
    (_, _, truth, _) = rows[-1]
    heads = [f"{name.upper()} in the map, without noise" for name in FIGURES]
    print(f"| histories | 1σ of a voxel | {' | '.join(heads)} |")
    print("|" + "---|" * (2 + len(FIGURES)))
    for histories, relative, found, noise in rows[:-1]:
        def off(name, taken_off, found=found):
            return 100 * ((found[name] - taken_off) / truth[name] - 1)

        cells = [f"{off(name, 0.0):+.1f}, {off(name, noise[name]):+.1f} %" for name in FIGURES]
        print(f"| {histories:.1e} | {100 * relative:.2g} % | {' | '.join(cells)} |")
    histories, relative, found, _ = rows[-1]
    print(f"| {histories:.1e} | {100 * relative:.2g} % | {' | '.join(f'{found[name]:.4f} Gy' for name in FIGURES)} |")


if __name__ == "__main__":
    main()
