"""The first dose: a sphere of Lu-177 in water, and what can be asked of the result.

python first_dose.py [dose.nii.gz]
"""

import sys

import numpy as np

import dosegrid

# 4 mm voxels, indexed [x, y, z]; 0.5 MBq·h in each voxel of a sphere of 2 cm.
place = np.indices((40, 40, 40)) - 20
sphere = (place**2).sum(axis=0) <= 5**2
activity = np.where(sphere, 0.5, 0.0)
water = np.ones(activity.shape)

result = dosegrid.compute(
    activity,
    density=water,
    labels=sphere,
    label_names={1: "sphere"},
    spacing_mm=(4.0, 4.0, 4.0),
    axes="xyz",
    nuclide="Lu-177",
    unit="mbq-h",
    target_uncertainty=0.02,
    progress=True,
)

organ = result.organs["sphere"]
print(f"{organ.name}: {organ.mean_by_mass_gy:.4g} ± {organ.mean_by_mass_sigma_gy:.1g} Gy in {organ.volume_cm3:.3g} cm³")
print("computed on", result.provenance["device"]["name"], "with", result.provenance["method"])
for warning in result.warnings:
    print("warning:", warning)
if len(sys.argv) > 1:
    result.dose.save(sys.argv[1])
