"""Voxel S values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from ._calls import Cancel
from ._errors import FieldError, of_fields

if TYPE_CHECKING:
    from ._core import Core


@dataclass(frozen=True)
class Kernel:
    """Voxel S values."""

    #: Dose to a voxel at offset (i, j, k) per decay in voxel (0, 0, 0), in Gy: one octant, indexed [x, y, z].
    s_gy_per_decay: NDArray[np.float64]
    #: Part of the emitted energy that it holds.
    captured_fraction: float

    def full(self) -> NDArray[np.float64]:
        """All offsets from -radius to radius, which mirror the octant."""
        whole = self.s_gy_per_decay
        for axis in range(3):
            mirrored = np.flip(np.delete(whole, 0, axis), axis)
            whole = np.concatenate([mirrored, whole], axis)
        return whole


def of_answer(answer: Any) -> Kernel:
    """A kernel from the wire."""
    size = int(answer.radius_voxels) + 1
    values = np.array(answer.s_gy_per_decay, np.float64).reshape((size, size, size), order="F")
    return Kernel(values, float(answer.captured_fraction))


def kernel(
    core: Core,
    nuclide: str,
    spacing_mm: Sequence[float],
    radius_voxels: int,
    *,
    timeout: Optional[float],
    cancel: Optional[Cancel],
) -> Kernel:
    """See `Client.kernel`."""
    try:
        edges = [float(edge) for edge in spacing_mm]
    except (TypeError, ValueError):
        reason = f"is three numbers, along x, y and z in mm; got {spacing_mm!r}"
        raise of_fields([FieldError("spacing_mm", reason)]) from None
    fields: dict[str, Any] = {"nuclide": nuclide, "spacing_mm": edges, "radius_voxels": radius_voxels}
    return of_answer(core.ask("DoseService", "ComputeKernel", timeout, cancel=cancel, **fields))
