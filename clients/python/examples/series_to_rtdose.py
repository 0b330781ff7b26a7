"""From a SPECT or PET series and a CT series, as DICOM folders, to an RT Dose object in the study of the CT.

    python series_to_rtdose.py SPECT CT dose.dcm --nuclide Lu-177 --half-life 50h

The program reads DICOM: it knows units and calibrations, and refuses what is not quantitative. The maps go through
files, as they would between any two tools.
"""

import argparse
import pathlib
import subprocess
import tempfile

import dosegrid
from dosegrid import Client

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("activity", help="folder of the SPECT or PET series")
parser.add_argument("ct", help="folder of the CT series")
parser.add_argument("output", help="the RT Dose object, .dcm")
parser.add_argument("--nuclide", required=True)
parser.add_argument("--half-life", required=True, help="effective half-life, such as 50h, or physical")
parser.add_argument("--program", default="dosegrid")
parser.add_argument("--method", default="monte-carlo")
arguments = parser.parse_args()


def program(*words: str) -> None:
    subprocess.run([arguments.program, *words], check=True)


with tempfile.TemporaryDirectory() as folder, Client() as client:
    maps = {name: pathlib.Path(folder) / f"{name}.nii.gz" for name in ("activity", "ct", "dose")}
    program("convert", arguments.activity, "--as", "activity", "--output", str(maps["activity"]))
    program("convert", arguments.ct, "--as", "ct", "--output", str(maps["ct"]))
    result: dosegrid.Result = client.compute(
        maps["activity"],
        ct=maps["ct"],
        nuclide=arguments.nuclide,
        unit="bq-per-ml",
        effective_half_life=arguments.half_life,
        dose_grid="activity",
        method=arguments.method,
    )
    result.dose.save(maps["dose"])
    reference = ("--reference", arguments.ct)
    program("convert", str(maps["dose"]), "--as", "rtdose", *reference, "--output", arguments.output)
for warning in result.warnings:
    print("warning:", warning)
print(f"{arguments.output}: up to {float(result.dose.gy.max()):.4g} Gy")
