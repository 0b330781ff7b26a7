"""Images as callers have them, in; images as they gave them, out."""

from __future__ import annotations

import os
import pathlib
from dataclasses import dataclass
from typing import Any, Literal, Optional, Union

import numpy as np
from numpy.typing import NDArray

from ._geometry import LPS_RAS, Grid, Spacing

#: The order of an array's indices.
Axes = Literal["xyz", "zyx"]
#: mm in a unit of NIfTI.
_MM = {"unknown": 1.0, "mm": 1.0, "meter": 1e3, "micron": 1e-3}


class BadImage(ValueError):
    """What is wrong with an image, in words that follow its name."""


@dataclass(frozen=True, eq=False)
class Volume:
    """Values and where they are: made by `of_array` or `like`. The values are not copied."""

    #: Indexed [x, y, z], as it lies in memory.
    values: NDArray[Any]
    grid: Grid
    #: How the caller indexes arrays.
    axes: Axes = "xyz"
    #: value = stored × slope + intercept.
    slope: float = 1.0
    intercept: float = 0.0

    @staticmethod
    def of_array(
        array: Any, spacing_mm: Optional[Spacing] = None, axes: Optional[Axes] = None, affine_mm: Any = None
    ) -> Volume:
        """A volume from an array and its geometry.

        :param array: three-dimensional, of numbers or bool
        :param spacing_mm: voxel edges along x, y and z, always in this order; or `{"x": …, "y": …, "z": …}`
        :param axes: `"xyz"` or `"zyx"`: what the first, second and third index of the array are. There is no default:
            an array in the other order gives a plausible wrong dose
        :param affine_mm: 4×4, from voxel indices (x, y, z) to patient coordinates (RAS); in place of `spacing_mm`
        :raises BadImage: if the array or its geometry cannot be used
        """
        values = _three_dimensional(np.asarray(array))
        missing = [] if axes in ("xyz", "zyx") else ['axes="xyz" or axes="zyx"']
        if spacing_mm is None and affine_mm is None:
            missing.append("spacing_mm=(x, y, z) or affine_mm")
        if missing:
            raise BadImage(f"is an array, which does not say how it lies: give {' and '.join(missing)}")
        values = values if axes == "xyz" else values.transpose(2, 1, 0)
        if affine_mm is None:
            assert spacing_mm is not None
            grid = Grid.of_spacing(values.shape, spacing_mm)
        else:
            matrix = np.asarray(affine_mm, np.float64)
            if matrix.shape == (3, 4):
                matrix = np.vstack([matrix, [0.0, 0.0, 0.0, 1.0]])
            if matrix.shape != (4, 4):
                raise BadImage("has an affine_mm that is neither 4×4 nor 3×4")
            grid = Grid.of_affine(values.shape, matrix)
            if spacing_mm is not None:
                given = Grid.of_spacing(values.shape, spacing_mm).spacing_mm
                if not np.allclose(given, grid.spacing_mm, rtol=1e-4):
                    raise BadImage(f"has spacing_mm {given}, and an affine_mm of {grid.spacing_mm}")
        return Volume(values, grid, axes or "xyz")

    @staticmethod
    def like(array: Any, image: Any) -> Volume:
        """An array that lies as an image does, and is indexed as that one's array is.

        :param image: a SimpleITK or nibabel image, a file, or another volume
        :raises BadImage: if their shapes differ
        """
        model = volume_of(image)
        values = _three_dimensional(np.asarray(array))
        values = values if model.axes == "xyz" else values.transpose(2, 1, 0)
        if values.shape != model.grid.shape:
            raise BadImage(f"has {values.shape} voxels along x, y and z, and the image {model.grid.shape}")
        return Volume(values, model.grid, model.axes)

    def numbers(self) -> NDArray[Any]:
        """The values in the caller's axes, with slope and intercept."""
        values = in_axes(self.values, self.axes)
        if (self.slope, self.intercept) == (1.0, 0.0):
            return values
        return values * self.slope + self.intercept


#: What is taken as a volume.
ImageLike = Union[Volume, str, "os.PathLike[str]", Any]


def in_axes(values: NDArray[Any], axes: Axes) -> NDArray[Any]:
    """An array indexed [x, y, z] in the axes of the caller, without a copy."""
    return values if axes == "xyz" else values.transpose(2, 1, 0)


def _three_dimensional(values: NDArray[Any]) -> NDArray[Any]:
    while values.ndim > 3 and values.shape[-1] == 1:
        values = values[..., 0]
    if values.ndim != 3 or 0 in values.shape:
        raise BadImage(f"has the shape {values.shape}: three dimensions are wanted, none of them empty")
    return values


def volume_of(image: ImageLike, spacing_mm: Optional[Spacing] = None, axes: Optional[Axes] = None) -> Volume:
    """Any image as a volume; its values are not copied where the library that read it allows that.

    :param spacing_mm, axes: of plain arrays
    :raises BadImage: if it cannot be used
    :raises OSError: if its file cannot be read
    """
    if isinstance(image, Volume):
        return image
    if isinstance(image, (str, os.PathLike)):
        return _of_file(pathlib.Path(image))
    if hasattr(image, "GetDirection") and hasattr(image, "GetSpacing"):
        return _of_sitk(image)
    if hasattr(image, "dataobj") and hasattr(image, "affine"):
        return _of_nibabel(image)
    if hasattr(image, "grid") and hasattr(image, "volume"):
        found = image.volume
        if isinstance(found, Volume):
            return found
    return Volume.of_array(image, spacing_mm, axes)


def _of_sitk(image: Any) -> Volume:
    import SimpleITK

    if image.GetDimension() == 4 and image.GetSize()[3] == 1:
        image = image[:, :, :, 0]
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        components = image.GetNumberOfComponentsPerPixel()
        raise BadImage(f"has {image.GetDimension()} dimensions and {components} values a voxel: 3 and 1 are wanted")
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    view = SimpleITK.GetArrayViewFromImage(image)
    values = np.asarray(view).transpose(2, 1, 0)
    return Volume(values, Grid.of_affine(values.shape, LPS_RAS @ affine), "zyx")


def _of_nibabel(image: Any) -> Volume:
    unit = image.header.get_xyzt_units()[0] if hasattr(image.header, "get_xyzt_units") else "mm"
    if unit not in _MM:
        raise BadImage(f"has lengths in {unit}")
    affine = np.asarray(image.affine, np.float64)
    if _MM[unit] != 1.0:
        affine = np.diag([_MM[unit]] * 3 + [1.0]) @ affine
    slope, intercept, data = 1.0, 0.0, image.dataobj
    if hasattr(data, "get_unscaled") and hasattr(data, "slope"):
        slope, intercept = float(data.slope), float(data.inter)
        data = data.get_unscaled()
    values = _three_dimensional(np.asanyarray(data))
    return Volume(values, Grid.of_affine(values.shape, affine), "xyz", slope, intercept)


def _of_file(path: pathlib.Path) -> Volume:
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}")
    is_nifti = path.name.lower().endswith((".nii", ".nii.gz", ".hdr", ".img"))
    if is_nifti:
        try:
            import nibabel
        except ImportError:
            pass
        else:
            return _of_nibabel(nibabel.load(path))
    try:
        import SimpleITK
    except ImportError:
        what = "nibabel or SimpleITK" if is_nifti else "SimpleITK"
        raise BadImage(f"is a file: install {what} to read it") from None
    if path.is_dir():
        raise BadImage("is a folder: `dosegrid convert` makes a file of a DICOM series, with its unit and times")
    found = _of_sitk(SimpleITK.ReadImage(str(path)))
    # As all files: indexed [x, y, z].
    return Volume(found.values, found.grid, "xyz")


def to_sitk(values: NDArray[Any], grid: Grid) -> Any:
    """A SimpleITK image of an array indexed [x, y, z]."""
    import SimpleITK

    image: Any = SimpleITK.GetImageFromArray(np.ascontiguousarray(values.transpose(2, 1, 0)))
    affine = LPS_RAS @ grid.matrix
    image.SetSpacing(grid.spacing_mm)
    image.SetDirection((affine[:3, :3] / np.array(grid.spacing_mm)).reshape(-1).tolist())
    image.SetOrigin(affine[:3, 3].tolist())
    return image


def to_nibabel(values: NDArray[Any], grid: Grid) -> Any:
    """A NIfTI image of an array indexed [x, y, z]."""
    import nibabel

    library: Any = nibabel
    image = library.Nifti1Image(values, grid.matrix)
    image.header.set_xyzt_units("mm")
    return image


def save(values: NDArray[Any], grid: Grid, path: Union[str, "os.PathLike[str]"]) -> None:
    """Writes a file in the format of its name: NIfTI by nibabel or SimpleITK, others by SimpleITK."""
    name = os.fspath(path)
    if name.lower().endswith((".nii", ".nii.gz")):
        try:
            import nibabel
        except ImportError:
            pass
        else:
            nibabel.save(to_nibabel(values, grid), name)
            return
    import SimpleITK

    SimpleITK.WriteImage(to_sitk(values, grid), name)
