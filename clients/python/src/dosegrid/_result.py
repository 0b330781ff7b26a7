"""What a server computed."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields
from typing import Any, Iterator, Mapping, Optional, Union, overload

import numpy as np
from numpy.typing import NDArray

from . import _html, _images
from ._errors import EngineFailure
from ._geometry import Grid
from ._images import Axes, Volume
from ._plain import plain

_ROLES = {
    "dose": "VOLUME_ROLE_DOSE",
    "uncertainty": "VOLUME_ROLE_UNCERTAINTY",
    "weighted_dose": "VOLUME_ROLE_WEIGHTED_DOSE",
    "dose_on_ct": "VOLUME_ROLE_DOSE_ON_CT",
}


@dataclass(frozen=True, eq=False)
class Image:
    """A map in Gy, and where it lies. `numpy.asarray(image)` is its values."""

    #: Values and where they are.
    volume: Volume

    @property
    def grid(self) -> Grid:
        """Where its voxels are."""
        return self.volume.grid

    @property
    def gy(self) -> NDArray[np.float32]:
        """Its values in Gy, indexed as the activity: [z, y, x] of SimpleITK, [x, y, z] of nibabel and files."""
        return _images.in_axes(self.volume.values, self.volume.axes)

    def __array__(self, dtype: Any = None, copy: Optional[bool] = None) -> NDArray[Any]:
        return np.array(self.gy, dtype=dtype, copy=True) if copy else np.asarray(self.gy, dtype=dtype)

    def to_sitk(self) -> Any:
        """As a SimpleITK image, at its place in the patient; a warning tells if nobody said where that is."""
        return _images.to_sitk(self.volume.values, self.grid)

    def to_nibabel(self) -> Any:
        """As a NIfTI image of nibabel, at its place in the patient."""
        return _images.to_nibabel(self.volume.values, self.grid)

    def save(self, path: Union[str, "os.PathLike[str]"]) -> None:
        """Writes a file in the format of its name: .nii, .nii.gz, and with SimpleITK .nrrd, .mha and others."""
        _images.save(self.volume.values, self.grid, path)


@dataclass(frozen=True)
class Warning:
    """What a person should look at before using the dose."""

    #: Stable, such as `ACTIVITY_IN_AIR`.
    reason: str
    #: The same in words, with figures.
    message: str
    #: The field that it is about.
    field: str = ""

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True)
class Histogram:
    """A cumulative dose-volume histogram: element i is the part of the volume that receives at least i steps."""

    step_gy: float
    volume_fraction: NDArray[np.float64]

    @property
    def dose_gy(self) -> NDArray[np.float64]:
        """The doses of its points in Gy."""
        steps: NDArray[np.float64] = np.arange(len(self.volume_fraction), dtype=np.float64)
        return steps * self.step_gy


@dataclass(frozen=True)
class Organ:
    """Dose of an organ. Figures of a dose are none where no voxel of the organ has one."""

    label: int
    name: str
    #: The absorbed dose: energy over mass.
    mean_by_mass_gy: Optional[float] = None
    mean_by_mass_sigma_gy: Optional[float] = None
    #: Mean of the dose map over the volume.
    mean_gy: Optional[float] = None
    mean_sigma_gy: Optional[float] = None
    min_gy: Optional[float] = None
    max_gy: Optional[float] = None
    d98_gy: Optional[float] = None
    d95_gy: Optional[float] = None
    d90_gy: Optional[float] = None
    d70_gy: Optional[float] = None
    d50_gy: Optional[float] = None
    d2_gy: Optional[float] = None
    d1cc_gy: Optional[float] = None
    #: By how much noise has moved figures of single voxels.
    min_noise_gy: Optional[float] = None
    d98_noise_gy: Optional[float] = None
    d95_noise_gy: Optional[float] = None
    d2_noise_gy: Optional[float] = None
    max_noise_gy: Optional[float] = None
    #: Those of them that noise has moved by more than a hundredth.
    moved_by_noise: str = ""
    mass_g: float = 0.0
    volume_cm3: float = 0.0
    #: Of the voxels that have a dose.
    counted_volume_cm3: float = 0.0
    counted_mass_g: float = 0.0
    #: Of those with too low a density for one.
    excluded_volume_cm3: float = 0.0
    #: Decays: time-integrated activity in Bq·s.
    decays_bq_s: float = 0.0
    time_integrated_activity_mbq_h: float = 0.0
    time_integrated_activity_coefficient_h: Optional[float] = None
    mean_by_mass_gy_per_injected_gbq: Optional[float] = None
    voxels: int = 0
    voxels_without_dose: int = 0
    dose_volume: Optional[Histogram] = None


class Organs(Mapping[Union[int, str], Organ]):
    """Organs by rising label; found by label, or by a name that only one has."""

    def __init__(self, organs: list[Organ]) -> None:
        self._organs = organs

    def __getitem__(self, key: Union[int, str]) -> Organ:
        found = [organ for organ in self._organs if key in (organ.label, organ.name)]
        if len(found) > 1:
            labels = ", ".join(str(organ.label) for organ in found)
            raise KeyError(f"{key!r} is the name of several: take one of the labels {labels}")
        if not found:
            raise KeyError(key)
        return found[0]

    def __iter__(self) -> Iterator[Union[int, str]]:
        return (organ.label for organ in self._organs)

    def __len__(self) -> int:
        return len(self._organs)

    def __repr__(self) -> str:
        return f"Organs({', '.join(organ.name for organ in self._organs)})"

    def rows(self) -> list[dict[str, Any]]:
        """One dictionary an organ, without histograms: what a data frame is made from."""
        names = [one.name for one in fields(Organ) if one.name != "dose_volume"]
        return [{name: getattr(organ, name) for name in names} for organ in self._organs]


@dataclass
class Result:
    """What a server computed."""

    #: Absorbed dose in Gy.
    dose: Image
    #: 1σ of the dose in Gy; none if the method has none.
    uncertainty: Optional[Image]
    #: Biologically weighted dose in Gy (RBE), where it was asked for. It is not an absorbed dose.
    weighted_dose: Optional[Image]
    #: The dose on the grid of the CT or density, where it was asked for.
    dose_on_ct: Optional[Image]
    #: Doses of organs.
    organs: Organs
    #: What to look at before using the dose.
    warnings: list[Warning]
    #: Where it came from: version, device, method, energies, seed, histories. Names as in the protocol.
    provenance: dict[str, Any]
    #: Total activity and decays.
    activity: dict[str, Any]
    #: How the volumes were understood, and what was done to them.
    intake: dict[str, Any]
    #: The tally, which adds up with others, where it was asked for.
    tally: Optional[bytes] = None
    #: What the server's log calls the request.
    request_id: Optional[str] = None
    _background: Optional[Volume] = field(default=None, repr=False)

    def _repr_html_(self) -> str:
        return _html.page(self, self._background)


def organs_of(message: Any) -> Organs:
    """Organs from the wire."""
    known = {one.name for one in fields(Organ)}
    organs = []
    for organ in message.organs:
        found = {name: value for name, value in plain(organ).items() if name in known}
        histogram = found.pop("dose_volume", None)
        if histogram is not None:
            found["dose_volume"] = Histogram(histogram["step_gy"], np.array(histogram["volume_fraction"]))
        organs.append(Organ(**found))
    return Organs(organs)


def warnings_of(message: Any) -> list[Warning]:
    """Warnings from the wire."""
    return [Warning(one.reason, one.message, one.field) for one in message.warnings]


class Incoming:
    """The volumes of a result as they come.

    :param is_placed: whether those that it was computed from lie in the patient
    """

    def __init__(self, result: Any, axes: Axes, on_ct_axes: Axes, is_placed: bool = True) -> None:
        self.message = result
        self._is_placed = is_placed
        self._axes = {"dose_on_ct": on_ct_axes}
        self._usual_axes = axes
        self.arrays: dict[str, NDArray[np.float32]] = {}
        self.tally = bytearray()
        for name in _ROLES:
            if result.HasField(name):
                shape = tuple(int(number) for number in getattr(result, name).grid.shape)
                self.arrays[name] = np.empty(shape, "<f4", order="F")
        self._bytes = {name: self._flat(array) for name, array in self.arrays.items()}
        self._come = dict.fromkeys(self.arrays, 0)

    @staticmethod
    def _flat(array: NDArray[np.float32]) -> memoryview:
        flat: Any = array.reshape(-1, order="F")
        return memoryview(flat).cast("B")

    def take(self, name: str, offset: int, data: bytes) -> None:
        """A piece of a volume. One that was sent before may come again.

        :raises EngineFailure: if one before it is missing, or it is past the end
        """
        end = offset + len(data)
        if offset > self._come[name] or end > len(self._bytes[name]):
            raise EngineFailure(f"bytes {offset} to {end} of the {name} came after {self._come[name]}")
        self._bytes[name][offset:end] = data
        self._come[name] = max(self._come[name], end)

    def take_chunk(self, role: str, chunk: Any) -> None:
        """A piece of a volume of a call."""
        self.take(role, chunk.offset_bytes, chunk.data)

    @overload
    def _image(self, name: str, needed: None = None) -> Optional[Image]: ...

    @overload
    def _image(self, name: str, needed: bool) -> Image: ...

    def _image(self, name: str, needed: Optional[bool] = None) -> Optional[Image]:
        if name not in self.arrays:
            return None
        grid = Grid.of_message(getattr(self.message, name).grid)
        grid = grid if self._is_placed else grid.unplaced()
        return Image(Volume(self.arrays[name], grid, self._axes.get(name, self._usual_axes)))

    def finish(self, background: Optional[Volume], request_id: Optional[str]) -> Result:
        """The result, once all has come.

        :raises EngineFailure: if a part of a volume did not
        """
        message = self.message
        for name, whole in self._bytes.items():
            if self._come[name] < len(whole):
                raise EngineFailure(f"{self._come[name]} of {len(whole)} bytes of the {name} came")
        return Result(
            dose=self._image("dose", True),
            uncertainty=self._image("uncertainty"),
            weighted_dose=self._image("weighted_dose"),
            dose_on_ct=self._image("dose_on_ct"),
            organs=organs_of(message),
            warnings=warnings_of(message),
            provenance=plain(message.provenance),
            activity=plain(message.activity),
            intake=plain(message.intake),
            tally=bytes(self.tally) if self.tally else None,
            request_id=request_id,
            _background=background,
        )


def roles() -> dict[int, str]:
    """The volumes of a result by their role."""
    from . import _wire

    return {_wire.number("VolumeRole", role): name for name, role in _ROLES.items()}
