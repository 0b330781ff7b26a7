"""Absorbed dose, voxel by voxel, for radioligand therapy: the client of the dosegrid server.

    result = dosegrid.compute("activity.nii.gz", ct="ct.nii.gz", nuclide="Lu-177", unit="bq-per-ml",
                              effective_half_life="50h")
    result.dose.save("dose.nii.gz")

Lengths are in mm, densities in g/cm³, doses in Gy, activities and times as their names or units say. It is a research
tool, not a medical device.
"""

from __future__ import annotations

import atexit
import pkgutil
import threading
from typing import TYPE_CHECKING, Optional

from ._async import AsyncClient, AsyncJob
from ._calls import Cancel
from ._client import Client, Job
from ._clinic import Bed, BedOptions
from ._cohort import Cohort, cohort
from ._errors import (
    Cancelled,
    DosegridError,
    EngineFailure,
    FieldError,
    InvalidRequest,
    NotFound,
    ServerBusy,
    Timeout,
    TooLarge,
    Unavailable,
)
from ._geometry import Grid
from ._images import ImageLike, Volume
from ._integrals import CurveOptions, Integrals, IntegrateOptions, Scan
from ._jobs import JobInfo
from ._kernel import Kernel
from ._options import Options
from ._progress import OnProgress, Progress
from ._result import Histogram, Image, Organ, Organs, Result, Warning
from ._version import __version__

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = [
    "AsyncClient",
    "AsyncJob",
    "Bed",
    "BedOptions",
    "Cancel",
    "Cancelled",
    "Client",
    "Cohort",
    "CurveOptions",
    "DosegridError",
    "EngineFailure",
    "FieldError",
    "Grid",
    "Histogram",
    "Image",
    "ImageLike",
    "Integrals",
    "IntegrateOptions",
    "InvalidRequest",
    "Job",
    "JobInfo",
    "Kernel",
    "NotFound",
    "Options",
    "Organ",
    "Organs",
    "Progress",
    "Result",
    "Scan",
    "ServerBusy",
    "Timeout",
    "TooLarge",
    "Unavailable",
    "Volume",
    "Warning",
    "__version__",
    "cohort",
    "compute",
]

# A user's own stubs of the protocol, `dosegrid.v1`, may lie in a folder `dosegrid` beside the user's script.
__path__ = pkgutil.extend_path(__path__, __name__)

_lock = threading.Lock()
_client: Optional[Client] = None


def _shared() -> Client:
    """The client of `compute`: of DOSEGRID_SERVER, or of a server that is started once."""
    global _client
    with _lock:
        if _client is None:
            _client = Client()
            atexit.register(_client.close)
        return _client


def compute(
    activity: ImageLike,
    *,
    progress: OnProgress = None,
    timeout: Optional[float] = None,
    cancel: Optional[Cancel] = None,
    **options: "Unpack[Options]",
) -> Result:
    """Computes the absorbed dose of an activity map, as `Client.compute` does, on the server of the variable
    DOSEGRID_SERVER, or on one that is started on this machine and ends with this process.

    :param activity: a SimpleITK or nibabel image, a file, an array with `spacing_mm` and `axes`, or a `Volume`
    :param options: see `Options`: at least `unit`, `nuclide`, and `density` or `ct`
    """
    return _shared().compute(activity, progress=progress, timeout=timeout, cancel=cancel, **options)
