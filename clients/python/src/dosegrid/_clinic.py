"""What surrounds a dose: time integration of activity maps, biologically effective dose, uncertainty budgets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Iterator, Mapping, Optional, Sequence

import numpy as np

from . import _errors, _upload, _wire
from ._calls import Cancel, Deadline, Source, only
from ._images import BadImage, ImageLike, Volume, volume_of
from ._plain import plain
from ._result import Image

if TYPE_CHECKING:
    from ._core import Core

#: MBq·h in a Bq·s.
_MBQ_H = 1.0 / 3.6e9


@dataclass(frozen=True)
class Bed:
    """Biologically effective doses."""

    #: Of each region, in the order given: `name`, `dose_gy`, `bed_gy`, `eqd2_gy`, `cycles` and what else there is.
    regions: list[dict[str, Any]]
    #: What holds for every such figure.
    note: str
    #: The BED of each voxel in Gy, if it was asked for.
    bed: Optional[Image] = None
    #: The EQD2 of each voxel in Gy, if it was asked for.
    eqd2: Optional[Image] = None
    #: Voxels of the maps that belong to no region, and hold 0.
    voxels_without_bed: Optional[int] = None


@dataclass(frozen=True)
class Integrals:
    """Activity maps, integrated over time."""

    #: Time-integrated activity in Bq·s a voxel: `compute` takes it with `unit="bq-s"`.
    tia: Volume
    #: The curve of each region: `name`, `label`, `model`, `half_lives_h`, `tia_mbq_h`, `flags` and what else there is.
    regions: list[dict[str, Any]]
    #: How many voxels were integrated in which way; with `voxelwise` only.
    voxel_kinds: list[dict[str, Any]]
    #: What a person should look at.
    warnings: list[str]

    @property
    def tia_mbq_h(self) -> float:
        """The sum over the map in MBq·h."""
        return float(np.sum(self.tia.values, dtype=np.float64)) * _MBQ_H


@dataclass(frozen=True)
class Scan:
    """An activity map of a series."""

    #: A SimpleITK or nibabel image, a file, or a `Volume`.
    activity: ImageLike
    #: When the scan began, in h since the start of the administration.
    time_h: float
    #: How long it took in h; none: the values are those at its start.
    duration_h: Optional[float] = None


def _fill(target: Any, values: Mapping[str, Any], path: str) -> None:
    """Sets fields of a message from a mapping, with mappings and lists in it.

    :raises InvalidRequest: for a name that the message does not have, or a value of another kind
    """
    known = target.DESCRIPTOR.fields_by_name
    for name, value in values.items():
        where = f"{path}.{name}"
        if name not in known:
            reason = f"is not known; known are {', '.join(sorted(known))}"
            raise _errors.InvalidRequest(fields=(_errors.FieldError(where, reason),))
        if value is None:
            continue
        try:
            field = getattr(target, name)
            if isinstance(value, Mapping):
                field.SetInParent()
                _fill(field, value, where)
            elif isinstance(value, (list, tuple)) and value and isinstance(value[0], Mapping):
                for at, one in enumerate(value):
                    _fill(field.add(), one, f"{where}[{at}]")
            elif isinstance(value, (list, tuple)):
                field.extend(value)
            else:
                setattr(target, name, value)
        except (TypeError, ValueError, AttributeError):
            reason = f"cannot be {value!r}"
            raise _errors.InvalidRequest(fields=(_errors.FieldError(where, reason),)) from None


def _regions(target: Any, regions: Sequence[Mapping[str, Any]]) -> None:
    for at, region in enumerate(regions):
        _fill(target.add(), region, f"regions[{at}]")


class _Volumes:
    """Volumes to send: described in a header, then sent in pieces."""

    def __init__(self, request: str) -> None:
        self._chunk = _wire.Envelope((request, "chunk"), "VolumeChunk")
        self._all: list[tuple[int, int, Volume, _upload.Element]] = []

    def add(self, name: str, image: ImageLike, role: str, target: Any, index: int = 0) -> Volume:
        """Describes a volume.

        :raises InvalidRequest: if it cannot be sent
        """
        try:
            volume = volume_of(image)
            element = _upload.element_of(volume.values)
        except (BadImage, _upload.NotSendable) as fault:
            raise _errors.InvalidRequest(fields=(_errors.FieldError(name, str(fault)),)) from None
        target.grid.CopyFrom(volume.grid.message())
        target.element_type = element.number
        if (volume.slope, volume.intercept) != (1.0, 0.0):
            target.slope, target.intercept = volume.slope, volume.intercept
        self._all.append((_wire.number("VolumeRole", f"VOLUME_ROLE_{role}"), index, volume, element))
        return volume

    def messages(self) -> Iterator[bytes]:
        """The pieces of all volumes."""
        for role, index, volume, element in self._all:
            offset = 0
            for piece in _upload.pieces(volume.values, element.dtype):
                yield self._chunk.pack(piece, volume=role, offset_bytes=offset, index=index)
                offset += len(piece)


class _Answer:
    """Takes the answers of a call: how far it is, its result, and maps."""

    def __init__(self, on_fraction: Optional[Callable[[float], Any]]) -> None:
        self._on_fraction = on_fraction
        self.results: list[Any] = []
        self.maps: dict[int, bytearray] = {}

    def take(self, response: Any) -> None:
        kind = response.WhichOneof("message")
        if kind == "fraction" and self._on_fraction is not None:
            self._on_fraction(response.fraction)
        elif kind == "result":
            self.results.append(response.result)
        elif kind == "chunk":
            self.maps.setdefault(response.chunk.volume, bytearray()).extend(response.chunk.data)

    def volume(self, role: str, like: Volume) -> Volume:
        """A map that came, on the voxels of one that was sent."""
        data = self.maps[_wire.number("VolumeRole", f"VOLUME_ROLE_{role}")]
        return Volume(np.frombuffer(data, "<f4").reshape(like.grid.shape, order="F"), like.grid, like.axes)


def _exchange(
    core: Core,
    rpc: str,
    header: Any,
    volumes: _Volumes,
    progress: Optional[Callable[[float], Any]],
    timeout: Optional[float],
    cancel: Optional[Cancel],
) -> _Answer:
    deadline = Deadline(timeout)
    method = _wire.method("DoseService", rpc)
    answer = _Answer(progress)

    def messages() -> Iterator[bytes]:
        yield method.request(header=header).SerializeToString()
        yield from volumes.messages()

    connection = core.connection(deadline)
    connection.exchange(method, Source(messages()), answer.take, deadline=deadline, cancel=cancel)
    return answer


def bed(
    core: Core,
    regions: Sequence[Mapping[str, Any]],
    nuclide: str,
    *,
    rbe: Optional[float] = None,
    mixed_field: bool = False,
    doses: Sequence[ImageLike] = (),
    labels: Optional[ImageLike] = None,
    organs: Optional[Mapping[int, ImageLike]] = None,
    density: Optional[ImageLike] = None,
    minimum_density: Optional[float] = None,
    maps: bool = True,
    progress: Optional[Callable[[float], Any]] = None,
    timeout: Optional[float] = None,
    cancel: Optional[Cancel] = None,
) -> Bed:
    """See `Client.bed`."""
    has_maps = len(doses) > 0
    header = _wire.message("BedHeader")(nuclide=nuclide, mixed_field=mixed_field)
    _regions(header.regions, regions)
    for name, value in ("rbe", rbe), ("minimum_density_g_cm3", minimum_density):
        if value is not None:
            setattr(header, name, value)
    header.return_bed = header.return_eqd2 = has_maps and maps
    volumes = _Volumes("ComputeBedRequest")
    maps_sent = [
        volumes.add(f"doses[{index}]", dose, "DOSE", header.doses.add(), index) for index, dose in enumerate(doses)
    ]
    for name, image in ("labels", labels), ("density", density):
        if image is not None:
            volumes.add(name, image, name.upper(), getattr(header, name))
    for index, (label, mask) in enumerate((organs or {}).items()):
        organ = header.organ_volumes.add(label=int(label))
        volumes.add(f"organs[{label}]", mask, "ORGAN", organ.volume, index)
    answer = _exchange(core, "ComputeBed", header, volumes, progress, timeout, cancel)
    result = only(answer.results, "the server")

    def image_of(name: str) -> Optional[Image]:
        if not result.HasField(name):
            return None
        return Image(answer.volume(name.upper(), maps_sent[0]))

    found = [plain(region) for region in result.regions]
    without = int(result.voxels_without_bed) if result.HasField("voxels_without_bed") else None
    return Bed(found, str(result.note), image_of("bed"), image_of("eqd2"), without)


def budget(core: Core, regions: Sequence[Mapping[str, Any]], timeout: Optional[float] = None) -> list[dict[str, Any]]:
    """See `Client.budget`."""
    request = _wire.message("ComputeBudgetRequest")()
    _regions(request.regions, regions)
    answer = core.ask("DoseService", "ComputeBudget", timeout, regions=request.regions)
    return [plain(region) for region in answer.regions]


def integrate(
    core: Core,
    scans: Sequence[Scan],
    nuclide: str,
    unit: str,
    *,
    labels: Optional[ImageLike] = None,
    voxelwise: bool = False,
    value_refers_to: Optional[str] = None,
    administered_activity_mbq: Optional[float] = None,
    infusion_h: float = 0.0,
    model: str = "",
    weighting: str = "",
    reference_time_h: Optional[float] = None,
    progress: Optional[Callable[[float], Any]] = None,
    timeout: Optional[float] = None,
    cancel: Optional[Cancel] = None,
) -> Integrals:
    """See `Client.integrate`."""
    header = _wire.message("IntegrateHeader")(
        nuclide=nuclide, infusion_h=infusion_h, model=model, weighting=weighting, voxelwise=voxelwise
    )
    words = [("unit", "MapUnit", "MAP_UNIT", unit)]
    if value_refers_to is not None:
        words.append(("value_refers_to", "ValueRefersTo", "VALUE_REFERS_TO", value_refers_to))
    for name, enum, prefix, word in words:
        try:
            setattr(header, name, _wire.number(enum, f"{prefix}_{word.upper().replace('-', '_')}"))
        except KeyError:
            fault = _errors.FieldError(name, f"is not known: {word!r}")
            raise _errors.InvalidRequest(fields=(fault,)) from None
    for name, value in ("administered_activity_mbq", administered_activity_mbq), ("reference_time_h", reference_time_h):
        if value is not None:
            setattr(header, name, value)
    volumes = _Volumes("IntegrateRequest")
    maps_sent = []
    for index, scan in enumerate(scans):
        target = header.scans.add(time_h=scan.time_h)
        if scan.duration_h is not None:
            target.duration_h = scan.duration_h
        maps_sent.append(volumes.add(f"scans[{index}].volume", scan.activity, "SCAN", target.volume, index))
    if labels is not None:
        volumes.add("labels", labels, "LABELS", header.labels)
    answer = _exchange(core, "Integrate", header, volumes, progress, timeout, cancel)
    result = only(answer.results, "the server")
    return Integrals(
        answer.volume("TIME_INTEGRATED_ACTIVITY", maps_sent[0]),
        [plain(region) for region in result.regions],
        [plain(kind) for kind in result.voxel_kinds],
        [str(words) for words in result.warnings],
    )
