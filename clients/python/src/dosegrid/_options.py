"""What a dose is computed from, in the words of the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Mapping, Sequence, TypedDict, Union

from ._geometry import Spacing
from ._images import Axes, ImageLike
from ._words import Time

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

#: What the numbers of an activity map are. Per voxel and time-integrated: bq-s, bq-h, kbq-s, mbq-s, mbq-h; per voxel at
#: one moment: bq, kbq, mbq; a concentration at one moment, as scanners write it: bq-per-ml, kbq-per-ml, mbq-per-ml.
Unit = Literal["bq-s", "bq-h", "kbq-s", "mbq-s", "mbq-h", "bq", "kbq", "mbq", "bq-per-ml", "kbq-per-ml", "mbq-per-ml"]


class Options(TypedDict, total=False):
    """Keyword arguments of `compute` and `submit`, beside the activity map. Others have the server's default."""

    #: Mass density in g/cm³; it or `ct` is needed, unless the method ignores the density.
    density: ImageLike
    #: CT numbers in HU, in place of the density.
    ct: ImageLike
    #: Points of (HU, g/cm³) in place of the curve of Schneider 2000.
    ct_calibration: Sequence[tuple[float, float]]
    #: Voxel edges of plain arrays along x, y and z in mm, in this order whatever their axes are.
    spacing_mm: Spacing
    #: What the indices of plain arrays are: "xyz" or "zyx".
    axes: Axes

    #: Such as "Lu-177".
    nuclide: str
    #: What the numbers of the activity map are. Needed.
    unit: Unit
    #: Of an activity at one moment: such as "50h", or "physical".
    effective_half_life: Union[Time, Literal["physical"]]
    #: Time from the injection to the image: decays are then counted from the injection on.
    imaged_after: Time
    #: What the decay in the map was corrected to.
    decay_corrected_to: Literal["scan", "injection"]
    #: Such as "7.4GBq": decays for each GBq are then told.
    injected_activity: str
    #: Which daughters decay where the nuclide did.
    daughters: Literal["parent-only", "equilibrium", "equilibrium-with-gases", "in-growth"]
    #: With daughters="in-growth": decays are counted up to this time.
    integration_time: Time
    #: Maps of daughters that moved, by name; in the unit of the activity, which is then time-integrated.
    daughter_activity: Mapping[str, ImageLike]
    #: In place of what the nuclide emits: (charge, lowest MeV, highest MeV, number per decay).
    emissions: Sequence[tuple[int, float, float, float]]

    #: Organs by whole numbers; 0 is none.
    labels: ImageLike
    #: Names of labels.
    label_names: Mapping[int, str]
    #: More organs in volumes of their own, by label: masks, or the part of each voxel. They may overlap.
    organs: Mapping[int, ImageLike]
    #: Points of a dose-volume histogram of each organ.
    dose_volume_points: int

    #: How the dose is computed; "monte-carlo" if not given.
    method: Literal["local", "kernel", "monte-carlo"]
    #: Voxels of a lower density get no dose, in g/cm³.
    minimum_density: float
    #: kernel: the medium.
    kernel_medium: Literal["water", "soft_tissue", "lung", "compact_bone", "cortical_bone"]
    #: kernel: how the density is used.
    density_correction: Literal["water", "density-scaled"]
    #: kernel: cut it off beyond this radius in mm.
    truncation_radius: float

    #: monte-carlo: most histories.
    histories: float
    #: monte-carlo: the relative 1σ to reach, such as 0.01.
    target_uncertainty: float
    #: monte-carlo: look only at voxels with this part of the maximum dose.
    target_fraction: float
    #: monte-carlo: look only at this label.
    target_label: int
    #: monte-carlo: stop after this computing time.
    time_limit: Time
    #: monte-carlo: seed of the random numbers.
    seed: int
    #: monte-carlo: number of the first history.
    first_history: int
    #: monte-carlo: one material everywhere, by name.
    material: str
    #: monte-carlo: absorb electrons below this energy, such as "10keV".
    absorption_energy: str
    #: monte-carlo: simulate one by one collisions above this energy.
    collision_cut: str
    #: monte-carlo: follow bremsstrahlung photons above this energy, absorb all photons below it on the spot.
    photon_cut: str
    #: monte-carlo: score photons below this energy along their track.
    track_length_below: str

    #: The grid of the dose: "activity", "ct", or cubes of this edge in mm. Without it all volumes have the voxels of
    #: the activity.
    dose_grid: Union[Literal["activity", "ct"], float]
    #: Rigid motion, 4×4, from a point of the activity's coordinates (RAS, mm) to that of the CT.
    transform: ArrayLike
    #: Part of the activity that may lie outside the CT or density.
    max_activity_outside: float
    #: NaN in activity, density or CT.
    nan: Literal["refuse", "zero"]
    #: Values below 0 in the activity.
    negative: Literal["refuse", "zero", "zero-keep-total"]

    #: Send 1σ of the dose too; as a rule with monte-carlo.
    uncertainty: bool
    #: Send a biologically weighted dose too.
    weighted: bool
    #: Weight of alpha particles in it.
    rbe_alpha: float
    #: Weight of recoil nuclei in it.
    rbe_recoil: float
    #: Send the dose on the grid of the CT too.
    dose_on_ct: bool
    #: monte-carlo: send the tally, which adds up with others.
    tally: bool
    #: Make warnings errors.
    strict: bool


def check_names(options: Mapping[str, Any]) -> None:
    """Refuses what is no option, as Python does for an argument.

    :raises TypeError: names the nearest
    """
    import difflib

    known = list(Options.__annotations__)
    for name in options:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            meant = f". Did you mean {near[0]!r}?" if near else ""
            raise TypeError(f"compute() got an unexpected keyword argument {name!r}{meant}")
