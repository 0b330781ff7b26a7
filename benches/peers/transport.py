#!/usr/bin/env python3
"""Monte Carlo transport of dosegrid beside PenRed (PENELOPE): same sources, cuts and grid, one thread, one run.

    pip install pyPenred      (AGPL: it is run, and nothing of it is copied)
    python3 benches/peers/transport.py [--binary target/release/dosegrid] [--histories 2e4] [--rounds 3]

Particles of one energy begin in the middle voxel of a cube of water, 48 voxels of 4 mm. dosegrid scores energy in
voxels with its default cuts; PenRed has one body of water, which is its fastest geometry, a dose tally of the same
voxels, electrons to 10 keV and photons to 1 keV, C1 = C2 = 0.1. Processor time of the histories alone: PenRed states
it; of dosegrid it is the slope between two runs. The dose of the middle voxel must agree, or the work is not the same.
"""

import argparse
import os
import re
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from memory import write_nifti  # noqa: E402

EDGE, MM = 48, 4.0
MIDDLE = EDGE // 2
# Name, charge, energy in MeV: mean betas of Lu-177 and Y-90, and the strongest photon of Lu-177.
SOURCES = [("electron", -1, 0.134), ("electron", -1, 0.933), ("gamma", 0, 0.208)]
# Relative difference of the dose in the middle voxel: boundaries, cuts and cross-sections differ, the work does not.
ALLOWED = 0.05

PENRED = """
import sys
import pyPenred.simulation as simulation
simulation.materials.create("water", 1.0, [(1, 0.111894), (8, 0.888106)], "water.mat")
simulator = simulation.create()
simulator.configFromFile("config.in")
simulator.simulate()
dose = simulator.getResults()["dose"][0]
print("middle", *dose.extractValue3D(float(sys.argv[1]), float(sys.argv[1]), float(sys.argv[1])))
"""


def geometry(edge_cm):
    """A cube in PENELOPE's language of quadrics."""
    line = "0" * 64
    text = [f"Cube of water\n\n{line}"]
    for number, (axis, at) in enumerate((axis, at) for axis in "XYZ" for at in (0.0, edge_cm)):
        text.append(f"SURFACE ({number + 1:4d})   Plane {axis} = {at}\nINDICES=( 0, 0, 0, 0, 0)")
        text.append(f"     A{axis}=(+1.000000000000000E+00,   0)\n     A0=({-at:+.15E},   0)\n{line}")
    text.append("MODULE  (   1)   Water\nMATERIAL(   1)")
    text += [f"SURFACE ({n + 1:4d}), SIDE POINTER=({'-1' if n % 2 else '+1'})" for n in range(6)]
    return "\n".join(text + [line, f"END      {line[9:]}", ""])


def configuration(particle, energy_mev, histories):
    """PenRed's input for one source."""
    edge_cm, middle_cm = EDGE * MM / 10, (MIDDLE + 0.5) * MM / 10
    source = {"nhist": histories, "kpar": f'"{particle}"', "direction/type": '"SOLID_ANGLE"'}
    source |= {"direction/u": 0.0, "direction/v": 0.0, "direction/w": 1.0, "direction/theta0": 0.0}
    source |= {"direction/theta1": 180.0, "direction/phi0": 0.0, "direction/dphi": 360.0}
    source |= {"energy/type": '"MONOENERGETIC"', "energy/energy": energy_mev * 1e6, "spatial/type": '"BOX"'}
    source |= {f"spatial/size/d{axis}": MM / 10 for axis in "xyz"}
    source |= {f"spatial/position/{axis}": middle_cm for axis in "xyz"}
    values = {f"sources/generic/source/{key}": value for key, value in source.items()}
    values |= {"tallies/dose/type": '"SPATIAL_DOSE_DISTRIB"', "tallies/dose/print-xyz": "false"}
    for axis in "xyz":
        values |= {f"tallies/dose/{axis}min": 0.0, f"tallies/dose/{axis}max": edge_cm, f"tallies/dose/n{axis}": EDGE}
    values |= {"geometry/type": '"PEN_QUADRIC"', "geometry/input-file": '"cube.geo"', "geometry/dsmax/1": 0.1}
    values |= {"geometry/processed-geo-file": '"report.geo"', "materials/water/number": 1}
    cuts = {"eabs/electron": 1e4, "eabs/positron": 1e4, "eabs/gamma": 1e3, "C1": 0.1, "C2": 0.1, "WCC": 1e4, "WCR": 1e3}
    values |= {f"materials/water/{key}": value for key, value in cuts.items()}
    values |= {"materials/water/filename": '"water.mat"', "simulation/threads": 1, "simulation/dump-interval": 1e9}
    return "".join(f"{key} {value}\n" for key, value in values.items())


def penred(particle, energy_mev, histories):
    """Processor time of a history [s], and the dose of the middle voxel [eV/g a particle]."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "cube.geo").write_text(geometry(EDGE * MM / 10))
        Path(folder, "config.in").write_text(configuration(particle, energy_mev, histories))
        # PenRed interpolates between the lower corners of its voxels.
        command = [sys.executable, "-c", PENRED, str(MIDDLE * MM / 10 + 1e-9)]
        run = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit(f"PenRed failed: {(run.stdout + run.stderr)[-2000:]}")
    seconds = float(re.search(r"Simulation user time: ([0-9.e+-]+) s", run.stdout)[1])
    return seconds / histories, float(re.search(r"^middle (\S+)", run.stdout, re.MULTILINE)[1])


def dosegrid(binary, charge, energy_mev, histories):
    """The same: from runs of few and of many histories."""
    decays = 1e9
    with tempfile.TemporaryDirectory() as folder:
        rows = [bytes(4 * EDGE)] * EDGE**2
        write_nifti(f"{folder}/density.nii", [one_row(1.0)] * EDGE**2, EDGE, MM, "f")
        rows[MIDDLE * EDGE + MIDDLE] = one_row(0.0, decays)
        write_nifti(f"{folder}/decays.nii", rows, EDGE, MM, "f")
        Path(folder, "source.csv").write_text(f"{charge},{energy_mev},{energy_mev},1\n")
        spent = []
        for number in (histories, 20 * histories):
            command = [binary, "compute", "--activity", f"{folder}/decays.nii", "--activity-unit", "bq-s", "--density"]
            command += [f"{folder}/density.nii", "--emissions", f"{folder}/source.csv", "--device", "cpu", "--quiet"]
            command += ["--histories", str(int(number)), "--output", f"{folder}/dose.nii"]
            before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
            run = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "RAYON_NUM_THREADS": "1"})
            if run.returncode != 0:
                sys.exit(f"dosegrid failed: {run.stderr[-2000:]}")
            spent.append(resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before)
        with open(f"{folder}/dose.nii", "rb") as file:
            file.seek(352 + 4 * ((MIDDLE * EDGE + MIDDLE) * EDGE + MIDDLE))
            dose_gy = memoryview(file.read(4)).cast("f")[0]
    # 1 Gy is 1 J/kg, and 1 eV is 1.602176634e-19 J.
    return (spent[1] - spent[0]) / (19 * histories), dose_gy / decays / 1.602176634e-19 / 1e3


def one_row(value, in_the_middle=None):
    """A row along x."""
    row = memoryview(bytearray(4 * EDGE)).cast("f")
    for x in range(EDGE):
        row[x] = value
    if in_the_middle is not None:
        row[MIDDLE] = in_the_middle
    return bytes(row)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/release/dosegrid")
    parser.add_argument("--histories", type=float, default=2e4)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    try:
        import pyPenred  # noqa: F401
    except ImportError:
        print("PenRed is absent (pip install pyPenred)")
        return
    print(f"one thread, load {os.getloadavg()[0]:.1f}; microseconds of processor time a history")
    same = True
    for particle, charge, energy_mev in SOURCES:
        rounds = [
            (penred(particle, energy_mev, arguments.histories),
             dosegrid(arguments.binary, charge, energy_mev, arguments.histories))
            for _ in range(arguments.rounds)
        ]
        (theirs, expected), (ours, found) = (min(column) for column in zip(*rounds))
        difference = found / expected - 1.0
        same &= abs(difference) < ALLOWED
        print(f"{particle} {energy_mev} MeV: PenRed {theirs * 1e6:.1f}, dosegrid {ours * 1e6:.2f},", end=" ")
        print(f"{theirs / ours:.0f} times as fast; dose of the middle voxel {100 * difference:+.1f} %")
    if not same:
        sys.exit("the doses differ: this is not the same work")


if __name__ == "__main__":
    main()
