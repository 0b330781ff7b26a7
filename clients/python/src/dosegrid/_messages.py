"""Requests with regions and volumes in them: filled from plain data, sent in pieces, and what comes back."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any, Callable, Iterable, Iterator, Mapping, Optional, Sequence

import numpy as np

from . import _errors, _upload, _wire
from ._calls import Cancel, Deadline, Source
from ._images import BadImage, ImageLike, Volume, volume_of
from ._words import BadWord, enum_number

if TYPE_CHECKING:
    from ._core import Core

#: Hears of the part that is done, 0 to 1.
OnFraction = Optional[Callable[[float], Any]]


def number_of(field: str, enum: str, prefix: str, word: str) -> int:
    """The number of a word that is a value of an enumeration.

    :param field: of which it is told if it is not known
    """
    try:
        return enum_number(enum, prefix, word, _wire.names(enum))
    except BadWord as fault:
        raise _errors.of_fields([_errors.FieldError(field, str(fault))]) from None


class Draft:
    """A message on its way, filled from plain data. Every fault is gathered, and told by `finish`."""

    def __init__(self, message: Any) -> None:
        self.message = message
        self._faults: list[_errors.FieldError] = []

    def fault(self, path: str, reason: str) -> None:
        """Records a bad field."""
        self._faults.append(_errors.FieldError(path, reason))

    def finish(self) -> None:
        """Ends it.

        :raises InvalidRequest: with every fault
        """
        if self._faults:
            raise _errors.of_fields(self._faults)

    def fill(self, values: Mapping[str, Any], target: Any = None, path: str = "") -> None:
        """Sets fields from a mapping, with mappings and lists in it; what is None is left out.

        :param target: a message within it; none: the message itself
        :param path: of the target, for faults
        """
        target = self.message if target is None else target
        if not isinstance(values, Mapping):
            self.fault(path or "options", f"is a mapping of names to values, got {type(values).__name__}")
            return
        known = target.DESCRIPTOR.fields_by_name
        for name, value in values.items():
            where = f"{path}.{name}" if path else name
            if name not in known:
                self.fault(where, f"is not known; known are {', '.join(sorted(known))}")
            elif value is not None:
                choice = known[name].containing_oneof
                other = target.WhichOneof(choice.name) if choice is not None else None
                if other not in (None, name):
                    self.fault(where, f"is given beside {other}: one of them is wanted")
                else:
                    self._set(target, name, value, where)

    def _set(self, target: Any, name: str, value: Any, where: str) -> None:
        if isinstance(value, datetime.datetime):
            value = value.isoformat()
        elif hasattr(value, "tolist"):
            value = value.tolist()
        try:
            field = getattr(target, name)
            if isinstance(value, Mapping):
                field.SetInParent()
                self.fill(value, field, where)
            elif isinstance(value, (list, tuple)) and any(isinstance(one, Mapping) for one in value):
                self.add(field, value, where)
            elif isinstance(value, (list, tuple)):
                field.extend(value)
            else:
                setattr(target, name, value)
        except (TypeError, ValueError, AttributeError):
            self.fault(where, f"cannot be {value!r}")

    def add(self, repeated: Any, values: Sequence[Mapping[str, Any]], path: str) -> None:
        """Adds a message to a repeated field for each mapping."""
        if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
            self.fault(path, f"is a list of mappings, got {type(values).__name__}")
            return
        for at, value in enumerate(values):
            self.fill(value, repeated.add(), f"{path}[{at}]")

    def word(self, name: str, enum: str, prefix: str, word: Optional[str]) -> None:
        """Sets a field that has a value of an enumeration, by its word such as `bq-per-ml`."""
        if word is None:
            return
        try:
            setattr(self.message, name, _wire.number(enum, f"{prefix}_{str(word).upper().replace('-', '_')}"))
        except KeyError:
            self.fault(name, f"is one of {', '.join(_wire.names(enum))}; got {word!r}")

    def label(self, name: str, label: Any) -> int:
        """A label that something is given for; 0, with its fault recorded, if it is none."""
        try:
            if int(label) == float(label) >= 0:
                return int(label)
        except (ArithmeticError, TypeError, ValueError):
            pass
        self.fault(f"{name}[{label!r}]", "is no label: a whole number, 0 or more")
        return 0


class Volumes:
    """Volumes to send: described in a header, then sent in pieces.

    :param draft: of that header
    :param request: name of the message that its pieces travel in
    """

    def __init__(self, draft: Draft, request: str) -> None:
        self._draft = draft
        self._chunk = _wire.Envelope((request, "chunk"), "VolumeChunk")
        self._all: list[tuple[int, int, Volume, _upload.Element]] = []

    def add(self, name: str, image: Optional[ImageLike], role: str, target: Any, index: int = 0) -> None:
        """Describes a volume, if there is one.

        :param target: the field of the header that describes it
        """
        if image is None:
            return
        try:
            volume = volume_of(image)
            element = _upload.element_of(volume.values)
        except (BadImage, _upload.NotSendable) as bad:
            self._draft.fault(name, str(bad))
            return
        target.grid.CopyFrom(volume.grid.message())
        target.element_type = element.number
        if (volume.slope, volume.intercept) != (1.0, 0.0):
            target.slope, target.intercept = volume.slope, volume.intercept
        self._all.append((_wire.number("VolumeRole", f"VOLUME_ROLE_{role}"), index, volume, element))

    @property
    def first(self) -> Volume:
        """The first of them, on whose voxels maps come back."""
        return self._all[0][2]

    def messages(self) -> Iterator[bytes]:
        """The pieces of all volumes."""
        for role, index, volume, element in self._all:
            offset = 0
            for piece in _upload.pieces(volume.values, element.dtype):
                yield self._chunk.pack(piece, volume=role, offset_bytes=offset, index=index)
                offset += len(piece)


class Answer:
    """Takes the answers of a call: how far it is, its result, and maps."""

    def __init__(self, on_fraction: OnFraction) -> None:
        self._on_fraction = on_fraction
        self.results: list[Any] = []
        self.maps: dict[int, bytearray] = {}

    def take(self, response: Any) -> None:
        """An answer."""
        kind = response.WhichOneof("message")
        if kind == "fraction" and self._on_fraction is not None:
            self._on_fraction(response.fraction)
        elif kind == "result":
            self.results.append(response.result)
        elif kind == "chunk":
            self.maps.setdefault(response.chunk.volume, bytearray()).extend(response.chunk.data)

    def volume(self, role: str, like: Volume, dtype: str = "<f4") -> Volume:
        """A map that came, on the voxels of one that was sent."""
        data = self.maps[_wire.number("VolumeRole", f"VOLUME_ROLE_{role}")]
        return Volume(np.frombuffer(data, dtype).reshape(like.grid.shape, order="F"), like.grid, like.axes)


def exchange(
    core: Core,
    rpc: str,
    draft: Draft,
    volumes: Volumes,
    on_progress: OnFraction,
    timeout: Optional[float],
    cancel: Optional[Cancel],
) -> Answer:
    """Sends a header and volumes, and takes the answers.

    :raises InvalidRequest: with every fault of the header
    """
    draft.finish()
    deadline = Deadline(timeout)
    method = _wire.method("DoseService", rpc)
    answer = Answer(on_progress)

    def messages() -> Iterator[bytes]:
        yield method.request(header=draft.message).SerializeToString()
        yield from volumes.messages()

    connection = core.connection(deadline, cancel)
    connection.exchange(method, Source(messages()), answer.take, deadline=deadline, cancel=cancel)
    return answer
