"""Activity over time, and its integrals: of maps, and of regions that were measured elsewhere."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Mapping, Optional, Sequence, TypedDict, Union

import numpy as np

from . import _wire
from ._calls import Cancel, only
from ._images import ImageLike, Volume
from ._messages import Draft, OnFraction, Volumes, exchange
from ._plain import plain

if TYPE_CHECKING:
    from ._core import Core

#: MBq·h in a Bq·s.
_MBQ_H = 1.0 / 3.6e9
#: What the values of activity maps are.
MapUnit = Literal["bq", "bq-per-ml", "mbq"]
#: What of a curve belongs to voxels, and is 0 without them.
_OF_VOXELS = ("label", "voxels", "reference_time_h", "negative_voxels")


class CurveOptions(TypedDict, total=False):
    """Keyword arguments of `integrate_curves`; those of `integrate` too."""

    #: What the activities were corrected to. Not given: nothing; each is the mean over its scan.
    value_refers_to: Literal["acquisition_mean", "acquisition_start", "injection"]
    #: In MBq, net of residue: gives time-integrated activity coefficients in h.
    administered_activity_mbq: float
    #: How long the infusion took in h, at constant rate; not given: an injection.
    infusion_h: float
    #: The model of every curve; not given: chosen for each region, and `mono` of voxels.
    model: Literal["auto", "mono", "bi_uptake", "bi_washout", "tri_uptake", "physical", "trapezoid_tail"]
    #: Weights of the points.
    weighting: Literal["sigma", "relative", "poisson", "none"]
    #: By pieces, before the first scan; not given: constant.
    before_first: Literal["constant", "from_zero", "physical"]
    #: By pieces, between scans; not given: log_down.
    between: Literal["log_down", "linear"]


class IntegrateOptions(CurveOptions, total=False):
    """Keyword arguments of `integrate`."""

    #: Regions by whole numbers; what is in none is one more, "rest". Not given: all voxels are one, "all".
    labels: ImageLike
    #: A curve for every voxel.
    voxelwise: bool
    #: Start in h of the scan whose activity shares the integrals out; not given: the one nearest to the mean life.
    reference_time_h: float
    #: Of a single scan: what is known of the curve of each label, as `one_point` of a region of `integrate_curves`. 0
    #: stands for every region that is not named, "rest" and "all" among them.
    one_scan: Mapping[int, Mapping[str, Any]]
    #: Relative standard deviation of the activity of a region or voxel in a scan.
    activity_relative_sigma: float
    #: Whether the standard deviation of the map is wanted too, where it exists.
    uncertainty: bool
    #: Whether the way in which each voxel was integrated is wanted as a map; with `voxelwise` only.
    kind_map: bool


@dataclass(frozen=True)
class Scan:
    """An activity map of a series."""

    #: A SimpleITK or nibabel image, a file, or a `Volume`.
    activity: ImageLike
    #: When the scan began, in h since the start of the administration.
    time_h: float
    #: How long it took in h; none: the values are those at its start.
    duration_h: Optional[float] = None


@dataclass(frozen=True)
class Integrals:
    """Activity maps, integrated over time."""

    #: Time-integrated activity in Bq·s a voxel: `compute` takes it with `unit="bq-s"`.
    tia: Volume
    #: Of each region `name`, `label`, `voxels`, `tia_mbq_h` and what else there is: of a curve `model`,
    #: `half_lives_h`, `flags`, `points`; of a single scan `method`.
    regions: list[dict[str, Any]]
    #: How many voxels were integrated in which way; with `voxelwise` only.
    voxel_kinds: list[dict[str, Any]]
    #: What a person should look at.
    warnings: list[str]
    #: Standard deviation of `tia` in Bq·s a voxel, if it was asked for and exists; NaN where it does not.
    uncertainty: Optional[Volume] = None
    #: How each voxel was integrated, by its place in `voxel_kinds`, if it was asked for.
    kind_map: Optional[Volume] = None

    @property
    def tia_mbq_h(self) -> float:
        """The sum over the map in MBq·h."""
        return float(np.sum(self.tia.values, dtype=np.float64)) * _MBQ_H


def _draft(message: Any, nuclide: str, refers_to: Optional[str], options: Mapping[str, Any]) -> Draft:
    """What maps and regions have in common."""
    draft = Draft(message)
    draft.fill({"nuclide": nuclide, **options})
    draft.word("value_refers_to", "ValueRefersTo", "VALUE_REFERS_TO", refers_to)
    return draft


def integrate(
    core: Core,
    scans: Sequence[Scan],
    nuclide: str,
    unit: str,
    *,
    value_refers_to: Optional[str] = None,
    labels: Optional[ImageLike] = None,
    one_scan: Optional[Mapping[int, Mapping[str, Any]]] = None,
    uncertainty: bool = False,
    kind_map: bool = False,
    on_progress: OnFraction = None,
    timeout: Optional[float] = None,
    cancel: Optional[Cancel] = None,
    **options: Any,
) -> Integrals:
    """See `Client.integrate`."""
    _check_names(options, IntegrateOptions)
    header = _wire.message("IntegrateHeader")(return_uncertainty=uncertainty, return_voxel_kinds=kind_map)
    draft = _draft(header, nuclide, value_refers_to, options)
    draft.word("unit", "MapUnit", "MAP_UNIT", unit)
    volumes = Volumes(draft, "IntegrateRequest")
    for index, scan in enumerate(scans):
        if not isinstance(scan, Scan):
            draft.fault(
                f"scans[{index}]", f"is a dosegrid.Scan(activity, time_h, duration_h), got {type(scan).__name__}"
            )
            continue
        target, path = header.scans.add(), f"scans[{index}]"
        draft.fill({"time_h": scan.time_h, "duration_h": scan.duration_h}, target, path)
        volumes.add(f"{path}.volume", scan.activity, "SCAN", target.volume, index)
    volumes.add("labels", labels, "LABELS", header.labels)
    for label, method in (one_scan or {}).items():
        target = header.one_scan.add(label=draft.label("one_scan", label))
        draft.fill(method, target.method, f"one_scan[{label}]")
    answer = exchange(core, "Integrate", draft, volumes, on_progress, timeout, cancel)
    result = only(answer.results, "the server")

    def map_of(field: str, role: str, dtype: str = "<f4") -> Optional[Volume]:
        return answer.volume(role, volumes.first, dtype) if result.HasField(field) else None

    regions = [plain(region) for region in result.regions]
    for region in map(plain, result.regions_of_one_scan):
        regions.append({**region.pop("integral"), **region})
    return Integrals(
        answer.volume("TIME_INTEGRATED_ACTIVITY", volumes.first),
        regions,
        [plain(kind) for kind in result.voxel_kinds],
        [str(words) for words in result.warnings],
        map_of("uncertainty", "TIME_INTEGRATED_ACTIVITY_UNCERTAINTY"),
        map_of("kinds", "VOXEL_KINDS", "u1"),
    )


def integrate_curves(
    core: Core,
    regions: Sequence[Mapping[str, Any]],
    nuclide: str,
    *,
    injection: Union[str, datetime.datetime, None] = None,
    value_refers_to: Optional[str] = None,
    timeout: Optional[float] = None,
    **options: Any,
) -> list[dict[str, Any]]:
    """See `Client.integrate_curves`."""
    _check_names(options, CurveOptions)
    request = _wire.message("IntegrateCurvesRequest")()
    draft = _draft(request, nuclide, value_refers_to, {"injection": injection, **options})
    draft.add(request.regions, regions, "regions")
    draft.finish()
    fields = {field.name: value for field, value in request.ListFields()}
    answer = core.ask("DoseService", "IntegrateCurves", timeout, **fields)
    return [_found(region) for region in answer.regions]


def _found(region: Any) -> dict[str, Any]:
    """A region, by a curve or from one measurement."""
    found = plain(getattr(region, region.WhichOneof("found")))
    return {name: value for name, value in found.items() if name not in _OF_VOXELS}


def _check_names(options: Mapping[str, Any], known: Any) -> None:
    """As Python does with keyword arguments.

    :raises TypeError: for one that is not there
    """
    for name in options:
        if name not in known.__annotations__:
            raise TypeError(f"got an unexpected keyword argument {name!r}")
