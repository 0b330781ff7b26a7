"""One case of matrix.sh: a dose and a refusal, by a server that is started for it. With a folder, of a patient."""

import hashlib
import platform
import sys
import time
from importlib.metadata import version

import numpy as np
from dosegrid.v1 import own_pb2  # type: ignore[import-not-found]

import dosegrid

assert own_pb2.HERE == "the user"
water = np.ones((24, 20, 16), np.float32)
sphere = np.fromfunction(lambda x, y, z: (x - 12) ** 2 + (y - 10) ** 2 + (z - 8) ** 2 < 30, water.shape)
begun = time.perf_counter()
with dosegrid.Client(device="cpu") as client:
    placed = {"density": water, "spacing_mm": (4, 4, 4), "axes": "xyz", "nuclide": "Lu-177", "unit": "mbq-h"}
    if len(sys.argv) > 1:
        folder = sys.argv[1]
        activity, density = f"{folder}/activity_bq.nii.gz", f"{folder}/density_g_cm3.nii.gz"
        result = client.compute(
            activity, density=density, nuclide="Lu-177", unit="bq", effective_half_life="50h", method="kernel"
        )
    else:
        result = client.compute(sphere, labels=sphere, method="kernel", **placed)
        assert result.organs[1].voxels == int(sphere.sum())
    try:
        client.compute(sphere, method="kernel", **{**placed, "unit": "gray"})
        raise SystemExit("a bad unit was taken")
    except dosegrid.InvalidRequest as error:
        assert error.fields[0].field == "unit"
    try:
        client.nuclide("Lu-178")
        raise SystemExit("an unknown nuclide was found")
    except dosegrid.NotFound as error:
        assert error.reason == "UNKNOWN_NUCLIDE"
    digest = hashlib.sha256(result.dose.gy.tobytes()).hexdigest()[:16]
versions = ", ".join(f"{name} {version(name)}" for name in ("protobuf", "grpcio", "numpy"))
print(f"Python {platform.python_version()}, {versions}: dose {digest}, {time.perf_counter() - begun:.1f} s")
