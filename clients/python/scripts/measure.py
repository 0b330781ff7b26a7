"""Measures the client: rate of uploads by memory order, overhead of a call, memory beside the volumes.

python measure.py SERVER [PATIENT]      PATIENT: a folder with activity_bq.nii.gz and density_g_cm3.nii.gz
"""

from __future__ import annotations

import resource
import statistics
import sys
import time
from typing import Any, Iterator

import numpy as np

import dosegrid
from dosegrid import _request

TRIES = 5
PLACED = {"spacing_mm": (4.0, 4.0, 4.0), "axes": "xyz", "nuclide": "Lu-177", "unit": "mbq-h", "method": "local"}


def memory_bytes() -> int:
    """Most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def upload_rate(client: dosegrid.Client, values: Any) -> tuple[float, float]:
    """GB/s from the first message to the last one taken, of activity and density together; CPU time of this process in
    s for each GB meanwhile, which other work on the machine does not change."""
    messages = _request.Prepared.messages
    times: list[float] = []
    spent: list[float] = []

    def timed(prepared: Any) -> Iterator[bytes]:
        times.append(time.perf_counter())
        spent.append(time.process_time())
        yield from messages(prepared)
        times.append(time.perf_counter())
        spent.append(time.process_time())

    _request.Prepared.messages = timed  # type: ignore[method-assign]
    try:
        client.compute(values, density=values, **PLACED)
    finally:
        _request.Prepared.messages = messages  # type: ignore[method-assign]
    gigabytes = 2e-9 * float(values.nbytes)
    return gigabytes / (times[1] - times[0]), (spent[1] - spent[0]) / gigabytes


def main() -> None:
    with dosegrid.Client(sys.argv[1]) as client:
        client.info()
        for size in 128, 256:
            plain = np.ones((size, size, size), np.float32)
            for name, values in ("F", np.asfortranarray(plain)), ("C", plain):
                rates = [upload_rate(client, values) for _ in range(TRIES)]
                best, median = max(rates)[0], statistics.median(rate for rate, _ in rates)
                cpu = min(spent for _, spent in rates)
                print(f"{size}³ float32 {name} order: best {best:.2f}, median {median:.2f} GB/s, {cpu:.2f} CPU-s/GB")
        plain = np.ones((384, 384, 384), np.float32)
        before = memory_bytes()
        result = client.compute(plain, density=plain, **PLACED)
        more = memory_bytes() - before
        # The dose comes on top of the two volumes, which are one array here.
        whole = plain.nbytes + result.dose.gy.nbytes
        print(f"memory, 384³: {(plain.nbytes + more) / whole:.2f} times volume and dose ({more / 1e6:.0f} MB more)")
        if len(sys.argv) > 2:
            patient(client, sys.argv[2])


def patient(client: dosegrid.Client, folder: str) -> None:
    """Time of a warm kernel dose of a patient, and how much of it is the server's."""
    import nibabel

    activity, density = (
        nibabel.Nifti1Image(np.asarray(image.dataobj), image.affine)
        for image in (nibabel.load(f"{folder}/{name}") for name in ("activity_bq.nii.gz", "density_g_cm3.nii.gz"))
    )
    options = {"nuclide": "Lu-177", "unit": "bq", "effective_half_life": "50h", "method": "kernel"}
    for correction in "water", "density-scaled":
        whole, server, spent = [], [], []
        for _ in range(4 * TRIES):
            begun, used = time.perf_counter(), time.process_time()
            result = client.compute(
                activity,
                density=density,
                density_correction=correction,
                **options,  # type: ignore[arg-type]
            )
            whole.append(time.perf_counter() - begun)
            spent.append(time.process_time() - used)
            server.append(sum(one["wall_time_s"] for one in result.provenance["wall_time"]))
        best = min(range(len(whole)), key=whole.__getitem__)
        print(
            f"patient, warm kernel, {correction}: {1e3 * whole[best]:.0f} ms end to end (median "
            f"{1e3 * statistics.median(whole):.0f}), {1e3 * server[best]:.0f} ms of them computing, "
            f"{1e3 * min(spent):.0f} ms of processor time in the client"
        )


main()
