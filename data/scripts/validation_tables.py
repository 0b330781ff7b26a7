"""Makes data/validation/ from the EGSnrc results computed for this project: `python validation_tables.py
FOLDER_OF_RESULTS`.

Point kernels and voxel S values are copied as they are. The layered phantom's dose and sigma become one file a nuclide:
single precision, little-endian, x fastest, all doses and then all sigmas, gzip. Low bits that only hold noise are set
to 0 so that it compresses: doses are kept to 2^-13 (their statistics are at best 1e-3), sigmas to 2^-5."""

import gzip
import pathlib
import shutil
import sys

import numpy as np

results = pathlib.Path(sys.argv[1])
target = pathlib.Path(__file__).parent.parent / "validation"
target.mkdir(exist_ok=True)


def rounded(values, bits):
    """Single precision with only the first `bits` bits after the leading one."""
    drop = 23 - bits
    words = values.astype("<f4").view("<u4")
    return ((words + (1 << (drop - 1))) >> drop << drop).astype("<u4").view("<f4")


for energy in ("0.1", "0.5", "2"):
    shutil.copyfile(results / f"dpk_e_{energy}MeV.csv", target / f"electron_{energy}MeV.csv")
for energy in ("0.113", "0.364", "1"):
    shutil.copyfile(results / f"photon_dpk_{energy}MeV.csv", target / f"photon_{energy}MeV.csv")
for nuclide in ("Lu-177", "Y-90", "I-131"):
    shutil.copyfile(results / f"vsv_{nuclide}_3mm.csv", target / f"s_values_{nuclide}_3mm.csv")
    shutil.copyfile(results / f"emission_{nuclide}.csv", target / f"emissions_{nuclide}.csv")
    shutil.copyfile(results / f"dpk_{nuclide}.csv", target / f"point_kernel_{nuclide}.csv")
    shutil.copyfile(results / f"dpk_fine_{nuclide}.csv", target / f"point_kernel_fine_{nuclide}.csv")
for nuclide in ("Lu-177", "Y-90"):
    read = lambda what: np.load(results / f"hetero_A_{nuclide}_{what}_Gy_per_decay.npy").ravel()
    dose, sigma = rounded(read("dose"), 12), rounded(read("sigma"), 4)
    packed = gzip.compress(dose.tobytes() + sigma.tobytes(), compresslevel=9, mtime=0)
    (target / f"layered_{nuclide}.f32.gz").write_bytes(packed)
