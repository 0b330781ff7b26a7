#!/usr/bin/env python3
"""Instructions that the CPU engine takes for small fixed Monte Carlo cases, under valgrind's callgrind.

    python3 benches/instructions.py [--binary target/release/dosegrid]     compare with what is recorded
    python3 benches/instructions.py --record                               record what is found

The count does not depend on the machine or its load, so a regression shows anywhere; it does depend on the compiler,
which is recorded too. Counted are the histories, without the tables, and what a process makes once, for its first dose:
the nuclide, the transport tables, and a whole kernel dose with all that comes before it. Exit status 1: a case takes
more than --allowed more instructions than recorded. Needs valgrind and a release binary with its symbols.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from memory import volumes, write_nifti

RECORD = Path(__file__).with_name("instructions.json")
EDGE, MM, HISTORIES = 48, 4.0, 3200
NUCLIDES = ["Lu-177", "Y-90", "I-131"]
MONTE_CARLO = ["--histories", str(HISTORIES)]
# What runs the histories of one statistical group.
HISTORIES_OF_A_GROUP = "dosegrid::engine::cpu::transport::run_group*"
KERNEL = ["--method", "kernel"]
# For the first dose of Lu-177: name, options, function; without one, the whole program.
FIRST = [
    ("nuclide", KERNEL, "dosegrid::physics::nuclide::registry::read"),
    ("transport tables", MONTE_CARLO, "dosegrid::prepare::transport::tables::FlatTables::of_one"),
    ("kernel dose", KERNEL, None),
]


def count(binary, nuclide, files, scratch, options, function):
    """Instructions in a function and all that it calls."""
    decays, density = files
    command = ["valgrind", "--tool=callgrind"] + ([f"--toggle-collect={function}"] if function else [])
    command += [f"--callgrind-out-file={scratch}/callgrind.{nuclide}", binary, "compute", "--activity", decays]
    command += ["--activity-unit", "bq-s", "--density", density, "--nuclide", nuclide, "--device", "cpu", "--quiet"]
    command += options + ["--output", f"{scratch}/dose.nii"]
    # The program starts itself anew without this variable, and valgrind would lose sight of it.
    environment = {**os.environ, "RAYON_NUM_THREADS": "1", "XDG_RUNTIME_DIR": "/nonexistent"}
    run = subprocess.run(command, env=environment, capture_output=True, text=True)
    found = re.search(r"refs: +([0-9,]+)", run.stderr)
    if run.returncode != 0 or not found:
        sys.exit(f"{' '.join(command)} failed:\n{run.stderr}")
    return int(found[1].replace(",", ""))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/release/dosegrid")
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--allowed", type=float, default=0.03, help="part by which a count may grow")
    parser.add_argument("--keep", type=Path, help="folder for what callgrind writes, for callgrind_annotate")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        scratch = args.keep or Path(temporary)
        files = []
        for name, (code, rows) in zip(["density", "decays"], volumes("patient", EDGE)):
            files.append(f"{scratch}/{name}.nii")
            write_nifti(files[-1], rows, EDGE, MM, code)
        binary, files = args.binary, files[::-1]
        histories = {
            nuclide: round(count(binary, nuclide, files, scratch, MONTE_CARLO, HISTORIES_OF_A_GROUP) / HISTORIES)
            for nuclide in NUCLIDES
        }
        first = {
            name: round(count(binary, NUCLIDES[0], files, scratch, options, function), -5)
            for name, options, function in FIRST
        }
    compiler = subprocess.run(["rustc", "--version"], capture_output=True, text=True).stdout.strip()
    found = {"instructions_a_history": histories, "instructions_of_the_first": first}
    known = json.loads(RECORD.read_text()) if RECORD.is_file() else {"compiler": "none"}
    slower = []
    print(f"recorded with {known['compiler']}, here {compiler}")
    for what, counts in found.items():
        print(what.replace("_", " "))
        for name, instructions in counts.items():
            before = known.get(what, {}).get(name)
            change = f"{instructions / before - 1.0:+.1%}" if before else "not recorded"
            print(f"  {name:18}{instructions:12}   {change}")
            if before and instructions > before * (1.0 + args.allowed):
                slower.append(name)
    if args.record:
        record = {"compiler": compiler} | found
        RECORD.write_text(json.dumps(record, indent=2) + "\n")
    elif slower:
        sys.exit(f"slower: {', '.join(slower)}")


if __name__ == "__main__":
    main()
