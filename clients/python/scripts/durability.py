"""What it costs that jobs and volumes last: jobs a second and rate of upload of one caller, beside `Compute`.

python durability.py PLAIN DURABLE      two servers, the second with a store
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import Any, Callable

import numpy as np

import dosegrid

JOBS = 40
UPLOADS = 6
PLACED = {"spacing_mm": (4.0, 4.0, 4.0), "axes": "xyz", "nuclide": "Lu-177", "unit": "mbq-h", "method": "local"}


def median_s(times: int, what: Callable[[int], Any]) -> float:
    """Median time of a call [s]; the first one does not count."""
    found = []
    for number in range(times + 1):
        begun = time.perf_counter()
        what(number)
        found.append(time.perf_counter() - begun)
    return statistics.median(found[1:])


def volume(size: int, number: int) -> Any:
    """One that no server has."""
    return np.full((size, size, size), 1.0 + time.time() % 1e6 + number, np.float32)


def main() -> None:
    with dosegrid.Client(sys.argv[1]) as plain, dosegrid.Client(sys.argv[2]) as durable:
        water = np.ones((16, 16, 16), np.float32)

        def by_compute(client: dosegrid.Client) -> Callable[[int], Any]:
            return lambda number: client.compute(volume(16, number), density=water, **PLACED)

        def by_job(number: int) -> Any:
            job = durable.submit(volume(16, number), density=water, **PLACED)
            job.wait()
            return job.result()

        ways = {
            "Compute, no store": by_compute(plain),
            "Compute, beside a store": by_compute(durable),
            "volume, job and result": by_job,
        }
        for name, way in ways.items():
            print(f"16³, local: {name}: {1 / median_s(JOBS, way):.1f} a second")
        big = np.ones((256, 256, 256), np.float32)
        gigabytes = 1e-9 * big.nbytes
        sent = median_s(UPLOADS, lambda number: durable.submit(volume(256, number), density=big, **PLACED).cancel())
        print(f"256³ float32 stored, density known, job made and cancelled: {gigabytes / sent:.2f} GB/s")
        whole = median_s(UPLOADS, lambda number: plain.compute(volume(256, number), density=big, **PLACED))
        print(f"256³ float32 by Compute, two volumes up and a dose down, computed: {3 * gigabytes / whole:.2f} GB/s")


if __name__ == "__main__":
    main()
