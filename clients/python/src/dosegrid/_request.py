"""From what a caller gives to the header of a call and the volumes behind it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Iterable, Iterator, Mapping, Optional, TypeVar

from . import _upload, _wire, _words
from ._errors import FieldError, of_fields
from ._images import BadImage, ImageLike, Volume, is_plain_array, matrix_of, volume_of
from ._options import check_names

_T = TypeVar("_T")
_TIME_INTEGRATED = ("bq-s", "bq-h", "kbq-s", "mbq-s", "mbq-h")
_AT_MOMENT = ("bq", "kbq", "mbq", "bq-per-ml", "kbq-per-ml", "mbq-per-ml")
#: Highest label; 0 is none.
_MOST_LABEL = 65535
_MEDIA = ("water", "soft_tissue", "lung", "compact_bone", "cortical_bone")
#: Options of one method alone.
_OF_METHOD = {
    "kernel": ("kernel_medium", "density_correction", "truncation_radius"),
    "monte-carlo": (
        "histories target_uncertainty target_fraction target_label time_limit seed first_history material "
        "absorption_energy collision_cut photon_cut track_length_below uncertainty tally"
    ).split(),
}
_CUTS = {
    "absorption_energy": "absorption_mev",
    "collision_cut": "collision_mev",
    "photon_cut": "photon_mev",
    "track_length_below": "track_length_mev",
}
_CHUNK = _wire.Envelope(("ComputeRequest", "chunk"), "VolumeChunk")


@dataclass(frozen=True)
class Upload:
    """A volume on its way."""

    role: int
    index: int
    volume: Volume
    element: _upload.Element
    #: Its descriptor in the header.
    descriptor: Any

    def chunks(self) -> Iterator[bytes]:
        """The messages of a call that carry it."""
        offset = 0
        for piece in _upload.pieces(self.volume.values, self.element.dtype):
            yield _CHUNK.pack(piece, volume=self.role, offset_bytes=offset, index=self.index)
            offset += len(piece)

    def digest(self) -> str:
        """The name that its bytes have in a store."""
        return _upload.digest_of(self.volume.values, self.element.dtype)

    @property
    def size_bytes(self) -> int:
        """Bytes on the wire."""
        return int(self.volume.values.size) * int(self.element.dtype.itemsize)


@dataclass
class Prepared:
    """A request that is ready to be sent, as often as need be."""

    header: Any
    activity: Volume
    uploads: list[Upload] = field(default_factory=list)
    #: What a picture shows below the dose.
    background: Optional[Volume] = None

    @property
    def is_placed(self) -> bool:
        """Whether its volumes lie in the patient: all of them do, or none."""
        return self.activity.grid.affine_mm is not None

    def messages(self) -> Iterator[bytes]:
        """The messages of `Compute`."""
        yield _wire.message("ComputeRequest")(header=self.header).SerializeToString()
        for upload in self.uploads:
            yield from upload.chunks()


class _Builder:
    def __init__(self, activity: ImageLike, options: Mapping[str, Any]) -> None:
        check_names(options)
        self.options = {name: value for name, value in options.items() if value is not None}
        self.faults: list[FieldError] = []
        self.header = _wire.message("ComputeHeader")()
        self.uploads: list[Upload] = []
        self.given = activity
        #: Whether a volume is a plain array.
        self.needs_geometry = False

    # ---- faults

    def fail(self, name: str, reason: str) -> None:
        self.faults.append(FieldError(name, reason))

    def read(self, name: str, read: Callable[[Any], _T]) -> Optional[_T]:
        """An option as it is read; none, with its fault recorded, if it cannot be."""
        if name not in self.options:
            return None
        try:
            return read(self.options[name])
        except _words.BadWord as fault:
            self.fail(name, str(fault))
        except (ArithmeticError, TypeError, ValueError):
            self.fail(name, f"cannot be {self.options[name]!r}")
        return None

    def flag(self, name: str, usual: bool = False) -> bool:
        """An option that is True or False. A text such as "no" would be true."""
        given = self.options.get(name, usual)
        # That of numpy is of the same name.
        if type(given).__name__ not in ("bool", "bool_"):
            self.fail(name, f"is True or False, got {given!r}")
            return usual
        return bool(given)

    def by_label(self, name: str) -> Iterator[tuple[int, Any]]:
        """The entries of an option that has something for each label."""
        for key, value in self.entries(name):
            try:
                label = _whole(int(key) if isinstance(key, str) else key)
                if not 0 <= label <= _MOST_LABEL:
                    raise ValueError
                yield label, value
            except (ArithmeticError, TypeError, ValueError):
                self.fail(f"{name}[{key!r}]", f"is no label: a whole number from 0 to {_MOST_LABEL}")

    def entries(self, name: str) -> Iterable[tuple[Any, Any]]:
        """The entries of an option that is a mapping."""
        given = self.options.get(name, {})
        try:
            return list(dict(given).items())
        except (TypeError, ValueError):
            self.fail(name, f"is a mapping, got {type(given).__name__}")
            return []

    def rows(self, name: str, fields: tuple[str, ...], target: Any) -> None:
        """Adds the rows of an option to a repeated field of a message."""
        rows = self.options.get(name, ())
        try:
            rows = list(rows)
        except TypeError:
            rows = [rows]
        for index, row in enumerate(rows):
            try:
                values = [getattr(value, "item", lambda value=value: value)() for value in row]
                if len(values) != len(fields):
                    raise ValueError
                target.add(**dict(zip(fields, values)))
            except (TypeError, ValueError):
                self.fail(f"{name}[{index}]", f"has {len(fields)} numbers: {', '.join(fields)}; got {row!r}")

    # ---- volumes

    def volume(self, name: str, image: ImageLike, role: str, target: Any, index: int = 0) -> Optional[Volume]:
        """Describes a volume and lines it up to be sent."""
        try:
            self.needs_geometry |= is_plain_array(image)
            volume = volume_of(image, self.options.get("spacing_mm"), self.options.get("axes"))
            element = _upload.element_of(volume.values)
        except (BadImage, _upload.NotSendable) as fault:
            self.fail(name, str(fault))
            return None
        target.grid.CopyFrom(volume.grid.message())
        target.element_type = element.number
        if (volume.slope, volume.intercept) != (1.0, 0.0):
            target.slope, target.intercept = volume.slope, volume.intercept
        number = _wire.number("VolumeRole", f"VOLUME_ROLE_{role}")
        self.uploads.append(Upload(number, index, volume, element, target))
        return volume

    def volumes(self) -> tuple[Optional[Volume], Optional[Volume]]:
        """The activity, and what a picture shows below the dose."""
        activity = self.volume("activity", self.given, "ACTIVITY", self.header.activity)
        background = None
        for name, role in ("density", "DENSITY"), ("ct", "CT"), ("labels", "LABELS"):
            if name in self.options:
                found = self.volume(name, self.options[name], role, getattr(self.header, name))
                background = found if name != "labels" else background
        for index, (label, mask) in enumerate(self.by_label("organs")):
            organ = self.header.organ_volumes.add(label=label)
            self.volume(f"organs[{label}]", mask, "ORGAN", organ.volume, index)
        for index, (nuclide, image) in enumerate(self.entries("daughter_activity")):
            daughter = self.header.daughter_maps.add(nuclide=str(nuclide))
            self.volume(f"daughter_activity[{nuclide}]", image, "DAUGHTER_ACTIVITY", daughter.activity, index)
            self.unit(daughter.activity_unit, ())
        self.same_place()
        for name in "spacing_mm", "axes":
            if name in self.options and not self.needs_geometry:
                self.fail(name, "has no effect: it is for plain arrays, and every volume says by itself how it lies")
        return activity, background

    def same_place(self) -> None:
        """Refuses to mix volumes that lie in the patient with some of which nobody knows where they lie."""
        known = [upload for upload in self.uploads if upload.volume.grid.affine_mm is not None]
        if known and len(known) < len(self.uploads):
            for upload in self.uploads:
                if upload.volume.grid.affine_mm is None:
                    role = _wire.name_of("VolumeRole", upload.role)
                    reason = (
                        "does not say where it lies in the patient, and others do: dosegrid.Volume.like(array, image)"
                    )
                    self.fail(role, f"{reason} takes the place of an image on the same voxels")

    # ---- the rest of the header

    def unit(self, target: Any, moment: tuple[str, ...] = _AT_MOMENT) -> None:
        """What the numbers of an activity map are."""
        known = _TIME_INTEGRATED + moment
        if "unit" not in self.options:
            self.fail("unit", f"is needed: one of {', '.join(known)}")
            return
        unit = self.read("unit", lambda word: _words.one_of(word, known))
        if unit is None:
            return
        arm = getattr(target, unit.replace("-", "_"))
        arm.SetInParent()
        times = ("effective_half_life", "imaged_after", "decay_corrected_to")
        if unit in _TIME_INTEGRATED:
            for name in times if moment else ():
                if name in self.options:
                    self.fail(name, f"has no meaning with the unit {unit}, which is time-integrated")
            return
        if "effective_half_life" not in self.options:
            self.fail("effective_half_life", f'is needed with the unit {unit}: such as "50h", or "physical"')
        elif self.options["effective_half_life"] == "physical":
            arm.physical.SetInParent()
        else:
            self.set(arm, "effective_half_life_s", "effective_half_life", _words.time_s)
        self.set(arm, "imaged_after_s", "imaged_after", _words.time_s)
        words = ("scan", "injection")
        read = lambda word: _words.enum_number("DecayCorrection", "DECAY_CORRECTION", word, words)  # noqa: E731
        self.set(arm, "decay_corrected_to", "decay_corrected_to", read)

    def set(self, target: Any, name: str, option: str, read: Callable[[Any], Any]) -> None:
        """Sets a field of a message from an option, if that is given and good."""
        value = self.read(option, read)
        if value is not None:
            try:
                setattr(target, name, value)
            except (TypeError, ValueError):
                self.fail(option, f"cannot be {self.options[option]!r}")

    def source(self) -> None:
        header = self.header
        self.set(header, "nuclide", "nuclide", str)
        self.set(header, "injected_activity_bq", "injected_activity", _words.activity_bq)
        self.rows("emissions", ("charge", "low_mev", "high_mev", "yield_per_decay"), header.emissions)
        known = ("parent-only", "equilibrium", "equilibrium-with-gases", "in-growth")
        which = self.read("daughters", lambda word: _words.one_of(word, known))
        if which is not None:
            getattr(header.daughters, which.replace("-", "_")).SetInParent()
        if which == "in-growth":
            self.set(header.daughters.in_growth, "integration_time_s", "integration_time", _words.time_s)
        elif "integration_time" in self.options:
            self.fail("integration_time", 'has no effect without daughters="in-growth"')

    def method(self) -> None:
        options = self.options
        name = options.get("method", "monte-carlo")
        name = self.read("method", lambda word: _words.one_of(word, ("local", "kernel", "monte-carlo"))) or name
        if name not in ("local", "kernel", "monte-carlo"):
            return
        for other, names in _OF_METHOD.items():
            for option in names if other != name else ():
                if option in options and options[option] is not False:
                    self.fail(option, f"has no effect with the method {name}")
        arm = getattr(self.header.method, name.replace("-", "_"))
        arm.SetInParent()
        self.set(arm, "minimum_density_g_cm3", "minimum_density", float)
        if name == "kernel":
            medium = lambda word: _words.enum_number("KernelMedium", "KERNEL_MEDIUM", word, _MEDIA)  # noqa: E731
            self.set(arm, "medium", "kernel_medium", medium)
            words = ("water", "density-scaled")
            read = lambda word: _words.enum_number("DensityCorrection", "DENSITY_CORRECTION", word, words)  # noqa: E731
            self.set(arm, "density_correction", "density_correction", read)
            self.set(arm, "truncation_radius_mm", "truncation_radius", float)
        elif name == "monte-carlo":
            self.monte_carlo(arm)

    def monte_carlo(self, arm: Any) -> None:
        options = self.options
        for name in "histories", "seed", "first_history":
            self.set(arm, name, name, _whole)
        self.set(arm, "time_limit_s", "time_limit", _words.time_s)
        if "target_uncertainty" in options:
            target = arm.target_uncertainty
            self.set(target, "relative", "target_uncertainty", float)
            self.set(target, "dose_fraction", "target_fraction", float)
            self.set(target, "label", "target_label", _whole)
        for name in "target_fraction", "target_label":
            if name in options and "target_uncertainty" not in options:
                self.fail(name, "has no effect without target_uncertainty")
        if "target_fraction" in options and "target_label" in options:
            self.fail("target_label", "is given beside target_fraction; only one of the two can hold")
        for name, path in _CUTS.items():
            if name in options:
                self.set(arm.cuts, path, name, _words.energy_mev)
        if "material" in options:
            self.set(arm.medium.uniform, "name", "material", str)
        arm.return_uncertainty = self.flag("uncertainty", True)
        arm.return_tally = self.flag("tally")

    def grid(self) -> None:
        header, options = self.header, self.options
        grid = options.get("dose_grid")
        if grid in ("activity", "ct"):
            getattr(header.dose_grid, str(grid)).SetInParent()
        elif grid is not None:
            self.set(header.dose_grid, "spacing_mm", "dose_grid", float)
        if "transform" in options:
            try:
                header.activity_to_ct_mm.extend(matrix_of(options["transform"]).reshape(-1).tolist())
            except BadImage as fault:
                self.fail("transform", str(fault))
        self.set(header, "max_activity_outside", "max_activity_outside", float)
        rules = ["refuse", "zero"]
        nan = self.read("nan", lambda word: _words.enum_number("NanRule", "NAN_RULE", word, rules))
        more = [*rules, "zero-keep-total"]
        negative = self.read("negative", lambda word: _words.enum_number("NegativeRule", "NEGATIVE_RULE", word, more))
        if nan is not None:
            header.value_repair.nan = nan
        if negative is not None:
            header.value_repair.negative = negative

    def rest(self) -> None:
        header, options = self.header, self.options
        self.rows("ct_calibration", ("hu", "density_g_cm3"), header.ct_calibration)
        for label, name in self.by_label("label_names"):
            try:
                header.label_names[label] = str(name)
            except ValueError:
                self.fail(f"label_names[{label!r}]", f"cannot be {name!r}")
        self.set(header, "dose_volume_points", "dose_volume_points", _whole)
        header.return_dose_on_ct = self.flag("dose_on_ct")
        header.strict = self.flag("strict")
        if self.flag("weighted"):
            header.biological_weighting.SetInParent()
            self.set(header.biological_weighting, "alpha", "rbe_alpha", float)
            self.set(header.biological_weighting, "recoil", "rbe_recoil", float)
        else:
            for name in "rbe_alpha", "rbe_recoil":
                if name in options:
                    self.fail(name, "has no effect without weighted=True")

    def build(self) -> Prepared:
        activity, background = self.volumes()
        self.unit(self.header.activity_unit)
        self.source()
        self.method()
        self.grid()
        self.rest()
        if self.faults or activity is None:
            raise of_fields(self.faults)
        return Prepared(self.header, activity, self.uploads, background)


def _whole(value: Any) -> int:
    number = int(value)
    if number != value:
        raise _words.BadWord(f"is a whole number, got {value!r}")
    return number


def prepare(activity: ImageLike, options: Mapping[str, Any]) -> Prepared:
    """The request of `compute`.

    :raises InvalidRequest: names everything that is wrong here; the server checks the rest
    :raises OSError: if a file cannot be read
    """
    return _Builder(activity, options).build()
