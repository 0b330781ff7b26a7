"""Images as callers have them, in; images as they gave them, out."""

from __future__ import annotations

import contextlib
import importlib
import os
import pathlib
import warnings
from dataclasses import dataclass
from typing import Any, Callable, Iterator, Literal, Optional, Union

import numpy as np
from numpy.typing import NDArray

from ._errors import FieldError, of_fields
from ._geometry import LPS_RAS, Grid, Spacing

#: The order of an array's indices.
Axes = Literal["xyz", "zyx"]
#: mm in a unit of NIfTI.
_MM = {"unknown": 1.0, "mm": 1.0, "meter": 1e3, "micron": 1e-3}
#: Distance between the places that sform and qform give to a corner, past which they are unlike, in parts of the
#: smallest voxel edge.
_UNLIKE = 0.1
#: Relative difference up to which two voxel edges are the same.
_SAME_SPACING = 1e-3


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
        :raises InvalidRequest: if the array or its geometry cannot be used
        """
        with _named("array"):
            return _of_array(array, spacing_mm, axes, affine_mm)

    @staticmethod
    def like(array: Any, image: Any) -> Volume:
        """An array that lies as an image does, and is indexed as that one's array is.

        :param image: a SimpleITK or nibabel image, a file, or another volume
        :raises InvalidRequest: if their shapes differ
        """
        with _named("image"):
            model = volume_of(image)
        with _named("array"):
            values = _three_dimensional(_array(array))
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


@contextlib.contextmanager
def _named(argument: str) -> Iterator[None]:
    """Says of which argument a fault is."""
    try:
        yield
    except BadImage as fault:
        raise of_fields([FieldError(argument, str(fault))]) from None


def _of_array(array: Any, spacing_mm: Optional[Spacing], axes: Optional[Axes], affine_mm: Any = None) -> Volume:
    """See `Volume.of_array`.

    :raises BadImage: if the array or its geometry cannot be used
    """
    values = _three_dimensional(_array(array))
    missing = [] if axes in ("xyz", "zyx") else ['axes="xyz" or axes="zyx"']
    if spacing_mm is None and affine_mm is None:
        missing.append("spacing_mm=(x, y, z) or affine_mm")
    if missing:
        raise BadImage(f"is an array, which does not say how it lies: give {' and '.join(missing)}")
    values = values if axes == "xyz" else values.transpose(2, 1, 0)
    if affine_mm is None:
        grid = _spaced(values.shape, spacing_mm)
    else:
        try:
            grid = Grid.of_affine(values.shape, matrix_of(affine_mm))
        except BadImage as fault:
            raise BadImage(f"has an affine_mm that {fault}") from None
        if spacing_mm is not None:
            given = _spaced(values.shape, spacing_mm).spacing_mm
            if not np.allclose(given, grid.spacing_mm, rtol=_SAME_SPACING, atol=0.0):
                raise BadImage(f"has spacing_mm {given}, and an affine_mm of {grid.spacing_mm}")
    return Volume(values, grid, axes or "xyz")


#: What is taken as a volume.
ImageLike = Union[Volume, str, "os.PathLike[str]", Any]


def in_axes(values: NDArray[Any], axes: Axes) -> NDArray[Any]:
    """An array indexed [x, y, z] in the axes of the caller, without a copy."""
    return values if axes == "xyz" else values.transpose(2, 1, 0)


def _array(given: Any) -> NDArray[Any]:
    """An array of what the caller has. Masks are not sent: what lies below one is no value."""
    if np.ma.is_masked(given):
        raise BadImage("has masked voxels: say what they hold, such as array.filled(0)")
    if hasattr(given, "GetImageData") and hasattr(given, "GetName"):
        raise BadImage(
            'is a node of 3D Slicer: give slicer.util.arrayFromVolume(node) with axes="zyx" and '
            "spacing_mm=node.GetSpacing(), or the SimpleITK image of sitkUtils.PullVolumeFromSlicer(node)"
        )
    try:
        return np.asarray(given)
    # A tensor on a GPU or with a gradient, and arrays of uneven rows, each say by themselves what to do.
    except (RuntimeError, TypeError, ValueError) as error:
        raise BadImage(f"is no array of numbers: {error}") from None


def matrix_of(given: Any) -> NDArray[np.float64]:
    """A 4×4 matrix, of which the last row may be left out.

    :raises BadImage: if it is none
    """
    try:
        matrix = np.asarray(given, np.float64)
    except (TypeError, ValueError):
        raise BadImage("is a matrix of 4×4 numbers") from None
    if matrix.shape == (3, 4):
        matrix = np.vstack([matrix, [0.0, 0.0, 0.0, 1.0]])
    if matrix.shape != (4, 4):
        raise BadImage(f"is a matrix of 4×4 numbers, got the shape {matrix.shape}")
    return matrix


def _spaced(shape: Any, spacing_mm: Any) -> Grid:
    try:
        if isinstance(spacing_mm, str):
            raise TypeError
        return Grid.of_spacing(shape, spacing_mm)
    except (KeyError, TypeError, ValueError):
        raise BadImage(f"has the spacing_mm {spacing_mm!r}: three numbers are wanted, along x, y and z") from None


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
    read = _reader(image)
    return read(image) if read is not None else _of_array(image, spacing_mm, axes)


def is_plain_array(image: ImageLike) -> bool:
    """Whether an image does not say by itself how it lies."""
    return _reader(image) is None


def _reader(image: ImageLike) -> Optional[Callable[[Any], Volume]]:
    """What reads an image that says how it lies."""
    if isinstance(image, Volume):
        return lambda volume: volume
    if isinstance(image, (str, os.PathLike)):
        return lambda path: _of_file(pathlib.Path(path))
    if hasattr(image, "GetDirection") and hasattr(image, "GetSpacing"):
        return _of_sitk
    if hasattr(image, "dataobj") and hasattr(image, "affine"):
        return _of_nibabel
    if isinstance(getattr(image, "volume", None), Volume):
        return lambda dose: dose.volume
    return None


def _of_sitk(image: Any) -> Volume:
    import SimpleITK

    if image.GetDimension() == 4 and image.GetSize()[3] == 1:
        image = image[:, :, :, 0]
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        components = image.GetNumberOfComponentsPerPixel()
        raise BadImage(f"has {image.GetDimension()} dimensions and {components} values a voxel: 3 and 1 are wanted")
    if "label" in image.GetPixelIDTypeAsString():
        # SimpleITK ends the process when it is asked for a view of one.
        raise BadImage("is a label map without voxels: SimpleITK.LabelMapToLabel(image) makes them")
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    library: Any = SimpleITK
    view = library.GetArrayViewFromImage(image)
    # A shallow copy: what the caller does to the image then leaves these values alone.
    values = np.asarray(_Kept(view, library.Image(image))).transpose(2, 1, 0)
    return Volume(values, Grid.of_affine(values.shape, LPS_RAS @ affine), "zyx")


class _Kept:
    """The memory of a view with its owner, which an array made of this keeps alive: a view of SimpleITK does not."""

    def __init__(self, view: NDArray[Any], owner: Any) -> None:
        self.owner = owner
        self.__array_interface__ = view.__array_interface__


def _of_nibabel(image: Any) -> Volume:
    unit = image.header.get_xyzt_units()[0] if hasattr(image.header, "get_xyzt_units") else "mm"
    if unit not in _MM:
        raise BadImage(f"has lengths in {unit}")
    slope, intercept, data = 1.0, 0.0, image.dataobj
    if hasattr(data, "get_unscaled") and hasattr(data, "slope"):
        slope, intercept = float(data.slope), float(data.inter)
        data = data.get_unscaled()
    values = _three_dimensional(_array(data))
    return Volume(values, _grid_of_header(image, values.shape, _MM[unit]), "xyz", slope, intercept)


def _grid_of_header(image: Any, shape: tuple[int, ...], mm: float) -> Grid:
    """Where an image of nibabel lies, as the program reads NIfTI: by its sform, else its qform, else nowhere.

    :param mm: in its unit of length
    """
    header = image.header
    zooms = tuple(mm * float(edge) for edge in header.get_zooms()[:3])
    is_nifti = hasattr(header, "get_sform")
    if not is_nifti and hasattr(header, "keys") and "orient" in header.keys():
        raise BadImage("is of Analyze, which does not say which side is left: NIfTI does")
    codes = [int(header[name]) for name in ("sform_code", "qform_code")] if is_nifti else [1]
    # Without a code nibabel makes an affine up.
    if image.affine is None or not any(codes):
        return _spaced(shape, zooms)
    scale = np.diag([mm, mm, mm, 1.0])
    grid = Grid.of_affine(shape, scale @ np.asarray(image.affine, np.float64))
    if not np.allclose(zooms, grid.spacing_mm, rtol=_SAME_SPACING, atol=0.0):
        raise BadImage(f"has voxels of {zooms} mm by its header, and of {grid.spacing_mm} mm by its affine")
    if all(codes):
        _compare_forms(image, grid, scale)
    return grid


def _compare_forms(image: Any, grid: Grid, scale: NDArray[np.float64]) -> None:
    """Warns if the qform places an image elsewhere than the sform, which counts."""
    try:
        qform = scale @ image.header.get_qform()
    except Exception:  # noqa: BLE001  (one that makes no sense is of no account)
        return
    corners = np.array([(x, y, z, 1) for x in (0, 1) for y in (0, 1) for z in (0, 1)]) * [*np.array(grid.shape) - 1, 1]
    far = float(np.linalg.norm(corners @ (grid.matrix - qform).T, axis=1).max())
    if far > _UNLIKE * min(grid.spacing_mm):
        name = image.get_filename() or "an image"
        warnings.warn(
            f"sform and qform of {name} place it differently: a corner by {far:.1f} mm; the sform is used", stacklevel=2
        )


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
    image = SimpleITK.ReadImage(str(path))
    found = _of_sitk(image)
    # As all files: indexed [x, y, z].
    return Volume(found.values, _grid_by_itk(image, found.grid) if is_nifti else found.grid, "xyz")


def _grid_by_itk(image: Any, grid: Grid) -> Grid:
    """Where a NIfTI file lies that SimpleITK read, whose rules for sform and qform are others."""
    said = {name: image.GetMetaData(name) for name in image.GetMetaDataKeys()}
    codes = [int(said.get(name, 1)) for name in ("sform_code", "qform_code")]
    if not any(codes):
        return _spaced(grid.shape, grid.spacing_mm)
    rows = [said.get(f"srow_{axis}", "").split() for axis in "xyz"]
    if codes[0] and all(len(row) == 4 for row in rows):
        mm = {1: 1e3, 3: 1e-3}.get(int(said.get("xyzt_units", 0)) & 7, 1.0)
        if not np.allclose(np.array(rows, float) * mm, grid.matrix[:3], rtol=1e-4, atol=0.01 * min(grid.spacing_mm)):
            raise BadImage("is a file whose sform and qform place it differently: install nibabel to read it")
    return grid


def needed(package: str, what: str) -> Any:
    """A package that this one does without, until it is asked for what needs it.

    :raises ImportError: says how to get it
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ImportError(f"{what} needs the package {package}: pip install {package}") from error


def to_sitk(values: NDArray[Any], grid: Grid) -> Any:
    """A SimpleITK image of an array indexed [x, y, z]. It always lies somewhere, which is told where nobody said it."""
    SimpleITK = needed("SimpleITK", "a SimpleITK image")
    if grid.affine_mm is None:
        warnings.warn(
            "nobody said where these voxels lie in the patient: the image has its first one at the origin, x to the "
            "right, y to the front and z to the head; dosegrid.Volume.like(array, image) takes the place of an image",
            stacklevel=3,
        )
    image: Any = SimpleITK.GetImageFromArray(np.ascontiguousarray(values.transpose(2, 1, 0)))
    affine = LPS_RAS @ grid.matrix
    image.SetSpacing(grid.spacing_mm)
    image.SetDirection((affine[:3, :3] / np.array(grid.spacing_mm)).reshape(-1).tolist())
    image.SetOrigin(affine[:3, 3].tolist())
    return image


def to_nibabel(values: NDArray[Any], grid: Grid) -> Any:
    """A NIfTI image of an array indexed [x, y, z]. Its form codes are 0 where nobody said where it lies."""
    place = None if grid.affine_mm is None else grid.matrix
    image = needed("nibabel", "an image of nibabel").Nifti1Image(values, place)
    if place is None:
        image.header.set_zooms(grid.spacing_mm)
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
    what = f"a file such as {name}"
    needed("SimpleITK", what if not name.lower().endswith((".nii", ".nii.gz")) else f"{what} (or nibabel)").WriteImage(
        to_sitk(values, grid), name
    )
