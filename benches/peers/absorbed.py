#!/usr/bin/env python3
"""Energy absorbed in the cube that it comes from, by dosegrid and by PenRed (PENELOPE), one energy at a time.

    pip install pyPenred      (AGPL: it is run, and nothing of it is copied)
    python3 benches/peers/absorbed.py [--seconds 60] [photons|positrons|electrons ...] [--energies MEV ...]

Particles begin evenly in a cube of water in the middle of a larger one. `photons`: a cube of 50 mm, which dosegrid has
as voxels of 5 mm, as a source organ in a scan, and the photons of In-111 and I-124. `positrons`: the same cube, the
mean energies of I-124's. `electrons`: one voxel of 6 mm, 0.1 to 4.5 MeV. Cuts of PenRed: electrons 10 keV, photons 1
keV, C1 = C2 = 0.02. Default cuts of dosegrid. Both have the mean excitation energy of PENELOPE's water. Prints the
quotient of the energies, its uncertainty (1 sigma), and how long each took; fails if a quotient is off by more than 1 %
and three sigma.
"""

import argparse
import csv
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))
import transport  # noqa: E402
from memory import write_nifti  # noqa: E402

# PENELOPE's number for liquid water.
WATER = 278
# What makes the quotient a fault rather than a difference of the coefficients.
ALLOWED = 0.01
# Edge of the voxels [mm], voxels of the source along an edge, and of all, and energies [MeV].
CASES = {
    "photons": (0, 5.0, 10, 58, [0.0231, 0.0275, 0.1713, 0.2454, 0.511, 0.6027, 1.691]),
    "positrons": (1, 5.0, 10, 58, [0.687, 0.975]),
    "electrons": (-1, 6.0, 1, 21, [0.1, 0.5, 1.0, 2.0, 3.0, 4.5]),
}

PENRED = """
import pyPenred.simulation as simulation
simulator = simulation.create()
simulator.configFromFile("config.in")
simulator.simulate()
simulator.getResults()["dose"][0].save("dose.dat", 1)
"""
MATERIAL = "import sys, pyPenred.simulation as s; s.materials.createListed(int(sys.argv[1]), 'water.mat')"


def run(command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode != 0:
        sys.exit(f"{command[0]} failed: {(done.stdout + done.stderr)[-2000:]}")
    return done.stdout


def penred(folder, charge, energy_mev, voxel_mm, source, edge, histories):
    """Share of the energy that stays in the source, and its uncertainty."""
    transport.EDGE, transport.MM = edge, voxel_mm
    middle_cm, half_cm = edge * voxel_mm / 20, source * voxel_mm / 20
    text = transport.configuration({-1: "electron", 0: "gamma", 1: "positron"}[charge], energy_mev, histories)
    for axis in "xyz":
        text = re.sub(rf"(dose/{axis}min) .*", rf"\1 {middle_cm - half_cm}", text)
        text = re.sub(rf"(dose/{axis}max) .*", rf"\1 {middle_cm + half_cm}", text)
        text = re.sub(rf"(dose/n{axis}) .*", r"\1 1", text)
        text = re.sub(rf"(size/d{axis}) .*", rf"\1 {2 * half_cm}", text)
        text = re.sub(rf"(position/{axis}) .*", rf"\1 {middle_cm}", text)
    text = re.sub(r"(water/C[12]) .*", r"\1 0.02", text)
    Path(folder, "cube.geo").write_text(transport.geometry(edge * voxel_mm / 10))
    Path(folder, "config.in").write_text(text)
    run([sys.executable, "-c", PENRED], cwd=folder)
    lines = Path(folder, "dose.dat").read_text().splitlines()
    dose, sigma = map(float, next(line for line in lines if not line.startswith("#")).split())
    mass_per_energy = (2 * half_cm) ** 3 / (energy_mev * 1e6)
    return dose * mass_per_energy, sigma * mass_per_energy


def dosegrid(binary, folder, charge, energy_mev, voxel_mm, source, edge, histories):
    """The same."""
    decays, begin = 1e9, (edge - source) // 2
    inside = range(begin, begin + source)

    def rows(in_source, elsewhere, code):
        """Rows along x of a map with one value in the source."""
        for z in range(edge):
            for y in range(edge):
                row = memoryview(bytearray(edge * (4 if code == "f" else 1))).cast(code)
                for x in range(edge):
                    row[x] = in_source if x in inside and y in inside and z in inside else elsewhere
                yield bytes(row)

    write_nifti(f"{folder}/density.nii", rows(1.0, 1.0, "f"), edge, voxel_mm, "f")
    write_nifti(f"{folder}/decays.nii", rows(decays, 0.0, "f"), edge, voxel_mm, "f")
    write_nifti(f"{folder}/labels.nii", rows(1, 0, "B"), edge, voxel_mm, "B")
    Path(folder, "source.csv").write_text(f"{charge},{energy_mev},{energy_mev},1\n")
    command = [binary, "compute", "--method", "monte-carlo", "--device", "cpu", "--quiet"]
    command += ["--activity", f"{folder}/decays.nii", "--activity-unit", "bq-s", "--density", f"{folder}/density.nii"]
    command += ["--emissions", f"{folder}/source.csv", "--material", f"{folder}/water.toml", "--histories"]
    command += [str(int(histories)), "--labels", f"{folder}/labels.nii", "--organs-output", f"{folder}/organs.csv"]
    run([*command, "--output", f"{folder}/dose.nii"])
    with open(f"{folder}/organs.csv", newline="") as file:
        organ = next(csv.DictReader(file))
    # 1 Gy is 1 J/kg, and 1 MeV is 1.602176634e-13 J.
    share = float(organ["mass_g"]) / 1e3 / (decays * source**3 * energy_mev * 1.602176634e-13)
    return float(organ["mean_by_mass_gy"]) * share, float(organ["mean_sigma_gy"]) * share


def timed(act, seconds):
    """What `act(histories)` gives after about so many seconds, and the time that it took."""
    histories = 2000
    while True:
        begun = time.monotonic()
        found = act(histories)
        spent = time.monotonic() - begun
        if spent > seconds / 2 or histories >= 4e8:
            return found, spent
        # Both begin with work that does not depend on the number of histories: so no more than tenfold at once.
        histories = int(histories * min(max(seconds / spent, 2.0), 10.0))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", default=list(CASES))
    parser.add_argument("--binary", default="target/release/dosegrid")
    parser.add_argument("--seconds", type=float, default=60.0, help="for each energy and program")
    parser.add_argument("--energies", type=float, nargs="*", help="MeV, in place of those of the cases")
    arguments = parser.parse_args()
    try:
        import pyPenred  # noqa: F401
    except ImportError:
        print("PenRed is absent (pip install pyPenred)")
        return
    binary = str(Path(arguments.binary).resolve())
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        run([sys.executable, "-c", MATERIAL, str(WATER)], cwd=folder)
        excitation_ev = float(re.search(r"Mean excitation energy = (\S+)", Path(folder, "water.mat").read_text())[1])
        print(f"mean excitation energy {excitation_ev:.2f} eV, load {os.getloadavg()[0]:.1f}")
        water = Path(__file__).resolve().parents[2] / "data" / "materials" / "water.toml"
        text = re.sub(r"(mean_excitation_energy_ev = ).*", rf"\g<1>{excitation_ev}", water.read_text())
        text = text.replace('name = "water"', 'name = "water of PENELOPE"')
        Path(folder, "water.toml").write_text(text)
        for case in arguments.cases:
            charge, voxel_mm, source, edge, energies = CASES[case]
            energies = arguments.energies or energies
            print(f"{case}: source of {source} voxels of {voxel_mm} mm along an edge")
            for energy_mev in energies:
                at = (charge, energy_mev, voxel_mm, source, edge)
                (theirs, their_sigma), their_s = timed(lambda n, at=at: penred(folder, *at, n), arguments.seconds)
                (ours, our_sigma), our_s = timed(lambda n, at=at: dosegrid(binary, folder, *at, n), arguments.seconds)
                quotient, sigma = ours / theirs, ((our_sigma / ours) ** 2 + (their_sigma / theirs) ** 2) ** 0.5
                print(f"  {energy_mev:6.4f} MeV: {ours:.5f} absorbed, over PenRed {100 * (quotient - 1):+.2f}", end=" ")
                print(f"± {100 * sigma:.2f} %  ({our_s:.0f} s, {their_s:.0f} s)", flush=True)
                if abs(quotient - 1) > ALLOWED + 3 * sigma:
                    wrong.append(f"{case} {energy_mev} MeV")
    if wrong:
        sys.exit(f"not the same energy: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
