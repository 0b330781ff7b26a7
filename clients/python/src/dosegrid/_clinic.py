"""What follows from a dose: biologically effective dose, uncertainty budgets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Mapping, Optional, Sequence, TypedDict

from . import _wire
from ._calls import Cancel, only
from ._images import ImageLike
from ._messages import Draft, OnFraction, Volumes, exchange
from ._plain import plain
from ._result import Image

if TYPE_CHECKING:
    from ._core import Core


class BedOptions(TypedDict, total=False):
    """Keyword arguments of `bed`."""

    #: Relative biological effectiveness of alpha particles, needed where there are any.
    rbe: float
    #: A BED of electrons, photons and alpha particles together; by region only.
    mixed_field: bool
    #: Dose map of each cycle in Gy, in order; then `label` of each region is needed, and no `dose_gy`.
    doses: Sequence[ImageLike]
    #: Regions of the maps, by whole numbers.
    labels: ImageLike
    #: More regions, each in a mask of its own, by label.
    organs: Mapping[int, ImageLike]
    #: In g/cm³, for masses; none: that of water.
    density: ImageLike
    #: Voxels of a lower density in g/cm³ do not count.
    minimum_density: float
    #: Whether maps of BED and EQD2 are wanted: yes, unless this says no.
    maps: bool


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
    on_progress: OnFraction = None,
    timeout: Optional[float] = None,
    cancel: Optional[Cancel] = None,
) -> Bed:
    """See `Client.bed`."""
    header = _wire.message("BedHeader")()
    draft = Draft(header)
    draft.fill({"nuclide": nuclide, "mixed_field": mixed_field, "rbe": rbe, "minimum_density_g_cm3": minimum_density})
    draft.add(header.regions, regions, "regions")
    header.return_bed = header.return_eqd2 = len(doses) > 0 and maps
    volumes = Volumes(draft, "ComputeBedRequest")
    for index, dose in enumerate(doses):
        volumes.add(f"doses[{index}]", dose, "DOSE", header.doses.add(), index)
    for name, image in ("labels", labels), ("density", density):
        volumes.add(name, image, name.upper(), getattr(header, name))
    for index, (label, mask) in enumerate((organs or {}).items()):
        organ = header.organ_volumes.add(label=draft.label("organs", label))
        volumes.add(f"organs[{label}]", mask, "ORGAN", organ.volume, index)
    answer = exchange(core, "ComputeBed", draft, volumes, on_progress, timeout, cancel)
    result = only(answer.results, "the server")

    def image_of(name: str) -> Optional[Image]:
        return Image(answer.volume(name.upper(), volumes.first)) if result.HasField(name) else None

    found = [plain(region) for region in result.regions]
    without = int(result.voxels_without_bed) if result.HasField("voxels_without_bed") else None
    return Bed(found, str(result.note), image_of("bed"), image_of("eqd2"), without)


def budget(core: Core, regions: Sequence[Mapping[str, Any]], timeout: Optional[float] = None) -> list[dict[str, Any]]:
    """See `Client.budget`."""
    draft = Draft(_wire.message("ComputeBudgetRequest")())
    draft.add(draft.message.regions, regions, "regions")
    draft.finish()
    answer = core.ask("DoseService", "ComputeBudget", timeout, regions=draft.message.regions)
    return [plain(region) for region in answer.regions]
