"""Where voxels are: shapes are (nx, ny, nz), lengths in mm, patient coordinates RAS as in NIfTI."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Optional, Sequence, Union

import numpy as np
from numpy.typing import NDArray

from . import _wire

Affine = NDArray[np.float64]
#: From LPS (DICOM, ITK) to RAS (NIfTI), and back.
LPS_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])

#: Lengths along x, y and z in mm, in this order whatever the axes of an array are, or by name.
Spacing = Union[Sequence[float], Mapping[str, float]]


@dataclass(frozen=True)
class Grid:
    """A regular grid of voxels."""

    #: Voxels along x, y and z.
    shape: tuple[int, int, int]
    #: Voxel edges along x, y and z in mm.
    spacing_mm: tuple[float, float, float]
    #: From voxel indices (x, y, z) to patient coordinates (RAS) in mm, 4×4 row by row; none: the grid says nothing of
    #: the patient, and its axes are taken as the patient's.
    affine_mm: Optional[tuple[float, ...]] = None

    @staticmethod
    def of_affine(shape: Sequence[int], affine: Any) -> Grid:
        """A grid from its affine (RAS), whose columns are the voxel edges."""
        matrix = np.asarray(affine, np.float64)
        spacing = np.sqrt((matrix[:3, :3] ** 2).sum(axis=0))
        return Grid(_three(shape), _edges(spacing), tuple(float(number) for number in matrix.reshape(-1)))

    @staticmethod
    def of_spacing(shape: Sequence[int], spacing_mm: Spacing) -> Grid:
        """A grid of which only the voxel size is known."""
        if isinstance(spacing_mm, Mapping):
            x, y, z = (spacing_mm[axis] for axis in "xyz" if len(spacing_mm) == 3)
            spacing_mm = [x, y, z]
        return Grid(_three(shape), _edges(spacing_mm))

    def unplaced(self) -> Grid:
        """The same without an affine, if that says no more than the voxel edges. A server makes such a one up for
        volumes that came without.
        """
        says_nothing = np.array_equal(self.matrix, np.diag([*self.spacing_mm, 1.0]))
        return Grid(self.shape, self.spacing_mm) if says_nothing else self

    @property
    def matrix(self) -> Affine:
        """The affine (RAS) as a 4×4 matrix; without one, voxel (0, 0, 0) lies at the origin."""
        if self.affine_mm is None:
            return np.diag([*self.spacing_mm, 1.0])
        return np.array(self.affine_mm).reshape(4, 4)

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel in mL."""
        return float(np.prod(self.spacing_mm)) / 1000.0

    def message(self) -> Any:
        """The grid on the wire."""
        return _wire.message("VoxelGrid")(shape=self.shape, spacing_mm=self.spacing_mm, affine_mm=self.affine_mm or ())

    @staticmethod
    def of_message(grid: Any) -> Grid:
        """A grid from the wire."""
        affine = tuple(grid.affine_mm)
        if len(affine) == 12:
            affine += (0.0, 0.0, 0.0, 1.0)
        return Grid(_three(grid.shape), _edges(grid.spacing_mm), affine or None)


def _three(shape: Any) -> tuple[int, int, int]:
    x, y, z = (int(number) for number in shape)
    return x, y, z


def _edges(spacing: Any) -> tuple[float, float, float]:
    x, y, z = (float(number) for number in spacing)
    return x, y, z
